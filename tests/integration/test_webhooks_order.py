"""Events of a room are delivered in their order, by one gateway or by several."""

import concurrent.futures
import os
import threading
import time

import pytest

from support.clocks import faketime, wrong_by
from support.until import until
from support.upstream import TIMEOUT, Reply
from support.webhooks import (  # noqa: F401 (fixtures)
    delivered, event, give, in_room, pending, sent_ids, start, store, taken, target, to)


def test_events_of_a_room_wait_for_the_one_that_failed_and_other_rooms_do_not(start, store, target):
    other_room_is_done = threading.Event()

    def until_then(request):
        if delivered(request) == "b-6":
            other_room_is_done.set()
        return Reply(status=400 if delivered(request) == "a-1" and not other_room_is_done.is_set() else 200)

    target.on("POST", "/hook", until_then)
    gateway = start(forward_to=[to(target)])
    for number in range(1, 7):
        taken(gateway, in_room("a", number))
        taken(gateway, in_room("b", number))
    target.wait(lambda _: "a-6" in sent_ids(target), TIMEOUT * 4)
    tries = sent_ids(target).count("a-1")
    assert tries > 1 and [one for one in sent_ids(target) if one[0] == "a"] == ["a-1"] * tries + [f"a-{number}" for number in range(2, 7)]
    assert [one for one in sent_ids(target) if one[0] == "b"] == [f"b-{number}" for number in range(1, 7)]
    until(lambda: pending(store) == [], "settled")


def test_what_was_given_up_lets_its_room_go_on(start, target):
    target.on("POST", "/hook", lambda request: Reply(status=400 if delivered(request) == "a-1" else 200))
    gateway = start(forward_to=[to(target)], attempts_max=2)
    for number in (1, 2):
        taken(gateway, in_room("a", number))
    target.wait_requests(3, TIMEOUT * 2)
    assert sent_ids(target) == ["a-1", "a-1", "a-2"]


def test_the_order_can_be_given_up_for_a_target(start, store, target):
    """The first event is refused until the second one has come."""
    target.on("POST", "/hook", lambda request: Reply(
        status=400 if delivered(request) == "a-1" and "a-2" not in sent_ids(target) else 200))
    gateway = start(forward_to=[to(target, order="none")])
    for number in (1, 2):
        taken(gateway, in_room("a", number))
    target.wait(lambda _: "a-2" in sent_ids(target), TIMEOUT * 2)
    until(lambda: pending(store) == [], "settled")
    assert sent_ids(target).count("a-2") == 1


def test_two_gateways_keep_the_order_of_every_room_and_send_each_event_once(start, store, target):
    target.default = Reply(delay=0.01)
    gateways = [start(forward_to=[to(target)]) for _ in range(2)]
    for number in range(25):
        for room in "abc":
            taken(gateways[number % 2], in_room(room, number))
    target.wait(lambda _: len(sent_ids(target)) >= 75, TIMEOUT * 4)
    until(lambda: pending(store) == [], "settled")
    for room in "abc":
        assert [one for one in sent_ids(target) if one[0] == room] == [f"{room}-{number}" for number in range(25)]


def test_the_events_of_a_gateway_that_was_killed_are_taken_over_in_order(start, store, target):
    target.default = Reply.hang()
    first = start(forward_to=[to(target)], forward_timeout="500ms")
    for number in (1, 2, 3):
        taken(first, in_room("a", number))
    target.wait_requests(1)
    first.process.kill()
    first.process.wait()
    first.process = None
    lease_end_s = int(store.sql("SELECT MAX(due_ms) FROM webhook_delivery WHERE done_ms IS NULL")[0][0]) / 1000
    target.forget()
    target.default = Reply()
    second = start(forward_to=[to(target)])
    taken(second, in_room("a", 4))
    taken(second, in_room("b", 1))
    requests = target.wait_requests(5, TIMEOUT * 3)
    taken_over, = [request for request in requests if delivered(request) == "a-1"]
    assert taken_over.time - time.monotonic() + time.time() >= lease_end_s, "the lease of the other gateway had not ended"
    assert [one for one in sent_ids(target) if one[0] == "a"] == ["a-1", "a-2", "a-3", "a-4"]


@pytest.mark.skipif("GR_TEST_POSTGRES" not in os.environ, reason="a file has the clock of its machine")
@pytest.mark.skipif(not faketime(), reason="libfaketime is not installed, or cannot be used with a sanitizer")
@pytest.mark.parametrize("hours", [-2, 2])
def test_a_lease_holds_whatever_the_clock_of_its_gateway_says(start, store, target, hours):
    """Neither the gateway with the wrong clock nor the other one takes a delivery that the other has claimed."""
    wrong, right = start(forward_to=[to(target)], env=wrong_by(hours * 3600)), start(forward_to=[to(target)])
    for holder, other, room in ((wrong, right, "a"), (right, wrong, "b")):
        answer = threading.Event()
        target.will(Reply.held(answer))
        taken(holder, in_room(room, 1))
        target.wait(lambda _: f"{room}-1" in sent_ids(target))
        for number in range(5):  # each claim also takes other deliveries that seem to be due
            taken(other, in_room(f"{room}c", number))
            target.wait(lambda _: sent_ids(target)[-1] == f"{room}c-{number}")
        answer.set()
        until(lambda: pending(store) == [], "settled")
        assert sent_ids(target).count(f"{room}-1") == 1
        target.forget()


def cancel_the_wait_for_the_standby(store):
    waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()"
    until(lambda: store.sql(f"SELECT pg_cancel_backend(pid) {waiting} AND query = 'COMMIT'"), "a commit waits for the standby")


def test_an_event_is_not_taken_before_the_standby_has_it(start, store, target):
    """PostgreSQL calls a commit a success, with a warning, when the wait for its standby is cancelled."""
    if not store.url.startswith("postgres"):
        pytest.skip("a file has no standby")
    gateway, one = start(forward_to=[to(target)]), event()
    store.sql("ALTER SYSTEM SET synchronous_standby_names = 'away'")
    try:
        store.sql("SELECT pg_reload_conf()")
        until(lambda: store.sql("SHOW synchronous_standby_names") == [("away",)], "the standby is waited for")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for how in ("new", "known by now"):
                answer = pool.submit(give, gateway, one)
                cancel_the_wait_for_the_standby(store)
                assert answer.result().status == 503, how
    finally:
        store.sql("ALTER SYSTEM RESET synchronous_standby_names")
        store.sql("SELECT pg_reload_conf()")
    until(lambda: give(gateway, one).status == 200, "it is taken")
    target.wait(lambda _: one["id"] in sent_ids(target))
