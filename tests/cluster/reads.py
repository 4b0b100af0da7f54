"""The cache that the gateways share. Things are written, deleted and read through all gateways, and the check is that no answer is
older than it may be.

The upstream notes which states it had and when, and clients note when they were told that a write had ended. After a write has
ended, a gateway may give the state before it only for some time. On the gateway of the write this time is zero. On others it is the
time until the next check of the copy. Where one of the two gateways kept answers alone, it is the life of an answer."""

import collections
import http.client
import json
import random
import threading
import time

from support.upstream import Reply

LIFE, RECHECK, TIMEOUT = 10, 1, 0.25
"""In seconds: how long an answer is kept, after which time a gateway asks whether its copy is right, and how long it waits for that."""
CONFIG = {"recheck": f"{RECHECK}s", "timeout": f"{TIMEOUT * 1000:.0f}ms", "secret": "what all gateways of the cluster know"}
ROUTES = {"templates.role_get": {"cache": f"{LIFE}s"}}
WORK = 0.05
"""The longest time that the upstream takes, in seconds."""
ASK_TIMEOUT = 30
LOOK = 0.5
PAUSE = 0.05
DELETED = None


class Thing:
    """A thing of the upstream, with all states that it had: (when, number, mark) for each write that was carried out. The number is
    DELETED while the thing does not exist. Each request of a write has a mark of its own, also when the write is repeated."""

    def __init__(self, name):
        self.path = f"/templates/cluster/roles/{name}"
        self.states = [(time.monotonic(), DELETED, "")]
        self.told = {}
        """A Told for each state whose client was told that the write had ended, by the index of the state."""

    def serve(self, upstream):
        for method, function in (("GET", self._get), ("POST", self._put), ("DELETE", self._delete)):
            upstream.on(method, f"/v2{self.path}", function)

    def _get(self, _request):
        _, number, _ = self.states[-1]
        found = ({"code": 404, "message": "role not found"}, 404) if number is DELETED else ({"maxPeerCount": number}, 200)
        return Reply(*found, delay=random.uniform(0, WORK))

    def _put(self, request):
        self.states.append((time.monotonic(), request.json["maxPeerCount"], request.json["name"]))
        return Reply(request.json, delay=random.uniform(0, WORK))

    def _delete(self, _request):
        self.states.append((time.monotonic(), DELETED, ""))
        return Reply(status=204, delay=random.uniform(0, WORK))

    def index_of(self, number, mark):
        """Returns the index of the last state that a write with this number and mark made, or None when there is none."""
        return next((at for at in reversed(range(len(self.states))) if self.states[at][1:] == (number, mark)), None)

    def last_with(self, number, before):
        """Returns the index of the last state before a moment that had the number, or None when there is none."""
        return next((at for at, (when, had, _) in reversed([*enumerate(self.states)]) if had == number and when <= before), None)


Read = collections.namedtuple("Read", "thing sent got machine lives number cached")
Told = collections.namedtuple("Told", "at machine lives")


