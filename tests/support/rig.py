"""The groups of rig on SQLite or PostgreSQL: a gateway, its accounts, and tokens of every kind.

    from support.rig import database, postgres, rig, start_rig  # rig and start_rig need the other fixtures
"""

import base64
import ctypes
import ctypes.util
import hashlib
import hmac
import itertools
import json
import os
import subprocess
import time
import uuid

import pytest

from support.gateway import BINARY, Gateway, merged
from support.upstream import TIMEOUT

USERS_KEY = "users-key-of-the-tests-0123456789abcdef"
AGENTS_KEY = "agents-key-of-the-tests-0123456789abcdef"
AUDIENCE = "rig.xplex.me"
CONTROL = os.path.join(os.path.dirname(__file__), "postgres.sh")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

_libcrypt = ctypes.CDLL(ctypes.util.find_library("crypt"))
_libcrypt.crypt.restype = ctypes.c_char_p


def crypt(password, salt):
    """As crypt(3); Python has had no module for it since 3.13."""
    return _libcrypt.crypt(password.encode(), salt.encode()).decode()


# As in the shipped config, but with cheap password hashes and with limits that the tests do not reach.
OPTIONS = {
    "accounts": {
        "bcrypt_cost": 10,
        "login_pair_max": 0,
        "login_user_max": 0,
        "login_address_max": 0,
        "register_address_max": 0,
        "invite_user_max": 0,
    },
    "streams": {},
    "agents": {},
}

numbers = itertools.count(1)


# --- stores ---


class Postgres:
    """A PostgreSQL server, on which each test gets a database."""

    def __init__(self, directory):
        self.directory = str(directory)
        done = subprocess.run([CONTROL, "start", self.directory], capture_output=True, text=True)
        if done.returncode == 77:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        with open(os.path.join(self.directory, "url")) as file:
            self.url = file.read().strip()

    def control(self, verb):
        subprocess.run([CONTROL, verb, self.directory], check=True, timeout=TIMEOUT * 4)

    def query(self, sql, url=None):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url or self.url],
                              input=sql, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def new_database(self):
        name = f"t{next(numbers)}"
        self.query(f"CREATE DATABASE {name}")
        return self.url.rsplit("/", 1)[0] + "/" + name


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.control("stop")


class Database:
    """One empty store. kind: "sqlite" or "postgres"."""

    def __init__(self, kind, url, postgres=None):
        self.kind = kind
        self.url = url
        self.postgres = postgres

    def query(self, sql):
        """Rows as text, with the columns separated by '|'."""
        if self.postgres:
            return self.postgres.query(sql, self.url)
        import sqlite3

        connection = sqlite3.connect(self.url[len("sqlite:"):], timeout=TIMEOUT)
        try:
            rows = connection.execute(sql).fetchall()
            connection.commit()
        finally:
            connection.close()
        return "\n".join("|".join("" if v is None else str(v) for v in row) for row in rows)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path):
    if request.param == "sqlite":
        return Database("sqlite", f"sqlite:{tmp_path}/rig.db")
    server = request.getfixturevalue("postgres")
    return Database("postgres", server.new_database(), server)


# --- the gateway ---


class Rig(Gateway):
    def __init__(self, directory, database, options=None, env=None, keys=True, only=tuple(OPTIONS)):
        self.database = database
        config = {"server": {"workers": 32}, "store": database.url, "state_directory": str(directory / "state")}
        chosen = merged({name: OPTIONS[name] for name in only}, options or {})
        plugins = {name: {"config": members} for name, members in chosen.items()}
        secrets = {"RIG_USERS_KEY": USERS_KEY, "RIG_AGENTS_KEY": AGENTS_KEY} if keys else {}
        super().__init__(directory, config, plugins, env={**secrets, **(env or {})})
        if not keys:
            for name in ("RIG_USERS_KEY", "RIG_AGENTS_KEY"):
                self.env.pop(name, None)

    def kill(self):
        """Ends the gateway with SIGKILL."""
        process, self.process = self.process, None
        process.kill()
        process.wait(TIMEOUT)

    def command(self, *words, input=None, status=0):
        done = subprocess.run([BINARY, "-c", str(self.directory), *words], input=input, capture_output=True,
                              text=True, env=self.env, timeout=TIMEOUT * 4)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Sanitizer" not in done.stderr, done.stderr
        return done.stdout.strip() if status == 0 else done.stderr.strip()

    def user(self, password="correct horse"):
        """Makes an account and logs in."""
        name = f"user{next(numbers)}"
        body = {"username": name, "password": password, "email": f"{name}@studio.example"}
        answer = self.post("/accounts/", body)
        assert answer.status == 200, answer
        return User(self, name, password, answer.json["payload"]["userID"])

    def agent(self, name="edge1"):
        return agent_token(name)

    def notify(self, what, key, client="7", token=None, method="POST", **fields):
        """A callback as nginx-rtmp sends it, by `notify_method` post or get."""
        form = {"app": "live", "addr": "10.0.0.1", "clientid": client, "call": what[len("on_"):], "name": key, **fields}
        body = "&".join(f"{name}={value}" for name, value in form.items()).encode()
        token = agent_token() if token is None else token
        if method == "GET":
            return self.get(f"/agents/rtmp/{what}?token={token}&{body.decode()}")
        return self.post(f"/agents/rtmp/{what}?token={token}", body, headers=FORM)


