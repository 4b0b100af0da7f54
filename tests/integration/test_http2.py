"""Calls to an upstream with "http2": true share TLS connections, and one call's fault is not another's."""

import concurrent.futures
import json
import signal
import socket
import ssl

import h2.errors
import pytest

from support.certificates import Authority
from support.gateway import Gateway
from support.http2 import Http2Upstream, Stream
from support.until import until
from support.upstream import FACTOR, TIMEOUT, Reply, Upstream, claims

SECRET = "an app secret for tests that is long enough"
ROOM = {"id": "66f1c0a2b4d93e5a7c118e01", "name": "algebra", "enabled": True}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server_files(authority):
    return authority.issue("upstream")


@pytest.fixture
def upstream(server_files):
    with Http2Upstream(*server_files) as running:
        running.answer = lambda stream: Stream.reply(200, ROOM)
        yield running


@pytest.fixture
def start(tmp_path, authority):
    """Starts a gateway in front of a URL; keywords are settings of that upstream."""
    running = []

    def starter(url, config=None, plugin=None, **settings):
        one = {"url": url + "/v2", "credential": "100ms", "ca_file": str(authority.file), "http2": True,
               "single_flight": False, **settings}
        running.append(Gateway(tmp_path, {
            "credentials": {"100ms": {"kind": "100ms", "access_key": "key", "secret": SECRET}},
            "upstreams": {"api": one}, **(config or {})}, plugins={"rooms": plugin or {}}))
        running[-1].start()
        return running[-1]

    yield starter
    for gateway in running:
        gateway.stop()


@pytest.fixture
def gateway(start, upstream):
    return start(upstream.url)


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(64) as running:
        yield running


def held(upstream, count):
    until(lambda: len(upstream.held) == count, f"{count} calls arrived")


def hold(upstream):
    upstream.answer = lambda stream: None


# --- what is sent and answered ---


def test_a_request_carries_our_credential_and_nothing_of_the_caller(gateway, upstream):
    answer = gateway.get("/rooms/66f1c0a2b4d93e5a7c118e01", headers={
        "Authorization": "Bearer the-callers-own", "Cookie": "a=b", "X-Request-Id": "req-1"})
    assert (answer.status, json.loads(answer.body)) == (200, ROOM)
    seen = upstream.requests[0]
    assert (seen.header(":method"), seen.header(":path")) == ("GET", "/v2/rooms/66f1c0a2b4d93e5a7c118e01")
    assert f"https://{seen.header(':authority')}" == upstream.url
    assert claims(seen.header("authorization").removeprefix("Bearer "), SECRET)["type"] == "management"
    assert seen.header("x-request-id") == "req-1"
    assert not {"cookie", "connection", "transfer-encoding", "upgrade"} & {name for name, _ in seen.headers}


def test_a_body_is_sent_whole(gateway, upstream):
    description = "x" * 200_000
    answer = gateway.post("/rooms", {"name": "a", "description": description})
    assert answer.status == 200, answer.body
    assert json.loads(upstream.requests[0].body) == {"name": "a", "description": description}


def test_interim_answers_and_trailers_are_passed_over(gateway, upstream):
    upstream.answer = lambda stream: Stream.reply(
        200, ROOM, headers=[("cache-control", "no-store")], interim=[103, 103], trailers=[("x-sum", "1")])
    answer = gateway.get("/rooms/1")
    assert (answer.status, json.loads(answer.body)) == (200, ROOM)
    assert answer.header("X-Interim") is None and answer.header("X-Sum") is None


def test_an_answer_over_its_limit_is_refused_and_the_connection_stays(start, upstream):
    gateway = start(upstream.url, answer_max="8k")
    upstream.answer = lambda stream: Stream.reply(200, {"name": "x" * 9000})
    assert gateway.get("/rooms/1").status == 502
    upstream.answer = lambda stream: Stream.reply(200, ROOM)
    assert gateway.get("/rooms/1").status == 200
    assert upstream.connections == 1


# --- connections are shared ---


