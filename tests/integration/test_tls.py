"""HTTPS listeners from outside: protocols, client certificates, and bad clients."""

import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from support.certificates import Authority
from support.gateway import BINARY, Gateway
from support.until import until
from support.upstream import TIMEOUT, Upstream

FACTOR = float(os.environ.get("GR_TIME_FACTOR", "1"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def server_files(authority):
    return authority.issue("server")


class Https(Gateway):
    """A gateway with one HTTPS listener, and another one for HTTP."""

    def __init__(self, directory, files, tls=None, upstream=None, **server):
        certificate, key = files
        config = {
            "server": {
                "listen": [{"address": "127.0.0.1:0", "tls": True}, "127.0.0.1:0"],
                "tls": {"certificate": str(certificate), "key": str(key), **(tls or {})},
                **server,
            },
            "upstreams": {"api": {"url": upstream or "http://127.0.0.1:1"}},
        }
        super().__init__(directory, config, {"rooms": {}})

    def start(self):
        super().start()
        self.plain_port = self.port
        self.port = int(self.find(r'"listening on https://[^"]*:(\d+)"'))
        return self

    def connect(self, context, name="localhost"):
        """A TLS connection."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        return context.wrap_socket(sock, server_hostname=name)

    def ask(self, context, data=b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"):
        with self.connect(context) as connection:
            connection.sendall(data)
            return read_all(connection)


def read_all(connection):
    data = b""
    while True:
        try:
            more = connection.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            return data
        if not more:
            return data
        data += more


def trusting(authority, **more):
    context = ssl.create_default_context(cafile=str(authority.file))
    for name, value in more.items():
        setattr(context, name, value)
    return context


def status_of(data):
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", data)
    assert match, data
    return int(match.group(1))


@pytest.fixture(scope="module")
def https(tmp_path_factory, server_files):
    with Upstream() as upstream:
        upstream.on("POST", "/rooms", lambda request: upstream.default)
        gateway = Https(tmp_path_factory.mktemp("gateway"), server_files, upstream=upstream.url, header_timeout="1s",
                        body_timeout="1s")
        gateway.upstream = upstream
        with gateway:
            yield gateway


# --- protocols ---


def test_https_works_with_curl(https, authority):
    done = subprocess.run(["curl", "-sS", "--cacert", str(authority.file), "-w", "%{http_code} %{ssl_verify_result}",
                           "-o", "/dev/null", f"https://localhost:{https.port}/healthz"], capture_output=True, text=True)
    assert done.stdout == "200 0", done.stderr


def test_browsers_are_told_to_come_by_https_alone(https, authority):
    answer = https.ask(trusting(authority))
    assert b"\r\nStrict-Transport-Security: max-age=15552000\r\n" in answer, answer


@pytest.mark.parametrize("hsts, header", [("1h", b"\r\nStrict-Transport-Security: max-age=3600\r\n"), ("0", None)])
def test_that_time_can_be_set(tmp_path, server_files, authority, hsts, header):
    with Https(tmp_path, server_files, tls={"hsts": hsts}) as gateway:
        answer = gateway.ask(trusting(authority))
        assert header in answer if header else b"Strict-Transport" not in answer, answer


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_version(https, authority, version):
    context = trusting(authority, minimum_version=version, maximum_version=version)
    with https.connect(context) as connection:
        assert connection.version() == version.name.replace("v1_", "v1.")
        for _ in range(3):  # kept open
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert status_of(connection.recv(65536)) == 200


def test_plain_listener_beside_it(https):
    assert https.request("GET", "/healthz", port=https.plain_port).status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_version_is_refused(https, authority, version):
    context = trusting(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = version
    context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        https.ask(context)


@pytest.mark.parametrize("cipher", [
    "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256", "ECDHE-ECDSA-NULL-SHA", "aNULL", "PSK",
])
def test_weak_cipher_is_refused(https, authority, cipher):
    context = trusting(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        https.ask(context)


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_good_cipher_is_taken(https, authority, cipher):
    context = trusting(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(cipher)
    with https.connect(context) as connection:
        assert connection.cipher()[0] == cipher


def test_protocol_is_agreed_on(https, authority):
    context = trusting(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with https.connect(context) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
    context = trusting(authority)
    context.set_alpn_protocols(["smtp"])
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        https.ask(context)


def test_http_on_the_https_port_is_told_so(https):
    with socket.create_connection(("127.0.0.1", https.port), timeout=TIMEOUT) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        data = read_all(sock)
    assert status_of(data) == 400
    assert json.loads(data.split(b"\r\n\r\n", 1)[1])["details"] == ["this port speaks HTTPS"]


def test_https_on_the_http_port_is_a_bad_request(https, authority):
    with socket.create_connection(("127.0.0.1", https.plain_port), timeout=TIMEOUT) as sock:
        sock.sendall(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\r\n\r\n")
        assert status_of(read_all(sock)) == 400


def test_only_tls_1_3_when_configured(tmp_path, server_files, authority):
    with Https(tmp_path, server_files, tls={"min_version": "1.3"}) as gateway:
        assert status_of(gateway.ask(trusting(authority))) == 200
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            gateway.ask(trusting(authority, maximum_version=ssl.TLSVersion.TLSv1_2))


# --- client certificates ---


def with_client(authority, files):
    context = trusting(authority)
    if files:
        context.load_cert_chain(*map(str, files))
    return context


@pytest.mark.parametrize("mode, shown, fine", [
    ("required", "ours", True), ("required", "theirs", False), ("required", None, False),
    ("required", "expired", False), ("optional", "ours", True), ("optional", None, True),
    ("optional", "theirs", False),
])
def test_client_certificate(tmp_path, server_files, authority, mode, shown, fine):
    files = {
        "ours": lambda: authority.issue("client"),
        "theirs": lambda: Authority(tmp_path / "stranger", "stranger").issue("client"),
        "expired": lambda: authority.issue("late", not_after="20200101000000Z"),
        None: lambda: None,
    }[shown]()
    tls = {"client_ca": str(authority.file), "client_certificate": mode}
    with Https(tmp_path / "gateway", server_files, tls=tls) as gateway:
        context = with_client(authority, files)
        if fine:
            assert status_of(gateway.ask(context)) == 200
            assert status_of(gateway.ask(context)) == 200
        else:
            try:
                assert gateway.ask(context) == b""
            except (ssl.SSLError, ConnectionResetError):
                pass


# --- certificates that change ---


def serial_of(gateway, authority):
    with gateway.connect(trusting(authority)) as connection:
        return connection.getpeercert()["serialNumber"]


def wait_serial(gateway, authority, condition):
    seen = []

    def fits():
        seen.append(serial_of(gateway, authority))
        return condition(seen[-1])

    until(fits, "another certificate")
    return seen[-1]


def place(files, certificate, key):
    """Replaces the files atomically."""
    for source, target in zip(files, (certificate, key)):
        fresh = target.with_suffix(".new")
        shutil.copy(source, fresh)
        os.replace(fresh, target)


@pytest.mark.parametrize("signaled", [True, False])
def test_new_certificate_without_restart(tmp_path, authority, server_files, signaled):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    place(server_files, certificate, key)
    # The standing connection must not end for being idle while the certificate is waited for.
    with Https(tmp_path / "gateway", (certificate, key), keep_alive_timeout="10m") as gateway:
        before = serial_of(gateway, authority)
        with gateway.connect(trusting(authority)) as standing:
            place(authority.issue("renewed", algorithm="rsa:2048"), certificate, key)
            if signaled:
                gateway.process.send_signal(signal.SIGHUP)
            wait_serial(gateway, authority, lambda serial: serial != before)
            standing.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert status_of(standing.recv(65536)) == 200  # the earlier state is unchanged


@pytest.mark.parametrize("signaled", [True, False])
def test_bad_new_certificate_changes_nothing(tmp_path, authority, server_files, signaled):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    place(server_files, certificate, key)
    with Https(tmp_path / "gateway", (certificate, key)) as gateway:
        before = serial_of(gateway, authority)
        place(authority.issue("other"), certificate, tmp_path / "elsewhere")
        if signaled:
            gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_log(r"is not the key of the certificate")
        assert serial_of(gateway, authority) == before


def test_connections_while_the_certificate_changes(tmp_path, authority, server_files):
    """Handshakes and reloads at the same time, without a lost connection."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    pairs = [authority.issue("one"), authority.issue("two", algorithm="rsa:2048")]
    place(pairs[0], certificate, key)
    failures, stop = [], threading.Event()

    def hammer():
        context = trusting(authority)
        while not stop.is_set():
            try:
                assert status_of(gateway.ask(context)) == 200
            except (OSError, AssertionError) as error:
                failures.append(error)

    with Https(tmp_path / "gateway", (certificate, key)) as gateway:
        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(6):
            place(pairs[turn % 2], certificate, key)
            seen = gateway.log.count("reloaded:")
            gateway.process.send_signal(signal.SIGHUP)
            until(lambda: gateway.log.count("reloaded:") > seen, "reloaded")
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[:3]


# --- invalid files at start ---


def start_fails(directory, files, tls=None):
    gateway = Https(directory, files, tls)
    gateway.write()
    for words in (["check"], []):
        done = subprocess.run([BINARY, "-c", str(directory), *words], env=gateway.env, capture_output=True, text=True,
                              timeout=TIMEOUT * 2)
        assert done.returncode in (3, 4), done
    return done.stderr


def test_missing_file(tmp_path, server_files):
    assert "server.tls.certificate: '/nowhere/cert.pem': No such file" in start_fails(
        tmp_path, ("/nowhere/cert.pem", server_files[1]))
    assert "server.tls.key: '/nowhere/key.pem': No such file" in start_fails(
        tmp_path, (server_files[0], "/nowhere/key.pem"))


def test_key_of_another_certificate(tmp_path, authority, server_files):
    other = authority.issue("another")
    assert "is not the key of the certificate in" in start_fails(tmp_path, (server_files[0], other[1]))


def test_files_without_pem(tmp_path, server_files):
    junk = tmp_path / "junk.pem"
    junk.write_text("this is no PEM\n")
    assert "has no certificate in PEM form" in start_fails(tmp_path / "a", (junk, server_files[1]))
    assert "has no private key in PEM form" in start_fails(tmp_path / "b", (server_files[0], junk))
    tls = {"client_ca": str(junk), "client_certificate": "required"}
    assert "server.tls.client_ca" in start_fails(tmp_path / "c", server_files, tls)


def test_encrypted_key(tmp_path, server_files):
    locked = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", str(server_files[1]), "-aes128", "-passout", "pass:x", "-out",
                    str(locked)], check=True)
    assert "is encrypted" in start_fails(tmp_path / "gateway", (server_files[0], locked))


