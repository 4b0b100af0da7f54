"""Groups in a process of their own: what their functions see, what their process is given, and how it answers."""

import os
import re
import signal
import sqlite3
import threading

import pytest

from support.isolation import LISTED, metric, pid_of, until_back, until_crashed
from support.isolation import gateway, start, upstream  # noqa: F401 (fixtures)
from support.redis import Redis
from support.until import until
from support.upstream import Reply


# --- what the functions see, and what becomes of their answers ---


def test_a_handler_sees_the_whole_call_from_another_process(gateway):
    answer = gateway.post("/isolated/echo/wo%20rd?word=a&x=1&x=2", body={"word": "ä", "more": [1]},
                          headers={**LISTED, "X-Some": "thing", "X-Request-Id": "the-id"})
    assert answer.status == 201
    assert answer.header("X-Echo") == "yes"
    told = answer.json
    assert told.pop("pid") != gateway.process.pid
    assert told == {
        "route": "isolated.echo",
        "path": "/isolated/echo/wo%20rd",
        "word": "wo rd",
        "query": [["word", "a"], ["x", "1"], ["x", "2"]],
        "header": "thing",
        "body": '{"word": "\\u00e4", "more": [1]}',
        "json": {"word": "ä", "more": [1]},
        "peer": "127.0.0.1",
        "id": "the-id",
        "caller": "ada.example.org",
        "label": "ada",
        "audience": "example.org",
    }
    assert metric(gateway, "isolated_echoes_total", '{kind="plain"}') == 1, "counted when the answer is there"
    gateway.wait_log(r'"route":"isolated.echo".*"status":201.*"caller":"ada.example.org"')


@pytest.mark.parametrize(
    "sent,status,trouble",
    [
        ({"headers": {}}, 401, {"type": "unauthorized", "text": "wrong secret"}),
        ({"headers": {**LISTED, "X-Admit": "no"}}, 418, {"type": "teapot", "text": "not for you", "code": 7}),
        ({"headers": LISTED, "path": "/isolated/echo/bad"}, 400, {"type": "invalid", "problems": ["word"]}),
        ({"headers": LISTED, "path": "/isolated/echo/x?word=bad"}, 400, {"type": "invalid", "problems": ["word"]}),
        ({"headers": LISTED, "body": {"word": "bad", "size": 9}}, 400, {"problems": ["word", "size"]}),
        ({"headers": LISTED, "body": {"size": 1}}, 400, {"problems": ["word"]}),
        ({"headers": LISTED, "path": "/isolated/nowhere"}, 404, {"type": "not_found", "text": "no such path"}),
    ],
)
def test_errors_have_the_groups_format_wherever_they_were_found(gateway, sent, status, trouble):
    sent = {"body": {"word": "x"}, "path": "/isolated/echo/x", **sent}
    answer = gateway.post(sent.pop("path"), **sent)
    assert answer.status == status
    told = answer.json["trouble"]
    assert told["status"] == status
    assert told["id"] == answer.header("X-Request-Id")
    assert told["pid"] != gateway.process.pid
    assert {name: told[name] for name in trouble} == trouble


def test_both_ways_answer_alike(start):
    """With and without a process of its own, a group gives the same status, body and headers, except for pids and dates."""
    sent = [
        ("POST", "/isolated/echo/x?word=bad&word=b", {"word": "bad"}, LISTED),
        ("POST", "/isolated/echo/bad", {"word": "bad", "size": "no"}, LISTED),
        ("POST", "/isolated/echo/x", {"word": "fine"}, LISTED),
        ("POST", "/isolated/echo/x", b"{", LISTED),
        ("POST", "/isolated/echo/x", None, LISTED),
        ("POST", "/isolated/echo/x", {"word": "fine"}, {}),
        ("POST", "/isolated/forward", {"word": "bad"}, {}),
        ("POST", "/isolated/forward", {"word": "fine"}, {}),
        ("GET", "/isolated/own", None, {}),
        ("GET", "/isolated/end/fine", None, {}),
        ("PUT", "/isolated/pid", None, {}),
        ("GET", "/isolated", None, {}),
    ]

    def told(gateway):
        answers = []
        for method, path, body, headers in sent:
            answer = gateway.request(method, path, body=body, headers={**headers, "X-Request-Id": "same"})
            text = re.sub(rb'"pid": ?\d+', b"", answer.body)
            kept = sorted(pair for pair in answer.headers if pair[0] not in ("Date", "Content-Length"))
            answers.append((path, answer.status, text, kept))
        gateway.stop()
        return answers

    assert told(start().start()) == told(start(isolation="none").start())


