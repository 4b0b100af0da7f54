"""rig: agents report streams that begin and end, on both stores."""

import json
import re
import signal
import time

from support.rig import (AGENTS_KEY, CREDENTIALS, FORM, IN_USE, METHOD, NO_TOKEN, NOT_FOUND, agent_token,
                         bearer, error, jwt, claims_of, missing, payload)
from support.rig import database, postgres, rig, start_rig  # noqa: F401 (fixtures)
from support.until import until


# --- config ---


def test_config_of_a_stream(rig):
    user = rig.user()
    stream = user.stream()
    path = f"/agents/config/{stream['streamKey']}"
    agent = bearer(rig.agent())
    assert payload(rig.get(path, headers=agent), "Stream Config") == []
    made = [user.destination(stream), user.destination(stream, "YouTube", "abcd")]
    user.request("PATCH", f"/streams/{stream['id']}/destination/{made[0]['id']}", {"isActive": False})
    wanted = [{**made[0], "isActive": False}, made[1]]
    for spelling in (path, path + "/"):
        assert payload(rig.get(spelling, headers=agent), "Stream Config") == wanted
    assert not user.is_live(stream)
    assert error(rig.get("/agents/config/nothing", headers=agent)) == NOT_FOUND
    assert error(rig.get("/agents/config", headers=agent)) == NOT_FOUND
    assert error(rig.post(path, {}, headers=agent)) == METHOD


def test_a_key_is_not_logged_when_the_path_fits_no_route(rig):
    key = rig.user().stream()["streamKey"]
    paths = [f"/agents/config/{key}/x", f"/agents/config//{key}", f"/agents//config/{key}/", f"//agents/config/{key}",
             f"/agents/con%66ig/{key}/x", f"/agents/%63onfig/{key}//", f"/agents/config/{key}/..", f"/agents/config/{key}%"]
    for path in paths:
        for method in ("GET", "POST", "DELETE"):
            assert rig.request(method, path).status >= 400
    rig.wait_log(r"/agents/config/\{")
    assert key not in rig.log


def test_agents_need_a_token_of_their_own(rig):
    user = rig.user()
    path = f"/agents/config/{user.stream()['streamKey']}"
    assert error(rig.get(path)) == NO_TOKEN
    now = int(time.time())
    for token in (user.token, "abc", agent_token(exp=1), agent_token(aud="other"), agent_token(ist="user"),
                  jwt({"ist": "agent", "sub": "x", "aud": "rig.xplex.me", "exp": now + 60}, "another key"),
                  jwt({"ist": "agent", "aud": "rig.xplex.me", "exp": now + 60}, AGENTS_KEY)):
        assert error(rig.get(path, headers=bearer(token))) == CREDENTIALS, token
    assert rig.get(path, headers=bearer(rig.agent())).status == 200
    assert error(rig.get("/streams", headers=bearer(rig.agent()))) == CREDENTIALS


def test_guesses_of_tokens_are_throttled(rig):
    """As for every credential, auth.throttle allows 30 failures a minute."""
    user = rig.user()
    path = f"/agents/config/{user.stream()['streamKey']}"
    answers = [rig.get(path, headers=bearer("guess")) for _ in range(25)]
    answers += [rig.get("/streams", headers=bearer("guess")) for _ in range(25)]
    assert [answer.status for answer in answers[:25]] == [401] * 25
    refused = answers[-1]
    assert error(refused)[:3] == (429, 1010, "Too many requests") and int(refused.header("Retry-After")) >= 1
    # A valid token is still accepted, and another address is not affected.
    assert rig.get(path, headers=bearer(rig.agent())).status == 200
    assert error(rig.get(path, headers=bearer("guess"), source="127.0.0.2")) == CREDENTIALS


