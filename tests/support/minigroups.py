"""A gateway with the minigroups group, and the services behind it, for tests."""

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
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LIMIT = 20 * int(os.environ.get("GR_TIME_FACTOR", "1"))
BINARY = os.environ.get("GR_BINARY", "build/greenroom")
PLUGINS = os.environ.get("GR_PLUGIN_DIR", "build/plugins")
SECRET = "a-secret-of-the-minigroups-tests-0123456789"
AUDIENCE = "school.example.org"
ADMIN = "admin.usr.example.org"
TEACHER = "t-17.usr.example.org"
PUPIL = "s-2.usr.example.org"
SERVICES = {name: f"{name}.svc.example.org" for name in ("conference", "event", "tq", "dispatcher")}


# --- tokens ---


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(account, **more):
    sub, aud = account.split(".", 1)
    issuer = "iam.example.org" if aud.startswith("usr.") else "svc.example.org"
    return {"iss": issuer, "aud": aud, "sub": sub, "exp": int(time.time()) + 600, **more}


def token(account, secret=SECRET, alg="HS256", header=None, **more):
    head = b64(json.dumps(header or {"alg": alg, "typ": "JWT"}).encode())
    claims = {key: value for key, value in claims_of(account, **more).items() if value is not None}
    body = f"{head}.{b64(json.dumps(claims).encode())}"
    return f"{body}.{b64(hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest())}"


def claims_in(bearer):
    part = bearer.split()[-1].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


# --- the services behind the gateway ---


class Seen:
    """One request that a service got."""

    def __init__(self, service, method, target, headers, body):
        self.service, self.method, self.headers, self.body = service, method, headers, body
        self.path, _, self.query = target.partition("?")
        self.came, self.answered = time.monotonic(), None
        self.json = json.loads(body) if body else None

    def __repr__(self):
        return f"{self.service} {self.method} {self.path} {self.body!r}"


