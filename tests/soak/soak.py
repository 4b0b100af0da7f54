"""A soak: callers of all kinds, a crowd of slow clients, random upstream faults, reloads, for the given time.

Each caller has rooms of its own, and every fault is set for the next call to one of them, so that for each answer it
is known whether something was injected. An error where nothing was injected counts against the gateway; so do a
process that ends, a leak, a sanitizer's report and memory that keeps growing. Run by scripts/soak.
"""

import argparse
import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.certificates import Authority  # noqa: E402
from support.gateway import Gateway  # noqa: E402
from support.promtext import parse  # noqa: E402

SLOW_CLIENTS = pathlib.Path(__file__).parents[1] / "bench" / "slow_clients.py"
SLOW_KINDS = ("silent", "idle", "header", "body", "reader")
KEY, SECRET = "sandbox-access-key", "sandbox-app-secret-for-local-use-only"
UPSTREAM_TIMEOUT = 3.0

# The possible results of a call with a fault; a retry may also hide the fault.
FAULTS = [
    ({"delay": 300}, (200,)),
    ({"delay": int(UPSTREAM_TIMEOUT * 1000) + 1500}, (200, 504)),
    ({"status": 500, "body": {"code": 500, "message": "injected"}}, (200, 500, 502, 503)),
    ({"status": 503}, (200, 502, 503)),
    ({"status": 429, "retry_after": 1}, (200, 429, 503)),
    ({"status": 404, "body": {"code": 404, "message": "injected"}}, (404,)),
    ({"status": 502, "raw": "<html>Bad Gateway</html>", "content_type": "text/html"}, (200, 502, 503)),
    ({"drop": True}, (200, 502, 504)),
    ({"truncate": 40}, (200, 502)),
    ({"truncate": 150}, (200, 502)),
]


