"""The effect of signals: those without one do not end the gateway. Also the log in a file."""

import json
import os
import signal
import subprocess

import pytest

from support.gateway import BINARY
from support.until import until
from support.upstream import TIMEOUT
from support.wire import Gateway


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def messages(file):
    return [line["message"] for line in lines(file)]


class Logged(Gateway):
    """A gateway that logs into a file, in which the functions of Gateway look for lines."""

    def __init__(self, file, **more):
        super().__init__(**more)
        self.config["log"]["file"] = str(file)
        self.file = file

    @property
    def log(self):
        return super().log + (self.file.read_text() if self.file.exists() else "")

    def wait_log(self, pattern):
        until(lambda: self.find(f"({pattern})"), pattern)


def test_the_log_goes_into_a_file_that_is_opened_again_on_sigusr1(tmp_path):
    file, moved = tmp_path / "greenroom.log", tmp_path / "greenroom.log.1"
    file.write_text('{"message":"from before"}\n')
    with Logged(file) as gateway:
        assert messages(file)[0] == "from before" and file.stat().st_mode & 0o007 == 0o004
        gateway.get("/healthz", headers={"X-Request-Id": "first"})
        until(lambda: "first" in file.read_text(), "it is logged")
        file.rename(moved)
        gateway.get("/healthz", headers={"X-Request-Id": "second"})  # still writes into the file that was moved
        until(lambda: "second" in moved.read_text(), "it is logged")
        gateway.signal(signal.SIGUSR1)
        until(lambda: file.exists() and "the log goes on in" in file.read_text(), "it is there again")
        gateway.get("/healthz", headers={"X-Request-Id": "third"})
        until(lambda: "third" in file.read_text(), "it is logged")
        assert "third" not in moved.read_text() and "second" not in file.read_text()
    assert messages(file)[-1] == "stopped"


def test_a_new_file_is_not_for_everybody(tmp_path):
    file = tmp_path / "greenroom.log"
    with Logged(file):
        assert file.stat().st_mode & 0o777 in (0o640, 0o600)


def test_a_file_that_cannot_be_opened_again_leaves_the_log_where_it_is(tmp_path):
    directory = tmp_path / "logs"
    directory.mkdir()
    file, away = directory / "greenroom.log", tmp_path / "away"
    with Logged(file) as gateway:
        directory.rename(away)
        gateway.signal(signal.SIGUSR1)
        until(lambda: "still writing to the old file" in (away / "greenroom.log").read_text(), "it is told")
        assert gateway.get("/healthz").status == 200
        away.rename(directory)


def test_a_reload_moves_the_log(tmp_path):
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    with Logged(one) as gateway:
        gateway.config["log"]["file"] = str(tmp_path / "absent" / "two.log")
        gateway.write()
        refused = gateway.run("reload")
        assert refused.returncode != 0 and "log.file: '" in refused.stdout + refused.stderr
        gateway.config["log"]["file"] = str(two)
        gateway.write()
        assert gateway.run("reload").returncode == 0
        gateway.get("/healthz", headers={"X-Request-Id": "later"})
        until(lambda: "later" in two.read_text(), "it is logged")
        assert "later" not in one.read_text()
        del gateway.config["log"]["file"]
        gateway.write()
        assert gateway.run("reload").returncode == 0
        gateway.get("/healthz", headers={"X-Request-Id": "latest"})
        until(lambda: "latest" in gateway.log, "it is on standard error")
        assert "latest" not in two.read_text()


@pytest.mark.parametrize("file, problem", [
    ("greenroom.log", "log.file"), ("/var/log/", "log.file"),
])
def test_a_path_that_depends_on_where_one_stands_is_refused(file, problem):
    gateway = Gateway(log={"file": file})
    gateway.write()
    done = gateway.run("check")
    assert done.returncode == 3 and problem in done.stderr and "an absolute path" in done.stderr


def test_a_start_that_cannot_open_the_file_says_so_on_standard_error(tmp_path):
    gateway = Gateway(log={"file": str(tmp_path / "absent" / "greenroom.log")})
    gateway.write()
    done = subprocess.run([BINARY, "-c", str(gateway.directory)], capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 3 and "log.file" in done.stderr and "No such file or directory" in done.stderr


SURPRISES = ["SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR", "SIGXFSZ", "SIGWINCH",
             "SIGCHLD", "SIGURG", "SIGCONT"]


def test_no_signal_ends_it_by_surprise():
    with Gateway() as gateway:
        for name in SURPRISES:
            gateway.signal(getattr(signal, name))
            assert gateway.get("/healthz").status == 200, name
        gateway.wait_log("SIGUSR1: there is no log.file to open again")


def test_a_reload_that_is_asked_for_while_it_starts_comes_after_the_start():
    """Even when the signal comes right after the first line of the log."""
    gateway = Gateway()
    gateway.write()
    read, write = os.pipe()
    with subprocess.Popen([BINARY, "-c", str(gateway.directory)], stderr=write) as process:
        os.close(write)
        with os.fdopen(read, encoding="utf-8") as log:
            first = log.readline()
            process.send_signal(signal.SIGHUP)
            seen = first
            while '"reloaded: 0 groups' not in seen:
                line = log.readline()
                assert line, seen
                seen += line
            assert "ready after" in seen
            process.send_signal(signal.SIGTERM)
            log.read()
        assert process.wait(TIMEOUT) == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_signals_that_stop_it(name):
    with Gateway() as gateway:
        gateway.signal(getattr(signal, name))
        gateway.wait_log(f"stopping on {name}")
        assert gateway.process.wait(TIMEOUT) == 0
