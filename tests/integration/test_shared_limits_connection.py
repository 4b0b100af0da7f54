"""The connection to the server of shared limits: login, rights, wrong answers, TLS, sockets."""

import contextlib
import socket
import threading

import pytest

from support.certificates import Authority
from support.ports import hold_port
from support.redis import Redis
from support.shared_limits import PASSWORD, is_reached, make, statuses, told, upstream  # noqa: F401 (fixtures)
from support.until import until
from support.upstream import TIMEOUT


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
    """A server that answers everything with the same bytes. With redis it passes on the answers of that server, until
    trickles is set: then it sends an answer that does not end."""

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
    """One request waits, at most until its time-out, and those after it do not wait."""
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
    port, held = hold_port()
    with held, Redis(tmp_path, PASSWORD, ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
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
