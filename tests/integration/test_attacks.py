"""A table of attacks by requests. Each row is a test: it has the bytes to send and the allowed answers.

After every row the program still runs, it has sent at most one answer, a JSON error, and the upstream has seen as many
calls as the row says, usually none.
"""

import re
import time

import pytest

from support.attacks import GET, POST, alive, answers_of, exchange
from support.attacks import gateway, upstream  # noqa: F401 (fixtures)
from support.upstream import TIMEOUT

SMUGGLED = b"GET /rooms/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def check(gateway, upstream, data, statuses, calls=0):
    """Checks that the first answer has one of the statuses, with the status in its body when it is an error, and that no
    other answer follows. None among the statuses: the connection may be closed without an answer."""
    before = len(upstream.requests)
    answers = answers_of(exchange(gateway, data))
    statuses = statuses if isinstance(statuses, tuple) else (statuses,)
    if answers:
        assert len(answers) == 1, f"more than one answer: {answers}"
        status, body = answers[0]
        assert status in statuses, answers
        if status >= 400 and body is not None:
            assert body["code"] == status and body["message"]
    else:
        assert None in statuses, "closed without an answer"
    assert len(upstream.requests) - before == calls, upstream.lines[before:]
    assert alive(gateway)


def rows(*table):
    """Parametrizes by rows whose first column names them."""
    width = len(table[0])
    return pytest.mark.parametrize(["what", "data", "statuses", "calls"][:width], table, ids=[row[0] for row in table])


def body(data, *headers):
    """A POST of these bytes."""
    return b"".join([POST, *(header + b"\r\n" for header in headers), b"Content-Length: %d\r\n" % len(data),
                     b"Connection: close\r\n\r\n", data])


# --- requests that two parsers could read differently ---


