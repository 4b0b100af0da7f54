"""Stopping: readiness ends first, sent requests are answered, and the process ends in time."""

import concurrent.futures
import json
import os
import signal
import socket
import ssl
import threading
import time

import pytest

from support import gateway as gateway_support
from support.certificates import Authority
from support.until import until
from support.upstream import FACTOR, Reply, Upstream
from support.wire import BUILD, Gateway, Raw

HOST = b"Host: localhost\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
ROOM = b"GET /rooms/66f1c0a2b4d93e5a7c118e01 HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture
def upstream():
    with Upstream() as running:
        yield running


def rooms(upstream, server=None, **settings):
    """A gateway that forwards. Identical requests are separate calls, unless the test sets single_flight."""
    gateway = Gateway(server={"workers": 64, **(server or {})},
                      credentials={"100ms": {"access_key": "key", "secret": "a secret"}},
                      upstreams={"api": {"url": upstream.url + "/v2", "credential": "100ms", "single_flight": False,
                                         **settings}})
    gateway.plugins["rooms"] = {}
    return gateway


def wait_in_progress(gateway, count):
    until(lambda: f'listener_requests{{listener="main"}} {count}\n'
          in gateway.admin("/metrics").body.decode(), f"{count} requests")


def ended(gateway, limit=10 * FACTOR):
    """Waits for the exit with status 0 and returns how long it took."""
    began = time.monotonic()
    assert gateway.process.wait(limit) == 0, gateway.log
    return time.monotonic() - began


# --- nothing is lost ---


GRACE = 1
"""Seconds for which a gateway that stops still waits for the next request on a connection that was used."""


def ask_until_told(port, tally, stopping):
    """Sends requests on one kept connection until an answer closes it. Counts answers and lost requests."""
    before = sent = time.monotonic()
    with Raw(port) as raw:
        while True:
            late = stopping.is_set()
            try:
                before, sent = sent, time.monotonic()
                raw.send(ROOM)
                answer = raw.answer()
            except OSError as error:
                answer = error
            if getattr(answer, "status", 0) != 200:
                # The machine may have stopped for so long that the gateway had to close the connection.
                tally.append("too slow" if sent - before > 0.8 * GRACE else f"lost: {answer}")
                return
            tally.append("after the signal" if late else "before it")
            if answer.header("Connection") == "close":
                return


@pytest.mark.parametrize("delay", [0, 0.15])
def test_a_stop_under_load_loses_nothing(upstream, delay):
    """The upstream answers immediately, or long after the signal."""
    upstream.default = Reply({"id": "66f1c0a2b4d93e5a7c118e01"}, delay=delay)
    with rooms(upstream) as gateway:
        tallies, stopping = [[] for _ in range(20)], threading.Event()
        clients = [threading.Thread(target=ask_until_told, args=(gateway.port, tally, stopping)) for tally in tallies]
        for client in clients:
            client.start()
        until(lambda: all(len(tally) >= 3 for tally in tallies), "all clients had answers")
        gateway.signal(signal.SIGTERM)
        gateway.wait_log("stopping on SIGTERM")
        stopping.set()
        ended(gateway)
        for client in clients:
            client.join()
    assert [line for tally in tallies for line in tally if line.startswith("lost")] == []


def test_what_a_pipeline_holds_is_answered():
    with Gateway(plugins={"probe": {}}) as gateway:
        raw = gateway.raw(b"GET /probe/wait/2000 HTTP/1.1\r\n" + HOST + b"\r\n" + HEALTH * 3)
        wait_in_progress(gateway, 1)
        gateway.signal(signal.SIGTERM)
        gateway.wait_log("stopping on SIGTERM")
        answers = [raw.answer() for _ in range(4)]
        assert [answer.status for answer in answers] == [200] * 4
        assert [answer.header("Connection") for answer in answers] == ["keep-alive"] * 3 + ["close"]
        assert raw.closed()
        ended(gateway)


def test_a_request_of_which_a_part_was_sent_is_waited_for():
    with Gateway(plugins={"probe": {}}) as gateway:
        head = gateway.raw(HEALTH[:20])
        body = gateway.raw(b"POST /probe/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nab")
        wait_in_progress(gateway, 1)
        gateway.signal(signal.SIGTERM)
        gateway.wait_log("stopping on SIGTERM")
        head.send(HEALTH[20:])
        assert head.answer().status == 200
        body.send(b"cd")
        assert body.answer().body == b"abcd"
        ended(gateway)


