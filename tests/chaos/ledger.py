"""The edits that a source's users make in these tests, and what a database should hold of them.

The simulator writes a contact's version into its title, so a row's content alone says which state of the contact it is,
whatever versions, observations and cursors say.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contactsync.activities.sources.simulator.provider import Provider

_VERSION: Final = re.compile(r" r(\d+)$")


def version_of(content: bytes) -> int:
    """Which version of its contact a row's content is."""
    found = _VERSION.search(json.loads(content)["titles"][0]["name"])
    assert found, "a contact that the simulator did not make"
    return int(found[1])


@dataclass
class Ledger:
    """A provider, and somebody who edits it."""

    provider: Provider
    renamed: int = 0

    def people(self) -> dict[str, int]:
        """What a database should hold: source id → version."""
        return dict(self.provider.live())

    def change_a_bit(self) -> None:
        """A bit of everything: of ten people two are edited, and one each is deleted, renamed and merged."""
        people = sorted(self.people())
        for position, source_id in enumerate(people):
            match position % 10:
                case 0 | 4:
                    self.provider.edit(source_id)
                case 5:
                    self.provider.delete(source_id)
                case 6:
                    self.rename(source_id)
                case 8:
                    self.provider.merge(source_id, people[position - 1])
                case _:
                    continue
        for position in range(max(1, len(people) // 8)):
            self.provider.add(folder=self.provider.folders[position % len(self.provider.folders)])

    def rename(self, source_id: str) -> str:
        """Another id for the same person."""
        self.renamed += 1
        to = f"renamed-{self.renamed}"
        self.provider.rename(source_id, to)
        return to


def differences(expected: Mapping[str, int], held: Mapping[str, int]) -> dict[str, tuple[int | None, int | None]]:
    """Who differs: the version that should be held, and the one that is."""
    ids = expected.keys() | held.keys()
    both = {source_id: (expected.get(source_id), held.get(source_id)) for source_id in ids}
    return {source_id: pair for source_id, pair in both.items() if pair[0] != pair[1]}