@pytest.mark.parametrize("ciphers, problem", [
    ("ECDHE-ECDSA-AES128-SHA", "has no authenticated encryption"), ("AES128-GCM-SHA256", "has no forward secrecy"),
    ("nonsense", "has no valid cipher"),
])
def test_weak_ciphers_in_the_config(tmp_path, server_files, ciphers, problem):
    assert problem in start_fails(tmp_path, server_files, {"ciphers": ciphers})


def test_listener_without_certificate(tmp_path):
    gateway = Gateway(tmp_path, {"server": {"listen": [{"address": "127.0.0.1:0", "tls": True}]}}, {})
    gateway.write()
    done = subprocess.run([BINARY, "-c", str(tmp_path), "check"], capture_output=True, text=True)
    assert done.returncode == 3 and "server.tls.certificate: missing" in done.stderr


def test_expired_certificate_is_warned_of(tmp_path, authority):
    with Https(tmp_path, authority.issue("old", not_after="20200101000000Z")) as gateway:
        assert gateway.find(r'"(server\.tls\.certificate: [^"]* expired \d+ days ago)"')


def test_key_for_everybody_is_warned_of(tmp_path, authority):
    files = authority.issue("loose")
    files[1].chmod(0o644)
    with Https(tmp_path, files) as gateway:
        assert gateway.find(r"(can be read or written by all users)")


