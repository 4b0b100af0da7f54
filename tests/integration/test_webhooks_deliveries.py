"""What operators do with deliveries of webhooks: list and replay those given up, pause targets; who may."""

import json
import os
import pathlib
import re
import signal
import threading

import pytest

from support.until import until
from support.upstream import TIMEOUT, Reply
from support.webhooks import (  # noqa: F401 (fixtures)
    OLD, SECRET, delivered, event, in_room, pending, sent_ids, start, store, taken, target, to, whsec)


# --- dead letters ---


@pytest.fixture
def dead(start, target):
    """A gateway that has given up the events a-1, a-2 and b-1, and has delivered c-1."""
    target.on("POST", "/hook", lambda request: Reply(status=200 if delivered(request)[0] == "c" else 410))
    gateway = start(forward_to=[to(target)], attempts_max=1)
    for room, number in (("a", 1), ("a", 2), ("b", 1), ("c", 1)):
        taken(gateway, in_room(room, number))
    until(lambda: len(gateway.get("/webhooks/deliveries").json["data"]) == 3, "three are dead")
    until(lambda: len(gateway.get("/webhooks/deliveries?state=delivered").json["data"]) == 1, "one was delivered")
    target.forget()
    target.on("POST", "/hook", Reply())
    return gateway


def listed(gateway, query=""):
    answer = gateway.get("/webhooks/deliveries" + query)
    assert answer.status == 200, answer
    return [one["event_id"] for one in answer.json["data"]]


def replay(gateway, **which):
    answer = gateway.post("/webhooks/deliveries/replay", which)
    assert answer.status == 200, answer
    return answer.json["replayed"]


def command(gateway, *words, status=0):
    done = gateway.run("webhooks", *words)
    assert done.returncode == status and "Sanitizer" not in done.stderr, done.stdout + done.stderr
    return done


def test_dead_letters_are_listed_with_what_the_target_said(dead):
    one = dead.get("/webhooks/deliveries?room_id=b").json["data"][0]
    assert (one["event_id"], one["target"], one["state"], one["attempts"], one["status"], one["error"]) == \
        ("b-1", "app", "dead", 1, 410, None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["failed_at"])
    assert one["due_at"] is None and one["delivered_at"] is None
    assert listed(dead) == ["b-1", "a-2", "a-1"] and listed(dead, "?state=any") == ["c-1", "b-1", "a-2", "a-1"]
    assert listed(dead, "?target=app&since=1h") == ["b-1", "a-2", "a-1"] and listed(dead, "?target=other") == []
    first = dead.get("/webhooks/deliveries?limit=2").json
    assert [one["event_id"] for one in first["data"]] == ["b-1", "a-2"]
    assert listed(dead, f"?limit=2&start={first['last']}") == ["a-1"]
    for query in ("state=lost", "since=1", "since=h", "since=-1h", "limit=0", "limit=101", "start=x"):
        assert dead.get("/webhooks/deliveries?" + query).status == 400, query


def test_an_event_is_shown_as_it_came_with_its_deliveries(dead):
    shown = dead.get("/webhooks/events/a-1").json
    assert shown["event"]["data"] == {"room_id": "a"} and shown["deliveries"][0]["status"] == 410
    assert dead.get("/webhooks/events/nothing").status == 404
    raw = b'{"version":"2.0", "id":"odd","account_id":"a","timestamp":"x","type":"t", "data":{"n": 1e999}}'
    taken(dead, raw)
    assert raw in dead.get("/webhooks/events/odd").body


