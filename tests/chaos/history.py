"""Every version that a row ever had, and the proof that none ever went back to an older one.

The proof has two sides. By the row's own columns: a row's version, observation and generation only ever rise. By its
content, opened: of each source id, the versions that were ever held come in the order in which the source made them,
and one that was deleted comes back only in a later version.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.chaos.ledger import version_of

from contactsync.activities.messages import ConnectionRef
from contactsync.activities.store.records import CONTACT
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.rows import TenantSealer
from contactsync.postgres import Row, owner_connection

_INSTALL: Final = Path(__file__).with_name("history.sql")
_CONTACTS: Final = "SELECT * FROM history.contact WHERE connection_id = $1 ORDER BY written"
_PROGRESS: Final = "SELECT * FROM history.progress WHERE connection_id = $1 ORDER BY written"


async def install(superuser_url: str) -> None:
    """Put the triggers into a migrated database that nobody uses yet."""
    async with owner_connection(superuser_url) as connection:
        await connection.execute(_INSTALL.read_text())


async def violations(superuser_url: str, ring: KeyRing, ref: ConnectionRef) -> list[str]:
    """What ever went backwards on this connection; empty if nothing did."""
    async with owner_connection(superuser_url) as connection:
        contacts = await connection.fetch(_CONTACTS, ref.connection_id)
        progress = await connection.fetch(_PROGRESS, ref.connection_id)
    assert contacts, "the triggers are not there, or nothing was ever written"
    sealer = await ring.tenant_sealer(ref.tenant_id)
    return [*_columns(contacts), *_contents(contacts, sealer), *_marches(progress)]


def _columns(rows: Sequence[Row]) -> list[str]:
    found: list[str] = []
    for versions in _by(rows, "source_index").values():
        for older, newer in pairwise(versions):
            place = f"{newer['contact_id']} at {newer['written']}"
            if newer["deed"] == "DELETE":
                found.append(f"{place}: the row was removed, and what arrives late can bring it back")
            if _is_older(newer, older):
                found.append(f"{place}: an older version over a newer one")
    for versions in _by(rows, "contact_id").values():
        found += [
            f"{newer['contact_id']} at {newer['written']}: its generation fell to {newer['generation']}"
            for older, newer in pairwise(versions)
            if newer["generation"] < older["generation"]
        ]
    return found


def _is_older(newer: Row, older: Row) -> bool:
    versions = (newer["source_version"], older["source_version"])
    if None not in versions and versions[0] != versions[1]:
        return versions[0] < versions[1]
    return newer["observed"] < older["observed"]


def _contents(rows: Iterable[Row], sealer: TenantSealer) -> list[str]:
    found: list[str] = []
    for versions in _by(rows, "source_index").values():
        before, is_gone = 0, False
        for row in versions:
            if row["sealed"] is None:
                is_gone = True
                continue
            now = version_of(_content(row, sealer))
            if now < before or (is_gone and now == before):
                place = f"{row['contact_id']} at {row['written']}"
                found.append(f"{place}: version {now} after {before}{', which was gone' if is_gone else ''}")
            before, is_gone = now, False
    return found


def _content(row: Row, sealer: TenantSealer) -> bytes:
    blob = sealer.open(CONTACT, str(row["contact_id"]), row["sealed"])
    return blob[blob.index(b',"contact":') + len(b',"contact":') : -1]


def _marches(rows: Iterable[Row]) -> list[str]:
    """Epochs rise, and inside one the pages; a generation never falls."""
    return [
        f"progress at {newer['written']}: {dict(older)} became {dict(newer)}"
        for older, newer in pairwise(rows)
        if (newer["epoch"], newer["page"]) < (older["epoch"], older["page"])
        or newer["generation"] < older["generation"]
    ]


def _by(rows: Iterable[Row], column: str) -> dict[object, list[Row]]:
    grouped: dict[object, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row[column], []).append(row)
    return grouped
