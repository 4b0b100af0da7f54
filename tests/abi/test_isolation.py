"""Groups in a process of their own: what they see, what their end costs, and whom it does not touch."""

import json
import os
import re
import signal
import sqlite3
import threading
import time

import pytest

from support.gateway import Gateway
from support.redis import Redis
from support.until import until
from support.upstream import FACTOR, TIMEOUT, Reply, Upstream

PLUGINS = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins")
LIBRARY = os.path.join(PLUGINS, "isolated.so")
SANITIZED = bool(os.environ.get("GR_SANITIZE"))
SECRET = "a-secret-of-the-isolated-group"
LISTED = {"Authorization": f"Bearer {SECRET}"}


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as running:
        yield running


@pytest.fixture
def start(tmp_path, upstream):
    """start(process={…}, …): a gateway with the isolated group and, in its own process, hello."""
    started = []

    def begin(process=None, isolation="process", config=None, env=None, group=None, place="", **settings):
        group = {"library": LIBRARY, "isolation": isolation, "process": process or {},
                 "config": {"secret": SECRET, **(config or {})}, **(group or {})}
        home = tmp_path / place
        home.mkdir(exist_ok=True)
        whole = {
            "upstreams": {"api": {"url": f"http://127.0.0.1:{upstream.port}", "retries": 0}},
            "store": f"sqlite:{home}/store.db",
            "state_directory": str(home / "state"),
            **settings,
        }
        # hello stays in the gateway, whatever the other groups of this run do.
        gateway = Gateway(home, whole, {"isolated": group, "hello": {"isolation": "none"}}, env=env)
        started.append(gateway)
        return gateway

    upstream.requests.clear()
    yield begin
    for gateway in started:
        gateway.stop()


@pytest.fixture
def gateway(start):
    return start().start()


def pid_of(gateway):
    return gateway.get("/isolated/pid").json["pid"]


