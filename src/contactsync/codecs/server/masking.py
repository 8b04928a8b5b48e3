"""What an operator sees of a payload: its structure, counts, ids, numbers and first letters; no person.

JSON stays JSON: keys, numbers, booleans, nulls and UUIDs stay, and every other string becomes the first letters of its
first words (`Anna Schmidt` → `A… S…`). Strings under keys on the allow-list stay if they look like codes. A framed page
shows its head and the first records of its body.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from temporalio.api.common.v1 import Payload

from contactsync.codecs.payloads import framing
from contactsync.codecs.payloads.framing import split_frame
from contactsync.errors import MessageUnreadable

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

CODES: Final = frozenset({"kind", "op", "outcome", "paused", "reason", "state", "type"})
"""Keys whose strings stay, if they look like codes."""

_RECORD_CODES: Final = frozenset({"op", "reason"})
_FAILURE: Final = {"message", "stack_trace"}
_RECORDS_SHOWN: Final = 20
_WORDS_SHOWN: Final = 3
_DEPTH: Final = 32
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z_]{0,39}")
_KEY: Final = re.compile(r"[a-z][A-Za-z0-9_]{0,39}")
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_UUID_LENGTH: Final = 36
_FIRST_WORDS: Final = re.compile(_WORDS_SHOWN * r"[\s@,;]*+(?:([^\s@,;])[^\s@,;]*+)?")
_WITHHELD: Final = "…"


def mask_payload(payload: Payload, codes: frozenset[str] = CODES) -> Payload:
    """`payload` as JSON that shows no person; payloads that hold nothing stay as they are. `codes`: the allow-list."""
    encoding = payload.metadata.get("encoding", b"").decode("ascii", "replace")
    if encoding == "binary/null":
        return payload
    if encoding == framing.ENCODING:
        return _as_json(_masked_frame(payload.data, codes))
    return _as_json(_masked_data(encoding, payload.data, codes))


def whole_payload(payload: Payload) -> Payload:
    """`payload` as it is; a framed page, which nobody else can read, as JSON with all of its records."""
    if payload.metadata.get("encoding") != framing.ENCODING.encode():
        return payload
    try:
        head, body = split_frame(payload.data)
    except MessageUnreadable:
        return payload
    return _as_json({"head": _parsed(head), "body": {"bytes": len(body), "records": _parsed(body)}})


def _as_json(value: Json) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value, ensure_ascii=False).encode())


def mask(value: Json, codes: frozenset[str] = CODES, *, depth: int = _DEPTH) -> Json:
    """`value` with its strings masked; below `depth` levels everything is withheld."""
    return _Masking(codes).value(value, depth)


def first_letters(text: str) -> str:
    """The first letters of the first words; what begins with no letter shows nothing."""
    return _shown(_beginnings(text))


def _beginnings(text: str) -> tuple[str, ...]:
    """The first characters of the first words; empty ones where there are fewer."""
    words = _FIRST_WORDS.match(text)
    return words.groups("") if words else ()


def _shown(beginnings: tuple[str, ...]) -> str:
    return " ".join([(each if each.isalpha() else "") + _WITHHELD for each in beginnings if each])


@dataclass(frozen=True, slots=True)
class _Masking:
    """Masks one value. `keys`, `texts`: how the keys and beginnings that were met are shown, since a page repeats a few
    hundreds of times."""

    codes: frozenset[str]
    keys: dict[str, str] = field(default_factory=dict[str, str])
    texts: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])

    def value(self, value: Json, depth: int) -> Json:
        """See `mask`."""
        if isinstance(value, str):
            return self._text(value, depth)
        if isinstance(value, dict):
            return self._object(value, depth) if depth else _WITHHELD
        if isinstance(value, list):
            return [self.value(item, depth - 1) for item in value] if depth else _WITHHELD
        return value

    def _object(self, value: Mapping[str, Json], depth: int) -> Json:
        if len(value) == len(_FAILURE) and set(value) == _FAILURE:  # an error's, which holds no person's value
            return dict(value)
        return {
            self.keys.get(key) or self._key(key): inner
            if key in self.codes and _is_code(inner)
            else self.value(inner, depth - 1)
            for key, inner in value.items()
        }

    def _key(self, key: str) -> str:
        shown = self.keys[key] = key if _KEY.fullmatch(key) else first_letters(key)
        return shown

    def _text(self, text: str, depth: int) -> Json:
        if len(text) == _UUID_LENGTH and _UUID.fullmatch(text):
            return text
        if text.startswith(("{", "[")):  # JSON as text inside JSON, as in a clean page's records
            inner = _parsed(text)
            if isinstance(inner, dict | list):
                return self.value(inner, depth - 1)
        beginnings = _beginnings(text)
        shown = self.texts.get(beginnings)
        if shown is None:
            shown = self.texts[beginnings] = _shown(beginnings)
        return shown


def _is_code(value: Json) -> bool:
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def _masked_frame(data: bytes, codes: frozenset[str]) -> Json:
    try:
        head, body = split_frame(data)
    except MessageUnreadable:
        return {"bytes": len(data)}
    return {"head": mask(_parsed(head), codes), "body": _masked_body(body, codes)}


def _masked_body(body: bytes, codes: frozenset[str]) -> Json:
    records = _parsed(body)
    if not isinstance(records, list):
        return {"bytes": len(body)}
    shown = [mask(record, codes & _RECORD_CODES) for record in records[:_RECORDS_SHOWN]]
    return {"bytes": len(body), "records": len(records), "first": shown}


def _masked_data(encoding: str, data: bytes, codes: frozenset[str]) -> Json:
    if encoding in {"json/plain", "json/protobuf"}:
        parsed = _parsed(data)
        return _WITHHELD if parsed is None and data != b"null" else mask(parsed, codes)
    return {"bytes": len(data)}


def _parsed(text: str | bytes) -> Json:
    """The JSON value; None for what is none."""
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value
