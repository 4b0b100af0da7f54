"""How fast clients are served, beside nginx and a bare CivetWeb: few and many, idle, slow and over TLS.

Each function takes the Bench of servers.py."""

import concurrent.futures
import http.client
import json
import os
import sys
import time

from servers import ROOT
from tools import free_port, median, paired, Process, wait_port, wrk


def run_token(bench):
    body = '{"roomId":"66f1c0a2b4d93e5a7c118e01","role":"host","userId":"ada"}'
    seconds = bench.options.seconds
    paired("POST /token, 64 connections", {
        "greenroom": lambda: wrk(bench.url(bench.port, "/token"), 64, seconds, body),
        "bare CivetWeb, a constant": lambda: wrk(bench.url(bench.bare_port, "/token"), 64, seconds, body),
    }, bench.options.rounds)


def run_forward(bench):
    path = "/rooms/66f1c0a2b4d93e5a7c118e01"
    seconds = bench.options.seconds
    paired("GET /rooms/{id} forwarded to a fast upstream, 64 connections", {
        "greenroom": lambda: wrk(bench.url(bench.port, path), 64, seconds, distinct=True),
        "nginx proxy_pass": lambda: wrk(bench.url(bench.nginx_port, path), 64, seconds, distinct=True),
        "bare CivetWeb, a constant": lambda: wrk(bench.url(bench.bare_port, path), 64, seconds, distinct=True),
        "the upstream itself": lambda: wrk(bench.url(bench.upstream_port, "/v2" + path), 64, seconds, distinct=True),
    }, bench.options.rounds)
    paired("The same, all clients request the same room", {
        "greenroom (waiting clients share one call)": lambda: wrk(bench.url(bench.port, path), 64, seconds),
        "nginx proxy_pass": lambda: wrk(bench.url(bench.nginx_port, path), 64, seconds),
    }, bench.options.rounds)


def begin_large(bench):
    directory, bench.large_port = bench.config("large")
    with open(os.path.join(directory, "plugins.d", "templates.json"), "w") as out:
        json.dump({"library": "templates.so", "enabled": True,
                   "routes": {"templates.get": {"path": "/templates/size/{templateId}"}}}, out)
    bench.start("large", [bench.binary, "-c", directory], bench.large_port)


def run_large(bench):
    seconds = bench.options.seconds
    for title, size in (("a 200 KB template", 200_000), ("a 1 MiB list", 1 << 20)):
        path = f"/templates/size/{size}"
        # The upstream takes the size from the end of the path; an override of the route sends this path.
        paired(f"GET {title}, forwarded unparsed, 32 connections", {
            "greenroom": lambda: wrk(bench.url(bench.large_port, f"/templates/{size}"), 32, seconds, distinct=True),
            "nginx proxy_pass": lambda: wrk(bench.url(bench.nginx_port, path), 32, seconds, distinct=True),
        }, bench.options.rounds)


def run_many(bench):
    directory, port = bench.config("many")
    with open(os.path.join(directory, "plugins.d", "rooms.json"), "w") as out:
        json.dump({"library": "rooms.so", "enabled": True,
                   "routes": {"rooms.get": {"path": "/rooms/delay/{roomId}"}}}, out)
    seconds = max(4, bench.options.seconds)
    for clients in (1000, 5000):
        gateway = bench.start("many", [bench.binary, "-c", directory], port)
        paired(f"{clients:,} clients, an upstream that takes 50 ms", {
            "greenroom, default settings": lambda: wrk(bench.url(port, "/rooms/50"), clients, seconds, distinct=True),
            "nginx proxy_pass": lambda: wrk(bench.url(bench.nginx_port, "/rooms/delay/50"), clients, seconds,
                                            distinct=True),
        }, bench.options.rounds)
        print(f"  threads {gateway.threads()}, RSS under that load {gateway.rss_mib():.1f} MiB")
        gateway.stop()


