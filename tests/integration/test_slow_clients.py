"""Clients that stall, that send or read slowly, or that come in large numbers: the others are still answered, and the slow
    ones are disconnected."""

import concurrent.futures
import re
import socket
import time

import pytest

from support.attacks import GET, POST, alive
from support.attacks import gateway, upstream  # noqa: F401 (fixtures)
from support.gateway import Gateway
from support.until import until
from support.upstream import FACTOR, TIMEOUT, Reply, Upstream


def stalled(gateway, first, count):
    """Opens connections that send these bytes and nothing more."""
    sockets = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=TIMEOUT)
        sock.sendall(first)
        sockets.append(sock)
    return sockets


def answered_meanwhile(gateway, count=20):
    """Runs normal callers and returns how many got their answer, and the longest time of one."""
    def one(_):
        begun = time.monotonic()
        try:
            return gateway.get("/healthz").status == 200, time.monotonic() - begun
        except OSError:
            return False, time.monotonic() - begun

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(one, range(count)))
    return sum(fine for fine, _ in results), max(took for _, took in results)


@pytest.mark.parametrize("what, first", [
    ("slow header", GET + b"X-Slow: "),
    ("slow body", POST + b"Content-Length: 1000\r\n\r\n{"),
    ("slow chunks", POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"),
    ("silence", b""),
], ids=lambda value: value if isinstance(value, str) else "")
def test_slow_clients_do_not_stop_others(gateway, upstream, what, first):
    """There are three times as many slow clients as workers."""
    sockets = stalled(gateway, first, 192)
    try:
        fine, longest = answered_meanwhile(gateway)
        assert fine >= 18, f"{fine} of 20 were answered"
        assert longest < 6 * FACTOR
    finally:
        for sock in sockets:
            sock.close()
    assert alive(gateway)


def trickle(gateway, first, piece, seconds):
    """Sends a piece from time to time until the gateway closes the connection. Returns how long that took."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=0.05) as sock:
        sock.sendall(first)
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            try:
                sock.sendall(piece)
                if sock.recv(65536):
                    break
                break
            except TimeoutError:
                continue
            except OSError:
                break
        return time.monotonic() - begun


@pytest.mark.parametrize("what, first, piece", [
    ("header", GET + b"X: ", b"y"),
    ("headers", GET, b"X: y\r\n"),
    ("body", POST + b"Content-Length: 100000\r\n\r\n", b" "),
    ("chunks", POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
])
def test_trickles_end(gateway, what, first, piece):
    assert trickle(gateway, first, piece, 10 * FACTOR) < 5 * FACTOR


def busy_workers(gateway):
    text = gateway.admin("/metrics").body.decode()
    return sum(int(float(value)) for value in re.findall(r'^greenroom_listener_requests\{[^}]*"main"[^}]*\} (\S+)$', text, re.M))


def test_slow_readers_end(tmp_path):
    """Clients that request large answers and do not read them: their workers become free again."""
    with Upstream() as upstream:
        upstream.default = Reply.huge(8 * 1024 * 1024)
        config = {"server": {"workers": 8}, "upstreams": {"api": {"url": upstream.url, "answer_max": "16m"}}}
        with Gateway(tmp_path, config, {"rooms": {}}) as gateway:
            sockets = []
            for number in range(8):
                sock = socket.socket()
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.settimeout(TIMEOUT)
                sock.connect(("127.0.0.1", gateway.port))
                sock.sendall(b"GET /rooms/%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
                sockets.append(sock)
            upstream.wait_requests(6)  # a group may take three quarters of the workers
            assert busy_workers(gateway) >= 6
            until(lambda: busy_workers(gateway) == 0, "no reader holds a worker", 30 * FACTOR)
            assert gateway.get("/healthz").status == 200
            for sock in sockets:
                sock.close()


# --- floods ---


def test_a_thousand_idle_connections(tmp_path, upstream):
    """With the default number of workers, normal callers are still answered."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2500:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2500) if soft != resource.RLIM_INFINITY else soft, hard))
    config = {"upstreams": {"api": {"url": upstream.url + "/v2"}}}
    with Gateway(tmp_path, config, {"rooms": {}}) as gateway:
        sockets = stalled(gateway, b"", 1000)
        try:
            fine, longest = answered_meanwhile(gateway, 40)
            assert fine >= 38, f"{fine} of 40 were answered, the slowest in {longest:.1f} s"
        finally:
            for sock in sockets:
                sock.close()
        assert alive(gateway)


def test_connections_that_come_and_go(gateway):
    for _ in range(500):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=TIMEOUT) as sock:
            sock.sendall(b"G")
    assert alive(gateway)
