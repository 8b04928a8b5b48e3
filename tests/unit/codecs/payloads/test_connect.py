"""Clients: the one place where they are made, and its errors."""

import ast
import traceback
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.service import RPCError, RPCStatusCode
from tests.rings import ring_of

import contactsync
from contactsync.codecs.payloads.connect import connect, temporal_errors
from contactsync.errors import TemporalRefused, TemporalUnavailable

SOURCES = Path(contactsync.__file__).parent
THE_PLACE = SOURCES / "codecs" / "payloads" / "connect.py"
HEALTH_ONLY = SOURCES / "workers" / "embedded" / "temporal.py"
"""Asks a server whether it is ready, before anything could be sent."""

MAKERS = {"Client", "WorkflowEnvironment", "ServiceClient", "CloudOperationsClient"}


def client_makings(tree: ast.AST) -> list[int]:
    """The lines where a Temporal client is made: `Client(…)`, `Client.connect(…)`, `WorkflowEnvironment.start…(…)`."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and _makes_client(node.func)]


def _makes_client(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute) and function.attr.startswith(("connect", "start_", "from_client")):
        return _name(function.value) in MAKERS
    return _name(function) in MAKERS


def _name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def test_p27_clients_are_made_in_one_place_only() -> None:
    """No module but `codecs/payloads/connect.py` makes a Temporal client, and that one gives it the sealing plugin."""
    found = {path: client_makings(ast.parse(path.read_text())) for path in SOURCES.rglob("*.py")}
    assert {path for path, lines in found.items() if lines} <= {THE_PLACE, HEALTH_ONLY}
    assert len(found[THE_PLACE]) == 1
    text = THE_PLACE.read_text()
    assert "plugin = SealingPlugin(ring, names" in text
    assert "plugins=[plugin]" in text
    assert "Payload" not in HEALTH_ONLY.read_text()


@pytest.mark.parametrize(
    "code",
    ["Client.connect('x')", "await client.Client.connect('x')", "temporalio.client.Client(s)", "Client(service)"],
)
def test_p27_the_guard_sees_every_way_to_make_one(code: str) -> None:
    """The guard above is able to fail."""
    assert client_makings(ast.parse(f"async def f():\n    {code}")) == [2]


async def test_nothing_listening_is_unavailable(tmp_path: Path, unused_tcp_port: int) -> None:
    """A server that is down gives one sentence."""
    ring = await ring_of(tmp_path)
    with pytest.raises(TemporalUnavailable) as caught:
        await connect(f"127.0.0.1:{unused_tcp_port}", "default", ring)
    assert len(traceback.format_exception(caught.value)[-1].splitlines()) == 1
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("address", ["not an address", "", "http://127.0.0.1:1", "127.0.0.1:99999999"])
async def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    """A wrong address is told from a server that is down."""
    with pytest.raises(TemporalRefused):
        await connect(address, "default", await ring_of(tmp_path))


async def test_an_api_key_is_not_sent_in_clear(tmp_path: Path) -> None:
    """Without TLS an API key is refused before anything is sent."""
    with pytest.raises(TemporalRefused):
        await connect("127.0.0.1:1", "default", await ring_of(tmp_path), api_key=str(uuid4()))


@pytest.mark.parametrize("status", list(RPCStatusCode))
def test_each_rpc_status_is_one_of_our_errors_without_the_servers_text(status: RPCStatusCode) -> None:
    """Every gRPC status is mapped, and what the server wrote stays out."""
    with pytest.raises((TemporalUnavailable, TemporalRefused)) as caught, temporal_errors():
        raise RPCError("planted", status, b"planted")
    assert "planted" not in "".join(traceback.format_exception(caught.value))
    again = status in {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED}
    assert not again or isinstance(caught.value, TemporalUnavailable)