def test_dead_letters_are_replayed_one_some_or_all_in_the_order_of_their_room(dead, store, target):
    assert replay(dead, event_id="a-2") == 1
    target.wait_requests(1)
    assert sent_ids(target) == ["a-2"] and listed(dead) == ["b-1", "a-1"]
    assert replay(dead, event_id="c-1", target="app") == 1, "an event that is named is sent again even though it was delivered"
    target.wait_requests(2)
    assert replay(dead, room_id="b") == 1 and replay(dead, target="other") == 0
    target.wait_requests(3)
    until(lambda: pending(store) == [], "settled")
    store.sql("UPDATE webhook_delivery SET done_ms = NULL, tried_ms = 1 WHERE target = 'app'")
    assert replay(dead, since="1h") == 0, "they failed long ago"
    target.forget()
    assert replay(dead, all=True) == 4
    target.wait_requests(4)
    assert sorted(sent_ids(target)) == ["a-1", "a-2", "b-1", "c-1"]
    assert sent_ids(target).index("a-1") < sent_ids(target).index("a-2")
    for body in ({}, {"all": False}, {"since": "soon"}, {"al": True}, {"event_id": ""}):
        assert dead.post("/webhooks/deliveries/replay", body).status == 400, body
    until(lambda: pending(store) == [], "settled")


def test_many_dead_letters_are_replayed_in_their_order(start, store, target):
    gateway = start(forward_to=[to(target)])
    store.sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)"
              " INSERT INTO webhook_event (id, type, room_id, received_ms, body) SELECT 'e' || i, 't', 'r', 99999999999999,"
              " '{\"id\": ' || i || '}' FROM n ORDER BY i")
    store.sql("INSERT INTO webhook_delivery (event_seq, target, room_id) SELECT seq, 'app', 'r' FROM webhook_event")
    assert replay(gateway, all=True) == 1100
    target.wait_requests(1100, TIMEOUT * 6)
    assert [request.json["id"] for request in target.requests] == list(range(1, 1101))


def test_the_command_lists_shows_and_replays(dead, store, target):
    for words in (["list"], ["list", "--since", "1h", "--room-id=a"], ["list", "--state", "any"]):
        done = command(dead, *words)
        assert done.stdout.startswith("EVENT") and "a-1" in done.stdout and "410" in done.stdout
        assert ("b-1" in done.stdout) == ("--room-id=a" not in words) and ("c-1" in done.stdout) == ("any" in words)
    found = json.loads(command(dead, "list", "--json", "--limit", "2").stdout)
    assert [one["event_id"] for one in found] == ["b-1", "a-2"]
    assert "there are more" in command(dead, "list", "--limit", "2").stderr
    assert json.loads(command(dead, "show", "--json", "a-1").stdout)["event"]["id"] == "a-1"
    assert '"room_id": "a"' in command(dead, "show", "a-1").stdout
    assert command(dead, "show", "nothing", status=1).stderr == "greenroom: webhooks: no event has this id\n"
    assert command(dead, "replay", "a-1").stdout == "1 sent again\n"
    target.wait_requests(1)
    assert json.loads(command(dead, "replay", "--since", "1h", "--json").stdout) == {"replayed": 2}
    target.wait_requests(3)
    assert sent_ids(target)[0] == "a-1" and sorted(sent_ids(target)) == ["a-1", "a-2", "b-1"]
    assert command(dead, "replay", "--all").stdout == "0 sent again\n"


def test_the_command_used_wrongly_says_how(dead):
    for words, said in ((["replay"], "usage: greenroom [-c DIR] webhooks replay [--target TARGET]"),
                        (["list", "--since", "soon"], "greenroom: --since: expected"),
                        (["list", "--room"], "greenroom: unknown option '--room'"),
                        (["list", "a-1"], "usage:"), (["show"], "usage:"), (["pause"], "usage:"),
                        (["list", "--limit", "0"], "greenroom: --limit: expected an integer from 1 to 10000")):
        assert said in command(dead, *words, status=2).stderr, words
    assert "is not a command" in command(dead, "lst", status=2).stderr
    text = dead.run("webhooks", "list", "--help").stdout
    assert "usage: greenroom [-c DIR] webhooks list" in text and "--room-id ID" in text and "given up" in text
    whole = dead.run("webhooks", "--help").stdout
    assert all(f"  {word}" in whole for word in ("list", "show", "replay", "targets", "pause", "resume"))


# --- pauses ---


def processes(gateway):
    """The processes of the gateway and of its isolated groups."""
    main = gateway.process.pid
    children = [file.read_text().split() for file in pathlib.Path(f"/proc/{main}/task").glob("*/children")]
    return [main, *(int(pid) for some in children for pid in some)]


