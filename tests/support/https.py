"""A gateway with an HTTPS listener, and clients that trust its authority."""

import re
import socket
import ssl

import pytest

from support.certificates import Authority
from support.gateway import Gateway
from support.upstream import TIMEOUT, Upstream


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def server_files(authority):
    return authority.issue("server")


class Https(Gateway):
    """A gateway with one listener for HTTPS and one for HTTP."""

    def __init__(self, directory, files, tls=None, upstream=None, **server):
        certificate, key = files
        config = {
            "server": {
                "listen": [{"address": "127.0.0.1:0", "tls": True}, "127.0.0.1:0"],
                "tls": {"certificate": str(certificate), "key": str(key), **(tls or {})},
                **server,
            },
            "upstreams": {"api": {"url": upstream or "http://127.0.0.1:1"}},
        }
        super().__init__(directory, config, {"rooms": {}})

    def start(self):
        super().start()
        self.plain_port = self.port
        self.port = int(self.find(r'"listening on https://[^"]*:(\d+)"'))
        return self

    def connect(self, context, name="localhost"):
        """A TLS connection."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        return context.wrap_socket(sock, server_hostname=name)

    def ask(self, context, data=b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"):
        with self.connect(context) as connection:
            connection.sendall(data)
            return read_all(connection)


def read_all(connection):
    data = b""
    while True:
        try:
            more = connection.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            return data
        if not more:
            return data
        data += more


def trusting(authority, **more):
    context = ssl.create_default_context(cafile=str(authority.file))
    for name, value in more.items():
        setattr(context, name, value)
    return context


def status_of(data):
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", data)
    assert match, data
    return int(match.group(1))


@pytest.fixture(scope="module")
def https(tmp_path_factory, server_files):
    with Upstream() as upstream:
        upstream.on("POST", "/rooms", lambda request: upstream.default)
        gateway = Https(tmp_path_factory.mktemp("gateway"), server_files, upstream=upstream.url, header_timeout="1s",
                        body_timeout="1s")
        gateway.upstream = upstream
        with gateway:
            yield gateway
