"""A Redis or Valkey server for one test, on a free port of loopback, that keeps its data in memory only.

    with Redis(tmp_path) as redis:
        … redis.url …
        redis.command("KEYS", "*")
        redis.kill(); redis.start()
"""

import shutil
import signal
import socket
import subprocess

import pytest

from support.ports import hold_port
from support.until import until
from support.upstream import TIMEOUT

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")


class Redis:
    """Not running until start(). A start after kill() or stop() uses the same port and has no data."""

    def __init__(self, directory, password=None, options=()):
        if PROGRAM is None:
            pytest.skip("no Redis server is installed (Debian package: redis-server or valkey-server)")
        self.directory = directory
        self.password = password
        self.options = [*(["--requirepass", password] if password else []), *options]
        self.port, self._held = hold_port()
        self.process = None

    @property
    def url(self):
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no",
             "--dir", str(self.directory), *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers, "the Redis server does not answer")
        return self

    def _answers(self):
        assert self.process.poll() is None, "the Redis server has ended"
        try:
            return self.command("PING") == "PONG"
        except (OSError, RuntimeError):
            return False

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait(TIMEOUT)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()
        self._held.close()

    # --- client ---

    def command(self, *words):
        """The reply to one command: text, number or list. An error is a RuntimeError."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT) as connection:
            stream = connection.makefile("rwb")
            if self.password:
                self._send(stream, "AUTH", self.password)
                self._reply(stream)
            self._send(stream, *words)
            return self._reply(stream)

    @staticmethod
    def _send(stream, *words):
        parts = [str(word).encode() for word in words]
        stream.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        stream.flush()

    def _reply(self, stream):
        line = stream.readline()
        if not line:
            raise OSError("the Redis server has closed the connection")
        kind, text = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise RuntimeError(text)
        if kind == b":":
            return int(text)
        if kind == b"$":
            return None if text == "-1" else stream.read(int(text) + 2)[:-2].decode("latin-1")
        if kind == b"*":
            return [self._reply(stream) for _ in range(int(text))]
        return text
