"""What a REST source's expressions answer, as members of the canonical contact's JSON: typed and bounded, item by item.

An item is a text, or an object whose members are named as in `contact.py`. A value of another shape is a mistake of the
mapping or of the source: it makes the record unreadable, and is never passed over. What is at its default is left out,
and members are in the order of `contact.py`, as `contact.written` has them; no model stands between (a test compares).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from contactsync.activities.contacts.limits import MAX_READ_CHARS, MAX_VALUES
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.sources.rest_expressions import NotEvaluable

Object = Mapping[str, JsonValue]
Made = dict[str, JsonValue] | None
"""An item of the contact's JSON; None: it says nothing."""

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


def text_of(value: JsonValue) -> str:
    """A text or number as text; empty for null.

    Raises:
        NotEvaluable: it is neither.
    """
    if isinstance(value, str):
        # printable: half of a surrogate pair is not
        is_storable = (value.isascii() or value.isprintable()) and len(value) <= MAX_READ_CHARS
        return value if is_storable else _storable(value)
    match value:
        case None:
            return ""
        case bool():
            raise NotEvaluable
        case int():
            return _digits(value)
        case float() if math.isfinite(value):
            return _digits(int(value)) if value.is_integer() else repr(value)
        case _:
            raise NotEvaluable


def _storable(text: str) -> str:
    # half of a surrogate pair is no character, and no database takes it
    return text[:MAX_READ_CHARS].encode("utf-8", "replace").decode()


def _digits(number: int) -> str:
    if number.bit_length() > 64:
        raise NotEvaluable
    return str(number)


def items_of(value: JsonValue, at_most: int = MAX_VALUES) -> list[JsonValue]:
    """One value or a list of them, without nulls and empty texts.

    Raises:
        UnreadableContact: there are too many.
    """
    if not isinstance(value, list):
        return [value] if value or isinstance(value, int | float) else []
    items: list[JsonValue] = [item for item in value if item or isinstance(item, int | float)]
    if len(items) > at_most:
        raise UnreadableContact(QuarantineReason.TOO_MANY_VALUES)
    return items


def texts_of(value: JsonValue, at_most: int = MAX_VALUES) -> list[JsonValue]:
    """Texts, one or a list.

    Raises:
        NotEvaluable, UnreadableContact.
    """
    return [text for item in items_of(value, at_most) if (text := text_of(item))]


def listed(make: Callable[[JsonValue], Made]) -> Callable[[JsonValue], JsonValue]:
    """What `make` makes of one value, or of each of a list.

    The function raises NotEvaluable and UnreadableContact.
    """

    def made_of(value: JsonValue) -> JsonValue:
        if isinstance(value, list):
            return [made for item in items_of(value) if (made := make(item)) is not None]
        return [made] if (value or value == 0) and (made := make(value)) else None

    return made_of


def email(item: JsonValue) -> Made:
    """An e-mail address: text, or `address` with `contexts`, `type`, `pref`, `label`."""
    if not isinstance(item, dict):
        return _named("address", item)
    return _typed(item, "address", _EMAIL_TYPES) or _whole_email(item)


def _whole_email(item: Object) -> Made:
    made = _main(item, "address", _EMAIL)
    if made:
        _add(made, "contexts", _words(_CONTEXTS, item, _CONTEXT_NAMES))
        _add(made, "pref", _pref(item.get("pref")))
        _add(made, "label", text_of(item.get("label")))
    return made


def phone(item: JsonValue) -> Made:
    """A phone: text, or `number` with `extension`, `contexts`, `features`, `type`, `pref`, `label`."""
    if not isinstance(item, dict):
        return _named("number", item)
    return _typed(item, "number", _PHONE_TYPES) or _whole_phone(item)


def _whole_phone(item: Object) -> Made:
    made = _main(item, "number", _PHONE)
    if made:
        _add(made, "extension", text_of(item.get("extension")))
        _add(made, "features", _words(_FEATURES, item, _FEATURE_NAMES))
        _add(made, "contexts", _words(_CONTEXTS, item, _CONTEXT_NAMES))
        _add(made, "pref", _pref(item.get("pref")))
        _add(made, "label", text_of(item.get("label")))
    return made


def organization(item: JsonValue) -> Made:
    """An organization: text, or `name` with `units`."""
    if not isinstance(item, dict):
        return _named("name", item)
    made = _main(item, "name", _ORGANIZATION) or {}
    _add(made, "units", texts_of(item.get("units")))
    return made or None


def title(item: JsonValue) -> Made:
    """A title: text, or `name` with `kind` (`title`, `role`)."""
    if not isinstance(item, dict):
        return _named("name", item)
    made = _main(item, "name", _TITLE)
    if text_of(item.get("kind")).lower() == "role" and made:
        made["kind"] = "role"
    return made


