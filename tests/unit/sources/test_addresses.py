"""Where a source may be: nothing that a tenant types leads into the platform's own networks."""

import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from tests.dav.scripted import Scripted, answer, scripted

from contactsync.activities.sources import addresses as module
from contactsync.activities.sources.addresses import ANY_LOOPBACK, AddressRules, resolved
from contactsync.activities.sources.transport import Answer, Endpoint, open_transport
from contactsync.errors import AddressForbidden, SettingsError, SourceAddressWrong, SourceUnavailable

STRICT = AddressRules()

FORBIDDEN = [
    "0.0.0.0",  # noqa: S104  # nothing is bound
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "17.248.1.1", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_addresses_that_lead_inside(address: str) -> None:
    """Private, loopback, link-local, metadata, multicast, reserved and embedding addresses are refused."""
    assert not STRICT.allow(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    """Addresses of the Internet are not."""
    assert STRICT.allow(address)


@pytest.mark.parametrize("text", ["", "example.com", "1.2.3", "127.1", "0x7f000001", "8.8.8.8/32", " 8.8.8.8"])
def test_what_is_no_address(text: str) -> None:
    """What is not one address, written out in full, is not allowed."""
    assert not AddressRules(("0.0.0.0/0", "::/0")).allow(text)


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_never_more_than_what_python_calls_global(address: IPv4Address | IPv6Address) -> None:
    """What is allowed is global and no multicast by Python's own tables as well."""
    if STRICT.allow(str(address)):
        assert address.is_global
        assert not address.is_multicast


def test_allowed_networks() -> None:
    """A network of the setting is reached, and nothing beside it; an address inside another needs its own leave."""
    rules = AddressRules(("10.20.0.0/16", "fd00:1::/64", "64:ff9b::/96"))
    assert rules.allow("10.20.3.4")
    assert not rules.allow("10.21.0.1")
    assert rules.allow("fd00:1::5")
    assert not rules.allow("fd00:2::5")
    assert rules.allow("64:ff9b::8.8.8.8")
    assert rules.allow("64:ff9b::10.20.0.1")
    assert not rules.allow("64:ff9b::127.0.0.1")
    assert not rules.allow("::ffff:10.20.0.1")
    assert not AddressRules(("::ffff:0:0/96",)).allow("::ffff:127.0.0.1")
    assert not AddressRules(("2002::/16",)).allow("2002:7f00:1::1")


@pytest.mark.parametrize("network", ["10.0.0.1/8", "intranet", "10.0.0.0/33", "10.0.0.0/8/8"])
def test_networks_that_are_none(network: str) -> None:
    """A setting that is no network is a problem of the settings, not a hole."""
    with pytest.raises(SettingsError):
        AddressRules((network,)).allow("10.0.0.1")


Answers = dict[str, Sequence[Sequence[str]]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Names and what they resolve to, look-up by look-up; the last answer stays. What is not in it is not known."""
    known: Answers = {}
    asked: dict[str, int] = {}

    async def look_up(host: str, port: int) -> tuple[str, ...]:
        answers = known.get(host)
        if answers is None:
            return await really(host, port)
        asked[host] = asked.get(host, -1) + 1
        return tuple(answers[min(asked[host], len(answers) - 1)])

    really = module._look_up  # pyright: ignore[reportPrivateUsage]  # the one place where names are looked up
    monkeypatch.setattr(module, "_look_up", look_up)
    return known


async def get(url: str, rules: AddressRules = ANY_LOOPBACK, *, ca_file: str = "", times: int = 1) -> Answer:
    """So many GETs through one transport; the last answer."""
    endpoint = Endpoint(url=url, addresses=rules, ca_file=ca_file, trusted_hosts=(".example",))
    async with open_transport(endpoint) as transport:
        for _ in range(times - 1):
            await transport.request("GET", url)
        return await transport.request("GET", url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "0"])
async def test_forbidden_however_it_is_written(host: str) -> None:
    """An address inside is refused in every form that a resolver takes, and nobody is connected to."""
    async with scripted(answer(200, b"inside")) as server:
        with pytest.raises((AddressForbidden, SourceUnavailable, SourceAddressWrong)) as caught:
            await get(f"http://{host}:{server.port}/", STRICT)
        assert server.heads == []
    if host in ("127.0.0.1", "localhost", "[::1]"):
        assert caught.type is AddressForbidden
        assert host not in str(caught.value)


async def test_one_forbidden_address_is_enough(names: Answers) -> None:
    """Where a name resolves to a public and a private address, none is used."""
    names["both.example"] = [("8.8.8.8", "10.0.0.1")]
    names["other.example"] = [("2606:4700::1111", "::1")]
    for host in names:
        with pytest.raises(AddressForbidden):
            await resolved(host, 80, STRICT)
    assert await resolved("both.example", 80, AddressRules(("10.0.0.0/8",))) == ("8.8.8.8", "10.0.0.1")


async def test_rebinding_leads_nowhere_else(names: Answers) -> None:
    """A name is looked up once; what it means a moment later, between the look and the connection or after it, is not
    asked."""
    names["moving.example"] = [("127.0.0.1",), ("10.255.255.1",)]
    async with scripted(answer(200, b"checked", "Connection: close")) as server:
        found = await get(f"http://moving.example:{server.port}/", times=3)
        assert (found.body, len(server.heads)) == (b"checked", 3)
        assert all(f"host: moving.example:{server.port}" in head.lower() for head in server.heads)


async def test_the_connection_goes_to_the_address_that_was_looked_at(names: Answers) -> None:
    """The name that the operating system would resolve is never given to it again."""
    names["nowhere.invalid"] = [("127.0.0.1",)]
    async with scripted(answer(200, b"checked")) as server:
        assert (await get(f"http://nowhere.invalid:{server.port}/")).body == b"checked"


async def test_redirects_are_looked_at(names: Answers) -> None:
    """A redirect to a trusted name whose address is inside leads nowhere; the name alone is no leave."""
    names["trusted.example"] = [("10.0.0.1",)]
    async with scripted(answer(302, b"", "Location: https://trusted.example/")) as server:
        with pytest.raises(AddressForbidden) as caught:
            await get(server.url)
        assert len(server.heads) == 1
    assert "trusted" not in str(caught.value)


async def test_the_next_address_is_tried(names: Answers) -> None:
    """Where the first address takes no connection the next one does, and it is kept for the requests after it."""
    async with scripted(answer(200, b"second")) as server:
        names["two.example"] = [("127.0.0.2", "127.0.0.1")]
        assert (await get(f"http://two.example:{server.port}/", times=2)).body == b"second"


async def test_nobody_takes_the_connection(names: Answers) -> None:
    """Where none of the addresses does, the source does not answer."""
    async with scripted(b"") as server:
        url = f"http://two.example:{server.port}/"
    names["two.example"] = [("127.0.0.2", "127.0.0.1")]
    with pytest.raises(SourceUnavailable):
        await get(url)


async def test_names_that_lead_nowhere() -> None:
    """A name that nobody knows is a source that does not answer; one that can be none is a wrong address."""
    with pytest.raises(SourceUnavailable):
        await resolved("no-such-host.invalid", 80, STRICT)
    with pytest.raises(SourceAddressWrong):
        await resolved("a" * 70 + ".example", 80, STRICT)


@asynccontextmanager
async def over_tls(authority: trustme.CA, *hosts: str) -> AsyncGenerator[tuple[Scripted, list[str | None]]]:
    """A server with a certificate for these hosts, and the names that clients asked it for (SNI)."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*hosts).configure_cert(context)
    asked: list[str | None] = []

    def note(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        asked.append(name)

    context.sni_callback = note  # pyright: ignore[reportAttributeAccessIssue]
    async with scripted(answer(200, b"sealed"), context, stays=True) as server:
        yield server, asked


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who vouches for the servers."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """The same as a file."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


async def test_the_certificate_is_the_name_s(names: Answers, authority: trustme.CA, ca_file: str) -> None:
    """Over TLS the server is asked for the URL's name and its certificate is checked against it, not the address."""
    names["sealed.example"] = names["other.example"] = [("127.0.0.1",)]
    async with over_tls(authority, "sealed.example") as (server, asked):
        found = await get(f"https://sealed.example:{server.port}/", ca_file=ca_file)
        assert (found.body, asked) == (b"sealed", ["sealed.example"])
        with pytest.raises(SourceUnavailable, match="certificate"):
            await get(f"https://other.example:{server.port}/", ca_file=ca_file)
        with pytest.raises(SourceUnavailable, match="certificate"):
            await get(f"https://127.0.0.1:{server.port}/", ca_file=ca_file)
        assert len(server.heads) == 1


async def test_the_certificate_of_an_address(authority: trustme.CA, ca_file: str) -> None:
    """A URL with an address for a host is checked against the certificate's addresses."""
    async with over_tls(authority, "127.0.0.1") as (server, _):
        assert (await get(server.url, ca_file=ca_file)).body == b"sealed"


async def test_hosts_share_no_connection(names: Answers, authority: trustme.CA, ca_file: str) -> None:
    """Two names at one address and port are two servers: a connection for one carries nothing for the other."""
    names["one.example"] = names["two.example"] = [("127.0.0.1",)]
    async with over_tls(authority, "one.example", "two.example") as (server, asked):
        one, two = (f"https://{name}.example:{server.port}/" for name in ("one", "two"))
        endpoint = Endpoint(url=one, addresses=ANY_LOOPBACK, ca_file=ca_file, trusted_hosts=(".example",))
        async with open_transport(endpoint) as transport:
            for url in (one, two, one):
                await transport.request("GET", url)
    assert asked == ["one.example", "two.example"]


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would look the name up by itself: none is used, whatever the environment says."""
    async with scripted(answer(200, b"proxied")) as proxy, scripted(answer(200, b"direct")) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert (await get(server.url)).body == b"direct"
        assert proxy.heads == []