def test_a_connection_that_was_used_a_moment_ago_may_send_another_request():
    def ask_again():
        """The answer to the second request, or None when this machine was too slow to send it in time."""
        with Gateway() as gateway:
            raw = gateway.raw(HEALTH)
            assert raw.answer().header("Connection") == "keep-alive"
            signalled = time.monotonic()
            gateway.signal(signal.SIGTERM)
            gateway.wait_log("stopping on SIGTERM")
            try:
                raw.send(HEALTH)
                took = time.monotonic() - signalled
                answer = raw.answer()
            except ConnectionError:
                answer, took = None, time.monotonic() - signalled
            ended(gateway)
            assert answer or took > 0.8 * GRACE
            return answer

    answer = until(ask_again, "it is never sent in time")
    assert answer.status == 200 and answer.header("Connection") == "close"


def test_idle_connections_do_not_hold_up_the_end():
    with Gateway(server={"keep_alive_timeout": "1m", "header_timeout": "1m", "drain_timeout": "1m"}) as gateway:
        idle = [gateway.raw(HEALTH) for _ in range(5)]
        assert [raw.answer().status for raw in idle] == [200] * 5
        silent = [gateway.raw() for _ in range(5)]
        until(lambda: 'listener_connections{listener="main"} 10\n'
                 in gateway.admin("/metrics").body.decode(), "connections")
        gateway.signal(signal.SIGTERM)
        assert all(raw.closed() for raw in idle + silent)
        ended(gateway, 20 * FACTOR)


# --- readiness first ---


def test_readiness_is_red_before_anything_is_refused():
    with Gateway(plugins={"probe": {}}, server={"drain_delay": "1m"}) as gateway:
        kept = gateway.raw(HEALTH)
        assert kept.answer().status == 200
        gateway.signal(signal.SIGTERM)
        gateway.wait_log("/readyz fails")
        for answer in (gateway.get("/readyz"), gateway.admin("/readyz")):
            assert answer.status == 503 and answer.json["status"] == "not ready"
        fresh = gateway.get("/probe/wait/0")
        assert fresh.status == 200 and fresh.header("Connection") == "close"
        kept.send(HEALTH)
        answer = kept.answer()
        assert answer.status == 200 and answer.header("Connection") == "close"
        asked = gateway.run("status", "--json")
        assert asked.returncode == 0 and json.loads(asked.stdout)["groups"]
        refused = gateway.run("reload")
        assert refused.returncode != 0 and "the gateway is stopping" in refused.stdout + refused.stderr
        gateway.signal(signal.SIGTERM)  # a second signal ends the wait
        ended(gateway)


def test_who_comes_late_is_told_to_come_again_elsewhere():
    with Gateway(plugins={"probe": {}}) as gateway:
        busy = gateway.raw(b"POST /probe/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\n")
        wait_in_progress(gateway, 1)
        gateway.signal(signal.SIGTERM)
        gateway.wait_log("stopping on SIGTERM")
        late = gateway.get("/probe/wait/0")
        assert late.status == 503 and late.header("Connection") == "close" and late.header("Retry-After")
        assert gateway.admin("/metrics").status == 200
        busy.send(b"x")
        assert busy.answer().status == 200
        ended(gateway)


# --- in time ---


def test_what_waits_gets_the_time_to_drain_and_then_503(upstream):
    """So for requests of either config, and for those that wait for the upstream or for the answer to another request."""
    release = threading.Event()
    upstream.default = Reply.held(release, {"id": "66f1c0a2b4d93e5a7c118e01"})
    with rooms(upstream, server={"drain_timeout": "300ms"}, single_flight=True, retries=0) as gateway:
        old = [gateway.raw(ROOM) for _ in range(2)]
        wait_in_progress(gateway, 2)
        gateway.signal(signal.SIGHUP)
        gateway.wait_log('"reloaded: 1 group,')
        new = [gateway.raw(ROOM) for _ in range(2)]
        wait_in_progress(gateway, 4)
        gateway.signal(signal.SIGTERM)
        for raw in old + new:
            answer = raw.answer()
            assert answer.status == 503 and answer.header("Retry-After") and answer.header("Connection") == "close"
            assert b"the gateway is shutting down" in answer.body
        ended(gateway)
        assert "did not end within 300 ms" in gateway.log and "without stopping the plugins" not in gateway.log
        assert '"status":499' not in gateway.log
    release.set()


