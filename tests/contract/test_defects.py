"""One test for each defect of the service that this gateway replaces.

The numbers G1 to G28 are those of the list of defects that plugins/hms was written from. The docstring of each test says
what the old service did.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import time

import pytest
from contract import cases, rig
from support.ports import hold_port

ROOM = "66f1c0a2b4d93e5a7c118e01"
POLL = "66f0aa93c1e4b82d7f5506b2"
TEMPLATE = "66f1bfe7b4d93e5a7c118d9a"
ALL = cases.groups()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with rig.Gateway(tmp_path_factory.mktemp("all"), ALL) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def fresh(request):
    if "gateway" in request.fixturenames:
        for recorder in request.getfixturevalue("gateway").recorders.values():
            recorder.reset()


def calls(gateway, at="api"):
    return gateway.recorders[at].received


def sent(gateway, method, target, body=None, raw=None):
    """Sends a request, and returns the JSON that the upstream received in its one call."""
    data = raw if raw is not None else cases.to_bytes(body)
    answer = gateway.send(method, target, data)
    assert answer.status == 200, answer
    [call] = calls(gateway)
    assert call.body == data, "byte for byte"
    return json.loads(call.body)


def refused(gateway, method, target, body=None, raw=None, status=400):
    data = raw if raw is not None else None if body is None else cases.to_bytes(body)
    answer = gateway.send(method, target, data)
    assert answer.status == status, answer
    assert calls(gateway) == [], "the upstream must see nothing of it"
    return answer.json()


def test_g01_an_error_ends_the_request(gateway):
    """The old service sent the error, then still called the upstream and appended the answer of it."""
    error = refused(gateway, "POST", "/rooms", {"size": "big"})
    assert error["code"] == 400


def test_g02_a_broken_body_does_nothing(gateway):
    """With a body that was no JSON it created a room without a name, ended a session or started streams."""
    for target in ("/rooms", f"/active-rooms/{ROOM}/end-room", f"/recordings/room/{ROOM}/start",
                   f"/live-streams/room/{ROOM}/start", f"/external-streams/room/{ROOM}/start"):
        refused(gateway, "POST", target, raw=b'{"name": ')


def test_g03_an_absent_body_is_an_empty_object(gateway):
    """It refused requests without a body, although every member of the body is optional."""
    for target in ("/rooms", f"/active-rooms/{ROOM}/end-room", f"/recordings/room/{ROOM}/start",
                   f"/live-streams/room/{ROOM}/start", "/templates"):
        assert gateway.send("POST", target).status == 200
        [call] = calls(gateway)
        assert call.body in (b"", b"{}")


def test_g04_polls_are_sent_as_they_came(gateway):
    """To create or change a poll it sent {} whatever the client had sent, which empties the poll."""
    poll = {"title": "Warm-up", "questions": [{"index": 1, "options": [{"index": 1, "text": "a"}]}]}
    assert sent(gateway, "POST", "/polls", poll) == poll
    assert sent(gateway, "POST", f"/polls/{POLL}", poll) == poll
    assert sent(gateway, "POST", f"/polls/{POLL}/questions/1", {"text": "?"}) == {"text": "?"}
    assert sent(gateway, "POST", f"/polls/{POLL}/questions/1/options/2", {"text": "b"})
    for target in (f"/polls/{POLL}", f"/polls/{POLL}/questions/1", f"/polls/{POLL}/questions/1/options/2"):
        refused(gateway, "POST", target, {})


def test_g05_an_answer_is_found_by_its_id(gateway):
    """To fetch one answer it read the wrong path parameter, and therefore always failed."""
    gateway.recorders["api"].says(200, b'{"id": "a1", "session_id": "s1"}')
    answer = gateway.send("GET", f"/polls/{POLL}/sessions/s1/responses/a1")
    assert answer.json()["id"] == "a1"
    assert calls(gateway)[0].target == f"/v2/polls/{POLL}/responses/a1"


def test_g06_polls_have_their_documented_types(gateway):
    """It expected booleans as lengths, a string as trim, objects as the right options, and strings as attachments."""
    question = {"type": "single-choice", "answer_min_len": 1, "answer_max_len": 1024,
                "answer": {"options": [2], "trim": False},
                "attachment": [{"type": "image/png", "url": "https://static.example.org/q.png"}]}
    assert sent(gateway, "POST", "/polls", {"questions": [question]})
    for wrong in ({"answer_min_len": True}, {"answer": {"trim": "no"}}, {"answer": {"options": [{}]}},
                  {"attachment": ["https://static.example.org/q.png"]}):
        refused(gateway, "POST", "/polls", {"questions": [wrong]})


def test_g07_a_duration_is_a_number(gateway):
    """It refused the documented integer of max_duration_seconds, and did not pass it on."""
    assert sent(gateway, "POST", "/rooms", {"max_duration_seconds": 5400})
    refused(gateway, "POST", "/rooms", {"max_duration_seconds": "5400"})


def test_g08_metadata_of_a_peer_is_text(gateway):
    """It refused the documented string and did not pass it on, but passed on an object."""
    target = f"/active-rooms/{ROOM}/peers/3b0c9a52-7d1e-4f68-9c2a-51e8d04b7f36"
    assert sent(gateway, "POST", target, {"metadata": '{"seat":4}'})
    refused(gateway, "POST", target, {"metadata": {"seat": 4}})


def test_g09_unknown_members_go_through(gateway):
    """It dropped the members that its structs lacked: webhook, plugins, translation, retry, role."""
    assert sent(gateway, "POST", f"/rooms/{ROOM}", {"enabled": False, "webhook": {"url": "u"}, "new": 1})
    template = {"roles": {"host": {"new": 1}}, "settings": {"retry": {"n": 1}},
                "destinations": {"hlsDestinations": {"d": {"name": "d", "role": "r"}}, "new": {}},
                "plugins": {"new": {}}}
    assert sent(gateway, "POST", f"/templates/{TEMPLATE}", template)


def test_g10_false_zero_and_empty_go_through(gateway):
    """It dropped false, 0, "" and [], so that nothing could be switched off."""
    assert sent(gateway, "POST", "/rooms", {"large_room": False, "size": 0, "description": "", "polls": []})
    assert sent(gateway, "POST", f"/templates/{TEMPLATE}/roles/host", {
        "maxPeerCount": 0, "permissions": {"hlsStreaming": False}, "publishParams": {"allowed": []}})
    assert sent(gateway, "POST", f"/live-streams/room/{ROOM}/start", {
        "recording": {"hls_vod": False}, "transcription": {"enabled": False}})
    assert sent(gateway, "POST", "/rooms", {"description": None})


def test_g11_a_code_is_not_disabled_by_leaving_something_out(gateway):
    """A change of a room code disabled the code when the body had no member "enabled"."""
    error = refused(gateway, "POST", "/room-codes/update", {"code": "qzt-mwvk-prd"})
    assert error["details"][0].startswith("enabled: ")


def test_g12_only_what_was_asked_is_asked(gateway):
    """Requests for lists sent every parameter, also those that were empty or 0, and polls spelled "question" with a capital."""
    for target in ("/rooms", "/sessions", "/templates", "/recordings", "/live-streams",
                   f"/active-rooms/{ROOM}/peers", f"/polls/{POLL}/results",
                   "/recording-assets/a1/url", f"/analytics?room_id={ROOM}"):
        assert gateway.send("GET", target).status == 200
        assert calls(gateway)[0].target.partition("?")[2] == target.partition("?")[2]
    gateway.send("GET", f"/polls/{POLL}/results?question=2")
    assert calls(gateway)[0].target == f"/v2/polls/{POLL}/results?question=2"


def test_g13_documented_filters_go_through(gateway):
    """Callers could not use most of the filters, nor get any page but the first."""
    for target in ("/rooms?limit=20&start=x&template_id=t", "/sessions?limit=20&start=x",
                   "/recordings?room_id=r&session_id=s&status=running&start=x&limit=20",
                   f"/analytics/events?room_id={ROOM}&type=client.disconnected&type=track.add.success"
                   "&beam_id=b&error=true"):
        assert gateway.send("GET", target).status == 200
        assert calls(gateway)[0].target == "/v2" + target
    assert gateway.send("GET", f"/room-codes/{ROOM}?role=host&enabled=false&limit=20").status == 200
    assert calls(gateway)[0].target == f"/v2/room-codes/room/{ROOM}?role=host&enabled=false&limit=20"


def test_g14_a_bad_query_value_asks_nothing(gateway):
    """For a bad value it answered 400, and then the whole unfiltered list as well."""
    for target in ("/rooms?enabled=maybe", "/rooms?limit=ten", "/templates?limit=256",
                   "/sessions?after=yesterday", f"/analytics?room_id={ROOM}&limit=0"):
        error = refused(gateway, "GET", target)
        assert set(error) == {"code", "message", "details"}


def test_g15_callers_must_say_who_they_are(tmp_path, gateway):
    """Whoever could reach the port had the rights of the management token, and so had every web page."""
    answer = gateway.send("GET", "/rooms", headers={"Origin": "https://elsewhere.example.org"})
    assert answer.headers["Access-Control-Allow-Origin"] is None
    broken = rig.Gateway(tmp_path, ["rooms"], {"server": {"listen": ["0.0.0.0:0"]}})
    done = subprocess.run([rig.BINARY, "-c", str(broken.directory)], capture_output=True, text=True,
                          timeout=rig.LIMIT)
    for recorder in broken.recorders.values():
        recorder.close()
    assert done.returncode != 0 and "auth" in done.stderr, done.stderr


def test_g16_a_path_parameter_stays_one_segment(gateway):
    """It put decoded parameters into the URL, where they could add a query, cut the path off or lead to another path."""
    for value in ("a%3Fenabled%3Dtrue", "a%23b", "%2e%2e", "a%2F..%2Fb", "a%"):
        answer = gateway.send("GET", f"/rooms/{value}")
        assert answer.status in (400, 404) and calls(gateway) == [], value
    gateway.send("GET", f"/templates/{TEMPLATE}/roles/a%3Fb%23c%2Fd")
    assert calls(gateway)[0].target == f"/v2/templates/{TEMPLATE}/roles/a%3Fb%23c%2Fd"


def test_g17_a_token_needs_a_room_a_role_and_a_lifetime(gateway):
    """It signed tokens without a room or a role, tokens with a negative lifetime, and tokens for bodies of HTML forms."""
    for wrong in ({}, {"roomId": "", "role": "guest"}, {"roomId": ROOM}, {"roomId": ROOM, "role": ""},
                  {"roomId": ROOM, "role": "guest", "expiresIn": -5},
                  {"roomId": ROOM, "role": "guest", "expiresIn": 0}):
        assert "token" not in refused(gateway, "POST", "/token", wrong)
    answer = gateway.send("POST", "/token", b"roomId=a&role=b",
                          {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 415
    answer = gateway.send("POST", "/token", cases.to_bytes({"roomId": ROOM, "role": "guest"}))
    claims = rig.claims_of(answer.json()["token"])
    assert answer.status == 201 and claims["exp"] - claims["nbf"] == 86400 and "user_id" not in claims


@pytest.mark.parametrize("member", ["access_key", "secret"])
def test_g18_without_a_secret_it_does_not_start(tmp_path, member):
    """Without APP_SECRET it signed with an empty key, and called 100ms with an empty token."""
    for value in ("", "${GREENROOM_TEST_UNSET}"):
        broken = rig.Gateway(tmp_path, ["token"], {"credentials": {"100ms": {member: value}}})
        done = subprocess.run([rig.BINARY, "-c", str(tmp_path)], capture_output=True, text=True,
                              timeout=rig.LIMIT)
        for recorder in broken.recorders.values():
            recorder.close()
        assert done.returncode != 0
        assert member in done.stderr or "GREENROOM_TEST_UNSET" in done.stderr, done.stderr


def test_g19_an_upstream_that_is_down_is_502(tmp_path):
    """It answered 500 with the internal URL in the text, and then used a nil pointer."""
    port, held = hold_port()
    settings = {"upstreams": {"api": {"url": f"http://127.0.0.1:{port}/v2", "credential": "100ms"}}}
    with held, rig.Gateway(tmp_path, ["rooms"], settings) as gateway:
        for method, body in (("GET", None), ("POST", b"{}")):
            answer = gateway.send(method, "/rooms", body)
            assert answer.status == 502, answer
            assert answer.json()["code"] == 502
            assert str(port) not in answer.body.decode() and "127.0.0.1" not in answer.body.decode()


def test_g20_nothing_waits_for_ever_or_grows_without_bound(tmp_path):
    """It had no time-outs and no limits of size, and did not end its work when a client left."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {"upstreams": {"api": {"url": f"http://127.0.0.1:{silent.getsockname()[1]}",
                                          "credential": "100ms", "timeout": "300ms", "retries": 0}}}
        with rig.Gateway(tmp_path, ["rooms"], settings) as gateway:
            begun = time.monotonic()
            assert gateway.send("GET", "/rooms").status == 504
            assert time.monotonic() - begun < rig.LIMIT / 2
            answer = gateway.send("POST", "/rooms", b'{"description": "' + b"x" * (1 << 20) + b'"}')
            assert answer.status == 413


