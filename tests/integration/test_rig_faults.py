"""rig with concurrent writers, without its store, and killed at any point."""

import concurrent.futures
import contextlib
import subprocess
import threading

import pytest

from support.rig import bearer, error
from support.rig import database, postgres, rig, start_rig  # noqa: F401 (fixtures)
from support.until import until

DOWN = 503


def together(count, work):
    """Runs work(i) on that many threads at the same time; the results in order."""
    gate = threading.Barrier(count)
    results = [None] * count

    def run(i):
        gate.wait()
        results[i] = work(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@contextlib.contextmanager
def locked(database, table):
    """Holds a lock on a table. Every statement that uses the table waits for it."""
    with subprocess.Popen(["psql", "-qtA", database.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as psql:
        psql.stdin.write(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;\n\\echo locked\n")
        psql.stdin.flush()
        assert psql.stdout.readline() == "locked\n"
        yield
        psql.stdin.close()


def test_of_twenty_creates_of_one_name_one_wins(database, start_rig):
    gateways = [start_rig(database) for _ in range(2)]

    def create(i):
        body = {"username": "wanted", "password": "correct horse", "email": f"u{i}@studio.example"}
        return gateways[i % 2].post("/accounts/", body)

    answers = together(20, create)
    assert sorted(answer.status for answer in answers) == [200] + [400] * 19, answers
    for answer in answers:
        if answer.status == 400:
            assert error(answer) == (400, 1006, "Cannot create user account.", None)
    assert database.query("SELECT count(*) FROM rig_users") == "1"


def test_of_many_publishers_of_a_key_one_is_live(database, start_rig):
    gateways = [start_rig(database) for _ in range(2)]
    user = gateways[0].user()
    stream = user.stream()
    for round in range(3):
        answers = together(12, lambda i: gateways[i % 2].notify("on_publish", stream["streamKey"], client=str(i)))
        statuses = [answer.status for answer in answers]
        assert sorted(statuses) == [200] + [409] * 11, statuses
        winner = statuses.index(200)
        assert gateways[0].notify("on_publish_done", stream["streamKey"], client=str(winner)).status == 200
        assert not user.is_live(stream)
    assert database.query("SELECT count(*) FROM rig_broadcasts WHERE reason = 'done'") == "3"


def test_quotas_hold_against_rivals(database, start_rig):
    options = {"streams": {"max_streams_per_user": 3}}
    gateways = [start_rig(database, options) for _ in range(2)]
    user = gateways[0].user()

    def create(i):
        return gateways[i % 2].post("/streams", {}, headers=bearer(user.token))

    statuses = sorted(answer.status for answer in together(10, create))
    assert statuses == [200] * 3 + [400] * 7, statuses
    assert database.query("SELECT count(*) FROM rig_streams") == "3"


def test_limits_hold_against_rivals(database, start_rig):
    options = {"accounts": {"login_pair_max": 4}}
    gateways = [start_rig(database, options) for _ in range(2)]

    def login(i):
        return gateways[i % 2].post("/accounts/auth/local", {"username": "nobody", "password": "wrong horse"})

    statuses = sorted(answer.status for answer in together(12, login))
    assert statuses == [401] * 4 + [429] * 8, statuses


def test_changes_of_one_password_at_once(rig):
    user = rig.user()

    def change(i):
        return user.post("/accounts/password", {"oldPassword": user.password, "newPassword": f"new horse {i}"})

    answers = together(4, change)
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1, answers
    assert user.login(f"new horse {statuses.index(200)}")


def test_a_long_queue_of_logins_is_refused(database, start_rig):
    rig = start_rig(database, {"accounts": {"hash_threads": 1, "hash_queue": 2, "bcrypt_cost": 14}})
    user = rig.user()
    # One hash takes longer than 16 queries of the store, also on a slow store.
    answers = together(16, lambda i: rig.post("/accounts/auth/local", {"username": user.name,
                                                                      "password": user.password}))
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {200, 503} and statuses.count(200) >= 3, statuses
    refused = answers[statuses.index(503)]
    assert error(refused)[1] == 1008 and int(refused.header("Retry-After")) >= 1


def test_the_store_goes_and_comes_back(postgres, database, start_rig):
    if database.kind != "postgres":
        pytest.skip("a file does not go away")
    rig = start_rig(database)
    user = rig.user()
    stream = user.stream()
    agent = bearer(rig.agent())
    path = f"/streams/{stream['id']}"
    postgres.control("halt")
    try:
        cases = [
            (rig.post("/accounts/", {"username": "someone", "password": "correct horse", "email": "a@b.example"}),
             1006, "Cannot create user account."),
            (rig.post("/accounts/auth/local", {"username": user.name, "password": user.password}), 1008,
             "Unable to fetch resource"),
            (user.post("/accounts/password", {"oldPassword": user.password, "newPassword": "better horse"}), 1007,
             None),
            (user.get("/streams"), 1008, "Unable to fetch resource"),
            (user.get(path), 1008, "Unable to fetch resource"),
            (user.post("/streams"), 1006, "Unable to create resource"),
            (user.post(path + "/changeKey"), 1007, None),
            (user.post(path + "/destination", {"service": "Twitch", "streamKey": "key"}), 1006, None),
            (rig.get(f"/agents/config/{stream['streamKey']}", headers=agent), 1008, "Unable to fetch resource"),
            (rig.notify("on_publish", stream["streamKey"]), 1008, None),
        ]
        for answer, code, message in cases:
            status, found, text, details = error(answer)
            assert (status, found, details) == (DOWN, code, None), answer
            assert message is None or text == message, answer
            assert int(answer.header("Retry-After")) >= 1
        assert rig.admin("/readyz").status == DOWN
        assert rig.admin("/healthz").status == 200
    finally:
        postgres.control("resume")
    until(lambda: rig.admin("/readyz").status == 200, "ready")
    assert user.get("/streams").json["payload"][0]["id"] == stream["id"]
    assert user.post("/streams").status == 200


def test_statements_that_wait_hold_no_worker(postgres, database, start_rig):
    if database.kind != "postgres":
        pytest.skip("SQLite works on the thread that asks it")
    rig = start_rig(database)
    user = rig.user()
    rig.stop()
    rig.config["server"]["workers"] = 2
    rig.start()
    with concurrent.futures.ThreadPoolExecutor(4) as pool, locked(database, "rig_streams"):
        waiting = [pool.submit(user.get, "/streams") for _ in range(4)]
        until(lambda: 'calls_waiting{for="statement"} 4' in rig.admin("/metrics").body.decode(), "four wait")
        assert rig.get("/accounts/password").status == 405
        assert not any(one.done() for one in waiting)
    assert [one.result().status for one in waiting] == [200] * 4


def test_kill_9_loses_nothing_that_was_answered(database, start_rig):
    rig = start_rig(database)
    user = rig.user()
    stream = user.stream()
    for round in range(3):
        done = []

        def add(worker):
            for i in range(1000):
                try:
                    answer = user.post(f"/streams/{stream['id']}/destination",
                                       {"service": "Twitch", "streamKey": f"key-{round}-{worker}-{i}"})
                except OSError:
                    return
                except Exception:  # the connection broke in the middle of an answer
                    return
                if answer.status == 200:
                    done.append(answer.json["payload"])
                elif answer.status == 400:
                    return

        rig.plugins["streams"] = {"config": {"max_destinations_per_stream": 0}}
        threads = [threading.Thread(target=add, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(done) >= 15, "15 destinations")
        rig.kill()
        for thread in threads:
            thread.join()
        rig.start()
        kept = {one["id"]: one for one in user.get(f"/streams/{stream['id']}").json["payload"]["destinations"]}
        assert done and all(kept.get(one["id"]) == one for one in done)
        assert len({one["streamKey"] for one in kept.values()}) == len(kept)


def test_every_group_starts_without_the_others(database, start_rig):
    for names in (("agents",), ("streams",), ("accounts",)):
        rig = start_rig(database, only=names)
        answers = {"accounts": rig.get("/accounts/password"), "streams": rig.get("/streams"),
                   "agents": rig.get("/agents/config/x")}
        for name, answer in answers.items():
            assert answer.status == (404 if name not in names else 405 if name == "accounts" else 401), name
        rig.stop()
