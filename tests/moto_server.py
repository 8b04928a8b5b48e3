"""AWS for tests: moto's server in a process of its own. It is no proof of revocation: its disabled keys decrypt."""

import sysconfig
from dataclasses import dataclass
from pathlib import Path

import httpx

from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.processes import Child, Command, plain_environment

READY_SECONDS = 60.0
REGION = "eu-central-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",  # moto takes any
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class MotoServer:
    """A running moto; `endpoint` is the one of every service."""

    port: int
    child: Child

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    @classmethod
    async def start(cls, folder: Path) -> "MotoServer":
        """Start it; the folder holds its log."""
        port = free_port()
        program = Path(sysconfig.get_path("scripts")) / "moto_server"
        child = await Child.start(
            Command(
                argv=(str(program), "-H", LOOPBACK, "-p", str(port)),
                log=folder / "moto.log",
                cwd=folder,
                env=plain_environment(folder),
            )
        )
        server = cls(port, child)
        await child.until(server._answers, READY_SECONDS)
        return server

    async def stop(self) -> None:
        """Stop it."""
        await self.child.stop()

    async def _answers(self) -> bool:
        async with httpx.AsyncClient(trust_env=False) as http:
            try:
                return (await http.get(f"{self.endpoint}/moto-api/data.json")).status_code == 200
            except httpx.TransportError:
                return False
