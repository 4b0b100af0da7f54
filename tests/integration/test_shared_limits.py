"""Limits that gateways share, with a real Redis or Valkey server."""

import contextlib
import http.client
import itertools
import pathlib
import signal
import socket
import threading
import time

import pytest

from support import promtext
from support.certificates import Authority
from support.gateway import Gateway
from support.ports import free_port
from support.redis import Redis
from support.until import until
from support.upstream import TIMEOUT, Reply, Upstream

PASSWORD = "shared-limits-password-0123456789"


@pytest.fixture
def upstream():
    with Upstream() as server:
        yield server


@pytest.fixture
def make(tmp_path, upstream):
    """Starts gateways that differ in nothing but their directories."""
    made = []

    def start(count, limits, url, start=True, auth=None, **shared):
        new = []
        for _ in range(count):
            home = tmp_path / f"gateway{len(made)}"
            config = {"upstreams": {"api": {"url": upstream.url, "retries": 0, "connections_max": 64}},
                      "state_directory": str(home / "state"), "auth": auth or {},
                      "limits": {**limits, "shared": {"url": url, **shared}}}
            gateway = Gateway(home, config, {"rooms": {}})
            home.mkdir()
            made.append(gateway)
            new.append(gateway.start() if start else gateway)
        return new

    yield start
    for gateway in made:
        gateway.stop()


def told(gateway, name):
    return promtext.parse(gateway.admin("/metrics").body.decode())[f"greenroom_shared_limits_{name}"]


def is_reached(gateway):
    return told(gateway, "reached") == 1


def statuses(gateways, count):
    """Sends requests to one gateway after the other."""
    return [gateways[i % len(gateways)].get("/rooms").status for i in range(count)]


# --- rates ---

def test_a_caller_has_one_bucket_whichever_gateway_it_asks(make, redis):
    gateways = make(3, {"caller": {"rate": "4/m"}}, redis.url)
    answers = [gateway.get("/rooms") for gateway in (*gateways, *gateways)]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 429, 429]
    assert [answer.header("RateLimit-Remaining") for answer in answers] == ["3", "2", "1", "0", "0", "0"]
    assert all(answer.header("RateLimit-Limit") == "4" for answer in answers)
    assert 1 <= int(answers[5].header("Retry-After")) <= 15


def test_addresses_scopes_and_operations_are_counted_over_all(make, redis):
    gateways = make(2, {"address": {"rate": "7/m"}, "scopes": {"rooms:read": {"rate": "5/m"}},
                        "routes": {"rooms.list": {"rate": "3/m"}}}, redis.url)
    assert statuses(gateways, 4) == [200, 200, 200, 429], "of the operation"
    answers = [gateways[i % 2].get("/rooms/1") for i in range(4)]
    assert [answer.status for answer in answers] == [200, 429, 429, 429]
    assert [answer.json["message"].rpartition(" of ")[2] for answer in answers[1:]] == ["this scope"] * 2 + ["this address"]
    other = [gateway.get("/rooms/1", source="127.0.0.2").status for gateway in gateways]
    assert other == [200, 200], "another address"


class Load:
    """Clients that send requests as fast as they are answered. Counts what passes."""

    def __init__(self, ports):
        self.passed = []
        """When a request was answered with 200."""
        self.others = {}
        self.refused = threading.Event()
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(port,)) for port in ports]
        for thread in self._threads:
            thread.start()

    def _run(self, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT * 2)
        number = 0
        while not self._end.is_set():
            number += 1
            connection.request("GET", f"/rooms/{id(connection)}-{number}")
            response = connection.getresponse()
            response.read()
            with self._lock:
                if response.status == 200:
                    self.passed.append(time.monotonic())
                else:
                    self.others[response.status] = self.others.get(response.status, 0) + 1
                    self.refused.set()
            self._end.wait(0.002)  # the machine is to have time for the gateways
        connection.close()

    def passed_in(self, seconds):
        """How many pass in the next seconds, for each of them."""
        begin = time.monotonic()
        until(lambda: time.monotonic() >= begin + seconds)
        with self._lock:
            end = time.monotonic()
            return sum(1 for at in self.passed if begin < at <= end) / (end - begin)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._end.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("shares", [(2, 2, 2), (6, 0, 0), (5, 1, 1)], ids=["even", "one", "uneven"])
