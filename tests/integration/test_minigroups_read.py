"""What minigroups show and keep for their callers: the class, properties, positions, downloads."""

import json
import uuid

import pytest

from support import minigroups as mg
from support.minigroups_fixtures import BASE, by_scope, clean, gateway  # noqa: F401 (fixtures)


# --- read ---


def test_read_by_id_and_by_scope(gateway):
    minigroup = gateway.create(properties={"a": 1, "b": [None]}, tags={"x": 1})
    answer = gateway.read(minigroup)
    assert answer.pop("turn_host")
    assert answer == {
        "class_id": minigroup["id"],
        "id": minigroup["scope"],
        "real_time": minigroup["real_time"],
        "status": "real-time",
        "timed_out": False,
        "content_id": minigroup["id"],
        "properties": {},
        "account_properties": {},
    }
    again = gateway.ask("GET", by_scope(minigroup), who=mg.PUPIL)
    again.pop("turn_host")
    assert again == answer
    assert gateway.ask("GET", f"{BASE}/{minigroup['id'].upper()}")["class_id"] == minigroup["id"]
    assert gateway.call("HEAD", f"{BASE}/{minigroup['id']}")[:2] == (200, b"")
    gateway.refuse(404, "class_not_found", "GET", f"/api/v1/audiences/{mg.AUDIENCE}/minigroups/nope")


def test_turn_hosts_vary(gateway):
    minigroup = gateway.create()
    assert {gateway.read(minigroup)["turn_host"] for _ in range(64)} == {"turn1.example.org:3478", "turn2"}


@pytest.mark.parametrize(
    "query, expected",
    [
        ("class_keys[]=a&class_keys[]=b", {"a": 1, "b": [None]}),
        ("class_keys[1]=a&class_keys[7]=c+d", {"a": 1, "c d": 2}),
        ("class_keys%5B%5D=a", {"a": 1}),
        ("class_keys[]=zz&class_keys[]=a&class_keys[]=a", {"a": 1}),
        ("class_keys=", {}),
        ("class_keys", {}),
        ("class_keys[]=", {}),
        ("class_keys[]=c%20d&other=1", {"c d": 2}),
    ],
)
def test_class_keys(gateway, query, expected):
    minigroup = gateway.create(properties={"a": 1, "b": [None], "c d": 2})
    assert gateway.read(minigroup, "?" + query)["properties"] == expected


@pytest.mark.parametrize("name", ["class_keys", "account_keys"])
@pytest.mark.parametrize(
    "query",
    ["{}=a", "{0}=a&{0}=b", "{0}[]=a&{0}[0]=b", "{}[x]=a", "{0}[0]=a&{0}[0]=b", "{}[]=%ff"],
)
def test_bad_keys(gateway, name, query):
    path = f"{BASE}/{uuid.uuid4()}?" + query.format(name)
    status, answer, _ = gateway.call("GET", path)
    assert status == 400 and answer["type"] == "invalid_query_string", answer


def test_properties_of_an_account_have_a_limit_in_all(gateway):
    path, who = "/api/v1/account/properties/", "s-9.usr.example.org"
    for name in "abc":
        gateway.ask("PUT", path + name, "x" * 20000, who=who)
    gateway.refuse(413, "payload_too_large", "PUT", path + "d", "x" * 20000, who=who)
    gateway.refuse(404, "account_property_not_found", "GET", path + "d", who=who)
    gateway.ask("PUT", path + "a", 1, who=who)
    gateway.ask("PUT", path + "d", "x" * 20000, who=who)


def test_account_properties(gateway):
    who, minigroup = f"u{uuid.uuid4()}.usr.example.org", gateway.create()
    path = "/api/v1/account/properties/"
    gateway.refuse(404, "account_not_found", "GET", path + "onboarding", who=who)
    assert gateway.ask("PUT", path + "onboarding", True, who=who) == {"onboarding": True}
    assert gateway.ask("PUT", path + "other", None, raw=b"null", who=who) == {"onboarding": True, "other": None}
    assert gateway.ask("GET", path + "onboarding", who=who) is True
    gateway.refuse(404, "account_property_not_found", "GET", path + "nope", who=who)
    query = "?account_keys[]=onboarding&account_keys[]=nope"
    assert gateway.read(minigroup, query, who=who)["account_properties"] == {"onboarding": True}
    assert gateway.read(minigroup, query)["account_properties"] == {}


# --- positions ---


@pytest.mark.parametrize("position", [-1, 1.0, "1", None, [], True])
def test_positions_are_checked(gateway, position):
    path = f"{BASE}/{gateway.create()['id']}/timestamps"
    gateway.refuse(400, "invalid_payload", "POST", path, {"position": position})


def test_positions_are_saved_by_anybody_who_reads(gateway):
    path = f"{BASE}/{gateway.create()['id']}/timestamps"
    for position in (0, 7, 86401, 2**62):
        assert gateway.ask("POST", path, {"position": position}, 201, who=mg.PUPIL) == {}
    gateway.refuse(400, "invalid_payload", "POST", path, {})
    gateway.refuse(404, "class_not_found", "POST", f"{BASE}/{uuid.uuid4()}/timestamps", {"position": 1})


# --- properties ---


@pytest.mark.parametrize("value", [True, None, 0, "", [], {}, {"a": [1, None]}, "Grüße", 1.5])
def test_properties_hold_any_json(gateway, value):
    minigroup = gateway.create(properties={"kept": 1})
    path = f"{BASE}/{minigroup['id']}/properties/"
    raw = json.dumps(value).encode()
    assert gateway.ask("PUT", path + "a%2Fb%20c", raw=raw) == {"kept": 1, "a/b c": value}
    assert gateway.ask("GET", path + "a%2Fb%20c") == value
    assert gateway.ask("PUT", path + "kept", 2) == {"kept": 2, "a/b c": value}


def test_properties_are_checked(gateway):
    path = f"{BASE}/{gateway.create()['id']}/properties/x"
    gateway.refuse(404, "class_property_not_found", "GET", path)
    for raw in (b"", b"{", b"1 2"):
        gateway.refuse(400, "invalid_payload", "PUT", path, raw=raw)
    gateway.refuse(400, "invalid_payload", "PUT", path, raw=b"1", headers={"Content-Type": "text/plain"})


# --- download ---


def test_nothing_to_download_without_recordings(gateway):
    gateway.refuse(404, "recording_not_found", "GET", f"{BASE}/{gateway.create()['id']}/download")
