"""What the contract tests share: a gateway in front of two upstreams that record what they receive."""

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import re
import subprocess
import threading
import time

from contract import cases

BINARY = os.environ["GR_BINARY"]
PLUGINS = os.environ["GR_PLUGIN_DIR"]
# With GR_TEST_ISOLATION, the same cases run with each group in a process of its own.
ISOLATION = {"isolation": "process"} if os.environ.get("GR_TEST_ISOLATION") else {}
LIMIT = 20 * int(os.environ.get("GR_TIME_FACTOR", "1"))
IDLE = 1  # seconds after which a connection is not used again, because the gateway may be about to close it
ACCESS_KEY = "contract-access-key"
SECRET = "contract-secret-of-more-than-32-bytes"
WEBHOOK_SECRET = "contract-webhook-secret"


class Recorder:
    """An upstream on a port of its own, which records requests and gives the answer that it was told to give."""

    def __init__(self):
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self):
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length) if length else b""
                recorder.received.append(Received(self.command, self.path, self.headers, body))
                if recorder.drops:
                    self.close_connection = True
                    return
                status, headers, answer = recorder.answer
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(b"" if status == 204 else answer)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.reset()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reset(self):
        self.received = []
        self.drops = False  # True: it reads each request and closes the connection without an answer
        self.says(200, cases.ANSWER)

    def says(self, status, body, headers=None):
        self.answer = (status, {"Content-Type": "application/json", **(headers or {})}, body)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Received:
    def __init__(self, method, target, headers, body):
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body

    def __repr__(self):
        return f"{self.method} {self.target} {self.body!r}"


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body!r}"


class Gateway:
    """The program with some groups, and two recorders as its upstreams. To be used as a context manager."""

    def __init__(self, directory, groups, settings=None, env=None, routes=None):
        self.directory = pathlib.Path(directory)
        self.recorders = {"api": Recorder(), "auth": Recorder()}
        self.write_config(groups, settings or {}, routes or {})
        self.log = self.directory / "log"
        self.process = None
        self.connection = None
        self.env = {**os.environ, "WEBHOOK_SECRET": WEBHOOK_SECRET, **(env or {})}

    def write_config(self, groups, settings, routes):
        config = {
            "server": {"listen": ["127.0.0.1:0"], "workers": 16},
            "credentials": {"100ms": {"kind": "100ms", "access_key": ACCESS_KEY, "secret": SECRET}},
            "upstreams": {
                "api": {
                    "url": f"http://127.0.0.1:{self.recorders['api'].port}/v2",
                    "credential": "100ms",
                },
                "auth": {"url": f"http://127.0.0.1:{self.recorders['auth'].port}/v2"},
            },
            "plugins": {"directory": PLUGINS},
            "store": f"sqlite:{self.directory}/store.db",
            "state_directory": str(self.directory),
            "log": {"level": "info", "format": "json"},
        }
        config = cases.merge(config, settings)
        (self.directory / "plugins.d").mkdir(parents=True, exist_ok=True)
        (self.directory / "greenroom.json").write_text(json.dumps(config))
        for group in groups:
            (self.directory / "plugins.d" / f"{group}.json").write_text(
                json.dumps({"library": f"{group}.so", "enabled": True, **ISOLATION, "routes": routes.get(group, {})})
            )

    def __enter__(self):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [BINARY, "-c", str(self.directory)], stdout=log, stderr=log, env=self.env
            )
        self.port = self.wait_for_port()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        self.last_used = time.monotonic()
        return self

    def __exit__(self, *exc):
        self.connection.close()
        self.process.terminate()
        status = self.process.wait(LIMIT)
        for recorder in self.recorders.values():
            recorder.close()
        text = self.log.read_text(errors="replace")
        assert "Sanitizer" not in text and "runtime error" not in text, text
        assert status == 0, f"the gateway ended with {status}:\n{text}"

    def wait_for_port(self):
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            found = re.search(r"127\.0\.0\.1:([1-9]\d+)", self.log.read_text(errors="replace"))
            if found:
                return int(found.group(1))
            assert self.process.poll() is None, self.log.read_text(errors="replace")
            time.sleep(0.01)
        raise AssertionError(f"no listener after {LIMIT} s:\n{self.log.read_text()}")

    def send(self, method, target, body=None, headers=None):
        for recorder in self.recorders.values():
            recorder.received.clear()
        if time.monotonic() - self.last_used > IDLE:
            self.connection.close()
        self.last_used = time.monotonic()
        headers = dict(headers or {})
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        self.connection.request(method, target, body=body, headers=headers)
        return Answer(self.connection.getresponse())


def claims_of(token):
    """The claims of a token that the gateway signed with its secret."""
    head, claims, signature = token.split(".")
    digest = hmac.new(SECRET.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    assert decode(signature) == digest, "the signature does not verify"
    assert json.loads(decode(head))["alg"] == "HS256"
    return json.loads(decode(claims))


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