def test_100_a_second_over_three_gateways_are_100_a_second(make, redis, shares):
    gateways = make(3, {"caller": {"rate": "100/s"}}, redis.url)
    ports = [gateway.port for gateway, count in zip(gateways, shares) for _ in range(count)]
    with Load(ports) as load:
        assert load.refused.wait(TIMEOUT), "the first burst does not end"
        each = load.passed_in(4)
        assert 90 <= each <= 110
        assert set(load.others) == {429}
    for gateway, count in zip(gateways, shares):
        assert told(gateway, "alone_total") == 0
        assert (told(gateway, "waits_total") > 0) == (count > 0)


def test_most_requests_need_no_round_trip(make, redis):
    gateway, = make(1, {"caller": {"rate": "1000/s", "burst": 10000}}, redis.url)
    with Load([gateway.port] * 2) as load:
        until(lambda: len(load.passed) > 600)
    assert not load.others
    assert told(gateway, "waits_total") < len(load.passed) / 10
    assert told(gateway, "questions_total") < len(load.passed) / 10


def test_wrong_credentials_are_counted_over_all(make, redis):
    gateways = make(2, {"caller": {"rate": "100/s"}}, redis.url,
                    auth={"keys": {}, "throttle": {"failures": 4, "window": "10m"}})
    seen = [gateways[i % 2].get("/rooms", headers={"X-API-Key": "wrong"}).status for i in range(6)]
    assert seen == [401, 401, 401, 401, 429, 429]


# --- numbers in use ---

class Slow:
    """Requests that stay in progress until end()."""

    numbers = itertools.count()

    def __init__(self, upstream, gateway, count):
        self.upstream = upstream
        self.statuses = []
        self.paths = [f"/rooms/slow{next(Slow.numbers)}" for _ in range(count)]
        for path in self.paths:
            upstream.on("GET", path, Reply.hang())
        self.threads = [threading.Thread(target=self._run, args=(gateway, path)) for path in self.paths]
        for thread in self.threads:
            thread.start()
        until(lambda: len([r for r in upstream.requests if r.path in self.paths]) >= count)

    def _run(self, gateway, path):
        try:
            self.statuses.append(gateway.get(path).status)
        except (OSError, http.client.HTTPException):
            self.statuses.append(None)

    def end(self):
        self.upstream.cut()
        for thread in self.threads:
            thread.join()


def test_requests_in_progress_are_counted_over_all(make, redis, upstream):
    one, other = make(2, {"caller": {"concurrent": 3}}, redis.url)
    first = Slow(upstream, one, 2)
    second = Slow(upstream, other, 1)
    for gateway in (one, other):
        refused = gateway.get("/rooms")
        assert refused.status == 429 and refused.header("Retry-After") == "1"
    assert one.get("/rooms", source="127.0.0.2").status == 200, "of another caller"
    first.end()
    second.end()
    # The places that one gateway had are there for the other.
    third = Slow(upstream, other, 3)
    assert one.get("/rooms").status == 429
    third.end()


def test_a_client_that_waits_for_each_answer_is_never_refused(make, redis):
    gateways = make(3, {"caller": {"concurrent": 1}}, redis.url)
    assert set(statuses(gateways, 60)) == {200}
    for gateway in gateways:
        assert told(gateway, "alone_total") == 0


def test_a_gateway_that_is_killed_gives_its_places_back(make, redis, upstream):
    dead, other = make(2, {"caller": {"concurrent": 2}}, redis.url)
    lost = Slow(upstream, dead, 2)
    assert other.get("/rooms").status == 429
    dead.process.kill()
    dead.process.wait(TIMEOUT)
    dead.process = None
    lost.end()
    assert other.get("/rooms").status == 429, "the share lasts a while: the gateway might go on"
    until(lambda: other.get("/rooms").status == 200, "the places do not come back")


def test_a_gateway_that_stops_gives_its_places_back_at_once(make, redis):
    one, other = make(2, {"caller": {"concurrent": 1}}, redis.url)
    assert one.get("/rooms").status == 200
    one.stop()
    assert other.get("/rooms").status == 200


