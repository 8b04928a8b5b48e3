"""The plain way to map a record: the library for each expression, a model for each value. The mapper must equal it."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, TypeVar, get_args

import jmespath
from pydantic import JsonValue

from contactsync.activities.contacts.contact import (
    Address,
    Anniversary,
    Contact,
    EmailAddress,
    Link,
    Name,
    NameComponent,
    Nickname,
    Note,
    OnlineService,
    Organization,
    Phone,
    Title,
)
from contactsync.activities.contacts.dates import normal_date
from contactsync.activities.contacts.limits import MAX_MEMBERS, MAX_READ_CHARS, MAX_VALUES
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.sources.rest_expressions import NotEvaluable, is_object
from contactsync.activities.sources.rest_records import MAX_ID_CHARS

Item = TypeVar("Item")
Object = Mapping[str, JsonValue]

_NAME_PARTS: Final = ("title", "given", "given2", "surname", "surname2", "generation", "credential")
_DATES: Final = ("birth", "death", "wedding")
_KINDS: Final = frozenset[str](get_args(Contact.model_fields["kind"].annotation))

_CONTEXTS: Final = {
    "private": "private",
    "home": "private",
    "personal": "private",
    "work": "work",
    "business": "work",
    "office": "work",
}
_FEATURES: Final = {
    "mobile": "mobile",
    "cell": "mobile",
    "voice": "voice",
    "fax": "fax",
    "pager": "pager",
    "text": "text",
    "textphone": "textphone",
    "video": "video",
    "main": "main-number",
    "main-number": "main-number",
}


def plain_contact(table: dict[str, object], raw: JsonValue) -> Contact:
    """The contact that the expressions of a [fields] find in a record.

    Raises:
        NotEvaluable, UnreadableContact: as `Mapper.content`.
    """
    uid = text_of(_found(table, "uid", raw))[:MAX_ID_CHARS]
    kind = text_of(_found(table, "kind", raw)).lower()
    members: dict[str, object] = {"uid": uid, "kind": kind if kind in _KINDS else "individual"}
    members["name"] = _name(table, raw)
    for name in ("nicknames", "organizations", "titles", "emails", "phones", "addresses", "online_services", "links"):
        members[name] = _LISTS[name](_found(table, name, raw))
    members["anniversaries"] = _anniversaries(table, raw)
    for name in ("notes", "keywords", "members"):
        members[name] = _LISTS[name](_found(table, name, raw))
    return Contact.model_validate(members)


def _found(table: object, name: str, raw: JsonValue) -> JsonValue:
    text = table.get(name) if is_object(table) else None
    return jmespath.search(text, raw) if isinstance(text, str) else None


def _name(table: dict[str, object], raw: JsonValue) -> Name | None:
    full = text_of(_found(table.get("name"), "full", raw))
    texts = {part: text_of(_found(table.get("name"), part, raw)) for part in _NAME_PARTS}
    components = [NameComponent.model_validate({"kind": kind, "value": text}) for kind, text in texts.items() if text]
    return Name(full=full, components=tuple(components)) if full or components else None


def _anniversaries(table: dict[str, object], raw: JsonValue) -> list[Anniversary]:
    texts = {kind: text_of(_found(table.get("anniversaries"), kind, raw)) for kind in _DATES}
    dates = {kind: date for kind, text in texts.items() if (date := normal_date(text))}
    return [Anniversary.model_validate({"kind": kind, "date": date}) for kind, date in dates.items()]


def text_of(value: JsonValue) -> str:
    """A text or number as text; empty for null.

    Raises:
        NotEvaluable: it is neither.
    """
    match value:
        case None:
            return ""
        case str():
            # half of a surrogate pair is no character, and no database takes it
            return value[:MAX_READ_CHARS].encode("utf-8", "replace").decode()
        case bool():
            raise NotEvaluable
        case int():
            return _digits(value)
        case float() if math.isfinite(value):
            return _digits(int(value)) if value.is_integer() else repr(value)
        case _:
            raise NotEvaluable


def _digits(number: int) -> str:
    if number.bit_length() > 64:
        raise NotEvaluable
    return str(number)


def items_of(value: JsonValue, at_most: int = MAX_VALUES) -> list[JsonValue]:
    """One value or a list of them, without nulls and empty texts.

    Raises:
        UnreadableContact: there are too many.
    """
    listed = value if isinstance(value, list) else [value]
    items: list[JsonValue] = [item for item in listed if item is not None and item not in ("", [], {})]
    if len(items) > at_most:
        raise UnreadableContact(QuarantineReason.TOO_MANY_VALUES)
    return items


def texts_of(value: JsonValue, at_most: int = MAX_VALUES) -> tuple[str, ...]:
    """Texts, one or a list.

    Raises:
        NotEvaluable, UnreadableContact.
    """
    return tuple(text for item in items_of(value, at_most) if (text := text_of(item)))


def emails_of(value: JsonValue) -> tuple[EmailAddress, ...]:
    """E-mail addresses: text, or `address` with `contexts`, `type`, `pref`, `label`."""
    return _made(value, _email)


def phones_of(value: JsonValue) -> tuple[Phone, ...]:
    """Phones: text, or `number` with `extension`, `contexts`, `features`, `type`, `pref`, `label`."""
    return _made(value, _phone)


def organizations_of(value: JsonValue) -> tuple[Organization, ...]:
    """Organizations: text, or `name` with `units`."""
    return _made(value, _organization)


def titles_of(value: JsonValue) -> tuple[Title, ...]:
    """Titles: text, or `name` with `kind` (`title`, `role`)."""
    return _made(value, _title)


def addresses_of(value: JsonValue) -> tuple[Address, ...]:
    """Addresses: text, or `street`, `locality`, `region`, `postcode`, `country`, `country_code`, `full`, `type`."""
    return _made(value, _address)


def services_of(value: JsonValue) -> tuple[OnlineService, ...]:
    """Online services: text, or `service`, `uri`, `user`."""
    return _made(value, _service)


def links_of(value: JsonValue) -> tuple[Link, ...]:
    """Links: text, or `uri` with `label`."""
    return _made(value, _link)


def nicknames_of(value: JsonValue) -> tuple[Nickname, ...]:
    """Nicknames: text, or `name`."""
    return _made(value, lambda item: _if(_main(item, "name"), lambda name: Nickname(name=name)))


def notes_of(value: JsonValue) -> tuple[Note, ...]:
    """Notes: text, or `note`."""
    return _made(value, lambda item: _if(_main(item, "note"), lambda note: Note(note=note)))


def _made(value: JsonValue, make: Callable[[JsonValue], Item | None]) -> tuple[Item, ...]:
    return tuple(made for item in items_of(value) if (made := make(item)) is not None)


def _if(text: str, make: Callable[[str], Item]) -> Item | None:
    return make(text) if text else None


def _main(item: JsonValue, name: str) -> str:
    """The text itself, or the member that an object must have; it may be empty."""
    if not isinstance(item, dict):
        return text_of(item)
    if name not in item:
        raise NotEvaluable
    return text_of(item[name])


def _rest(item: JsonValue, *known: str) -> Object:
    """An object's members, all of which must be known: a misspelt one would be lost in silence."""
    if not isinstance(item, dict):
        return {}
    if not set(item) <= set(known):
        raise NotEvaluable
    return item


