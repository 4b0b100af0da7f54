"""greenroom audit: each rule reports its finding, and none reports anything in a good config."""

import json
import os
import pwd
import re
import subprocess

import pytest

from support.certificates import Authority
from support.gateway import BINARY, PLUGIN_DIR, merged
from support.upstream import TIMEOUT

SAFE = {
    "server": {"listen": "127.0.0.1:8080"},
    "auth": {"keys": {}},
    "limits": {"caller": {"rate": "10/s"}},
    "upstreams": {"api": {"url": "https://api.example.org/v2"}},
    "plugins": {"directory": os.path.abspath(PLUGIN_DIR)},
}
REMOTE = {"server": {"listen": "0.0.0.0:8080"}}


def audit(directory, *words, env=None):
    return subprocess.run([BINARY, "-c", str(directory), "audit", *words], capture_output=True, text=True,
                          timeout=TIMEOUT, env={**os.environ, **(env or {})})


def write(directory, *changes):
    """A good config with these changes; a change to None removes a key."""
    config = SAFE
    for change in changes:
        config = merged(config, change)
    config = {name: value for name, value in config.items() if value is not None}
    config["state_directory"] = str(directory / "state")
    (directory / "plugins.d").mkdir(exist_ok=True)
    (directory / "plugins.d" / "token.json").write_text("{}")
    (directory / "greenroom.json").write_text(json.dumps(config, indent=1))
    (directory / "greenroom.json").chmod(0o600)


def found(directory, **more):
    done = audit(directory, "--json", **more)
    findings = json.loads(done.stdout)
    assert done.returncode == (1 if any(not one["accepted"] for one in findings) else 0)
    return findings


RULES = {
    "open-remote": [REMOTE, {"server": {"allow_unauthenticated_remote": True}, "auth": None}],
    "any-caller": [REMOTE, {"server": {"allow_unauthenticated_remote": True}, "auth": {"none": {"scopes": ["*"]}}}],
    "admin-remote": [{"admin": {"listen": "0.0.0.0:9090", "allow_unauthenticated_remote": True}}],
    "plain-remote": [REMOTE],
    "proxy-any": [{"server": {"trusted_proxies": ["0.0.0.0/0"]}}],
    "cors-any": [{"server": {"cors": {"origins": ["*"]}}, "auth": None}],
    "cors-credentials": [{"server": {"cors": {"origins": ["http://app.example.org"], "credentials": True}}}],
    "secret-short": [{"credentials": {"k": {"kind": "100ms", "access_key": "a", "secret": "${AUDIT_SECRET}"}}}],
    "upstream-plain": [{"upstreams": {"api": {"url": "http://api.example.org"}}}],
    "upstream-unverified": [{"upstreams": {"api": {"verify": False}}}],
    "redis-open": [{"limits": {"shared": {"url": "redis://redis.example.org/0"}}},
                   {"cache": {"shared": {"url": "redis://127.example.org", "secret": "s" * 32}}}],
    "tokens-unlimited": [{"limits": None}],
    "core-dumps": [{"server": {"core_dumps": True}}],
    "log-debug": [{"log": {"level": "debug"}}],
}


def test_a_config_that_is_well(tmp_path):
    write(tmp_path)
    done = audit(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path}: nothing found\n", "")


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_what_it_is_about(tmp_path, rule):
    write(tmp_path, *RULES[rule])
    env = {"AUDIT_SECRET": "too-short"}
    findings = found(tmp_path, env=env)
    assert rule in {one["rule"] for one in findings}
    one = next(one for one in findings if one["rule"] == rule)
    assert re.match(rf"{tmp_path}/greenroom\.json:\d+:\d+: [a-z]", one["where"]), one
    line = f"{one['where']}: {rule} ({one['severity']}): {one['found']}: {one['means']}"
    assert line in audit(tmp_path, env=env).stdout.splitlines()


