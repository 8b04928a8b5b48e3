"""What a source should hold, as its tests edit it: every edit of a person carries a number, in the person's name.

So a row's content alone says which edit it is from, whatever versions, observations and cursors say.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from contactsync.activities.contacts.contact import Contact, EmailAddress, Name, Phone

_EDIT: Final = re.compile(r" edit (\d+)$")


class Provider(Protocol):
    """A source's own side."""

    def put(self, source_id: str, contact: Contact) -> None:
        """Add or replace a contact."""
        ...

    def delete(self, source_id: str) -> None:
        """Delete a contact."""
        ...

    def rename(self, source_id: str, to: str) -> None:
        """Give a contact another id."""
        ...

    async def publish(self) -> None:
        """Show what was done since the last time to whoever asks from now on."""
        ...


def edit_of(content: bytes) -> int:
    """The number of the edit that a row's content is from."""
    found = _EDIT.search(json.loads(content)["name"]["full"])
    assert found, "a contact that no edit made"
    return int(found[1])


@dataclass
class Ledger:
    """A provider and, beside it, what it should hold: source id → number of the latest edit."""

    provider: Provider
    people: dict[str, int] = field(default_factory=dict[str, int])
    edits: int = 0
    names: int = 0

    def fill(self, count: int) -> None:
        """So many new people."""
        for _ in range(count):
            self.add()

    def add(self) -> str:
        """One more."""
        self.names += 1
        source_id = f"card-{self.names:05d}.vcf"
        self.edit(source_id)
        return source_id

    def edit(self, source_id: str) -> None:
        """A new state of a person; of one who was deleted, the person comes back."""
        self.edits += 1
        self.people[source_id] = self.edits
        self.provider.put(source_id, person(source_id, self.edits))

    def delete(self, source_id: str) -> None:
        """A person less."""
        self.edits += 1
        del self.people[source_id]
        self.provider.delete(source_id)

    def rename(self, source_id: str) -> str:
        """The same person under another id."""
        self.names += 1
        to = f"card-{self.names:05d}.vcf"
        self.people[to] = self.people.pop(source_id)
        self.provider.rename(source_id, to)
        return to

    def change_a_bit(self) -> None:
        """A bit of everything: of eight people two are edited, one is deleted, one renamed; some are new."""
        for position, source_id in enumerate(sorted(self.people)):
            match position % 8:
                case 0 | 3:
                    self.edit(source_id)
                case 5:
                    self.delete(source_id)
                case 6:
                    self.rename(source_id)
                case _:
                    continue
        self.fill(max(1, len(self.people) // 8))


def person(source_id: str, edit: int) -> Contact:
    """A made-up person who says which edit this is."""
    number = int(re.sub(r"\D", "", source_id) or 0)
    return Contact(
        uid=f"uid-{source_id}",
        name=Name(full=f"Person {number} edit {edit}"),
        emails=(EmailAddress(address=f"p{number}@example.com"), EmailAddress(address=f"edit{edit % 7}@example.com")),
        phones=(Phone(number=f"+493012{number:05d}"),),
    )


def differences(expected: Mapping[str, int], held: Mapping[str, int]) -> dict[str, tuple[int | None, int | None]]:
    """Who differs: the edit that should be held, and the one that is."""
    ids = expected.keys() | held.keys()
    both = {source_id: (expected.get(source_id), held.get(source_id)) for source_id in ids}
    return {source_id: pair for source_id, pair in both.items() if pair[0] != pair[1]}
