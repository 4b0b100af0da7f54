"""Events from 100ms are forwarded to targets."""

import signal
import time

import pytest

from support.gateway import Gateway
from support.sandbox import Sandbox
from support.until import until
from support.upstream import TIMEOUT, Reply, Upstream
from support.webhooks import (  # noqa: F401 (fixtures)
    GIVEN, KEY, SECRET, event, events, ids, pending, sent_ids, start, store, taken, target, to)


def test_every_target_gets_every_event_as_it_came_in_order(start, store, target):
    gateway = start(forward_to=[to(target, header="X-Key", header_value="k 1"),
                                to(target, "second", "/a%20b/c")])
    raw = b'{"version":"2.0", "id":"z","account_id":"a","timestamp":"2025-03-04T17:10:11Z",' \
          b'"type":"t", "data":{"price": 1.50}}'
    taken(gateway, raw)
    target.wait_requests(2)
    bodies = {request.path: request for request in target.requests}
    assert bodies["/hook"].body == bodies["/a%20b/c"].body == raw
    assert bodies["/hook"].header("X-Key") == "k 1" and bodies["/a%20b/c"].header("X-Key") is None
    assert bodies["/hook"].header("Content-Type") == "application/json"
    assert bodies["/hook"].header("Authorization") is None and bodies["/hook"].header("X-Webhook-Secret") is None
    sent = ["z"] + [taken(gateway, event())["id"] for _ in range(30)]
    target.wait_requests(62, TIMEOUT * 2)
    assert sent_ids(target) == sent and sent_ids(target, "/a%20b/c") == sent
    until(lambda: pending(store) == [], "settled")
    taken(gateway, raw)
    taken(gateway, event(id="last"))
    target.wait(lambda _: sent_ids(target)[-1] == "last")
    assert sent_ids(target) == sent + ["last"], "an event that is already known is not forwarded again"
    until(lambda: pending(store) == [], "settled")
    counted = 'greenroom_webhooks_delivered_total{outcome="done"} 64'
    until(lambda: counted in gateway.admin("/metrics").body.decode(), "the deliveries are counted")
    assert 'greenroom_webhooks_received_total{kind="repeated"} 1' in gateway.admin("/metrics").body.decode()


def test_a_target_of_its_origin_alone_is_asked_at_its_root(start, target):
    gateway = start(forward_to=[{"name": "root", "url": target.url}])
    taken(gateway, event())
    assert target.wait_requests(1)[0].line == "POST /"


def test_a_refused_event_is_offered_again_with_growing_pauses(start, store, target):
    target.will(Reply(status=500), Reply(status=302, headers=[("Location", "/other")]), Reply(status=404))
    gateway = start(forward_to=[to(target)])
    one = taken(gateway, event())
    requests = target.wait_requests(4, TIMEOUT * 3)
    assert sent_ids(target) == [one["id"]] * 4
    pauses = [after.time - before.time for before, after in zip(requests, requests[1:])]
    assert pauses[0] >= 0.95 and pauses[1] >= 1.95 and pauses[2] >= 3.9, pauses
    until(lambda: pending(store) == [], "settled")
    assert store.sql("SELECT attempts FROM webhook_delivery") == [("4",)]


def test_an_event_is_given_up_after_its_attempts(start, store, target):
    target.on("POST", "/hook", lambda request: Reply(status=400 if "bad" in request.json["id"] else 200))
    gateway = start(forward_to=[to(target)], attempts_max=2)
    taken(gateway, event(id="bad"))
    taken(gateway, event(id="good", data={"room_id": "r2"}))
    gateway.wait_log(r"could not be delivered to 'app': given up")
    until(lambda: pending(store) == [], "settled")
    assert sent_ids(target).count("bad") == 2 and sent_ids(target).count("good") == 1
    assert sent_ids(target).index("good") < 2, "a refused event does not delay others"
    counted = 'delivered_total{outcome="given_up"} 1'
    until(lambda: counted in gateway.admin("/metrics").body.decode(), "it is not counted")


def test_a_target_that_was_down_gets_everything_when_it_is_back(start, store, target):
    target.down()
    gateway = start(forward_to=[to(target)])
    sent = {taken(gateway, event())["id"] for _ in range(9)}
    until(lambda: any(attempts != "0" for _, attempts in pending(store)), "an attempt")
    assert len(pending(store)) == 9
    target.up()
    target.wait(lambda _: set(sent_ids(target)) == sent, TIMEOUT * 3)
    until(lambda: pending(store) == [], "settled")
    assert len(sent_ids(target)) == 9


def test_a_target_that_hangs_does_not_hold_up_another(start, target):
    with Upstream() as hung:
        hung.default = Reply.hang()
        gateway = start(forward_to=[to(hung, "hung"), to(target)], forward_timeout="2s")
        sent = [taken(gateway, event())["id"] for _ in range(20)]
        target.wait_requests(20, TIMEOUT * 2)
        assert sent_ids(target) == sent
        assert len(hung.requests) <= 6, "there is a pause before each attempt"


def test_deliveries_go_on_after_a_restart(start, store, target):
    target.default = Reply(status=503)
    gateway = start(forward_to=[to(target)])
    one = taken(gateway, event())
    target.wait_requests(1)
    gateway.stop()
    target.forget()
    gateway.start()
    target.wait_requests(1, TIMEOUT * 2)
    assert sent_ids(target) == [one["id"]]
    until(lambda: pending(store) == [], "settled")