class Tally:
    """The counts of all threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = collections.Counter()
        self.injected = collections.Counter()
        self.overcome = 0
        self.wrong = []

    def add(self, what, status=None):
        with self.lock:
            self.calls[what, status] += 1

    def fault(self, name, overcome):
        with self.lock:
            self.injected[name] += 1
            self.overcome += overcome

    def complain(self, text):
        with self.lock:
            self.wrong.append(text)


class Caller(threading.Thread):
    """One caller in a loop, over HTTP or HTTPS, on connections it keeps or throws away."""

    def __init__(self, number, gateway, sandbox, tally, stop, context):
        super().__init__(daemon=True)
        self.random = random.Random(number)
        self.gateway, self.sandbox, self.tally, self.stop_event = gateway, sandbox, tally, stop
        self.context = context if number % 2 else None
        self.connection = None
        self.rooms = []
        self.number = number
        self.made = 0

    # --- calls ---

    def connect(self):
        if self.context:
            return http.client.HTTPSConnection("localhost", self.gateway.https_port, timeout=30, context=self.context)
        return http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=30)

    def call(self, method, path, body=None):
        """(status, parsed body). A kept connection that was closed meanwhile is replaced, once."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        kept = self.connection is not None
        for _ in range(2):
            self.connection = self.connection or self.connect()
            try:
                self.connection.request(method, path, data, headers)
                answer = self.connection.getresponse()
                content = answer.read()
                if answer.will_close:
                    self.drop()
                is_json = (answer.getheader("Content-Type") or "").startswith("application/json")
                return answer.status, json.loads(content) if content and is_json else None
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                self.drop()
                if not kept:
                    raise
                kept = False
        raise AssertionError("not reached")

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def expect(self, what, statuses, method, path, body=None, fault=""):
        begun = time.monotonic()
        status, answer = self.call(method, path, body)
        self.tally.add(what, status)
        if status not in statuses:
            took = time.monotonic() - begun
            self.tally.complain(f"{what} {fault}: {method} {path}: {status} {str(answer)[:200]} after {took:.2f} s, wanted {statuses}")
        return status, answer

    def inject(self, fault, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.sandbox.port, timeout=30)
        connection.request("POST", "/v2/sandbox/faults", json.dumps({**fault, "method": method, "path": path, "count": 1}),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status in (200, 201), answer.status

    # --- the callers ---

    def make_room(self):
        self.made += 1
        status, room = self.expect("create", (200,), "POST", "/rooms", {"name": f"soak-{self.number}-{self.made}"})
        if status == 200:
            self.rooms.append(room["id"])
            self.rooms = self.rooms[-20:]

    def read_room(self):
        self.expect("read", (200,), "GET", f"/rooms/{self.random.choice(self.rooms)}")

    def change_room(self):
        self.expect("change", (200,), "POST", f"/rooms/{self.random.choice(self.rooms)}", {"description": "x" * 50})

    def list_rooms(self):
        self.expect("list", (200,), "GET", "/rooms?limit=10")

    def mint(self):
        room = self.random.choice(self.rooms)
        self.expect("token", (201,), "POST", "/token", {"roomId": room, "role": "host", "userId": "soak"})

    def meet_fault(self):
        fault, statuses = self.random.choice(FAULTS)
        room = self.random.choice(self.rooms)
        method = self.random.choice(("GET", "POST"))
        self.inject(fault, method, f"/rooms/{room}")
        body = {"description": "y"} if method == "POST" else None
        status, _ = self.expect("fault", statuses, method, f"/rooms/{room}", body, fault)
        self.tally.fault(next(iter(fault)), status == 200)

    def ask_wrongly(self):
        method, path, body, status = self.random.choice([
            ("GET", "/nowhere", None, 404), ("DELETE", "/rooms", None, 405), ("POST", "/rooms", {"name": 5}, 400),
            ("POST", "/rooms", [1], 400), ("GET", "/rooms?limit=abc", None, 400), ("POST", "/token", {}, 400),
        ])
        self.expect("wrong", (status,), method, path, body)

    def misbehave(self):
        """On a separate connection; any answer must be an error."""
        data, then = self.random.choice([
            (b"GET / HTTP/1.1\r\nHo", "leave"), (b"\x16\x03\x01\x00\x05hello\r\n\r\n", "read"),
            (b"POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", "leave"),
            (b"POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", "read"),
            (b"GET /rooms HTTP/1.1\r\nHost: x\r\n\r\n", "leave"), (os.urandom(200) + b"\r\n\r\n", "read"),
            (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "read"), (b"", "leave"),
        ])
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=30) as sock:
            try:
                sock.sendall(data)
                if then == "read":
                    answer = sock.recv(65536)
                    if answer and not answer.startswith(b"HTTP/1.1 4"):
                        self.tally.complain(f"misbehaved: {data[:60]!r}: {answer[:60]!r}")
            except ConnectionResetError:
                pass
        self.tally.add("misbehave")

    def run(self):
        deeds = [self.make_room, self.read_room, self.change_room, self.list_rooms, self.mint, self.meet_fault,
                 self.ask_wrongly, self.misbehave]
        weights = [2, 8, 2, 2, 3, 4, 2, 2]
        while not self.stop_event.is_set():
            deed = self.random.choices(deeds, weights)[0] if self.rooms else self.make_room
            try:
                deed()
                if self.random.random() < 0.1:
                    self.drop()
            except Exception:  # pylint: disable=broad-except
                self.drop()
                self.tally.complain(f"{deed.__name__}: {traceback.format_exc(limit=-2)}")


# --- the processes ---


