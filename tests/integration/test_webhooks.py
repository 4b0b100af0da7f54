"""Events from 100ms: authentication, storage, listing."""

import hashlib
import hmac
import json
import re
import threading
import time

import pytest

from support.gateway import Gateway
from support.until import until
from support.upstream import TIMEOUT, Reply
from support.webhooks import (  # noqa: F401 (fixtures)
    KEY, SECRET, event, events, give, ids, start, store, taken, target, to)


# --- authentication ---


def test_the_secret_is_wanted_whole(start):
    gateway = start()
    for headers in ({"X-Other": "1"}, {"X-Webhook-Secret": ""}, {"X-Webhook-Secret": SECRET[:-1]},
                    {"X-Webhook-Secret": SECRET + "x"}, {"X-Webhook-Secret": SECRET.upper()}):
        answer = gateway.post("/webhooks", event(), headers=headers)
        assert answer.status == 401 and answer.json["code"] == 401, headers
        assert SECRET not in answer.body.decode()
    assert events(gateway)["data"] == []
    taken(gateway, event())
    assert SECRET not in gateway.log


def test_the_header_can_have_another_name(start):
    gateway = start(secret_header="X-Hook-Key")
    assert give(gateway, event(), X_Webhook_Secret=SECRET).status == 401
    taken(gateway, event(), X_Hook_Key=SECRET)


def test_without_a_secret_nobody_is_believed(start):
    gateway = start(secret=None)
    assert "no webhook secret is configured" in gateway.log
    answer = give(gateway, event())
    assert answer.status == 401 and "no webhook secret" in answer.json["message"]
    assert gateway.post("/webhooks", event()).status == 401


def test_an_empty_secret_is_no_secret(tmp_path, store):
    for name in ("secret", "signature_secret"):
        gateway = Gateway(tmp_path, {"store": store.url, "state_directory": str(tmp_path)},
                          {"webhooks": {"config": {name: ""}}})
        with pytest.raises(AssertionError):
            gateway.start()
        gateway.process.wait(TIMEOUT)
        assert gateway.process.returncode != 0 and "empty" in gateway.log


def sign(raw, key=KEY):
    return hmac.new(key.encode(), raw, hashlib.sha256).hexdigest()


def test_the_signature_is_over_the_bytes_as_they_came(start):
    gateway = start(secret=None, signature_secret=KEY)
    raw = b'{ "version":"2.0","id":"e-1", "account_id":"a","timestamp":"2025-03-04T17:10:11Z",\n' \
          b'"type":"room.end.success", "data":{"price": 1.50, "t": "\\u00e9"}}'
    again = json.dumps(json.loads(raw)).encode()
    for signature in (None, "", "00" * 32, sign(again), sign(raw, "other key"), sign(raw)[:-1], sign(raw) + "0",
                      sign(raw)[:-1] + "g"):
        headers = {} if signature is None else {"x-100ms-signature": signature}
        assert gateway.post("/webhooks", raw, headers=headers).status == 401, signature
    assert gateway.post("/webhooks", raw + b" ", headers={"x-100ms-signature": sign(raw)}).status == 401
    taken(gateway, raw, x_100ms_signature=sign(raw))
    taken(gateway, raw, X_100MS_Signature=sign(raw).upper())
    listed = gateway.get("/webhooks/events").body
    assert raw in listed and len(json.loads(listed)["data"]) == 1


def test_secret_and_signature_are_both_wanted(start):
    gateway = start(signature_secret=KEY)
    raw = json.dumps(event()).encode()
    assert give(gateway, raw, X_Webhook_Secret=SECRET).status == 401
    assert give(gateway, raw, X_100MS_Signature=sign(raw)).status == 401
    taken(gateway, raw, X_Webhook_Secret=SECRET, X_100MS_Signature=sign(raw))


def test_guesses_are_throttled(start):
    gateway = start(signature_secret=KEY, auth={"throttle": {"failures": 3, "window": "1h"}})
    raw = json.dumps(event()).encode()
    for headers in ({"X-Webhook-Secret": "guess"}, {}, {"X-Webhook-Secret": SECRET, "X-100MS-Signature": "00" * 32}):
        assert gateway.post("/webhooks", raw, headers=headers).status == 401
    for headers in ({"X-Webhook-Secret": "guess"}, {"X-Webhook-Secret": SECRET, "X-100MS-Signature": "00" * 32}):
        answer = gateway.post("/webhooks", raw, headers=headers)
        assert answer.status == 429 and int(answer.header("Retry-After")) > 1000, answer
    taken(gateway, raw, X_Webhook_Secret=SECRET, X_100MS_Signature=sign(raw))


# --- storage ---