def stop(gateway):
    for pid in processes(gateway):
        os.kill(pid, signal.SIGSTOP)
        until(lambda: pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T", "it goes on")


def go_on(gateway):
    for pid in processes(gateway):
        os.kill(pid, signal.SIGCONT)


def test_a_paused_target_gets_nothing_and_then_everything_in_order(start, store, target):
    gateway = start(forward_to=[to(target), to(target, "other", "/other")])
    answer = gateway.post("/webhooks/targets/app/pause", {})
    assert answer.status == 200 and answer.json["paused"] is True
    for number in range(6):
        taken(gateway, in_room("a", number))
    target.wait(lambda _: len(sent_ids(target, "/other")) == 6)
    assert sent_ids(target) == [], "these rounds of the outbox would have sent it"
    found = {one["name"]: one for one in gateway.get("/webhooks/targets").json["data"]}
    assert found["app"] == {"name": "app", "paused": True, "pending": 6, "dead": 0} and not found["other"]["paused"]
    metrics = until(lambda: (lambda text: text if 'greenroom_webhooks_paused{target="app"} 1' in text else None)(
        gateway.admin("/metrics").body.decode()), "the pause is not measured")
    assert 'greenroom_webhooks_paused{target="other"} 0' in metrics
    until(lambda: 'greenroom_webhooks_pending{target="app"} 6' in gateway.admin("/metrics").body.decode(), "pending", TIMEOUT * 3)
    assert gateway.post("/webhooks/targets/app/resume", {}).json["paused"] is False
    target.wait(lambda _: len(sent_ids(target)) == 6)
    assert sent_ids(target) == [f"a-{number}" for number in range(6)]
    assert gateway.post("/webhooks/targets/nothing/pause", {}).status == 404


def test_a_pause_holds_on_all_gateways_and_after_a_restart(start, store, target):
    gateways = [start(forward_to=[to(target), to(target, "other", "/other")]) for _ in range(2)]
    assert command(gateways[0], "pause", "app").stdout == "app is paused\n"
    taken(gateways[1], in_room("a", 1))
    target.wait(lambda _: sent_ids(target, "/other") == ["a-1"])
    for gateway in gateways:
        gateway.stop()
    gateways[1].start()
    taken(gateways[1], in_room("b", 1))
    target.wait(lambda _: sent_ids(target, "/other") == ["a-1", "b-1"])
    assert sent_ids(target) == []
    assert re.search(r"^app +yes +2 +0$", command(gateways[1], "targets").stdout, re.M)
    assert json.loads(command(gateways[1], "targets", "--json").stdout)[0]["paused"] is True
    assert command(gateways[1], "resume", "app").stdout == "app is resumed\n"
    target.wait(lambda _: sent_ids(target) == ["a-1", "b-1"])
    assert "no target of this name" in command(gateways[1], "pause", "nothing", status=1).stderr


def test_a_pause_of_the_config(start, target):
    gateway = start(forward_to=[to(target, paused=True), to(target, "other", "/other")])
    taken(gateway, in_room("a", 1))
    target.wait(lambda _: sent_ids(target, "/other") == ["a-1"])
    assert sent_ids(target) == []
    assert gateway.post("/webhooks/targets/app/resume", {}).json["paused"] is True
    gateway.stop()
    gateway.plugins["webhooks"]["config"]["forward_to"][0]["paused"] = False
    gateway.start()
    target.wait(lambda _: sent_ids(target) == ["a-1"])


def test_a_gateway_that_was_stopped_past_its_lease_sends_nothing_of_it(start, store, target):
    """The gateway is stopped by SIGSTOP between two deliveries, like a machine that is suspended. When it continues, another
    gateway has taken over its deliveries."""
    answer = threading.Event()
    target.will(Reply.held(answer))
    first = start(forward_to=[to(target)], forward_timeout="3s")
    first.post("/webhooks/targets/app/pause", {})
    for number in range(4):
        taken(first, in_room("a", number))
    first.post("/webhooks/targets/app/resume", {})  # so that one claim gets all of them
    target.wait_requests(1)
    with store.held("webhook_delivery"):
        answer.set()
        answered = 'greenroom_upstream_calls_total{upstream="webhooks/app",outcome="2xx"} 1'
        until(lambda: answered in first.admin("/metrics").body.decode(), "the first is not answered")
        stop(first)
    try:
        second = start(forward_to=[to(target)])
        target.wait(lambda _: len(set(sent_ids(target))) == 4, TIMEOUT * 4)
        until(lambda: pending(store) == [], "settled")
    finally:
        go_on(first)
    second.stop()
    taken(first, in_room("b", 1))  # the sending thread handles this one after the others
    target.wait(lambda _: "b-1" in sent_ids(target))
    assert sent_ids(target) == ["a-0", "a-0", "a-1", "a-2", "a-3", "b-1"]


# --- who may, and what is shown ---


def test_scopes_of_the_routes(start, target):
    gateway = start(auth={"keys": {}}, forward_to=[to(target)])
    gateway.stop()
    keys = {name: gateway.run("keys", "add", name, *words.split()).stdout.strip() for name, words in {
        "writer": "--scope webhooks:write", "reader": "--scope webhooks:read",
        "bound": "--scope webhooks:* --room r1"}.items()}
    gateway.start()

    def ask(name, method, path, body=None):
        headers = {"Authorization": f"Bearer {keys[name]}"} if name else {}
        if method == "GET":
            return gateway.get(path, headers=headers).status
        return gateway.post(path, body, headers=headers).status

    reads = ("/webhooks/deliveries", "/webhooks/targets", "/webhooks/events/x")
    writes = {"/webhooks/deliveries/replay": {"all": True}, "/webhooks/targets/app/pause": {}, "/webhooks/targets/app/resume": {}}
    for path in reads:
        assert ask(None, "GET", path) == 401 and ask("writer", "GET", path) == 403, path
        assert ask("reader", "GET", path) in (200, 404) and ask("bound", "GET", path) == 403, path
    for path, body in writes.items():
        assert ask(None, "POST", path, body) == 401 and ask("reader", "POST", path, body) == 403, path
        assert ask("writer", "POST", path, body) == 200 and ask("bound", "POST", path, body) == 403, path
    assert ask("bound", "GET", "/webhooks/deliveries?room_id=r1") == 200
    assert ask("bound", "POST", "/webhooks/deliveries/replay", {"room_id": "r1"}) == 200
    assert ask("bound", "POST", "/webhooks/deliveries/replay", {"room_id": "r2"}) == 403


def test_the_status_page_has_the_log_of_deliveries(start, target):
    target.on("POST", "/hook", lambda request: Reply(status=410 if delivered(request) == "a-1" else 200))
    secrets = {"secrets": [whsec(OLD)], "header": "X-Key", "header_value": "header-secret", "signature_secret": "other-secret"}
    gateway = start(forward_to=[to(target, **secrets)], attempts_max=1)
    for number in (1, 2):
        taken(gateway, in_room("a", number))

    def tables():
        answer = gateway.admin("/status.json")
        for secret in (whsec(OLD), "header-secret", "other-secret", SECRET):
            assert secret not in answer.body.decode()
        found = answer.json["tables"].get("webhooks", {})
        return found if len(found.get("Deliveries", [])) == 2 and found["Targets"] else None

    found = until(tables, "no log of deliveries", TIMEOUT * 3)
    last, first = found["Deliveries"]
    assert (first["event"], first["room"], first["status"], first["outcome"], first["attempt"]) == ("a-1", "a", 410, "given_up", 1)
    assert (last["event"], last["target"], last["status"], last["outcome"]) == ("a-2", "app", 200, "done")
    assert found["Targets"][0]["target"] == "app" and found["Targets"][0]["state"] == "delivers"
    for number in range(3, 50):
        taken(gateway, event(id="x" * 128, data={"room_id": "é" * 100}) if number == 3 else in_room("b", number))
    until(lambda: gateway.admin("/status.json").json["tables"]["webhooks"]["Deliveries"][0]["event"] == "b-49", "the last one")
    answer = gateway.admin("/status.json")
    assert len(answer.json["tables"]["webhooks"]["Deliveries"]) == 32 and len(answer.body) < 64 * 1024