def test_g21_errors_say_what_is_wrong(gateway):
    """The body of its errors was {"error": {}}."""
    error = refused(gateway, "POST", "/polls", {"questions": [{}, {"options": [{"weight": "x"}]}]})
    assert error["code"] == 400 and "questions[1].options[0].weight" in error["message"]
    assert error["details"] == ["questions[1].options[0].weight: expected an integer"]


def test_g22_one_management_token_is_kept_and_stays_at_home(gateway):
    """It signed another token for every request, and sent it to the auth host as well."""
    tokens = set()
    for _ in range(20):
        gateway.send("GET", "/rooms")
        tokens.add(calls(gateway)[0].headers["Authorization"])
    assert len(tokens) == 1
    assert gateway.send("POST", "/room-codes/code/qzt-mwvk-prd").status == 200
    [call] = calls(gateway, "auth")
    assert call.headers["Authorization"] is None


@pytest.mark.parametrize("slash", ["", "/"])
def test_g23_base_urls_have_defaults_and_need_no_slash(tmp_path, slash):
    """It crashed when BASE_URL was missing. When AUTH_BASE_URL was missing, every use of it failed."""
    source = pathlib.Path(os.environ["GR_SOURCE_DIR"]) / "etc" / "greenroom.json"
    text = json.loads(source.read_text())
    recorder = rig.Recorder()
    env = {name: value for name, value in os.environ.items()
           if name not in ("BASE_URL", "AUTH_BASE_URL", "PORT")}
    env.update(APP_ACCESS_KEY="k", APP_SECRET=rig.SECRET)
    text["plugins"] = {"directory": rig.PLUGINS}
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d" / "rooms.json").write_text('{"library": "rooms.so", "enabled": true}')
    (tmp_path / "greenroom.json").write_text(json.dumps(text))
    done = subprocess.run([rig.BINARY, "-c", str(tmp_path), "check"], env=env, capture_output=True, text=True,
                          timeout=rig.LIMIT)
    assert done.returncode == 0, done.stderr
    recorder.close()
    (tmp_path / "two").mkdir()
    with rig.Gateway(tmp_path / "two", ["rooms"]) as gateway:
        url = f"http://127.0.0.1:{gateway.recorders['api'].port}/v2{slash}"
        (tmp_path / "three").mkdir()
        settings = {"upstreams": {"api": {"url": url, "credential": "100ms"}}}
        with rig.Gateway(tmp_path / "three", ["rooms"], settings) as other:
            assert other.send("GET", "/rooms").status == 200
            assert gateway.recorders["api"].received[-1].target == "/v2/rooms"


