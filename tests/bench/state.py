"""The start of the gateway, and what it does with its store.

Each function takes the Bench of servers.py."""

import http.client
import os
import re
import shutil
import subprocess
import sys
import time

from servers import ROOT
from tools import free_port, median, Process


def first_answer(bench, binary, directory, port, env):
    """Starts the gateway; returns the milliseconds from exec to the first 200 of /healthz, and the memory at rest."""
    begun = time.monotonic()
    process = Process([binary, "-c", directory], bench.path("start.log"), env)
    bench.processes.append(process)
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                break
        except OSError:
            if process.popen.poll() is not None:
                sys.exit(f"scripts/bench: the gateway ended; see {process.log.name}")
            time.sleep(0.0005)
    took = (time.monotonic() - begun) * 1000
    time.sleep(1)  # what is made after the first answer
    rss = process.rss_mib()
    process.stop()
    return took, rss


def run_start(bench):
    """Measures three groups without a store, then all groups of etc, installed as by a package."""
    rounds = max(5, bench.options.rounds)
    installed = bench.path("installed")
    subprocess.run(["cmake", "--install", os.path.join(ROOT, bench.options.build_dir), "--prefix", installed, "--strip"],
                   check=True, stdout=subprocess.DEVNULL)
    binary = os.path.join(installed, "bin", "greenroom")
    alone = []
    for number in range(rounds):
        alone.append(first_answer(bench, binary, *bench.config(f"start{number}"), {}))
    first, again = [], []
    for number in range(rounds):
        port, admin = free_port(), free_port()
        directory = bench.path(f"shipped{number}")
        shutil.copytree(os.path.join(ROOT, "etc"), directory)
        env = {"PORT": str(port), "ADMIN_PORT": str(admin), "APP_ACCESS_KEY": "bench",
               "APP_SECRET": "a-secret-for-measurements-only", "STATE_DIRECTORY": directory}
        first.append(first_answer(bench, binary, directory, port, env))
        again.append(first_answer(bench, binary, directory, port, env))
    print("\nStart, from exec to the first 200 of /healthz, and memory a second later; default settings")
    for name, runs in (("three groups", alone), ("all groups of etc, with its store", again),
                       ("the same, where the store is new", first)):
        times, sizes = zip(*runs)
        print(f"  {name:36} median {median(times):5.1f} ms, worst {max(times):5.1f} ms, RSS {median(sizes):.1f} MiB")


def begin_store(bench):
    bench.compile_with_core("bench_store", "plugins/rig/schema.c")


def look_ups(bench, accounts, words, url):
    done = subprocess.run([*words, bench.path("bench_store"), url, str(accounts)], capture_output=True, text=True)
    if done.returncode:
        print(f"  {done.stderr.strip()}")
        return None
    return dict(zip(("median", "p99"), re.findall(r"_us (\d+)", done.stdout)))


def run_store(bench):
    print("\nrig's look-up by stream key: an account, its stream and three destinations each")
    control = os.path.join(ROOT, "tests", "support", "postgres.sh")
    for kind in ("sqlite", "postgres"):
        found = []
        for accounts in (10_000, 100_000):
            url = f"sqlite:{bench.path(f'bench{accounts}.db')}"
            words = []
            if kind == "postgres":
                words = [control, "run", "--", "sh", "-c", '"$0" "$GR_TEST_POSTGRES" "$2"']
            found.append(look_ups(bench, accounts, words, url))
        if None in found:
            continue
        small, large = ({name: int(us) for name, us in one.items()} for one in found)
        print(f"  {kind:10} 10,000 accounts {small['median']:5} us (p99 {small['p99']}), 100,000"
              f" {large['median']:5} us (p99 {large['p99']}), ratio {large['median'] / small['median']:.2f}")


def begin_claims(bench):
    bench.compile_with_core("bench_claims", "plugins/shared/queue.c", "plugins/shared/queue_put.c",
                           "plugins/shared/queue_series.c", "plugins/minigroups/store/schema.c")


def claims(bench, queue, processes, waiting):
    """Records a second, and the part of claims that got none."""
    words = [bench.path("bench_claims"), bench.postgres, queue, str(processes), str(waiting),
             str(bench.options.seconds * 1000)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    records, empty = (int(number) for number in re.findall(r"\d+", done.stdout))
    return records / bench.options.seconds, empty / max(1, records + empty)


def run_claims(bench):
    """Three and eight gateways; the ratios are of the same round."""
    print("\nRecords that gateways claim, settle and add on PostgreSQL, while 100 and 100,000 wait")
    control = os.path.join(ROOT, "tests", "support", "postgres.sh")
    directory = bench.path("postgres")
    if subprocess.run([control, "start", directory]).returncode:
        return
    try:
        shown = subprocess.run([control, "with", directory, "--", "sh", "-c", 'echo "$GR_TEST_POSTGRES"'],
                               capture_output=True, text=True, check=True)
        bench.postgres = shown.stdout.strip()
        for queue in ("outbox", "inbox", "webhooks"):
            for processes in (3, 8):
                rounds = [[claims(bench, queue, processes, waiting) for waiting in (100, 100_000)]
                          for _ in range(bench.options.rounds)]
                few, many = (median([one[i][0] for one in rounds]) for i in (0, 1))
                ratio = median([one[1][0] / one[0][0] for one in rounds])
                empty = median([one[1][1] for one in rounds])
                print(f"  {queue:10} {processes} gateways: {few:6.0f}/s and {many:6.0f}/s, ratio {ratio:.2f};"
                      f" {empty:.1%} of the claims got none")
    finally:
        subprocess.run([control, "stop", directory])
