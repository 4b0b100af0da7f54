"""Mistakes in a config, and the message of greenroom check for each: file, line, path, and what to do.

A row has the text of greenroom.json, the files of plugins.d by name, and the expected lines, in which ROOT is the directory
of the config and LIB the directory of the plugins.
"""

import os
import subprocess

import pytest

from support.gateway import BINARY, PLUGIN_DIR
from support.ports import hold_port
from support.upstream import TIMEOUT

LIB = os.path.abspath(PLUGIN_DIR)
API = '"upstreams": {"api": {"url": "http://127.0.0.1:1/v2"}}'

MISTAKES = {
    "a key that is misspelt": (
        '{\n "server": {\n  "lisen": "127.0.0.1:8080"}}', {},
        ['ROOT/greenroom.json:3:3: server.lisen: unknown key, did you mean "listen"?']),
    "a key that belongs into a part": (
        '{"listen": "127.0.0.1:8080"}', {},
        ['ROOT/greenroom.json:1:2: listen: unknown key, did you mean "listen" in "server"?']),
    "a key that is like no other": (
        '{"upstreams": {"api": {"url": "http://127.0.0.1:1",\n "breaker": {"treshhold": 5}}}}', {},
        ["ROOT/greenroom.json:2:14: upstreams.api.breaker.treshhold: unknown key, expected one of: enabled, min_calls, "
         "error_percent, open"]),
    "an option for a group that has none": (
        "{%s}" % API, {"rooms": '{\n "config": {"size": 5}}'},
        ["ROOT/plugins.d/rooms.json:2:13: config.size: unknown key, expected none here"]),
    "another format than JSON": (
        "server:\n  listen: 127.0.0.1:8080\n", {},
        ["ROOT/greenroom.json:1:6: expected '{', with which the JSON object of a config begins"]),
    "a text that is not closed": (
        '{"store": "sqlite:greenroom.db\n}', {},
        ["ROOT/greenroom.json:1:30: the line ends within a text: close it with '\"', or write \\n for a line end in it"]),
    "a number that is a word": (
        '{\n "server": {"workers": "many"}}', {},
        ['ROOT/greenroom.json:2:13: server.workers: expected an integer from 1 to 4096, found "many"']),
    "a number beyond its bounds": (
        '{"server": {"workers": 0}}', {},
        ["ROOT/greenroom.json:1:13: server.workers: expected an integer from 1 to 4096, found 0"]),
    "a duration without a unit that exists": (
        '{"server": {"body_timeout": "10 seconds"}}', {},
        ['ROOT/greenroom.json:1:13: server.body_timeout: expected a duration such as "10s" from 10ms to 1h, '
         'found "10 seconds"']),
    "an address that is none": (
        '{"server": {"listen": ["127.0.0.1:8080", "localhost"]}}', {},
        ['ROOT/greenroom.json:1:42: server.listen[1]: expected "ADDRESS:PORT" with an IP address or localhost, such as '
         '"127.0.0.1:8080" or "[::1]:8443", found "localhost"']),
    "a comma too few": (
        '{\n "server": {}\n "log": {}}', {},
        ["ROOT/greenroom.json:3:6: expected ',' or '}' after the value before"]),
    "a name without quotes": (
        '{\n server: {}}', {},
        ["ROOT/greenroom.json:2:7: expected the name of a key in double quotes, or '}'"]),
    "a word that is no value": (
        '{"server": {"workers": 4}, "admin": {"allow_unauthenticated_remote": True}}', {},
        ["ROOT/greenroom.json:1:73: expected a value: a text in double quotes, a number, true, false, null, [ or {"]),
    "a bracket too many": (
        '{"server": {}}\n}', {},
        ["ROOT/greenroom.json:2:1: expected the end of the file, since the object is complete"]),
    "a port that there is not": (
        '{"upstreams": {"api": {"url": "http://127.0.0.1:99999/v2"}}}', {},
        ['ROOT/greenroom.json:1:24: upstreams.api.url: expected an http or https URL without query, '
         'found "http://127.0.0.1:99999/v2"']),
    "two listeners on one address": (
        '{"server": {"listen": ["127.0.0.1:8080", "[::1]:8080", "127.0.0.1:8080"]},\n "admin": {"listen": "[::1]:8080"}}', {},
        ["ROOT/greenroom.json:1:56: server.listen[2]: 127.0.0.1:8080 is taken by 127.0.0.1:8080 of server.listen: choose another port",
         "ROOT/greenroom.json:2:12: admin.listen: [::1]:8080 is taken by [::1]:8080 of server.listen: choose another port"]),
    "a certificate that is not there": (
        '{"server": {"listen": {"address": "127.0.0.1:8443", "tls": true},\n "tls": {"certificate": "tls.pem", "key": "tls.key"}}}', {},
        ["ROOT/greenroom.json:2:10: server.tls.certificate: 'ROOT/tls.pem': No such file or directory",
         "ROOT/greenroom.json:2:36: server.tls.key: 'ROOT/tls.key': No such file or directory"]),
    "a comment that does not end": (
        '{\n /* "server": {}\n}', {},
        ["ROOT/greenroom.json:2:2: the comment that begins here does not end"]),
    "a key twice": (
        '{"log": {"level": "info",\n "level": "debug"}}', {},
        ['ROOT/greenroom.json:2:8: duplicate object key near \'"level"\'']),
    "a choice that there is not": (
        '{"log": {"level": "verbose"}}', {},
        ['ROOT/greenroom.json:1:10: log.level: expected "error", "warn", "info" or "debug", found "verbose"']),
    "a variable that is not set": (
        '{"upstreams": {"api": {"url": "${MISTAKE_URL}"}}}', {},
        ["ROOT/greenroom.json:1:24: upstreams.api.url: the environment variable MISTAKE_URL is not set: set it, or put "
         "the value here"]),
    "a credential that there is not": (
        '{"upstreams": {"api": {"url": "http://127.0.0.1:1", "credential": "main"}},\n'
        ' "credentials": {"mains": {"kind": "bearer", "secret": "s"}}}', {},
        ['ROOT/greenroom.json:1:53: upstreams.api.credential: no credential is called "main", did you mean "mains"?']),
    "a secret file that is not there": (
        '{"credentials": {"k": {"kind": "bearer", "secret": {"file": "secret"}}},\n'
        ' "upstreams": {"api": {"url": "http://127.0.0.1:1", "credential": "k"}}}', {},
        ["ROOT/greenroom.json:1:53: credentials.k.secret.file: cannot read the secret file 'ROOT/secret': "
         "No such file or directory"]),
    "an upstream that is no URL": (
        '{"upstreams": {"api": {"url": "api.example.org"}}}', {},
        ['ROOT/greenroom.json:1:24: upstreams.api.url: expected an http or https URL without query, '
         'found "api.example.org"']),
    "a listener that everyone reaches and that asks no one": (
        '{"server": {"listen": "0.0.0.0:8080"}}', {},
        ['ROOT/greenroom.json:1:13: server.listen: 0.0.0.0:8080 can be reached from other machines, and no client has to authenticate: '
         'listen on 127.0.0.1, add a provider under "auth", or set server.allow_unauthenticated_remote to true']),
    "HTTPS without a certificate": (
        '{"server": {"listen": {"address": "127.0.0.1:8443", "tls": true}}}', {},
        ['ROOT/greenroom.json:1:2: server.tls.certificate: missing: a listener has "tls": true']),
    "a scope that is none": (
        '{"auth": {"none": {"scopes": ["rooms read"]}}}', {},
        ['ROOT/greenroom.json:1:31: auth.none.scopes[0]: expected a scope such as "rooms:read", "rooms:*" or "*", '
         'found "rooms read"']),
    "an upstream of a group that the config does not name": (
        "{}", {"rooms": "{}"},
        ["ROOT/greenroom.json:1:1: upstreams.api: missing: the route rooms.list of ROOT/plugins.d/rooms.json calls it: "
         "add it, or disable that group"]),
    "an upstream of a route that the config does not name": (
        "{%s}" % API, {"rooms": '{\n "routes": {"rooms.get": {"upstream": "apii"}}}'},
        ["ROOT/plugins.d/rooms.json:2:27: routes.rooms.get.upstream: found 'apii', wanted one of the config's "
         '"upstreams", did you mean "api"?']),
    "a library that is not there": (
        "{%s}" % API, {"rooms": '{\n "library": "room.so"}'},
        ['ROOT/plugins.d/rooms.json:2:2: library: LIB/room.so: No such file or directory, did you mean "rooms.so"?']),
    "an override of a route that there is not": (
        "{%s}" % API, {"rooms": '{\n "routes": {"rooms.gte": {"timeout": "5s"}}}'},
        ['ROOT/plugins.d/rooms.json:2:13: routes.rooms.gte: no route of this plugin has that id, did you mean '
         '"rooms.get"?']),
    "an override that is misspelt": (
        "{%s}" % API, {"rooms": '{\n "routes": {"rooms.get": {"cahce": "5s"}}}'},
        ['ROOT/plugins.d/rooms.json:2:27: routes.rooms.get.cahce: unknown key, did you mean "cache"?']),
    "a cache of what must not be kept": (
        "{%s}" % API, {"rooms": '{\n "routes": {"rooms.create": {"cache": "5s"}}}'},
        ["ROOT/plugins.d/rooms.json:2:30: routes.rooms.create.cache: expected to be on a GET route that forwards"]),
    "an option that the group does not have": (
        "{%s}" % API, {"webhooks": '{\n "config": {"secrit": "s"}}'},
        ['ROOT/plugins.d/webhooks.json:2:13: config.secrit: unknown key, did you mean "secret"?']),
    "a member that an option needs": (
        '{"store": "sqlite:mistake.db"}', {"minigroups": (
            '{"config": {"account": "mini.svc.example", "storage_url": "http://127.0.0.1:1", "event": {"url": "http://127.0.0.1:1"},'
            '\n "conference": {"url": "http://127.0.0.1:1"}, "authn": [], "authz": [],\n "callbacks": {}}}')},
        ["ROOT/plugins.d/minigroups.json:3:2: config.callbacks.trusted: missing, required"]),
    "a prefix that ends in a slash": (
        "{%s}" % API, {"rooms": '{"prefix": "/v1/"}'},
        ['ROOT/plugins.d/rooms.json:1:2: prefix: expected "" or a path such as "/v1", found "/v1/"']),
    "two files with one group": (
        "{%s}" % API, {"a": '{"library": "rooms.so"}', "b": '{"library": "rooms.so", "prefix": "/b"}'},
        ["ROOT/plugins.d/b.json:1:2: library: LIB/rooms.so: name: found 'rooms' a second time, wanted a name that "
         "ROOT/plugins.d/a.json (LIB/rooms.so) does not have: disable one of the two"]),
    "a database in a directory that there is not": (
        '{\n "store": "sqlite:/nonexistent/greenroom.db"}', {},
        ["ROOT/greenroom.json:2:2: store: '/nonexistent/greenroom.db' cannot be made: /nonexistent: "
         "No such file or directory"]),
    "a log file in a directory that is a file": (
        '{"log": {"file": "/dev/null/greenroom.log"}}', {},
        ["ROOT/greenroom.json:1:10: log.file: '/dev/null/greenroom.log' cannot be made: /dev/null is not a directory"]),
    "API keys in a directory that there is not": (
        '{\n "auth": {"keys": {"file": "/nonexistent/keys.json"}}}', {},
        ["ROOT/greenroom.json:2:20: auth.keys.file: '/nonexistent/keys.json' cannot be made: /nonexistent: "
         "No such file or directory"]),
    "API keys that are none": (
        '{\n "auth": {"keys": {"file": "/etc/passwd"}}}', {},
        ["ROOT/greenroom.json:2:20: auth.keys.file: '/etc/passwd': syntax error at line 1, column 1"]),
    "a set of keys that is not there": (
        '{\n "auth": {"jwt": {"main": {"audience": "a", "jwks_file": "keys.json"}}}}', {},
        ["ROOT/greenroom.json:2:45: auth.jwt.main.jwks_file: 'ROOT/keys.json': No such file or directory"]),
    "a key of an issuer that is none": (
        '{"auth": {"jwt": {"main": {"audience": "a", "keys": [\n {"alg": "RS256", "file": "greenroom.json"}]}}}}', {},
        ["ROOT/greenroom.json:2:19: auth.jwt.main.keys[0].file: 'ROOT/greenroom.json': neither PEM nor DER, or encrypted"]),
    "plugins in a directory that there is not": (
        '{\n "plugins": {"directory": "/nonexistent"}}', {},
        ["ROOT/greenroom.json:2:14: plugins.directory: '/nonexistent': No such file or directory"]),
    "a certificate that is none": (
        '{"server": {"listen": {"address": "127.0.0.1:8443", "tls": true},\n "tls": {"certificate": "greenroom.json"}}}', {},
        ["greenroom: cannot listen on 127.0.0.1:8443: ROOT/greenroom.json:2:10: server.tls.certificate: "
         "'ROOT/greenroom.json': has no certificate in PEM form"]),
    "a cipher that there is not": (
        '{"server": {"listen": {"address": "127.0.0.1:8443", "tls": true},\n "tls": {"certificate": "greenroom.json",\n'
        ' "ciphers": "NONE-SUCH"}}}', {},
        ["greenroom: cannot listen on 127.0.0.1:8443: ROOT/greenroom.json:3:2: server.tls.ciphers: 'NONE-SUCH' has no "
         "valid cipher"]),
    "a parameter that the route does not have": (
        "{%s}" % API, {"rooms": '{\n "routes": {"rooms.get": {"path": "/rooms/{id}"}}}'},
        ["ROOT/plugins.d/rooms.json:2:27: routes.rooms.get.path: expected a path with no other {parameters} than the "
         "route's, on a route that forwards"]),
    "an override of a route that is like no other": (
        "{%s}" % API, {"rooms": '{\n "routes": {"list": {"timeout": "5s"}}}'},
        ["ROOT/plugins.d/rooms.json:2:13: routes.list: no route of this plugin has that id: greenroom routes lists ids"]),
    "a limit for a route that is like no other": (
        '{%s,\n "limits": {"routes": {"list": {"rate": "1/s"}}}}' % API, {"rooms": "{}"},
        ['ROOT/greenroom.json:2:24: limits.routes.list: no route has the id "list": greenroom routes lists ids and scopes']),
    "a rule of audit that there is not": (
        '{"audit": {"accept": ["log-debugg"]}}', {},
        ['ROOT/greenroom.json:1:23: audit.accept[0]: expected "open-remote", "any-caller", "admin-remote", "plain-remote", '
         '"proxy-any", "cors-any", "cors-credentials", "secret-readable", "secret-short", "upstream-plain", '
         '"upstream-unverified", "redis-open", "writable", "tokens-unlimited", "stays-root", "core-dumps" or "log-debug", '
         'found "log-debugg"']),
}


