"""API keys in the store, shared by the gateways on it."""

import http.client
import json
import os
import signal
import threading
import time

import pytest

from support.gateway import Gateway
from support.stores import Store, control
from support.until import until
from support.upstream import TIMEOUT

STORED = {"keys": {"store": True}}
KNOWN = {"keys": {"store": True, "on_failure": "known"}}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def make(tmp_path, store):
    """make() starts a gateway. All gateways of a test share the store, but no files."""
    made = []

    def start(auth=None, run=True, **config):
        directory = tmp_path / f"gateway{len(made)}"
        gateway = Gateway(directory / "etc", {"store": store.url, "state_directory": str(directory / "state"),
                                              "auth": STORED if auth is None else auth, **config}, {"hello": {}})
        gateway.directory.mkdir(parents=True)
        gateway.write()
        made.append(gateway)
        return gateway.start() if run else gateway

    yield start
    for gateway in made:
        gateway.stop()
        assert "Sanitizer" not in gateway.log, gateway.log


def command(gateway, *words, status=0):
    done = gateway.run("keys", *words)
    assert done.returncode == status and "Sanitizer" not in done.stderr, done.stdout + done.stderr
    return done.stdout.strip() if status == 0 else done.stderr


def add(gateway, name, *words):
    return command(gateway, "add", name, "--scope", "hello:*", *words)


def listed(gateway):
    return {key["name"] + "/" + key["state"]: key for key in json.loads(command(gateway, "list", "--json"))}


def ask(gateway, key):
    return gateway.get("/hello/Ada", headers={"X-API-Key": key})


def wait_for(gateway, key, status):
    until(lambda: ask(gateway, key).status == status)


def test_a_key_made_beside_one_gateway_works_on_all(make, store):
    one, two = make(), make()
    key = add(one, "app")
    for gateway in (one, two):
        wait_for(gateway, key, 200)
    ((record,),) = store.sql("SELECT record FROM greenroom_keys")
    assert json.loads(record)["name"] == "app" and key.split("_", 2)[2] not in record
    assert not (one.directory.parent / "state" / "keys.json").exists()


def test_a_revoked_key_is_refused_on_all(make):
    one, two = make(), make()
    key, other = add(one, "app"), add(two, "other")
    for gateway in (one, two):
        wait_for(gateway, key, 200)
    assert command(one, "revoke", "app") == "1 revoked"
    revoked = time.monotonic()
    for gateway in (one, two):
        wait_for(gateway, key, 401)
    assert time.monotonic() - revoked < TIMEOUT / 2
    assert "revoked" in ask(two, key).json["message"] and ask(two, other).status == 200
    assert "no valid key has the name or id 'app'" in command(two, "revoke", "app", status=1)


def test_a_gateway_that_stood_still_looks_before_it_takes_a_key(make):
    """The requests that came while it was stopped are the first thing that it handles."""
    one, still = (make(auth={**STORED, "throttle": {"failures": 0}}) for _ in range(2))
    for number in range(5):
        key = add(one, f"app{number}")
        wait_for(still, key, 200)
        still.process.send_signal(signal.SIGSTOP)
        connections = [http.client.HTTPConnection("127.0.0.1", still.port, timeout=TIMEOUT) for _ in range(4)]
        stopped = time.monotonic()
        assert command(one, "revoke", f"app{number}") == "1 revoked"
        for connection in connections:
            connection.request("GET", "/hello/Ada", headers={"X-API-Key": key})
        until(lambda: time.monotonic() > stopped + 1)
        still.process.send_signal(signal.SIGCONT)
        assert [connection.getresponse().status for connection in connections] == [401] * 4
        for connection in connections:
            connection.close()


def test_rotation_keeps_the_old_key_for_a_while(make):
    one, two = make(), make()
    old = add(one, "app")
    new = command(two, "rotate", "app", "--keep", "1h")
    wait_for(one, new, 200)
    assert ask(one, old).status == 200
    assert sorted(listed(one)) == ["app/works"] and len(json.loads(command(one, "list", "--json"))) == 2
    last = command(one, "rotate", new.split("_", 2)[1], "--keep", "0s")
    wait_for(two, last, 200)
    wait_for(two, new, 401)