def start_crowd(bench, port, kind, count):
    crowd = bench.start("crowd", [sys.executable, os.path.join(ROOT, "tests", "bench", "slow_clients.py"), str(port),
                                 kind, str(count)])
    crowd.wait_for("all are open")
    return crowd


def connections_to(port):
    """The established connections to a local port."""
    count = 0
    for line in open("/proc/net/tcp").read().splitlines()[1:]:
        _, _, remote, state = line.split()[:4]
        count += state == "01" and int(remote.split(":")[1], 16) == port
    return count


def run_idle(bench):
    """Measures busy clients beside 10,000 connections that do nothing, with default settings."""
    directory, port = bench.config("idle")
    gateway = bench.start("idle", [bench.binary, "-c", directory], port)
    path, seconds = "/rooms/66f1c0a2b4d93e5a7c118e01", bench.options.seconds
    alone, beside, grown = [], [], []
    for _ in range(bench.options.rounds):
        alone.append(wrk(bench.url(port, path), 64, seconds, distinct=True))
        before = gateway.rss_mib()
        crowd = start_crowd(bench, port, "idle", 10_000)
        open_now = connections_to(port)
        grown.append(gateway.rss_mib() - before)
        beside.append(wrk(bench.url(port, path), 64, seconds, distinct=True))
        crowd.stop()
    rate, p99 = (median([b[name] / a[name] for a, b in zip(alone, beside)]) for name in ("rate", "p99"))
    print(f"\nForwarded GET, 64 connections, beside {open_now:,} idle connections\n  rate {rate:.2f} and p99 {p99:.2f} of the "
          f"same without; the idle ones take {grown[0]:.1f} MiB at first, {grown[-1]:.1f} MiB in the last round; "
          f"{sum(b['failed'] for b in beside)} failed")
    gateway.stop()


def run_https(bench):
    """Compares HTTPS with nginx; both forward to the upstream over plain HTTP."""
    files = {"certificate": bench.path("tls.crt"), "key": bench.path("tls.key")}
    directory, port = bench.config("https")
    file = os.path.join(directory, "greenroom.json")
    document = json.load(open(file))
    document["server"] = {"listen": [{"address": f"127.0.0.1:{port}", "tls": True}], "tls": files}
    json.dump(document, open(file, "w"))
    bench.start("https", [bench.binary, "-c", directory], port)
    path, seconds = "/rooms/66f1c0a2b4d93e5a7c118e01", bench.options.seconds
    paired("Forwarded GET over HTTPS, 64 connections", {
        "greenroom": lambda: wrk(f"https://127.0.0.1:{port}{path}", 64, seconds, distinct=True),
        "nginx proxy_pass": lambda: wrk(f"https://127.0.0.1:{bench.nginx_tls_port}{path}", 64, seconds, distinct=True),
    }, bench.options.rounds)


def run_http2(bench):
    """Compares HTTP/2 and HTTP/1.1 to one TLS upstream that takes 50 ms, with 1,000 clients."""
    ports = {}
    upstreams = {"http2": (bench.nginx_http2_port, "/v2"), "http1": (bench.nginx_tls_port, "")}
    for name, (upstream_port, path) in upstreams.items():
        directory, ports[name] = bench.config(f"up-{name}", {"upstreams": {"api": {
            "url": f"https://localhost:{upstream_port}{path}", "credential": "100ms", "http2": name == "http2",
            "ca_file": bench.path("tls.crt")}}})
        with open(os.path.join(directory, "plugins.d", "rooms.json"), "w") as out:
            json.dump({"library": "rooms.so", "enabled": True,
                       "routes": {"rooms.get": {"path": "/rooms/delay/{roomId}"}}}, out)
        bench.start(f"up-{name}", [bench.binary, "-c", directory], ports[name])
    seconds, most = max(4, bench.options.seconds), {"http2": 0, "http1": 0}

    def run(name):
        with concurrent.futures.ThreadPoolExecutor(1) as background:
            load = background.submit(wrk, bench.url(ports[name], "/rooms/50"), 1000, seconds, distinct=True)
            time.sleep(seconds / 2)
            most[name] = max(most[name], connections_to(upstreams[name][0]))
            result = load.result()
        return result

    paired("1,000 clients, a TLS upstream that takes 50 ms", {
        "HTTP/2": lambda: run("http2"), "HTTP/1.1": lambda: run("http1")}, bench.options.rounds)
    print(f"  connections to the upstream: {most['http2']} with HTTP/2, {most['http1']} with HTTP/1.1")


