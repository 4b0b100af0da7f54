"""The real program on free ports, with a config of its own, and a small client for it.

    gateway = Gateway(tmp_path, {"upstreams": {…}}, plugins={"rooms": {}})
    gateway.start()
    answer = gateway.get("/rooms/1")
    gateway.stop()
"""

import copy
import http.client
import json
import os
import re
import select
import signal
import subprocess
import threading
import time

from support.until import until
from support.upstream import TIMEOUT, header_of

BINARY = os.environ.get("GR_BINARY", "build/greenroom")
PLUGIN_DIR = os.environ.get("GR_PLUGIN_DIR", "build/plugins")
# Set for the runs in which each group has a process of its own.
ISOLATION = {"isolation": "process"} if os.environ.get("GR_TEST_ISOLATION") else {}

DEFAULTS = {
    # Tests that write requests byte by byte use any name in Host.
    "server": {"listen": ["127.0.0.1:0"], "hosts": ["*"]},
    "admin": {"listen": "127.0.0.1:0"},
    "plugins": {"directory": os.path.abspath(PLUGIN_DIR)},
    # So that the log is complete when a test reads it.
    "log": {"buffer": 0},
}


def merged(base, over):
    """base with the members of over; objects are merged, other values replaced."""
    result = copy.deepcopy(base)
    for name, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = merged(result[name], value)
        else:
            result[name] = copy.deepcopy(value)
    return result


class Answer:
    """status, headers (pairs), body (bytes)."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name):
        return header_of(self.headers, name)

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Gateway:
    """Not running until start(). plugins: name → members of its file beside "library"."""

    def __init__(self, directory, config, plugins, env=None):
        self.directory = directory
        self.config = merged(DEFAULTS, config)
        self.plugins = plugins
        self.env = {**os.environ, **(env or {})}
        self.prefix = []
        """Words before the program on its command line, such as prlimit."""
        self.process = None
        self.port = self.admin_port = None
        self._stream, self._rest = None, b""
        self._lines = []
        self._changed = threading.Condition()

    # --- life ---

    def write(self):
        """Writes the config, as start() also does."""
        directory = self.directory / "plugins.d"
        directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "greenroom.json").write_text(json.dumps(self.config))
        for file in directory.iterdir():
            file.unlink()
        for name, members in self.plugins.items():
            entry = {"library": f"{name}.so", "enabled": True, **ISOLATION, **members}
            (directory / f"{name}.json").write_text(json.dumps(entry))

    def launch(self):
        """Starts the process without waiting for it to be ready."""
        self.write()
        self.process = subprocess.Popen([*self.prefix, BINARY, "-c", str(self.directory)], env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0)
        os.set_blocking(self.process.stderr.fileno(), False)
        with self._changed:
            self._stream, self._rest, self._lines = self.process.stderr, b"", []  # of this run
        threading.Thread(target=self._read, args=(self._stream,), daemon=True).start()

    def start(self):
        self.launch()
        self.wait_log(r"ready after")
        self.port = int(self.find(r'"listening on http://[^"]*:(\d+)"') or self.find(r'"listening on https://[^"]*:(\d+)"'))
        self.admin_port = int(self.find(r'"admin listening on http://[^"]*:(\d+)"') or 0)
        return self

    def run(self, *words):
        """Runs another command of the program with the same config."""
        return subprocess.run([BINARY, "-c", str(self.directory), *words], env=self.env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT * 2)

    def stop(self, status=0):
        """Stops it with SIGTERM; fails when it ends with another status."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(TIMEOUT * 2)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == status, f"ended with {process.returncode}:\n{self.log}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    # --- log ---

    def _read(self, stream):
        """Reads the log of one run up to its end."""
        arrivals = select.poll()
        arrivals.register(stream, select.POLLIN)
        more = True
        while more:
            arrivals.poll()
            with self._changed:
                more = stream is self._stream and self._take()

    def _take(self):
        """Reads what the pipe holds, as whoever holds the lock. Returns whether more may come."""
        if self._lines and self._lines[-1] is None:
            return False
        while data := self._stream.read(65536):
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines.extend(line.decode(errors="replace") + "\n" for line in lines)
            self._changed.notify_all()
        if data is None:  # nothing for now
            return True
        self._lines.extend([self._rest.decode(errors="replace")] if self._rest else [])
        self._lines.append(None)
        self._changed.notify_all()
        return False

    @property
    def log(self):
        """All that was logged before this call, also what the reader has not seen yet."""
        with self._changed:
            if self._stream:
                self._take()
            return "".join(line for line in self._lines if line)

    def find(self, pattern):
        """The first group of the first match in the log, or None."""
        match = re.search(pattern, self.log)
        return match and match.group(1)

    def wait_log(self, pattern):
        deadline = time.monotonic() + TIMEOUT * 2
        with self._changed:
            while not any(line and re.search(pattern, line) for line in self._lines):
                left = deadline - time.monotonic()
                ended = self._lines and self._lines[-1] is None
                assert left > 0 and not ended, f"no '{pattern}' in the log:\n" + "".join(filter(None, self._lines))
                self._changed.wait(left)

    def wait_log_count(self, pattern, count):
        """Waits until so many lines of the log match."""
        deadline = time.monotonic() + TIMEOUT * 2
        with self._changed:
            while sum(1 for line in self._lines if line and re.search(pattern, line)) < count:
                left = deadline - time.monotonic()
                ended = self._lines and self._lines[-1] is None
                assert left > 0 and not ended, f"not {count} times '{pattern}' in the log:\n" + self.log
                self._changed.wait(left)

    # --- client ---

    def request(self, method, path, body=None, headers=None, port=None, source=None):
        """One request on a connection of its own. Bodies that are not bytes are sent as JSON; a header that is None
        is not sent. source: the client's address, such as 127.0.0.2; the gateway is on loopback."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {**({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})}
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=TIMEOUT * 2,
                                                source_address=(source, 0) if source else None)
        try:
            present = {name: value for name, value in sent.items() if value is not None}
            connection.request(method, path, body=body, headers=present)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body=body, **more)

    def admin(self, path):
        return self.request("GET", path, port=self.admin_port)

    def settle(self):
        """Waits until nothing is left to do for the requests that were answered: a worker logs and counts a request after it
        has sent the answer."""
        until(lambda: b"\ngreenroom_requests_in_flight 1\n" in self.admin("/metrics").body, "requests are in flight")
