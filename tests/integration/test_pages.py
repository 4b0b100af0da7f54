"""Man pages and completions, which the program prints from the rows of its commands and its config."""

import functools
import json
import os
import re
import shutil
import subprocess

import pytest

from support.gateway import BINARY, PLUGIN_DIR
from support.upstream import TIMEOUT

MAN = ["greenroom.8", "greenroom.json.5", "greenroom-plugin.7"]


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, **more)


@functools.lru_cache
def page(name):
    done = run(BINARY, "doc", name)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@functools.lru_cache
def commands():
    """Each command and subcommand with its flags."""
    found = {}
    listed = run(BINARY, "--help").stdout.partition("\ncommands")[2].partition("\n\n")[0]
    for name in re.findall(r"^  (\w+)(?: |$)", listed, re.M):
        text = run(BINARY, name, "--help").stdout
        parts = re.findall(r"^  (\w+)(?: |$)", text, re.M)
        for words in [[name, part] for part in parts] or [[name]]:
            help_text = run(BINARY, *words, "--help").stdout
            found[" ".join(words)] = re.findall(r"^  (?:-\w, |    )(--[a-z]+)", help_text, re.M)
    return found


def plain(text):
    return re.sub(r"\\f[BIR]", "", text).replace("\\-", "-").replace("\\e", "\\")


@pytest.mark.parametrize("name", MAN)
def test_man_finds_nothing_wrong_with_a_page(name, tmp_path):
    if not shutil.which("man") or not shutil.which("groff"):
        pytest.skip("man or groff is not installed")
    (tmp_path / name).write_text(page(name))
    done = run("man", "--warnings", "-l", str(tmp_path / name), env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, "") and "NAME\n" in done.stdout


@pytest.mark.parametrize("name", MAN)
def test_mandoc_finds_nothing_wrong_with_a_page(name, tmp_path):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    (tmp_path / name).write_text(page(name))
    done = run("mandoc", "-T", "lint", str(tmp_path / name))
    assert (done.returncode, done.stdout) == (0, "")


def test_the_day_of_a_page_is_that_of_its_source():
    done = run(BINARY, "doc", "greenroom.8", env={**os.environ, "SOURCE_DATE_EPOCH": "86400"})
    assert re.search(r'^\.TH GREENROOM 8 1970-01-02 "greenroom [\d.]+" "Greenroom"$', done.stdout, re.M)


def test_the_example_of_the_page_is_a_config(tmp_path):
    [example] = re.findall(r"^\.nf\n\.RS 4\n(.*?)^\.RE$", plain(page("greenroom.json.5")), re.M | re.S)
    (tmp_path / "greenroom.json").write_text(example)
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d" / "rooms.json").write_text('{"library": "rooms.so"}')
    assert '{"library": "rooms.so"}' in plain(page("greenroom.json.5"))
    done = run(BINARY, "check", "-c", str(tmp_path),
               env={**os.environ, "APP_ACCESS_KEY": "k", "APP_SECRET": "s" * 40, "STATE_DIRECTORY": str(tmp_path)})
    assert done.returncode == 0 and ": fine: 1 plugin, " in done.stdout, done.stderr


def test_the_page_of_the_program_has_every_command_and_flag():
    text = plain(page("greenroom.8"))
    every = commands()
    assert len(every) > 15 and every["keys add"][:2] == ["--scope", "--room"]
    sections = {part.split("\n", 1)[0]: part for part in re.split(r"^\.SS ", text, flags=re.M)[1:]}
    for name, flags in every.items():
        [section] = [body for head, body in sections.items() if head == name or head.startswith(f"{name} ")]
        for flag in flags:
            assert re.search(rf"^\.TP\n(-\w, )?{flag}\b", section, re.M), (name, flag)
    rules = [line.split()[0] for line in run(BINARY, "audit", "--rules").stdout.splitlines()]
    assert rules and all(f"\n{rule} (" in text for rule in rules)


def test_the_page_of_the_config_has_every_key():
    text = plain(page("greenroom.json.5"))
    keys = re.findall(r"^\| `([^`]+)`", run(BINARY, "config", "reference").stdout, re.M)
    assert len(keys) > 80
    for key in keys:
        assert re.search(rf"^{re.escape(key)} \(", text, re.M), key


def test_the_page_of_plugins_has_every_error():
    header = open(os.path.join(os.environ["GR_SOURCE_DIR"], "include", "greenroom", "plugin.h")).read()
    names = re.findall(r"X\((GR_(?:OK|ERR_\w+)),", header)
    assert len(names) > 15 and all(f"\n{name} (" in plain(page("greenroom-plugin.7")) for name in names)


