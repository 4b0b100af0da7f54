"""What a feature of the gateway costs: limits, keys, caches, traces, isolation, handlers that block, logins.

Each function takes the Bench of servers.py."""

import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

from servers import ROOT
from tools import free_port, median, paired, wrk


def run_block(bench):
    """Measures forwarding clients beside handlers that block their threads, with default settings."""
    subprocess.run(["cc", "-std=gnu11", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", bench.path("block.so"),
                    os.path.join(ROOT, "tests", "bench", "block.c"), "-I", os.path.join(ROOT, "include"), "-I",
                    os.path.join(ROOT, bench.options.build_dir, "include"), "-ljansson"], check=True)
    directory, port = bench.config("block", plugins=("rooms",))
    with open(os.path.join(directory, "plugins.d", "block.json"), "w") as out:
        json.dump({"library": bench.path("block.so"), "enabled": True}, out)
    gateway = bench.start("block", [bench.binary, "-c", directory], port)
    room, seconds = bench.url(port, "/rooms/66f1c0a2b4d93e5a7c118e01"), bench.options.seconds
    kinds = ("announced", "silent")
    rounds = {kind: [] for kind in kinds}
    for _ in range(bench.options.rounds):
        for kind in kinds:
            alone = wrk(room, 16, seconds, distinct=True)
            with concurrent.futures.ThreadPoolExecutor(1) as background:
                load = background.submit(wrk, bench.url(port, f"/block/{kind}/100"), 32, seconds + 1, threads=1)
                time.sleep(0.5)
                rounds[kind].append((alone, wrk(room, 16, seconds, distinct=True)))
                load.result()
    print("\nForwarded GET, 16 connections, beside 32 clients in handlers that block for 100 ms")
    for kind in kinds:
        rate, p99 = (median([b[name] / a[name] for a, b in rounds[kind]]) for name in ("rate", "p99"))
        print(f"  {kind}: rate {rate:.2f} and p99 {p99:.2f} of the same without; "
              f"{sum(b['failed'] for _, b in rounds[kind])} failed; {gateway.threads()} threads")
    gateway.stop()


def run_guard(bench):
    """Compares a gateway with callers and limits with one without."""
    open_dir, open_port = bench.config("open")
    rate = {"rate": "1000000/s", "burst": 1000000, "concurrent": 10000}
    shut_dir, shut_port = bench.config("shut", {
        "auth": {"keys": {"file": "keys.json"}},
        "limits": {"caller": rate, "address": {"rate": "1000000/s", "burst": 1000000}, "in_flight": 250,
                   "scopes": {"rooms:read": {"rate": "1000000/s", "burst": 1000000}}},
    })
    key = subprocess.run([bench.binary, "keys", "add", "bench", "--scope", "*", "-c", shut_dir],
                         check=True, capture_output=True, text=True).stdout
    bearer = [("Authorization", "Bearer " + re.search(r"gr_\S+", key).group(0))]
    bench.start("open", [bench.binary, "-c", open_dir], open_port)
    bench.start("shut", [bench.binary, "-c", shut_dir], shut_port)
    path, seconds = "/rooms/66f1c0a2b4d93e5a7c118e01", bench.options.seconds
    paired("Forwarded GET, 64 connections: the cost of callers and limits", {
        "keys and every limit on": lambda: wrk(bench.url(shut_port, path), 64, seconds, headers=bearer, distinct=True),
        "neither": lambda: wrk(bench.url(open_port, path), 64, seconds, distinct=True),
    }, bench.options.rounds)


