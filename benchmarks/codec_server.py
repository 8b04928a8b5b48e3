"""How many payloads a second the codec server opens: over TCP, with signed tokens, an audit entry a request.

`python benchmarks/codec_server.py [SECONDS]`. Starts a PostgreSQL of its own; the client is another process. The last
column is what one core could do: payloads for each second of the server's CPU time.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from temporalio.api.common.v1 import Payload

from contactsync.codecs.audit.together import SharedLog
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.sealed import seal_payload
from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.issuer import DISCOVERY_PATH, IssuerKeys
from contactsync.codecs.server.limits import to_json
from contactsync.codecs.server.oidc import OidcAccess, OidcRules
from contactsync.codecs.server.rates import Rate
from contactsync.codecs.server.serve import serving
from contactsync.postgres import Database
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import provision

ISSUER, AUDIENCE = "https://issuer.example.com", "codec"
TENANT = uuid4()
SCENES = (
    ("1 a request, masked", 1, 400, False),
    ("1 a request, whole", 1, 400, True),
    ("50 a request, masked", 50, 400, False),
    ("50 a request, whole", 50, 400, True),
    ("50 a request of 16 KiB, masked", 50, 16_384, False),
)
"""Name, payloads in a request, bytes of each, whether with a reason."""


@dataclass(frozen=True)
class Issuer:
    """Signs tokens, and answers for its keys."""

    key: ec.EllipticCurvePrivateKey

    def token(self) -> str:
        """A token that may do all."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "a", "iat": now, "exp": now + 3600, "roles": ["privacy"]}
        return jwt.encode(claims, self.key, "ES256", {"kid": "one"})

    async def fetch(self, url: str) -> bytes:
        """A document of the issuer."""
        if url.endswith(DISCOVERY_PATH):
            return json.dumps({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}).encode()
        public: dict[str, object] = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**public, "kid": "one"}]}).encode()


@asynccontextmanager
async def running(issuer: Issuer) -> AsyncGenerator[tuple[str, KeyRing]]:
    """A codec server on a PostgreSQL; its URL, and the workers' keys."""
    user = service_user()
    with temporary_folder(user) as folder, temporary_folder() as keys:
        postgres = await PostgresServer.start(folder / "postgres")
        urls = await provision(postgres, "benchmark")
        app, codec = await Database.connect(urls.app), await Database.connect(urls.codec)
        root = FileRootKey.create(keys / "root.key")
        ring = KeyRing(PostgresKeyStore(app), root)
        await ring.create_tenant(TENANT)
        access = OidcAccess(OidcRules(ISSUER, AUDIENCE), IssuerKeys(ISSUER, issuer.fetch))
        served = codec_app(KeyRing(PostgresKeyStore(codec), root), SharedLog(codec), access, rate=Rate(1e9, 1e9))
        async with serving(served, "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{port}", ring
        await app.close()
        await codec.close()
        await postgres.stop()


async def body(ring: KeyRing, count: int, size: int) -> bytes:
    """A request with this many sealed payloads."""
    people = [{"name": f"Person {number}", "email": f"p{number}@example.com"} for number in range(size // 50)]
    plain = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps({"kind": "page", "people": people}).encode())
    key = await ring.payload_key(TENANT)
    return json.dumps({"payloads": [to_json(seal_payload(key, "default", "", plain)) for _ in range(count)]}).encode()


async def measured(url: str, folder: Path, content: bytes, headers: Mapping[str, str], seconds: float) -> list[float]:
    """Requests answered, and seconds of the clock and of our CPU that they took."""
    (folder / "body").write_bytes(content)
    command = (sys.executable, __file__, "--client", f"{url}/decode", str(folder / "body"), json.dumps(headers))
    client = await asyncio.create_subprocess_exec(*command, str(seconds), stdout=asyncio.subprocess.PIPE)
    assert client.stdout is not None
    await client.stdout.readline()
    clock, cpu = time.perf_counter(), time.process_time()
    answered = int(await client.stdout.readline())
    result = [answered, time.perf_counter() - clock, time.process_time() - cpu]
    await client.wait()
    return result


def client(url: str, path: str, headers: str, seconds: str) -> None:
    """Ask one request after the other, as the `temporal` command does; prints when it begins, and how many."""
    content = Path(path).read_bytes()
    with httpx.Client(headers=json.loads(headers), trust_env=False) as asked:
        asked.post(url, content=content).raise_for_status()
        print("begun", flush=True)
        end, answered = time.perf_counter() + float(seconds), 0
        while time.perf_counter() < end:
            asked.post(url, content=content).raise_for_status()
            answered += 1
        print(answered, flush=True)


async def main(seconds: float) -> None:
    """Print the table."""
    issuer = Issuer(ec.generate_private_key(ec.SECP256R1()))
    headers = {
        "content-type": "application/json",
        "x-namespace": "default",
        "authorization": f"Bearer {issuer.token()}",
    }
    print(f"{'payloads':34} {'requests/s':>10} {'payloads/s':>10} {'ms a request':>12} {'payloads/CPU s':>14}")
    async with running(issuer) as (url, ring):
        with temporary_folder() as folder:
            for name, count, size, whole in SCENES:
                given = headers | ({"x-contactsync-reason": "test"} if whole else {})
                answered, clock, cpu = await measured(url, folder, await body(ring, count, size), given, seconds)
                rates = f"{answered / clock:10.0f} {answered * count / clock:10.0f}"
                print(f"{name:34} {rates} {1000 * clock / answered:12.2f} {answered * count / cpu:14.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        client(*sys.argv[2:])
    else:
        asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
