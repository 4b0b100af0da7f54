"""greenroom store copy with PostgreSQL as its source: to a SQLite file and to another server."""

import json
import os
import signal
import subprocess

import pytest

from support.gateway import BINARY
from support.rig import Rig
from support.stores import Store, sqlite_rows
from support.until import until
from support.upstream import TIMEOUT, Reply, Upstream
from support.webhooks import GIVEN, SECRET, event

pytestmark = pytest.mark.skipif("GR_TEST_POSTGRES" not in os.environ, reason="there is no PostgreSQL server")
MANY = 10_000


class File:
    """A SQLite store with the interface of support.stores.Store."""

    def __init__(self, path):
        self.path, self.url = path, f"sqlite:{path}"

    def sql(self, statement):
        return sqlite_rows(self.path, statement)


@pytest.fixture(params=["sqlite", "postgres"])
def target(request, tmp_path):
    return File(tmp_path / "target.db") if request.param == "sqlite" else Store(tmp_path)


@pytest.fixture
def receiver():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def filled(tmp_path, receiver):
    """A stopped gateway whose PostgreSQL store has texts, numbers, blobs, NULLs, and keys that the server generates."""
    directory = tmp_path / "old"
    directory.mkdir()
    rig = Rig(directory, Store(directory))
    rig.config["auth"] = {"keys": {"store": True}}
    for name in ("streams", "accounts"):
        rig.plugins[name]["idempotency"] = "1h"
    forward = [{"name": "app", "url": receiver.url + "/hook"}]
    rig.plugins["webhooks"] = {"config": {"secret": SECRET, "forward_to": forward, "attempts_max": 1}}
    receiver.will(Reply(status=410))
    with rig:
        user = rig.user()
        assert user.request("POST", "/streams", headers={"Idempotency-Key": "k"}).status == 200
        for number in range(3):
            assert give(rig, f"e{number}", room_id="é" * number or None) == 200
        receiver.wait_requests(3)
        until(lambda: not rig.database.sql("SELECT 1 FROM webhook_delivery WHERE due_ms IS NOT NULL"), "settled")
    rig.run("keys", "add", "app", "--scope", "*")
    return rig


def give(gateway, ident, **data):
    return gateway.post("/webhooks", event(id=ident, data=data), headers=GIVEN).status


def words(gateway, *words, status=0):
    done = gateway.run("store", *words)
    assert done.returncode == status and "Sanitizer" not in done.stderr, done.stdout + done.stderr
    return done


def tables(store):
    names = store.sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace")
    return [name for name, in names if name != "greenroom_migrations"]


def counts(store, names):
    return {name: int(store.sql(f'SELECT count(*) FROM "{name}"')[0][0]) for name in names}


def test_everything_is_copied_and_works(filled, target, receiver):
    source = filled.database
    done = words(filled, "copy", source.url, target.url, "--json")
    told = {one["name"]: one["rows"] for one in json.loads(done.stdout)["tables"]}
    assert told == counts(source, tables(source)) == counts(target, tables(source))
    assert told["webhook_event"] == told["webhook_delivery"] == 3 and told["greenroom_idempotency"] == 1
    for column in ("seq", "id", "room_id", "body"):
        question = f"SELECT {column} FROM webhook_event ORDER BY seq"
        assert target.sql(question) == source.sql(question), column
    last = int(source.sql("SELECT max(seq) FROM webhook_event")[0][0])

    filled.config["store"] = target.url
    receiver.forget()
    with filled:
        assert [key["name"] for key in json.loads(filled.run("keys", "list", "--json").stdout)] == ["app"]
        assert filled.user().request("POST", "/streams").status == 200
        assert give(filled, "e1") == 200, "it is known"
        assert give(filled, "new") == 200
        receiver.wait_requests(1)
        assert [request.json["id"] for request in receiver.requests] == ["new"]
    assert int(target.sql("SELECT max(seq) FROM webhook_event")[0][0]) > last
    assert target.sql("SELECT count(*) FROM webhook_delivery WHERE due_ms IS NULL AND done_ms IS NULL") == [("1",)]