class User:
    def __init__(self, rig, name, password, id):
        self.rig = rig
        self.name = name
        self.password = password
        self.id = id
        self.token = self.login()

    def login(self, password=None):
        answer = self.rig.post("/accounts/auth/local", {"username": self.name, "password": password or self.password})
        assert answer.status == 200, answer
        return answer.json["payload"]["token"]

    def request(self, method, path, body=None, **more):
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        if method in ("POST", "PUT", "PATCH"):
            headers.setdefault("Content-Type", "application/json")
        return self.rig.request(method, path, body=body, headers=headers, **more)

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body=None):
        return self.request("POST", path, body)

    def stream(self):
        answer = self.post("/streams/")
        assert answer.status == 200, answer
        return answer.json["payload"]

    def destination(self, stream, service="Twitch", key="live_31_kexample"):
        answer = self.post(f"/streams/{stream['id']}/destination", {"service": service, "streamKey": key})
        assert answer.status == 200, answer
        return answer.json["payload"]

    def is_live(self, stream):
        return self.get(f"/streams/{stream['id']}").json["payload"]["isStreaming"]


@pytest.fixture
def start_rig(tmp_path):
    """Starts gateways, and at the end stops those that still run."""
    made = []

    def start(database, options=None, **more):
        directory = tmp_path / f"gateway{next(numbers)}"
        directory.mkdir()
        one = Rig(directory, database, options, **more).start()
        made.append(one)
        return one

    yield start
    for one in made:
        one.stop()
        assert "Sanitizer" not in one.log and "runtime error" not in one.log, one.log


@pytest.fixture
def rig(database, start_rig):
    return start_rig(database)


# --- tokens ---


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(claims, key, header=None, digest=hashlib.sha256):
    """Any token, valid or not."""
    parts = [b64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT", **(header or {})}, claims)]
    text = ".".join(parts)
    return f"{text}.{b64(hmac.new(key.encode(), text.encode(), digest).digest())}"


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def user_claims(user, **changes):
    now = int(time.time())
    claims = {"ist": "user", "iss": user.id, "sub": user.name, "aud": AUDIENCE, "iat": now, "exp": now + 3600}
    claims.update(changes)
    return {name: value for name, value in claims.items() if value is not None}


def agent_token(name="edge1", **changes):
    now = int(time.time())
    claims = {"ist": "agent", "iss": "tests", "sub": name, "aud": AUDIENCE, "iat": now, "exp": now + 3600,
              "jti": str(uuid.uuid4()), **changes}
    return jwt(claims, AGENTS_KEY)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


# --- answers ---


def error(answer):
    """Checks the members of an error answer and returns (status, errorCode, message, details)."""
    assert answer.header("Content-Type") == "application/json", answer
    assert answer.header("Cache-Control") == "no-store", answer
    body = answer.json
    assert set(body) == {"message", "errorCode", "details"}, body
    return answer.status, body["errorCode"], body["message"], body["details"]


def payload(answer, message):
    """Checks that the answer is a success and returns its payload."""
    assert answer.status == 200, answer
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "no-store"
    assert set(answer.json) == {"message", "payload"}
    assert answer.json["message"] == message
    return answer.json["payload"]


NOT_FOUND = (404, 1000, "Not found", None)
METHOD = (405, 1001, "Method not allowed", None)
MEDIA_TYPE = (415, 1002, "Content-Type should be application/json", None)
CREDENTIALS = (401, 1003, "Invalid credentials", None)
NO_TOKEN = (401, 1003, "Invalid Authorization header. Authorization header needs Bearer token", None)
BROKEN_BODY = (400, 1005, "Invalid input", None)
IN_USE = (409, 1009, "Resource is already in use", None)


def missing(*names):
    return 400, 1004, "Missing required input", {name: ["zero value"] for name in names}


def invalid(**reasons):
    return 400, 1005, "Invalid input", {name: [reason] for name, reason in reasons.items()}
