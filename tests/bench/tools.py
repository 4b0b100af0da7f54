"""What every measurement needs: processes, a run of wrk, and contestants that run in turn."""

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_port(port, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.005)
    sys.exit(f"scripts/bench: nothing listens on port {port}")


class Process:
    """A process that runs until the end of the bench."""

    def __init__(self, words, log, env=None):
        self.log = open(log, "w")
        self.popen = subprocess.Popen(
            words, stdout=self.log, stderr=self.log, env={**os.environ, **(env or {})}
        )

    def rss_mib(self):
        text = open(f"/proc/{self.popen.pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024

    def wait_for(self, text, seconds=60.0):
        """Waits until it has printed the text."""
        deadline = time.monotonic() + seconds
        while text not in open(self.log.name).read():
            if time.monotonic() > deadline:
                sys.exit(f"scripts/bench: no '{text}' in {self.log.name}")
            time.sleep(0.02)

    def threads(self):
        text = open(f"/proc/{self.popen.pid}/status").read()
        return int(re.search(r"Threads:\s+(\d+)", text).group(1))

    def stop(self):
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
        self.log.close()


def wrk(url, connections, seconds, body=None, threads=2, headers=(), distinct=False, think_ms=0):
    """Makes one run. Returns requests per second, median and p99 latency in ms, and the number of failed requests.
    distinct: all requests have different paths, so that requests cannot share an answer. think_ms: pause of a connection
    between an answer and its next request; 0 keeps the machine busy."""
    script = 'done = function(s, l, r) io.write(string.format("RESULT %f %f %f %d %d\\n", ' \
             "s.requests / s.duration * 1e6, l:percentile(50) / 1000, l:percentile(99) / 1000, " \
             "s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout, s.errors.status)) end\n"
    if body is not None:
        script = f"wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = {json.dumps(body)}\n" + script
    for name, value in headers:
        script = f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n" + script
    if distinct:
        script = ("local threads = 0\nfunction setup(t) t:set('id', threads); threads = threads + 1 end\n"
                  "local n = 0\nfunction request() n = n + 1; return wrk.format(nil, wrk.path .. 'x' .. id .. 'x' .. n) end\n"
                  ) + script
    if think_ms:
        script = f"function delay() return {think_ms} end\n" + script
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(script)
        lua.flush()
        done = subprocess.run(
            ["wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s",
             "--latency", "-s", lua.name, url],
            capture_output=True, text=True, check=True)
    numbers = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+) (\d+)", done.stdout).groups()
    return {"rate": float(numbers[0]), "p50": float(numbers[1]), "p99": float(numbers[2]),
            "failed": int(numbers[3]) + int(numbers[4])}


def median(values):
    return statistics.median(values)


def paired(title, contestants, rounds, unit="req/s"):
    """contestants: name → function that returns a wrk result. The first one is Greenroom."""
    results = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            results[name].append(run())
    ours, *others = results
    print(f"\n{title}")
    print(f"  {'':44}{unit:>10}{'p50 ms':>9}{'p99 ms':>9}{'failed':>8}{'ours/this':>11}")
    for name, runs in results.items():
        ratio = ""
        if name in others:
            ratio = f"{median([a['rate'] / b['rate'] for a, b in zip(results[ours], runs)]):.2f}"
        print(f"  {name:44}{median([r['rate'] for r in runs]):10.0f}{median([r['p50'] for r in runs]):9.2f}"
              f"{median([r['p99'] for r in runs]):9.2f}{sum(r['failed'] for r in runs):8}{ratio:>11}")
    return results
