"""What scripts/cluster does for minutes, with small numbers."""

import os
import pathlib
import subprocess
import sys

import pytest

from support.upstream import FACTOR

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "cluster" / "cluster.py"


@pytest.mark.skipif("GR_TEST_POSTGRES" not in os.environ, reason="gateways that are killed share a server")
def test_two_gateways_lose_nothing_and_do_nothing_twice_while_they_are_killed():
    done = subprocess.run([sys.executable, PROGRAM, "--gateways", "2", "--clients", "2", "--kills", "3", "--pause", "1"],
                          capture_output=True, text=True, timeout=180 * FACTOR)
    assert done.returncode == 0, done.stdout + done.stderr