def resident_kib(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def make_sandbox(directory):
    return Gateway(directory / "sandbox", {"server": {"workers": 64, "access_log": False}}, {
        "sandbox": {"prefix": "/v2", "config": {"access_key": KEY, "secret": SECRET}}})


def make_gateway(directory, sandbox, files):
    url = f"http://127.0.0.1:{sandbox.port}/v2"
    gateway = Gateway(directory / "gateway", {
        "server": {"listen": ["127.0.0.1:0", {"address": "127.0.0.1:0", "tls": True}],
                   "tls": {"certificate": str(files[0]), "key": str(files[1])}, "access_log": False},
        "credentials": {"100ms": {"access_key": KEY, "secret": SECRET}},
        "upstreams": {"api": {"url": url, "credential": "100ms", "timeout": f"{int(UPSTREAM_TIMEOUT)}s"},
                      "auth": {"url": url}},
    }, {"rooms": {}, "templates": {}, "token": {}, "sessions": {}})
    gateway.start()
    gateway.https_port = int(gateway.find(r'"listening on https://[^"]*:(\d+)"'))
    return gateway


@contextlib.contextmanager
def crowd(gateway, count, tally):
    """Slow clients of each kind in equal parts; they reconnect when the gateway has closed a connection. It counts as
    wrong when most of the connections are not open at the end: those of slow readers are closed when the kernel has taken
    the answer, and others always are about to be made again."""
    processes = [subprocess.Popen([sys.executable, str(SLOW_CLIENTS), str(gateway.port), kind,
                                   str(count // len(SLOW_KINDS))], stdout=subprocess.DEVNULL) for kind in SLOW_KINDS]
    try:
        yield
        held = parse(gateway.admin("/metrics").body.decode())["greenroom_connections"]
        print(f"connections at the end: {held:.0f}, {count} of them meant to be slow")
        if held < 0.5 * count:
            tally.complain(f"only {held:.0f} connections are open beside {count} slow clients")
        if any(process.poll() is not None for process in processes):
            tally.complain("a process of slow clients has ended")
    finally:
        for process in processes:
            process.kill()
            process.wait()


def watch(gateway, sandbox, tally, seconds, files, authority):
    """Reloads and renews certificates until time is up. Memory of the gateway, in KiB, at several times."""
    begun, memory, turn = time.monotonic(), [], 0
    while time.monotonic() - begun < seconds:
        time.sleep(min(2.0, max(0.0, seconds - (time.monotonic() - begun))))
        for name, process in (("gateway", gateway.process), ("sandbox", sandbox.process)):
            if process.poll() is not None:
                tally.wrong.insert(0, f"the {name} ended with {process.returncode}")
                return memory
        memory.append(resident_kib(gateway.process))
        turn += 1
        if turn % 5 == 0:
            gateway.process.send_signal(signal.SIGHUP)
        if turn % 15 == 0:
            fresh = authority.issue(f"server{turn}")
            for source, target in zip(fresh, files):
                os.replace(source, target)
    return memory


def end(name, process, tally):
    try:
        process.stop()
    except Exception as error:  # pylint: disable=broad-except
        tally.complain(f"{name}: {str(error)[-3000:]}")
    for word in ("Sanitizer", "runtime error"):
        if word in process.log:
            tally.wrong.insert(0, f"{name}: {process.log[max(0, process.log.index(word) - 100):][:4000]}")
            break


def report(tally, seconds, memory, reloads):
    calls = sum(tally.calls.values())
    faults = sum(tally.injected.values())
    print(f"{seconds:.0f} s, {calls} calls ({calls / seconds:.0f} a second), {reloads} reloads")
    by_kind = collections.Counter()
    for (what, _), count in tally.calls.items():
        by_kind[what] += count
    print("calls:  " + ", ".join(f"{what} {count}" for what, count in sorted(by_kind.items())))
    print(f"faults: {faults} injected ({', '.join(f'{n} {c}' for n, c in sorted(tally.injected.items()))}), "
          f"{tally.overcome} of them overcome")
    if len(memory) >= 4:
        half = memory[len(memory) // 2:]
        print(f"memory: {memory[0] // 1024} MiB at first, {half[0] // 1024} at half time, {half[-1] // 1024} at the end")
    print(f"errors that were not injected: {len(tally.wrong)}")
    for text in tally.wrong[:10]:
        print("  " + text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--callers", type=int, default=24)
    parser.add_argument("--slow", type=int, default=2000)
    options = parser.parse_args()
    tally, stop = Tally(), threading.Event()

    with tempfile.TemporaryDirectory(prefix="greenroom-soak-") as name:
        directory = pathlib.Path(name)
        authority = Authority(directory / "pki")
        files = [directory / "cert.pem", directory / "key.pem"]
        for source, target in zip(authority.issue("server"), files):
            os.replace(source, target)
        context = ssl.create_default_context(cafile=str(authority.file))
        sandbox = make_sandbox(directory).start()
        gateway = make_gateway(directory, sandbox, files)
        begun = time.monotonic()
        callers = [Caller(i, gateway, sandbox, tally, stop, context) for i in range(options.callers)]
        for caller in callers:
            caller.start()
        with crowd(gateway, options.slow, tally):
            memory = watch(gateway, sandbox, tally, options.minutes * 60, files, authority)
        stop.set()
        for caller in callers:
            caller.join(60)
            if caller.is_alive():
                tally.complain("a caller still waits for its answer")
        seconds = time.monotonic() - begun
        reloads = gateway.log.count('"reloaded:')
        end("gateway", gateway, tally)
        end("sandbox", sandbox, tally)
    report(tally, seconds, memory, reloads)
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
