"""Fixtures that several files use."""

import pytest


@pytest.fixture(scope="module")
def services():
    """The services behind minigroups, as doubles that record and misbehave on request."""
    from support import minigroups

    services = minigroups.Services()
    yield services
    services.close()
