"""Many connections and few descriptors: what is refused, what still works, and what is logged."""

import contextlib
import os
import select
import time

import pytest

from support import promtext
from support.until import until
from support.upstream import FACTOR
from support.wire import Gateway, Raw

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def metrics(gateway):
    return promtext.parse(gateway.admin("/metrics").body.decode())


def connections(gateway, state):
    return metrics(gateway).get(("greenroom_connections", "listener", "main", "state", state))


def cpu_seconds(gateway):
    """The processor time that the process has used so far."""
    with open(f"/proc/{gateway.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def crowd(stack, gateway, count):
    """Connects so many clients, which send nothing."""
    return [stack.enter_context(Raw(gateway.port)) for _ in range(count)]


def test_few_descriptors_are_warned_of_and_lived_with():
    """64 descriptors, 80 idle clients, default settings."""
    gateway = Gateway(server={"workers": 64, "header_timeout": "1m"})
    gateway.prefix = ["prlimit", "--nofile=64:64"]
    with gateway, contextlib.ExitStack() as stack:
        assert "the limit of 64 descriptors is lower than the 8332 that " in gateway.log
        clients = crowd(stack, gateway, 80)
        gateway.wait_log("no more connections are accepted until others end")
        before, began = cpu_seconds(gateway), time.monotonic()
        until(lambda: time.monotonic() - began >= 1, "a second of it")
        assert cpu_seconds(gateway) - before < 0.3 * FACTOR  # calm
        assert gateway.admin("/healthz").status == 200
        assert gateway.log.count("no more connections are accepted") == 1
        for client in clients:
            client.socket.close()
        until(lambda: gateway.get("/healthz").status == 200, "others get in")
        assert gateway.admin("/readyz").status == 200
        assert "Too many open files" not in gateway.log


def test_enough_descriptors_are_not_warned_of():
    gateway = Gateway(server={"workers": 4, "requests_max": 100, "connections_max": 200})
    gateway.prefix = ["prlimit", "--nofile=1024:1024"]
    with gateway:
        assert "descriptors" not in gateway.log


@pytest.mark.parametrize("limit,asked,share", [(64, None, 3072), (12_000, None, 3501), (12_000, 100, 75)])
def test_requests_max_grows_with_the_limit_of_descriptors(limit, asked, share):
    """The limit is two fifths of the descriptors that remain after 64 workers, 8 workers of the admin listener and 256 others.
    Three quarters of it may wait for one upstream."""
    server = {"workers": 64, **({"requests_max": asked} if asked else {})}
    gateway = Gateway(server=server, upstreams={"api": {"url": "http://127.0.0.1:1"}})
    gateway.config["admin"]["workers"] = 8
    gateway.prefix = ["prlimit", f"--nofile={limit}:{limit}"]
    with gateway:
        assert metrics(gateway)["greenroom_upstream_requests_max", "upstream", "api"] == share
        assert ("descriptors" in gateway.log) == (limit == 64)


def test_more_connections_than_the_operator_wants_get_503():
    with Gateway(server={"connections_max": 10, "header_timeout": "1m"}) as gateway, contextlib.ExitStack() as stack:
        clients = crowd(stack, gateway, 10)
        until(lambda: metrics(gateway)["greenroom_listener_connections", "listener", "main"] == 10, "ten are in")
        answer = gateway.get("/nowhere")
        assert answer.status == 503 and answer.header("Retry-After") and answer.header("Connection") == "close"
        assert b"there are too many connections" in answer.body
        silent = Raw(gateway.port)  # a client that sends nothing does not keep the slot for refusals
        assert silent.closed()
        for client in clients:  # the clients with a connection are served
            client.send(HEALTH)
            assert client.answer().status == 200
        clients[0].socket.close()
        until(lambda: metrics(gateway)["greenroom_listener_connections", "listener", "main"] == 9, "one has left")
        assert gateway.get("/nowhere").status == 404


def test_more_requests_than_the_operator_wants_get_503():
    with Gateway(plugins={"probe": {}}, server={"requests_max": 3, "workers": 16}) as gateway:
        busy = [gateway.raw(b"POST /probe/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n") for _ in range(3)]
        until(lambda: metrics(gateway)["greenroom_listener_requests", "listener", "main"] == 3, "three wait")
        answer = gateway.get("/nowhere")
        assert answer.status == 503 and answer.header("Retry-After")
        assert b"there are too many requests" in answer.body
        for raw in busy:
            raw.send(b"x")
            assert raw.answer().status == 200


# --- what the metrics say ---


def test_connections_are_seen_by_what_they_are_at():
    with Gateway(plugins={"probe": {}}) as gateway, contextlib.ExitStack() as stack:
        def states():
            text = gateway.admin("/metrics").body.decode()
            return {line.split('state="')[1].split('"')[0]: float(line.split()[-1]) for line in text.splitlines()
                    if line.startswith('greenroom_connections{listener="main"')}

        crowd(stack, gateway, 2)
        stack.enter_context(gateway.raw(HEALTH[:10]))
        busy = stack.enter_context(gateway.raw(b"POST /probe/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n"))

        def one_is_closing():
            """The gateway lets a refused client read its answer, but not for long."""
            with gateway.raw(b"NOT HTTP\r\n\r\n") as refused:
                assert refused.answer().status == 400
                return states() == {"idle": 2, "receiving": 1, "request": 1, "closing": 1}

        until(one_is_closing, "one in each state but two idle")
        busy.send(b"x")
        assert busy.answer().status == 200
        until(lambda: states() == {"idle": 3, "receiving": 1, "request": 0, "closing": 0}, "it idles again")


def test_requests_that_wait_for_a_worker_are_seen_and_timed():
    """There is one worker. It is busy until the test has seen that the other clients wait."""
    with Gateway(plugins={"probe": {}}, server={"workers": 1}) as gateway:
        first = gateway.raw(b"GET /probe/wait/1500 HTTP/1.1\r\nHost: h\r\n\r\n")
        until(lambda: metrics(gateway)["greenroom_listener_requests_running", "listener", "main"] == 1
              or select.select([first.socket], [], [], 0)[0], "it runs")
        others = [gateway.raw(HEALTH) for _ in range(3)]
        assert first.answer().status == 200
        assert [raw.answer().status for raw in others] == [200] * 3
        text = gateway.admin("/metrics").body.decode()
        assert 'greenroom_worker_wait_seconds_count{listener="main"} ' in text
        assert "greenroom_listener_requests_queued{" in text


@pytest.mark.parametrize("value", [0, 65537, "many"])
def test_a_connections_max_that_makes_no_sense_is_refused(value, tmp_path):
    gateway = Gateway(server={"connections_max": value})
    gateway.write()
    done = gateway.run("check")
    assert done.returncode == 3 and "server.connections_max" in done.stderr
