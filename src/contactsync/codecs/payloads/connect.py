"""The only place where a Temporal client is made, so that there is none without sealing."""

import re
from collections.abc import Collection, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.converter import ExternalStorage
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode, TLSConfig

from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.client_plugin import SealingPlugin
from contactsync.errors import TemporalError, TemporalRefused, TemporalUnavailable

_CONNECT_SECONDS: Final = 10
_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})", re.ASCII)
_NO_ADDRESS: Final = "the address of Temporal is no host:port; check it"
_AGAIN: Final = frozenset(
    {
        RPCStatusCode.ABORTED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.UNKNOWN,
    }
)
_REFUSALS: Final = ("Unauthenticated", "PermissionDenied")


async def connect(
    address: str,
    namespace: str,
    ring: KeyRing,
    *,
    tls: bool | TLSConfig = False,
    api_key: str | None = None,
    names: Collection[str] | None = None,
    storage: ExternalStorage | None = None,
) -> Client:
    """A client that seals.

    Args:
        address: `host:port` of Temporal's frontend.
        namespace: it must exist.
        ring: the keys; a client can do nothing for a tenant without them.
        tls: True for the system's certificates.
        api_key: for Temporal Cloud; it is sent over TLS only.
        names: the workflows, signals, queries and updates there are; None: any name that code could have.
        storage: where large payloads go once they are sealed.

    Raises:
        TemporalUnavailable: nothing answers there.
        TemporalRefused: the address is no `host:port`, the credentials are refused, or there is no such namespace.
    """
    if api_key is not None and not tls:
        raise TemporalRefused("an API key is only sent over TLS; turn TLS on")
    _check_address(address)
    plugin = SealingPlugin(ring, names, storage)
    client = await _connected(address, namespace, plugin, tls, api_key)
    with temporal_errors():
        await _check_namespace(client)
    return client


@contextmanager
def temporal_errors() -> Generator[None]:
    """Map what a client call raises to TemporalUnavailable and TemporalRefused, without the server's text."""
    try:
        yield
    except RPCError as error:
        raise error_of(error) from None


def _check_address(address: str) -> None:
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found[2]) < 65536:
        raise TemporalRefused(_NO_ADDRESS)


async def _connected(
    address: str, namespace: str, plugin: SealingPlugin, tls: bool | TLSConfig, api_key: str | None
) -> Client:
    try:
        return await Client.connect(
            address,
            namespace=namespace,
            tls=tls,
            api_key=api_key,
            grpc_compression=GrpcCompression.NONE,  # what is sealed gets no smaller
            plugins=[plugin],
            connect_timeout=timedelta(seconds=_CONNECT_SECONDS),
        )
    except ValueError:
        raise TemporalRefused(_NO_ADDRESS) from None
    except RuntimeError as error:  # the bridge's one class for all connection failures
        if any(refusal in str(error) for refusal in _REFUSALS):
            raise TemporalRefused("Temporal refused the credentials; renew them") from None
        raise TemporalUnavailable from None


async def _check_namespace(client: Client) -> None:
    try:
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), timeout=timedelta(seconds=_CONNECT_SECONDS)
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise TemporalRefused("Temporal has no such namespace; check its name or make it") from None
        raise


def error_of(error: RPCError) -> TemporalError:
    """What a failed call means, without the server's text."""
    if error.status in _AGAIN:
        return TemporalUnavailable()
    if error.status in {RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED}:
        return TemporalRefused("Temporal refused the credentials; renew them")
    return TemporalRefused()