def alive(pid):
    """Not a zombie, either."""
    try:
        return open(f"/proc/{pid}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until_back(gateway, gone):
    """Waits until another process than that one answers, and returns how long it took."""
    began = time.monotonic()

    def is_back():
        answer = gateway.get("/isolated/pid")
        return answer.status == 200 and answer.json["pid"] != gone

    until(is_back, "the group answers again")
    return time.monotonic() - began


def metric(gateway, name, labels=""):
    text = gateway.admin("/metrics").body.decode()
    found = re.search(rf"^greenroom_{name}{re.escape(labels)} (\S+)$", text, re.M)
    return float(found[1]) if found else None


def ends(gateway, cause):
    return metric(gateway, "group_process_ends_total", f'{{group="isolated",cause="{cause}"}}')


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
    """The same requests with and without a process: status, body and headers are equal but for pids and dates."""
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
    until_crashed(gateway, 3)
    [check] = [check for check in gateway.admin("/readyz").json["checks"] if check["name"] == "isolated"]
    assert check["status"] == "failing"


# --- its end ---


def until_crashed(gateway, times):
    """Kills the process so often that the next start is a while away, and returns when that is known."""
    for number in range(times):
        pid = [0]

        def is_up():
            answer = gateway.get("/isolated/pid")
            pid[0] = answer.json.get("pid", 0)
            return answer.status == 200

        until(is_up, "the group is up")
        os.kill(pid[0], signal.SIGKILL)
        gateway.wait_log_count(r"the process of the group ended by SIGKILL", number + 1)


def test_a_write_through_null_costs_its_own_call_alone(gateway):
    pid = pid_of(gateway)
    answer = gateway.get("/isolated/end/null", headers={"X-Request-Id": "the-last-one"})
    took = until_back(gateway, pid)
    assert answer.status == 502
    told = answer.json["trouble"]
    assert (told["status"], told["id"]) == (502, "the-last-one")
    assert told["text"] == "the process of this group ended while it was at work on the request"
    assert took < 1 * FACTOR, "its own group answers again within a second"
    assert ends(gateway, "crash" if not SANITIZED else "exit") == 1
    assert metric(gateway, "group_process_calls_lost_total", '{group="isolated"}') == 1
    assert metric(gateway, "group_process_up", '{group="isolated"}') == 1
    assert metric(gateway, "isolated_instances") == 1, "what the process had added to a gauge went with it"
    if not SANITIZED:
        [line] = [json.loads(line) for line in gateway.log.splitlines() if '"at":' in line]
        assert line["message"] == "a plugin ends the process of its group by SIGSEGV"
        assert (line["plugin"], line["operation"], line["request_id"]) == ("isolated", "isolated.end", "the-last-one")
        assert line["at"].startswith("isolated.so+")


def test_other_groups_do_not_notice(gateway):
    stop, statuses = threading.Event(), []

    def load():
        while not stop.is_set():
            statuses.append(gateway.get("/hello/ada").status)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(4):
        pid = pid_of(gateway)
        assert gateway.get("/isolated/end/null").status == 502
        until_back(gateway, pid)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    assert gateway.process.poll() is None


def test_a_hang_ends_after_its_deadline(start):
    gateway = start(process={"call_timeout": "100ms"}).start()
    pid = pid_of(gateway)
    began = time.monotonic()
    answer = gateway.get("/isolated/end/hang")
    took = time.monotonic() - began
    assert answer.status == 502
    assert 1 <= took < 3 * FACTOR, "the deadline, and a second more"
    until_back(gateway, pid)
    assert ends(gateway, "hang") == 1
    assert not alive(pid)


def test_an_exit_is_an_end_like_others(gateway):
    pid = pid_of(gateway)
    assert gateway.get("/isolated/end/exit").status == 502
    until_back(gateway, pid)
    assert ends(gateway, "exit") == 1
    assert "the process of the group ended with status" in gateway.log


def test_while_it_is_away_calls_are_told_to_come_again(gateway):
    until_crashed(gateway, 4)
    assert re.findall(r"started again in (\d+) ms", gateway.log) == ["100", "200", "400", "800"]
    answer = gateway.get("/isolated/pid", headers={"X-Request-Id": "early"})
    assert (answer.status, answer.header("Retry-After")) == (503, "1")
    told = answer.json["trouble"]
    assert (told["text"], told["id"]) == ("the process of this group is being started again", "early")
    assert gateway.get("/isolated/nowhere").json["trouble"]["status"] == 404, "errors of the gateway's own, too"
    until_back(gateway, 0)


def test_it_ends_with_the_gateway(start):
    gateway = start().start()
    pid = pid_of(gateway)
    process, gateway.process = gateway.process, None
    process.kill()
    process.wait(TIMEOUT)
    until(lambda: not alive(pid), "the process of the group has ended")


def test_a_stop_lets_it_end_in_order(start):
    gateway = start().start()
    pid = pid_of(gateway)
    gateway.stop()
    assert not alive(pid)
    gateway.wait_log(rf"fini in process {pid}")
    assert "started again" not in gateway.log


def test_a_reload_under_load_starts_a_new_one_and_loses_no_call(gateway):
    failures, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            answer = gateway.get("/isolated/pid")
            if answer.status != 200:
                failures.append(answer)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    pids = [pid_of(gateway)]
    for number in range(5):
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_log_count(r"the old config's last request has ended", number + 1)
        pids.append(pid_of(gateway))
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(set(pids)) == 6
    assert [alive(pid) for pid in pids] == [False] * 5 + [True]
    assert metric(gateway, "isolated_instances") == 1
    assert "calls_lost" not in gateway.log


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


@pytest.mark.skipif(SANITIZED, reason="sanitizers map more than any limit")
def test_memory_is_bounded(start):
    gateway = start(process={"memory_max": "96m"}).start()
    pid = pid_of(gateway)
    assert gateway.get("/isolated/end/eat").status == 502
    until_back(gateway, pid)
    assert ends(gateway, "crash") == 1


def test_descriptors_are_bounded(start):
    gateway = start(process={"descriptors_max": 99}).start()
    assert gateway.get("/isolated/end/files").json == {"limit": 99}


def test_cpu_time_is_bounded(start):
    gateway = start(process={"cpu_max": "1s"}).start()
    pid = pid_of(gateway)
    assert gateway.get("/isolated/end/spin").status == 502
    until_back(gateway, pid)
    assert "the process of the group ended by SIGXCPU" in gateway.log


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