def test_minted_tokens(rig):
    user = rig.user()
    path = f"/agents/config/{user.stream()['streamKey']}"
    token = rig.command("token", "agent", "--name", "edge7.example", "--days", "2")
    claims = claims_of(token)
    assert claims["sub"] == "edge7.example" and claims["exp"] - claims["iat"] == 2 * 24 * 3600
    assert rig.get(path, headers=bearer(token)).status == 200
    listed = rig.command("rig", "tokens", "list")
    assert re.fullmatch(rf"{claims['jti']}  \S+  \S+  valid    edge7\.example", listed)
    rig.command("rig", "tokens", "revoke", claims["jti"])
    assert error(rig.get(path, headers=bearer(token))) == CREDENTIALS
    assert "revoked" in rig.command("rig", "tokens", "list")
    rig.command("rig", "tokens", "revoke", claims["jti"], status=1)
    rig.command("token", "agent", "--days", "2", status=2)
    long = claims_of(rig.command("token", "agent", "--name", "x"))
    assert long["exp"] - long["iat"] == 365 * 24 * 3600


def test_trusted_addresses(database, start_rig):
    rig = start_rig(database, {"agents": {"allow_unauthenticated_from": ["10.0.0.0/8", "127.0.0.0/8"]}})
    user = rig.user()
    path = f"/agents/config/{user.stream()['streamKey']}"
    assert rig.get(path).status == 200
    assert error(rig.get(path, headers=bearer("abc"))) == CREDENTIALS
    assert "allow_unauthenticated_from" in rig.log
    assert re.search(r"greenroom_agents_unauthenticated_total 1\b", rig.admin("/metrics").body.decode())


def test_agents_may_not_share_the_users_key(database, start_rig, tmp_path):
    try:
        start_rig(database, env={"RIG_AGENTS_KEY": "users-key-of-the-tests-0123456789abcdef"})
    except AssertionError as refused:
        assert "agents_key equals users_key" in str(refused)
    else:
        raise AssertionError("it started")


# --- live ---


def test_a_broadcast(rig, database):
    user = rig.user()
    stream = user.stream()
    destination = user.destination(stream)
    key = stream["streamKey"]
    assert payload(rig.notify("on_connect", ""), "Connect accepted") is None
    assert payload(rig.notify("on_publish", key), "Publish accepted") == [destination]
    assert user.is_live(stream)
    assert user.get("/streams").json["payload"][0]["isStreaming"] is True
    # The publisher repeats it, and then others try.
    assert payload(rig.notify("on_publish", key), "Publish accepted") == [destination]
    assert error(rig.notify("on_publish", key, client="8")) == IN_USE
    assert error(rig.notify("on_publish", key, token=agent_token("edge2"))) == IN_USE
    path = f"/agents/config/{key}"
    assert rig.get(path, headers=bearer(agent_token("edge1"))).status == 200
    assert error(rig.get(path, headers=bearer(agent_token("edge2")))) == IN_USE
    assert payload(rig.notify("on_update", key), "Publish renewed") is None
    assert error(rig.notify("on_update", key, client="8")) == NOT_FOUND
    # Late notices and notices of others end nothing.
    for more in ({"client": "8"}, {"token": agent_token("edge2")}):
        assert payload(rig.notify("on_publish_done", key, **more), "Publish ended") is None
        assert user.is_live(stream)
    assert payload(rig.notify("on_publish_done", key), "Publish ended") is None
    assert not user.is_live(stream)
    assert payload(rig.notify("on_publish_done", key), "Publish ended") is None
    assert payload(rig.notify("on_publish_done", "nothing"), "Publish ended") is None
    assert error(rig.notify("on_update", key)) == NOT_FOUND
    rows = database.query("SELECT agent, client, reason, ended_at_ms >= started_at_ms FROM rig_broadcasts")
    assert rows.replace("|t", "|1") == "edge1|7|done|1"
    audit = database.query("SELECT outcome FROM rig_audit WHERE what = 'publish' ORDER BY at_ms").splitlines()
    assert audit == ["accepted", "in use", "in use", "ended"]


