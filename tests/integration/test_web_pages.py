"""What a web page can make a browser send to a gateway on the same machine that asks for no credential."""

import contextlib

import pytest

from support.gateway import Gateway
from support.upstream import Reply, Upstream

ROOM = {"id": "66f1c0a2b4d93e5a7c118e01", "name": "algebra"}
PAGE = "https://page.example"


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as running:
        running.default = Reply(ROOM)
        yield running


@pytest.fixture(scope="module")
def start(tmp_path_factory, upstream):
    with contextlib.ExitStack() as stack:
        running = {}

        def starter(auth=None, **server):
            key = repr((auth, server))
            if key not in running:
                directory = tmp_path_factory.mktemp("gateway")
                config = {
                    "auth": auth or {},
                    "server": {"hosts": [], **server},
                    "state_directory": str(directory / "state"),
                    "credentials": {"100ms": {"kind": "100ms", "access_key": "key", "secret": "a secret"}},
                    "upstreams": {"api": {"url": upstream.url + "/v2", "credential": "100ms"},
                                  "auth": {"url": upstream.url + "/auth"}},
                }
                running[key] = stack.enter_context(Gateway(directory, config, plugins={"rooms": {}}))
            return running[key]

        yield starter


def seen(upstream, action):
    before = len(upstream.requests)
    answer = action()
    return answer, len(upstream.requests) - before


@pytest.mark.parametrize("host, status", [
    ("127.0.0.1", 200), ("127.0.0.1:8080", 200), ("127.9.9.9:1", 200), ("[::1]", 200), ("[::1]:8080", 200),
    ("localhost", 200), ("LocalHost:8080", 200), ("app.localhost", 200), ("[::ffff:127.0.0.1]:80", 200),
    ("page.example", 403), ("page.example:8080", 403), ("localhost.page.example", 403), ("notlocalhost", 403),
    (".localhost", 403), ("127.0.0.1.page.example", 403), ("10.0.0.1", 403), ("[::2]", 403), ("[::1", 403), ("0", 403),
    ("localhost:80@page.example", 403),
])
def test_hosts(start, upstream, host, status):
    """Other hosts are refused, because the name of an attacker's page can resolve to this machine."""
    for method, path, body in (("GET", "/rooms/1", None), ("POST", "/rooms", {"name": "a"})):
        answer, calls = seen(upstream, lambda: start().request(method, path, body, headers={"Host": host}))
        assert answer.status in ((status, 400) if status == 403 else (status,))
        assert calls == (1 if status == 200 else 0)


def test_hosts_of_the_operator(start):
    gateway = start(hosts=["gw.example"])
    assert gateway.get("/rooms/1", headers={"Host": "GW.example:80"}).status == 200
    assert gateway.get("/rooms/1", headers={"Host": "localhost"}).status == 200
    answer = gateway.get("/rooms/1", headers={"Host": "page.example"})
    assert answer.status == 403 and "server.hosts" in answer.json["message"] and "page.example" in answer.json["message"]
    assert start(hosts=["*"]).get("/rooms/1", headers={"Host": "page.example"}).status == 200


def test_a_gateway_that_is_open_to_all_on_purpose(start):
    assert start(allow_unauthenticated_remote=True).get("/rooms/1", headers={"Host": "gw.example"}).status == 200


@pytest.mark.parametrize("origin, status", [
    (None, 200), ("http://127.0.0.1:{port}", 200), ("HTTP://127.0.0.1:{port}", 200),
    (PAGE, 403), ("null", 403), ("http://127.0.0.1", 403), ("http://localhost:{port}", 403), ("127.0.0.1:{port}", 403),
    ("http://page.example/http://127.0.0.1:{port}", 403),
])
def test_origins(start, upstream, origin, status):
    gateway = start()
    headers = {"Origin": origin and origin.format(port=gateway.port)}
    for method, path, body in (("GET", "/rooms/1", None), ("POST", "/rooms", {"name": "a"})):
        answer, calls = seen(upstream, lambda: gateway.request(method, path, body, headers=headers))
        assert (answer.status, calls) == (status, 1 if status == 200 else 0)


def test_origins_of_the_operator(start):
    gateway = start(cors={"origins": [PAGE]})
    assert gateway.post("/rooms", {"name": "a"}, headers={"Origin": PAGE}).status == 200
    answer = gateway.post("/rooms", {"name": "a"}, headers={"Origin": "https://other.example"})
    assert answer.status == 403 and "server.cors.origins" in answer.json["message"]
    gateway = start(cors={"origins": ["*"]})
    assert gateway.post("/rooms", {"name": "a"}, headers={"Origin": PAGE}).status == 200


@pytest.mark.parametrize("kind, status", [
    ("application/json", 200), ("application/json; charset=utf-8", 200), (None, 415), ("text/plain", 415),
    ("application/x-www-form-urlencoded", 415), ("multipart/form-data; boundary=b", 415), ("", 415),
])
def test_a_body_says_what_it_is(start, upstream, kind, status):
    answer, calls = seen(upstream, lambda: start().post("/rooms", b'{"name": "a"}', headers={"Content-Type": kind}))
    assert (answer.status, calls) == (status, 1 if status == 200 else 0)


def test_no_body_needs_no_type(start):
    assert start().post("/rooms").status == 200


def test_what_asks_for_a_credential_is_not_concerned(start, upstream):
    """A foreign page has no credential. A page with a credential is like any other application."""
    gateway = start(auth={"keys": {"file": "keys.json"}})
    headers = {"Host": "gw.example", "Origin": PAGE}
    assert gateway.get("/rooms/1", headers=headers).status == 401
    key = gateway.run("keys", "add", "app", "--scope", "rooms:*").stdout.strip()
    headers["Authorization"] = f"Bearer {key}"
    gateway.wait_log("keys")
    assert gateway.get("/rooms/1", headers=headers).status == 200
    assert gateway.post("/rooms", b'{"name": "a"}', headers={**headers, "Content-Type": None}).status == 200


def test_callers_without_a_credential_beside_others(start, upstream):
    gateway = start(auth={"none": {"scopes": ["rooms:read"]}})
    assert gateway.get("/rooms/1").status == 200
    assert gateway.get("/rooms/1", headers={"Host": "page.example"}).status == 403
    assert gateway.get("/rooms/1", headers={"Origin": PAGE}).status == 403


def test_probes_answer_under_any_name(start):
    assert start().get("/healthz", headers={"Host": "gw.example", "Origin": PAGE}).status == 200
