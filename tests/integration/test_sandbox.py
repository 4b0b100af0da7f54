"""The sandbox itself: who may call it, faults that tests ask for, web pages, its state."""

import json
import threading
import time

import pytest

from support.sandbox import LIMIT, Sandbox, claims, jwt
from support.sandbox_fixtures import box, receiver, running  # noqa: F401 (fixtures)
from support.until import until


# --- tokens ---


@pytest.mark.parametrize(
    "token, message",
    [
        ("", "Authentication error"),
        ("nonsense", "Token validation error"),
        (jwt(claims(), secret="another secret, which is long enough"), "Token validation error"),
        (jwt(claims(access_key="somebody else")), "Token validation error"),
        (jwt(claims(lifetime=-60)), "Token validation error"),
        (jwt(claims(kind="app", room_id="r", role="host")), "Token validation error"),
        (jwt(claims(version=1)), "Token validation error"),
        (jwt(claims(nbf=int(time.time()) + 3600)), "Token validation error"),
        (jwt({k: v for k, v in claims().items() if k != "exp"}), "Token validation error"),
        (jwt(claims(), header={"alg": "none", "typ": "JWT"}), "Token validation error"),
    ],
    ids=["none", "garbled", "key", "access_key", "expired", "app", "version", "nbf", "no exp", "alg none"],
)
def test_refuses_a_token_that_is_not_a_good_management_token(box, token, message):
    assert box.fails("GET", "/rooms", token=token) == (401, message)


def test_a_time_in_a_token_may_have_a_fraction(box):
    now = time.time()
    assert box.call("GET", "/rooms", token=jwt(claims(exp=now + 600.75, iat=now - 10.5))).status == 200
    assert box.fails("GET", "/rooms", token=jwt(claims(exp=now - 1.75))) == (401, "Token validation error")


# --- faults ---


def test_the_next_calls_can_be_told_to_fail(box):
    box.post("/sandbox/faults", {"count": 2, "method": "GET", "path": "/rooms*", "status": 503})
    assert box.call("POST", "/rooms", {}).status == 200
    assert box.fails("GET", "/rooms")[0] == 503
    assert box.fails("GET", "/rooms/x")[0] == 503
    assert box.call("GET", "/rooms").status == 200
    box.post("/sandbox/faults", {"skip": 1, "status": 429, "retry_after": 7})
    assert box.call("GET", "/rooms").status == 200
    answer = box.call("GET", "/rooms")
    assert answer.status == 429 and answer.headers["Retry-After"] == "7"
    box.post("/sandbox/faults", {"count": -1, "status": 500, "body": {"own": [1]}})
    for _ in range(3):
        assert box.call("GET", "/rooms").json == {"own": [1]}
    box.ok("DELETE", "/sandbox/faults", status=204)
    assert box.call("GET", "/rooms").status == 200
    assert box.fails("POST", "/sandbox/faults", {"stauts": 500})[0] == 400


def test_one_call_can_ask_for_its_own_fault(box):
    began = time.monotonic()
    answer = box.call("GET", "/rooms", headers={"X-Sandbox-Fault": "delay=300;status=502"})
    assert answer.status == 502 and time.monotonic() - began >= 0.3
    assert box.fails("GET", "/rooms", headers={"X-Sandbox-Fault": "nonsense=1"})[0] == 400
    raw = {"raw": "[[[[", "status": 200}
    box.post("/sandbox/faults", raw)
    with pytest.raises(json.JSONDecodeError):
        box.call("GET", "/rooms")


def test_answers_can_be_dropped_and_truncated_after_the_work(box):
    import http.client

    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        box.call("POST", "/rooms", {"name": "dropped"}, headers={"X-Sandbox-Fault": "drop"})
    assert len(box.get("/rooms?name=dropped")["data"]) == 1
    with pytest.raises((http.client.IncompleteRead, http.client.HTTPException, ConnectionError)):
        box.call("GET", "/rooms", headers={"X-Sandbox-Fault": "truncate=230"})
    assert box.call("GET", "/rooms").status == 200


