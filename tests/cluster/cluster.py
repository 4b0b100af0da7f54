"""Runs several gateways behind a balancer, on a PostgreSQL server with a standby, and breaks parts of all this under load. Then it
checks that nothing was lost, done twice or done out of order, that limits held, that revoked keys were refused, and that no cache
gave an answer that was older than it may be.

The load is this. Clients create rooms in the sandbox with an Idempotency-Key, and repeat each request until they have a final
answer. A double of 100ms sends webhooks, those of a room one after the other, and repeats each until it is taken. One caller sends
more requests than its rate allows. Keys are made and revoked. Roles of a template are written, deleted and read. In the end what
clients were told is compared with what the upstream was asked for and has, and with what the target of the webhooks received. See
scripts/cluster.
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
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import databases  # noqa: E402
import limits  # noqa: E402
import load  # noqa: E402
import network  # noqa: E402
import reads  # noqa: E402
import revocations  # noqa: E402
from support import hms, promtext, redis  # noqa: E402
from support.clocks import faketime  # noqa: E402
from support.gateway import Answer  # noqa: E402
from support.ports import hold_port, hold_port  # noqa: E402
from support.upstream import FACTOR  # noqa: E402

ASK_TIMEOUT = 40
METRICS_TIMEOUT = 5
CLOCK_MAX = 3600
"""The most seconds by which a clock is set wrong."""


CALM_AFTER = 5
"""For so many seconds after a break, a gateway may not have read the store again."""


def start_again(gateway):
    """Starts a gateway as a service manager does, again and again: it ends at once when it cannot reach PostgreSQL in time."""
    for _ in range(5):
        try:
            return gateway.start()
        except AssertionError:
            gateway.process.kill()
            gateway.process.wait()
    return gateway.start()


class Machine:
    """A gateway with a network of its own, a proxy of its own to each server, and a clock of its own."""

    def __init__(self, directory, number, of_network, cluster):
        place = pathlib.Path(directory) / f"gateway{number}"
        place.mkdir()
        self.name, self.network = place.name, of_network
        self.port, self._held = hold_port()
        self.troubles = []
        self.lives = 1
        """How often the gateway was started."""
        self.ways = {}
        self.keys = "closed" if number % 2 else "known"
        """What happens to requests with a key while the store does not answer."""
        self.gateway = hms.gateway_for(place, cluster.upstream_url, ("rooms", "templates", "webhooks"), self._groups(cluster),
                                       **self._config(cluster))
        self.gateway.prefix = of_network.prefix
        self.clock = place / "clock"
        self.set_clock(0)
        if faketime():
            self.gateway.env |= {"LD_PRELOAD": str(faketime()), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                                 "DONT_FAKE_MONOTONIC": "1"}
        start_again(self.gateway)

    def _way(self, name, port):
        way = self.ways[name] = network.Way(port, self.network.near)
        return f"{self.network.near}:{way.port}"

    def _groups(self, cluster):
        target = {"name": "app", "url": f"http://{self._way('target', cluster.doubles.target.port)}/hook"}
        options = {"secret": load.SECRET, "forward_to": [target], "forward_timeout": "1s"}
        return {"rooms": {"idempotency": "1h"}, "templates": {"routes": reads.ROUTES}, "webhooks": {"config": options}, "hello": {}}

    def _config(self, cluster):
        servers = [self._way(name, server.port) for name, server in
                   (("primary", cluster.pair.primary), ("standby", cluster.pair.standby))]
        config = {"store": cluster.pair.url(servers), "auth": {"keys": {"store": True, "on_failure": self.keys}},
                  "server": {"listen": [f"{self.network.own}:{self.port}"], "hosts": ["*"]},
                  "admin": {"listen": f"{self.network.own}:0", "allow_unauthenticated_remote": True}}
        if cluster.redis:
            url = f"redis://{self._way('redis', cluster.redis.port)}/0"
            config["limits"] = {"caller": {"rate": f"{limits.RATE}/s", "burst": limits.BURST},
                                "shared": {"url": url, "on_failure": "local"}}
            config["cache"] = {"shared": {"url": url, **reads.CONFIG}}
        return config

    @property
    def store_ways(self):
        return [self.ways["primary"], self.ways["standby"]]

    def kill(self):
        self.lives += 1
        self.gateway.process.kill()
        self.gateway.process.wait()

    def metrics(self):
        """Returns the metrics of the gateway, or None when it does not answer."""
        connection = http.client.HTTPConnection(self.network.own, self.gateway.admin_port, timeout=METRICS_TIMEOUT)
        try:
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            text = response.read().decode()
            return promtext.parse(text) if response.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    @contextlib.contextmanager
    def troubled(self):
        """Notes the time of a break. During a break and shortly after, the gateway need not know what is in the store."""
        trouble = [time.monotonic(), float("inf")]
        self.troubles.append(trouble)
        try:
            yield
        finally:
            trouble[1] = time.monotonic() + CALM_AFTER * FACTOR

    def is_calm(self, since, until):
        return not any(begin <= until and end >= since for begin, end in self.troubles)

    def set_clock(self, seconds):
        new = self.clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}s\n")
        new.rename(self.clock)

    def stop(self):
        for way in self.ways.values():
            way.mend()
        self.gateway.stop()
        for way in self.ways.values():
            way.stop()


class Cluster:
    """All machines and servers. They are stopped in the reverse order in which they were made, also when one cannot be made."""

    def __init__(self, directory, gateways, made):
        place = pathlib.Path(directory)
        self.doubles = load.Doubles(directory)
        made.callback(self.doubles.stop)
        self.pair = databases.Pair()
        made.callback(self.pair.stop)
        self.redis = made.enter_context(redis.Redis(place)) if redis.PROGRAM else None
        networks, self.no_namespaces = network.networks(gateways)
        for one in networks:
            made.callback(one.stop)
        # All gateways have the same URL of the upstream, because they share answers only then.
        way = network.Way(self.doubles.upstream.port, networks[0].common)
        made.callback(way.stop)
        self.upstream_url = f"http://{networks[0].common}:{way.port}/v2"
        self.machines = []
        for number, one in enumerate(networks):
            self.machines.append(Machine(place, number, one, self))
            made.callback(self.machines[-1].stop)
        addresses = [f"{machine.network.own}:{machine.port}" for machine in self.machines]
        port, held = hold_port()
        made.callback(held.close)
        self.balancer = network.Balancer(place / "balancer", port, addresses)
        made.callback(self.balancer.stop)
        ports = (self.pair.primary.port, self.pair.standby.port)
        self.desk = revocations.Desk(place / "desk", self.pair.url([f"127.0.0.1:{port}" for port in ports]))
        self.redis_ran = threading.Event()
        self.redis_ran.set()

    def ask(self, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.balancer.port, timeout=ASK_TIMEOUT * FACTOR)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    @contextlib.contextmanager
    def all_troubled(self):
        with contextlib.ExitStack() as stack:
            for machine in self.machines:
                stack.enter_context(machine.troubled())
            yield

    # --- breaks: each function breaks something, and has repaired it when it returns ---

    def kill(self, _seconds):
        """Kills a gateway and starts it again."""
        machine = random.choice(self.machines)
        with machine.troubled():
            machine.kill()
            start_again(machine.gateway)

    def pause(self, seconds):
        """Stops a gateway for a while, as when its machine is suspended."""
        machine = random.choice(self.machines)
        with machine.troubled():
            machine.gateway.process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            machine.gateway.process.send_signal(signal.SIGCONT)

    def partition(self, seconds):
        """Cuts a gateway off from the store."""
        machine = random.choice(self.machines)
        with machine.troubled():
            for way in machine.store_ways:
                way.cut()
            time.sleep(seconds)
            for way in machine.store_ways:
                way.mend()

    def isolate(self, seconds):
        """Cuts off the network of a gateway, so that it can reach nothing and nothing can reach it."""
        machine = random.choice(self.machines)
        with machine.troubled():
            machine.network.cut()
            time.sleep(seconds)
            machine.network.mend()

    def clock(self, seconds):
        """Sets the clock of a gateway wrong, and right again."""
        machine = random.choice(self.machines)
        machine.set_clock(random.choice((-1, 1)) * random.randint(1, CLOCK_MAX))
        time.sleep(seconds)
        machine.set_clock(0)

    def restart(self, _seconds):
        """Restarts PostgreSQL."""
        with self.all_troubled():
            self.pair.restart()

    def failover(self, _seconds):
        """Kills PostgreSQL, whose standby takes over."""
        with self.all_troubled():
            self.pair.fail_over()

    def redis_gone(self, seconds):
        """Kills Redis, and starts it again without data."""
        self.redis_ran.clear()
        self.redis.kill()
        time.sleep(seconds)
        self.redis.start()
        self.redis_ran.set()

    def redis_cut(self, seconds):
        """Cuts a gateway off from Redis. What the gateway has sent meanwhile reaches Redis afterwards."""
        way = random.choice(self.machines).ways["redis"]
        way.cut()
        time.sleep(seconds)
        way.mend()


BREAKS = ("kill", "pause", "partition", "isolate", "clock", "restart", "failover", "redis_gone", "redis_cut")


def break_until(cluster, arguments):
    """Breaks one thing after the other until the time is over. Each kind of break comes equally often. Returns how often each was done."""
    done = collections.Counter()
    no_redis = not cluster.redis and "Redis is not installed"
    missing = {"clock": not faketime() and "libfaketime cannot be used", "redis_gone": no_redis, "redis_cut": no_redis,
               "isolate": cluster.no_namespaces}
    kinds = [kind for kind in arguments.breaks if not missing.get(kind)]
    for kind in set(arguments.breaks) - set(kinds):
        print(f"without {kind}: {missing[kind]}", file=sys.stderr)
    end = time.monotonic() + arguments.seconds * FACTOR
    while time.monotonic() < end:
        order = random.sample(kinds, len(kinds))
        for kind in order:
            if time.monotonic() >= end:
                break
            time.sleep(arguments.pause * FACTOR)
            print(f"{time.strftime('%H:%M:%S')} {kind}", file=sys.stderr)
            getattr(cluster, kind)(random.uniform(1, arguments.longest) * FACTOR)
            done[kind] += 1
    time.sleep(arguments.pause * FACTOR)
    return done


def run(arguments):
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as made:
        cluster = Cluster(directory, arguments.gateways, made)
        keys = [cluster.desk.add(f"client-{number}", "rooms:*")[1] for number in range(arguments.clients)]
        meter = cluster.redis and limits.Meter(cluster.machines, cluster.desk.add("meter", "hello:*")[1], cluster.redis_ran.is_set)
        reader = cluster.redis and reads.Reads(cluster.machines, cluster.desk.add("reader", "templates:*")[1], cluster.doubles.upstream,
                                               arguments.clients, arguments.longest * FACTOR)
        revoker = revocations.Revoker(cluster.machines, cluster.desk)
        clients = load.Clients(cluster.ask, keys, cluster.doubles)
        done = break_until(cluster, arguments)  # when this fails, nothing waits for the clients, which may never end
        for part in filter(None, (clients, meter, reader, revoker)):
            part.end()
        load.wait_for_deliveries(cluster.doubles, clients.events, 120 * FACTOR)
        return tell(cluster, arguments, (clients, meter, reader, revoker), done)


def tell(cluster, arguments, parts, done):
    """Prints the figures, and returns the problems that were found."""
    clients, meter, reader, revoker = parts
    figures, problems = load.check(cluster.doubles, clients, done)
    figures += [("keys revoked", revoker.count), ("refusals by gateways that have a second for it", revoker.timely),
                ("seconds after which one that could read the store took a key", round(revoker.latest["known"], 2)),
                ('seconds after which one with "on_failure": "closed" took a key', round(revoker.latest["closed"], 2))]
    problems += revoker.problems[:5]
    if meter:
        most, bound, over = meter.check()
        figures += [("requests of the caller with a limit that passed", len(meter.passed)), ("that were refused", meter.refused),
                    (f"at most ahead of its rate, of {bound}", round(most, 1))]
        problems += over
    if reader:
        more, old = reader.check()
        figures += more
        problems += old[:5]
    for what, number in figures:
        print(f"{number:8} {what}")
    if problems and arguments.keep:
        load.dump(cluster.doubles, arguments.keep)
    return problems


def kinds(text):
    chosen = text.split(",")
    if set(chosen) - set(BREAKS):
        raise argparse.ArgumentTypeError(f"expected some of {','.join(BREAKS)}")
    return chosen


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateways", type=int, default=3, help="how many run (default: 3)")
    parser.add_argument("--clients", type=int, default=8, help="of each kind (default: 8)")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--pause", type=float, default=2, help="seconds between two breaks (default: 2)")
    parser.add_argument("--longest", type=float, default=15, help="seconds of the longest break (default: 15)")
    parser.add_argument("--breaks", type=kinds, default=list(BREAKS), help=f"some of {','.join(BREAKS)} (default: all)")
    parser.add_argument("--keep", help="directory for what arrived, when something was found")
    arguments = parser.parse_args(words)
    if not databases.binaries():
        print("SKIPPED: PostgreSQL is not installed", file=sys.stderr)
        return 77
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    problems = run(arguments)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
