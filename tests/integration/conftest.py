"""Fixtures that several files use."""

import threading

import pytest


@pytest.fixture(scope="module")
def services():
    """Stand-ins for the services behind minigroups, which record requests and fail when a test wants it."""
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
    """A running sandbox."""
    from support.sandbox import Sandbox

    (tmp_path / "sandbox").mkdir()
    running = Sandbox(tmp_path / "sandbox")
    yield running
    running.stop()


@pytest.fixture
def release():
    """An event that is set when the test ends, if the test has not set it."""
    event = threading.Event()
    yield event
    event.set()