def test_the_commands_of_plugins_are_in_the_page_and_the_completions(tmp_path):
    etc = os.path.join(os.environ["GR_SOURCE_DIR"], "etc")
    text = plain(run(BINARY, "-c", etc, "doc", "greenroom.8").stdout)
    section = text.partition(".SS webhooks replay\n")[2].partition(".SS")[0]
    assert "Send again what was given up" in section and "--room-id" in section and "A command of the plugin webhooks." in section
    script = tmp_path / "greenroom.bash"
    script.write_text(run(BINARY, "-c", etc, "doc", "greenroom.bash").stdout)
    assert complete(script, "webhooks", "re") == ["replay", "resume"]
    assert {"--state", "--since", "--json"} <= set(complete(script, "webhooks", "list", "--"))
    assert complete(script, "webhooks", "list", "--state", "d") == ["delivered", "dead"]
    assert complete(script, "webh") == ["webhooks"]


def test_an_unknown_page():
    assert run(BINARY, "doc", "greenroom.1").returncode == 2


# --- completion ---


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    file = tmp_path_factory.mktemp("completion") / "greenroom.bash"
    file.write_text(page("greenroom.bash"))
    return file


def complete(script, *words, cwd=None):
    """The completions that bash offers for the last word."""
    line = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; _greenroom; '
            'printf "%s\\n" "${COMPREPLY[@]}"')
    done = run("bash", "-c", line, "bash", str(script), BINARY, *words, cwd=cwd)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_parts_and_flags(script):
    every = commands()
    assert set(complete(script, "")) == {name.split()[0] for name in every} | {"--config", "--help", "--version"}
    assert complete(script, "che") == ["check"]
    for name, flags in every.items():
        words = name.split()
        offered = complete(script, *words, "--")
        assert set(flags) <= set(offered), name
        if len(words) == 2:
            assert words[1] in complete(script, words[0], "")
    assert complete(script, "routes", "--method", "P") == ["POST", "PUT", "PATCH"]


def test_bash_completes_the_names_of_groups_and_operations(script, tmp_path):
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d" / "rooms.json").write_text("{}")
    (tmp_path / "greenroom.json").write_text(
        '{"plugins": {"directory": "%s"}, "upstreams": {"api": {"url": "http://127.0.0.1:1"}}}' % os.path.abspath(PLUGIN_DIR))
    assert complete(script, "-c", str(tmp_path), "plugins", "enable", "") == ["rooms"]
    assert complete(script, "-c", str(tmp_path), "call", "rooms.ge") == ["rooms.get"]
    assert complete(script, "-c", "plug", cwd=tmp_path) == ["plugins.d"]


def test_bash_completes_values_and_the_words_of_a_command(script, tmp_path):
    (tmp_path / "plugins.d").mkdir()
    for name in ("rooms", "room_codes"):
        (tmp_path / "plugins.d" / f"{name}.json").write_text("{}")
    (tmp_path / "greenroom.json").write_text(json.dumps({
        "plugins": {"directory": os.path.abspath(PLUGIN_DIR)},
        "upstreams": {name: {"url": "http://127.0.0.1:1"} for name in ("api", "auth")}}))
    config = ("-c", str(tmp_path))
    for words, offered in [
        (("routes", "--group", ""), ["room_codes", "rooms"]),
        (("routes", "--scope", "room_c"), ["room_codes:read", "room_codes:write"]),
        (("keys", "add", "x", "--scope", "rooms:r"), ["read"]),  # readline replaces what follows the colon
        (("token", "join", "--upstream", "a"), ["api", "auth"]),
        (("explain", ""), ["GET", "POST", "PUT", "PATCH", "DELETE"]),
        (("explain", "-d", "{}", "GET", "/rooms/{"), ["/rooms/{roomId}", "/rooms/{roomId}/enable", "/rooms/{roomId}/disable"]),
        (("config", "show", "upstreams.api.breaker.e"), ["upstreams.api.breaker.enabled", "upstreams.api.breaker.error_percent"]),
        (("config", "schema", "--plugin", "rooms"), ["rooms"]),
        (("openapi", "room_"), ["room_codes"]),
        (("keys", "add", "--expires", ""), []),
        (("call", "rooms.get", ""), ["roomId="]),
        (("plugins", "list", "--js"), ["--json"]),
    ]:
        assert complete(script, *config, *words) == offered, words


def test_a_name_with_signs_of_the_shell_is_not_run(script, tmp_path):
    """Names come from a config, which another user may have written."""
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d" / "$(touch hit).json").write_text("{}")
    (tmp_path / "greenroom.json").write_text("{}")
    complete(script, "-c", str(tmp_path), "plugins", "enable", "", cwd=tmp_path)
    assert not (tmp_path / "hit").exists()


def test_shells_can_read_the_completions(script, tmp_path):
    assert run("bash", "-n", str(script)).returncode == 0
    if shutil.which("shellcheck"):
        assert run("shellcheck", "--severity=warning", str(script)).stdout == ""
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    (tmp_path / "_greenroom").write_text(page("_greenroom"))
    done = run("zsh", "-n", str(tmp_path / "_greenroom"))
    assert (done.returncode, done.stderr) == (0, "")