def said(directory, greenroom, groups, words=("check",)):
    (directory / "plugins.d").mkdir(exist_ok=True)
    (directory / "greenroom.json").write_text(greenroom)
    for name, text in groups.items():
        (directory / "plugins.d" / f"{name}.json").write_text(text)
    env = {**os.environ, "STATE_DIRECTORY": str(directory / "state")}
    env.pop("MISTAKE_URL", None)
    done = subprocess.run([BINARY, "-c", str(directory), *words], capture_output=True, text=True, timeout=TIMEOUT, env=env)
    return done.returncode, done.stdout, done.stderr.replace(str(directory), "ROOT").replace(LIB, "LIB").splitlines()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its user")
def test_a_user_that_there_is_not(tmp_path):
    assert said(tmp_path, '{"server": {"user": "none-such", "group": "neither"}}', {}) == (3, "", [
        'ROOT/greenroom.json:1:13: server.user: there is no user \'none-such\' on this machine',
        'ROOT/greenroom.json:1:34: server.group: there is no group \'neither\' on this machine'])


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_what_to_do(tmp_path, mistake):
    greenroom, groups, lines = MISTAKES[mistake]
    assert said(tmp_path, greenroom, groups) == (3, "", lines)


def warnings(told):
    return [line.split(" warn  ", 1)[1] for line in told if " warn  " in line]