def test_a_share_in_use_is_renewed(make, redis, upstream):
    one, other = make(2, {"caller": {"concurrent": 1}}, redis.url)
    slow = Slow(upstream, one, 1)
    key, = [key for key in redis.command("KEYS", "greenroom:use:*") if not key.endswith("probe")]
    before = redis.command("HVALS", key)
    until(lambda: redis.command("HVALS", key) != before, "the share is not renewed")
    assert other.get("/rooms").status == 429
    slow.end()
    until(lambda: redis.command("EXISTS", key) == 0, "the share is not given back")


# --- the server goes away ---

def test_a_server_that_is_killed_under_load_and_comes_back(make, redis):
    gateways = make(2, {"caller": {"rate": "20/s"}}, redis.url, on_failure="local", timeout="1s")
    with Load([gateway.port for gateway in gateways]) as load:
        assert load.refused.wait(TIMEOUT)
        redis.kill()
        for gateway in gateways:
            gateway.wait_log("the server of shared limits cannot be used")
        each = load.passed_in(3)
        assert 30 <= each <= 60, "each gateway counts alone: 20 a second, and what its bucket had"
        redis.start()
        for gateway in gateways:
            gateway.wait_log_count("the server of shared limits is reached", 2)
        load.passed_in(1)  # a server without data begins with a full bucket
        each = load.passed_in(4)
        assert 18 <= each <= 22
        assert set(load.others) == {429}
    for gateway in gateways:
        assert told(gateway, "alone_total") > 0 and told(gateway, "failures_total") > 0
        assert gateway.log.count("cannot be used") == 1, "one line for each change"


def test_while_the_server_is_away_closed_refuses(make, redis):
    gateway, = make(1, {"caller": {"rate": "100/s"}}, redis.url, on_failure="closed")
    assert gateway.get("/rooms").status == 200
    assert gateway.admin("/readyz").status == 200
    redis.kill()
    until(lambda: not is_reached(gateway), "the loss is not seen by an idle gateway")
    refused = gateway.get("/rooms")
    assert refused.status == 503 and refused.header("Retry-After") == "1"
    assert gateway.get("/healthz").status == 200, "nothing limits it"
    ready = gateway.admin("/readyz")
    check, = [check for check in ready.json["checks"] if check["kind"] == "limits"]
    assert ready.status == 503 and check["status"] == "failing" and check["reason"]
    done = gateway.run("health")
    assert done.returncode == 1 and "shared limits: " in done.stdout
    assert "limits     refuse requests with 503" in gateway.run("status").stdout
    redis.start()
    until(lambda: is_reached(gateway))
    assert gateway.get("/rooms").status == 200
    assert gateway.admin("/readyz").status == 200
    assert "limits     are counted over all gateways" in gateway.run("status").stdout


def test_closed_refuses_numbers_in_use_and_still_counts_wrong_credentials(make, redis):
    gateway, = make(1, {"address": {"concurrent": 5}}, redis.url, on_failure="closed",
                    auth={"keys": {}, "throttle": {"failures": 2, "window": "10m"}})
    redis.kill()
    until(lambda: not is_reached(gateway))
    assert gateway.get("/rooms").status == 503
    other, = make(1, {"scopes": {"rooms:write": {"rate": "1/s"}}}, redis.url, on_failure="closed",
                  auth={"keys": {}, "throttle": {"failures": 2, "window": "10m"}})
    seen = [other.get("/rooms", headers={"X-API-Key": "wrong"}).status for _ in range(3)]
    assert seen == [401, 401, 429]


def test_a_gateway_that_counts_alone_is_ready(make, redis):
    gateway, = make(1, {"caller": {"rate": "2/m", "concurrent": 1}}, redis.url)
    redis.kill()
    until(lambda: not is_reached(gateway))
    assert statuses([gateway], 3) == [200, 200, 429]
    assert gateway.admin("/readyz").status == 200
    assert gateway.run("health").returncode == 0
    assert "limits     are counted by this gateway alone" in gateway.run("status").stdout


