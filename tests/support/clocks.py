"""A clock of its own for one process, by libfaketime."""

import os
import pathlib


def faketime():
    """The library; None when it is not installed, and with sanitizers, whose own library has to be the first."""
    if os.environ.get("GR_SANITIZE"):
        return None
    return next(iter(sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


def wrong_by(seconds):
    """Environment of a process whose clock is wrong; the time that it measures goes on as it should."""
    return {"LD_PRELOAD": str(faketime()), "FAKETIME": f"{seconds:+d}s", "DONT_FAKE_MONOTONIC": "1"}
