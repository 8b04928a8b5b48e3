"""From the text of one vCard to its content lines, forgiving what producers get wrong.

Nothing here knows what a property means. RFC 6350 §3 (4.0), RFC 2426 (3.0), versit vCard 2.1, RFC 6868 (parameters).
"""

import binascii
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from msgspec import Struct

from contactsync.activities.contacts.limits import MAX_CARD_BYTES, MAX_READ_CHARS
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact

_BEGIN: Final = "BEGIN:VCARD\n"
_ENDS: Final = ("\nEND:VCARD\n", "\nEND:VCARD")
_MARK: Final = re.compile(":VCARD", re.IGNORECASE)
_FOLD: Final = re.compile(r"\n[ \t]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_HEAD: Final = re.compile(r'[^":]*(?:"[^"]*"[^":]*)*:')
_PARAMETER: Final = re.compile(r'(?:[^;"]+|"[^"]*"|")+')
_CARET: Final = re.compile(r"\^([n'^])")
_CARETS: Final = {"n": "\n", "'": '"', "^": "^"}
_ESCAPE: Final = re.compile(r'\\([\\,;:"nN])')
_ESCAPE_21: Final = re.compile(r"\\([\\,;:])")
_ENCODINGS: Final = frozenset({"QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT"})

CHARSETS: Final = frozenset(
    {"utf-8", "us-ascii", "koi8-r", "koi8-u", "shift_jis", "euc-jp", "iso-2022-jp", "gb2312", "gbk", "gb18030", "big5"}
    | {"euc-kr", "utf-16", *(f"iso-8859-{n}" for n in range(1, 17) if n != 12), *(f"windows-125{n}" for n in range(9))}
)
"""The only CHARSET parameters believed: Python knows codecs by names that are no character sets."""

_GUESS: Final = "windows-1252"


class Line(Struct, frozen=True):
    """A content line. `name` and parameter names are in upper case; `value` is decoded but still escaped."""

    group: str
    name: str
    params: dict[str, list[str]]
    value: str
    version: str

    def param(self, name: str) -> str:
        """The first value of a parameter, or an empty string."""
        values = self.params.get(name)
        return values[0] if values else ""

    @property
    def types(self) -> list[str]:
        """The TYPE values, upper case; vCard 2.1's bare parameters are among them."""
        return self.params.get("TYPE", [])

    def text(self) -> str:
        """The value as one text."""
        return self._unescape(self.value)

    def parts(self, separator: str = ";") -> list[str]:
        """The value cut at separators that are not escaped, each part as text."""
        return [self._unescape(part) for part in _split(self.value, separator)]

    def components(self) -> list[list[str]]:
        """The parts, each a list as well (N of vCard 3.0 and 4.0; in 2.1 a comma is just a comma)."""
        if self.version == "2.1" or "," not in self.value:
            return [[part] for part in self.parts()]
        return [[self._unescape(item) for item in _split(part, ",")] for part in _split(self.value, ";")]

    def _unescape(self, text: str) -> str:
        if "\\" not in text:
            return text
        if self.version == "2.1":  # it has no \n: a path such as C:\new stays one
            return _ESCAPE_21.sub(r"\1", text)
        return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], text)


def lines_of(card: bytes | str, wanted: Collection[str]) -> list[Line]:
    """The lines of the one card in the text whose property name is wanted; broken lines among them are left out.

    Lines of a card inside the card (AGENT of vCard 2.1) are not the card's own and are left out.

    Raises:
        UnreadableContact: there is not exactly one whole card, or it is past `MAX_CARD_BYTES`.
    """
    if len(card) > MAX_CARD_BYTES:
        raise UnreadableContact(QuarantineReason.TOO_LARGE)
    version = "3.0"
    lines: list[Line] = []
    for logical in logical_lines(_text(card)):
        head, _, value = logical.partition(":")
        if head in wanted and value and value.isascii():  # neither group nor parameters, as most lines are
            lines.append(Line("", head, {}, value[:MAX_READ_CHARS], version))
            continue
        if (split := _split_head(logical)) is None:
            continue
        group, name, rest, value = split
        if name == "VERSION":
            version = value.strip()
        elif name in wanted and (line := _line(group, name, rest, value, version)):
            lines.append(line)
    return lines