def address(item: JsonValue) -> Made:
    """An address: text, or `street`, `locality`, `region`, `postcode`, `country`, `country_code`, `full`, `type`."""
    if not isinstance(item, dict):
        return _named("full", item)
    made: dict[str, JsonValue] = {}
    for name in _PLACES:
        said = item.get(name)
        if said is not None and (text := text_of(said) if isinstance(said, str) else _lines(said)):
            made[name] = text
    if len(made) < len(item):  # there is more
        _require_known(item, _ADDRESS)
        if item.keys().isdisjoint(_PLACES):
            raise NotEvaluable
        if made:
            _add(made, "contexts", _words(_CONTEXTS, item, _CONTEXT_NAMES))
    return made or None


def _lines(value: JsonValue) -> str:
    return "\n".join(map(str, texts_of(value))) if isinstance(value, list) else text_of(value)


def service(item: JsonValue) -> Made:
    """An online service: text, or `service`, `uri`, `user`."""
    if not isinstance(item, dict):
        text = text_of(item)
        return {"uri" if ":" in text else "user": text} if text else None
    _require_known(item, _SERVICE)
    if item.keys().isdisjoint(("uri", "user")):
        raise NotEvaluable
    uri, user = text_of(item.get("uri")), text_of(item.get("user"))
    if not uri and not user:
        return None
    made: dict[str, JsonValue] = {}
    _add(made, "service", text_of(item.get("service")))
    _add(made, "uri", uri)
    _add(made, "user", user)
    return made


def link(item: JsonValue) -> Made:
    """A link: text, or `uri` with `label`."""
    if not isinstance(item, dict):
        return _named("uri", item)
    made = _main(item, "uri", _LINK)
    if made:
        _add(made, "label", text_of(item.get("label")))
    return made


def nickname(item: JsonValue) -> Made:
    """A nickname: text, or `name`."""
    return _main_only(item, "name")


def note(item: JsonValue) -> Made:
    """A note: text, or `note`."""
    return _main_only(item, "note")


def _main_only(item: JsonValue, name: str) -> Made:
    """The one member; whatever else an object has is passed over."""
    if not isinstance(item, dict):
        return _named(name, item)
    if name not in item:
        raise NotEvaluable
    return _named(name, item[name])


def _named(name: str, value: JsonValue) -> Made:
    text = text_of(value)
    return {name: text} if text else None


def _main(item: Object, name: str, known: frozenset[str]) -> Made:
    """The member that an object must have; it may be empty."""
    _require_known(item, known)
    if name not in item:
        raise NotEvaluable
    return _named(name, item[name])


def _typed(item: Object, name: str, types: Mapping[str, Object]) -> Made:
    """The item that has a text and a type of the usual ones and nothing else, as nearly all do; None: it is another."""
    text, said = item.get(name), item.get("type")
    if len(item) != 2 or not text or not isinstance(text, str) or not isinstance(said, str) or said not in types:
        return None
    return {name: text_of(text), **types[said]}


def _require_known(item: Object, known: frozenset[str]) -> None:
    """All members of an object must be known: a misspelt one would be lost in silence."""
    if not known.issuperset(item):
        raise NotEvaluable


def _add(made: dict[str, JsonValue], name: str, value: JsonValue) -> None:
    """The member, unless it is empty: every default is."""
    if value:
        made[name] = value


_EMAIL_TYPES: Final[Mapping[str, Object]] = {said: {"contexts": [context]} for said, context in _CONTEXTS.items()}
_PHONE_TYPES: Final[Mapping[str, Object]] = {
    **{said: {"features": [feature]} for said, feature in _FEATURES.items()},
    **_EMAIL_TYPES,
}

_CONTEXT_NAMES: Final = ("contexts", "type")
_FEATURE_NAMES: Final = ("features", "type")
_PLACES: Final = ("street", "locality", "region", "postcode", "country", "country_code", "full")

_EMAIL: Final = frozenset({"address", "contexts", "type", "pref", "label"})
_PHONE: Final = frozenset({"number", "extension", "contexts", "features", "type", "pref", "label"})
_ORGANIZATION: Final = frozenset({"name", "units"})
_TITLE: Final = frozenset({"name", "kind"})
_ADDRESS: Final = frozenset({*_PLACES, *_CONTEXT_NAMES})
_SERVICE: Final = frozenset({"service", "uri", "user"})
_LINK: Final = frozenset({"uri", "label"})


def _words(known: Mapping[str, str], item: Object, names: Sequence[str]) -> list[JsonValue]:
    """The words that are known, each once; a provider's other types say nothing here."""
    words: list[JsonValue] = []
    for name in names:
        given = item.get(name)
        if given is None:
            continue
        for text in (given,) if isinstance(given, str) else texts_of(given):
            word = known.get(str(text).strip().lower())
            if word is not None and word not in words:
                words.append(word)
    return words


def _pref(value: JsonValue) -> int | None:
    if value is True:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 100 else None
