"""Lines of the log as entries of the systemd journal, in its native protocol, sent to a stand-in for journald."""

import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from support.gateway import BINARY, Gateway
from support.until import until
from support.upstream import Reply, Upstream

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Journal:
    """Receives datagrams like journald. Each entry is a dict of fields."""

    def __init__(self, path):
        self.path = str(path)
        self.entries = []
        self.listen()

    def listen(self):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        threading.Thread(target=self._take, args=(self._socket,), daemon=True).start()

    def gone(self):
        os.unlink(self.path)

    def _take(self, listener):
        while True:
            datagram = listener.recv(1 << 20)
            assert datagram.endswith(b"\n") and b"\n\n" not in datagram, datagram
            fields = [line.split(b"=", 1) for line in datagram[:-1].split(b"\n")]
            entry = {name.decode(): value.decode() for name, value in fields}
            assert len(entry) == len(fields), datagram
            assert all(name.replace("_", "").isupper() for name in entry), datagram
            self.entries.append(entry)

    def wait(self, **wanted):
        """Waits for an entry with these fields and returns the first one."""
        return until(lambda: next((entry for entry in self.entries if wanted.items() <= entry.items()), None), str(wanted))


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.sock")


@pytest.fixture
def start(tmp_path):
    """start(**log): a gateway with an admin socket; its standard error has the lines that do not go to the journal."""
    with Upstream() as upstream:
        upstream.default = Reply({"id": "1", "name": "algebra", "enabled": True})
        started = []

        def starter(env=None, prefix=(), **log):
            gateway = Silent(tmp_path, {"upstreams": {"api": {"url": upstream.url}}, "log": log,
                                        "state_directory": str(tmp_path / "state")}, {"rooms": {}}, env=env)
            gateway.prefix = list(prefix)
            started.append(gateway)
            return gateway.start()

        yield starter
        for gateway in started:
            gateway.stop()


class Silent(Gateway):
    """A gateway whose ports are read from `greenroom status`, because the lines with the ports may go to the journal."""

    def start(self):
        self.launch()

        def listens():
            status = self.run("status", "--json")
            return json.loads(status.stdout) if status.returncode == 0 else None

        status = until(listens, "it does not start")
        self.port = int(status["listen"][0].rpartition(":")[2])
        self.admin_port = int(status["admin"].rpartition(":")[2])
        return self


@pytest.mark.parametrize("buffer", [0, "1m"])
def test_a_line_has_the_fields_of_its_request(start, journal, buffer):
    gateway = start(journal=journal.path, buffer=buffer)
    gateway.get("/rooms/1", headers={"X-Request-Id": "one", "traceparent": f"00-{TRACE}-{PARENT}-01"})
    entry = journal.wait(REQUEST_ID="one")
    line = json.loads(entry["MESSAGE"])
    assert line["message"] == "request" and line["request_id"] == "one"
    assert entry == {"PRIORITY": "6", "SYSLOG_IDENTIFIER": "greenroom", "REQUEST_ID": "one", "OPERATION": "rooms.get",
                     "GREENROOM_GROUP": "rooms", "HTTP_STATUS": "200", "TRACE_ID": TRACE, "SPAN_ID": line["span_id"],
                     "MESSAGE": entry["MESSAGE"]}
    assert "rooms.get" not in gateway.log


def test_a_line_cannot_forge_fields(start, journal):
    gateway = start(journal=journal.path, format="text")
    gateway.get("/rooms/a%0aPRIORITY=0", headers={"X-Request-Id": "two"})
    gateway.get("/rooms/1", headers={"X-Request-Id": "three PRIORITY=0"})
    assert journal.wait(REQUEST_ID="two")["PRIORITY"] == "6"
    gateway.get("/rooms/1", headers={"X-Request-Id": "three"})
    journal.wait(REQUEST_ID="three")
    assert {entry["PRIORITY"] for entry in journal.entries} <= {"4", "6"}


def test_the_priority_is_the_level(start, journal):
    gateway = start(journal=journal.path)
    gateway.config["server"]["listen"] = ["nonsense"]
    gateway.write()
    gateway.process.send_signal(signal.SIGHUP)
    journal.wait(PRIORITY="3")


def test_without_a_journal_lines_stay_where_they_were(start, tmp_path):
    gateway = start()
    gateway.get("/rooms/1", headers={"X-Request-Id": "four"})
    gateway.wait_log('"request_id":"four"')


# As under systemd: standard error is a stream of the journal, and the journal listens on its usual socket.
AS_SYSTEMD = """mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && ln -s "$1" /run/systemd/journal/socket
shift; JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@\""""


def as_systemd(journal):
    prefix = ["unshare", "--mount", "sh", "-c", AS_SYSTEMD, "sh", journal.path]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespace may be made here")
    return prefix


@pytest.mark.parametrize("setting,used", [("auto", True), ("off", False)])
def test_it_is_found_where_systemd_has_it(start, journal, setting, used):
    gateway = start(prefix=as_systemd(journal), journal=setting)
    gateway.get("/rooms/1", headers={"X-Request-Id": "found"})
    if used:
        journal.wait(REQUEST_ID="found")
        assert '"request_id":"found"' not in gateway.log
    else:
        gateway.wait_log('"request_id":"found"')
        assert not journal.entries


def test_a_journal_that_does_not_listen_stops_the_start(tmp_path):
    gateway = Gateway(tmp_path, {"log": {"journal": str(tmp_path / "none")}}, {})
    gateway.write()
    ended = subprocess.run([BINARY, "-c", str(tmp_path)], env=gateway.env, capture_output=True, text=True, timeout=20)
    assert ended.returncode != 0 and "log.journal: " in ended.stderr and "cannot be reached" in ended.stderr


def test_what_the_journal_does_not_take_is_written_as_before(start, journal):
    gateway = start(journal=journal.path)
    gateway.get("/rooms/1", headers={"X-Request-Id": "five"})
    journal.wait(REQUEST_ID="five")
    journal.gone()
    gateway.get("/rooms/1", headers={"X-Request-Id": "six"})
    gateway.wait_log('^{.*"request_id":"six"')
    journal.listen()
    gateway.get("/rooms/1", headers={"X-Request-Id": "seven"})
    journal.wait(REQUEST_ID="seven")


def test_a_reload_may_begin_and_end_it(start, journal):
    gateway = start(journal="off")
    gateway.get("/rooms/1", headers={"X-Request-Id": "eight"})
    gateway.wait_log('"request_id":"eight"')
    for name, wanted in ((journal.path, True), ("off", False)):
        gateway.config["log"]["journal"] = name
        gateway.write()
        assert gateway.run("reload").returncode == 0
        gateway.get("/rooms/1", headers={"X-Request-Id": f"then-{wanted}"})
        if wanted:
            journal.wait(REQUEST_ID="then-True")
        else:
            gateway.wait_log('"request_id":"then-False"')
    assert "then-True" not in gateway.log


def test_a_wrong_setting_is_named(tmp_path):
    gateway = Gateway(tmp_path, {"log": {"journal": "on"}}, {})
    gateway.write()
    checked = gateway.run("check")
    assert checked.returncode != 0 and "log.journal" in checked.stderr and '"auto", "off" or an absolute path' in checked.stderr