def test_calls_above_the_rate_are_told_when_to_come_again(tmp_path):
    box = Sandbox(tmp_path, {"calls_per_second": 2})
    try:
        answers = [box.call("GET", "/rooms") for _ in range(8)]
        late = [answer for answer in answers if answer.status == 429]
        assert answers[0].status == answers[1].status == 200 and late
        assert late[0].headers["Retry-After"] == "1"
        assert late[0].json == {"code": 429, "message": "rate limit exceeded, retry after 1 seconds"}
        assert box.call("GET", "/sandbox/stats").status == 200, "the routes for tests are not counted"
        until(lambda: box.call("GET", "/rooms").status == 200, "the next second")
    finally:
        box.stop()


def test_a_rule_can_meet_one_call_of_several(box):
    box.post("/sandbox/faults", {"count": -1, "every": 3, "status": 429, "retry_after": 2})
    statuses = [box.call("GET", "/rooms").status for _ in range(7)]
    assert statuses == [200, 200, 429, 200, 200, 429, 200]


# --- web pages ---


def test_a_web_page_exchanges_codes_but_does_not_reach_the_routes_for_tests(box):
    room = box.room(name="page")
    code = box.post(f"/room-codes/room/{room['id']}/role/guest")["code"]
    page = {"Origin": "https://app.example.org"}
    ask = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    preflight = box.call("OPTIONS", "/token", token="", headers=ask)
    assert preflight.status == 200 and preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    answer = box.call("POST", "/token", {"code": code}, token="", headers=page)
    assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == "*"
    refused = box.call("POST", "/sandbox/reset", token="", headers=page)
    assert refused.status == 403 and box.get(f"/rooms/{room['id']}") == room


# --- state ---


def test_state_survives_a_restart_and_seeds_are_planted(tmp_path):
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({
        "templates": [{"id": "template-1", "name": "school", "roles": {"teacher": {}, "learner": {}}}],
        "polls": [{"id": "poll-1", "title": "p", "start": "auto"}],
        "rooms": [{"id": "room-1", "name": "algebra", "template": "school", "polls": ["poll-1"],
                   "codes": {"learner": "abc-defg-hij"}, "peers": [{"role": "teacher", "name": "T"}]}],
    }))
    box = Sandbox(tmp_path / "etc", {"state_file": str(tmp_path / "state.json"), "seed_file": str(seed)})
    room = box.get("/rooms/room-1")
    assert room["template_id"] == "template-1"
    assert len(box.get("/active-rooms/room-1/peers")["peers"]) == 1
    assert box.post("/token", {"code": "abc-defg-hij"}, token="")["token"]
    job = box.post("/recordings/room/room-1/start", {})
    box.room(name="later")
    before = box.get("/sandbox/state")
    box.stop()
    box.start()
    try:
        after = box.get("/sandbox/state")
        for part in ("rooms", "templates", "codes", "sessions", "polls", "poll_sessions"):
            assert after[part] == before[part]
        box.advance(3)
        assert box.get(f"/recordings/{job['id']}")["status"] == "running"
        box.ok("POST", "/sandbox/reset", status=204)
        assert box.get("/rooms")["data"] == []
        box.ok("POST", "/sandbox/seed", {"state": before}, status=204)
        assert box.get("/rooms/room-1") == room
        assert box.fails("POST", "/sandbox/seed", {"rooms": [{"codes": {"nobody": "a"}}]})[0] == 400
    finally:
        box.stop()


def test_calls_are_counted(box):
    box.get("/rooms")
    box.get("/rooms")
    assert box.get("/sandbox/stats")["calls"]["sandbox.rooms.list"] == 2


def test_many_clients_at_once_see_one_state(box):
    errors = []

    def work(number):
        try:
            for step in range(10):
                room = box.room(name=f"r{number}-{step}")
                box.join(room)
                box.post(f"/recordings/room/{room['id']}/start", {})
                box.get("/rooms?limit=100")
                box.post(f"/active-rooms/{room['id']}/end-room", {})
        except Exception as error:  # noqa: BLE001 - shown by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT * 3)
    assert not errors
    assert len(box.get("/rooms?limit=100")["data"]) == 80
