"""The gateway with plugins of the tests, and raw sockets to it: for requests that no client library would send."""

import json
import os
import pathlib
import socket
import tempfile

from support import gateway
from support.upstream import FACTOR, TIMEOUT

BUILD = os.environ["GR_BUILD_DIR"]
LIMIT = TIMEOUT * 2
__all__ = ["FACTOR", "Gateway", "Raw"]


class Gateway(gateway.Gateway):
    """with Gateway(plugins={"probe": {}}, server={"workers": 8}) as gateway: gateway.raw(b"GET / HTTP/1.1…")

    Its config is in a directory of its own. plugins are plugins of the tests; server and more become members of greenroom.json.
    """

    def __init__(self, plugins=None, server=None, **more):
        self._place = tempfile.TemporaryDirectory(prefix="greenroom-")
        config = {"server": {"workers": 16, "drain_timeout": "5s", **(server or {})}, **more}
        libraries = {
            name: {"library": os.path.join(BUILD, "tests", "plugins", f"{name}.so"), **members}
            for name, members in (plugins or {}).items()
        }
        super().__init__(pathlib.Path(self._place.name), config, libraries)

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self._place.cleanup()

    def signal(self, number):
        self.process.send_signal(number)

    def access(self, request_id):
        """The access-log line of one request."""
        pattern = f'(.*"message":"request",.*"request_id":"{request_id}".*)'
        self.wait_log(pattern)
        return json.loads(self.find(pattern))

    def raw(self, *parts, **options):
        """Sends bytes as they are and returns a Raw, to read answers from."""
        raw = Raw(self.port, **options)
        for part in parts:
            raw.send(part)
        return raw


class Raw:
    """A socket to a listener."""

    def __init__(self, port, limit=LIMIT):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=limit)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _fill(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def answer(self, head=False):
        """The next whole answer; None when the connection was closed instead."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._fill():
                assert not self.buffer, self.buffer
                return None
        text, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = text.decode("latin-1").split("\r\n")
        headers = [(name, value.strip()) for name, value in (line.split(":", 1) for line in lines)]
        answer = gateway.Answer(int(first.split()[1]), headers, b"")
        length = 0 if head else int(answer.header("Content-Length") or "0")
        while len(self.buffer) < length:
            if not self._fill():
                break
        answer.body, self.buffer = self.buffer[:length], self.buffer[length:]
        return answer

    def closed(self):
        """True when the server closes without another byte."""
        try:
            return not self.buffer and not self._fill()
        except ConnectionError:
            return True
