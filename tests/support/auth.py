"""What tests of authentication share: gateways with providers, API keys, and headers."""

import subprocess

import pytest

from support.gateway import BINARY, Gateway
from support.until import until
from support.upstream import TIMEOUT, Upstream

SECRET = "app-secret-of-the-tests-0123456789abcdef"
PLUGINS = ("rooms", "token", "templates", "room_codes", "analytics")


@pytest.fixture
def upstream():
    with Upstream() as server:
        yield server


@pytest.fixture
def make(tmp_path, upstream):
    """make(auth, server={…}) is a running gateway; stopped at the end."""
    made = []

    def start(auth, **more):
        config = {
            "credentials": {"100ms": {"access_key": "access", "secret": SECRET}},
            "upstreams": {"api": {"url": f"http://127.0.0.1:{upstream.port}/v2", "credential": "100ms"},
                          "auth": {"url": f"http://127.0.0.1:{upstream.port}/v2"}},
            "state_directory": str(tmp_path / "state"),
            "auth": auth,
            **more,
        }
        gateway = Gateway(tmp_path / "etc", config, {name: {} for name in PLUGINS})
        made.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in made:
        gateway.stop()


def greenroom(gateway, *words, status=0):
    done = subprocess.run([BINARY, "-c", str(gateway.directory), *words], capture_output=True, text=True,
                          timeout=TIMEOUT * 2)
    assert done.returncode == status, done.stderr
    return done


def new_key(gateway, name, *words):
    return greenroom(gateway, "keys", "add", name, *words).stdout.strip()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def wait_for_key(gateway, key):
    until(lambda: gateway.get("/rooms/r1", headers=bearer(key)).status not in (401, 429))
