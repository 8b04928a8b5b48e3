"""The sample CardDAV server."""

import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from contactsync.errors import SettingsError
from contactsync.workers.embedded import carddav
from contactsync.workers.embedded.carddav import CardDavServer, Delete, Edit, Move, Put
from contactsync.workers.embedded.folders import temporary_folder

SYNC = (
    '<d:sync-collection xmlns:d="DAV:"><d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level>'
    "<d:prop><d:getetag/></d:prop></d:sync-collection>"
)
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:Wilhelmina {uid}\r\nN:{uid};Wilhelmina;;;\r\nEND:VCARD\r\n"


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[CardDavServer]:
    """A running server with two users."""
    with temporary_folder(in_memory=True) as folder:
        running = await CardDavServer.start(folder / "carddav", ["anna", "bela"])
        yield running
        await running.stop()


def _client(server: CardDavServer, user: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=server.book_url(user), auth=(user, server.password(user)), trust_env=False, timeout=60
    )


async def _sync(http: httpx.AsyncClient, token: str = "") -> tuple[str, dict[str, bool]]:
    """The new token, and for each card that changed since the old one whether it is there."""
    answer = await http.request("REPORT", "", content=SYNC.format(token=token))
    assert answer.status_code == 207, answer.status_code
    responses = re.findall(r"<response><href>[^<]*/([^<]*)</href>(.*?)</response>", answer.text)
    [new] = re.findall(r"<sync-token>(.*?)</sync-token>", answer.text)
    return new, {href: "HTTP/1.1 404" not in rest for href, rest in responses}


def _put(number: int) -> Edit:
    return Put(f"{number}.vcf", CARD.format(uid=f"uid-{number}"))


async def test_clients_see_edits(server: CardDavServer) -> None:
    """Each edit is what an incremental sync of a CardDAV client finds, and nothing more."""
    await server.apply("anna", [_put(number) for number in range(1000)])
    async with _client(server, "anna") as http:
        token, cards = await _sync(http)
        assert len(cards) == 1000
        assert all(cards.values())
        await server.apply("anna", [Delete("1.vcf"), Move("2.vcf", "new.vcf"), Put("3.vcf", CARD.format(uid="other"))])
        token, cards = await _sync(http, token)
        assert cards == {"1.vcf": False, "2.vcf": False, "new.vcf": True, "3.vcf": True}
        assert "Wilhelmina other" in (await http.get("3.vcf")).text
        _, cards = await _sync(http, token)
        assert cards == {}


async def test_users_are_apart(server: CardDavServer) -> None:
    """A wrong password is refused, and so is another's address book."""
    async with _client(server, "bela") as http:
        assert (await http.request("PROPFIND", "")).status_code == 207
        assert (await http.request("PROPFIND", server.book_url("anna"))).status_code == 403
        assert (await http.request("PROPFIND", "", auth=("bela", "guessed"))).status_code == 401


async def test_discovery_finds_the_book(server: CardDavServer) -> None:
    """From the server's address a client is led on, as RFC 6764 says."""
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{server.url}.well-known/carddav")
    assert answer.status_code in (301, 302, 307, 308)


async def test_no_card_reaches_the_log(server: CardDavServer) -> None:
    """A card that the server cannot read is refused, and not quoted in its log."""
    async with _client(server, "bela") as http:
        answer = await http.put("broken.vcf", content="BEGIN:VCARD\r\nFN;;;Wilhelmina Planted\r\n")
    assert answer.status_code == 400
    assert "Planted" not in server.log.read_text()


async def test_strange_file_names_are_refused(server: CardDavServer) -> None:
    """A name that would leave the book, or that Radicale passes over, is an error of the caller."""
    for href in ("../x.vcf", ".hidden", "draft~", ""):
        with pytest.raises(ValueError, match="passes over"):
            await server.apply("anna", [Put(href, "")])


async def test_a_killed_server_starts_again_with_its_cards() -> None:
    """After kill -9 the same cards, passwords and sync tokens are there."""
    with temporary_folder(in_memory=True) as folder:
        first = await CardDavServer.start(folder / "carddav", ["anna"])
        await first.apply("anna", [_put(1)])
        async with _client(first, "anna") as http:
            token, _ = await _sync(http)
        os.kill(first.child.pid, signal.SIGKILL)
        await first.stop()
        second = await CardDavServer.start(folder / "carddav", ["anna"])
        async with _client(second, "anna") as http:
            _, cards = await _sync(http, token)
        assert cards == {}
        await second.stop()


async def test_a_taken_port_is_told(server: CardDavServer, tmp_path: Path) -> None:
    """A port that was asked for and is taken is told in a sentence."""
    with pytest.raises(SettingsError, match=f"port {server.port} is taken"):
        await CardDavServer.start(tmp_path, [], port=server.port)


async def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the package the sentence says how to install it."""

    def find_nothing(name: str) -> None:
        assert name == "radicale"

    monkeypatch.setattr(carddav.importlib.util, "find_spec", find_nothing)
    with pytest.raises(SettingsError, match=r"pip install 'contactsync\[embedded\]'"):
        await CardDavServer.start(tmp_path, [])
