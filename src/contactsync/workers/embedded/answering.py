"""Whether an HTTP server answers yet."""

import httpx

ASK_SECONDS = 2.0


async def answers(url: str) -> bool:
    """Whether something answers at the URL and does not say that it is not ready (5xx)."""
    async with httpx.AsyncClient(trust_env=False, timeout=ASK_SECONDS) as client:
        try:
            return not (await client.get(url)).is_server_error
        except httpx.HTTPError:
            return False