def test_the_envelope_is_checked(start):
    gateway = start()
    for name in ("version", "id", "account_id", "timestamp", "type", "data"):
        whole = event()
        del whole[name]
        answer = give(gateway, whole)
        assert answer.status == 400 and name in json.dumps(answer.json), answer
    for name, value in (("id", 7), ("id", ""), ("id", "x" * 129), ("timestamp", 7), ("type", ""),
                        ("data", []), ("data", None), ("is_replay", "yes"), ("app_id", 1)):
        answer = give(gateway, event(**{name: value}))
        assert answer.status == 400 and name in json.dumps(answer.json), answer
    for raw in (b"", b"{", b"[]", b"null", b'"text"', b"{}{}", b'{"id":"a","id":"b"}', b"\xff", b"[" * 5000,
                b'{"id":"a\\u0000b"}'):
        assert give(gateway, raw).status == 400, raw
    assert events(gateway)["data"] == []


def test_the_dashboards_test_event_is_kept(start):
    gateway = start()
    for number, moment in enumerate(("20XX-XX-XXTXX:XX:XX.XXXZ", "yesterday", "", "2025-03-04")):
        taken(gateway, event(id=f"e{number}", timestamp=moment))
    assert len(ids(gateway)) == 4


ODD_VALUES = [
    rb'"a\u0000b"', rb'"\ud800"', rb'"\udc00\ud800x"', rb'"\uD83D\uDE00 \ud83d"', b"1e999", b"-1E+400", b"1" * 400,
    rb'["\\", "\"1e9", "\u0041\u0000", 0.5e-999, -0, "12e"]',
]


@pytest.mark.parametrize("value", ODD_VALUES)
def test_every_json_is_kept_as_it_came(start, value):
    gateway = start(secret=None, signature_secret=KEY)
    raw = json.dumps(event(data={"room_id": "r1"})).encode()[:-2] + b', "odd": ' + value + b"}}"
    taken(gateway, raw, x_100ms_signature=sign(raw))
    taken(gateway, raw, x_100ms_signature=sign(raw))  # repeated: the id is known
    assert gateway.get("/webhooks/events?room_id=r1").body == b'{"limit":50,"last":"","data":[' + raw + b"]}"


def test_what_is_not_json_is_still_refused(start):
    gateway = start()
    whole = json.dumps(event()).encode()
    for odd in (b"1e", b"01", b"-", b"1.", b"+1", rb'"\u00"', rb'"\x"', b'"\x00"', b"1e999 1", b"nul", b"1e9.9", b"'a'"):
        assert give(gateway, whole[:-2] + b', "odd": ' + odd + b"}}").status == 400, odd
    assert events(gateway)["data"] == []


def test_an_old_event_is_refused_where_that_is_wanted(start):
    def moment(seconds, zone="Z"):
        hours = {"Z": 0, "+02:00": 2, "-03:30": -3.5}[zone]
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + seconds + hours * 3600))
        return stamp + ".25" + zone

    gateway = start(max_age="10m")
    for shift, zone in ((0, "Z"), (-500, "Z"), (500, "Z"), (0, "+02:00"), (-500, "-03:30")):
        taken(gateway, event(timestamp=moment(shift, zone)))
    for text in (moment(-700), moment(700), moment(-700, "+02:00"), "20XX-XX-XXTXX:XX:XX.XXXZ", "yesterday",
                 moment(0)[:-1], moment(0) + "x"):
        answer = give(gateway, event(timestamp=text))
        assert answer.status == 400 and "timestamp: expected a time within 600 s" in json.dumps(answer.json), text
    assert len(ids(gateway)) == 5


def test_unknown_types_and_members_are_kept_as_they_came(start):
    gateway = start()
    raw = b'{"version":"9.9", "id":"x-1","account_id":"","timestamp":"2025-03-04T19:10:11+02:00",' \
          b'"type":"moon.rise.maybe",  "data":{"room_id":7,"n":1.50,"deep":[[[null]]]},"new":"\xc3\xa9"}'
    taken(gateway, raw)
    listed = gateway.get("/webhooks/events")
    assert listed.body == b'{"limit":50,"last":"","data":[' + raw + b"]}"
    assert listed.header("Content-Type").startswith("application/json")
    assert ids(gateway, "?room_id=7") == []


def test_what_is_too_long_for_an_id_is_kept_without_one(start):
    gateway = start()
    long = taken(gateway, event(data={"room_id": "r" * 100000, "session_id": "s" * 256}))
    assert ids(gateway) == [long["id"]]
    assert ids(gateway, "?session_id=" + "s" * 256) == [long["id"]]


def test_a_repeated_id_is_dropped_and_acknowledged(start):
    gateway = start()
    first = taken(gateway, event(type="peer.join.success"))
    taken(gateway, {**first, "is_replay": True})
    taken(gateway, {**first, "type": "other"})
    [kept] = events(gateway)["data"]
    assert kept == first


