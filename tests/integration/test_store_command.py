"""greenroom store: the applied migrations, migrating, and copying from SQLite to PostgreSQL."""

import json
import os
import signal
import sqlite3
import subprocess
import uuid
from pathlib import Path

import pytest

from support.gateway import BINARY, Gateway
from support.rig import Rig
from support.stores import Store
from support.until import until
from support.upstream import TIMEOUT

GROUPS = {"webhooks": {"config": {"secret_header": "X-Secret", "secret": "a secret of the tests"}}}


def words(gateway, *words, status=0):
    done = gateway.run("store", *words)
    assert done.returncode == status and "Sanitizer" not in done.stderr, done.stdout + done.stderr
    return done


def schemas(gateway, status=0):
    listed = json.loads(words(gateway, "status", "--json", status=status).stdout)
    return {one["name"]: (one["applied"], one["wanted"], one["state"]) for one in listed["schemas"]}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def rig(tmp_path, store):
    directory = tmp_path / "rig"
    directory.mkdir()
    rig = Rig(directory, store)
    rig.write()
    yield rig
    rig.stop()


# --- status and migrate ---


def test_a_new_store_has_nothing_and_is_migrated(rig, store):
    (name, (applied, wanted, state)), = schemas(rig, status=1).items()
    assert applied == 0 and wanted >= 1 and state == "missing"
    assert "missing" in words(rig, "status", status=1).stdout
    assert "current" in words(rig, "migrate").stdout
    assert schemas(rig) == {name: (wanted, wanted, "current")}
    with rig:
        assert rig.user().stream()
    assert "store migrated" not in rig.log  # there was nothing left to do