def test_a_server_that_is_silent_holds_no_request(make, redis):
    gateway, = make(1, {"caller": {"rate": "5/m", "concurrent": 50}}, redis.url, timeout="300ms")
    assert gateway.get("/rooms").status == 200
    redis.signal(signal.SIGSTOP)
    # Those that come before the loss is seen wait for their time-out, and then pass.
    assert gateway.get("/rooms").status == 200
    until(lambda: not is_reached(gateway))
    waits = told(gateway, "waits_total")
    assert statuses([gateway], 3) == [200, 200, 200]
    assert told(gateway, "waits_total") == waits, "they were judged without the server"
    gateway.wait_log("it did not answer in time")
    redis.signal(signal.SIGCONT)
    until(lambda: is_reached(gateway))
    assert gateway.get("/rooms").status == 200


def test_what_is_in_progress_counts_again_when_the_server_comes_back(make, redis, upstream):
    one, other = make(2, {"caller": {"concurrent": 2}}, redis.url)
    slow = Slow(upstream, one, 1)
    redis.kill()
    until(lambda: not is_reached(one))
    alone = Slow(upstream, one, 1)
    assert one.get("/rooms").status == 429, "alone it counts, too"
    redis.start()
    until(lambda: is_reached(one) and is_reached(other))
    until(lambda: other.get("/rooms").status == 429, "the requests of the other gateway are not known")
    slow.end()
    alone.end()
    until(lambda: other.get("/rooms").status == 200)


def test_scripts_that_the_server_has_forgotten_are_sent_again(make, redis):
    gateway, = make(1, {"caller": {"rate": "5/m", "concurrent": 5}}, redis.url)
    assert gateway.get("/rooms").status == 200
    redis.command("SCRIPT", "FLUSH")
    assert gateway.get("/rooms").header("RateLimit-Remaining") == "3"
    assert told(gateway, "failures_total") == 0 and told(gateway, "alone_total") == 0


# --- what is wrong with it is told ---

def test_a_wrong_password(make, tmp_path):
    with Redis(tmp_path, PASSWORD) as redis:
        wrong = redis.url.replace(PASSWORD, "another-password")
        gateway, = make(1, {"caller": {"rate": "1/m"}}, wrong)
        gateway.wait_log("WRONGPASS: it refuses the user or the password of the URL")
        missing, = make(1, {"caller": {"rate": "1/m"}}, f"redis://127.0.0.1:{redis.port}")
        missing.wait_log("NOAUTH: it wants a password, and the URL has none")
        good, = make(1, {"caller": {"rate": "1/m"}}, redis.url)
        assert is_reached(good)
        for one in (gateway, good):
            assert "another-password" not in one.log and PASSWORD not in one.log


def test_a_server_without_a_password_that_is_given_one(make, redis):
    gateway, = make(1, {"caller": {"rate": "1/m"}}, f"redis://ann:{PASSWORD}@127.0.0.1:{redis.port}")
    gateway.wait_log("WRONGPASS")
    assert PASSWORD not in gateway.log


@pytest.mark.parametrize("command, says", [
    (("REPLICAOF", "127.0.0.1", "1"), "READONLY: it is a replica that takes no writes"),
    (("CONFIG", "SET", "maxmemory", "1"), "OOM: its memory is full"),
    (("ACL", "SETUSER", "default", "-eval", "-evalsha"), "NOPERM: its user may not do this"),
    (("ACL", "SETUSER", "default", "resetkeys", "~other:*"), "NOPERM: its user may not do this"),
], ids=["replica", "memory", "command", "keys"])
def test_a_server_that_may_not_be_used(make, redis, command, says):
    gateway, = make(1, {"caller": {"rate": "2/m"}}, redis.url)
    assert gateway.get("/rooms").status == 200
    redis.command(*command)
    gateway.wait_log(says)
    assert statuses([gateway], 3) == [200, 200, 429], "it counts alone"