def test_an_interrupted_copy_goes_on(filled, target):
    """The copy is killed after tables and within them."""
    filled.database.sql("INSERT INTO webhook_event (id, type, room_id, received_ms, body)"
                        f" SELECT 'many-' || i, 't', 'r', i, repeat('x', i % 300) FROM generate_series(1, {MANY}) AS i")
    command = [BINARY, "-c", str(filled.directory), "store", "copy", filled.database.url, target.url]
    killed = 0
    for lines in range(1, 40, 3):
        process = subprocess.Popen(command, env=filled.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(lines):
            if not process.stderr.readline():
                break
        process.kill()
        process.communicate(timeout=TIMEOUT)
        if process.returncode != -signal.SIGKILL:
            break
        killed += 1
    if process.returncode == -signal.SIGKILL:
        done = filled.run("store", "copy", filled.database.url, target.url)
        assert done.returncode == 0 or "the target has tables" in done.stderr, done.stderr  # killed after the end of the copy
    assert killed > 1
    assert counts(target, ["webhook_event"]) == {"webhook_event": MANY + 3} == counts(filled.database, ["webhook_event"])
    if isinstance(target, Store):
        assert target.sql("INSERT INTO webhook_event (id, type, received_ms, body) VALUES ('n', 't', 1, '') RETURNING seq") == \
            filled.database.sql("INSERT INTO webhook_event (id, type, received_ms, body) VALUES ('n', 't', 1, '') RETURNING seq")


def test_a_row_that_changes_meanwhile_is_found(filled, target):
    words(filled, "copy", filled.database.url, target.url)
    target.sql("CREATE TABLE greenroom_copy (table_name TEXT PRIMARY KEY, last_key TEXT NOT NULL,"
               " copied BIGINT NOT NULL, ended BIGINT NOT NULL)")
    address = filled.database.url.split("@")[-1]
    target.sql(f"INSERT INTO greenroom_copy VALUES ('', 'postgres://{address}', 0, 0)")
    for table in tables(filled.database):
        target.sql(f"INSERT INTO greenroom_copy VALUES ('{table}', '[\"\"]', 0, 1)")
    filled.database.sql("UPDATE webhook_event SET body = '{}' WHERE id = 'e2'")
    done = words(filled, "copy", filled.database.url, target.url, status=1)
    assert "webhook_event: the source has 3 rows and the target 3, with other content" in done.stderr, done.stderr


def test_rows_that_were_there_before_a_migration_are_copied(filled, target):
    """The tables of webhooks were migrated while they had rows, whose keys are GENERATED ALWAYS."""
    source = filled.database
    source.sql("DELETE FROM greenroom_migrations WHERE plugin = 'webhooks' AND version >= 3")
    for name in ("room_id", "tried_ms", "status", "failure", "behind"):
        source.sql(f"ALTER TABLE webhook_delivery DROP COLUMN {name}")
    source.sql("DROP INDEX webhook_delivery_waits, webhook_delivery_open")
    source.sql("DROP TABLE webhook_target")
    source.sql("CREATE INDEX webhook_delivery_due ON webhook_delivery (target, due_ms, event_seq)")
    source.sql("UPDATE webhook_delivery SET due_ms = 99999999999999, done_ms = NULL")
    assert "run `greenroom store migrate`" in words(filled, "copy", source.url, target.url, status=1).stderr
    filled.config["store"] = source.url
    filled.write()
    words(filled, "migrate")
    words(filled, "copy", source.url, target.url)
    question = "SELECT event_seq, target, room_id, due_ms, behind FROM webhook_delivery ORDER BY event_seq"
    assert target.sql(question) == source.sql(question) and len(target.sql(question)) == 3