@pytest.mark.skipif("GR_TEST_POSTGRES" in os.environ, reason="a server makes its database itself")
def test_a_new_store_that_another_process_is_making_is_waited_for(rig, store, tmp_path):
    """SQLite itself does not wait for a process that is about to write to a file which is not in WAL mode yet."""
    file = store.url.removeprefix("sqlite:")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    process = subprocess.Popen([BINARY, "-c", str(rig.directory), "store", "migrate"], env=rig.env, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    until(lambda: file in [os.path.realpath(link) for link in Path(f"/proc/{process.pid}/fd").iterdir()])
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    other.execute("ROLLBACK")
    told, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0 and "current" in told, told


def test_a_store_of_a_newer_release_is_told_apart(rig, store):
    words(rig, "migrate")
    (name, (_, wanted, _)), = schemas(rig).items()
    store.sql("INSERT INTO greenroom_migrations (plugin, version, name, checksum, applied_at_ms)"
              f" VALUES ('{name}', {wanted + 1}, 'later', 'x', 1), ('other', 1, 'first', 'x', 1)")
    assert schemas(rig, status=1) == {name: (wanted + 1, wanted, "newer"), "other": (1, None, "unused")}
    assert "newer release" in words(rig, "migrate", status=1).stderr


def test_a_gateway_beside_which_a_newer_release_migrates_says_so_and_takes_itself_out(rig, store):
    def checks():
        answer = rig.admin("/readyz")
        return answer.status, {check["name"]: check.get("reason") for check in answer.json["checks"] if check["kind"] == "store"}

    with rig:
        (name, (_, wanted, _)), = schemas(rig).items()
        status, (reason,) = checks()[0], checks()[1].values()
        assert status == 200 and reason is None
        store.sql("INSERT INTO greenroom_migrations (plugin, version, name, checksum, applied_at_ms)"
                  f" VALUES ('other', 9, 'of another group', 'x', 1), ('{name}', {wanted + 1}, 'later', 'x', 1)")
        status, (reason,) = checks()[0], checks()[1].values()
        assert status == 503
        assert reason == (f"a newer release has migrated the tables of '{name}' to step {wanted + 1}, and this one knows {wanted}: "
                          "replace this gateway")
        assert rig.user().stream(), "it continues as far as possible"
        assert checks()[0] == 503 and rig.log.count("a newer release has migrated") == 1


def test_the_tables_of_the_gateway_itself_are_listed_where_they_are_wanted(tmp_path, store):
    gateway = Gateway(tmp_path / "etc", {"store": store.url, "state_directory": str(tmp_path / "state"),
                                         "auth": {"keys": {"store": True}}}, {"hello": {}})
    gateway.directory.mkdir()
    gateway.write()
    assert schemas(gateway, status=1) == {"greenroom.keys": (0, 1, "missing")}
    assert json.loads(words(gateway, "migrate", "--json").stdout)["schemas"][0]["state"] == "current"


@pytest.mark.parametrize("released", ["before", "now", "later"])
def test_completion_reads_the_store_and_never_changes_it(tmp_path, store, released):
    """Its scripts set the variable. The store is read when this release has made its tables."""
    config = {"store": store.url, "state_directory": str(tmp_path / "state"), "auth": {"keys": {"store": True}}}
    receivers = {"forward_to": [{"name": "crm", "url": "http://127.0.0.1:1/"}]}
    gateway = Gateway(tmp_path / "etc", config, {"webhooks": {"config": {**GROUPS["webhooks"]["config"], **receivers}}})
    gateway.directory.mkdir()
    gateway.write()
    words(gateway, "migrate")
    assert gateway.run("keys", "add", "app", "--scope", "*").returncode == 0
    store.sql("INSERT INTO webhook_target (name, paused_ms) VALUES ('crm', 1)")
    applied = "SELECT plugin, max(version) FROM greenroom_migrations GROUP BY plugin ORDER BY plugin"
    if released == "before":
        store.sql("DELETE FROM greenroom_migrations WHERE version > 1")
    if released == "later":
        store.sql("INSERT INTO greenroom_migrations SELECT plugin, version + 100, name, checksum, applied_at_ms"
                  " FROM greenroom_migrations")
    state = store.sql(applied), store.sql("SELECT * FROM webhook_target")
    (tmp_path / "temporary").mkdir()
    gateway.env.update(GREENROOM_COMPLETION="1", TMPDIR=str(tmp_path / "temporary"))
    [listed] = json.loads(gateway.run("webhooks", "targets", "--json").stdout)
    assert (listed["name"], listed["paused"]) == ("crm", released == "now")
    assert ("app" in gateway.run("keys", "list").stdout) is True
    assert gateway.run("webhooks", "resume", "crm").returncode == (1 if released == "now" else 0)
    assert gateway.run("keys", "revoke", "app").returncode == 1
    assert (store.sql(applied), store.sql("SELECT * FROM webhook_target")) == state
    assert os.listdir(tmp_path / "temporary") == []


def test_no_password_is_shown(tmp_path):
    gateway = Gateway(tmp_path, {"store": "postgres://ann:pa%40ss@127.0.0.1:1/db?sslmode=disable&password=word",
                                 "auth": {"keys": {"store": True}}, "state_directory": str(tmp_path / "state")}, {})
    gateway.write()
    done = gateway.run("store", "status")
    assert done.returncode == 1 and done.stderr
    assert "pa%40ss" not in done.stdout + done.stderr and "word" not in done.stdout + done.stderr.replace("password", "")


# --- copy ---


@pytest.fixture
def filled(tmp_path):
    """A gateway with rows in a SQLite file, stopped."""
    directory = tmp_path / "old"
    directory.mkdir()
    rig = Rig(directory, Source(f"sqlite:{tmp_path}/old.db"))
    rig.config["auth"] = {"keys": {"store": True}}
    for name in ("streams", "accounts"):
        rig.plugins[name]["idempotency"] = "1h"
    rig.start()
    for _ in range(3):
        user = rig.user()
        rig_stream = user.request("POST", "/streams", headers={"Idempotency-Key": "k"}).json["payload"]
        user.destination(rig_stream)
    rig.run("keys", "add", "app", "--scope", "*")
    rig.stop()
    return rig


class Source:
    def __init__(self, url):
        self.url = url


@pytest.fixture
def target(tmp_path):
    directory = tmp_path / "target"
    directory.mkdir()
    return Store(directory)


def file_of(gateway):
    return gateway.database.url[len("sqlite:"):]


def counts(sql, tables):
    return {table: int(sql(f'SELECT count(*) FROM "{table}"')[0][0]) for table in tables}


def of_file(path):
    def sql(statement):
        connection = sqlite3.connect(path)
        try:
            with connection:
                return connection.execute(statement).fetchall()
        finally:
            connection.close()

    return sql


def tables_of(path):
    names = of_file(path)("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [name for name, in names if name != "greenroom_migrations"]


def test_everything_is_copied_and_works(filled, target):
    source = file_of(filled)
    tables = tables_of(source)
    done = words(filled, "copy", f"sqlite:{source}", target.url, "--json")
    told = {one["name"]: one["rows"] for one in json.loads(done.stdout)["tables"]}
    assert told == counts(of_file(source), tables) == counts(target.sql, tables)
    assert told["rig_streams"] == 3 and told["greenroom_keys"] == 1 and told["greenroom_idempotency"] == 3
    assert "rig_streams: 3 of 3 rows" in done.stderr
    assert schemas(filled)  # the old store is unchanged
    filled.config["store"] = target.url
    with filled:
        answer = filled.user().request("POST", "/streams")
        assert answer.status == 200, answer
        assert [key["name"] for key in json.loads(filled.run("keys", "list", "--json").stdout)] == ["app"]


def test_a_target_with_tables_is_refused(filled, target):
    target.sql("CREATE TABLE mine (a BIGINT)")
    assert "the target has tables" in words(filled, "copy", filled.database.url, target.url, status=1).stderr
    assert target.sql("SELECT count(*) FROM mine") == [("0",)]


def test_a_copy_that_has_ended_is_not_begun_again(filled, target):
    words(filled, "copy", filled.database.url, target.url)
    assert "the target has tables" in words(filled, "copy", filled.database.url, target.url, status=1).stderr


def test_an_interrupted_copy_goes_on(filled, target, tmp_path):
    """The copy is killed several times, at different moments."""
    many = of_file(file_of(filled))
    (user, *rest), = many("SELECT * FROM rig_users LIMIT 1")
    width = len(rest)
    connection = sqlite3.connect(file_of(filled))
    with connection:
        for n in range(30000):  # so many that the copy outlasts the kills
            row = (f"copy-{n:05}", *[f"{value}-{n}" if isinstance(value, str) else value for value in rest])
            connection.execute(f"INSERT INTO rig_users VALUES ({', '.join('?' * (width + 1))})", row)
    connection.close()
    command = [BINARY, "-c", str(filled.directory), "store", "copy", filled.database.url, target.url]
    killed = 0
    for lines in range(1, 40):
        process = subprocess.Popen(command, env=filled.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(lines):  # each line reports a finished table
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
    assert counts(of_file(file_of(filled)), ["rig_users"]) == counts(target.sql, ["rig_users"])


def test_another_source_does_not_go_on_with_a_copy(filled, target, tmp_path):
    target.sql("CREATE TABLE greenroom_copy (table_name TEXT PRIMARY KEY, last_key TEXT NOT NULL,"
               " copied BIGINT NOT NULL, ended BIGINT NOT NULL)")
    target.sql("INSERT INTO greenroom_copy VALUES ('', 'sqlite:/other.db', 0, 0)")
    assert "a copy of the same source" in words(filled, "copy", filled.database.url, target.url, status=1).stderr


def test_a_source_that_no_gateway_has_used_is_refused(filled, store, target):
    """Most often it is not the database that was meant."""
    store.sql("SELECT 1")  # makes the file
    done = words(filled, "copy", store.url, target.url, status=1)
    assert (done.stdout, done.stderr) == (
        "", "greenroom: store: FROM: no gateway has used this database: it has none of its tables\n")
    store.sql("CREATE TABLE other (id TEXT PRIMARY KEY)")
    words(filled, "copy", store.url, target.url, status=1)
    words(filled, "copy", filled.database.url, target.url)


def test_a_difference_is_found(filled, target):
    """One value in the source changes between the copy and the comparison."""
    words(filled, "copy", filled.database.url, target.url)
    source = of_file(file_of(filled))
    target.sql("CREATE TABLE greenroom_copy (table_name TEXT PRIMARY KEY, last_key TEXT NOT NULL,"
               " copied BIGINT NOT NULL, ended BIGINT NOT NULL)")
    target.sql(f"INSERT INTO greenroom_copy VALUES ('', '{filled.database.url}', 0, 0)")
    for table in tables_of(file_of(filled)):
        target.sql(f"INSERT INTO greenroom_copy VALUES ('{table}', '[\"\"]', 0, 1)")
    source("UPDATE rig_streams SET stream_key = 'changed' WHERE id = (SELECT min(id) FROM rig_streams)")
    done = words(filled, "copy", filled.database.url, target.url, status=1)
    assert "rig_streams: the source has 3 rows and the target 3, with other content" in done.stderr, done.stderr


def test_the_groups_of_the_source_have_to_be_there(filled, target):
    del filled.plugins["streams"], filled.plugins["accounts"], filled.plugins["agents"]
    filled.plugins["hello"] = {}
    filled.config["auth"] = {}
    filled.write()
    done = words(filled, "copy", filled.database.url, target.url, status=1)
    assert "which no group of this config uses" in done.stderr, done.stderr
    assert not target.sql("SELECT 1 WHERE 1 = 0")
