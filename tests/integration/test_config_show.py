"""greenroom config show: the values in use with their sources, without secrets."""

import json
import os
import re
import resource
import subprocess

import pytest

from support.gateway import BINARY, PLUGIN_DIR
from support.upstream import TIMEOUT

SECRET = "a-secret-that-must-not-be-seen-0123456789"
GREENROOM = """{
  // whom to trust
  "server": {"listen": "127.0.0.1:${SHOW_PORT:-8080}", "workers": 8},
  "credentials": {
    "fixed": {"kind": "bearer", "secret": "%s"},
    "named": {"kind": "bearer", "secret": "${SHOW_TOKEN}"},
    "filed": {"kind": "bearer", "secret": {"file": "secret"}}
  },
  "upstreams": {"api": {"url": "http://127.0.0.1:1", "credential": "named"}},
  "plugins": {"directory": "%s"},
}
"""


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "greenroom.json").write_text(GREENROOM % (SECRET, os.path.abspath(PLUGIN_DIR)))
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "plugins.d" / "webhooks.json").write_text(json.dumps(
        {"config": {"secret": SECRET}, "routes": {}}, indent=1))
    return tmp_path


def show(etc, *words, **env):
    done = subprocess.run([BINARY, "-c", str(etc), "config", "show", *words], capture_output=True, text=True,
                          timeout=TIMEOUT, env={**os.environ, "SHOW_TOKEN": SECRET, **env})
    assert SECRET not in done.stdout + done.stderr
    return done


def entries(etc, *words, **env):
    done = show(etc, "--json", *words, **env)
    assert done.returncode == 0, done.stderr
    return {entry["path"]: entry for entry in json.loads(done.stdout)}


def test_a_value_of_the_file_is_told_with_its_place(etc):
    workers = entries(etc)["server.workers"]
    assert (workers["value"], workers["origin"], workers["at"]) == (8, "file", f"{etc}/greenroom.json:3:56")


def test_variables_are_replaced_and_named(etc):
    assert entries(etc)["server.listen"]["value"] == "127.0.0.1:8080"
    listen = entries(etc, SHOW_PORT="81")["server.listen"]
    assert (listen["value"], listen["written"]) == ("127.0.0.1:81", "127.0.0.1:${SHOW_PORT:-8080}")
    state = entries(etc, STATE_DIRECTORY="/somewhere")["state_directory"]
    assert (state["value"], state["origin"], state["variable"]) == ("/somewhere", "variable", "STATE_DIRECTORY")


def test_defaults_are_shown_when_asked_for(etc):
    assert "server.body_max" not in entries(etc)
    every = entries(etc, "--defaults")
    assert (every["server.body_max"]["value"], every["server.body_max"]["origin"]) == ("1m", "default")
    assert every["server.access_log"]["value"] is True
    reference = subprocess.run([BINARY, "config", "reference"], capture_output=True, text=True, timeout=TIMEOUT).stdout
    rows = set(re.findall(r"^\| `((?:server|log|limits|admin)\.[^`]*)`", reference.partition("plugins.d/NAME")[0], re.M))
    assert len(rows) > 40 and {row for row in rows if ".NAME." not in row} <= set(every)


def test_values_that_follow_from_others_are_those_in_use(etc):
    """Those that share the descriptors count the limit to which the gateway raises its own."""
    def limited():
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 20000))

    def derived(*words):
        done = subprocess.run([BINARY, "-c", str(etc), "config", "show", *words], capture_output=True, text=True,
                              timeout=TIMEOUT, env={**env, "SHOW_TOKEN": SECRET}, preexec_fn=limited)
        return dict(line.split(" = ") for line in done.stdout.splitlines() if line.endswith("# derived"))

    env = {name: value for name, value in os.environ.items() if name != "STATE_DIRECTORY"}
    shown = {path: text.split("  #")[0] for path, text in derived("--defaults", "--origin").items()}
    assert derived("--origin") == {}  # as all that is not set
    requests = int(shown["server.requests_max"])
    assert 20000 / 4 < requests < 20000 / 2 < requests + int(shown["server.connections_max"]) < 20000
    assert shown["upstreams.api.requests_max"] == shown["calls_max"] == str(requests * 3 // 4)
    assert shown["library"] == '"webhooks.so"' and shown["state_directory"].endswith('/state"')
    every = entries(etc, "--defaults")
    assert (every["calls_max"]["origin"], every["upstreams.api.connections_max"]["value"]) == ("derived", None)


@pytest.mark.parametrize("path,status,said", [
    ("servr", 1, "no value has the path 'servr', did you mean 'server'?"),
    ("server.lisen", 1, "no value has the path 'server.lisen', did you mean 'server.listen'?"),
    ("upstreams.apis.url", 1, "no value has the path 'upstreams.apis.url', did you mean 'upstreams.api.url'?"),
    ("nothing", 1, "no value has the path 'nothing'"),
    ("limits", 0, "no value below 'limits' is set; --defaults prints those that apply"),
])
def test_a_path_without_a_value_is_told(etc, path, status, said):
    done = show(etc, path)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", f"greenroom: {said}\n")


def test_secrets_are_masked_wherever_they_come_from(etc):
    shown = entries(etc)
    for name in ("fixed", "named"):
        assert shown[f"credentials.{name}.secret"]["value"] == "********"
    assert shown["credentials.filed.secret"]["value"] == {"file": "secret"}
    assert shown["config.secret"]["value"] == "********"
    assert shown["config.secret"]["file"] == f"{etc}/plugins.d/webhooks.json"


def test_a_part_and_as_text(etc):
    done = show(etc, "--origin", "server")
    assert done.stdout.splitlines()[0] == f"# {etc}/greenroom.json"
    assert f"server.workers = 8  # {etc}/greenroom.json:3:56" in done.stdout.splitlines()
    assert "upstreams" not in done.stdout


def test_a_wrong_config_is_not_shown(etc):
    (etc / "greenroom.json").write_text('{"server": {"workers": "many"}}')
    done = show(etc)
    assert (done.returncode, done.stdout) == (3, "") and "server.workers: expected an integer" in done.stderr


def test_the_values_of_a_file_stand_together(etc):
    """Options of a plugin are read long after the other values of its file."""
    heads = [line for line in show(etc, "--defaults").stdout.splitlines() if line.startswith("# ")]
    assert len(heads) > 1 and len(set(heads)) == len(heads)
