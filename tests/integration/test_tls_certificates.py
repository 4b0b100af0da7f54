"""Certificates of HTTPS listeners: of clients, replaced while the gateway runs, invalid at the start."""

import os
import shutil
import signal
import subprocess
import threading

import pytest

from support.certificates import Authority
from support.gateway import BINARY, Gateway
from support.https import Https, authority, server_files, status_of, trusting  # noqa: F401 (fixtures)
from support.until import until
from support.upstream import TIMEOUT


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
            except OSError:  # among them errors of TLS
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
    # The time-out is long so that the open connection does not end while the test waits for the certificate.
    with Https(tmp_path / "gateway", (certificate, key), keep_alive_timeout="10m") as gateway:
        before = serial_of(gateway, authority)
        with gateway.connect(trusting(authority)) as standing:
            place(authority.issue("renewed", algorithm="rsa:2048"), certificate, key)
            if signaled:
                gateway.process.send_signal(signal.SIGHUP)
            wait_serial(gateway, authority, lambda serial: serial != before)
            standing.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert status_of(standing.recv(65536)) == 200  # the open connection still works


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
