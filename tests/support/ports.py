"""Ports for servers that a test starts."""

import socket


def free_port():
    """A port that is free at this moment, for a server that is to start at once or never."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def hold_port():
    """(port, socket): the system gives the port to no other process while the socket is open, so that a server can stop and start
    again on it. A server that sets SO_REUSEADDR, as Redis, PostgreSQL, nginx and the gateway do, can listen on it all the same,
    since the socket does not."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held.getsockname()[1], held