def test_a_renewal_after_the_end_is_refused(rig):
    user = rig.user()
    stream = user.stream()
    rig.notify("on_publish", stream["streamKey"])
    rig.notify("on_publish_done", stream["streamKey"])
    assert error(rig.notify("on_update", stream["streamKey"])) == NOT_FOUND
    assert not user.is_live(stream)


def test_refused_publishes(rig):
    user = rig.user()
    stream = user.stream()
    assert error(rig.notify("on_publish", "nothing")) == NOT_FOUND
    assert error(rig.notify("on_publish", "")) == missing("Name")
    assert error(rig.notify("on_publish", stream["streamKey"], token="abc")) == CREDENTIALS
    answer = rig.post("/agents/rtmp/on_publish", b"name=x", headers=FORM)
    assert error(answer) == NO_TOKEN
    user.request("PATCH", f"/streams/{stream['id']}", {"isActive": False})
    assert error(rig.notify("on_publish", stream["streamKey"])) == NOT_FOUND
    assert not user.is_live(stream)


def test_the_publishers_own_query_counts_for_nothing(rig):
    user = rig.user()
    mine, other = user.stream(), user.stream()
    body = f"app=live&clientid=7&call=publish&name={mine['streamKey']}&type=live&name={other['streamKey']}&clientid=9"
    answer = rig.post(f"/agents/rtmp/on_publish?token={rig.agent()}", body.encode(), headers=FORM)
    assert answer.status == 200
    assert user.is_live(mine) and not user.is_live(other)
    assert rig.notify("on_publish_done", mine["streamKey"]).status == 200
    assert not user.is_live(mine)


def test_notices_by_get(rig, database):
    user = rig.user()
    mine, other = user.stream(), user.stream()
    key = mine["streamKey"]

    def notify(what, key=key, **more):
        return rig.notify(what, key, method="GET", **more)

    assert payload(notify("on_connect", ""), "Connect accepted") is None
    assert payload(notify("on_publish", type=f"live&name={other['streamKey']}"), "Publish accepted") == []
    assert user.is_live(mine) and not user.is_live(other)
    # Both methods are about the same broadcast, since it is the same connection.
    assert payload(rig.notify("on_update", key), "Publish renewed") is None
    assert payload(notify("on_update"), "Publish renewed") is None
    assert error(notify("on_publish", client="8")) == IN_USE
    assert payload(notify("on_publish_done"), "Publish ended") is None
    assert not user.is_live(mine)
    assert error(notify("on_publish", "nothing")) == NOT_FOUND
    assert error(notify("on_publish", "")) == missing("Name")
    assert error(notify("on_publish", token="abc")) == CREDENTIALS
    assert database.query("SELECT client, reason FROM rig_broadcasts") == "7|done"


def test_an_empty_name_ends_the_broadcast_of_its_connection(rig, database):
    user = rig.user()
    stream, foreign = user.stream(), user.stream()
    key = stream["streamKey"]
    for method in ("POST", "GET"):
        rig.notify("on_publish", key)
        rig.notify("on_publish", foreign["streamKey"], client="8")
        # Other connections have no broadcast to end, so the empty name is an error.
        for more in ({"client": "9"}, {"token": agent_token("edge2")}, {"client": ""}):
            assert error(rig.notify("on_publish", "", method=method, **more)) == missing("Name")
        assert error(rig.notify("on_publish", "%00"))[:2] == (400, 1004)
        assert user.is_live(stream)
        assert payload(rig.notify("on_publish", "", method=method), "Publish ended") is None
        assert not user.is_live(stream) and user.is_live(foreign)
        # The connection stays open, and may publish again.
        assert payload(rig.notify("on_update", "", method=method), "Nothing to renew") is None
        assert payload(rig.notify("on_publish", key), "Publish accepted") == []
        assert user.is_live(stream)
        assert payload(rig.notify("on_publish_done", "", method=method), "Publish ended") is None
        assert not user.is_live(stream) and user.is_live(foreign)
    reasons = "SELECT client, reason FROM rig_broadcasts WHERE ended_at_ms IS NOT NULL"
    assert database.query(reasons).splitlines() == ["7|done"] * 4


