"""A caller that sends more requests to all gateways than its rate allows, and the check of how many of them passed.

The gateways count together as long as they reach Redis. A gateway that cannot reach it counts alone, and a metric tells how often it
did. While a gateway counts alone, the caller may use the full rate at each gateway."""

import http.client
import threading
import time

RATE, BURST = 20, 40
LEASED = min(RATE // 10, BURST // 40)
"""The number of tokens that a gateway may take in advance, see etc/several-gateways.md."""
TIMEOUT = 5
LOOK = 0.5


class Meter:
    def __init__(self, machines, key, redis_is_up):
        """redis_is_up() returns whether Redis runs."""
        self.machines, self.key, self.redis_is_up = machines, key, redis_is_up
        self.lock = threading.Lock()
        self.passed, self.refused = [], 0
        self.alone = []
        """Pairs (from, to) of times between which some gateway counted alone, or may have counted alone."""
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(machine,), daemon=True) for machine in machines]
        self.threads += [threading.Thread(target=self._look, daemon=True)]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _ask(self, machine):
        """Sends one request after the other to one gateway, as many a second as all gateways together may let pass."""
        connection = None
        while not self.over.is_set():
            next_at = time.monotonic() + 1 / RATE
            connection = connection or http.client.HTTPConnection(machine.network.own, machine.port, timeout=TIMEOUT)
            try:
                connection.request("GET", "/hello/Ada", headers={"X-API-Key": self.key})
                response = connection.getresponse()
                response.read()
                self._note(response.status)
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = None
            self.over.wait(max(0, next_at - time.monotonic()))
        if connection:
            connection.close()

    def _note(self, status):
        with self.lock:
            if status == 200:
                self.passed.append(time.monotonic())
            self.refused += status == 429

    def _look(self):
        """Notes when gateways counted alone: if the metric has grown, that was after the last time when it could be read."""
        last = {machine: (0, time.monotonic()) for machine in self.machines}
        while True:
            ended = self.over.is_set()
            for machine in self.machines:
                now, up = time.monotonic(), self.redis_is_up()
                metrics = machine.metrics()
                if metrics is None:
                    continue
                count = metrics["greenroom_shared_limits_alone_total"]
                before, since = last[machine]
                if (count and count != before) or not up:
                    self.alone.append((since, time.monotonic()))
                last[machine] = (count, now)
            if ended:
                return
            self.over.wait(LOOK)

    # --- the bound ---

    def _stretches(self):
        """Divides all time into parts: (from, to, whether some gateway may have counted alone)."""
        spans = []
        for since, until in sorted(self.alone):
            if spans and since <= spans[-1][1]:
                spans[-1][1] = max(spans[-1][1], until)
            else:
                spans.append([since, until])
        at = 0
        for since, until in spans:
            yield at, since, False
            yield since, until, True
            at = until
        yield at, float("inf"), False

    def check(self):
        """Returns the most requests by which the caller was ahead of its rate, the bound of it, and the problems that were found."""
        count = len(self.machines)
        # An answer is noted later than the gateway made its decision. There is at most one such answer for each connection.
        together = BURST + count * LEASED + count
        most, problems = 0, []
        for since, until, alone in self._stretches():
            ahead = worst = 0
            last = since
            for moment in (one for one in sorted(self.passed) if since <= one < until):
                ahead = max(0, ahead - (moment - last) * RATE * (count if alone else 1)) + 1
                worst, last = max(worst, ahead), moment
            bound = count * BURST + together if alone else together
            if worst > bound:
                problems.append(f"limits: {worst:.0f} requests ahead of the rate, at most {bound} may be")
            if not alone:
                most = max(most, worst)
        return most, together, problems