def test_a_wish_that_is_refused_changes_nothing(make, store):
    gateway = make(run=False)
    add(gateway, "app")
    before = store.sql("SELECT version FROM greenroom_keys_version"), store.sql("SELECT * FROM greenroom_keys")
    assert "a key called 'app' exists" in command(gateway, "add", "app", "--scope", "*", status=1)
    assert "not a scope" in command(gateway, "add", "b", "--scope", "x", status=2)
    assert before == (store.sql("SELECT version FROM greenroom_keys_version"), store.sql("SELECT * FROM greenroom_keys"))


def test_a_list_makes_no_store(make, store):
    gateway = make(run=False)
    told = command(gateway, "list", status=1)
    if "GR_TEST_POSTGRES" in os.environ:
        assert "the store has no keys yet" in told
        assert store.sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'greenroom%'") == [("0",)]
    else:
        assert "No such file or directory" in told and not os.path.exists(store.url.removeprefix("sqlite:"))


def test_forgotten_keys_are_gone_from_the_store(make, store):
    gateway = make(run=False)
    for name in ("one", "two"):
        add(gateway, name)
    command(gateway, "revoke", "one")
    assert command(gateway, "prune") == "1 forgotten"
    assert store.sql("SELECT count(*) FROM greenroom_keys") == [("1",)] and sorted(listed(gateway)) == ["two/works"]


