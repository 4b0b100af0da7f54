"""The clients and senders that make the load, and the comparison of what they were told with what is there in the end."""

import collections
import http.client
import json
import pathlib
import random
import threading
import time
import uuid

from support.sandbox import Sandbox
from support.upstream import Reply, Upstream

SECRET = "the secret of the hook"
PAUSE = 0.05
"""Between two attempts of a client, in seconds."""
FAILURES = 0.01
"""The share of deliveries that the target answers with 500."""
AHEAD_MAX = 100
"""The sender of a room waits when so many of its events were acknowledged and not yet delivered."""


class Doubles:
    """Doubles of 100ms and of the target of the webhooks. The double of 100ms is the sandbox, with a count of the requests."""

    def __init__(self, directory):
        self.sandbox = Sandbox(pathlib.Path(directory) / "sandbox")
        self.upstream, self.target = Upstream(), Upstream()
        self.created = collections.Counter()
        """How often the upstream was asked for a room, by its name."""
        self.deliveries = []
        """(room, number, whether the target took it), in the order of their arrival."""
        self.taken = collections.Counter()
        """How many different events of a room the target took."""
        self._seen = set()
        self.lock = threading.Lock()
        self.upstream.on("POST", "/v2/rooms", self._create)
        self.target.on("POST", "/hook", self._take)

    def _create(self, request):
        name = request.json["name"]
        with self.lock:
            self.created[name] += 1
        token = (request.header("Authorization") or "").removeprefix("Bearer ")
        answer = self.sandbox.call("POST", "/rooms", request.body, token=token)
        return Reply(answer.json, status=answer.status, delay=random.uniform(0, 0.05))

    def rooms(self):
        """Returns the ids of the rooms that the sandbox has, by name."""
        found, start = {}, ""
        while start is not None:
            page = self.sandbox.get(f"/rooms?limit=100{start}")
            found |= {room["name"]: room["id"] for room in page["data"]}
            start = f"&start={page['last']}" if page.get("last") else None
        return found

    def _take(self, request):
        data = request.json["data"]
        fine = random.random() >= FAILURES
        with self.lock:
            self.deliveries.append((data["room_id"], data["number"], fine))
            event = (data["room_id"], data["number"])
            if fine and event not in self._seen:
                self._seen.add(event)
                self.taken[event[0]] += 1
        return Reply(status=200 if fine else 500)

    def stop(self):
        self.upstream.stop()
        self.target.stop()
        self.sandbox.stop()


