"""Takes the pictures of Temporal Web in `docs/`, from a real run: `uv run python -m scripts.draw_temporal_web`.

A workflow of a made-up person, sealed as every other, seen in Debian's Chromium: without the codec server, with it, and
as somebody who signed in as a reader.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote
from uuid import uuid4

from playwright.async_api import BrowserContext, Page, ViewportSize, expect
from temporalio.client import Client
from temporalio.worker import Worker
from tests.integration.web.browser import chromium
from tests.integration.web.signed_in import certificate, signed_in
from tests.integration.web.telling import Telling, Told
from tests.rings import ring_of
from tests.unit.codecs.server.trails import MemoryTrail

from contactsync.codecs.payloads.connect import connect
from contactsync.codecs.server.access import LoopbackAccess, Operator
from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.roles import EVERYBODY, Grants
from contactsync.codecs.server.serve import serving
from contactsync.workers.embedded.folders import temporary_folder
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.temporal import TemporalOptions, TemporalServer

DOCS = Path(__file__).parent.parent / "docs"
SIZE: ViewportSize = {"width": 1280, "height": 640}
TENANT = uuid4()
ANNA = Told(name="Anna Schmidt", email="anna.schmidt@example.org")
TOKEN = "of-a-reader"  # noqa: S105  # stands for one that an issuer signed
PATIENCE_MS = 60_000


class Reader:
    """Whoever sends the token reads every tenant whole, as the issuer's role `privacy` does."""

    on_loopback_only: ClassVar[bool] = False

    async def operator(self, headers: Mapping[str, str]) -> Operator | None:
        """The reader."""
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return None
        return Operator("oidc/0000000000000000", Grants(masked=EVERYBODY, whole=EVERYBODY))


async def take(folder: Path) -> None:
    """Run the workflow and take the pictures."""
    ring, codec_port = await ring_of(folder, TENANT), free_port()
    options = TemporalOptions(codec_endpoint=f"http://{LOOPBACK}:{codec_port}")
    server = await TemporalServer.start(folder / "temporal", options)
    path = await _page_of(await connect(server.address, server.namespace, ring))
    tls, port = certificate(folder), free_port()
    masked = codec_app(ring, MemoryTrail(), LoopbackAccess(), origins=server.ui_origins)
    whole = codec_app(ring, MemoryTrail(), Reader(), origins=[f"https://{LOOPBACK}:{port}"])
    async with chromium() as browser:
        await _picture(await browser.new_context(viewport=SIZE), server.ui_url + path, "Q1Mx", "sealed")
        async with serving(masked, LOOPBACK, codec_port):
            await _picture(await browser.new_context(viewport=SIZE), server.ui_url + path, "A… S…", "masked")
        window = await browser.new_context(viewport=SIZE, ignore_https_errors=True)
        kept = json.dumps({"accessToken": TOKEN, "idToken": "", "name": "reader", "email": "", "picture": ""})
        await window.add_init_script(f"localStorage.setItem('AuthUser', {json.dumps(kept)})")
        async with serving(whole, LOOPBACK, 0, tls) as bound:
            codec_url = f"https://{LOOPBACK}:{bound}/reason/incident/OPS-1"
            async with signed_in(server.ui_url, codec_url, port, tls) as web_url:
                await _picture(window, web_url + path, "Anna Schmidt", "whole")
    await server.stop()


async def _page_of(client: Client) -> str:
    """Where Temporal Web shows a workflow about Anna."""
    async with Worker(client, task_queue="pictures", workflows=[Telling]):
        handle = await client.start_workflow(Telling.run, ANNA, id=f"sync/{TENANT}/{uuid4()}", task_queue="pictures")
        await handle.result()
    run = handle.first_execution_run_id or ""
    return "/".join(["", "namespaces", client.namespace, "workflows", quote(handle.id, safe=""), run, "history"])


async def _picture(window: BrowserContext, url: str, text: str, name: str) -> None:
    page: Page = await window.new_page()
    await page.goto(url)
    await expect(page.locator("body")).to_contain_text(text, timeout=PATIENCE_MS)
    await page.screenshot(path=DOCS / f"temporal-web-{name}.png")
    await window.close()


if __name__ == "__main__":
    with temporary_folder() as place:
        asyncio.run(take(place))