def test_keys_made_at_the_same_time_are_all_kept(make):
    gateways = [make(run=False) for _ in range(2)]
    made = []
    threads = [threading.Thread(target=lambda i=i: made.append(add(gateways[i % 2], f"k{i}"))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8 and len(listed(gateways[0])) == 8


def test_the_last_use_on_any_gateway_is_listed(make):
    one, two = make(), make()
    key = add(one, "app")
    add(one, "unused")
    wait_for(two, key, 200)
    assert listed(one)["unused/works"]["used"] is None
    two.stop()  # the stop writes the time into the store
    used = listed(one)["app/works"]["used"]
    assert used
    wait_for(one, key, 200)
    one.stop()
    assert listed(one)["app/works"]["used"] > used and listed(one)["unused/works"]["used"] is None


@pytest.mark.skipif("GR_TEST_POSTGRES" not in os.environ, reason="SQLite has no locks of rows")
def test_a_last_use_that_cannot_be_written_holds_nothing_up(make, store):
    """Another transaction holds the row, so that the gateway's write of the time waits."""
    gateway = make()
    used, revoked = add(gateway, "used"), add(gateway, "revoked")
    wait_for(gateway, revoked, 200)
    until(lambda: listed(gateway)["revoked/works"]["used"])

    def writes_waiting():
        return store.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%used_at_ms%'"
                         " AND datname = current_database()") == [("1",)]

    gateway.stop()
    gateway.start()
    with store.open_transaction("UPDATE greenroom_keys SET used_at_ms = 1 WHERE record LIKE '%\"used\"%'"):
        assert ask(gateway, used).status == 200
        until(writes_waiting)
        command(gateway, "revoke", "revoked")
        wait_for(gateway, revoked, 401)
        assert writes_waiting()
    until(lambda: listed(gateway)["used/works"]["used"])


# --- from the file into the store ---


def test_keys_of_a_file_are_taken_over(make):
    old = make({"keys": {}})
    keys = [add(old, name) for name in ("app", "bot", "gone")]
    command(old, "revoke", "gone")
    assert command(old, "move") == "3 moved, 0 were there already"
    wait_for(old, keys[0], 200)  # the gateway still uses its file
    new = make()
    assert [ask(new, key).status for key in keys] == [200, 200, 401]
    # A key is revoked in the file while some gateways still use the file.
    command(old, "revoke", "bot")
    assert command(old, "move") == "0 moved, 3 were there already"
    wait_for(new, keys[1], 401)
    assert ask(new, keys[0]).status == 200


def test_what_was_revoked_in_the_store_stays_revoked(make):
    old, new = make({"keys": {}}, run=False), make()
    key = add(old, "app")
    command(old, "move")
    wait_for(new, key, 200)
    command(new, "revoke", "app")
    assert command(old, "move") == "0 moved, 1 was there already"
    assert ask(new, key).status == 401 or wait_for(new, key, 401) is None


def test_two_keys_of_one_name_are_not_mixed_up(make, store):
    old, new = make({"keys": {}}, run=False), make(run=False)
    add(new, "app")
    add(old, "app")
    add(old, "bot")
    assert "another valid key called 'app'" in command(old, "move", status=1)
    assert store.sql("SELECT count(*) FROM greenroom_keys") == [("1",)]


# --- faults ---


@pytest.mark.skipif("GR_TEST_POSTGRES" not in os.environ, reason="only a server can be away")
def test_without_the_store_the_known_keys_stay_valid_where_that_is_chosen(make):
    gateway = make(auth=KNOWN)
    key, other = add(gateway, "app"), add(gateway, "other")
    wait_for(gateway, other, 200)
    control("halt")
    try:
        gateway.wait_log("API keys cannot be read from the store, going on with the old ones")
        assert ask(gateway, key).status == 200
    finally:
        control("resume")
    gateway.wait_log("API keys are read from the store again")
    command(gateway, "revoke", "app")
    wait_for(gateway, key, 401)
    assert ask(gateway, other).status == 200


@pytest.mark.skipif("GR_TEST_POSTGRES" not in os.environ, reason="only a server can be away")
def test_without_the_store_no_key_is_taken(make):
    """Also when the server only hangs: its processes are stopped by a signal."""
    gateway = make(auth={**STORED, "throttle": {"failures": 30}})
    key = add(gateway, "app")
    wait_for(gateway, key, 200)
    control("halt")
    try:
        gateway.wait_log("API keys cannot be read from the store, so no key is taken")
        wait_for(gateway, key, 503)
        for text in [key, key[:-4] + "AAAA"] * 20:
            answer = ask(gateway, text)
            assert answer.status == 503 and answer.header("Retry-After") and "cannot be checked" in answer.json["message"]
        assert ask(gateway, "gr_short").status == 401
    finally:
        control("resume")
    wait_for(gateway, key, 200)


@pytest.mark.skipif("GR_TEST_POSTGRES" not in os.environ, reason="only a server can be slow")
@pytest.mark.parametrize("auth, while_locked", [(KNOWN, 200), (STORED, 503)], ids=["known", "default"])
def test_a_store_that_does_not_answer_in_time(make, store, auth, while_locked):
    """The query of the gateway waits for a lock, as it would wait for an overloaded server."""
    gateway = make(auth=auth)
    key = add(gateway, "app")
    wait_for(gateway, key, 200)
    with store.held("greenroom_keys_version", "ACCESS EXCLUSIVE"):
        asked = time.monotonic()
        until(lambda: ask(gateway, key).status == while_locked and time.monotonic() > asked + 1)
        assert ask(gateway, key).status == while_locked
    wait_for(gateway, key, 200)


def test_the_choice_for_a_failure_needs_the_store(make):
    gateway = make(auth={"keys": {"on_failure": "known"}}, run=False)
    done = gateway.run("check")
    assert done.returncode == 3 and 'auth.keys.on_failure: is only for keys in the store' in done.stderr, done.stderr


@pytest.mark.parametrize("auth, status", [(KNOWN, 200), (STORED, 503)], ids=["known", "default"])
def test_a_record_that_cannot_be_read(make, store, auth, status):
    """It may be that of a key which was revoked."""
    gateway = make(auth=auth)
    key = add(gateway, "app")
    wait_for(gateway, key, 200)
    store.sql("INSERT INTO greenroom_keys (id, record) VALUES ('x', '{}')")
    store.sql("UPDATE greenroom_keys_version SET version = version + 1")
    gateway.wait_log("API keys cannot be read from the store.*id: expected 12 hex digits")
    wait_for(gateway, key, status)
    assert "id: expected 12 hex digits" in command(gateway, "add", "bot", "--scope", "*", status=1)
    store.sql("DELETE FROM greenroom_keys WHERE id = 'x'")
    gateway.wait_log("API keys are read from the store again")


@pytest.mark.parametrize("url", [None, "sqlite::memory:"])
def test_the_keys_need_a_store_that_lasts(make, url):
    gateway = make(run=False, store=url)
    done = gateway.run("check")
    assert done.returncode == 3 and "auth.keys.store: the keys need a \"store\" that lasts" in done.stderr, done.stderr


def test_explain_knows_the_keys_of_the_store(make):
    gateway = make()
    key = add(gateway, "app")
    gateway.stop()
    done = gateway.run("explain", "GET", "/hello/Ada", "-H", f"X-API-Key: {key}", "--json")
    assert done.returncode == 0 and '"app"' in done.stdout, done.stdout + done.stderr
