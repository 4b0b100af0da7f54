"""A short run of what scripts/cluster does for minutes."""

import pathlib
import shutil
import subprocess
import sys

import pytest

from support.redis import PROGRAM as REDIS
from support.upstream import FACTOR

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "cluster" / "cluster.py"


@pytest.mark.skipif(not (shutil.which("nginx") or pathlib.Path("/usr/sbin/nginx").exists()), reason="there is no balancer")
@pytest.mark.parametrize("breaks", ["kill,pause,clock", "restart,partition,failover",
                                    pytest.param("redis_gone,redis_cut", marks=pytest.mark.skipif(not REDIS, reason="there is no Redis"))])
def test_gateways_lose_nothing_do_nothing_twice_and_keep_the_order_while_they_are_broken(breaks):
    done = subprocess.run([sys.executable, PROGRAM, "--gateways", "2", "--clients", "2", "--seconds", "12", "--pause", "1",
                           "--longest", "3", "--breaks", breaks], capture_output=True, text=True, timeout=250 * FACTOR)
    if done.returncode == 77:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
