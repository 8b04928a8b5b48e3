"""xandikos, in a process of its own; with passwords it insists on TLS, so its own certificate is the CA."""

import base64
import hashlib
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.dav.server import PASSWORD, DavServer
from tests.dav.starting import start

from contactsync.workers.embedded.ports import free_port

USER = "alice"


@asynccontextmanager
async def xandikos(folder: Path) -> AsyncGenerator[DavServer]:
    """A server with the one user `USER`, whose home is `/alice/contacts/`."""
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()  # noqa: S324  # all it reads here
    (folder / "users").write_text(f"{USER}:{{SHA}}{digest}\n")
    port = free_port()
    root = f"https://localhost:{port}"  # the name in the certificate that it makes for itself
    options = {
        "--directory": str(folder / "data"),
        "--state-dir": str(folder / "state"),
        "--listen-address": "localhost",
        "--port": str(port),
        "--current-user-principal": f"/{USER}/",
        "--htpasswd": str(folder / "users"),
    }
    argv = (
        *(sys.executable, "-W", "ignore", "-m", "xandikos", "serve", "--defaults", "--autocert"),
        *(word for option in options.items() for word in option),
    )
    child = await start(argv, folder, root)
    certificate = next((folder / "state").rglob("selfsigned.crt"))
    try:
        yield DavServer("xandikos", root, "f" * 40, ca_file=str(certificate))
    finally:
        await child.stop()
