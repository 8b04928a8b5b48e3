"""The HTTP source that all contenders read, a process: `python -m benchmarks.provider CONTACTS SHAPE FOLDER`.

Answers are rendered beforehand and written as they are, so that the source costs next to nothing beside who reads it.
Writes its address to `FOLDER/url` once it listens.

`GET /contacts?cursor=N&updated_since=TIME` answers `{"contacts": […], "next": "N", "now": TIME}`, 1,000 at a time;
`GET /small/contacts` has the first page only. `POST /turn` changes one contact in a hundred and names one of them.

The contacts have the shape that is named: `lists`, with lists of e-mail addresses and phone numbers, as directories and
address books have them, or `flat`, one text for each property, as CRMs have them. The values are the same.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, cast
from urllib.parse import parse_qs, urlsplit

from contactsync.activities.contacts.made_up_names import LOCALES
from contactsync.workers.stopping import stop_requested

PAGE_ROWS: Final = 1_000
ONE_IN: Final = 100
SHAPES: Final = ("lists", "flat")
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
_COMPANIES: Final = ("Nordlicht GmbH", "Bluebird Ltd", "Fjord & Co.", "Polder BV")
_CITIES: Final = ("Köln", "Bergen", "Utrecht", "León", "Lyon")
_GIVEN: Final = tuple(name for locale in LOCALES for name in locale.given)
_SURNAMES: Final = tuple(name for locale in LOCALES for name in locale.surnames)


def email_of(number: int) -> str:
    """The e-mail address of a contact; every twentieth is written in capitals."""
    address = f"p{number}@people.example"
    return address.upper() if number % 20 == 0 else address


def phone_of(number: int, area: str) -> str:
    """A valid German number as people write them: half with +49 in one piece, some with spaces, some without +49."""
    local = f"{10**6 + number % 10**6}"
    written = number % 10
    if written < 5:
        return f"+49{area}{local}"
    return f"+49 {area} {local}" if written < 8 else f"0{area} {local}"


def values_of(number: int, version: int, shape: str) -> dict[str, object]:
    """What a contact says of a person, in one of `SHAPES`."""
    given = _GIVEN[number % len(_GIVEN)]
    family = _SURNAMES[number // len(_GIVEN) % len(_SURNAMES)] + (" " if number % 50 == 0 else "")
    email, phone, mobile = email_of(number), phone_of(number, "30"), phone_of(number, "1512")
    work: dict[str, object] = {
        "company": _COMPANIES[number % len(_COMPANIES)],
        "job_title": f"Engineer r{version}",
        "city": _CITIES[number % len(_CITIES)],
        "country": "DE",
    }
    if shape == "flat":
        return {"first_name": given, "last_name": family, "email": email, "phone": phone, "mobile": mobile, **work}
    phones = [{"number": phone, "type": "work"}, {"number": mobile, "type": "mobile"}]
    emails = [{"address": email, "type": "work"}]
    return {"name": {"given": given, "family": family}, "emails": emails, "phones": phones, **work}


class Records:
    """All contacts, and their pages ready to be sent."""

    def __init__(self, contacts: int, shape: str) -> None:
        self._shape = shape
        self._updated = [_BEGINNING + timedelta(seconds=number) for number in range(contacts)]
        self._versions = [1] * contacts
        self._rendered = [self._record(number) for number in range(contacts)]
        self._pages = _pages(self._rendered)
        self._turns = 0

    def turn(self) -> dict[str, str]:
        """Change one contact in a hundred; says how one of them is found and how it looks now."""
        now, first = datetime.now(UTC), self._turns % ONE_IN
        self._turns += 1
        for number in range(first, len(self._rendered), ONE_IN):
            self._versions[number] += 1
            self._updated[number] = now
            self._rendered[number] = self._record(number)
        self._pages = _pages(self._rendered)
        title = f"Engineer r{self._versions[first]}"
        return {"id": f"{first:09}", "email": email_of(first).lower(), "job_title": title}

    def page(self, cursor: int, since: datetime | None, *, small: bool) -> tuple[bytes, int | None]:
        """A page's contacts, and where the next one begins."""
        pages = self._pages if since is None or since <= _BEGINNING else self._changed(since)
        following = cursor + 1 if cursor + 1 < len(pages) and not small else None
        return pages[cursor], following

    def _record(self, number: int) -> bytes:
        head = {"id": f"{number:09}", "updated_at": self._updated[number].isoformat(timespec="microseconds")}
        values = values_of(number, self._versions[number], self._shape)
        return json.dumps({**head, **values}, ensure_ascii=False).encode()

    def _changed(self, since: datetime) -> Sequence[bytes]:
        return _pages([text for text, at in zip(self._rendered, self._updated, strict=True) if at >= since])


def _pages(rendered: Sequence[bytes]) -> list[bytes]:
    starts = range(0, len(rendered), PAGE_ROWS)
    return [b",".join(rendered[start : start + PAGE_ROWS]) for start in starts] or [b""]


@dataclass(frozen=True, slots=True)
class _Asked:
    method: str
    path: str
    cursor: int
    since: datetime | None

    @classmethod
    def read(cls, request: bytes) -> "_Asked":
        method, target, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        since = query.get("updated_since", [""])[0]
        return cls(
            method, parts.path, int(query.get("cursor", ["0"])[0]), datetime.fromisoformat(since) if since else None
        )


class Connection(asyncio.Protocol):
    """HTTP/1.1 for clients that send no bodies and wait for each answer."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As `Protocol`."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """As `Protocol`."""
        self._received += data
        while b"\r\n\r\n" in self._received and self._transport is not None:
            request, self._received = self._received.split(b"\r\n\r\n", 1)
            self._transport.writelines(self._answer(_Asked.read(request)))

    def _answer(self, asked: _Asked) -> tuple[bytes, ...]:
        if asked.method == "POST":
            return _answer(json.dumps(self._records.turn()).encode())
        contacts, following = self._records.page(asked.cursor, asked.since, small=asked.path.startswith("/small"))
        rest = {"next": None if following is None else str(following), "now": datetime.now(UTC).isoformat()}
        return _answer(b'{"contacts":[', contacts, b"],", json.dumps(rest).encode()[1:])


def _answer(*body: bytes) -> tuple[bytes, ...]:
    length = sum(len(each) for each in body)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    return head.encode(), *body


async def serve(contacts: int, shape: str, folder: Path) -> None:
    """Serve until the process is asked to stop."""
    records = Records(contacts, shape)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(records), "127.0.0.1", 0)
    written = folder / "url.new"
    written.write_text(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    written.rename(folder / "url")
    await stop_requested()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