def callers(bench, port, path, count, threads=8):
    """Returns the sorted times in seconds of requests on separate connections; failed ones are infinite."""
    def one(_):
        begun = time.monotonic()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
            connection.request("GET", path, headers={"Connection": "close"})
            fine = connection.getresponse().status == 200
            connection.close()
        except (OSError, http.client.HTTPException):
            fine = False
        return time.monotonic() - begun if fine else float("inf")

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return sorted(pool.map(one, range(count)))


def run_slow(bench):
    """Measures normal clients beside 1,000 slow connections, with default settings, at a gateway and at nginx."""
    print("\n8 normal clients beside 1,000 slow connections, which reconnect at once; default settings")
    for kind in ("silent", "idle", "header", "body", "reader"):
        directory, port = bench.config(f"slow-{kind}")
        gateway = bench.start(f"slow-{kind}", [bench.binary, "-c", directory], port)
        ours, theirs = [], []
        for _ in range(bench.options.rounds):
            for at, results in ((port, ours), (bench.nginx_port, theirs)):
                crowd = start_crowd(bench, at, kind, 1000)
                results.append(callers(bench, at, "/rooms/66f1c0a2b4d93e5a7c118e01", 100 * bench.options.seconds))
                crowd.stop()
        gateway.stop()
        refused = sum(took == float("inf") for times in ours for took in times)
        p99 = [[times[int(len(times) * 0.99)] * 1000 for times in results] for results in (ours, theirs)]
        print(f"  slow {kind:7} {refused} failed of {sum(map(len, ours))}   p99 {median(p99[0]):6.1f} ms, nginx "
              f"{median(p99[1]):6.1f} ms; ratio {median([a / b for a, b in zip(*p99)]):.2f}")


def run_outage(bench):
    """Stops the upstream under load and starts it again."""
    port = free_port()
    words = [bench.path("upstream"), str(port)]
    upstream = Process(words, bench.path("outage-upstream.log"))
    wait_port(port)
    directory, gateway_port = bench.config("outage", {"upstreams": {"api": {
        "url": f"http://127.0.0.1:{port}/v2", "credential": "100ms"}}})
    gateway = bench.start("outage", [bench.binary, "-c", directory], gateway_port)
    url = bench.url(gateway_port, "/rooms/66f1c0a2b4d93e5a7c118e01")
    wrk(url, 64, 2, distinct=True)
    upstream.stop()
    wrk(url, 64, 2, distinct=True)  # the breaker opens
    down = wrk(url, 64, max(5, bench.options.seconds), distinct=True)
    upstream = Process(words, bench.path("outage-upstream.log"))
    bench.processes.append(upstream)
    wait_port(port)
    begun = time.monotonic()
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", gateway_port, timeout=5)
        connection.request("GET", "/rooms/66f1c0a2b4d93e5a7c118e01")
        if connection.getresponse().status == 200:
            break
        time.sleep(0.02)
    print(f"\nAn upstream that is down, 64 connections\n  {down['rate']:.0f} refusals/s, p50 {down['p50']:.2f} ms, p99 "
          f"{down['p99']:.2f} ms; {gateway.threads()} threads; served again "
          f"{time.monotonic() - begun:.2f} s after its return")
