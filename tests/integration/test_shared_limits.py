"""Limits that gateways share in a real Redis or Valkey server: rates and numbers of requests in progress."""

import time

import pytest

from support.shared_limits import Load, Slow, make, statuses, told, upstream  # noqa: F401 (fixtures)
from support.until import until
from support.upstream import TIMEOUT


# --- rates ---


def test_a_caller_has_one_bucket_whichever_gateway_it_asks(make, redis):
    gateways = make(3, {"caller": {"rate": "4/m"}}, redis.url)
    answers = [gateway.get("/rooms") for gateway in (*gateways, *gateways)]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 429, 429]
    assert [answer.header("RateLimit-Remaining") for answer in answers] == ["3", "2", "1", "0", "0", "0"]
    assert all(answer.header("RateLimit-Limit") == "4" for answer in answers)
    assert 1 <= int(answers[5].header("Retry-After")) <= 15


def test_addresses_scopes_and_operations_are_counted_over_all(make, redis):
    gateways = make(2, {"address": {"rate": "7/m"}, "scopes": {"rooms:read": {"rate": "5/m"}},
                        "routes": {"rooms.list": {"rate": "3/m"}}}, redis.url)
    assert statuses(gateways, 4) == [200, 200, 200, 429], "of the operation"
    answers = [gateways[i % 2].get("/rooms/1") for i in range(4)]
    assert [answer.status for answer in answers] == [200, 429, 429, 429]
    assert [answer.json["message"].rpartition(" of ")[2] for answer in answers[1:]] == ["this scope"] * 2 + ["this address"]
    other = [gateway.get("/rooms/1", source="127.0.0.2").status for gateway in gateways]
    assert other == [200, 200], "another address"


@pytest.mark.parametrize("shares", [(2, 2, 2), (6, 0, 0), (5, 1, 1)], ids=["even", "one", "uneven"])
def test_100_a_second_over_three_gateways_are_100_a_second(make, redis, shares):
    """Tokens come back, and in the time that has passed no more of them than the rate says, whatever the number of gateways."""
    rate = burst = 100
    gateways = make(3, {"caller": {"rate": f"{rate}/s", "burst": burst}}, redis.url, timeout="5s")
    ports = [gateway.port for gateway, count in zip(gateways, shares) for _ in range(count)]
    began = time.monotonic()
    with Load(ports) as load:
        load.wait_refused()
        load.wait_passed(burst + 3 * rate)
        assert set(load.others) == {429}
    # A machine under load only makes the time longer and the number smaller.
    assert load.passed <= burst + rate * (time.monotonic() - began) * 1.05
    for gateway, count in zip(gateways, shares):
        assert told(gateway, "alone_total") == 0
        assert (told(gateway, "waits_total") > 0) == (count > 0)


def test_most_requests_need_no_round_trip(make, redis):
    gateway, = make(1, {"caller": {"rate": "1000/s", "burst": 10000}}, redis.url)
    with Load([gateway.port] * 2) as load:
        load.wait_passed(600)
    assert not load.others
    assert told(gateway, "waits_total") < load.passed / 10
    assert told(gateway, "questions_total") < load.passed / 10


def test_wrong_credentials_are_counted_over_all(make, redis):
    gateways = make(2, {"caller": {"rate": "100/s"}}, redis.url,
                    auth={"keys": {}, "throttle": {"failures": 4, "window": "10m"}})
    seen = [gateways[i % 2].get("/rooms", headers={"X-API-Key": "wrong"}).status for i in range(6)]
    assert seen == [401, 401, 401, 401, 429, 429]


# --- numbers in use ---


def test_requests_in_progress_are_counted_over_all(make, redis, upstream):
    one, other = make(2, {"caller": {"concurrent": 3}}, redis.url)
    first = Slow(upstream, one, 2)
    second = Slow(upstream, other, 1)
    for gateway in (one, other):
        refused = gateway.get("/rooms")
        assert refused.status == 429 and refused.header("Retry-After") == "1"
    assert one.get("/rooms", source="127.0.0.2").status == 200, "of another caller"
    first.end()
    second.end()
    # The places that one gateway had are there for the other.
    third = Slow(upstream, other, 3)
    assert one.get("/rooms").status == 429
    third.end()


def test_a_client_that_waits_for_each_answer_is_never_refused(make, redis):
    gateways = make(3, {"caller": {"concurrent": 1}}, redis.url)
    assert set(statuses(gateways, 60)) == {200}
    for gateway in gateways:
        assert told(gateway, "alone_total") == 0


def test_a_gateway_that_is_killed_gives_its_places_back(make, redis, upstream):
    dead, other = make(2, {"caller": {"concurrent": 2}}, redis.url)
    lost = Slow(upstream, dead, 2)
    assert other.get("/rooms").status == 429
    dead.process.kill()
    dead.process.wait(TIMEOUT)
    dead.process = None
    lost.end()
    assert other.get("/rooms").status == 429, "its places are kept for a while, because it might still run"
    until(lambda: other.get("/rooms").status == 200, "the places do not come back")


def test_a_gateway_that_stops_gives_its_places_back_at_once(make, redis):
    one, other = make(2, {"caller": {"concurrent": 1}}, redis.url)
    assert one.get("/rooms").status == 200
    one.stop()
    assert other.get("/rooms").status == 200


def test_a_share_in_use_is_renewed(make, redis, upstream):
    one, other = make(2, {"caller": {"concurrent": 1}}, redis.url)
    slow = Slow(upstream, one, 1)
    key, = [key for key in redis.command("KEYS", "greenroom:use:*") if not key.endswith("probe")]
    before = redis.command("HVALS", key)
    until(lambda: redis.command("HVALS", key) != before, "the share is not renewed")
    assert other.get("/rooms").status == 429
    slow.end()
    until(lambda: redis.command("EXISTS", key) == 0, "the share is not given back")