class Services:
    """One recording server in the place of the event and conference services, the queue, the authorizer and a tenant's
    receiver of notifications."""

    def __init__(self):
        self.seen, self.rules, self.lock = [], [], threading.Condition()
        self.events, self.snapshots = {}, []
        self.delay = 0
        """Seconds that each request waits, or an event."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                service, target = re.match(r"/(\w+)(.*)", self.path).groups()
                status, answer = outer.serve(Seen(service, self.command, target, self.headers, body))
                if status is None:  # close the connection without an answer
                    self.close_connection = True
                    return
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = answer

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def fail(self, service, method, pattern, status=500, answer=None, times=None, delay=0):
        """Answers matching requests like this instead of as usual; status None: without an answer. delay: seconds, or an event."""
        with self.lock:
            self.rules.insert(0, [service, method, re.compile(pattern), status, {} if answer is None else answer, times, delay])

    def mend(self):
        with self.lock:
            self.rules.clear()

    def rule_for(self, seen):
        for rule in self.rules:
            if rule[0] == seen.service and rule[1] == seen.method and rule[2].fullmatch(seen.path) and rule[5] != 0:
                if rule[5] is not None:
                    rule[5] -= 1
                return rule
        return None

    def serve(self, seen):
        with self.lock:
            self.seen.append(seen)
            self.lock.notify_all()
            rule = self.rule_for(seen)
        delay = rule[6] if rule else self.delay
        if isinstance(delay, threading.Event):
            assert delay.wait(LIMIT)
        else:
            time.sleep(delay)
        seen.answered = time.monotonic()
        return (rule[3], rule[4]) if rule else self.usual(seen)

    def usual(self, seen):
        if seen.service == "authz":
            return 200, [seen.json["action"]]
        if seen.service in ("tq", "tenant"):
            return 200, {}
        room = re.fullmatch(r"/api/v1/rooms/([^/]+)(/.*)?", seen.path)
        if seen.path == "/api/v1/rooms":
            return 201 if seen.service == "event" else 200, {**seen.json, "id": str(uuid.uuid4())}
        if not room:
            return 404, {"type": "not_found"}
        kind = room[2] or ""
        if seen.method == "GET" and kind == "/events":
            query = urllib.parse.parse_qs(seen.query)
            after = int(query.get("last_occurred_at", ["-1"])[0])
            events = self.events.get(query["type"][0], [])
            return 200, [event for event in events if event["occurred_at"] > after][:100]
        if kind == "/configs/writer/snapshot":
            return 200, self.snapshots
        if kind in ("/adjust", "/dump_events"):
            return 202, {}
        if kind == "/events":
            return 201, {**seen.json, "id": str(uuid.uuid4())}
        return 200, {"id": room[1], "time": [1772442000, None]}

    def take(self, service=None, method=None, pattern=".*", about=None):
        """The matching requests so far, oldest first. about: only notifications about this minigroup."""
        with self.lock:
            return [
                seen
                for seen in self.seen
                if service in (None, seen.service)
                and method in (None, seen.method)
                and re.fullmatch(pattern, seen.path)
                and (about is None or seen.json["id"] == about["id"])
            ]

    def wait(self, service, method, pattern, count=1, about=None):
        deadline = time.monotonic() + LIMIT
        with self.lock:
            while len(found := self.take(service, method, pattern, about)) < count:
                if not self.lock.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{count} x {service} {method} {pattern} never came: {self.seen}")
            return found

    def told(self, minigroup, count=1):
        """Waits for that many notifications about a minigroup and returns them."""
        return self.wait("tenant", "POST", "/events", count, minigroup)

    def forget(self):
        with self.lock:
            self.seen.clear()


# --- the gateway ---


def options(services, **more):
    """The group's config, as an operator would write it."""
    return {
        "account": SERVICES["dispatcher"],
        "secret": SECRET,
        "event": {"url": services.url + "/event"},
        "conference": {"url": services.url + "/conference"},
        "tq": {"url": services.url + "/tq"},
        "storage_url": "https://storage.example.com/",
        "authn": [
            {"issuer": "iam.example.org", "audience": ["usr.example.org"]},
            {"issuer": "svc.example.org", "audience": ["svc.example.org"]},
        ],
        "authz": [
            {
                "audience": AUDIENCE,
                "type": "localwhitelist",
                "records": [
                    {"subject_account_id": ADMIN, "object": ["classrooms"], "action": "create"},
                    {"subject_account_id": ADMIN, "object": ["classrooms", "*"], "action": "*"},
                    {"subject_account_id": "*.usr.example.org", "object": ["classrooms", "*"], "action": "read"},
                ],
            },
            {"audience": "asks.example.org", "type": "http", "uri": services.url + "/authz/ask", "max_retries": 3},
            {"audience": "trusts.example.org", "type": "local", "trusted": [ADMIN]},
            {"audience": "open.example.org", "type": "none"},
        ],
        "callbacks": {"trusted": [SERVICES["conference"], SERVICES["event"], SERVICES["tq"]]},
        "notify": [{"audience": AUDIENCE, "url": services.url + "/tenant/events"}],
        **more,
    }


