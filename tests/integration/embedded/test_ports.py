"""Free ports."""

import socket

from contactsync.workers.embedded.ports import LOOPBACK, free_port, is_free


def test_no_port_is_given_twice() -> None:
    """Ports that were given out and are not used yet are not given out again."""
    ports = [free_port() for _ in range(300)]
    assert len(set(ports)) == 300


def test_a_free_port_can_be_listened_on() -> None:
    """A server that sets SO_REUSEADDR listens on it at once, and then it is not free."""
    port = free_port()
    assert is_free(port)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((LOOPBACK, port))
        server.listen()
        assert not is_free(port)
