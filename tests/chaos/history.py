"""Every version that a row ever had, and the proof that none ever went back to an older one.

The proof has two sides. By the row's own columns: a row's version, observation and generation only ever rise. By its
content, opened: of each source id, the versions that were ever held come in the order in which the source made them,
and one that was deleted comes back only in a later version. Rotations change a row's index and its seal, not its story.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.chaos.ledger import version_of

from contactsync.activities.messages import ConnectionRef
from contactsync.activities.store.records import CONTACT, contact_of_blob
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import KeysRotated
from contactsync.postgres import Row, owner_connection

_INSTALL: Final = Path(__file__).with_name("history.sql")
_CONTACTS: Final = "SELECT * FROM history.contact WHERE connection_id = $1 ORDER BY written"
_PROGRESS: Final = "SELECT * FROM history.progress WHERE connection_id = $1 ORDER BY written"


async def install(superuser_url: str) -> None:
    """Put the triggers into a migrated database that nobody uses yet."""
    async with owner_connection(superuser_url) as connection:
        await connection.execute(_INSTALL.read_text())


@dataclass(frozen=True)
class Written:
    """A version of a row; of a deletion there is no content."""

    row: Row
    source_id: str | None = None
    version: int | None = None

    @property
    def place(self) -> str:
        """Where it stands in the history."""
        return f"{self.row['contact_id']} at {self.row['written']}"


async def violations(superuser_url: str, sealers: Sequence[TenantSealer], ref: ConnectionRef) -> list[str]:
    """What ever went backwards on this connection; empty if nothing did. Each row's key is in one of `sealers`."""
    async with owner_connection(superuser_url) as connection:
        contacts = await connection.fetch(_CONTACTS, ref.connection_id)
        progress = await connection.fetch(_PROGRESS, ref.connection_id)
    assert contacts, "the triggers are not there, or nothing was ever written"
    written = [_opened(row, sealers) for row in contacts]
    stories = _by_source(written)
    return [*_columns(stories, written), *_contents(stories), *_marches(progress)]


def _opened(row: Row, sealers: Iterable[TenantSealer]) -> Written:
    if row["sealed"] is None:
        return Written(row)
    for sealer in sealers:
        with suppress(KeysRotated):
            source_id, content = contact_of_blob(sealer.open(CONTACT, str(row["contact_id"]), row["sealed"]))
            return Written(row, source_id, version_of(content))
    raise AssertionError(f"no key opens {row['contact_id']} at {row['written']}")


def _by_source(written: Iterable[Written]) -> list[list[Written]]:
    """The versions of each source id; a deletion is known by its index, under which its content stood before."""
    names: dict[bytes, str] = {}
    stories: dict[object, list[Written]] = {}
    for each in written:
        index: bytes = each.row["source_index"]
        if each.source_id is not None:
            names[index] = each.source_id
        stories.setdefault(names.get(index, index), []).append(each)
    return list(stories.values())


def _columns(stories: Iterable[Sequence[Written]], written: Iterable[Written]) -> list[str]:
    found: list[str] = []
    for story in stories:
        for older, newer in pairwise(story):
            if newer.row["deed"] == "DELETE":
                found.append(f"{newer.place}: the row was removed, and what arrives late can bring it back")
            if _is_older(newer.row, older.row):
                found.append(f"{newer.place}: an older version over a newer one")
    contacts: dict[object, list[Written]] = {}
    for each in written:
        contacts.setdefault(each.row["contact_id"], []).append(each)
    for versions in contacts.values():
        found += [
            f"{newer.place}: its generation fell to {newer.row['generation']}"
            for older, newer in pairwise(versions)
            if newer.row["generation"] < older.row["generation"]
        ]
    return found


def _is_older(newer: Row, older: Row) -> bool:
    versions = (newer["source_version"], older["source_version"])
    if None not in versions and versions[0] != versions[1]:
        return versions[0] < versions[1]
    return newer["observed"] < older["observed"]


def _contents(stories: Iterable[Sequence[Written]]) -> list[str]:
    found: list[str] = []
    for story in stories:
        before, is_gone = 0, False
        for each in story:
            if each.version is None:
                is_gone = True
                continue
            if each.version < before or (is_gone and each.version == before):
                gone = ", which was gone" if is_gone else ""
                found.append(f"{each.place}: version {each.version} after {before}{gone}")
            before, is_gone = each.version, False
    return found


def _marches(rows: Iterable[Row]) -> list[str]:
    """Epochs rise, and inside one the pages; a generation never falls."""
    return [
        f"progress at {newer['written']}: {dict(older)} became {dict(newer)}"
        for older, newer in pairwise(rows)
        if (newer["epoch"], newer["page"]) < (older["epoch"], older["page"])
        or newer["generation"] < older["generation"]
    ]