def start_redis(bench, run):
    """Starts a Redis server for a run; returns its port."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        sys.exit(f"scripts/bench: {run} needs redis-server or valkey-server")
    port = free_port()
    bench.start(f"redis of {run}", [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", bench.work],
               port)
    return port


def run_shared(bench):
    """Compares limits that are counted in a Redis server with the same limits counted by the gateway alone."""
    redis_port = start_redis(bench, "shared")
    rate = {"rate": "1000000/s", "burst": 1000000}
    limits = {"caller": {**rate, "concurrent": 10000}, "address": rate, "scopes": {"rooms:read": rate}}
    alone_dir, alone_port = bench.config("alone", {"limits": limits})
    shared_dir, shared_port = bench.config("shared", {
        "limits": {**limits, "shared": {"url": f"redis://127.0.0.1:{redis_port}"}}})
    bench.start("alone", [bench.binary, "-c", alone_dir], alone_port)
    bench.start("shared", [bench.binary, "-c", shared_dir], shared_port)
    path, seconds = "/rooms/66f1c0a2b4d93e5a7c118e01", bench.options.seconds
    paired("Forwarded GET, 64 connections: the cost of limits that are shared", {
        "limits counted over all gateways": lambda: wrk(bench.url(shared_port, path), 64, seconds, distinct=True),
        "limits counted alone": lambda: wrk(bench.url(alone_port, path), 64, seconds, distinct=True),
    }, bench.options.rounds)


def run_shared_cache(bench):
    """Compares a cache that is shared in a Redis server with the cache of the gateway alone."""
    redis_port = start_redis(bench, "shared_cache")
    cached = {"routes": {"rooms.get": {"cache": "1h"}, "rooms.list": {"cache": "1h"}}}
    shared = {"url": f"redis://127.0.0.1:{redis_port}", "secret": "a secret of the bench with 32 characters"}
    ports = {}
    for name, cache in (("own", {}), ("common", {"shared": shared}), ("strict", {"shared": {**shared, "recheck": "10ms"}})):
        directory, ports[name] = bench.config(name, {"cache": cache}, rooms=cached)
        bench.start(name, [bench.binary, "-c", directory], ports[name])
    room, seconds = "/rooms/66f1c0a2b4d93e5a7c118e01", bench.options.seconds

    def run(name, path, distinct):
        return lambda: wrk(bench.url(ports[name], path), 64, seconds, distinct=distinct)

    paired("Kept GET, 64 connections: one answer, found by all", {
        "shared, checked every second": run("common", room, False),
        "shared, checked every 10 ms": run("strict", room, False),
        "kept alone": run("own", room, False),
    }, bench.options.rounds)
    paired("Forwarded GET, 64 connections: each answer new, so that each is looked for and kept", {
        "shared": run("common", room, True),
        "kept alone": run("own", room, True),
    }, bench.options.rounds)


def run_traces(bench):
    """Compares a gateway that is watched (traces at 1 %, the status page open) with one that is not."""
    collector_port = free_port()
    bench.start("collector", [sys.executable, os.path.join(ROOT, "tests", "bench", "collector.py"),
                             str(collector_port)], collector_port)
    admin_port = free_port()
    watched_dir, watched_port = bench.config("watched", {
        "admin": {"listen": f"127.0.0.1:{admin_port}"},
        "traces": {"url": f"http://127.0.0.1:{collector_port}/v1/traces", "ratio": 0.01, "delay": "500ms"},
    })
    plain_dir, plain_port = bench.config("plain", {"admin": {"listen": f"127.0.0.1:{free_port()}"}})
    bench.start("watched", [bench.binary, "-c", watched_dir], watched_port)
    bench.start("plain", [bench.binary, "-c", plain_dir], plain_port)
    page = bench.start("page", [sys.executable, os.path.join(ROOT, "tests", "bench", "status_page.py"), str(admin_port)])
    path, seconds = "/rooms/66f1c0a2b4d93e5a7c118e01", bench.options.seconds
    paired("Forwarded GET, 64 connections: the cost of traces at 1 % and an open status page", {
        "traces and status page": lambda: wrk(bench.url(watched_port, path), 64, seconds, distinct=True),
        "neither": lambda: wrk(bench.url(plain_port, path), 64, seconds, distinct=True),
    }, bench.options.rounds)
    page.stop()
    with urllib.request.urlopen(bench.url(admin_port, "/metrics")) as answer:
        fates = re.findall(r'trace_spans_total\{outcome="(\w+)"\} (\S+)', answer.read().decode())
    print("  spans: " + ", ".join(f"{count} {fate}" for fate, count in fates))


def begin_isolation(bench):
    """Starts three gateways: with hello, with hello in a process of its own, and with rooms beside a group that crashes."""
    bench.hello_ports = {}
    for name, more in (("inside", {}), ("isolated", {"isolation": "process"})):
        directory, port = bench.config(f"hello-{name}", plugins=())
        with open(os.path.join(directory, "plugins.d", "hello.json"), "w") as out:
            json.dump({"library": "hello.so", "enabled": True, **more}, out)
        bench.start(f"hello-{name}", [bench.binary, "-c", directory], port)
        bench.hello_ports[name] = port
    subprocess.run(["cc", "-std=gnu11", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o",
                    bench.path("fault.so"), os.path.join(ROOT, "tests", "abi", "fault.c"), "-I",
                    os.path.join(ROOT, "include"), "-I",
                    os.path.join(ROOT, bench.options.build_dir, "include")], check=True)
    directory, bench.fault_port = bench.config("fault", plugins=("rooms",))
    with open(os.path.join(directory, "plugins.d", "fault.json"), "w") as out:
        json.dump({"library": bench.path("fault.so"), "enabled": True, "isolation": "process"}, out)
    bench.start("fault", [bench.binary, "-c", directory], bench.fault_port)


def run_isolation(bench):
    """Measures the cost of isolation for a handler, and the effect of crashes in one group on another."""
    seconds, path = bench.options.seconds, "/hello/Ada"
    for connections in (1, 64):
        results = paired(f"GET /hello/Ada, a handler, {connections} connections", {
            "in a process of its own": lambda: wrk(bench.url(bench.hello_ports["isolated"], path), connections,
                                                   seconds, threads=1),
            "in the gateway": lambda: wrk(bench.url(bench.hello_ports["inside"], path), connections, seconds,
                                          threads=1),
        }, bench.options.rounds)
        own, inside = results.values()
        print(f"  cost of a call: p50 {1000 * median([a['p50'] - b['p50'] for a, b in zip(own, inside)]):.0f} us")
    room = bench.url(bench.fault_port, "/rooms/66f1c0a2b4d93e5a7c118e01")
    healthy, faulting = [], []
    for _ in range(bench.options.rounds):
        for path, results in (("/fault/none", healthy), ("/fault/null", faulting)):
            with concurrent.futures.ThreadPoolExecutor(1) as background:
                load = background.submit(wrk, bench.url(bench.fault_port, path), 4, seconds, threads=1, think_ms=5)
                results.append(wrk(room, 16, seconds, distinct=True, think_ms=1))
                load.result()
    ratio = median([b["p99"] / a["p99"] for a, b in zip(healthy, faulting)])
    print(f"\nForwarded GET beside 4 clients of an isolated group, in which every call crashes, or none\n"
          f"  p99 {median([a['p99'] for a in faulting]):.2f} ms, beside the healthy group "
          f"{median([b['p99'] for b in healthy]):.2f} ms; ratio {ratio:.2f}; "
          f"{sum(b['failed'] for b in faulting)} failed")


def run_logins(bench):
    """Measures a forwarded GET with and without logins at full rate."""
    directory, port = bench.config("logins", plugins=("rooms", "accounts"))
    document = json.load(open(os.path.join(directory, "greenroom.json")))
    document["store"] = f"sqlite:{bench.path('logins.db')}"
    json.dump(document, open(os.path.join(directory, "greenroom.json"), "w"))
    with open(os.path.join(directory, "plugins.d", "accounts.json"), "w") as out:
        limits = ("login_pair_max", "login_user_max", "login_address_max", "register_address_max")
        json.dump({"library": "accounts.so", "enabled": True, "config": {name: 0 for name in limits}}, out)
    bench.start("logins", [bench.binary, "-c", directory], port)
    seconds = max(4, bench.options.seconds)
    room, login = (bench.url(port, path) for path in ("/rooms/66f1c0a2b4d93e5a7c118e01", "/accounts/auth/local"))
    body = '{"username":"nobody","password":"wrong horse"}'
    print("\nForwarded GET beside 8 clients that log in without pauses")
    for connections, think_ms in ((16, 1), (16, 0), (64, 0)):
        alone, beside, logins = [], [], []
        for _ in range(bench.options.rounds):
            alone.append(wrk(room, connections, seconds, distinct=True, think_ms=think_ms))
            with concurrent.futures.ThreadPoolExecutor(1) as background:
                load = background.submit(wrk, login, 8, seconds + 2, body, 1)
                time.sleep(1)
                beside.append(wrk(room, connections, seconds, distinct=True, think_ms=think_ms))
                logins.append(load.result())
            time.sleep(4)  # the gateway still works on the logins whose clients were stopped
        ratios = {name: median([b[name] / a[name] for a, b in zip(alone, beside)]) for name in ("rate", "p50", "p99")}
        pace = f"{median([a['rate'] for a in alone]):.0f}/s" if think_ms else "no pause"
        print(f"  {connections} connections, {pace}: p99 alone {median([a['p99'] for a in alone]):.2f} ms, beside logins "
              f"{median([b['p99'] for b in beside]):.2f} ms; ratio of p99 {ratios['p99']:.2f}, of p50 {ratios['p50']:.2f}, "
              f"of the rate {ratios['rate']:.2f}\n    meanwhile {median([l['rate'] for l in logins]):.1f} logins/s, "
              f"p50 {median([l['p50'] for l in logins]):.0f} ms")
