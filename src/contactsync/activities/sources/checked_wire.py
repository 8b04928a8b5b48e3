"""The network below the transport, with a look at each address before anything is sent to it."""

import ssl
import sys
from importlib.util import find_spec
from typing import Final, cast

import httpx

from contactsync.activities.sources.addresses import AddressRules, resolved


def know_absent(name: str) -> None:
    """Python looks for a module that is not installed at each `import` of it, unless `sys.modules` says so."""
    if name not in sys.modules and find_spec(name) is None:
        cast("dict[str, object]", sys.modules)[name] = None


know_absent("sniffio")  # httpcore tries it at each lock, several times a request
_PORTS: Final = {"http": 80, "https": 443}


class CheckedWire(httpx.AsyncBaseTransport):
    """Sends requests to addresses that the rules allow, and to no proxy.

    A host is looked up once, and from then on its requests go to what was looked at; name, certificate and `Host` stay
    those of the URL. Each host has connections of its own: one that was opened for a name is never used for another.
    """

    def __init__(self, rules: AddressRules, tls: ssl.SSLContext) -> None:
        self._rules = rules
        self._tls = tls
        self._hosts: dict[tuple[str, int], tuple[str, ...]] = {}
        self._wires: dict[tuple[str, int], httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request to the first of the host's addresses that takes the connection.

        Raises:
            AddressForbidden, SourceAddressWrong, SourceUnavailable: as `resolved`; nothing was sent.
            httpx.TransportError: as httpx's own.
        """
        host = request.url.raw_host.decode("ascii")
        port = request.url.port or _PORTS[request.url.scheme]
        place = (host, port)
        addresses = self._hosts.get(place) or await resolved(host, port, self._rules)
        wire = self._wires.setdefault(place, httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False))
        for address in addresses[:-1]:
            try:
                return await self._send(wire, request, address, place)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._send(wire, request, addresses[-1], place)

    async def _send(
        self, wire: httpx.AsyncHTTPTransport, request: httpx.Request, address: str, place: tuple[str, int]
    ) -> httpx.Response:
        there = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,  # with the Host of the URL
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": place[0]},
        )
        response = await wire.handle_async_request(there)
        self._hosts[place] = (address,)
        return response

    async def aclose(self) -> None:
        """Closes every connection."""
        for wire in self._wires.values():
            await wire.aclose()
