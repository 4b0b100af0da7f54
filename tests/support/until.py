"""Waiting in tests: always for a condition, never for a fixed time."""

import os
import time

FACTOR = float(os.environ.get("GR_TIME_FACTOR", "1"))
LIMIT = 20 * FACTOR


def until(condition, what="the condition does not hold", limit=LIMIT):
    """The first true value of condition(); fails when there is none before the limit, in seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what}: not within {limit} s"
        time.sleep(0.01)