def test_a_publisher_that_starts_again_elsewhere_is_let_in(rig):
    user = rig.user()
    stream = user.stream()
    rig.notify("on_publish", stream["streamKey"])
    rig.notify("on_publish", "")
    assert rig.notify("on_publish", stream["streamKey"], client="8", token=agent_token("edge2")).status == 200


def test_encoded_forms_and_json(rig):
    user = rig.user()
    stream = user.stream()
    encoded = "".join(f"%{ord(c):02x}" for c in stream["streamKey"])
    assert rig.notify("on_publish", encoded, client="a%20b").status == 200
    assert user.is_live(stream)
    assert rig.notify("on_publish_done", encoded, client="a+b").status == 200
    assert not user.is_live(stream)
    agent = bearer(rig.agent())
    body = {"name": stream["streamKey"], "call": "publish", "clientid": 7, "addr": "10.0.0.1"}
    assert rig.post("/agents/rtmp/on_publish", body, headers=agent).status == 200
    assert user.is_live(stream)
    assert rig.post("/agents/rtmp/on_publish_done", {**body, "clientid": "7"}, headers=agent).status == 200
    assert not user.is_live(stream)
    for text in (b"[]", b"x", b""):
        assert error(rig.post("/agents/rtmp/on_publish", text, headers=agent))[:2] == (400, 1005), text
    for name in ("%00", "%zz", "%", "a%0ab", "%ff"):
        assert error(rig.notify("on_publish", name))[0] in (400, 404), name


def test_a_key_change_ends_the_right_to_go_on(rig):
    user = rig.user()
    stream = user.stream()
    old = stream["streamKey"]
    rig.notify("on_publish", old)
    new = user.post(f"/streams/{stream['id']}/changeKey").json["payload"]["key"]
    assert user.is_live(stream)
    assert error(rig.notify("on_update", old)) == NOT_FOUND
    assert error(rig.notify("on_publish", new, client="8")) == IN_USE
    assert rig.notify("on_publish_done", old).status == 200
    assert rig.notify("on_publish", new, client="8").status == 200


def test_a_switched_off_stream_ends(rig):
    user = rig.user()
    stream = user.stream()
    rig.notify("on_publish", stream["streamKey"])
    user.request("PATCH", f"/streams/{stream['id']}", {"isActive": False})
    assert error(rig.notify("on_update", stream["streamKey"])) == NOT_FOUND


def test_a_lease_that_runs_out(database, start_rig):
    rig = start_rig(database, {"agents": {"lease": "2s"}})
    user = rig.user()
    stream = user.stream()
    key = stream["streamKey"]
    rig.notify("on_publish", key)
    assert user.is_live(stream)
    until(lambda: not user.is_live(stream))
    assert rig.get(f"/agents/config/{key}", headers=bearer(agent_token("edge2"))).status == 200
    assert rig.notify("on_publish", key, token=agent_token("edge2")).status == 200
    # The notices of the previous agent come late.
    assert error(rig.notify("on_update", key)) == NOT_FOUND
    assert rig.notify("on_publish_done", key).status == 200
    assert database.query("SELECT count(*) FROM rig_broadcasts WHERE reason = 'done'") == "0"
    assert database.query("SELECT count(*) FROM rig_broadcasts WHERE reason = 'lease'") >= "1"


def test_a_late_renewal_takes_the_lease_up_again(database, start_rig):
    rig = start_rig(database, {"agents": {"lease": "2s"}})
    user = rig.user()
    stream = user.stream()
    rig.notify("on_publish", stream["streamKey"])
    until(lambda: database.query("SELECT reason FROM rig_broadcasts") == "lease")
    assert rig.notify("on_update", stream["streamKey"]).status == 200
    assert user.is_live(stream)
    assert rig.notify("on_publish_done", stream["streamKey"]).status == 200
    assert database.query("SELECT reason FROM rig_broadcasts") == "done"