def test_a_delivery_that_died_with_its_gateway_is_made_again(start, store, target):
    target.default = Reply.hang()
    gateway = start(forward_to=[to(target)], forward_timeout="1s")
    one = taken(gateway, event())
    target.wait_requests(1)
    gateway.process.kill()
    gateway.process.wait()
    gateway.process = None
    killed = time.monotonic()
    target.forget()
    gateway.start()
    target.wait_requests(1, TIMEOUT * 3)
    assert sent_ids(target) == [one["id"]]
    assert time.monotonic() - killed > 8, "the second attempt comes only after the lease of the first"
    until(lambda: pending(store) == [], "settled")


def test_two_gateways_on_one_store_share_the_work(start, store, target):
    target.default = Reply(delay=0.02)
    gateways = [start(forward_to=[to(target)]) for _ in range(2)]
    sent = [taken(gateways[n % 2], event())["id"] for n in range(60)]
    target.wait(lambda _: len(set(sent_ids(target))) == 60, TIMEOUT * 3)
    until(lambda: pending(store) == [], "settled")
    assert sorted(sent_ids(target)) == sorted(sent), "each was sent once"


def test_a_target_that_left_the_config_gets_its_events_when_it_returns(start, store, target):
    target.default = Reply(status=503)
    gateway = start(forward_to=[to(target)])
    one = taken(gateway, event())
    target.wait_requests(1)
    gateway.stop()
    config = gateway.plugins["webhooks"]["config"]
    with Upstream() as other:
        config["forward_to"] = [to(other, "other")]
        gateway.start()
        two = taken(gateway, event())
        other.wait_requests(1)
        assert sent_ids(other) == [two["id"]]
        gateway.stop()
    target.forget()
    config["forward_to"] = [to(target)]
    gateway.start()
    target.wait_requests(1, TIMEOUT * 2)
    assert sent_ids(target) == [one["id"]]


def test_a_reload_takes_new_targets(start, target):
    gateway = start()
    taken(gateway, event())
    gateway.plugins["webhooks"]["config"]["forward_to"] = [to(target)]
    gateway.write()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log("reloaded")
    two = taken(gateway, event())
    target.wait_requests(1)
    assert sent_ids(target) == [two["id"]]


def test_what_happens_in_the_sandbox_arrives_at_the_app(tmp_path, start, target):
    """100ms → gateway → app: signed, stored, listed, forwarded; repeated deliveries are dropped."""
    gateway = start(signature_secret=KEY, forward_to=[to(target)])
    (tmp_path / "sandbox").mkdir()
    box = Sandbox(tmp_path / "sandbox", {
        "webhook_url": f"http://127.0.0.1:{gateway.port}/webhooks",
        "webhook_headers": GIVEN, "webhook_secret": KEY, "speed": 20,
    })
    try:
        room = box.room(name="seen")
        peer = box.join(room, user_id="ada")
        box.ok("DELETE", f"/sandbox/rooms/{room['id']}/peers/{peer['id']}", status=204)
        wanted = ["session.open.success", "peer.join.success", "peer.leave.success", "session.close.success"]
        target.wait_requests(4, TIMEOUT * 2)
        assert [request.json["type"] for request in target.requests] == wanted
        listed = events(gateway, f"?room_id={room['id']}")["data"]
        assert [one["type"] for one in listed] == wanted[::-1]
        assert ids(gateway, "?type=peer.join.success&session_id=" + listed[0]["data"]["session_id"]) == [listed[2]["id"]]

        def history(status):
            return box.get(f"/analytics/webhooks?room_id={room['id']}&status={status}")["summary"]["total_events"]

        until(lambda: history("success") == 4, "acknowledged")
        replay = box.post("/analytics/webhooks/replay", {"room_id": room["id"], "status": "all"})
        path = f"/analytics/webhooks/replay/{replay['workflow_id']}"
        until(lambda: box.get(path)["status"] == "completed", "replayed")
        assert len(events(gateway)["data"]) == 4 and len(target.requests) == 4
    finally:
        box.stop()


def test_wrong_targets_stop_the_start(tmp_path, store):
    for number, (targets, said) in enumerate((
        ([{"name": "a", "url": "ftp://x/"}], "url"),
        ([{"name": "a", "url": "http://u:p@host/"}], "url"),
        ([{"name": "a", "url": "http://host/?q=1"}], "url"),
        ([{"name": "a", "url": "http://host/{id}"}], "url"),
        ([{"name": "A", "url": "http://host/"}], "name"),
        ([{"url": "http://host/"}], "name"),
        ([{"name": "a", "url": "http://host/", "heder": "x"}], "heder"),
        ([{"name": "a", "url": "http://host/", "header": "X"}], "header_value"),
        ([{"name": "a", "url": "http://host/", "header": "X", "header_value": "a\r\nb"}], "header_value"),
        ([{"name": "a", "url": "http://host/"}, {"name": "a", "url": "http://other/"}], "exists"),
        ([{"name": f"a{n}", "url": "http://host/"} for n in range(17)], "16"),
    )):
        directory = tmp_path / str(number)
        directory.mkdir()
        gateway = Gateway(directory, {"store": store.url, "state_directory": str(directory)},
                          {"webhooks": {"config": {"secret": SECRET, "forward_to": targets}}})
        with pytest.raises(AssertionError):
            gateway.start()
        assert gateway.process.wait(TIMEOUT) != 0
        assert said in gateway.log, (targets, gateway.log)