def test_g24_headers_that_matter_come_back(gateway):
    """It dropped the headers of the upstream's answer."""
    gateway.recorders["api"].says(429, b'{"code": 429, "message": "slow down"}', {
        "Retry-After": "45", "X-RateLimit-Remaining": "0", "Set-Cookie": "a=b", "Server": "x"})
    answer = gateway.send("GET", "/rooms")
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "45"
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert answer.headers["Set-Cookie"] is None


def test_g25_wrong_paths_and_methods_are_json(gateway):
    """It answered 404 to a wrong method and 301 to a slash at the end of a path, both as text or HTML."""
    error = refused(gateway, "PUT", f"/rooms/{ROOM}", {}, status=405)
    assert error["code"] == 405
    error = refused(gateway, "GET", "/no/such/path", status=404)
    assert error["code"] == 404
    assert gateway.send("GET", f"/rooms/{ROOM}/").status == 200
    assert calls(gateway)[0].target == f"/v2/rooms/{ROOM}"


@pytest.mark.parametrize("limit", [0, 9, 101, 256, -1])
def test_g26_a_limit_out_of_bounds_is_refused(gateway, limit):
    """It ignored a limit below 10, and answered 400 together with a list when the limit was above 255."""
    error = refused(gateway, "GET", f"/templates?limit={limit}")
    assert error["details"] == ["limit: expected an integer from 10 to 100"]


def test_g27_stream_keys_have_their_documented_path(gateway):
    """It requested stream keys on a path that 100ms does not document."""
    for method, target, received in (
        ("GET", f"/stream-keys/{ROOM}", f"/v2/stream-keys/room/{ROOM}"),
        ("POST", f"/stream-keys/{ROOM}", f"/v2/stream-keys/room/{ROOM}"),
        ("POST", f"/stream-keys/{ROOM}/disable", f"/v2/stream-keys/room/{ROOM}/disable"),
    ):
        assert gateway.send(method, target).status == 200
        assert calls(gateway)[0].target == received


def test_g28_the_tests_run():
    """The name of its only test file was one that no test runner looks for."""
    text = (pathlib.Path(os.environ["GR_SOURCE_DIR"]) / "tests" / "CMakeLists.txt").read_text()
    for path in sorted(pathlib.Path(__file__).parent.glob("test_*.py")):
        assert f"contract/{path.name}" in text, f"{path.name} is registered nowhere"
    for group in cases.groups():
        assert re.search(rf"\b{group}\b", text), f"the cases of {group} are registered nowhere"
    assert len([name for name in globals() if re.match(r"test_g\d\d_", name)]) == 28