@pytest.mark.parametrize("reloaded", [False, True])
def test_a_handler_that_never_returns_does_not_hold_up_the_end(reloaded):
    """So for a handler of the current config and for one of the previous config."""
    with Gateway(plugins={"probe": {}}, server={"drain_timeout": "300ms"}) as gateway:
        hanging = gateway.raw(b"GET /probe/wait/60000 HTTP/1.1\r\n" + HOST + b"\r\n")
        wait_in_progress(gateway, 1)
        if reloaded:
            gateway.signal(signal.SIGHUP)
            gateway.wait_log('"reloaded: 1 group,')
        gateway.signal(signal.SIGTERM)
        gateway.wait_log("stopping on SIGTERM")
        ended(gateway)  # and not in a minute
        assert hanging.closed()
        gateway.wait_log("without stopping the plugins: some requests still block their workers")
        if not reloaded:
            gateway.wait_log("1 request of group 'probe' does not return")


def test_a_client_that_does_not_read_its_answer_does_not_hold_up_the_end():
    with Gateway(plugins={"probe": {}}, server={"drain_timeout": "300ms"}) as gateway:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", gateway.port))
        slow.sendall(b"GET /probe/large/30000000 HTTP/1.1\r\n" + HOST + b"\r\n")
        until(lambda: 'calls_waiting{for="write"} 1\n'
                 in gateway.admin("/metrics").body.decode(), "it waits for the client")
        gateway.signal(signal.SIGTERM)
        ended(gateway)
        assert "without stopping the plugins" not in gateway.log
        slow.close()


def test_a_stream_of_newcomers_does_not_hold_up_the_end():
    with Gateway(plugins={"probe": {}}, server={"drain_timeout": "1m"}) as gateway:
        over = threading.Event()

        def come_again():
            while not over.is_set():
                try:
                    gateway.get("/probe/wait/0")
                except OSError:
                    pass

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(come_again)
            try:
                gateway.signal(signal.SIGTERM)
                took = ended(gateway, 30 * FACTOR)
            finally:
                over.set()
        assert took < 15 * FACTOR and "without stopping the plugins" not in gateway.log
        assert "did not end within" not in gateway.log, "requests that come during the drain are refused, and the gateway does not wait for them"


# --- reloads ---


def test_a_reload_that_fails_in_one_part_changes_nothing_in_any_other(tmp_path):
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("localhost")
    tls = {"certificate": str(certificate), "key": str(key)}
    with Gateway(plugins={"probe": {}}, upstreams={"api": {"url": "http://127.0.0.1:1"}},
                 server={"listen": ["127.0.0.1:0", {"address": "127.0.0.1:0", "tls": True}], "body_max": 100,
                         "tls": tls}) as gateway:
        port = int(gateway.find(r'"listening on https://[^"]*:(\d+)"'))

        def state():
            status = json.loads(gateway.run("status", "--json").stdout)
            trust = ssl.create_default_context(cafile=str(authority.file))
            with socket.create_connection(("127.0.0.1", port)) as plain:
                with trust.wrap_socket(plain, server_hostname="localhost") as secure:
                    serial = secure.getpeercert()["serialNumber"]
            return (serial, [group["name"] for group in status["groups"]], status["reload"]["generation"],
                    gateway.get("/rooms/1").status, gateway.get("/probe/wait/0").status,
                    gateway.post("/probe/echo", b"x" * 200, headers={"Content-Type": "text/plain"}).status)

        before = state()
        assert before[1:] == (["probe"], 1, 404, 200, 413)

        def refused(why):
            gateway.write()
            done = gateway.run("reload")
            assert done.returncode != 0 and why in done.stdout + done.stderr
            assert state() == before
            assert json.loads(gateway.run("status", "--json").stdout)["reload"]["failed"]

        # groups and limits are valid, the certificate does not belong to the key
        gateway.config["server"]["body_max"] = 10_000
        gateway.plugins["rooms"] = {"library": f"{gateway_support.PLUGIN_DIR}/rooms.so"}
        gateway.config["server"]["tls"] = {**tls, "certificate": str(authority.issue("other")[0])}
        refused("is not the key of the certificate")
        # a valid new certificate; a plugin is missing
        gateway.config["server"]["tls"] = dict(zip(("certificate", "key"), map(str, authority.issue("renewed"))))
        gateway.plugins["absent"] = {}
        refused("absent.so")
        # a valid new certificate; a plugin does not start
        del gateway.plugins["absent"]
        gateway.plugins["bad_start"] = {"library": os.path.join(BUILD, "tests", "plugins", "bad_start.so")}
        refused("start failed")
        del gateway.plugins["bad_start"]
        gateway.write()
        assert gateway.run("reload").returncode == 0
        after = state()
        assert after[0] != before[0] and after[1:] == (["probe", "rooms"], 2, 502, 200, 200)