def test_the_rights_that_suffice(make, redis):
    redis.command("ACL", "SETUSER", "gate", "on", f">{PASSWORD}", "~greenroom:*", "+eval", "+evalsha", "+time",
                  "+hmget", "+hset", "+hgetall", "+hdel", "+pexpire", "+select")
    gateway, = make(1, {"caller": {"rate": "2/m", "concurrent": 1}},
                    f"redis://gate:{PASSWORD}@127.0.0.1:{redis.port}/3")
    assert statuses([gateway], 3) == [200, 200, 429]
    assert is_reached(gateway)


class Pretender:
    """A server that answers whatever it gets with the same bytes; or with those of a Redis server until it trickles, and
    then with an answer that does not end."""

    def __init__(self, answer=None, redis=None):
        self.answer, self.redis = answer, redis
        self.trickles = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}"
        self.over = threading.Event()
        self.connections = []
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection):
        with connection:
            try:
                if self.redis is None:
                    while connection.recv(65536):
                        connection.sendall(self.answer)
                else:
                    self._pass_on(connection)
            except OSError:
                pass

    def _pass_on(self, connection):
        with socket.create_connection(("127.0.0.1", self.redis.port), TIMEOUT) as there:
            while question := connection.recv(65536):
                while self.trickles.is_set() and not self.over.wait(0.02):
                    connection.sendall(b":")
                there.sendall(question)
                connection.sendall(there.recv(65536))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.threads[0].join()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads[1:]:
            thread.join()


@pytest.mark.parametrize("answer, says", [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers there is no Redis server"),
    (b"-LOADING Redis is loading the dataset in memory\r\n", "LOADING: it is still loading its data"),
    (b"-MOVED 3999 127.0.0.1:6381\r\n", "MOVED: it is a node of a cluster"),
    (b"-ERR something\x01odd\r\n", "it answers with the error: ERR something odd"),
    (b"*2\r\n:1\r\n$1\r\nx\r\n", "its answer is not what the script returns"),
    (b"*-1\r\n", "its answer is not what the script returns"),
], ids=["http", "loading", "cluster", "error", "numbers", "nil"])
def test_answers_that_are_of_no_use(make, answer, says):
    with Pretender(answer) as server:
        gateway, = make(1, {"caller": {"rate": "1/m"}}, server.url)
        gateway.wait_log(says)
        assert statuses([gateway], 2) == [200, 429], "it counts alone"


def test_an_unknown_error_of_the_login_is_not_repeated(make):
    with Pretender(f"-ERR unknown command, with args beginning with: '{PASSWORD}'\r\n".encode()) as server:
        gateway, = make(1, {"caller": {"rate": "1/m"}}, server.url.replace("//", f"//:{PASSWORD}@"))
        gateway.wait_log("it refuses the login with the error ERR")
        assert PASSWORD not in gateway.log


def test_a_server_whose_answers_do_not_end(make, redis):
    """A request waits for its time-out at most, and those after it do not wait."""
    with Pretender(redis=redis) as server:
        gateway, = make(1, {"caller": {"rate": "6/m"}}, server.url)
        assert statuses([gateway], 2) == [200] * 2
        waits = told(gateway, "waits_total")
        server.trickles.set()
        assert statuses([gateway], 7) == [200] * 6 + [429], "it counts alone"
        assert told(gateway, "waits_total") <= waits + 1
        server.trickles.clear()
        until(lambda: is_reached(gateway))


def test_a_server_that_is_not_there_at_the_start(make, tmp_path, redis):
    late = Redis(tmp_path)
    gateway, = make(1, {"caller": {"rate": "1/m"}}, late.url)
    gateway.wait_log("Connection refused")
    assert statuses([gateway], 2) == [200, 429]
    with late:
        until(lambda: is_reached(gateway))


@pytest.mark.parametrize("trusted, host, says", [
    (True, "localhost", None), (True, "127.0.0.1", None), (False, "localhost", "its certificate is refused: "),
    (True, "127.0.0.2", "its certificate is refused: IP address mismatch"),
], ids=["name", "address", "authority", "host"])
def test_tls(make, tmp_path, trusted, host, says):
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other", "other")
    certificate, key = authority.issue("localhost")
    port = free_port()
    with Redis(tmp_path, PASSWORD, ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
                                    "--tls-ca-cert-file", str(authority.file), "--tls-auth-clients", "no",
                                    "--bind", "127.0.0.1", "127.0.0.2"]):
        gateway, = make(1, {"caller": {"rate": "2/m"}}, f"rediss://:{PASSWORD}@{host}:{port}",
                        ca_file=str((authority if trusted else other).file), timeout="2s")
        assert is_reached(gateway) == (says is None)
        assert says is None or says in gateway.log
        assert statuses([gateway], 3) == [200, 200, 429]