def _email(item: JsonValue) -> EmailAddress | None:
    more = _rest(item, "address", "contexts", "type", "pref", "label")
    address = _main(item, "address")
    if not address:
        return None
    return EmailAddress(
        address=address, contexts=_contexts(more), pref=_pref(more.get("pref")), label=text_of(more.get("label"))
    )


def _phone(item: JsonValue) -> Phone | None:
    more = _rest(item, "number", "extension", "contexts", "features", "type", "pref", "label")
    number = _main(item, "number")
    if not number:
        return None
    return Phone(
        number=number,
        extension=text_of(more.get("extension")),
        features=_words(_FEATURES, more, "features", "type"),
        contexts=_contexts(more),
        pref=_pref(more.get("pref")),
        label=text_of(more.get("label")),
    )


def _organization(item: JsonValue) -> Organization | None:
    more = _rest(item, "name", "units")
    name, units = _main(item, "name"), texts_of(more.get("units"))
    return Organization(name=name, units=units) if name or units else None


def _title(item: JsonValue) -> Title | None:
    more = _rest(item, "name", "kind")
    kind: Literal["title", "role"] = "role" if text_of(more.get("kind")).lower() == "role" else "title"
    return _if(_main(item, "name"), lambda name: Title(name=name, kind=kind))


_PLACES: Final = ("street", "locality", "region", "postcode", "country", "country_code", "full")


def _address(item: JsonValue) -> Address | None:
    if not isinstance(item, dict):
        return _if(text_of(item), lambda full: Address(full=full))
    more = _rest(item, *_PLACES, "contexts", "type")
    if not set(more) & set(_PLACES):
        raise NotEvaluable
    places = {name: _lines(more.get(name)) for name in _PLACES}
    return Address(**places, contexts=_contexts(more)) if any(places.values()) else None


def _lines(value: JsonValue) -> str:
    return "\n".join(texts_of(value)) if isinstance(value, list) else text_of(value)


def _service(item: JsonValue) -> OnlineService | None:
    if not isinstance(item, dict):
        text = text_of(item)
        return _if(text, lambda text: OnlineService(uri=text) if ":" in text else OnlineService(user=text))
    more = _rest(item, "service", "uri", "user")
    if not {"uri", "user"} & set(more):
        raise NotEvaluable
    uri, user = text_of(more.get("uri")), text_of(more.get("user"))
    return OnlineService(service=text_of(more.get("service")), uri=uri, user=user) if uri or user else None


def _link(item: JsonValue) -> Link | None:
    more = _rest(item, "uri", "label")
    return _if(_main(item, "uri"), lambda uri: Link(uri=uri, label=text_of(more.get("label"))))


def _contexts(more: Object) -> tuple[str, ...]:
    return _words(_CONTEXTS, more, "contexts", "type")


def _words(known: Mapping[str, str], more: Object, *names: str) -> tuple[str, ...]:
    """The words that are known, each once; a provider's other types say nothing here."""
    given: Iterable[str] = (text for name in names for text in texts_of(more.get(name)))
    return tuple(dict.fromkeys(known[word] for text in given if (word := text.strip().lower()) in known))


def _pref(value: JsonValue) -> int | None:
    if value is True:
        return 1
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 1 <= value <= 100 else None


_LISTS: Final[Mapping[str, Callable[[JsonValue], object]]] = {
    "nicknames": nicknames_of,
    "organizations": organizations_of,
    "titles": titles_of,
    "emails": emails_of,
    "phones": phones_of,
    "addresses": addresses_of,
    "online_services": services_of,
    "links": links_of,
    "notes": notes_of,
    "keywords": texts_of,
    "members": lambda value: texts_of(value, MAX_MEMBERS),
}
