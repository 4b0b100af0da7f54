"""What upstreams see of callers: requests, tokens, connections, TLS, many calls at once."""

import concurrent.futures
import json
import socket
import ssl
import subprocess
import threading
import time

import pytest

from support.transports import ROOM, SECRET, alive, error_of, gateway, start, upstream  # noqa: F401 (fixtures)
from support.until import until
from support.upstream import TIMEOUT, Reply, Upstream, claims


# --- forwarding ---


def test_a_forwarded_get_carries_our_credential_and_nothing_of_the_caller(gateway, upstream):
    upstream.default = Reply(ROOM)
    answer = gateway.get("/rooms/66f1c0a2b4d93e5a7c118e01", headers={
        "Authorization": "Bearer the-callers-own", "Cookie": "a=b", "X-Secret": "x", "Accept-Encoding": "gzip",
        "X-Forwarded-Host": "evil", "X-Request-Id": "req-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    assert (answer.status, json.loads(answer.body)) == (200, ROOM)
    seen = upstream.requests[0]
    assert seen.line == "GET /v2/rooms/66f1c0a2b4d93e5a7c118e01"
    assert sorted(name.lower() for name, _ in seen.headers) == [
        "accept", "authorization", "content-type", "host", "traceparent", "user-agent", "x-request-id"]
    assert seen.header("Host") == f"127.0.0.1:{upstream.port}"
    assert seen.header("X-Request-Id") == "req-1"
    assert seen.header("traceparent").split("-")[1] == "0af7651916cd43dd8448eb211c80319c"
    assert seen.header("User-Agent").startswith("greenroom/")
    token = claims(seen.token, SECRET)
    now = time.time()
    assert (token["type"], token["version"], token["access_key"]) == ("management", 2, "key")
    assert now - 60 < token["iat"] == token["nbf"] < now
    assert token["exp"] == token["nbf"] + 24 * 3600


def test_bytes_of_a_body_go_on_as_they_came(gateway, upstream):
    body = b'{ "name" : "a\\u0062c",\n "size": 3, "extra": 1e2 }'
    assert gateway.post("/rooms", body=body).status == 200
    assert upstream.requests[0].body == body
    assert upstream.requests[0].header("Content-Type") == "application/json"


def test_bytes_of_an_answer_come_back_as_they_were(gateway, upstream):
    body = b'{"a" : 1.50,\n\t"a": "\\u00e9" } '
    upstream.default = Reply(body, status=201, headers=[
        ("X-RateLimit-Limit", "10"), ("RateLimit-Remaining", "9"), ("Retry-After", "3"), ("Set-Cookie", "a=b"),
        ("Server", "secret/1.0"), ("Location", "http://evil/")])
    answer = gateway.get("/rooms/1")
    assert (answer.status, answer.body) == (201, body)
    assert answer.header("X-RateLimit-Limit") == "10"
    assert answer.header("RateLimit-Remaining") == "9"
    assert answer.header("Retry-After") == "3"
    for name in ("Set-Cookie", "Location"):
        assert answer.header(name) is None
    assert "secret" not in str(answer.headers)


def test_an_error_of_the_upstream_comes_back_with_its_body(gateway, upstream):
    upstream.will(Reply({"code": 404, "message": "room not found", "details": ["x"]}, 404), Reply.too_many(7))
    answer = gateway.get("/rooms/1")
    assert (answer.status, json.loads(answer.body)["message"]) == (404, "room not found")
    answer = gateway.get("/rooms/1")
    assert (answer.status, answer.header("Retry-After")) == (429, "7")


def test_a_parameter_stays_one_segment(gateway, upstream):
    upstream.default = Reply(ROOM)
    for sent, seen in (("a%2Fb", "a%2Fb"), ("a%3Fb=c", "a%3Fb%3Dc"), ("a%23b", "a%23b"), ("a%20b", "a%20b"),
                       ("%C3%A9", "%C3%A9"), ("a;b", "a%3Bb"), ("..a", "..a")):
        upstream.forget()
        answer = gateway.get(f"/rooms/{sent}")
        if answer.status < 400:
            assert upstream.lines == [f"GET /v2/rooms/{seen}"]
        else:
            assert upstream.lines == [], "refused, and yet the upstream was called"


def test_one_token_serves_everybody(gateway, upstream):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert {a.status for a in pool.map(lambda n: gateway.get(f"/rooms/{n}"), range(100))} == {200}
    assert len({request.token for request in upstream.requests}) == 1


def test_connections_are_kept(gateway, upstream):
    for n in range(20):
        assert gateway.get(f"/rooms/{n}").status == 200
    assert upstream.connections == 1


def test_a_redirect_is_neither_followed_nor_passed_on(gateway, upstream):
    with Upstream() as other:
        upstream.default = Reply(status=302, headers=[("Location", other.url + "/steal")])
        answer = gateway.get("/rooms/1")
        assert answer.status == 502
        assert answer.header("Location") is None
        assert other.requests == []


# --- tokens ---


def test_a_refused_token_is_renewed_and_the_post_repeated_once(gateway, upstream):
    upstream.will(Reply.unauthorized())
    assert gateway.post("/rooms", body=b'{"name":"a"}').status == 200
    assert upstream.lines == ["POST /v2/rooms"] * 2
    first, second = upstream.requests
    assert first.body == second.body == b'{"name":"a"}'
    assert claims(first.token)["jti"] != claims(second.token, SECRET)["jti"]
    gateway.get("/rooms/1")
    assert upstream.requests[2].token == second.token


def test_a_lasting_401_is_passed_on_after_one_repeat(gateway, upstream):
    upstream.default = Reply.unauthorized()
    assert gateway.get("/rooms/1").status == 401
    assert len(upstream.requests) == 2
    for _ in range(5):
        assert gateway.get("/rooms/1").status == 401
    assert len(upstream.requests) == 7, "a wrong secret must not double every call"
    alive(gateway, upstream)


def test_many_refused_calls_mint_one_token(gateway, upstream):
    assert gateway.get("/rooms/1").status == 200
    old = upstream.requests[0].token
    upstream.default = lambda request: Reply.unauthorized() if request.token == old else Reply(ROOM)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert {a.status for a in pool.map(lambda n: gateway.get(f"/rooms/{n}"), range(64))} == {200}
    assert len({request.token for request in upstream.requests}) == 2


# --- TLS ---


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Self-signed certificates, one for 127.0.0.1 and one for another host."""
    directory = tmp_path_factory.mktemp("tls")
    for name, subject in (("good", "IP:127.0.0.1"), ("other", "DNS:elsewhere.example")):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=test", "-addext", f"subjectAltName={subject}", "-keyout", directory / f"{name}.key",
             "-out", directory / f"{name}.pem"], check=True, capture_output=True)
    return directory


@pytest.mark.parametrize("certificate, settings, status", [
    ("good", {"ca_file": "good.pem"}, 200),
    ("good", {}, 502),
    ("good", {"ca_file": "other.pem"}, 502),
    ("other", {"ca_file": "other.pem"}, 502),
    ("other", {"verify": False}, 200),
], ids=["known authority", "unknown authority", "another authority", "another host", "not verified"])
def test_the_certificate_of_an_upstream_is_verified(start, certificates, certificate, settings, status):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{certificate}.pem", certificates / f"{certificate}.key")
    settings = {k: str(certificates / v) if k == "ca_file" else v for k, v in settings.items()}
    with Upstream(tls=context) as secure:
        secure.default = Reply(ROOM)
        gateway = start(url=secure.url + "/v2", **settings)
        for _ in range(2):
            assert gateway.get("/rooms/1").status == status
        assert len(secure.requests) == (2 if status == 200 else 0)
        if status == 200:
            assert secure.connections == 1, "TLS connections are kept as well"


# --- concurrent requests ---


def test_a_client_that_left_cancels_its_call(start, upstream):
    gateway = start(timeout="60s")
    upstream.will(Reply.hang())
    with socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT) as client:
        client.sendall(b"GET /rooms/1 HTTP/1.1\r\nHost: x\r\n\r\n")
        upstream.wait_requests(1)
    upstream.wait(lambda up: up.requests and up.requests[0].abandoned)


@pytest.mark.parametrize("head, body", [("GET /rooms/1", b""), ("POST /rooms", b'{"name":"a"}')], ids=["get", "post"])
def test_a_client_that_has_ended_its_side_gets_its_answer(gateway, upstream, head, body):
    """It ends its side with the segment of its request, and can still read."""
    upstream.will(Reply(ROOM, delay=0.5))
    with socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT) as connection:
        connection.sendall(f"{head} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body, socket.MSG_MORE)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(json.dumps(ROOM).encode()), answer


def test_more_calls_than_connections_are_503_at_once(start, upstream):
    gateway = start(connections_max=2, timeout="30s")
    upstream.default = Reply(ROOM, delay=1.0)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: gateway.get(f"/rooms/{n}"), range(6)))
    assert sorted(answer.status for answer in answers).count(200) >= 2
    busy = [answer for answer in answers if answer.status == 503]
    assert busy
    for answer in busy:
        error_of(answer, 503)
        assert int(answer.header("Retry-After")) >= 1
    alive(gateway, upstream)


def test_a_failing_upstream_is_left_alone_and_taken_up_again(start, upstream):
    gateway = start(retries=0, breaker={"min_calls": 5, "open": "2s"})
    upstream.default = Reply.close()
    for n in range(5):
        error_of(gateway.get(f"/rooms/{n}"), 502)
    answer = gateway.get("/rooms/1")
    error_of(answer, 503)
    assert int(answer.header("Retry-After")) >= 1
    assert len(upstream.requests) == 5
    upstream.default = Reply(ROOM)
    until(lambda: gateway.get("/rooms/1").status == 200, "the breaker closes")


def test_slow_calls_run_side_by_side(start, upstream):
    gateway = start(connections_max=200)
    upstream.default = Reply(ROOM, delay=0.5)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        assert {a.status for a in pool.map(lambda n: gateway.get(f"/rooms/{n}"), range(100))} == {200}
    assert time.monotonic() - began < TIMEOUT


def test_no_secret_is_logged(start, upstream):
    gateway = start(retries=0)
    upstream.will(Reply.unauthorized(), Reply.close(), Reply.garbage(), Reply.short())
    for _ in range(4):
        gateway.get("/rooms/1?after=2024-01-01T00:00:00Z")
    gateway.stop()
    assert SECRET not in gateway.log
    for request in upstream.requests:
        assert request.token not in gateway.log
