"""Fixtures that several files use."""

import threading

import pytest


@pytest.fixture(scope="module")
def services():
    """The services behind minigroups, as doubles that record and misbehave on request."""
    from support import minigroups

    services = minigroups.Services()
    yield services
    services.close()


@pytest.fixture
def redis(tmp_path):
    """A Redis or Valkey server."""
    from support.redis import Redis

    with Redis(tmp_path) as server:
        yield server


@pytest.fixture
def box(tmp_path):
    """A sandbox that runs."""
    from support.sandbox import Sandbox

    (tmp_path / "sandbox").mkdir()
    running = Sandbox(tmp_path / "sandbox")
    yield running
    running.stop()


@pytest.fixture
def release():
    """An event that is set at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()