def test_forward_rows_never_reach_the_process(gateway, upstream):
    upstream.on("GET", "/plain", Reply({"plain": True}))
    pid = pid_of(gateway)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert gateway.get("/isolated/plain").json == {"plain": True}
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_forwarded_body_is_checked_in_the_process(gateway, upstream):
    upstream.on("POST", "/things", Reply({"made": 1}))
    assert gateway.post("/isolated/forward", body={"word": "bad"}).status == 400
    assert gateway.post("/isolated/forward", body={"word": "good"}).json == {"made": 1}
    assert [request.json for request in upstream.requests] == [{"word": "good"}]


def test_a_handler_forwards_through_clients_of_its_own(gateway, upstream):
    upstream.on("GET", "/own", Reply({"own": 1}, headers=[("RateLimit-Limit", "9")]))
    answer = gateway.get("/isolated/own?a=1")
    assert answer.json == {"own": 1}
    assert [request.line for request in upstream.requests] == ["GET /own?a=1"]
    gateway.wait_log(r'"route":"isolated.own".*"upstream_status":200')
    assert metric(gateway, "upstream_calls_total", '{upstream="api",outcome="2xx"}') == 1


def test_large_answers_and_bodies_pass_whole(gateway):
    assert gateway.get("/isolated/large").body == b"x" * 3 * 1024 * 1024
    word = "w" * 900_000
    assert gateway.post("/isolated/echo/x", body={"word": word}, headers=LISTED).json["json"] == {"word": word}


def test_calls_beyond_its_threads_wait_for_their_turn(start, upstream):
    gateway = start(process={"threads": 1}).start()
    upstream.on("GET", "/own", Reply({"own": 1}, delay=0.05))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(gateway.get("/isolated/own").status)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 5


def test_init_timers_and_store_are_the_processes(gateway, tmp_path):
    own, parent = re.search(r"init in process (\d+) of (\d+)", gateway.log).groups()
    assert int(own) == pid_of(gateway) and int(parent) == gateway.process.pid
    database = sqlite3.connect(f"file:{tmp_path}/store.db?mode=ro", uri=True)
    until(lambda: database.execute("SELECT count FROM isolated_ticks").fetchone()[0] > 2, "the timer ticks")
    database.close()
    until(lambda: (metric(gateway, "isolated_ticks_total") or 0) > 2, "ticks are counted")


def test_readiness_asks_the_process(gateway):
    checks = gateway.admin("/readyz").json["checks"]
    assert {"kind": "group", "name": "isolated", "status": "ok"} in checks
    until_crashed(gateway, 5)  # a pause of more than a second
    [check] = [check for check in gateway.admin("/readyz").json["checks"] if check["name"] == "isolated"]
    assert check["status"] == "failing"


# --- what it is given ---


def test_it_gets_no_secret_by_argument_or_environment(start, tmp_path):
    (tmp_path / "secret").write_text("a-secret-of-a-file\n")
    (tmp_path / "secret").chmod(0o600)
    gateway = start(config={"secret": {"file": "secret"}}, env={"API_SECRET": "a-secret-of-the-environment"},
                    credentials={"api": {"kind": "bearer", "secret": "${API_SECRET}"}})
    gateway.config["upstreams"]["api"]["credential"] = "api"
    gateway.start()
    os.remove(tmp_path / "secret")
    pid = pid_of(gateway)
    for part in ("cmdline", "environ"):
        seen = open(f"/proc/{pid}/{part}", "rb").read()
        assert b"a-secret-of" not in seen
    os.kill(pid, signal.SIGKILL)
    until_back(gateway, pid)
    secret = {"Authorization": "Bearer a-secret-of-a-file"}
    answer = gateway.post("/isolated/echo/x", body={"word": "x"}, headers=secret)
    assert answer.status == 201, "it goes by what the gateway had read"


