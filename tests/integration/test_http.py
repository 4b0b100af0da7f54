"""From the socket to the handler and back: accepted and refused requests."""

import json
import select
import signal
import socket
import threading
import time

import pytest
from support.until import until
from support.upstream import TIMEOUT
from support.wire import Gateway

HOST = b"Host: a\r\n"
OK = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def gateway():
    server = {"workers": 16, "body_timeout": "1s", "header_timeout": "2s", "body_max": "64k"}
    with Gateway(plugins={"probe": {}}, server=server) as running:
        yield running


def post(headers, body=b"", path=b"/probe/json"):
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def wait_in_flight(gateway, count):
    """Waits until count requests are being served, not counting the request that asks."""

    def there():
        metrics = gateway.admin("/metrics").body.decode()
        return f"greenroom_requests_in_flight {count + 1}\n" in metrics

    until(there, f"{count} requests in flight")


# --- what is refused ---

REFUSED = {
    "content-length and transfer-encoding": (
        post(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + OK), 400),
    "two content-lengths": (post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"{}  " + OK), 400),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n" + OK, 400),
    "two hosts": (b"GET /healthz HTTP/1.1\r\n" + HOST + HOST + b"\r\n" + OK, 400),
    "65 headers": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: 1\r\n" * 64 + b"\r\n" + OK, 431),
    "100 headers": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: 1\r\n" * 99 + b"\r\n" + OK, 431),
    "length 0abc": (post(b"Content-Length: 0abc\r\n", OK), 400),
    "length +0": (post(b"Content-Length: +0\r\n", OK), 400),
    "length -1": (post(b"Content-Length: -1\r\n", OK), 400),
    "length of 2^70": (post(b"Content-Length: 1180591620717411303424\r\n", OK), 413),
    "space before the colon": (post(b"Content-Length : 0\r\n", OK), 400),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: a\n\n" + OK, 400),
    "one bare line feed": (b"GET /healthz HTTP/1.1\r\nHost: a\nX: b\r\n\r\n" + OK, 400),
    "folded header": (post(b"X: a\r\n b\r\nContent-Length: 100\r\n", OK), 400),
    "nameless header": (post(b": a\r\nContent-Length: 100\r\n", OK), 400),
    "another coding": (post(b"Transfer-Encoding: gzip, chunked\r\n", OK), 400),
    "identity coding": (post(b"Transfer-Encoding: identity\r\n", OK), 400),
    "chunk extension": (post(b"Transfer-Encoding: chunked\r\n", b"2;a=b\r\n{}\r\n0\r\n\r\n"), 400),
    "negative chunk": (post(b"Transfer-Encoding: chunked\r\n", b"FFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"), 400),
    "chunks over the limit": (post(b"Transfer-Encoding: chunked\r\n", b"8000\r\n" + b"x" * 32768 + b"\r\n"
                                   + b"8001\r\n" + b"x" * 32769 + b"\r\n"), 413),
    "long target": (b"GET /" + b"a" * 10000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "30 KB target": (b"GET /" + b"a" * 30000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
    "40 KB of headers": (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 40000 + b"\r\n\r\n", 431),
    "control character": (b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "two spaces": (b"GET  /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "two empty lines in front": (b"\r\n\r\n" + OK, 400),
    "unknown method": (b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_and_closed(gateway, what):
    sent, status = REFUSED[what]
    with gateway.raw(sent) as raw:
        answer = raw.answer()
        assert answer.status == status, answer
        assert answer.json["code"] == status
        assert answer.header("Connection") == "close"
        assert raw.closed(), "what followed was taken for a request"
    assert gateway.request("GET", "/healthz").status == 200


def test_nested_brackets_do_not_reach_the_parser(gateway):
    for body in ("[" * 1600, '{"a":' * 1600, "[" * 1600 + "]" * 1600):
        answer = gateway.request("POST", "/probe/json", body, {"Content-Type": "application/json"})
        assert answer.status == 400 and answer.json["code"] == 400


def test_dots_and_escapes_make_no_segments(gateway):
    for path in ("/probe/../healthz", "/probe/%2e%2e/healthz", "//healthz", "/healthz%2f", "/healthz%00", "/%zz"):
        with gateway.raw(b"GET " + path.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n") as raw:
            assert raw.answer().status in (400, 404), path


# --- bodies ---


def test_bodies_whole_and_in_chunks(gateway):
    body = bytes(range(256)) * 200
    assert gateway.request("POST", "/probe/echo", body).body == body
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:1], body[1:40000], body[40000:]))
    with gateway.raw(post(b"Transfer-Encoding: chunked\r\n", chunks + b"0\r\n\r\n", b"/probe/echo") + OK) as raw:
        assert raw.answer().body == body
        assert raw.answer().json == {"status": "ok"}, "the next request on the connection"


def test_a_body_over_the_limit_is_refused_unread(gateway):
    with gateway.raw(post(b"Content-Length: 65537\r\nExpect: 100-continue\r\n")) as raw:
        assert raw.answer().status == 413
        assert raw.closed()
    with gateway.raw(post(b"Content-Length: 101\r\n", b"x" * 101, b"/probe/small")) as raw:
        assert raw.answer().status == 413
        assert raw.closed()


def test_a_route_may_have_a_larger_limit_than_the_server(gateway):
    assert len(gateway.request("POST", "/probe/ample", b"x" * 100_000).body) == 100_000
    with gateway.raw(post(b"Content-Length: 100001\r\nExpect: 100-continue\r\n", path=b"/probe/ample")) as raw:
        assert raw.answer().status == 413
        assert raw.closed()


def test_the_answer_to_a_refused_upload_arrives(gateway):
    size = 3_000_000
    with gateway.raw(post(b"Content-Length: %d\r\n" % size, b"x" * size)) as raw:
        assert raw.answer().status == 413


def test_expect_is_answered_when_the_body_is_wanted(gateway):
    with gateway.raw(post(b"Content-Length: 2\r\nExpect: 100-continue\r\n")) as raw:
        assert raw.answer().status == 100
        raw.send(b"{}")
        assert raw.answer().status == 200


def test_values_that_fill_the_memory_of_a_request_are_refused():
    with Gateway(plugins={"probe": {}}, server={"call_memory_max": "64k"}) as small:
        for count, status in ((100, 200), (8000, 413)):
            body = b'{"list": [' + b"1," * count + b"1]}"
            with small.raw(post(b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body), body)) as raw:
                assert raw.answer().status == status


def test_bodies_that_wait_share_a_limit():
    with Gateway(plugins={"probe": {}}, server={"waiting_bytes_max": "64k"}) as small:
        part = post(b"Content-Length: 50000\r\n", b"[" + b" " * 49000)
        with small.raw(part):
            wait_in_flight(small, 1)
            with small.raw(part) as second:
                assert second.answer().status == 503


def test_a_silent_body_ends_in_time(gateway):
    began = time.monotonic()
    with gateway.raw(post(b"Content-Length: 100\r\n", b"{")) as raw:
        assert raw.answer().status == 408
        assert raw.closed()
    assert 0.8 < time.monotonic() - began < TIMEOUT


def test_a_trickled_body_ends_in_time(gateway):
    began = time.monotonic()
    with gateway.raw(post(b"Content-Length: 60000\r\n")) as raw:
        stop = threading.Event()

        def trickle():
            while not stop.wait(0.05):
                try:
                    raw.send(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
                assert raw.answer().status == 408
        finally:
            stop.set()
            thread.join()
    assert time.monotonic() - began < TIMEOUT


def test_a_target_in_absolute_form_is_served(gateway):
    with gateway.raw(b"GET http://gw.example/healthz HTTP/1.1\r\nHost: gw.example\r\n\r\n") as raw:
        assert raw.answer().status == 200
    gateway.wait_log('"path":"/healthz".*"status":200')


def test_a_body_that_ends_early_is_refused(gateway):
    with gateway.raw(post(b"Content-Length: 100\r\n", b"{}")) as raw:
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.answer().status == 400


def test_a_body_nobody_wants_leaves_the_connection_open(gateway):
    with gateway.raw(post(b"Content-Length: 5\r\n", b"12345", b"/probe/none") + OK) as raw:
        assert raw.answer().status == 204
        assert raw.answer().status == 200


def test_content_types(gateway):
    for kind in ("application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json", None):
        assert gateway.request("POST", "/probe/json", b"{}", {"Content-Type": kind}).status == 200, kind
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        assert gateway.request("POST", "/probe/json", b"{}", {"Content-Type": kind}).status == 415, kind


def test_an_empty_body_counts_as_an_object(gateway):
    assert gateway.request("POST", "/probe/json").json == {"members": 0}
    assert gateway.request("POST", "/probe/json", b" \r\n").json == {"members": 0}


# --- heads ---


def test_a_silent_head_is_closed_and_half_a_head_is_told(gateway):
    began = time.monotonic()
    with gateway.raw() as silent, gateway.raw(b"GET / HT") as half:
        assert half.answer().status == 408
        assert silent.closed()
    assert time.monotonic() - began < TIMEOUT


def test_pipelined_requests_are_answered_in_order(gateway):
    second = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
    with gateway.raw(OK + second + OK) as raw:
        assert [raw.answer().json for _ in range(3)] == [
            {"status": "ok"}, {"message": "gateway is up"}, {"status": "ok"}]


def test_head_options_allow_and_trailing_slash(gateway):
    with gateway.raw(OK.replace(b"GET", b"HEAD") + OK) as raw:
        answer = raw.answer(head=True)
        assert answer.status == 200 and answer.header("Content-Length") == "15"
        assert raw.answer().json == {"status": "ok"}
    answer = gateway.request("OPTIONS", "/healthz")
    assert answer.status == 204 and answer.header("Allow") == "GET, HEAD, OPTIONS"
    assert answer.header("Content-Length") is None
    answer = gateway.request("POST", "/healthz")
    assert answer.status == 405 and answer.header("Allow") == "GET, HEAD, OPTIONS"
    assert gateway.request("GET", "/healthz/").status == 200
    assert gateway.request("OPTIONS", "/nowhere").status == 404


def test_without_memory_for_allow_the_request_fails():
    """The decoded path takes so much of the memory of a call that the methods of Allow fit beside it, or do not."""
    with Gateway(plugins={"probe": {}}, server={"call_memory_max": "64k", "uri_max": "70000"}) as gateway:
        answer = gateway.request("POST", "/probe/secret/%41" + "a" * 65_000)
        assert answer.status == 405 and answer.header("Allow") == "GET, HEAD, OPTIONS"
        answer = gateway.request("POST", "/probe/secret/%41" + "a" * 65_516)
        assert answer.status == 500 and answer.header("Allow") is None


def test_request_ids_and_access_log(gateway):
    answer = gateway.request("GET", "/healthz?secret=hush", headers={"X-Request-Id": "test-1.a_B"})
    assert answer.header("X-Request-Id") == "test-1.a_B"
    line = gateway.access("test-1.a_B")
    assert line["status"] == 200 and line["route"] == "health.live" and line["path"] == "/healthz"
    assert line["bytes"] > 100 and line["duration_ms"] > 0 and line["peer"] == "127.0.0.1"
    assert "hush" not in gateway.log
    answer = gateway.request("GET", "/healthz", headers={"X-Request-Id": "bad id\" {"})
    assert len(answer.header("X-Request-Id")) == 36
    answer = gateway.request("GET", "/probe/secret/sesame")
    assert gateway.access(answer.header("X-Request-Id"))["path"] == "/probe/secret/{key}"
    assert "sesame" not in gateway.log


def test_large_answers_arrive_whole(gateway):
    assert len(gateway.request("GET", "/probe/large/5000000").body) == 5_000_000


def test_an_answer_that_is_cut(gateway):
    with gateway.raw(b"GET /probe/cut/0 HTTP/1.1\r\n" + HOST + b"\r\n") as raw:
        assert raw.closed()
    with gateway.raw(b"GET /probe/cut/20 HTTP/1.1\r\n" + HOST + b"\r\n") as raw:
        assert raw.socket.recv(100) == b"HTTP/1.1 200 OK\r\nDat"


def test_a_timer_can_be_woken(gateway):
    assert gateway.request("POST", "/probe/wake").status == 204
    gateway.wait_log("probe ticks")


def test_admin_listener(gateway):
    assert gateway.admin("/readyz").json["status"] == "ready"
    assert b"greenroom_requests_total" in gateway.admin("/metrics").body
    assert gateway.request("GET", "/metrics").status == 404
    assert gateway.admin("/probe/wait/0").status == 404


# --- scarce workers, draining, reloading ---


def test_admin_answers_when_every_worker_is_busy():
    with Gateway(plugins={"probe": {}}, server={"workers": 2}) as gateway:
        busy = [gateway.raw(b"GET /probe/wait/4000 HTTP/1.1\r\n" + HOST + b"\r\n") for _ in range(2)]
        wait_in_flight(gateway, 2)
        assert gateway.admin("/healthz").status == 200
        assert not select.select([raw.socket for raw in busy], [], [], 0)[0], "they are busy all the while"
        assert [raw.answer().status for raw in busy] == [200, 200]


def test_requests_are_shed_when_workers_run_out():
    with Gateway(plugins={"probe": {"calls_max": 10}}, server={"workers": 10}) as gateway:
        busy = [gateway.raw(b"GET /probe/wait/4000 HTTP/1.1\r\n" + HOST + b"\r\n") for _ in range(9)]
        wait_in_flight(gateway, 9)
        answer = gateway.request("GET", "/probe/wait/0")
        assert answer.status == 503 and answer.header("Retry-After") and answer.header("Connection") == "close"
        assert [raw.answer().status for raw in busy] == [200] * 9


def test_silent_connections_do_not_stop_others():
    with Gateway(server={"workers": 8, "header_timeout": "30s"}) as gateway:
        silent = [gateway.raw() for _ in range(60)]
        slow = [gateway.raw(b"GET / HT") for _ in range(20)]
        began = time.monotonic()
        assert gateway.request("GET", "/healthz").status == 200
        assert time.monotonic() - began < TIMEOUT
        for raw in silent + slow:
            raw.socket.close()


def test_sigterm_drains():
    with Gateway(plugins={"probe": {}}) as gateway:
        idle = gateway.raw(OK)
        assert idle.answer().status == 200
        busy = gateway.raw(b"POST /probe/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\n")
        wait_in_flight(gateway, 1)
        gateway.signal(signal.SIGTERM)
        gateway.wait_log("stopping on SIGTERM")
        late = gateway.raw(b"GET /probe/wait/0 HTTP/1.1\r\n" + HOST + b"\r\n")
        assert late.answer().status == 503
        busy.send(b"x")
        answer = busy.answer()
        assert answer.status == 200 and answer.header("Connection") == "close"
        assert idle.closed()
        assert gateway.process.wait(TIMEOUT) == 0


def test_sighup_swaps_the_config_and_keeps_it_when_it_is_bad():
    with Gateway(plugins={"probe": {}}) as gateway:
        busy = gateway.raw(b"POST /probe/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\n")
        wait_in_flight(gateway, 1)
        gateway.plugins = {}
        gateway.write()
        gateway.signal(signal.SIGHUP)
        gateway.wait_log('"reloaded: 0 groups')
        assert gateway.request("GET", "/probe/wait/0").status == 404
        busy.send(b"x")
        assert busy.answer().status == 200
        gateway.wait_log("last request has ended")
        gateway.config["server"]["nonsense"] = 1
        gateway.write()
        gateway.signal(signal.SIGHUP)
        gateway.wait_log("going on with the old one")
        assert gateway.request("GET", "/healthz").status == 200


def test_a_busy_port_is_one_clear_line(gateway):
    again = Gateway(server={"listen": [f"127.0.0.1:{gateway.port}"]})
    with pytest.raises(AssertionError):
        again.__enter__()
    assert again.process.wait(TIMEOUT) == 4
    again.wait_log(rf"cannot listen on 127\.0\.0\.1:{gateway.port}: Address already in use")
    assert len([line for line in again.log.splitlines() if json.loads(line)["level"] == "error"]) == 1


# --- headers of every answer ---


def test_no_answer_is_guessed_at_by_a_browser(gateway):
    for path in ("/healthz", "/nowhere", "/probe/large/10"):
        assert gateway.get(path).header("X-Content-Type-Options") == "nosniff"
        assert gateway.get(path).header("Strict-Transport-Security") is None  # browsers ignore it without TLS


def test_the_public_word_on_readiness_names_nothing(gateway):
    assert gateway.get("/readyz").json == {"status": "ready"}
    assert set(gateway.admin("/readyz").json) == {"status", "checks"}


@pytest.mark.parametrize("target,headers,status", [(1024, 4096, 200), (1024, 4097, 431), (1025, 4096, 414)])
def test_a_head_may_be_as_large_as_the_reference_says(target, headers, status):
    """header_max counts only the header lines and uri_max only the target."""
    with Gateway(server={"header_max": "4k", "uri_max": "1k"}) as gateway:
        path = b"/healthz?" + b"q" * (target - len("/healthz?"))
        lines = b"X: " + b"x" * (headers - len(HOST) - len("X: \r\n")) + b"\r\n"
        with gateway.raw(b"GET " + path + b" HTTP/1.1\r\n" + HOST + lines + b"\r\n") as raw:
            assert raw.answer().status == status
