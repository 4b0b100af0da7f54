"""Several gateways behind a balancer, on a PostgreSQL server with a standby, under load, while they are broken: is anything lost,
done twice, or out of order?

Clients create rooms with an Idempotency-Key and repeat each request until they have a final answer; 100ms (a double) sends webhooks,
those of a room one after the other, and repeats each until it is taken. Meanwhile one thing after the other is broken and mended.
In the end what was acknowledged is compared with what the upstream was asked for and with what the target of the webhooks got. See
scripts/cluster.
"""

import argparse
import collections
import http.client
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import databases  # noqa: E402
import load  # noqa: E402
import network  # noqa: E402
from support import hms  # noqa: E402
from support.gateway import Answer  # noqa: E402
from support.upstream import FACTOR  # noqa: E402

ASK_TIMEOUT = 40
CLOCK_MAX = 8
"""Seconds by which a clock is set wrong: leases of webhooks have a margin of 10 s for that."""


def faketime():
    """The library that sets the clock of one process; None when it is not installed, and with sanitizers, whose own library
    has to be the first."""
    if os.environ.get("GR_SANITIZE"):
        return None
    return next(iter(sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


class Machine:
    """A gateway with its own way to each of the two servers, and its own clock."""

    def __init__(self, directory, number, port, cluster):
        place = pathlib.Path(directory) / f"gateway{number}"
        place.mkdir()
        self.ways = [network.Way(server.port) for server in (cluster.pair.primary, cluster.pair.standby)]
        target = {"name": "app", "url": cluster.doubles.target.url + "/hook"}
        options = {"secret": load.SECRET, "forward_to": [target], "forward_timeout": "1s"}
        self.gateway = hms.gateway_for(
            place, cluster.doubles.upstream.url + "/v2", ("rooms", "webhooks"),
            {"rooms": {"idempotency": "1h"}, "webhooks": {"config": options}},
            store=cluster.pair.url([way.port for way in self.ways]), server={"listen": [f"127.0.0.1:{port}"], "hosts": ["*"]})
        self.clock = place / "clock"
        self.set_clock(0)
        if faketime():
            self.gateway.env |= {"LD_PRELOAD": str(faketime()), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                                 "DONT_FAKE_MONOTONIC": "1"}
        self.gateway.start()

    def set_clock(self, seconds):
        new = self.clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}s\n")
        new.rename(self.clock)

    def stop(self):
        for way in self.ways:
            way.mend()
        self.gateway.stop()
        for way in self.ways:
            way.stop()


class Cluster:
    def __init__(self, directory, gateways):
        self.doubles, self.pair = load.Doubles(), databases.Pair()
        ports = [databases.free_port() for _ in range(gateways)]
        self.machines = [Machine(directory, number, port, self) for number, port in enumerate(ports)]
        self.balancer = network.Balancer(pathlib.Path(directory) / "balancer", databases.free_port(), ports)

    def ask(self, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.balancer.port, timeout=ASK_TIMEOUT * FACTOR)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def stop(self):
        self.balancer.stop()
        for machine in self.machines:
            machine.stop()
        self.pair.stop()
        self.doubles.stop()

    # --- what is broken, and mended when the function returns ---

    def kill(self, _seconds):
        """A gateway is lost, and starts again."""
        gateway = random.choice(self.machines).gateway
        gateway.process.kill()
        gateway.process.wait()
        gateway.start()

    def pause(self, seconds):
        """A gateway stands still, as a machine that is suspended."""
        process = random.choice(self.machines).gateway.process
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)

    def partition(self, seconds):
        """A gateway cannot reach the store."""
        ways = random.choice(self.machines).ways
        for way in ways:
            way.cut()
        time.sleep(seconds)
        for way in ways:
            way.mend()

    def clock(self, seconds):
        """The clock of a gateway jumps, and jumps back."""
        machine = random.choice(self.machines)
        machine.set_clock(random.choice((-1, 1)) * random.randint(1, CLOCK_MAX))
        time.sleep(seconds)
        machine.set_clock(0)

    def restart(self, _seconds):
        """PostgreSQL starts again."""
        self.pair.restart()

    def failover(self, _seconds):
        """PostgreSQL is lost, and its standby takes over."""
        self.pair.fail_over()


BREAKS = ("kill", "pause", "partition", "clock", "restart", "failover")


def break_until(cluster, arguments):
    """Breaks one thing after the other, each of the kinds as often. Returns how often, by the kind."""
    done = collections.Counter()
    kinds = [kind for kind in arguments.breaks if kind != "clock" or faketime()]
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
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(directory, arguments.gateways)
        try:
            clients = load.Clients(cluster.ask, arguments.clients)
            done = break_until(cluster, arguments)
            clients.end()
            load.wait_for_deliveries(cluster.doubles, clients.events, 120 * FACTOR)
            problems = load.check(cluster.doubles, clients, done)
            if problems and arguments.keep:
                load.dump(cluster.doubles, arguments.keep)
            return problems
        finally:
            cluster.stop()


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