def test_calls_at_the_same_time_share_one_connection(gateway, upstream, pool):
    hold(upstream)
    calls = [pool.submit(gateway.get, f"/rooms/{n}") for n in range(40)]
    held(upstream, 40)
    assert upstream.connections == 1
    upstream.let_go(200, ROOM)
    assert [call.result().status for call in calls] == [200] * 40
    assert gateway.get("/rooms/1").status == 200
    assert upstream.connections == 1, "a connection that is not used is kept"


def test_calls_wait_for_a_connection_that_is_being_made(gateway, upstream, pool):
    upstream.greets.clear()
    calls = [pool.submit(gateway.get, f"/rooms/{n}") for n in range(20)]
    until(lambda: 'calls_waiting{for="upstream"} 20' in gateway.admin("/metrics").body.decode(), "20 calls wait")
    upstream.greets.set()
    assert [call.result().status for call in calls] == [200] * 20
    assert upstream.connections == 1


def test_more_calls_than_streams_take_more_connections(server_files, start, pool):
    """Until the settings of a new connection have come, libcurl assigns calls to it that have to wait for a stream later."""
    with Http2Upstream(*server_files, streams_max=10) as upstream:
        gateway = start(upstream.url)
        assert gateway.get("/rooms/1").status == 200  # from now on the gateway knows the limit
        hold(upstream)
        calls = [pool.submit(gateway.get, f"/rooms/{n}") for n in range(35)]
        until(lambda: len(upstream.held) >= 20, "20 calls on two connections")
        assert 2 <= upstream.connections < 20
        upstream.let_go(200, ROOM)
        assert [call.result().status for call in calls] == [200] * 35


def test_an_answer_goes_to_the_call_that_asked(gateway, upstream, pool):
    """Answers come in the reverse order of the requests."""
    hold(upstream)
    calls = [pool.submit(gateway.get, f"/rooms/{n}") for n in range(20)]
    held(upstream, 20)
    for stream in reversed(upstream.held):
        stream.send(200, {"id": stream.header(":path").rsplit("/", 1)[1]})
    assert [json.loads(call.result().body)["id"] for call in calls] == [str(n) for n in range(20)]


# --- a call that ends early ---


def test_a_client_that_left_resets_its_stream_only(gateway, upstream, pool):
    hold(upstream)
    with socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT) as client:
        client.sendall(b"GET /rooms/1 HTTP/1.1\r\nHost: x\r\n\r\n")
        held(upstream, 1)
        other = pool.submit(gateway.get, "/rooms/2")
        held(upstream, 2)
    gateway.wait_log('"status":499')
    assert upstream.held[1].ended_by_peer is None
    upstream.held[1].send(200, ROOM)
    assert other.result().status == 200
    upstream.answer = lambda stream: Stream.reply(200, ROOM)
    assert gateway.get("/rooms/3").status == 200
    # libcurl sends the reset with the next frame at the latest.
    until(lambda: upstream.held[0].ended_by_peer is not None)
    assert upstream.connections == 1


def test_a_call_that_is_too_late_does_not_end_the_others(start, upstream, pool):
    gateway = start(upstream.url, timeout="30s", plugin={"routes": {"rooms.get": {"timeout": f"{FACTOR:.0f}s"}}})
    assert gateway.post("/rooms", {"name": "first"}).status == 200  # so that there is a connection
    hold(upstream)
    late = pool.submit(gateway.get, "/rooms/1")
    held(upstream, 1)
    other = pool.submit(gateway.post, "/rooms", {"name": "a"})
    held(upstream, 2)
    assert late.result().status == 504
    upstream.held[1].send(200, ROOM)
    assert other.result().status == 200


# --- faults ---


@pytest.mark.parametrize("code", [h2.errors.ErrorCodes.INTERNAL_ERROR, h2.errors.ErrorCodes.REFUSED_STREAM])
def test_a_get_whose_stream_was_reset_is_repeated(gateway, upstream, code):
    answers = [lambda stream: stream.reset(code), Stream.reply(200, ROOM)]
    upstream.answer = lambda stream: answers.pop(0)
    assert gateway.get("/rooms/1").status == 200
    assert len(upstream.requests) == 2


