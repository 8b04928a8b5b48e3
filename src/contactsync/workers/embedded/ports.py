"""Free ports of the loopback interface."""

import socket

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A TCP port that nobody uses and that the system gives to nobody else for about a minute.

    A connection made and closed by the listening side leaves the port in TIME_WAIT (RFC 9293, section 3.6.1): the
    system passes over it when it chooses ports, while a server that sets SO_REUSEADDR, as ours do, may listen on it.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what stays in TIME_WAIT inherits it
        listener.bind((LOOPBACK, 0))
        listener.listen(1)
        address: tuple[str, int] = listener.getsockname()
        with socket.socket() as caller:
            caller.connect(address)
            accepted, _ = listener.accept()
            accepted.close()
            return address[1]


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