# What the gateway starts with, and probably was not meant: the lines are warnings.
DOUBTS = {
    "a number in place of a duration": (
        '{\n "server": {"body_timeout": 10, "header_timeout": "20", "drain_delay": 0, "drain_timeout": "5s"}}', {},
        ['ROOT/greenroom.json:2:13: server.body_timeout: 10 without a unit is milliseconds: write "10ms", or "10s" if seconds '
         "are meant",
         "ROOT/greenroom.json:2:33: server.header_timeout: a number without a unit is milliseconds: write a unit, such as in "
         '"10s"']),
    "a number in place of a group's durations": (
        '{%s, "store": "sqlite:greenroom.db"}' % API,
        {"rooms": '{"routes": {"rooms.get": {"cache": 2}}}',
         "webhooks": '{"config": {"keep": 864000000, "secret": "%s"}}' % ("s" * 40)},
        ['ROOT/plugins.d/rooms.json:1:27: routes.rooms.get.cache.ttl: 2 without a unit is milliseconds: write "2ms", or "2s" if '
         "seconds are meant",
         'ROOT/plugins.d/webhooks.json:1:13: config.keep: 864000000 without a unit is milliseconds: write "864000000ms", or '
         '"864000000s" if seconds are meant']),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_doubt_is_told_and_the_config_is_fine(tmp_path, doubt):
    greenroom, groups, lines = DOUBTS[doubt]
    status, out, told = said(tmp_path, greenroom, groups)
    assert (status, warnings(told)) == (0, lines) and ": fine: " in out


def test_a_file_that_was_meant_to_be_read_is_told(tmp_path):
    """Copies and notes are not."""
    (tmp_path / "plugins.d").mkdir()
    for name in ("rooms.jsn", "token.JSON", "polls.yaml"):
        (tmp_path / "plugins.d" / name).write_text("{")
    for name in ("rooms.json.bak", "rooms.json~", ".rooms.jsn", "rooms.json.dpkg-old", "README", "notes.md", "rooms.off"):
        (tmp_path / "plugins.d" / name).write_text("{")
    (tmp_path / "plugins.d" / "old.jsn").mkdir()
    status, _, told = said(tmp_path, "{}", {})
    assert (status, warnings(told)) == (0, [f"ROOT/plugins.d/{name}: not read: the name of a group's file ends in \".json\""
                                            for name in ("polls.yaml", "rooms.jsn", "token.JSON")])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_what_check_accepts_is_listened_on(tmp_path, host):
    port, held = hold_port()
    with held:
        status, _, told = said(tmp_path, '{"server": {"listen": "%s:%d"}}' % (host, port), {}, ["check", "--listen"])
    assert (status, told) == (0, [])


def test_there_are_twenty_of_them():
    assert len(MISTAKES) >= 20


# --- slips at the command line ---

NO_GATEWAY = "greenroom: ROOT: no gateway runs with this config (its socket would be in ROOT/state)"
SLIPS = {
    "a reload where nothing runs": (["reload"], 1, NO_GATEWAY),
    "a call where nothing runs": (["call", "rooms.list"], 1, f"{NO_GATEWAY}; give its URL with --url"),
    "a call of a URL without http": (
        ["call", "--url", "127.0.0.1:8080", "rooms.list"], 2,
        'greenroom: --url: expected an http or https URL without query, found "127.0.0.1:8080"'),
    "a call without its parameter": (
        ["call", "rooms.get", "id=3"], 2, "greenroom: rooms.get needs roomId=VALUE; see greenroom call --names rooms.get"),
    "a call with a name that has no value": (
        ["call", "rooms.create", "name"], 2,
        "greenroom: expected NAME=VALUE, found 'name'; see greenroom call --names rooms.create"),
    "a key that has expired already": (
        ["keys", "add", "x", "--scope", "rooms:*", "--expires", "0"], 2,
        "greenroom: --expires: a key that has expired already is of no use"),
    "an operation that is misspelt": (["call", "rooms.lst"], 2, "greenroom: no operation is called 'rooms.lst', did you mean 'rooms.list'?"),
    "a URL in place of a path": (
        ["explain", "GET", "http://127.0.0.1/rooms"], 2, "greenroom: explain: expected a path such as /rooms, without the address"),
    "the document of a group that is misspelt": (
        ["openapi", "room"], 1, "greenroom: no group that is served is called 'room', did you mean 'rooms'?"),
    "the routes of a group that is misspelt": (
        ["routes", "--group", "room"], 1, "greenroom: no group that is served is called 'room', did you mean 'rooms'?"),
    "a path of the config that is misspelt": (["config", "show", "servr"], 1, "greenroom: no value has the path 'servr', did you mean 'server'?"),
    "a key until a word": (
        ["keys", "add", "x", "--scope", "rooms:*", "--expires", "tomorrow"], 2,
        'greenroom: --expires: expected a duration such as "90d", found "tomorrow"'),
    "a key until a number": (
        ["keys", "add", "x", "--scope", "rooms:*", "--expires", "90"], 2,
        'greenroom: --expires: expected a duration such as "90d", found "90"'),
    "a store without its kind": (
        ["store", "copy", "a.db", "sqlite:b.db"], 1, "greenroom: store: FROM: unknown kind of store; expected sqlite:PATH or postgres://…"),
    "a copy of a file that is not there": (
        ["store", "copy", "sqlite:none.db", "sqlite:copy.db"], 1, "greenroom: store: FROM: none.db: No such file or directory"),
    "an option in place of a command": (["--reload"], 2, "greenroom: '--reload' is not a command, did you mean 'reload'?"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_with_what_to_do(tmp_path, slip):
    words, status, line = SLIPS[slip]
    done = said(tmp_path, "{%s}" % API, {"rooms": "{}"}, words)
    assert (done[0], done[2][0]) == (status, line)


def test_a_file_of_variables_that_is_wrong_is_told_with_the_line(tmp_path):
    (tmp_path / "environment").write_text("# secrets\nAPP_SECRET=x\nexport APP_ACCESS_KEY=y\n")
    assert said(tmp_path, "{}", {}) == (3, "", ["greenroom: ROOT/environment:3: expected NAME=value"])