# --- bad clients ---


def test_stalled_handshakes_do_not_hold_workers(tmp_path, authority, server_files):
    """More silent or stalled clients than workers."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    with Https(tmp_path, server_files, workers=8, header_timeout="2s") as gateway:
        stalled = []
        for turn in range(16):
            sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=TIMEOUT)
            if turn % 2:
                sock.sendall(hello)
            stalled.append(sock)
        begun = time.monotonic()
        assert status_of(gateway.ask(trusting(authority))) == 200
        assert time.monotonic() - begun < 6 * FACTOR
        for sock in stalled:
            sock.settimeout(TIMEOUT)
            assert sock.recv(1) == b"" or True
            sock.close()
        gateway.wait_log("the TLS handshake did not end")


def test_trickled_handshake_ends(tmp_path, authority, server_files):
    with Https(tmp_path, server_files, workers=4, header_timeout="1s") as gateway:
        sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=TIMEOUT)
        begun = time.monotonic()
        with pytest.raises(OSError):
            for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500):
                sock.sendall(bytes([byte]))
                time.sleep(0.02)
        assert time.monotonic() - begun < 5 * FACTOR


def test_silent_after_the_handshake(https, authority):
    with https.connect(trusting(authority)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        begun = time.monotonic()
        data = read_all(connection)
    assert status_of(data) == 408
    assert time.monotonic() - begun < 4 * FACTOR


def test_trickled_body(https, authority):
    with https.connect(trusting(authority)) as connection:
        connection.sendall(b"POST /rooms HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           b"Content-Length: 1000\r\n\r\n")
        begun = time.monotonic()
        connection.settimeout(0.1)
        data = b""
        try:
            while not data and time.monotonic() - begun < 8 * FACTOR:
                connection.sendall(b" ")
                try:
                    data = connection.recv(65536)
                except TimeoutError:
                    pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert time.monotonic() - begun < 5 * FACTOR
    assert data == b"" or status_of(data) == 408


def test_big_body_in_many_records(https, authority):
    body = json.dumps({"name": "big", "description": "x" * 300000}).encode()
    head = ("POST /rooms HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode()
    https.upstream.forget()
    assert status_of(https.ask(trusting(authority), head + body)) in (200, 400)


def test_record_per_byte(https, authority):
    with https.connect(trusting(authority)) as connection:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert status_of(read_all(connection)) == 200


def test_requests_that_are_cut_anywhere_into_records(https, authority):
    """Each is answered, however its bytes and those of its neighbours are spread over records and packets."""
    cuts = random.Random(7)
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Filler: %s\r\n\r\n"
    with https.connect(trusting(authority)) as connection:
        for _ in range(100):
            count = cuts.randint(1, 5)
            bytes_left = b"".join(head % (b"y" * cuts.choice((0, 10, 900, 4000, 7000))) for _ in range(count))
            while bytes_left:
                step = cuts.choice((1, 30, 500, 4095, 4096, 16384, 60000))
                connection.sendall(bytes_left[:step])
                bytes_left = bytes_left[step:]
            answered = b""
            while answered.count(b'"status"') < count:
                got = connection.recv(65536)
                assert got, "the connection was closed"
                answered += got
            assert answered.count(b"HTTP/1.1 200 ") == count


FRAMING = [
    ("both lengths", b"POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400),
    ("two lengths", b"POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n{}  ", 400),
    ("bare line feeds", b"GET /healthz HTTP/1.1\nHost: x\n\n", 400),
    ("folded header", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n", 400),
    ("two empty lines in front", b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("one empty line in front", b"\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
    ("blank before the colon", b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    ("no host", b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    ("too many headers", b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 70 + b"\r\n", 431),
    ("head too large", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40000 + b"\r\n\r\n", 431),
    ("target too long", b"GET /" + b"y" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("garbage", b"\x00\x01\x02\x03\r\n\r\n", 400),
]


@pytest.mark.parametrize("what, data, status", FRAMING, ids=[row[0] for row in FRAMING])
def test_framing_holds_under_tls(https, authority, what, data, status):
    calls = len(https.upstream.requests)
    answer = https.ask(trusting(authority), data)
    assert status_of(answer) == status
    assert answer.count(b"HTTP/1.1 ") == 1, "the rest was taken for another request"
    assert len(https.upstream.requests) == calls


def test_framing_of_a_second_request_in_the_same_record(https, authority):
    """The check of the second head must not read the place of the first."""
    good = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    bad = b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"
    answer = https.ask(trusting(authority), good + bad + good)
    assert re.findall(rb"HTTP/1\.1 (\d{3})", answer) == [b"200", b"400"]


def test_client_that_resets(https, authority):
    for _ in range(20):
        connection = https.connect(trusting(authority))
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert status_of(https.ask(trusting(authority))) == 200


def test_many_at_once(https, authority):
    results = []

    def one():
        results.append(status_of(https.ask(trusting(authority))))

    threads = [threading.Thread(target=one) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 50