def test_tls_to_a_server_without_it(make, redis):
    gateway, = make(1, {"caller": {"rate": "1/m"}}, redis.url.replace("redis:", "rediss:"))
    gateway.wait_log("the server of shared limits cannot be used")
    assert "TLS: " in gateway.log or "in time" in gateway.log


def test_a_socket(make, tmp_path):
    path = tmp_path / "redis.sock"
    with Redis(tmp_path, options=["--unixsocket", str(path)]):
        gateway, = make(1, {"caller": {"rate": "1/m"}}, f"unix://{path}?db=1")
        assert is_reached(gateway)
        assert statuses([gateway], 2) == [200, 429]


# --- what is stored, and what is loaded ---

def test_keys_have_no_names_and_expire(make, redis):
    key = "caller-key-name"
    gateway, = make(1, {"caller": {"rate": "100/m", "concurrent": 4}, "address": {"rate": "100/m", "concurrent": 4}},
                    redis.url, start=False, auth={"keys": {}})
    gateway.write()
    secret = gateway.run("keys", "add", key, "--scope", "*").stdout.strip()
    gateway.start()
    assert gateway.get("/rooms", headers={"X-API-Key": secret}).status == 200
    keys = [name for name in redis.command("KEYS", "*") if not name.endswith(":probe")]
    assert len([name for name in keys if name.startswith("greenroom:rate:")]) == 2
    for name in keys:
        content = redis.command("HGETALL", name) or []
        for text in (name, *content):
            assert key not in text and secret not in text and "127.0.0.1" not in text
        assert redis.command("PTTL", name) != -1, f"{name} stays for ever"


def test_reloads_keep_the_counts(make, redis):
    gateway, = make(1, {"caller": {"rate": "2/m"}}, redis.url)
    assert gateway.get("/rooms").status == 200
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log_count("the server of shared limits is reached", 2)
    until(lambda: promtext.parse(gateway.admin("/metrics").body.decode())["greenroom_config_generation"] == 2)
    assert statuses([gateway], 2) == [200, 429]


def test_the_library_is_loaded_only_when_it_is_wanted(make, tmp_path, redis, upstream):
    def maps(gateway):
        return pathlib.Path(f"/proc/{gateway.process.pid}/maps").read_text()

    gateway, = make(1, {"caller": {"rate": "1/s"}}, redis.url)
    assert "libhiredis" in maps(gateway)
    config = {**gateway.config, "limits": {"caller": {"rate": "1/s"}}, "state_directory": str(tmp_path / "alone")}
    with Gateway(tmp_path / "without", config, {"rooms": {}}) as alone:
        assert alone.get("/rooms").status == 200
        assert "libhiredis" not in maps(alone)
        assert "shared_limits" not in alone.admin("/metrics").body.decode()


def test_check_names_a_wrong_url_and_shows_no_password(make):
    port = free_port()
    gateway, = make(1, {"caller": {"rate": "1/m"}}, f"redis://:{PASSWORD}@127.0.0.1:{port}/x", start=False)
    gateway.write()
    done = gateway.run("check")
    assert done.returncode == 3 and "limits.shared.url: expected" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    gateway.config["limits"]["shared"]["url"] = f"redis://:{PASSWORD}@127.0.0.1:{port}"
    gateway.write()
    assert gateway.run("check").returncode == 0, "the server need not be there"
    shown = gateway.run("config", "show")
    assert shown.returncode == 0 and "shared" in shown.stdout and PASSWORD not in shown.stdout
    file = gateway.directory / "redis-url"
    file.write_text(f"redis://:{PASSWORD}@127.0.0.1:{port}\n")
    gateway.config["limits"]["shared"]["url"] = {"file": str(file)}
    gateway.write()
    assert gateway.run("check").returncode == 0
