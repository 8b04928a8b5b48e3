"""Records of an API as changes of contacts."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError
from pydantic import JsonValue
from tests.unit.rest.apis import PLANTED
from tests.unit.rest.mappings import HEAD, WHOLE, mapper, read, told
from tests.unit.rest.plain_mapping import plain_contact

from contactsync.activities.contacts.contact import (
    Address,
    Anniversary,
    Contact,
    EmailAddress,
    Field,
    Link,
    Name,
    NameComponent,
    Nickname,
    Note,
    OnlineService,
    Organization,
    Phone,
    Title,
    written,
)
from contactsync.activities.contacts.limits import MAX_READ_CHARS, MAX_VALUES
from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.pages import load_raw, raw_body, raw_records
from contactsync.activities.sources.query import Listed
from contactsync.activities.sources.rest_expressions import NotEvaluable
from contactsync.activities.sources.rest_records import MAX_ID_CHARS
from contactsync.activities.sources.source import Changed, Moved, Removed, Unreadable
from contactsync.errors import SourceMisbehaved


def changed(raw: JsonValue, **table: object) -> Changed:
    """The contact that a record says."""
    change = read(raw, **table)
    assert isinstance(change, Changed)
    return change


def contact(**members: JsonValue) -> Contact:
    """The contact of a record with these members."""
    return changed({"id": "1", **members}).contact


def test_every_property() -> None:
    """A record with everything becomes a contact with everything."""
    raw: JsonValue = {
        "id": 7,
        "rev": 12,
        "at": "2026-03-01T12:34:56Z",
        "etag": "abc",
        "uid": "urn:uuid:1",
        "kind": "Org",
        "full": "Dr. Ada King",
        "given": "Ada",
        "family": "King",
        "nicknames": "Addie",
        "organizations": [{"name": "Engines", "units": ["Analysis", "Notes"]}],
        "titles": ["Countess", {"name": "Programmer", "kind": "role"}],
        "emails": [{"address": "ada@example.org", "type": "Work", "pref": 1, "label": "desk"}, "a@b.example"],
        "phones": [{"number": "+4930123", "type": ["mobile", "home"], "extension": 9}, 12345],
        "addresses": [{"street": ["1 Row", "Flat 2"], "locality": "London", "contexts": ["private"]}, "Baker St"],
        "online_services": [{"service": "Jabber", "user": "ada"}, "xmpp:ada@example.org", "ada99"],
        "links": ["https://ada.example", {"uri": "https://x.example", "label": "blog"}],
        "notes": {"note": "kind"},
        "keywords": ["vip", None, ""],
        "members": ["2", "3"],
        "born": "1815-12-10",
        "wed": "no date",
    }
    (record,) = mapper().records(raw)
    assert record.changed_at == 1_772_368_496_000_000
    assert isinstance(record.change, Listed)
    assert record.change.read() == Changed(
        source_id="7",
        version=12,
        etag=record.change.etag,
        content=written(
            Contact(
                uid="urn:uuid:1",
                kind="org",
                name=Name(
                    full="Dr. Ada King",
                    components=(NameComponent(kind="given", value="Ada"), NameComponent(kind="surname", value="King")),
                ),
                nicknames=(Nickname(name="Addie"),),
                organizations=(Organization(name="Engines", units=("Analysis", "Notes")),),
                titles=(Title(name="Countess"), Title(name="Programmer", kind="role")),
                emails=(
                    EmailAddress(address="ada@example.org", contexts=("work",), pref=1, label="desk"),
                    EmailAddress(address="a@b.example"),
                ),
                phones=(
                    Phone(number="+4930123", features=("mobile",), contexts=("private",), extension="9"),
                    Phone(number="12345"),
                ),
                addresses=(
                    Address(street="1 Row\nFlat 2", locality="London", contexts=("private",)),
                    Address(full="Baker St"),
                ),
                online_services=(
                    OnlineService(service="Jabber", user="ada"),
                    OnlineService(uri="xmpp:ada@example.org"),
                    OnlineService(user="ada99"),
                ),
                links=(Link(uri="https://ada.example"), Link(uri="https://x.example", label="blog")),
                anniversaries=(Anniversary(kind="birth", date="1815-12-10"),),
                notes=(Note(note="kind"),),
                keywords=("vip",),
                members=("2", "3"),
            )
        ),
    )


def test_only_allowed_properties_are_looked_at() -> None:
    """A property that the allow-list drops is not read: not even when its value could not be."""
    (record,) = mapper(frozenset({Field.EMAILS})).records({"id": "1", "emails": "a@b.example", "notes": {"x": 1}})
    assert isinstance(record.change, Listed)
    assert record.change.content() == written(Contact(emails=(EmailAddress(address="a@b.example"),)))


def test_empty_slots() -> None:
    """Null, empty texts and items without their main value are no values."""
    empty: JsonValue = [None, "", {}, {"address": None, "type": "work"}, {"address": ""}]
    assert contact(emails=empty) == Contact()


@pytest.mark.parametrize(
    "members",
    [
        {"emails": {"adress": "a@b.example"}},
        {"emails": {"address": "a@b.example", "kind": "work"}},
        {"emails": [["a@b.example"]]},
        {"emails": True},
        {"emails": {"address": {"x": PLANTED}}},
        {"phones": {"type": "work"}},
        {"addresses": {"type": "work"}},
        {"online_services": {"service": "Jabber"}},
        {"full": ["a", "b"]},
        {"keywords": [{"x": 1}]},
        {"etag": ["x"]},
        {"at": "some day"},
        {"rev": "1.5.2"},
        {"rev": 1 << 70},
        {"winner": {"id": 3}},
        {"losers": [{"id": 3}]},
        {"uid": True},
    ],
)
def test_p11_values_of_another_shape(members: dict[str, JsonValue]) -> None:
    """P11: what the expressions cannot read is set aside with a reason; it neither vanishes nor stops the others."""
    assert read({"id": "1", **members}) == Unreadable("1", QuarantineReason.INVALID)


def test_p11_too_many_values() -> None:
    """P11: a record with more values than a contact may have is set aside as such."""
    many: list[JsonValue] = [f"{n}@b.example" for n in range(MAX_VALUES + 1)]
    assert read({"id": "1", "emails": many}) == Unreadable("1", QuarantineReason.TOO_MANY_VALUES)
    losers: list[JsonValue] = [str(n) for n in range(2000)]
    assert read({"id": "1", "losers": losers}) == Unreadable("1", QuarantineReason.TOO_MANY_VALUES)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"id": None},
        {"id": ""},
        {"id": True},
        {"id": ["1"]},
        {"id": "x" * (MAX_ID_CHARS + 1)},
        {"id": "a\0b"},
        {"id": "\ud800"},
        [],
        "1",
        None,
    ],
)
def test_record_without_an_id(raw: JsonValue) -> None:
    """A record that nothing can be said about is an error of the source: dropping it would lose a contact."""
    with pytest.raises(SourceMisbehaved):
        mapper().records(raw)


def test_deleted() -> None:
    """A record that is marked as deleted is gone, with its version, whatever else it holds."""
    assert read({"id": "1", "gone": True, "rev": 3, "emails": {"x": 1}}) == Removed("1", 3)
    assert isinstance(read({"id": "1", "gone": "false"}), Changed)


def test_p31_merged_into() -> None:
    """P31: the loser of a merge leads to the winner, and not to a tombstone, although it is deleted too."""
    assert read({"id": "1", "gone": True, "winner": 2, "rev": 5}) == Moved("1", "2", 5)
    assert isinstance(read({"id": "1", "winner": "1"}), Changed)


@pytest.mark.parametrize("losers", [["2", 3, "1", None], "2;3;1", "2, 3"])
def test_p31_merged_ids(losers: JsonValue) -> None:
    """P31: the winner names its losers, in a list or a text; they come before it."""
    records = mapper().records({"id": "1", "losers": losers})
    assert [record.change for record in records[:-1]] == [Moved("2", "1"), Moved("3", "1")]
    assert isinstance(told(records[-1]), Changed)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (3, 3),
        ("17", 17),
        ("-2", -2),
        (4.0, 4),
        ("2026-03-01T12:34:56Z", 1_772_368_496_000_000),
        (None, None),
        ("", None),
    ],
)
def test_versions(version: JsonValue, expected: int | None) -> None:
    """Versions are whole numbers, or times in microseconds."""
    assert changed({"id": "1", "rev": version}).version == expected


def test_texts_are_bounded_and_storable() -> None:
    """A text is cut where reading ends, and half a character of UTF-16 is none."""
    notes = contact(notes=["x" * (MAX_READ_CHARS + 5), "a\ud800b"]).notes
    assert [len(note.note) for note in notes] == [MAX_READ_CHARS, 3]
    assert notes[1].note.isascii()


TEXTS = st.sampled_from(
    [
        "work",
        " Home ",
        "mobile",
        "role",
        "org",
        "Ada",
        "Jürgen",
        "a@b.example",
        "+4930123",
        "1815-12-10",
        "x:y",
        "\ud800",
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["address", "number", "name", "type", "pref", "uri", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


MEMBERS = ["full", "given", "born", *(where for where in WHOLE.values() if isinstance(where, str) and where != "id")]


@given(st.dictionaries(st.sampled_from(MEMBERS), json_values))
def test_whatever_a_record_holds(members: dict[str, JsonValue]) -> None:
    """Any JSON at all gives changes that a page can carry, and never another error."""
    records = mapper().records({"id": "1", **members})
    body = raw_body(raw_records(map(told, records)))
    assert len(load_raw(body.content)) == len(records)


VALUES = TEXTS | st.lists(TEXTS, max_size=3) | st.integers(-1, 101) | st.booleans()


def item(main: str, *others: str) -> st.SearchStrategy[Mapping[str, object]]:
    """An object with the member that it needs, and perhaps others."""
    return st.fixed_dictionaries({main: TEXTS}, optional=dict.fromkeys(others, VALUES))


ITEMS = {
    "emails": item("address", "contexts", "type", "pref", "label"),
    "phones": item("number", "extension", "contexts", "features", "type", "pref", "label"),
    "organizations": item("name", "units"),
    "titles": item("name", "kind"),
    "addresses": item("street", "locality", "country_code", "full", "contexts", "type"),
    "online_services": item("uri", "service", "user"),
    "links": item("uri", "label"),
    "nicknames": item("name", "unknown"),
    "notes": item("note", "unknown"),
    "keywords": TEXTS,
    "kind": TEXTS,
    "full": TEXTS,
    "given": TEXTS,
    "born": TEXTS,
}
LIKELY = st.fixed_dictionaries({}, optional={name: each | st.lists(each | TEXTS) for name, each in ITEMS.items()})
MAPPINGS: list[dict[str, object]] = [
    WHOLE,
    {
        **WHOLE,
        "emails": "[full, emails[0], given]",
        "phones": "phones[].{number: number || address, type: type}",
        "organizations": "{name: organizations || full, units: units}",
        "titles": "titles[*].name",
        "notes": "notes[?note].note | [0]",
        "kind": "kind || type",
    },
]


@given(LIKELY | st.dictionaries(st.sampled_from(MEMBERS), json_values), st.sampled_from(MAPPINGS))
@example({"emails": {"address": "a@b.example", "type": "work", "contexts": "home"}}, WHOLE)
@example({"phones": [{"number": "1", "type": ["cell", "home"], "features": "fax"}, {"number": "", "type": 1}]}, WHOLE)
@example({"links": {"uri": "x:y", "unknown": "Ada"}}, WHOLE)
@example({"emails": {"address": "a@b.example", "adress": "Ada"}}, WHOLE)
def test_the_mapper_answers_as_the_plain_way_does(members: dict[str, JsonValue], table: dict[str, object]) -> None:
    """Library and models, value by value, find the same contact, byte by byte, or the same fault."""
    assert _mapped(table, members) == _plainly(table, members)


def _mapped(table: dict[str, object], members: Mapping[str, JsonValue]) -> bytes | QuarantineReason:
    """What the mapper makes of the properties alone."""
    change = read({**members, "id": "1"}, **{**table, **dict.fromkeys(HEAD)})
    assert isinstance(change, Changed | Unreadable)
    return change.content if isinstance(change, Changed) else change.reason


def _plainly(table: dict[str, object], members: dict[str, JsonValue]) -> bytes | QuarantineReason:
    try:
        return written(plain_contact(table, members))
    except UnreadableContact as error:
        return error.reason
    except (NotEvaluable, JMESPathError):
        return QuarantineReason.INVALID


@pytest.mark.parametrize("seed", range(3))
def test_contacts_of_the_world_are_written_as_the_models_write_them(seed: int) -> None:
    """Names, addresses and notes of many scripts come out of the mapper as they went in."""
    table = {**WHOLE, "name": {"full": "name.full", "given": "name.components[?kind=='given'] | [0].value"}}
    for person in made_up_contacts(200, seed):
        raw: dict[str, JsonValue] = json.loads(person.model_dump_json(exclude={"phones": {"__all__": {"e164"}}}))
        assert _mapped(table, raw) == written(plain_contact(table, raw))
