"""Ports for servers that a test starts."""

import socket


def free_port():
    """A port that is free now, for an address that nothing calls. Another process may take it at once: see hold_port()."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def hold_port():
    """(port, socket): while the socket is open, the system gives the port to no other process, so that a server can stop
    and start again on it. The socket does not listen, so a server that sets SO_REUSEADDR can listen on the port, as Redis,
    PostgreSQL, nginx and the gateway do."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held.getsockname()[1], held
