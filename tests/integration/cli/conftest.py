"""A site, and its settings as the environment of the commands under test."""

from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.integration.cli.running import Site, running_site

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.settings import PREFIX, Settings


@pytest.fixture
async def site(
    monkeypatch: pytest.MonkeyPatch, database_urls: DatabaseUrls, temporal_server: TemporalServer, tmp_path: Path
) -> AsyncGenerator[Site]:
    """A site without workers; commands that run in this process find its settings."""
    FileRootKey.create(tmp_path / "root.key")
    given = {
        "database_url": database_urls.app,
        "root_key_file": str(tmp_path / "root.key"),
        "temporal_address": temporal_server.address,
        "temporal_namespace": temporal_server.namespace,
        "task_queue": f"site-{uuid4()}",
        "page_rows": "100",
        "source_networks": "127.0.0.0/8",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    async with running_site(Settings.model_validate(given)) as site:
        yield site