def _text(card: bytes | str) -> str:
    if isinstance(card, str):
        return (card if card.isascii() else _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", card)).lstrip("\ufeff")
    if card.startswith((b"\xff\xfe", b"\xfe\xff")):
        return card.decode("utf-16", "replace")
    # producers fold at octets, in the middle of a character too: what is no UTF-8 yet may be once lines are unfolded
    return card.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def logical_lines(text: str) -> Iterable[str]:
    """The unfolded lines of the one card in the text. A card as nearly all are is cut in one go; a test compares."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "=\n" not in text:
        unfolded = _FOLD.sub("", text)
        if unfolded.startswith(_BEGIN) and unfolded.endswith(_ENDS) and len(_MARK.findall(unfolded)) == 2:
            return unfolded[len(_BEGIN) : unfolded.rindex("\n", 0, -1)].split("\n")
    return any_lines(text)


def any_lines(text: str) -> Iterator[str]:
    """`logical_lines`, whatever the text looks like; its lines end in newlines."""
    return _body(_unfold(text))


def _unfold(text: str) -> Iterator[str]:
    parts: list[str] = []
    for line in text.split("\n"):
        if parts and line[:1] in {" ", "\t"}:
            parts.append(line[1:])
        elif parts and parts[-1].endswith("=") and _is_soft_break(parts[0], line):
            parts[-1] = parts[-1][:-1]
            parts.append(line)
        else:
            yield "".join(parts)
            parts = [line]
    yield "".join(parts)


def _is_soft_break(first: str, following: str) -> bool:
    head = first.partition(":")[0].upper()
    return "QUOTED-PRINTABLE" in head and following.strip().upper() != "END:VCARD"


def _body(lines: Iterator[str]) -> Iterator[str]:
    depth = cards = 0
    for line in lines:
        mark = line.strip().upper() if line[:1] in "BbEe \t" else ""
        if mark == "BEGIN:VCARD":
            depth += 1
            cards += depth == 1
        elif mark == "END:VCARD":
            depth -= 1
        elif depth == 1:
            yield line
        if depth < 0 or cards > 1:
            raise UnreadableContact(QuarantineReason.UNREADABLE)
    if depth or not cards:
        raise UnreadableContact(QuarantineReason.UNREADABLE)


def _split_head(line: str) -> tuple[str, str, str, str] | None:
    """Group, name, the parameters' text and the value; None for a line without a colon."""
    head, colon, value = line.partition(":")
    if not colon:
        return None
    if '"' in head and (match := _HEAD.match(line)):
        head, value = line[: match.end() - 1], line[match.end() :]
    head, _, rest = head.partition(";")
    group, _, name = head.rpartition(".")
    return group.strip().upper(), name.strip().upper(), rest, value


def _line(group: str, name: str, rest: str, value: str, version: str) -> Line | None:
    params = _params(rest) if rest else {}
    decoded = _decode(value, params) if params or not value.isascii() else value
    return None if decoded is None else Line(group, name, params, decoded[:MAX_READ_CHARS], version)


def _params(rest: str) -> dict[str, list[str]]:
    params: dict[str, list[str]] = {}
    for parameter in _PARAMETER.findall(rest) if '"' in rest else rest.split(";"):
        name, equals, value = parameter.partition("=")
        name = name.strip().upper()
        if not equals:
            name, value = ("ENCODING" if name in _ENCODINGS else "TYPE"), name
        if name in {"TYPE", "ENCODING"}:
            values = [item.strip() for item in value.replace('"', "").upper().split(",")]
        else:
            values = [_CARET.sub(lambda match: _CARETS[match[1]], _readable(value, "").strip().strip('"'))]
        params.setdefault(name, []).extend(values)
    return params


def _decode(value: str, params: dict[str, list[str]]) -> str | None:
    charset = params["CHARSET"][0] if "CHARSET" in params else ""
    encoding = params["ENCODING"][0] if "ENCODING" in params else ""
    if encoding == "QUOTED-PRINTABLE":
        return _from_bytes(binascii.a2b_qp(value.encode("utf-8", "surrogateescape")), charset)
    if encoding in {"B", "BASE64"}:
        try:
            return _from_bytes(binascii.a2b_base64(value.encode("utf-8", "surrogateescape")), charset)
        except binascii.Error:
            return None
    return _readable(value, charset)


def _readable(value: str, charset: str) -> str:
    """Bytes that were not UTF-8 (kept as lone surrogates so far) in their own character set."""
    return (
        _from_bytes(value.encode("utf-8", "surrogateescape"), charset)
        if not value.isascii() and _SURROGATE.search(value)
        else value
    )


def _from_bytes(raw: bytes, charset: str) -> str:
    charset = charset.strip().lower()
    if charset in CHARSETS:
        return raw.decode(charset, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode(_GUESS, "replace")


def _split(value: str, separator: str) -> list[str]:
    if "\\" not in value:
        return value.split(separator)
    parts: list[str] = []
    start = 0
    for match in re.finditer(rf"\\.|{separator}", value, re.DOTALL):
        if match[0] == separator:
            parts.append(value[start : match.start()])
            start = match.end()
    return [*parts, value[start:]]
