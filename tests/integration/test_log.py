"""Writing the log: no call waits for it, and lost lines are counted."""

import http.client
import json
import re
import signal
import threading

import pytest

from support import promtext
from support.gateway import TIMEOUT, Gateway
from support.until import until

CALLS = 600


class Paused(Gateway):
    """A gateway whose log is read up to the line that says it is ready. The rest is read when reads is set."""

    def __init__(self, *words, **more):
        super().__init__(*words, **more)
        self.reads = threading.Event()

    def _read(self, stream):
        until(lambda: self.find("(ready after)"), "it is not ready")
        self.reads.wait()
        super()._read(stream)

    def finish(self):
        """Stops the gateway and reads the rest of the log. Returns the requests in it, and the number of lines that it reports as
        lost."""
        self.reads.set()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(TIMEOUT * 2) == 0
        self.process = None
        self.wait_log('"message":"stopped"')
        told = re.findall(r'"message":"(\d+) lines of the log were lost', self.log)
        return requests_of(self), sum(map(int, told))


def requests_of(gateway):
    return [line for line in map(json.loads, gateway.log.splitlines()) if line["message"] == "request"]


def lost(gateway):
    return promtext.parse(gateway.admin("/metrics").body.decode())["greenroom_log_lines_lost_total"]


@pytest.fixture
def start(tmp_path):
    started = []

    def starter(kind, **log):
        gateway = kind(tmp_path, {}, plugins={})
        gateway.config["log"] = log
        started.append(gateway)
        return gateway.start()

    yield starter
    for gateway in started:
        if gateway.process:
            gateway.process.kill()
            gateway.process.wait()
        getattr(gateway, "reads", threading.Event()).set()


def call(gateway, count):
    """Sends requests with long paths, so that the lines of the log are long."""
    for i in range(count):
        assert gateway.get(f"/{i:05}" + 240 * "x").status == 404


def test_by_default_every_line_is_there_when_it_stops(start):
    gateway = start(Gateway)
    call(gateway, 50)
    gateway.stop()
    gateway.wait_log('"message":"stopped"')
    # A worker logs after it has sent the answer, so that another worker may log the next request first.
    assert sorted(line["path"][:6] for line in requests_of(gateway)) == [f"/{i:05}" for i in range(50)]


def test_lines_appear_while_it_runs(start):
    gateway = start(Gateway)
    call(gateway, 1)
    gateway.wait_log('"path":"/00000')


def test_a_reader_that_hangs_costs_lines_and_is_told_so(start):
    gateway = start(Paused, buffer="64k")
    call(gateway, CALLS)  # more lines than fit into the pipe and both buffers
    counted = lost(gateway)
    assert counted > 0
    requests, told = gateway.finish()
    assert len(requests) + told >= CALLS and told >= counted
    assert len(requests) < CALLS


def test_a_reader_that_hangs_does_not_keep_it_from_stopping(start):
    gateway = start(Paused, buffer="64k")
    call(gateway, CALLS)
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(TIMEOUT * 2) == 0
    gateway.process = None


def test_a_buffer_that_is_large_enough_loses_nothing(start):
    gateway = start(Paused)
    call(gateway, CALLS)
    assert lost(gateway) == 0
    requests, told = gateway.finish()
    assert (len(requests), told) == (CALLS, 0)


def test_without_a_buffer_the_line_comes_before_the_next_request(start):
    gateway = start(Gateway, buffer=0)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=TIMEOUT)
    for path in ("/first", "/second"):  # one after the other, by one worker
        connection.request("GET", path)
        assert connection.getresponse().read()
    gateway.process.kill()  # leaves no time to write the rest
    gateway.process.wait()
    gateway.process = None
    connection.close()
    gateway.wait_log('"path":"/first"')


def test_the_buffer_changes_at_the_next_start(start):
    gateway = start(Gateway)
    gateway.config["log"] = {"buffer": "1m"}
    gateway.write()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log("log.buffer.*change at the next start")
