"""A mapping of everything, and what records say by it."""

from pydantic import JsonValue

from contactsync.activities.contacts.contact import Field, Fields
from contactsync.activities.sources.query import Listed, Record
from contactsync.activities.sources.rest_records import Mapper
from contactsync.activities.sources.rest_settings import FieldsTable
from contactsync.activities.sources.source import Change

EVERYTHING: Fields = frozenset(Field)
HEAD = ("version", "changed_at", "etag", "deleted", "merged_into", "merged_ids")
WHOLE: dict[str, object] = {
    "id": "id",
    "version": "rev",
    "changed_at": "at",
    "etag": "etag",
    "deleted": "gone",
    "merged_into": "winner",
    "merged_ids": "losers",
    "uid": "uid",
    "kind": "kind",
    "name": {"full": "full", "given": "given", "surname": "family"},
    **{
        name: name
        for name in (
            "nicknames",
            "organizations",
            "titles",
            "emails",
            "phones",
            "addresses",
            "online_services",
            "links",
            "notes",
            "keywords",
            "members",
        )
    },
    "anniversaries": {"birth": "born", "wedding": "wed"},
}


def mapper(fields: Fields = EVERYTHING, **table: object) -> Mapper:
    """A mapper of all properties, changed by `table`."""
    return Mapper(FieldsTable.model_validate({**WHOLE, **table}), fields)


def told(record: Record) -> Change:
    """What a record says, read."""
    return record.change.read() if isinstance(record.change, Listed) else record.change


def read(raw: JsonValue, **table: object) -> Change:
    """The one thing that a record says."""
    (record,) = mapper(EVERYTHING, **table).records(raw)
    return told(record)