@rows(
    ("length and chunks", POST + b"Content-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunks and length", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("two lengths", POST + b"Content-Length: 2\r\nContent-Length: 44\r\n\r\n{}" + SMUGGLED, 400),
    ("equal lengths twice", POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED, 400),
    ("list of lengths", POST + b"Content-Length: 2, 2\r\n\r\n{}" + SMUGGLED, 400),
    ("negative length", POST + b"Content-Length: -1\r\n\r\n" + SMUGGLED, 400),
    ("signed length", POST + b"Content-Length: +2\r\n\r\n{}" + SMUGGLED, 400),
    ("length in hex", POST + b"Content-Length: 0x2\r\n\r\n{}" + SMUGGLED, 400),
    ("length with a tail", POST + b"Content-Length: 2 2\r\n\r\n{}" + SMUGGLED, 400),
    ("length without a value", POST + b"Content-Length:\r\n\r\n" + SMUGGLED, 400),
    ("length beyond 64 bits", POST + b"Content-Length: 18446744073709551618\r\n\r\n{}" + SMUGGLED, 413),
    ("length beyond what is ever sent", POST + b"Content-Length: 9223372036854775807\r\n\r\n{}", 413),
    ("chunked in another case", POST + b"Transfer-Encoding: CHUNKED\r\nContent-Length: 2\r\n\r\n" + SMUGGLED, 400),
    ("chunked with a tab", POST + b"Transfer-Encoding:\tchunked\r\nContent-Length: 2\r\n\r\n" + SMUGGLED, 400),
    ("chunked twice", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunked and identity", POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("identity and chunked", POST + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("gzip", POST + b"Transfer-Encoding: gzip\r\n\r\n" + SMUGGLED, 400),
    ("nearly chunked", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunked in quotes", POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n' + SMUGGLED, 400),
    ("chunked with a vertical tab", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("blank before the colon", POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("tab before the colon", POST + b"Content-Length\t: 2\r\n\r\n{}" + SMUGGLED, 400),
    ("header hidden behind another", POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("header behind a bare line feed", POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("only bare line feeds", b"GET /rooms/1 HTTP/1.1\nHost: x\n\n", 400),
    ("line feed before the carriage return", b"GET /rooms/1 HTTP/1.1\n\rHost: x\r\n\r\n", 400),
    ("bare line feed ends the head", GET + b"\n" + SMUGGLED, 400),
    ("folded header", POST + b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("folded first header", b"GET /rooms/1 HTTP/1.1\r\n Host: x\r\n\r\n" + SMUGGLED, 400),
    ("header without a name", POST + b": chunked\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED, 400),
    ("header without a colon", POST + b"Transfer-Encoding\r\n\r\n" + SMUGGLED, 400),
    ("name that is no token", POST + b"Transfer\x01Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("length behind 64 headers", POST + b"X: y\r\n" * 70 + b"Content-Length: 44\r\n\r\n" + SMUGGLED, 431),
    ("chunk size beyond 64 bits", POST + b"Transfer-Encoding: chunked\r\n\r\n80000000000000000\r\n{}" + SMUGGLED, (400, 413)),
    ("negative chunk", POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunk that is no number", POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("chunks of HTTP/1.0", POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    ("two empty lines in front", b"\r\n\r\n" + GET + b"\r\n" + SMUGGLED, 400),
    ("two hosts", GET + b"Host: y\r\n\r\n", 400),
    ("no host", b"GET /rooms/1 HTTP/1.1\r\n\r\n", 400),
    ("host with a path", b"GET /rooms/1 HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    ("host with user", b"GET /rooms/1 HTTP/1.1\r\nHost: a@x\r\n\r\n", 400),
)
def test_smuggling(gateway, upstream, what, data, statuses):
    check(gateway, upstream, data, statuses)


def test_a_body_on_get_is_not_the_next_request(gateway, upstream):
    """The gateway may read the body or close the connection, but never takes the body for a request."""
    before = len(upstream.requests)
    answers = answers_of(exchange(gateway, GET + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED))
    assert len(answers) == 1
    assert all("smuggled" not in line for line in upstream.lines[before:])


# --- request lines ---


@rows(
    ("HTTP/1.0", b"GET /rooms/1 HTTP/1.0\r\n\r\n", 200, 1),
    ("HTTP/0.9", b"GET /rooms/1\r\n\r\n", (400, 505), 0),
    ("HTTP/2.0", b"GET /rooms/1 HTTP/2.0\r\nHost: x\r\n\r\n", (400, 505), 0),
    ("HTTP/1.10", b"GET /rooms/1 HTTP/1.10\r\nHost: x\r\n\r\n", (400, 505), 0),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 405, 501, 505, None), 0),
    ("upgrade to HTTP/2", GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n", 200, 1),
    ("upgrade to a web socket", GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
     b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 200, 1),
    ("unknown method", b"BREW /rooms HTTP/1.1\r\nHost: x\r\n\r\n", (400, 405, 501), 0),
    ("TRACE", b"TRACE /rooms HTTP/1.1\r\nHost: x\r\n\r\n", (400, 405, 501, None), 0),
    ("CONNECT", b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", (400, 405, 501, None), 0),
    ("PROPFIND", b"PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404, 405, 501), 0),
    ("method in small letters", b"get /rooms HTTP/1.1\r\nHost: x\r\n\r\n", (400, 405, 501), 0),
    ("method that is too long", b"G" * 4000 + b" /rooms HTTP/1.1\r\nHost: x\r\n\r\n", (400, 405, 501), 0),
    ("absolute form of another host", b"GET http://evil/rooms/1 HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404, None), 0),
    ("absolute form of metadata", b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404, None), 0),
    ("asterisk", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", (200, 204, 400, 404, None), 0),
    ("no target", b"GET  HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
    ("two blanks", b"GET  /rooms/1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
    ("tabs", b"GET\t/rooms/1\tHTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
    ("blank in the target", b"GET /rooms/1 2 HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
    ("NUL in the target", b"GET /rooms/\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
    ("NUL in a header", GET + b"X: a\0b\r\n\r\n", 400, 0),
    ("bytes beyond ASCII in the target", b"GET /rooms/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404), 0),
    ("fragment", b"GET /rooms/1#x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (400, 404), 0),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n", 400, 0),
    ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 400, 0),
    ("only line ends", b"\r\n" * 100, (400, 408, None), 0),
    ("noise", bytes(range(256)) * 8 + b"\r\n\r\n", (400, None), 0),
)
def test_request_lines(gateway, upstream, what, data, statuses, calls):
    if statuses == 200:  # CivetWeb decides when to close the connection
        data = data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1) if b"Connection" not in data else data
    check(gateway, upstream, data, statuses, calls)


# --- paths that leave their segment ---


@pytest.mark.parametrize("path", [
    "/rooms/..", "/rooms/../templates", "/rooms/%2e%2e/templates", "/rooms/%2E%2E", "/rooms/.%2e/x", "/rooms/%2e",
    "/rooms/a%2f..%2fb", "/rooms/a%2Fb", "/rooms/%2f%2fevil", "/rooms/..%5c..%5cx", "/rooms/..\\x", "/rooms/a\\b",
    "/rooms/%252e%252e/x/y", "//rooms/1", "/rooms//1", "/rooms/1//enabled", "/./rooms/1", "/../rooms/1", "/rooms/%00",
    "/rooms/1%00.json", "/rooms/%0d%0aX:%20y", "/rooms/%0a", "/rooms/%7f", "/rooms/%ff", "/rooms/%c0%ae%c0%ae/",
    "/rooms/%", "/rooms/%zz", "/rooms/%2", "/%2e%2e/%2e%2e/etc/passwd", "/rooms/1/../../../etc/passwd",
    "/.htpasswd", "/index.html", "/cgi-bin/x.cgi", "/rooms/x.cgi/y", "/rooms.so",
    "////" * 100, "/" + "a/" * 1000,
], ids=lambda path: path[:40])
def test_traversal(gateway, upstream, path):
    """No other resource, segment or host is reached. Unusual text can be an id, and is then sent escaped."""
    before = len(upstream.requests)
    answers = answers_of(exchange(gateway, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()))
    assert len(answers) == 1 and answers[0][0] in (200, 400, 404, 405), answers
    for request in upstream.requests[before:]:
        assert re.fullmatch(r"/v2/rooms/[A-Za-z0-9_.~%;-]+", request.target), request.target
        assert "/../" not in request.target + "/" and "%2f" not in request.target.lower()
        assert not re.search(r"%0|%7f|%5c", request.target.lower())
    assert alive(gateway)


@pytest.mark.parametrize("path, line", [
    ("/rooms/a;b=c", "GET /v2/rooms/a%3Bb%3Dc"), ("/rooms/a%3fb=c", None), ("/rooms/a%23b", None),
    ("/rooms/a%26b", None), ("/rooms/a+b", None),
])
def test_a_parameter_stays_one_segment(gateway, upstream, path, line):
    before = len(upstream.requests)
    gateway.get(path)
    for request in upstream.requests[before:]:
        assert request.target.count("/") == 3 and not re.search(r"[?#&;+]", request.target), request.target


# --- headers ---


def test_header_injection_through_a_parameter(gateway, upstream):
    before = len(upstream.requests)
    for value in ("a%0d%0aX-Evil:%201", "a%0aX-Evil:%201", "a%E5%98%8D%E5%98%8AX-Evil:1"):
        gateway.get(f"/rooms?name={value}")
        gateway.get(f"/rooms/{value}")
    for request in upstream.requests[before:]:
        assert all(name.lower() != "x-evil" for name, _ in request.headers), request.raw_head
        assert b"\n" not in request.raw_head.replace(b"\r\n", b"")


@pytest.mark.parametrize("name", ["X-Request-Id", "traceparent", "Origin", "Accept", "Authorization", "User-Agent"])
def test_header_injection_through_what_is_passed_on(gateway, upstream, name):
    before = len(upstream.requests)
    data = exchange(gateway, GET + name.encode() + b": a\x01\x7f\"\\<script>\xff" + b"b" * 300 +
                    b"\r\nConnection: close\r\n\r\n")
    assert answers_of(data)[0][0] in (200, 400, 401)
    assert b"<script>" not in data
    for request in upstream.requests[before:]:
        assert b"<script>" not in request.raw_head


@pytest.mark.parametrize("name", ["Connection", "Keep-Alive", "Proxy-Authorization", "Cookie", "Forwarded", "X-Forwarded-For",
                                  "X-Real-IP", "X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "Via", "TE"])
def test_headers_that_steer_proxies_end_here(gateway, upstream, name):
    before = len(upstream.requests)
    exchange(gateway, GET + name.encode() + b": close\r\n" + (b"" if name == "Connection" else b"Connection: close\r\n") +
             b"\r\n")
    assert len(upstream.requests) == before + 1
    seen = upstream.requests[-1]
    assert seen.method == "GET" and seen.target == "/v2/rooms/66f1c0a2b4d93e5a7c118e01"
    assert seen.header(name) is None


# --- oversized everything ---


@rows(
    ("target of 30 KB", b"GET /rooms/" + b"a" * 30000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (414, 431)),
    ("target of 9 KB", b"GET /rooms/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("query of 9 KB", b"GET /rooms?name=" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("100 headers", GET + b"X: y\r\n" * 100 + b"\r\n", 431),
    ("65 headers", GET + b"X: y\r\n" * 64 + b"\r\n", 431),
    ("header of 100 KB", GET + b"X: " + b"y" * 100000 + b"\r\n\r\n", 431),
    ("name of 30 KB", GET + b"X" * 30000 + b": y\r\n\r\n", 431),
    ("head without an end", GET + b"X: " + b"y" * 2000000, 431),
    ("body of 2 MB", body(b'{"name": "' + b"x" * 2000000 + b'"}'), 413),
    ("body of 1 TB, announced", POST + b"Content-Length: 1099511627776\r\n\r\n", 413),
    ("chunks without an end", POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"x" * 65536 + b"\r\n" +
     b"10000\r\n" + (b"x" * 65536 + b"\r\n10000\r\n") * 24, 413),
    ("1000 parameters", b"GET /rooms?" + b"&".join(b"a%d=1" % i for i in range(1000)) + b" HTTP/1.1\r\nHost: x\r\n"
     b"Connection: close\r\n\r\n", 400),
)
def test_oversized(gateway, upstream, what, data, statuses):
    check(gateway, upstream, data, statuses)


# --- JSON bombs ---


@rows(
    ("1,600 brackets in 3 KB", body(b"[" * 1600 + b"]" * 1600), 400),
    ("100,000 brackets", body(b"[" * 100000), 400),
    ("nested objects", body(b'{"a":' * 5000 + b"1" + b"}" * 5000), 400),
    ("nested in a known member", body(b'{"name": "x", "recording_info": ' + b'{"a":' * 500 + b"1" + b"}" * 501), 400),
    ("closing brackets only", body(b"]" * 50000), 400),
    ("100,000 elements", body(b'{"name": [' + b"1," * 100000 + b"1]}"), 400),
    ("one name twice", body(b'{"name": "a", "name": "b"}'), 400),
    ("one name 10,000 times", body(b"{" + b",".join(b'"a":1' for _ in range(10000)) + b"}"), 400),
    ("number of 100,000 digits", body(b'{"name": ' + b"9" * 100000 + b"}"), 400),
    ("number of 2^63", body(b'{"max_duration_seconds": 9223372036854775808}'), 400),
    ("1e400", body(b'{"max_duration_seconds": 1e400}'), 400),
    ("NaN", body(b'{"max_duration_seconds": NaN}'), 400),
    ("-Infinity", body(b'{"max_duration_seconds": -Infinity}'), 400),
    ("broken UTF-8", body(b'{"name": "\xff\xfe"}'), 400),
    ("overlong UTF-8", body(b'{"name": "\xc0\xae"}'), 400),
    ("half a surrogate", body(b'{"name": "\\ud800"}'), 400),
    ("NUL in a name", body(b'{"a\\u0000b": 1}'), 400),
    ("NUL in a value", body(b'{"name": "a\\u0000b"}'), 400),
    ("raw NUL", body(b'{"name": "a\0b"}'), 400),
    ("tail behind the value", body(b'{"name": "a"} {"name": "b"}'), 400),
    ("comment", body(b'{"name": "a" /* b */}'), 400),
    ("string without an end", body(b'{"name": "' + b"a" * 50000), 400),
    ("backslashes", body(b'{"name": "' + b"\\" * 100001), 400),
    ("an array for an object", body(b"[]"), 400),
    ("text", body(b"hello"), 400),
    ("XML for JSON", body(b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>').replace(b"application/json", b"text/xml"), (400, 415)),
    ("a form", body(b"name=a").replace(b"application/json", b"application/x-www-form-urlencoded"), (400, 415)),
    ("multipart", body(b"--b\r\n\r\n\r\n--b--").replace(b"application/json", b"multipart/form-data; boundary=b"), (400, 415)),
    ("gzip", body(b"\x1f\x8b\x08\x00" + bytes(100), b"Content-Encoding: gzip"), (400, 415)),
)
def test_json_bombs(gateway, upstream, what, data, statuses):
    check(gateway, upstream, data, statuses)


@pytest.mark.parametrize("data", [
    b"{" + b",".join(b'"k%d":1' % i for i in range(60000)) + b"}", b'{"__proto__": {"admin": true}}',
], ids=["60,000 members", "__proto__"])
def test_members_nobody_knows_are_the_upstream_s_to_judge(gateway, upstream, data):
    """The bytes are forwarded unchanged; the gateway does not interpret them."""
    before = len(upstream.requests)
    answers = answers_of(exchange(gateway, body(data)))
    assert answers[0][0] in (200, 400)
    assert [request.body for request in upstream.requests[before:]] in ([], [data])
    assert alive(gateway)


@pytest.mark.parametrize("pattern", ["a" * 30 + "!", "(a+)+$", "\\" * 40, "%" * 3])
def test_texts_that_make_patterns_slow(gateway, upstream, pattern):
    begun = time.monotonic()
    gateway.post("/rooms", {"name": pattern * 100})
    assert time.monotonic() - begun < TIMEOUT


# --- pipelining and Expect ---


def test_pipelined_requests_stay_apart(gateway, upstream):
    one = b"GET /rooms/%d HTTP/1.1\r\nHost: x\r\n\r\n"
    before = len(upstream.requests)
    data = exchange(gateway, b"".join(one % i for i in range(20)) + GET + b"Connection: close\r\n\r\n")
    assert [status for status, _ in answers_of(data)] == [200] * 21
    assert [request.path for request in upstream.requests[before:before + 20]] == [f"/v2/rooms/{i}" for i in range(20)]


def test_a_bad_request_ends_a_pipeline(gateway, upstream):
    before = len(upstream.requests)
    data = exchange(gateway, GET + b"\r\n" + POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED * 5)
    assert [status for status, _ in answers_of(data)] == [200, 400]
    assert len(upstream.requests) == before + 1


@rows(
    ("unknown expectation", POST + b"Expect: 200-maybe\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", (200, 400, 417)),
    ("two expectations", POST + b"Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", 400),
    ("expectation of a body that is too large", POST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n", 413),
)
def test_expect(gateway, upstream, what, data, statuses):
    before = len(upstream.requests)
    answers = answers_of(exchange(gateway, data))
    assert answers[0][0] in (statuses if isinstance(statuses, tuple) else (statuses,))
    assert len(answers) == 1
    assert len(upstream.requests) - before <= (answers[0][0] == 200)