def test_one_of_many_at_once_is_kept(start):
    gateway = start()
    same = event()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(give(gateway, same).status)) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 24
    assert ids(gateway) == [same["id"]]


def test_the_answer_does_not_wait_for_the_targets(start, target):
    target.default = Reply.hang()
    gateway = start(forward_to=[to(target)], forward_timeout="2s")
    began = time.monotonic()
    for _ in range(20):
        taken(gateway, event())
    assert time.monotonic() - began < 20, "with the targets it would be 40 s"
    target.wait_requests(1)


def test_events_survive_a_restart(start):
    gateway = start()
    first = taken(gateway, event())
    gateway.stop()
    gateway.start()
    taken(gateway, first)
    assert ids(gateway) == [first["id"]]


# --- listing ---


def test_events_are_filtered_and_paged(start):
    gateway = start()
    sent = [taken(gateway, event(id=f"e{n}", type="a.b" if n % 2 else "c.d",
                                 data={"room_id": f"r{n % 3}", "session_id": f"s{n % 4}"}))
            for n in range(12)]
    newest = [one["id"] for one in reversed(sent)]
    assert ids(gateway) == newest
    assert events(gateway, "?limit=12")["last"] == "", "a full last page is the last page"
    assert ids(gateway, "?type=a.b") == [f"e{n}" for n in range(11, 0, -2)]
    assert ids(gateway, "?room_id=r1") == ["e10", "e7", "e4", "e1"]
    assert ids(gateway, "?session_id=s2&room_id=r1&type=c.d") == ["e10"]
    assert ids(gateway, "?type=%27%20OR%201=1--") == []
    for query in ("?limit=5", "?limit=1", "?limit=4", "?limit=3&type=c.d"):
        seen, last = [], None
        while last != "":
            page = events(gateway, query + (f"&start={last}" if last else ""))
            assert page["limit"] == int(re.search(r"\d+", query)[0]) >= len(page["data"]) > 0
            seen += [one["id"] for one in page["data"]]
            last = page["last"]
        assert seen == [one for one in newest if "type" not in query or int(one[1:]) % 2 == 0]
    for query in ("limit=0", "limit=101", "limit=x", "start=0", "start=-1", "start=x", "start=99999999999999999999"):
        answer = gateway.get("/webhooks/events?" + query)
        assert answer.status in (200, 400) if "999" in query else answer.status == 400, query


def test_a_page_ends_early_when_its_events_are_large(start):
    gateway = start()
    for n in range(8):
        taken(gateway, event(id=f"big{n}", data={"text": "x" * 900_000}))
    seen, last, pages = [], None, 0
    while last != "":
        answer = gateway.get("/webhooks/events" + (f"?start={last}" if last else ""))
        assert answer.status == 200 and len(answer.body) < 6_000_000
        seen += [one["id"] for one in answer.json["data"]]
        last = answer.json["last"]
        pages += 1
    assert seen == [f"big{n}" for n in range(7, -1, -1)] and pages > 1


def test_events_go_after_their_time(start, store, target):
    target.default = Reply(status=500)
    gateway = start(keep="1h", forward_to=[to(target)])
    taken(gateway, event(id="old"))
    young = taken(gateway, event(id="young"))
    store.sql("UPDATE webhook_event SET received_ms = received_ms - 3240000 WHERE id = 'young'")  # 0.9 of the time that events are kept
    store.sql("UPDATE webhook_event SET received_ms = received_ms - 3601000 WHERE id = 'old'")
    store.sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
              " INSERT INTO webhook_event (id, type, received_ms, body) SELECT 'old' || i, 't', i,"
              " '{\"id\": \"old\"}' FROM n")
    until(lambda: ids(gateway, "?limit=100") == [young["id"]], "purge")
    until(lambda: store.sql("SELECT COUNT(*) FROM webhook_delivery") == [("1",)], "deliveries are deleted with their event")


def test_a_caller_reads_what_it_may_and_100ms_needs_no_key(start):
    gateway = start(auth={"keys": {}})
    mine = taken(gateway, event())
    taken(gateway, event(data={"room_id": "r2"}))
    taken(gateway, event(data={}))
    gateway.stop()
    keys = {name: gateway.run("keys", "add", name, *words.split()).stdout.strip() for name, words in {
        "writer": "--scope webhooks:write", "reader": "--scope webhooks:read",
        "bound": "--scope webhooks:read --room r1"}.items()}
    gateway.start()

    def ask(name, query=""):
        return gateway.get("/webhooks/events" + query, headers={"Authorization": f"Bearer {keys[name]}"})

    assert gateway.get("/webhooks/events").status == 401
    assert ask("writer").status == 403
    assert len(ask("reader").json["data"]) == 3
    assert ask("bound").status == 403 and ask("bound", "?room_id=r2").status == 403
    assert ask("bound", "?room_id=r1").json["data"] == [mine]