class Gateway:
    """A running gateway. store: the URL in its config; None: a new SQLite file in directory."""

    def __init__(self, directory, services, store=None, plugins=None, server=None, auth=None, **more):
        self.directory, self.log = directory, []
        config = directory / "gateway"
        (config / "plugins.d").mkdir(parents=True, exist_ok=True)
        whole = {
            "server": {"listen": "127.0.0.1:0", "workers": 128, **(server or {})},
            "plugins": {"directory": PLUGINS},
            "store": store or f"sqlite:{directory}/gateway.db",
            "state_directory": str(directory),
            "auth": auth or {},
        }
        (config / "greenroom.json").write_text(json.dumps(whole))
        for name, settings in (plugins or {"minigroups": options(services, **more)}).items():
            settings = {"library": f"{name}.so", "enabled": True, "config": settings}
            if name.startswith("sandbox_"):
                settings["prefix"] = "/" + name.removeprefix("sandbox_")
            (config / "plugins.d" / f"{name}.json").write_text(json.dumps(settings))
        self.config = config
        self.start()

    def start(self):
        env = {key: value for key, value in os.environ.items() if not key.startswith("MINIGROUPS_")}
        self.process = subprocess.Popen(
            [BINARY, "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env, text=True
        )
        self.port = None
        ready = threading.Event()

        def read(stream):
            for line in stream:
                self.log.append(line)
                found = re.search(r'"listening on http://[^:]+:(\d+)', line)
                if found:
                    self.port = int(found[1])
                    ready.set()
            ready.set()

        self.reader = threading.Thread(target=read, args=(self.process.stderr,), daemon=True)
        self.reader.start()
        assert ready.wait(LIMIT) and self.port, "".join(self.log)
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        status = self.process.wait(LIMIT)
        self.reader.join(LIMIT)
        text = "".join(self.log)
        assert "Sanitizer" not in text and "runtime error" not in text, text
        assert SECRET not in text
        return status

    def call(self, method, path, body=None, who=ADMIN, raw=None, headers=None):
        """Status, JSON (or bytes) and headers of one request. who: account, or None for no token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        send = dict(headers or {})
        if who:
            send.setdefault("Authorization", "Bearer " + token(who))
        data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        if data is not None:
            send.setdefault("Content-Type", "application/json")
        connection.request(method, path, data, send)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        try:
            return answer.status, json.loads(text), answer.headers
        except ValueError:
            return answer.status, text, answer.headers

    def ask(self, method, path, body=None, status=200, **more):
        """Sends a request whose answer must have this status, and returns its JSON."""
        got, answer, _ = self.call(method, path, body, **more)
        assert got == status, (got, answer)
        return answer

    def refuse(self, status, kind, method, path, body=None, **more):
        """Sends a request that must be refused with this problem, and returns the problem."""
        got, answer, headers = self.call(method, path, body, **more)
        assert (got, answer.get("type")) == (status, kind), (got, answer)
        assert answer["status"] == status and answer["title"]
        assert headers["Content-Type"].split(";")[0] == "application/json"
        return answer

    def create(self, status=201, **more):
        body = {"scope": f"scope-{uuid.uuid4()}", "audience": AUDIENCE, "host": TEACHER, **more}
        return self.ask("POST", "/api/v1/minigroups", {k: v for k, v in body.items() if v is not None}, status)

    def read(self, minigroup, query="", **more):
        return self.ask("GET", f"/api/v1/minigroups/{minigroup['id']}{query}", **more)

    def tell(self, label, payload, sender="conference", audience=AUDIENCE, status=200, **more):
        """Posts a message as a service would."""
        return self.ask(
            "POST",
            f"/api/v1/audiences/{audience}/events",
            payload,
            status,
            who=SERVICES.get(sender, sender),
            headers={"Gateway-Label": label, **more},
        )


# --- messages ---


def stream(author=f"web.{TEACHER}", **more):
    return {
        "id": str(uuid.uuid4()),
        "status": "ready",
        "uri": "s3://origin/a.source.webm",
        "created_by": author,
        "mjr_dumps_uris": ["s3://origin/a.mjr"],
        **more,
    }


def converted(minigroup, rtc, segments="1772442007123,1500.0\n1772443807123,1200.5", **more):
    return {
        "tags": {"conference_room_id": minigroup["conference_room_id"]},
        "status": "success",
        "template": "convert-mjr-dumps-to-stream",
        "stream_id": rtc["id"],
        "stream_uri": rtc["uri"],
        "segments": segments,
        **more,
    }


def adjusted(minigroup, **more):
    return {
        "room_id": minigroup["event_room_id"],
        "status": "success",
        "original_room_id": str(uuid.uuid4()),
        "modified_room_id": str(uuid.uuid4()),
        "modified_segments": [[0, 1500000]],
        "cut_original_segments": [[0, 1400000]],
        **more,
    }


def transcoded(minigroup, **more):
    return {
        "tags": {"conference_room_id": minigroup["conference_room_id"]},
        "status": "success",
        "template": "transcode-minigroup-to-hls",
        "recording_duration": "3001.42",
        **more,
    }


def dumped(room):
    return {"status": "success", "tags": {}, "result": {"room_id": room, "s3_uri": f"s3://dump/{room}.json"}}


# --- stores ---


def postgres_url(name):
    """A new database on the PostgreSQL server that the tests were given; None when there is none."""
    server = os.environ.get("GR_TEST_POSTGRES")
    if not server:
        return None
    subprocess.run(["psql", "-q", server, "-c", f'CREATE DATABASE "{name}"'], check=True, timeout=LIMIT)
    parts = urllib.parse.urlsplit(server)
    return urllib.parse.urlunsplit(parts._replace(path="/" + name))


def store_url(directory):
    """The URL of a new store: on the PostgreSQL server that the tests were given, else a SQLite file."""
    return postgres_url(f"minigroups-{uuid.uuid4()}") or f"sqlite:{directory}/gateway.db"
