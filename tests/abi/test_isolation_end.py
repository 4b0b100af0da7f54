"""Groups in a process of their own: what is lost when the process ends, that other groups are not affected, and the limits
at which the process is ended."""

import json
import re
import signal
import threading
import time

import pytest

from support.isolation import SANITIZED, alive, ends, metric, pid_of, until_back, until_crashed
from support.isolation import gateway, start, upstream  # noqa: F401 (fixtures)
from support.until import until
from support.upstream import FACTOR, TIMEOUT


def test_a_write_through_null_costs_its_own_call_alone(gateway):
    pid = pid_of(gateway)
    answer = gateway.get("/isolated/end/null", headers={"X-Request-Id": "the-last-one"})
    took = until_back(gateway, pid)
    assert answer.status == 502
    told = answer.json["trouble"]
    assert (told["status"], told["id"]) == (502, "the-last-one")
    assert told["text"] == "the process of this group ended while it was at work on the request"
    assert took < 5 * FACTOR, "the first start after an end does not wait"
    assert ends(gateway, "crash" if not SANITIZED else "exit") == 1
    assert metric(gateway, "group_process_calls_lost_total", '{group="isolated"}') == 1
    assert metric(gateway, "group_process_up", '{group="isolated"}') == 1
    assert metric(gateway, "isolated_instances") == 1, "what the process had added to a gauge went with it"
    if not SANITIZED:
        [line] = [json.loads(line) for line in gateway.log.splitlines() if '"at":' in line]
        assert line["message"] == "a plugin ends the process of its group by SIGSEGV"
        assert (line["plugin"], line["operation"], line["request_id"]) == ("isolated", "isolated.end", "the-last-one")
        assert line["at"].startswith("isolated.so+")


def test_other_groups_do_not_notice(gateway):
    stop, statuses = threading.Event(), []

    def load():
        while not stop.is_set():
            statuses.append(gateway.get("/hello/ada").status)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(4):
        pid = pid_of(gateway)
        assert gateway.get("/isolated/end/null").status == 502
        until_back(gateway, pid)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    assert gateway.process.poll() is None


def test_a_hang_ends_after_its_deadline(start):
    gateway = start(process={"call_timeout": "100ms"}).start()
    pid = pid_of(gateway)
    began = time.monotonic()
    answer = gateway.get("/isolated/end/hang")
    took = time.monotonic() - began
    assert answer.status == 502
    assert 1 <= took < 10 * FACTOR, "the deadline, and a second more"
    until_back(gateway, pid)
    assert ends(gateway, "hang") == 1
    assert not alive(pid)


def test_an_exit_is_an_end_like_others(gateway):
    pid = pid_of(gateway)
    assert gateway.get("/isolated/end/exit").status == 502
    until_back(gateway, pid)
    assert ends(gateway, "exit") == 1
    assert "the process of the group ended with status" in gateway.log


def test_while_it_is_away_calls_are_told_to_come_again(gateway):
    until_crashed(gateway, 5)
    assert re.findall(r"started again in (\d+) ms", gateway.log) == ["100", "200", "400", "800", "1600"]
    answer = gateway.get("/isolated/pid", headers={"X-Request-Id": "early"})
    assert (answer.status, answer.header("Retry-After")) == (503, "1")
    told = answer.json["trouble"]
    assert (told["text"], told["id"]) == ("the process of this group is being started again", "early")
    assert gateway.get("/isolated/nowhere").json["trouble"]["status"] == 404, "errors of the gateway's own, too"
    until_back(gateway, 0)


def test_it_ends_with_the_gateway(start):
    gateway = start().start()
    pid = pid_of(gateway)
    process, gateway.process = gateway.process, None
    process.kill()
    process.wait(TIMEOUT)
    until(lambda: not alive(pid), "the process of the group has ended")


def test_a_stop_lets_it_end_in_order(start):
    gateway = start().start()
    pid = pid_of(gateway)
    gateway.stop()
    assert not alive(pid)
    gateway.wait_log(rf"fini in process {pid}")
    assert "started again" not in gateway.log


def test_a_reload_under_load_starts_a_new_one_and_loses_no_call(gateway):
    failures, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            answer = gateway.get("/isolated/pid")
            if answer.status != 200:
                failures.append(answer)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    pids = [pid_of(gateway)]
    for number in range(5):
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_log_count(r"the old config's last request has ended", number + 1)
        pids.append(pid_of(gateway))
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(set(pids)) == 6
    until(lambda: [alive(pid) for pid in pids] == [False] * 5 + [True], "only the newest process is left")
    until(lambda: metric(gateway, "isolated_instances") == 1, "one instance is left")
    assert "calls_lost" not in gateway.log


@pytest.mark.skipif(SANITIZED, reason="sanitizers map more than any limit")
def test_memory_is_bounded(start):
    gateway = start(process={"memory_max": "96m"}).start()
    pid = pid_of(gateway)
    assert gateway.get("/isolated/end/eat").status == 502
    until_back(gateway, pid)
    assert ends(gateway, "crash") == 1


def test_descriptors_are_bounded(start):
    gateway = start(process={"descriptors_max": 99}).start()
    assert gateway.get("/isolated/end/files").json == {"limit": 99}


def test_cpu_time_is_bounded(start):
    gateway = start(process={"cpu_max": "1s"}).start()
    pid = pid_of(gateway)
    assert gateway.get("/isolated/end/spin").status == 502
    until_back(gateway, pid)
    assert "the process of the group ended by SIGXCPU" in gateway.log
