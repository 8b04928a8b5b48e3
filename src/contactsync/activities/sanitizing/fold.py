"""The same value twice in one contact becomes one value that says all that both said."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from contactsync.activities.contacts.contact import EmailAddress, Phone

Value = TypeVar("Value")


def fold(
    values: Iterable[Value], key: Callable[[Value], object], merge: Callable[[Value, Value], Value]
) -> list[Value]:
    """The values in their order, those of one key merged into the first."""
    folded: dict[object, Value] = {}
    for value in values:
        place = key(value)
        folded[place] = merge(folded[place], value) if place in folded else value
    return list(folded.values())


def first(one: Value, _other: Value) -> Value:
    """The merge of values that hold nothing beside their key."""
    return one


def merged_emails(one: EmailAddress, other: EmailAddress) -> EmailAddress:
    """The first address with both values' contexts, the stronger preference and a label."""
    return EmailAddress(
        address=one.address,
        contexts=_union(one.contexts, other.contexts),
        pref=_stronger(one.pref, other.pref),
        label=one.label or other.label,
    )


def merged_phones(one: Phone, other: Phone) -> Phone:
    """The first number with both values' features and contexts, the stronger preference and a label."""
    return Phone(
        number=one.number,
        extension=one.extension,
        e164=one.e164,
        features=_union(one.features, other.features),
        contexts=_union(one.contexts, other.contexts),
        pref=_stronger(one.pref, other.pref),
        label=one.label or other.label,
    )


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _stronger(one: int | None, other: int | None) -> int | None:
    given = [pref for pref in (one, other) if pref is not None]
    return min(given, default=None)
