"""A separate sandbox: the real program with etc/sandbox, on a free port, and a client for it."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid

from support.ports import hold_port
from support.until import until

BINARY = os.environ["GR_BINARY"]
LIMIT = 20 * int(os.environ.get("GR_TIME_FACTOR", "1"))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KEY = "sandbox-access-key"
SECRET = "sandbox-app-secret-for-local-use-only"


def jwt(claims, secret=SECRET, header=None):
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    head = json.dumps(header or {"alg": "HS256", "typ": "JWT"}).encode()
    text = part(head) + b"." + part(json.dumps(claims).encode())
    sign = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return (text + b"." + part(sign)).decode()


def claims(kind="management", lifetime=600, **more):
    now = int(time.time())
    base = {
        "access_key": KEY,
        "type": kind,
        "version": 2,
        "jti": str(uuid.uuid4()),
        "iat": now - 10,
        "nbf": now - 10,
        "exp": now + lifetime,
    }
    return {**base, **more}


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.bytes = body
        self.json = json.loads(body) if body and b"json" in headers.get("Content-Type", "").encode() else None

    def __repr__(self):
        return f"<{self.status} {self.bytes[:400]!r}>"


class Sandbox:
    """Runs until stop(). config is merged into the plugin's own, on top of etc/sandbox."""

    def __init__(self, directory, config=None):
        self.directory = directory
        self.config = config or {}
        # Held, so that it can start again at the address that others know.
        port, self._held = hold_port()
        self.listen = f"127.0.0.1:{port}"
        self.log = []
        self.start()

    def _write(self):
        (self.directory / "plugins.d").mkdir(parents=True, exist_ok=True)
        with open(os.path.join(SOURCE, "etc/sandbox/greenroom.json")) as file:
            server = json.load(file)
        server["server"]["listen"] = self.listen
        (self.directory / "greenroom.json").write_text(json.dumps(server))
        with open(os.path.join(SOURCE, "etc/sandbox/plugins.d/sandbox.json")) as file:
            plugin = json.load(file)
        plugin["config"].update(self.config)
        (self.directory / "plugins.d" / "sandbox.json").write_text(json.dumps(plugin))

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r"(?:127\.0\.0\.1:|listening on )(\d+)", line)
            if found and int(found[1]) and not self.port:
                self.port = int(found[1])

    def start(self):
        self._write()
        self.port = 0
        keep = ("APP_ACCESS_KEY", "APP_SECRET", "SANDBOX_SPEED", "SANDBOX_STATE_FILE")
        env = {name: value for name, value in os.environ.items() if name not in keep}
        self.process = subprocess.Popen(
            [BINARY, "-c", str(self.directory)], stderr=subprocess.PIPE, text=True, env=env
        )
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        until(lambda: self.port or self.process.poll() is not None, "start")
        assert self.port, "".join(self.log)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT) == 0, "".join(self.log[-40:])
        self.reader.join(LIMIT)
        assert not any("Sanitizer" in line for line in self.log), "".join(self.log)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v2"

    def call(self, method, path, body=None, token=None, headers=None):
        """token: its text; "" for no token; None for a valid management token."""
        if token is None:
            token = jwt(claims())
        head = {"Content-Type": "application/json", **(headers or {})}
        if token:
            head["Authorization"] = "Bearer " + token
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            line.request(method, path if path.startswith("/v2") else "/v2" + path, data, head)
            reply = line.getresponse()
            return Answer(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            line.close()

    def ok(self, method, path, body=None, status=200, **more):
        answer = self.call(method, path, body, **more)
        assert answer.status == status, f"{method} {path}: {answer}"
        return answer.json

    def get(self, path, **more):
        return self.ok("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.ok("POST", path, body, **more)

    def fails(self, method, path, body=None, **more):
        """Sends a request that must fail, checks the error body, and returns status and message."""
        answer = self.call(method, path, body, **more)
        assert answer.json and answer.json["code"] == answer.status, answer
        assert isinstance(answer.json.get("details", []), list), answer
        assert not set(answer.json) - {"code", "message", "details"}, answer
        return answer.status, answer.json["message"]

    # routes that only the sandbox has

    def advance(self, seconds):
        return self.post("/sandbox/clock", {"advance_ms": int(seconds * 1000)})

    def room(self, **body):
        return self.post("/rooms", body)

    def join(self, room, role="host", **more):
        return self.post(f"/sandbox/rooms/{room['id']}/peers", {"role": role, **more})