class Reads:
    def __init__(self, machines, key, upstream, count, longest):
        """count is the number of things; each has one writer. longest is the number of seconds for which a gateway may be stopped."""
        self.machines, self.key, self.longest = machines, key, longest
        self.things = [Thing(f"role-{number}") for number in range(count)]
        self.reads, self.problems = [], []
        self.alone = collections.defaultdict(list)
        """For each machine, pairs (from, to) of times between which it kept answers alone, or may have kept them alone."""
        self.over = threading.Event()
        for thing in self.things:
            thing.serve(upstream)
        self.threads = [threading.Thread(target=self._write, args=(thing,), daemon=True) for thing in self.things]
        for run in (self._read, self._look):
            self.threads += [threading.Thread(target=run, args=(machine,), daemon=True) for machine in machines]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    # --- load ---

    def _ask(self, machine, method, path, body=None):
        """Returns (status, Cache-Status, JSON). The status is 0 when there was no answer."""
        connection = http.client.HTTPConnection(machine.network.own, machine.port, timeout=ASK_TIMEOUT)
        headers = {"X-API-Key": self.key} | ({"Content-Type": "application/json"} if body else {})
        try:
            connection.request(method, path, body and json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            return response.status, response.getheader("Cache-Status", ""), json.loads(text) if text else None
        except (OSError, http.client.HTTPException):
            return 0, "", None
        finally:
            connection.close()

    def _write(self, thing):
        """Makes one write after the other, and repeats each through some gateway until the answer says that it was carried out."""
        number = 0
        while not self.over.is_set():
            number += 1
            attempt = 1
            while not self._wrote(thing, number, attempt) and not self.over.wait(PAUSE):
                attempt += 1
            self.over.wait(random.uniform(0, 4 * RECHECK))

    def _wrote(self, thing, number, attempt):
        machine = random.choice(self.machines)
        lives, mark = machine.lives, f"{number}.{attempt}"
        if number % 5 == 0:
            outcome, good = (DELETED, ""), 204
            status, _, _ = self._ask(machine, "DELETE", thing.path)
        else:
            outcome, good = (number, mark), 200
            status, _, _ = self._ask(machine, "POST", thing.path, {"name": mark, "maxPeerCount": number})
        if status != good:
            return False
        index = thing.index_of(*outcome)
        if index is None:
            self.problems.append(f"answers kept together: {thing.path} has not got write {mark}, which was acknowledged")
        else:
            thing.told[index] = Told(time.monotonic(), machine, lives)
        return True

    def _read(self, machine):
        while not self.over.wait(PAUSE):
            thing, sent, lives = random.choice(self.things), time.monotonic(), machine.lives
            status, cache, answer = self._ask(machine, "GET", thing.path)
            if status in (200, 404):
                number = answer["maxPeerCount"] if status == 200 else DELETED
                self.reads.append(Read(thing, sent, time.monotonic(), machine, lives, number, "hit" in cache))

    def _look(self, machine):
        """Notes when a gateway kept answers alone, which it did if it lost the server, or did not wait for it, since the last look."""
        last, since = None, time.monotonic()
        while True:
            ended, now, lives = self.over.is_set(), time.monotonic(), machine.lives
            metrics = machine.metrics()
            if metrics:
                trouble = sum(metrics[f"greenroom_{name}_total"] for name in
                              ("shared_cache_failures", "shared_cache_dropped", "upstream_cache_shared_away"))
                if (trouble, lives) != last or metrics["greenroom_shared_cache_reached"] != 1:
                    self.alone[machine].append((since, time.monotonic()))
                last, since = (trouble, lives), now
            if ended:
                return
            self.over.wait(LOOK)

    # --- the bound ---

    def _was_alone(self, machine, since, until):
        return any(begin <= until and end >= since for begin, end in self.alone[machine])

    def _bound(self, read, told):
        """Returns for how many seconds the state before the write may be read, and whether both gateways reached the server."""
        if (read.machine, read.lives) == (told.machine, told.lives):
            return 0, True
        since = told.at - LOOK
        if any(self._was_alone(machine, since, read.sent) for machine in (read.machine, told.machine)):
            return LIFE + self.longest, False
        return RECHECK + TIMEOUT, True

    def _ages(self, read):
        """Yields, for each write that is newer than what was read: (seconds since the write ended, the bound for that, whether it is the
        short bound)."""
        at = read.thing.last_with(read.number, read.got)
        if at is None:
            self.problems.append(f"answers kept together: {read.thing.path} never was {read.number}, which {read.machine.name} gave")
            return
        for index in range(at + 1, len(read.thing.states)):
            carried_out, told = read.thing.states[index][0], read.thing.told.get(index)
            if carried_out >= read.sent:
                return
            if told is None:  # its gateway may have been killed before it could tell the others
                yield read.sent - carried_out, LIFE + self.longest, False
            elif told.at < read.sent:
                yield read.sent - told.at, *self._bound(read, told)

    def check(self):
        """Returns the figures, and the problems that were found."""
        worst, old = {True: 0, False: 0}, 0
        for read in self.reads:
            ages = list(self._ages(read))
            old += bool(ages)
            for age, bound, short in ages:
                worst[short] = max(worst[short], age)
                if age > bound:
                    kind = "a copy" if read.cached else "an answer"
                    self.problems.append(f"answers kept together: {read.machine.name} gave {kind} of {read.thing.path} "
                                         f"{age:.2f} s after a write that it does not have; {bound:.2f} s may be")
        cached = sum(read.cached for read in self.reads)
        if not cached or not any(thing.told for thing in self.things):
            self.problems.append("no answer came from a cache, or no write was acknowledged")
        figures = [("writes of things whose answers are kept", sum(len(thing.told) for thing in self.things)),
                   ("reads of them", len(self.reads)), ("of these from a cache", cached),
                   ("of these with what was there before a write that had ended", old),
                   (f"seconds since that write at most, of {RECHECK + TIMEOUT}", round(worst[True], 2)),
                   (f"the same where a gateway kept answers alone or was killed, of {LIFE + self.longest}", round(worst[False], 2))]
        return figures, self.problems
