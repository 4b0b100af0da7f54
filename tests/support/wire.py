"""The real program with a config of the test's own, on free ports, and clients for it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

BINARY = os.environ["GR_BINARY"]
BUILD = os.environ["GR_BUILD_DIR"]
FACTOR = int(os.environ.get("GR_TIME_FACTOR", "1"))
LIMIT = 20 * FACTOR


def wait_for(what, condition, limit=LIMIT):
    """The first true value of condition(), before the time limit."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {limit} s")
        time.sleep(0.01)


def library(name):
    """The path of NAME.so, be it a group or a plugin of the tests."""
    for place in ("plugins", "tests/plugins"):
        path = os.path.join(BUILD, place, f"{name}.so")
        if os.path.exists(path):
            return path
    raise AssertionError(f"{name}.so was not built")


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.bytes = body

    @property
    def json(self):
        return json.loads(self.bytes)

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.bytes[:300]!r}>"


class Gateway:
    """with Gateway(plugins={"hello": {}}, server={"workers": 8}) as gateway: gateway.request("GET", "/")

    plugins maps a library's name to its plugins.d file ("library" and "enabled" are filled in); server and more go into
    greenroom.json. Stopping checks that the program ends well.
    """

    def __init__(self, plugins=None, server=None, admin=False, env=None, **more):
        self.dir = tempfile.TemporaryDirectory(prefix="greenroom-")
        self.plugins = plugins or {}
        self.settings = {
            "server": {"listen": ["127.0.0.1:0"], "workers": 16, "drain_timeout": "5s", **(server or {})},
            "plugins": {"directory": os.path.join(BUILD, "plugins")},
            **more,
        }
        if admin:
            self.settings["admin"] = {"listen": "127.0.0.1:0", "workers": 2}
        self.env = {**os.environ, **(env or {})}
        self.lines = []
        self.port = self.admin_port = None
        self.process = None

    def write_config(self):
        place = os.path.join(self.dir.name, "plugins.d")
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(self.dir.name, "greenroom.json"), "w", encoding="utf-8") as file:
            json.dump(self.settings, file)
        for name in os.listdir(place):
            os.remove(os.path.join(place, name))
        for name, settings in self.plugins.items():
            with open(os.path.join(place, f"{name}.json"), "w", encoding="utf-8") as file:
                json.dump({"library": library(name), "enabled": True, **settings}, file)

    def __enter__(self):
        self.write_config()
        self.process = subprocess.Popen(
            [BINARY, "-c", self.dir.name], stderr=subprocess.PIPE, env=self.env, text=True, errors="replace"
        )
        threading.Thread(target=self._collect, daemon=True).start()
        try:
            wait_for("start", lambda: self.find(r'"ready after') or self.process.poll() is not None)
            assert self.process.poll() is None, self.log()
        except AssertionError:
            self.process.kill()
            raise
        self.port = int(self.find(r'"listening on http://[^"]*:(\d+)"')[1])
        if "admin" in self.settings:
            self.admin_port = int(self.find(r'"admin listening on http://[^"]*:(\d+)"')[1])
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("did not stop: " + self.log()) from None
        finally:
            self.dir.cleanup()
        if kind is None:
            assert status == 0, (status, self.log())
            assert "Sanitizer" not in self.log(), self.log()

    def _collect(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def log(self):
        return "\n".join(list(self.lines))

    def find(self, pattern):
        for line in list(self.lines):
            found = re.search(pattern, line)
            if found:
                return found
        return None

    def wait_log(self, pattern):
        return wait_for(f"log line {pattern}", lambda: self.find(pattern))

    def access(self, request_id):
        """The access-log line of one request."""
        line = self.wait_log(f'.*"message":"request",.*"request_id":"{request_id}".*')
        return json.loads(line[0])

    def signal(self, number):
        self.process.send_signal(number)

    def request(self, method, path, body=None, headers=None, admin=False):
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port if admin else self.port, timeout=LIMIT)
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def raw(self, *parts, **options):
        """Sends bytes as they are and returns a Raw, to read answers from."""
        raw = Raw(self.port, **options)
        for part in parts:
            raw.send(part)
        return raw


class Raw:
    """A socket, for requests that no client library would send."""

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
        lines = text.decode("latin-1").split("\r\n")
        headers = http.client.HTTPMessage()
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers[name] = value.strip()
        length = 0 if head else int(headers.get("Content-Length", "0"))
        while len(self.buffer) < length:
            if not self._fill():
                break
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Answer(int(lines[0].split()[1]), headers, body)

    def closed(self):
        """True when the server closes without another byte."""
        try:
            return not self.buffer and not self._fill()
        except ConnectionError:
            return True