def test_a_post_whose_stream_was_reset_is_not_repeated(gateway, upstream):
    upstream.answer = lambda stream: lambda stream: stream.reset(h2.errors.ErrorCodes.INTERNAL_ERROR)
    assert gateway.post("/rooms", {"name": "a"}).status == 502
    assert len(upstream.requests) == 1


def test_a_post_on_a_kept_connection_that_breaks_is_not_repeated(gateway, upstream):
    assert gateway.get("/rooms/1").status == 200
    upstream.answer = lambda stream: lambda stream: stream.connection.close()
    assert gateway.post("/rooms", {"name": "a"}).status == 502
    assert [request.header(":method") for request in upstream.requests] == ["GET", "POST"]


def test_a_post_that_was_refused_unprocessed_is_repeated(gateway, upstream):
    """REFUSED_STREAM says that nothing was done (RFC 9113, section 8.7), as does a GOAWAY for later streams."""
    answers = [lambda stream: stream.reset(h2.errors.ErrorCodes.REFUSED_STREAM), Stream.reply(200, ROOM)]
    upstream.answer = lambda stream: answers.pop(0)
    assert gateway.post("/rooms", {"name": "a"}).status == 200
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("fault", [
    lambda stream: stream.go_away(),
    lambda stream: stream.connection.close(),
    lambda stream: stream.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    lambda stream: stream.raw(b"\xff" * 64),
], ids=["GOAWAY", "closed", "HTTP/1.1", "no frame"])
def test_a_connection_that_broke_costs_no_get(gateway, upstream, fault):
    answers = [fault, Stream.reply(200, ROOM)]
    upstream.answer = lambda stream: answers.pop(0)
    assert gateway.get("/rooms/1").status in (200, 502)
    answers[:] = [Stream.reply(200, ROOM)]
    assert gateway.get("/rooms/1").status == 200


def test_an_upstream_that_is_away_is_told_as_with_http1(start, upstream):
    gateway = start(upstream.url, retries=0)
    assert gateway.get("/rooms/1").status == 200
    upstream.end()
    until(lambda: gateway.get("/rooms/1").status == 502)


# --- an upstream without HTTP/2 ---


@pytest.mark.parametrize("transport", ["http1", "curl"])
@pytest.mark.parametrize("protocols", [None, ["http/1.1"]], ids=["no ALPN", "http/1.1"])
def test_an_upstream_without_http2_is_called_with_http1(start, server_files, transport, protocols):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server_files)
    if protocols:
        context.set_alpn_protocols(protocols)
    with Upstream(tls=context) as plain:
        plain.default = Reply(ROOM)
        gateway = start(plain.url.replace("127.0.0.1", "localhost"), transport=transport)
        for _ in range(2):
            assert gateway.post("/rooms", {"name": "a"}).status == 200
        assert [(request.line, request.version) for request in plain.requests] == [("POST /v2/rooms", "HTTP/1.1")] * 2
        assert gateway.log.count("does not agree to HTTP/2") == 1


def test_http2_without_tls_is_refused_at_the_start(tmp_path):
    gateway = Gateway(tmp_path, {"upstreams": {"api": {"url": "http://localhost:1", "http2": True}}},
                      plugins={"rooms": {}})
    gateway.write()
    checked = gateway.run("check")
    assert checked.returncode != 0
    assert "upstreams.api.http2" in checked.stderr and "needs an https URL" in checked.stderr


# --- the ends of a gateway and of a generation ---


def test_calls_of_the_generation_before_a_reload_are_answered(gateway, upstream, pool):
    hold(upstream)
    old = [pool.submit(gateway.get, f"/rooms/{n}") for n in range(5)]
    held(upstream, 5)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log("reloaded")
    new = pool.submit(gateway.get, "/rooms/9")
    held(upstream, 6)
    upstream.let_go(200, ROOM)
    assert [call.result().status for call in [*old, new]] == [200] * 6


def test_a_stop_ends_calls_that_hang(start, upstream, pool):
    gateway = start(upstream.url, config={"server": {"drain_timeout": "200ms"}})
    hold(upstream)
    calls = [pool.submit(gateway.get, f"/rooms/{n}") for n in range(5)]
    held(upstream, 5)
    gateway.stop()
    assert [call.result().status for call in calls] == [503] * 5
