"""Compares Greenroom with nginx, bare CivetWeb and the upstream, in one run on one machine.

All figures are paired: the contestants run in turn, round by round, and ratios are computed per round, so that changes in
the speed of the machine have no effect. The output shows medians. Needs wrk and nginx, which scripts/bench does not
install.
"""

import argparse
import os
import shutil
import sys

import clients
import features
import state
from servers import Bench

RUNS = {
    "token": [clients.run_token],
    "forward": [clients.run_forward],
    "many": [clients.run_many],
    "idle": [clients.run_idle],
    "https": [clients.run_https],
    "http2": [clients.run_http2],
    "block": [features.run_block],
    "large": [clients.begin_large, clients.run_large],
    "logins": [features.run_logins],
    "guard": [features.run_guard],
    "shared": [features.run_shared],
    "shared_cache": [features.run_shared_cache],
    "isolation": [features.begin_isolation, features.run_isolation],
    "outage": [clients.run_outage],
    "slow": [clients.run_slow],
    "start": [state.run_start],
    "store": [state.begin_store, state.run_store],
    "claims": [state.begin_claims, state.run_claims],
    "traces": [features.run_traces],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*RUNS, []], help="which measurements (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="paired rounds of each (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of load per contestant and round (default 3)")
    parser.add_argument("--build-dir", default="build-bench", help="an optimised build (default build-bench)")
    options = parser.parse_args()
    for tool in ("wrk", "nginx"):
        if not shutil.which(tool) and not os.path.exists(f"/usr/sbin/{tool}"):
            sys.exit(f"scripts/bench: '{tool}' is missing: apt-get install wrk nginx-light")
    os.environ["PATH"] += ":/usr/sbin"
    bench = Bench(options)
    try:
        bench.begin()
        print(f"{os.cpu_count()} processors; load generator and upstream share them with the contestants")
        for what in options.what or RUNS:
            for step in RUNS[what]:
                step(bench)
    finally:
        bench.end()


if __name__ == "__main__":
    main()
