"""Makes and revokes keys, and checks that each gateway refuses a revoked key within a second.

A gateway with "on_failure": "closed" has to do so whatever happens to it and to PostgreSQL. A gateway that goes on with the keys
that it knows has to do so when it can read the store."""

import http.client
import threading
import time

from support.gateway import Gateway
from support.upstream import FACTOR

WITHIN = 1.0
PAUSE = 3
TIMEOUT = 5
PROBE = 0.05


class Desk:
    """Makes and revokes keys by commands of the program, whose connection to the store is never cut."""

    def __init__(self, place, store):
        self.gateway = Gateway(place, {"store": store, "state_directory": str(place), "auth": {"keys": {"store": True}}}, {"hello": {}})
        place.mkdir()
        self.gateway.write()

    def _command(self, *words, over=threading.Event()):
        """Runs a command, and repeats it while PostgreSQL cannot be reached. Returns None when `over` is set meanwhile."""
        while not over.is_set():
            done = self.gateway.run("keys", *words)
            if done.returncode == 0:
                return done.stdout.strip()
            over.wait(0.2)
        return None

    def add(self, name, scope, over=threading.Event()):
        """Makes a key. Each attempt uses a new name, since an attempt whose answer was lost may have made the key."""
        attempt = 0
        while not over.is_set():
            attempt += 1
            done = self.gateway.run("keys", "add", f"{name}-{attempt}", "--scope", scope)
            if done.returncode == 0:
                return f"{name}-{attempt}", done.stdout.strip()
            over.wait(0.2)
        return None, None

    def is_revoked(self, name):
        """Revokes a key. Returns false when it is not known whether it was revoked."""
        done = self.gateway.run("keys", "revoke", name)
        return done.returncode == 0 or "revoked" in done.stderr


class Revoker:
    def __init__(self, machines, desk):
        self.machines, self.desk = machines, desk
        self.lock = threading.Lock()
        self.count, self.timely, self.latest, self.problems = 0, 0, {"closed": 0.0, "known": 0.0}, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def end(self):
        self.over.set()
        self.thread.join()

    def _status(self, machine, key):
        connection = http.client.HTTPConnection(machine.network.own, machine.port, timeout=TIMEOUT)
        try:
            connection.request("GET", "/hello/Ada", headers={"X-API-Key": key})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _run(self):
        number = 0
        while not self.over.wait(PAUSE):
            number += 1
            name, key = self.desk.add(f"probe-{number}", "hello:*", self.over)
            if not key:
                return
            watchers = [threading.Thread(target=self._wait, args=(machine, key, 200), daemon=True) for machine in self.machines]
            for watcher in watchers:
                watcher.start()
            for watcher in watchers:
                watcher.join()
            while not self.desk.is_revoked(name):
                time.sleep(0.2)
            at = time.monotonic()
            watchers = [threading.Thread(target=self._watch, args=(machine, key, at), daemon=True) for machine in self.machines]
            for watcher in watchers:
                watcher.start()
            for watcher in watchers:
                watcher.join()
            self.count += 1

    def _wait(self, machine, key, status):
        while not self.over.is_set() and self._status(machine, key) != status:
            time.sleep(PROBE)

    def _watch(self, machine, key, at):
        """Uses the key until the gateway refuses it, and notes how long that took."""
        end = at + 60 * FACTOR
        while time.monotonic() < end:
            sent = time.monotonic()
            status = self._status(machine, key)
            bound = machine.keys == "closed" or machine.is_calm(at - WITHIN, time.monotonic())
            with self.lock:
                if status == 401:
                    self.timely += bound
                    return
                if status == 200 and bound:
                    self.latest[machine.keys] = max(self.latest[machine.keys], sent - at)
                if status == 200 and bound and sent > at + WITHIN * FACTOR:
                    self.problems.append(f"keys: {machine.name} took a key {sent - at:.1f} s after it was revoked")
                    return
            time.sleep(PROBE)
        with self.lock:
            self.problems.append(f"keys: {machine.name} does not refuse a key that was revoked a minute ago")
