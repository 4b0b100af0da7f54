"""Several gateways on one PostgreSQL database, under load, while they are killed: is anything lost, or done twice?

Clients create rooms with an Idempotency-Key and repeat each request, on any gateway, until they have a final answer; 100ms
(a double) sends webhooks and repeats each until it is taken. Gateways get SIGKILL and start again. In the end what was
acknowledged is compared with what the upstream was asked for and with what the target of the webhooks got. See scripts/cluster.
"""

import argparse
import collections
import http.client
import json
import os
import pathlib
import random
import sys
import tempfile
import threading
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import hms  # noqa: E402
from support.stores import Store  # noqa: E402
from support.upstream import FACTOR, Reply, Upstream  # noqa: E402

SECRET = "the secret of the hook"
PAUSE = 0.05
"""Between two attempts of a client, in seconds."""


class Cluster:
    def __init__(self, directory, gateways):
        self.upstream, self.target = Upstream(), Upstream()
        self.created = collections.Counter()
        """How often the upstream was asked for a room, by its name."""
        self.lock = threading.Lock()
        self.upstream.on("POST", "/v2/rooms", self._create)
        store = Store(directory)
        options = {"secret": SECRET, "forward_to": [{"name": "app", "url": self.target.url + "/hook"}]}
        self.gateways = []
        for number in range(gateways):
            place = pathlib.Path(directory) / f"gateway{number}"
            place.mkdir()
            gateway = hms.gateway_for(place, self.upstream.url + "/v2", ("rooms", "webhooks"),
                                      {"rooms": {"idempotency": "1h"}, "webhooks": {"config": options}}, store=store.url)
            self.gateways.append(gateway.start())

    def _create(self, request):
        name = request.json["name"]
        with self.lock:
            self.created[name] += 1
        return Reply({"id": uuid.uuid4().hex[:24], "name": name}, delay=random.uniform(0, 0.05))

    def kill_one(self):
        """SIGKILL at any moment, and a new start."""
        gateway = random.choice(self.gateways)
        gateway.process.kill()
        gateway.process.wait()
        gateway.start()

    def stop(self):
        for gateway in self.gateways:
            gateway.stop()
        self.upstream.stop()
        self.target.stop()


class Clients:
    """What they were told: acknowledged rooms and events, and requests whose outcome is unknown."""

    def __init__(self, cluster, count):
        self.cluster = cluster
        self.rooms, self.unknown, self.events, self.wrong = {}, set(), set(), []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(work,)) for work in (self._room, self._event)
                        for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _run(self, work):
        while not self.over.is_set():
            work()

    def _until(self, final, path, body, headers):
        """Repeats a request on any gateway until its answer is a final one."""
        while True:
            try:
                answer = random.choice(self.cluster.gateways).post(path, body, headers=headers)
                if final(answer.status):
                    return answer
            except (OSError, http.client.HTTPException):
                pass  # that gateway was killed
            time.sleep(PAUSE)

    def _room(self):
        name, key = uuid.uuid4().hex, str(uuid.uuid4())
        answer = self._until(lambda status: status in (200, 422, 504), "/rooms", {"name": name},
                             {"Idempotency-Key": f'"{key}"'})
        if answer.status == 200:
            self.rooms[name] = answer.json["id"]
            again = self._until(lambda status: status in (200, 422, 504), "/rooms", {"name": name},
                                {"Idempotency-Key": f'"{key}"'})
            if again.status != 200 or again.json != answer.json:
                self.wrong.append(f"room {name}: {answer.body!r}, and then {again.status} {again.body!r}")
        elif answer.status == 504:
            self.unknown.add(name)
        else:
            self.wrong.append(f"room {name}: {answer.status} {answer.body!r}")

    def _event(self):
        event = {"version": "2.0", "id": str(uuid.uuid4()), "account_id": "a", "app_id": "b", "type": "room.end.success",
                 "timestamp": "2025-03-04T17:10:11Z", "data": {"room_id": random.choice("abcdef")}}
        self._until(lambda status: status == 200, "/webhooks", event, {"X-Webhook-Secret": SECRET})
        self.events.add(event["id"])


def delivered(cluster):
    return collections.Counter(json.loads(request.body)["id"] for request in list(cluster.target.requests))


def wait_for_deliveries(cluster, events, limit):
    end = time.monotonic() + limit
    while events - set(delivered(cluster)) and time.monotonic() < end:
        time.sleep(PAUSE)


def check(cluster, clients, kills):
    """Prints the figures. Returns what must not be."""
    twice = [name for name, count in cluster.created.items() if count > 1]
    lost = [name for name in clients.rooms if cluster.created[name] != 1]
    got = delivered(cluster)
    missing = clients.events - set(got)
    repeated = sum(count - 1 for event, count in got.items())
    for what, number in (("gateways killed", kills), ("rooms acknowledged", len(clients.rooms)),
                         ("rooms with an unknown outcome", len(clients.unknown)), ("rooms lost", len(lost)),
                         ("rooms created twice", len(twice)), ("events acknowledged", len(clients.events)),
                         ("events lost", len(missing)), ("events delivered again after a kill", repeated)):
        print(f"{number:8} {what}")
    problems = clients.wrong[:5]
    problems += [f"rooms created twice: {twice[:3]}"] if twice else []
    problems += [f"rooms lost: {lost[:3]}"] if lost else []
    problems += [f"events lost: {sorted(missing)[:3]}"] if missing else []
    problems += ["nothing was acknowledged"] if not clients.rooms or not clients.events else []
    problems += [f"{repeated} events delivered again without a kill"] if repeated and not kills else []
    return problems


def run(arguments):
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(directory, arguments.gateways)
        try:
            clients = Clients(cluster, arguments.clients)
            for _ in range(arguments.kills):
                time.sleep(arguments.pause * FACTOR)
                cluster.kill_one()
            time.sleep(arguments.pause * FACTOR)
            clients.end()
            wait_for_deliveries(cluster, clients.events, 120 * FACTOR)
            return check(cluster, clients, arguments.kills)
        finally:
            cluster.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateways", type=int, default=3, help="how many run (default: 3)")
    parser.add_argument("--clients", type=int, default=8, help="of each kind (default: 8)")
    parser.add_argument("--kills", type=int, default=20, help="how often one is killed (default: 20)")
    parser.add_argument("--pause", type=float, default=3, help="seconds between two of them (default: 3)")
    arguments = parser.parse_args()
    if "GR_TEST_POSTGRES" not in os.environ:
        print("SKIPPED: without GR_TEST_POSTGRES there is no store to share", file=sys.stderr)
        return 77
    problems = run(arguments)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
