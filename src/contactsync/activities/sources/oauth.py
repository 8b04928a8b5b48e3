"""The request for an OAuth 2 access token (RFC 6749 §4.4, §6); `tokens.py` says when there is one."""

from base64 import b64encode
from typing import Final
from urllib.parse import quote_plus, urlencode

from pydantic import BaseModel, ConfigDict, ValidationError

from contactsync.activities.sources.tokens import REFUSED, UNKNOWN_LIFE_SECONDS, Grant, Token
from contactsync.activities.sources.transport import Answer, BodyTooLarge, Transport, refusal
from contactsync.errors import CredentialsRejected, SourceMisbehaved

_MAX_ANSWER_BYTES: Final = 64 * 1024
_REFUSED: Final = frozenset({400, 401, 403})


class _Given(BaseModel):
    """RFC 6749 §5.1."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    access_token: str
    refresh_token: str = ""
    expires_in: float | None = None


async def ask_for_token(transport: Transport, grant: Grant) -> Token:
    """One request to the token endpoint.

    Raises:
        CredentialsRejected: the provider gives no token for this.
        SourceMisbehaved: the answer is no token.
        SourceUnavailable, SourceThrottled, SourceAddressWrong.
    """
    form, headers = dict(grant.form), {"accept": "application/json"}
    if grant.basic:
        pair = f"{quote_plus(grant.client_id)}:{quote_plus(grant.client_secret)}"
        headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    else:
        form |= {
            "client_id": grant.client_id,
            **({"client_secret": grant.client_secret} if grant.client_secret else {}),
        }
    headers["content-type"] = "application/x-www-form-urlencoded"
    body = urlencode(form).encode()
    try:
        answer = await transport.request(
            "POST", grant.token_url, headers=headers, body=body, accept=_REFUSED, max_bytes=_MAX_ANSWER_BYTES
        )
    except BodyTooLarge:
        raise SourceMisbehaved("the token endpoint's answer is no token") from None
    return _given(answer)


def _given(answer: Answer) -> Token:
    if answer.status == 403:
        raise refusal(answer)
    if answer.status in _REFUSED:
        raise CredentialsRejected(REFUSED)
    try:
        given = _Given.model_validate_json(answer.body)
    except ValidationError:
        raise SourceMisbehaved("the token endpoint's answer is no token") from None
    if not given.access_token or not given.access_token.isascii() or not given.access_token.isprintable():
        raise SourceMisbehaved("the token endpoint's answer is no token")
    return Token(given.access_token, _life(given.expires_in), given.refresh_token)


def _life(expires_in: float | None) -> float:
    return expires_in if expires_in is not None and 0 < expires_in < 1e9 else UNKNOWN_LIFE_SECONDS