def test_its_handlers_use_the_upstreams_credential(start, upstream):
    upstream.on("GET", "/own", Reply({"own": 1}))
    gateway = start(env={"API_SECRET": "a-secret-of-the-environment"},
                    credentials={"api": {"kind": "bearer", "secret": "${API_SECRET}"}})
    gateway.config["upstreams"]["api"]["credential"] = "api"
    gateway.start()
    assert gateway.get("/isolated/own").status == 200
    assert upstream.requests[-1].token == "a-secret-of-the-environment"


def test_it_has_open_what_it_was_given_and_listens_on_nothing(gateway):
    pid = pid_of(gateway)
    listening = [f":{port:04X} " for port in (gateway.port, gateway.admin_port)]
    inodes = set()
    for line in open(f"/proc/{pid}/net/tcp", encoding="ascii").readlines()[1:]:
        if any(port in line for port in listening):
            inodes.add(f"socket:[{line.split()[9]}]")
    opened = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    assert inodes and not inodes & opened


# --- what is refused ---


@pytest.mark.parametrize("init", ["fails", "faults"])
def test_an_init_that_fails_stops_the_start(start, init):
    gateway = start(config={"init": init})
    gateway.write()
    done = gateway.run()
    assert done.returncode == 1, done.stderr
    assert "isolated.so: init failed" in done.stderr
    assert "the process of the group ended before it was ready" in done.stderr
    assert gateway.run("check").returncode == 0, "a check runs nothing of it"


def test_a_reload_whose_init_fails_leaves_the_old_process(gateway):
    pid = pid_of(gateway)
    gateway.plugins["isolated"]["config"]["init"] = "fails"
    gateway.write()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log(r"going on with the old one")
    assert pid_of(gateway) == pid


def test_a_wrong_word_is_named(start):
    gateway = start(isolation="thread")
    gateway.write()
    done = gateway.run("check")
    assert done.returncode == 3
    assert re.search(r'isolated\.json:\d+:\d+: isolation: expected "none" or "process", found "thread"', done.stderr)


def test_a_store_in_memory_cannot_be_shared(start):
    gateway = start(store="sqlite::memory:")
    gateway.write()
    done = gateway.run("check")
    assert done.returncode == 3
    assert re.search(r'isolated\.json:\d+:\d+: isolation: the group keeps data', done.stderr), done.stderr


# --- what the gateway keeps of an upstream ---

KEPT = {"routes": {"isolated.plain": {"cache": "1h"}}}


def asked(upstream):
    return sum(request.line == "GET /plain" for request in upstream.requests)


def test_a_write_of_the_process_drops_what_the_gateway_keeps(start, upstream):
    gateway = start(group=KEPT).start()
    for _ in range(2):
        assert gateway.get("/isolated/plain").status == 200
    assert asked(upstream) == 1
    for number in (2, 3):
        assert gateway.post("/isolated/own", {}).status == 200
        assert gateway.get("/isolated/plain").status == 200
        assert asked(upstream) == number


def test_a_write_of_the_process_is_seen_by_other_gateways(start, upstream, tmp_path):
    with Redis(tmp_path) as redis:
        shared = {"url": redis.url, "secret": "a secret that both gateways have, of 32 characters", "recheck": "10ms", "timeout": "2s"}
        one, other = (start(place=name, group=KEPT, cache={"shared": shared}).start() for name in ("one", "other"))
        assert one.get("/isolated/plain").status == 200
        until(lambda: other.get("/isolated/plain").header("Cache-Status").startswith("greenroom; hit"))
        assert asked(upstream) == 1
        assert one.post("/isolated/own", {}).status == 200
        until(lambda: other.get("/isolated/plain").status == 200 and asked(upstream) == 2, "the other gateway keeps what it had")
