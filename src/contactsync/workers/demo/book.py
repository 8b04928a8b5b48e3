"""What the demo's address books should hold: a model beside the real server, edited in the same steps.

The model never reads the server back, so a comparison with it also finds what the server side of contactsync lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from random import Random

from contactsync.activities.contacts.contact import Contact, EmailAddress, Name
from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.contacts.vcard_styles import Style
from contactsync.activities.contacts.vcard_writer import to_vcard
from contactsync.workers.embedded.carddav import Delete, Edit, Move, Put


@dataclass(frozen=True, slots=True)
class Expected:
    """What a pass must report, contact by contact."""

    added: int = 0
    updated: int = 0
    deleted: int = 0
    downloaded: int = 0


_STYLES = tuple(style for style in Style if style is not Style.OUTLOOK)
"""vCard 3.0 and 4.0 in the ways of several programs; CardDAV knows no 2.1 (RFC 6352 §5.1)."""


@dataclass(slots=True)
class Book:
    """One tenant's address book: file name → contact, and the style of the program that wrote the card."""

    seed: int
    size: int
    cards: dict[str, Contact] = field(default_factory=dict[str, Contact])
    written: list[Contact] = field(default_factory=list[Contact])
    _spare: list[Contact] = field(default_factory=list[Contact])
    _styles: Iterator[Style] = field(default_factory=lambda: cycle(_STYLES))
    _numbers: int = 0

    def fill(self) -> list[Edit]:
        """The first contents."""
        contacts = made_up_contacts(self.size + self.size // 5, self.seed)
        self._spare = contacts[self.size :]
        return [self._put(self._new_href(), contact) for contact in contacts[: self.size]]

    def change(self) -> tuple[list[Edit], Expected]:
        """Some contacts added, edited, renamed and deleted (4 %, 6 %, 2 % and 3 % of the book)."""
        hrefs = list(self.cards)
        parts = iter(hrefs)
        renamed = list(islice(parts, self.size // 50))
        deleted = list(islice(parts, self.size * 3 // 100))
        edited = list(islice(parts, self.size * 6 // 100))
        added = self.size * 4 // 100
        edits: list[Edit] = [self._move(href) for href in renamed]
        edits += [self._delete(href) for href in deleted]
        edits += [self._put(href, _edited(self.cards[href], "two")) for href in edited]
        edits += [self._put(self._new_href(), self._spare.pop()) for _ in range(added)]
        expected = Expected(
            added=added + len(renamed),
            updated=len(edited),
            deleted=len(deleted) + len(renamed),
            downloaded=added + len(renamed) + len(edited),
        )
        return edits, expected

    def change_many(self) -> tuple[list[Edit], Expected]:
        """Three of five contacts edited, so that the pass has many pages to be interrupted in."""
        edited = list(self.cards)[: self.size * 3 // 5]
        edits: list[Edit] = [self._put(href, _edited(self.cards[href], "three")) for href in edited]
        return edits, Expected(updated=len(edits), downloaded=len(edits))

    def change_some(self, chance: Random, count: int) -> list[Edit]:
        """`count` random edits: mostly contacts edited, some added, deleted or renamed, each card at most once."""
        edits: list[Edit] = []
        for href in chance.sample(sorted(self.cards), count):
            match chance.randrange(8):
                case 0:
                    edits.append(self._delete(href))
                case 1:
                    edits.append(self._move(href))
                case 2 if self._spare:
                    edits.append(self._put(self._new_href(), self._spare.pop()))
                case number:
                    edits.append(self._put(href, _edited(self.cards[href], f"edit{number}{chance.random()}")))
        return edits

    def _put(self, href: str, contact: Contact) -> Put:
        self.cards[href] = contact
        self.written.append(contact)
        return Put(href, to_vcard(contact, next(self._styles)))

    def _delete(self, href: str) -> Delete:
        del self.cards[href]
        return Delete(href)

    def _move(self, href: str) -> Move:
        to = self._new_href()
        self.cards[to] = self.cards.pop(href)
        return Move(href, to)

    def _new_href(self) -> str:
        self._numbers += 1
        return f"card-{self._numbers:05d}.vcf"


def _edited(contact: Contact, mark: str) -> Contact:
    """The contact with a new full name and one more e-mail."""
    name = contact.name or Name(full="")
    more = EmailAddress(address=f"{mark}.{contact.emails[0].address}" if contact.emails else f"{mark}@new.example")
    return contact.model_copy(
        update={"name": Name(full=f"{name.full} {mark.title()}"), "emails": (*contact.emails[:3], more)}
    )
