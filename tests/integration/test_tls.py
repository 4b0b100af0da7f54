"""HTTPS listeners from outside: protocols, ciphers, plain HTTP beside them."""

import json
import socket
import ssl
import subprocess

import pytest

from support.https import Https, authority, https, read_all, server_files, status_of, trusting  # noqa: F401 (fixtures)
from support.upstream import TIMEOUT


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