def test_the_figure_of_live_streams(rig):
    def live():
        found = re.search(r"^greenroom_agents_streams_live (\d+)", rig.admin("/metrics").body.decode(), re.M)
        return found and int(found.group(1))

    user = rig.user()
    streams = [user.stream() for _ in range(2)]
    for stream in streams:
        rig.notify("on_publish", stream["streamKey"])
    until(lambda: live() == 2)
    rig.process.send_signal(signal.SIGHUP)
    rig.wait_log(r"reloaded: ")
    until(lambda: live() == 2)
    for stream in streams:
        rig.notify("on_publish_done", stream["streamKey"])
    until(lambda: live() == 0)


def test_secrets_stay_out_of_the_log(rig):
    user = rig.user()
    stream = user.stream()
    user.destination(stream)
    token = rig.agent()
    rig.get(f"/agents/config/{stream['streamKey']}", headers=bearer(token))
    rig.notify("on_publish", stream["streamKey"], token=token)
    rig.get("/agents/config/some-wrong-key", headers=bearer(token))
    metrics = rig.admin("/metrics").body.decode()
    for secret in (stream["streamKey"], token, "live_31_kexample", "some-wrong-key", user.token):
        assert secret not in rig.log and secret not in metrics
    lines = [json.loads(line) for line in rig.log.splitlines() if "agents.config" in line]
    assert lines and all(line["path"] == "/agents/config/{streamKey}" for line in lines)


# --- many streams ---

ONE_OF_MANY = {
    "the broadcasts of a connection":
        "SELECT id FROM rig_streams WHERE live_agent = 'a' AND live_client = 'c' AND live_until_ms IS NOT NULL LIMIT 1",
    "a broadcast by its key": "UPDATE rig_streams SET live_until_ms = NULL WHERE live_key = 'k'",
    "the leases that have ended": "UPDATE rig_streams SET live_until_ms = NULL WHERE live_until_ms <= 5",
    "the broadcasts of these":
        "UPDATE rig_broadcasts SET reason = 'lease' WHERE ended_at_ms IS NULL AND id IN (SELECT live_id FROM rig_streams"
        " WHERE live_until_ms <= 5)",
    "throttles that have ended": "DELETE FROM rig_throttle WHERE until_ms <= 5",
    "revoked tokens that have ended": "DELETE FROM rig_revoked WHERE until_ms <= 5",
}
"""What is asked for with each callback or tick. The statements are those of plugins/rig, in short."""


def test_no_callback_and_no_tick_reads_all_streams(rig, database):
    many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO"
    for insert in (
            "rig_users (id, username, email, email_key, created_at_ms) SELECT 'u' || i, 'u' || i, 'u', 'u' || i, i FROM n",
            "rig_streams (id, stream_key, user_id, created_at_ms, live_id, live_key, live_agent, live_client, live_until_ms)"
            " SELECT 's' || i, 's' || i, 'u' || i, i, 'b' || i, 's' || i, 'agent', 'c' || i, 5000000000000 + i FROM n",
            "rig_broadcasts (id, stream_id, agent, client, started_at_ms) SELECT 'b' || i, 's' || i, 'a', 'c', i FROM n",
            "rig_throttle (id, used, until_ms) SELECT 't' || i, 1, 5000000000000 + i FROM n",
            "rig_revoked (jti, until_ms) SELECT 't' || i, 5000000000000 + i FROM n"):
        database.query(f"{many} {insert}")
    database.query("ANALYZE")
    words = "EXPLAIN" if database.kind == "postgres" else "EXPLAIN QUERY PLAN"
    for name, statement in ONE_OF_MANY.items():
        plan = database.query(f"{words} {statement}")
        assert not re.search(r"Seq Scan|\bSCAN\b", plan), f"{name}: {plan}"
