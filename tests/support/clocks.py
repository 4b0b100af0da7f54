"""Gives one process a clock of its own, with libfaketime."""

import os
import pathlib


def faketime():
    """The library; None when it is not installed, and with sanitizers, whose library has to be loaded first."""
    if os.environ.get("GR_SANITIZE"):
        return None
    return next(iter(sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


def wrong_by(seconds):
    """Environment of a process whose wall clock is wrong and whose monotonic clock is right."""
    return {"LD_PRELOAD": str(faketime()), "FAKETIME": f"{seconds:+d}s", "DONT_FAKE_MONOTONIC": "1"}
