"""How many payloads a second the codec server opens: over TCP, with signed tokens, an audit entry before each answer.

It has a PostgreSQL of its own; whoever asks is another process. `a second of one core` is what the server's CPU time
would allow: payloads for each second of it, PostgreSQL's own time aside, which stands beside it. And the `temporal`
command shows a history of a hundred events, with the codec server and without. Option: `seconds` (of each measurement).
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import jwt
from benchmarks.cpu import cpu_seconds
from benchmarks.hundred_events import HundredEvents, echo
from benchmarks.options import Options
from benchmarks.results import Figure, Ratio, Result
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from temporalio.api.common.v1 import Payload
from temporalio.worker import Worker

from contactsync.codecs.audit.together import SharedLog
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.connect import connect
from contactsync.codecs.payloads.sealed import seal_payload
from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.issuer import DISCOVERY_PATH, IssuerKeys
from contactsync.codecs.server.limits import to_json
from contactsync.codecs.server.oidc import OidcAccess, OidcRules
from contactsync.codecs.server.rates import Rate
from contactsync.codecs.server.serve import serving
from contactsync.postgres import Database
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.installed import temporal_program
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import provision
from contactsync.workers.embedded.temporal import TemporalServer

ISSUER, AUDIENCE = "https://issuer.example.com", "codec"
TENANT = uuid4()
_ASKING: Final = Path(__file__).with_name("asking.py")
_CLAIM: Final = "≥ 1000"


@dataclass(frozen=True)
class Scene:
    """What is asked: payloads in a request, bytes of each, whether with a reason, connections at the same time."""

    name: str
    payloads: int
    size: int = 400
    whole: bool = False
    connections: int = 1
    aim: str = ""


SCENES: Final = (
    Scene("1 a request, masked", 1),
    Scene("1 a request, masked, 8 at once", 1, connections=8, aim=_CLAIM),
    Scene("1 a request, whole, 8 at once", 1, whole=True, connections=8, aim=_CLAIM),
    Scene("50 a request, masked", 50, aim=_CLAIM),
    Scene("50 a request, whole", 50, whole=True, aim=_CLAIM),
    Scene("50 a request of 16 KiB, masked", 50, size=16_384),
)


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


HEADERS: Final = {"content-type": "application/json", "x-namespace": "default", "host": "127.0.0.1"}


@dataclass(frozen=True)
class Ground:
    """A codec server in this process: its port, the workers' keys, its database, a folder, headers to send."""

    port: int
    ring: KeyRing
    postgres: PostgresServer
    folder: Path
    headers: dict[str, str]


@asynccontextmanager
async def running(issuer: Issuer) -> AsyncGenerator["Ground"]:
    """A codec server on a PostgreSQL."""
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
            yield Ground(port, ring, postgres, folder, {**HEADERS, "authorization": f"Bearer {issuer.token()}"})
        await app.close()
        await codec.close()
        await postgres.stop()


async def request_of(ground: Ground, scene: Scene) -> bytes:
    """A whole HTTP request with sealed payloads."""
    people = [{"name": f"Person {number}", "email": f"p{number}@example.com"} for number in range(scene.size // 50)]
    plain = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps({"kind": "page", "people": people}).encode())
    key = await ground.ring.payload_key(TENANT)
    sealed = [to_json(seal_payload(key, "default", "", plain)) for _ in range(scene.payloads)]
    content = json.dumps({"payloads": sealed}).encode()
    headers = {**ground.headers, "content-length": str(len(content))}
    given = headers | ({"x-contactsync-reason": "test"} if scene.whole else {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"POST /decode HTTP/1.1\r\n{lines}\r\n".encode() + content


@dataclass(frozen=True)
class Taken:
    """One measurement: payloads answered, seconds on the clock, of the server's CPU, of PostgreSQL's."""

    payloads: int
    clock: float
    cpu: float
    postgres: float


async def measured(ground: Ground, scene: Scene, seconds: float) -> Taken:
    """Let the other process ask for a while."""
    file = ground.folder / "request"
    file.write_bytes(await request_of(ground, scene))
    arguments = ("127.0.0.1", str(ground.port), str(file), str(seconds), str(scene.connections))
    asking = await asyncio.create_subprocess_exec(sys.executable, _ASKING, *arguments, stdout=asyncio.subprocess.PIPE)
    assert asking.stdout is not None
    await asking.stdout.readline()
    postgres = cpu_seconds([ground.postgres.child.pid])  # looking this up takes time of our own
    clock, cpu = time.perf_counter(), time.process_time()
    answered = int(await asking.stdout.readline())
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    postgres = cpu_seconds([ground.postgres.child.pid]) - postgres
    await asking.wait()
    return Taken(answered * scene.payloads, clock, cpu, postgres)


def figures_of(scene: Scene, taken: list[Taken]) -> tuple[Figure, ...]:
    """What a scene's measurements say."""
    return (
        Figure(scene.name, "payloads for a second of one core", tuple(each.payloads / each.cpu for each in taken)),
        Figure(f"{scene.name}: answered", "payloads a second", tuple(each.payloads / each.clock for each in taken)),
        Figure(
            f"{scene.name}: PostgreSQL",
            "µs of CPU a payload",
            tuple(1e6 * each.postgres / each.payloads for each in taken),
        ),
    )


async def shown(address: str, workflow_id: str, *further: str) -> float:
    """Seconds that the `temporal` command takes to show a history."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        temporal_program(),
        *("workflow", "show", "--workflow-id", workflow_id, "--output", "json", "--address", address, *further),
        env={**os.environ, "HOME": "/nonexistent"},
        stdout=asyncio.subprocess.DEVNULL,
    )
    if await process.wait():
        raise SystemExit("the temporal command could not show the history")
    return time.perf_counter() - began


async def histories(ground: Ground, runs: int) -> tuple[Figure, Figure]:
    """The `temporal` command on a history of a hundred events: without the codec server, and with it."""
    temporal = await TemporalServer.start(ground.folder / "temporal")
    codec = ("--codec-endpoint", f"http://127.0.0.1:{ground.port}", "--codec-auth", ground.headers["authorization"])
    try:
        client = await connect(temporal.address, "default", ground.ring)
        workflow_id, queue = f"sync/{TENANT}/{uuid4()}", "measured"
        async with Worker(client, task_queue=queue, workflows=[HundredEvents], activities=[echo]):
            await client.execute_workflow(HundredEvents.run, id=workflow_id, task_queue=queue)
        sealed = tuple([await shown(temporal.address, workflow_id) for _ in range(runs)])
        opened = tuple([await shown(temporal.address, workflow_id, *codec) for _ in range(runs)])
    finally:
        await temporal.stop()
    return Figure("temporal workflow show, sealed", "s", sealed), Figure("temporal workflow show, masked", "s", opened)


async def measure(options: Options) -> Result:
    """See the module."""
    runs, seconds = options.times(3), options.number("seconds", usual=5, quick=1)
    figures: list[Figure] = []
    ratios: list[Ratio] = []
    async with running(Issuer(ec.generate_private_key(ec.SECP256R1()))) as ground:
        for scene in SCENES:
            found = figures_of(scene, [await measured(ground, scene, seconds) for _ in range(runs)])
            figures += found
            if scene.aim:
                ratios.append(Ratio(f"{scene.name}, for a second of one core", found[0].median, scene.aim))
        figures += await histories(ground, runs)
    return Result("codec_server", {"runs": runs, "seconds": seconds}, tuple(figures), tuple(ratios))
