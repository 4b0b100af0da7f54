"""Fixtures of tests of minigroups: a gateway for all tests of a file, and services that are reset before each test."""

import re

import pytest

from support import minigroups as mg

BASE = "/api/v1/minigroups"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def gateway(services, tmp_path_factory):
    directory = tmp_path_factory.mktemp("minigroups")
    gateway = mg.Gateway(directory, services, mg.store_url(directory), turn_hosts=["turn1.example.org:3478", "turn2"])
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture(autouse=True)
def clean(services):
    services.mend()
    services.forget()
    services.events, services.snapshots = {}, []


def by_scope(minigroup):
    return f"/api/v1/audiences/{minigroup['audience']}/minigroups/{minigroup['scope']}"
