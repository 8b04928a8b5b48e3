"""What sealing a payload takes, beside bare AES-256-GCM and the codec of Temporal's Python sample.

Payloads are the JSON of made-up contacts, cut to size. `envelope` and `bare` seal the same bytes, compression aside;
the two codecs do all that Temporal asks of them, ours with compression, which the sample has not. Options: `sizes`,
`milliseconds` (of each measurement).
"""

import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest.mock import patch
from uuid import UUID, uuid4

from benchmarks.options import Options
from benchmarks.results import Figure, Ratio, Result
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.codecs.envelope import cs1
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.codec import Place, SealingCodec

SIZES: Final = (200, 4 * 1024, 64 * 1024, 256 * 1024, 1024 * 1024)
THINGS: Final = ("bare AES-256-GCM", "envelope", "Temporal's sample", "codec")
_AIMED_AT: Final = 64 * 1024
_NONCE_BYTES: Final = 12
_NOTE: Final = "codec: with compression from 1 KiB on; the sample has none. Ratios are of speeds."

Work = Callable[[], Awaitable[object]]


class SampleCodec(PayloadCodec):
    """What the sample's codec does (temporalio/samples-python, encryption/codec.py): one key, one nonce a payload."""

    def __init__(self, cipher: AESGCM) -> None:
        self._cipher = cipher

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Each as `nonce ‖ AES-GCM of the whole payload`."""
        metadata = {"encoding": b"binary/encrypted", "encryption-key-id": b"measured"}
        return [Payload(metadata=metadata, data=bare_seal(self._cipher, each.SerializeToString())) for each in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """The payloads again."""
        return [Payload.FromString(bare_open(self._cipher, each.data)) for each in payloads]


@dataclass(frozen=True, slots=True)
class Bench:
    """What is sealed with; one key for all."""

    ring: KeyRing
    tenant_id: UUID
    cipher: AESGCM

    async def works(self, data: bytes) -> Mapping[str, Mapping[str, Work]]:
        """`seal` and `open` of each thing, on payloads that hold `data`."""
        key = await self.ring.payload_key(self.tenant_id)
        binding = cs1.Binding("payload/v1", self.tenant_id, ("default", ""))
        payload = Payload(metadata={"encoding": b"json/plain"}, data=data)
        place = Place("default", f"sync/{self.tenant_id}/{uuid4()}")
        sample, codec = SampleCodec(self.cipher), SealingCodec(self.ring, place)
        with circumstances("envelope"):
            bare, stored = bare_seal(self.cipher, data), cs1.seal(key, binding, data)
        encoded, sealed = await sample.encode([payload]), await codec.encode([payload])
        return {
            "seal": {
                "bare AES-256-GCM": _awaitable(lambda: bare_seal(self.cipher, data)),
                "envelope": _awaitable(lambda: cs1.seal(key, binding, data)),
                "Temporal's sample": lambda: sample.encode([payload]),
                "codec": lambda: codec.encode([payload]),
            },
            "open": {
                "bare AES-256-GCM": _awaitable(lambda: bare_open(self.cipher, bare)),
                "envelope": _awaitable(lambda: cs1.open_(key, binding, stored)),
                "Temporal's sample": lambda: sample.decode(encoded),
                "codec": lambda: codec.decode(sealed),
            },
        }


def bare_seal(cipher: AESGCM, data: bytes) -> bytes:
    """AES-256-GCM under one key, a random nonce in front."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, data, None)


def bare_open(cipher: AESGCM, data: bytes) -> bytes:
    """What `bare_seal` sealed."""
    return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None)


def circumstances(thing: str) -> AbstractContextManager[object]:
    """The envelope is measured without compression: what it seals is stored as it is."""
    return patch.object(cs1, "COMPRESS_FROM_BYTES", cs1.MAX_RAW_BYTES + 1) if thing == "envelope" else nullcontext()


def _awaitable(work: Callable[[], object]) -> Work:
    async def done() -> object:
        return work()

    return done


async def measure(options: Options) -> Result:
    """µs of CPU to seal and to open, in turns."""
    times = options.times(5)
    sizes = options.numbers("sizes", usual=SIZES, quick=(200, 64 * 1024))
    seconds = options.number("milliseconds", usual=200, quick=10) / 1e3
    bench, text = await new_bench(), page_text(max(sizes))
    found: dict[str, list[float]] = {}
    for size in sizes:
        works = await bench.works(text[:size])
        for _ in range(times):
            for act, by_thing in works.items():
                for thing, work in by_thing.items():
                    with circumstances(thing):
                        found.setdefault(_name(act, size, thing), []).append(await cpu_micros(work, seconds))
    figures = tuple(Figure(name, "µs of CPU", tuple(runs)) for name, runs in found.items())
    ratios = tuple(_ratios({each.name: each.median for each in figures}, sizes))
    return Result("codec", {"runs": times}, figures, ratios, (_NOTE,))


async def new_bench() -> Bench:
    """Keys of one tenant, in memory."""
    with tempfile.TemporaryDirectory() as folder:
        ring = KeyRing(MemoryKeyStore(), FileRootKey.create(Path(folder) / "root.key"))
        tenant_id = uuid4()
        await ring.create_tenant(tenant_id)
        await ring.payload_key(tenant_id)
    return Bench(ring, tenant_id, AESGCM(AESGCM.generate_key(256)))


def page_text(size: int) -> bytes:
    """At least so many bytes of made-up contacts as JSON."""
    text, seed = b"", 1
    while len(text) < size:
        contacts = made_up_contacts(500, seed)
        text, seed = (
            text + b",".join(each.model_dump_json(exclude_defaults=True).encode() for each in contacts),
            seed + 1,
        )
    return text


async def cpu_micros(work: Work, seconds: float) -> float:
    """µs of CPU that it takes once, on average over some time."""
    await work()
    times, spent, began = 0, 0.0, time.process_time()
    while spent < seconds:
        await work()
        times += 1
        spent = time.process_time() - began
    return spent / times * 1e6


def _ratios(found: Mapping[str, float], sizes: Iterable[int]) -> Iterator[Ratio]:
    """Speeds over the contender's: above 1, contactsync is the faster."""
    for size in sizes:
        for act in ("seal", "open"):
            took = {thing: found[_name(act, size, thing)] for thing in THINGS}
            aim = "≥ 0.5" if size == _AIMED_AT else ""
            yield Ratio(f"{act} {_told(size)}: envelope / bare", took[THINGS[0]] / took["envelope"], aim)
            yield Ratio(f"{act} {_told(size)}: codec / sample", took[THINGS[2]] / took["codec"])


def _name(act: str, size: int, thing: str) -> str:
    return f"{act} {_told(size)}: {thing}"


def _told(size: int) -> str:
    for unit, least in (("MB", 1024 * 1024), ("KB", 1024)):
        if size >= least:
            return f"{size // least} {unit}"
    return f"{size} B"