@pytest.mark.parametrize("alg,wanted", [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_of_an_issuer_that_can_be_guessed(tmp_path, alg, wanted):
    def issuer(length):
        keys = [{"alg": alg, "secret": "s" * 64}, {"alg": alg, "secret": "s" * length}]
        return {"auth": {"jwt": {"main": {"audience": "a", "keys": keys}}}}

    write(tmp_path, issuer(wanted))
    assert found(tmp_path) == []
    write(tmp_path, issuer(wanted - 1))
    [one] = found(tmp_path)
    assert (one["rule"], one["found"]) == ("secret-short", f"{wanted - 1} bytes, for {alg}")
    assert re.fullmatch(rf"{tmp_path}/greenroom\.json:\d+:\d+: auth\.jwt\.main\.keys\[1\]\.secret", one["where"])


@pytest.mark.parametrize("url", ["redis://:a-password@redis.example.org", "redis://ann:a-password@redis.example.org/3",
                                 "redis://127.0.0.1/0", "redis://localhost", "redis://[::1]:6379", "unix:///run/redis/redis.sock"])
def test_a_redis_with_a_password_or_on_this_machine_is_well(tmp_path, url):
    write(tmp_path, {"limits": {"shared": {"url": url}}})
    done = audit(tmp_path)
    assert "redis-open" not in done.stdout and "a-password" not in done.stdout


def test_a_secret_in_a_file_that_others_can_read(tmp_path):
    write(tmp_path, {"credentials": {"k": {"kind": "bearer", "secret": "s" * 40}}})
    assert found(tmp_path) == []
    (tmp_path / "greenroom.json").chmod(0o644)
    [one] = found(tmp_path)
    assert (one["rule"], one["where"]) == ("secret-readable", str(tmp_path / "greenroom.json"))
    write(tmp_path, {"credentials": {"k": {"kind": "bearer", "secret": "${AUDIT_SECRET}"}}})
    (tmp_path / "greenroom.json").chmod(0o644)
    assert found(tmp_path, env={"AUDIT_SECRET": "s" * 40}) == []


def test_a_file_with_a_secret_that_others_can_read(tmp_path):
    write(tmp_path, {"credentials": {"k": {"kind": "bearer", "secret": {"file": "${AUDIT_NAME:-token}"}}}})
    (tmp_path / "token").write_text("s" * 40)
    (tmp_path / "token").chmod(0o600)
    assert found(tmp_path) == []
    (tmp_path / "token").chmod(0o644)
    [one] = found(tmp_path)
    assert (one["rule"], one["where"], one["found"]) == ("secret-readable", str(tmp_path / "token"), "is a secret, mode 644")


def test_a_private_key_and_an_environment_that_others_can_read(tmp_path):
    certificate, key = Authority(tmp_path).issue("localhost")
    write(tmp_path, {"server": {"listen": [{"address": "127.0.0.1:8443", "tls": True}],
                                "tls": {"certificate": str(certificate), "key": str(key)}}})
    os.chmod(key, 0o644)
    (tmp_path / "environment").write_text("X=y\n")
    (tmp_path / "environment").chmod(0o644)
    assert {one["where"] for one in found(tmp_path)} == {str(key), str(tmp_path / "environment")}


@pytest.mark.parametrize("name", ["", "greenroom.json", "plugins.d", "plugins.d/token.json"])
def test_what_others_can_change(tmp_path, name):
    write(tmp_path)
    path = tmp_path / name
    path.chmod(path.stat().st_mode | 0o002)
    [one] = found(tmp_path)
    assert (one["rule"], one["where"]) == ("writable", str(path).rstrip("/"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["", "greenroom.json", "plugins.d", "plugins.d/token.json", "keys.json"])
def test_what_another_user_owns(tmp_path, name):
    write(tmp_path, {"auth": {"keys": {"file": str(tmp_path / "keys.json")}}})
    path = tmp_path / name
    if not path.exists():
        path.write_text('{"version": 1, "keys": []}')
        path.chmod(0o600)
    os.chown(path, 12345, -1)
    [one] = found(tmp_path)
    assert (one["rule"], one["where"], one["found"]) == ("writable", str(path), "owner 12345")
    done = subprocess.run([BINARY, "-c", str(tmp_path), "check"], capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0
    assert f"{path}: owner 12345: another user can change what the gateway relies on" in done.stderr
    # The user that the gateway runs as may own it.
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 12345, -1)
    assert found(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["", "greenroom.json", "plugins.d", "plugins.d/token.json"])
def test_what_the_user_of_the_gateway_owns(tmp_path, name):
    """This user may own the config. The audit reports every other owner, also a system user."""
    write(tmp_path, {"server": {"user": "nobody"}})
    path = tmp_path / name
    os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    assert found(tmp_path) == []
    other = pwd.getpwnam("daemon").pw_uid
    os.chown(path, other, -1)
    [one] = found(tmp_path)
    assert (one["rule"], one["where"].rstrip("/"), one["found"]) == ("writable", str(path).rstrip("/"), f"owner {other}")


def test_a_gateway_that_stays_root(tmp_path):
    write(tmp_path)
    (tmp_path / "state").mkdir()
    mine = os.geteuid() == 0
    assert [one["rule"] for one in found(tmp_path)] == (["stays-root"] if mine else [])
    if mine:
        os.chown(tmp_path / "state", 12345, 12345)
        assert found(tmp_path) == []


def test_the_config_says_what_is_meant_so(tmp_path):
    write(tmp_path, {"log": {"level": "debug"}, "audit": {"accept": ["log-debug"]}})
    done = audit(tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}: nothing found, 1 accepted by the config\n")
    write(tmp_path, {"audit": {"accept": ["log-debugg"]}})
    done = audit(tmp_path)
    assert done.returncode == 3 and 'audit.accept[0]: expected "open-remote", ' in done.stderr


def test_every_rule_is_tried_here():
    listed = subprocess.run([BINARY, "audit", "--rules"], capture_output=True, text=True, timeout=TIMEOUT).stdout
    rules = {line.split()[0] for line in listed.splitlines()}
    assert rules == set(RULES) | {"secret-readable", "writable", "stays-root"}


def test_a_wrong_config_is_said_and_not_judged(tmp_path):
    write(tmp_path, {"server": {"workers": "many"}})
    done = audit(tmp_path)
    assert (done.returncode, done.stdout) == (3, "") and "server.workers: expected" in done.stderr
