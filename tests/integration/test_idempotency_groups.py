"""Idempotency-Key: groups with handlers and data of their own."""

import uuid

import pytest

from support import minigroups as mg
from support.gateway import Gateway
from support.idempotency import keyed, new_key, replayed, store  # noqa: F401 (fixtures)
from support.rig import Rig


@pytest.fixture
def rig(tmp_path, store):
    directory = tmp_path / "rig"
    directory.mkdir()
    rig = Rig(directory, store)
    for members in rig.plugins.values():
        members["idempotency"] = "1h"
    del rig.plugins["agents"]["idempotency"]  # creates nothing
    rig.start()
    yield rig
    rig.stop()


def test_a_handler_runs_once(rig, store):
    user, key = rig.user(), new_key()
    first = user.request("POST", "/streams", **keyed(key))
    again = user.request("POST", "/streams", **keyed(key))
    assert first.status == 200 and not replayed(first), first
    assert replayed(again) and again.json == first.json
    assert store.sql("SELECT count(*) FROM rig_streams") == [("1",)]


def test_accounts_of_a_group_do_not_share_keys(rig, store):
    key = new_key()
    made = [user.request("POST", "/streams", **keyed(key)) for user in (rig.user(), rig.user())]
    assert not any(replayed(answer) for answer in made)
    assert store.sql("SELECT count(*) FROM rig_streams") == [("2",)]


def test_unknown_clients_do_not_meet_by_a_key(rig):
    """On a route without authentication, a different request with the same key counts as another client's, so that this client
    does not learn that the key was used."""
    def create(name):
        body = {"username": name, "password": "correct horse", "email": f"{name}@studio.example"}
        return rig.post("/accounts", body, **keyed("1"))

    first, other, again = create("ann"), create("bob"), create("ann")
    assert first.status == other.status == 200 and not replayed(other), other
    assert replayed(again) and again.json == first.json


def test_a_refusal_of_the_group_is_in_its_format(rig):
    user, key = rig.user(), new_key()
    user.request("POST", "/streams", **keyed(key))
    user.request("POST", "/accounts/invite", {"email": "a@studio.example"}, **keyed(key))
    answer = user.request("POST", "/accounts/invite", {"email": "b@studio.example"}, **keyed(key))
    assert answer.status == 422 and set(answer.json) == {"message", "errorCode", "details"}, answer


def test_a_minigroup_is_created_once(services, tmp_path, store):
    services.forget()
    gateway = Gateway(tmp_path, {"store": store.url, "state_directory": str(tmp_path)},
                      {"minigroups": {"config": mg.options(services), "idempotency": "1h"}})
    body = {"scope": f"scope-{uuid.uuid4()}", "audience": mg.AUDIENCE, "host": mg.TEACHER}
    more = keyed(new_key(), Authorization="Bearer " + mg.token(mg.ADMIN))
    with gateway:
        first = gateway.post("/api/v1/minigroups", body, **more)
        again = gateway.post("/api/v1/minigroups", body, **more)
        assert first.status == 201 and replayed(again) and (again.status, again.json) == (201, first.json), again
        assert len(services.take("event", "POST", "/api/v1/rooms")) == 1
        reused = gateway.post("/api/v1/minigroups", {**body, "scope": "other"}, **more)
        assert reused.status == 422 and reused.json["type"] and reused.json["status"] == 422, reused