class Clients:
    """Clients and senders, and what they were told: acknowledged rooms and events, and requests whose outcome is unknown."""

    def __init__(self, ask, keys, doubles):
        """ask(path, body, headers) sends a POST to some gateway. For each API key there is one client of each kind."""
        self.ask, self.doubles, count = ask, doubles, len(keys)
        self.late = 0
        """How often a sender waited for deliveries."""
        self.rooms, self.unknown, self.events, self.wrong = {}, set(), {}, []
        self.not_kept = set()
        """Rooms that were acknowledged, and whose outcome was unknown when the request was repeated, as the answer was not kept."""
        self.retries = 0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._create, args=(key,), daemon=True) for key in keys]
        self.threads += [threading.Thread(target=self._send, args=(f"room-{number}",), daemon=True) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _until(self, final, path, body, headers):
        """Repeats a request until its answer is a final one."""
        while True:
            try:
                answer = self.ask(path, body, headers)
                if final(answer.status):
                    return answer
            except (OSError, http.client.HTTPException):
                pass  # the gateway was killed, or cannot be reached
            self.retries += 1
            time.sleep(PAUSE)

    def _create(self, key):
        while not self.over.is_set():
            self._room(uuid.uuid4().hex, {"Idempotency-Key": f'"{uuid.uuid4()}"', "X-API-Key": key})

    def _room(self, name, headers):
        def final(status):
            return status in (200, 422, 504)

        answer = self._until(final, "/rooms", {"name": name}, headers)
        if answer.status == 504:
            self.unknown.add(name)
        elif answer.status != 200:
            self.wrong.append(f"room {name}: {answer.status} {answer.body!r}")
        else:
            self.rooms[name] = answer.json["id"]
            again = self._until(final, "/rooms", {"name": name}, headers)
            if again.status == 504:
                self.not_kept.add(name)
            elif again.status != 200 or again.json != answer.json:
                self.wrong.append(f"room {name}: {answer.body!r}, and then {again.status} {again.body!r}")

    def _send(self, room):
        """Sends the events of a room. As at 100ms, the next one is sent when the one before was taken."""
        number = 0
        while not self.over.is_set():
            event = {"version": "2.0", "id": f"{room}-{number}", "account_id": "a", "app_id": "b", "type": "peer.join.success",
                     "timestamp": "2025-03-04T17:10:11Z", "data": {"room_id": room, "number": number}}
            self._until(lambda status: status == 200, "/webhooks", event, {"X-Webhook-Secret": SECRET})
            number += 1
            self.events[room] = number
            self.late += number - self.doubles.taken[room] >= AHEAD_MAX
            while number - self.doubles.taken[room] >= AHEAD_MAX and not self.over.is_set():
                self.over.wait(PAUSE)


def taken(doubles):
    """Returns what the target took: for each room the numbers in the order of their first arrival, how often each number came, and how
    many deliveries the target refused."""
    with doubles.lock:
        deliveries = list(doubles.deliveries)
    order, times = collections.defaultdict(dict), collections.Counter()
    for room, number, fine in deliveries:
        if fine:
            order[room].setdefault(number)
            times[room, number] += 1
    refused = sum(1 for _, _, fine in deliveries if not fine)
    return {room: list(numbers) for room, numbers in order.items()}, times, refused


def missing(doubles, events):
    order, _, _ = taken(doubles)
    return [(room, number) for room, count in events.items() for number in set(range(count)) - set(order.get(room, ()))]


def wait_for_deliveries(doubles, events, limit):
    end = time.monotonic() + limit
    while missing(doubles, events) and time.monotonic() < end:
        time.sleep(PAUSE)


def check(doubles, clients, breaks):
    """Returns the figures, and the problems that were found."""
    order, times, refused = taken(doubles)
    lost = missing(doubles, clients.events)
    disordered = [room for room, numbers in order.items() if numbers != sorted(numbers)]
    repeated = sum(count - 1 for count in times.values())
    rooms_twice = [name for name, count in doubles.created.items() if count > 1]
    there = doubles.rooms()
    rooms_lost = [name for name, ident in clients.rooms.items() if there.get(name) != ident]
    figures = [(f"breaks of the kind {kind}", count) for kind, count in sorted(breaks.items())]
    figures += [("requests that were sent again", clients.retries), ("rooms acknowledged", len(clients.rooms)),
                ("rooms with an unknown outcome", len(clients.unknown)),
                ("rooms whose answer could not be kept for a second request", len(clients.not_kept)), ("rooms lost", len(rooms_lost)),
                ("rooms created twice", len(rooms_twice)), ("events acknowledged", sum(clients.events.values())),
                ("times that a room waited for deliveries before its next event", clients.late),
                ("events lost", len(lost)), ("rooms whose events came out of order", len(disordered)),
                ("deliveries that the target refused, and that were made again", refused),
                ("deliveries made again after a break", repeated)]
    problems = clients.wrong[:5]
    problems += [f"rooms created twice: {rooms_twice[:3]}"] if rooms_twice else []
    problems += [f"rooms lost: {rooms_lost[:3]}"] if rooms_lost else []
    problems += [f"events lost: {sorted(lost)[:3]}"] if lost else []
    problems += [f"events out of order: {disordered[:3]}"] if disordered else []
    problems += ["nothing was acknowledged"] if not clients.rooms or not clients.events else []
    problems += [f"{repeated} deliveries made again without a break"] if repeated and not breaks else []
    return figures, problems


def dump(doubles, directory):
    """Writes all deliveries to a file, which helps to find the cause of a problem."""
    with open(f"{directory}/deliveries.json", "w") as file:
        json.dump(doubles.deliveries, file)
