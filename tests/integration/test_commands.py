"""Rules for all commands that the program lists: a help page, wrong options, JSON output, exit statuses.

The commands are read from greenroom --help, and their parts and flags from the pages that it leads to. So a new command is
tested as soon as it is listed. The test of a command with an argument of an unknown name fails until WORDS has a value for it.
"""

import atexit
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from support.gateway import BINARY, Gateway
from support.upstream import TIMEOUT

ETC = os.path.join(os.environ["GR_SOURCE_DIR"], "etc")
ENV = {**{name: value for name, value in os.environ.items() if not re.match("APP_|GREENROOM_|BASE_URL|STATE_", name)},
       "APP_ACCESS_KEY": "access-key", "APP_SECRET": "a-secret-of-the-tests-0123456789abcdef"}

# The values for the names of arguments in a usage line.
WORDS = {"METHOD": "GET", "PATH": "/rooms", "OPERATION": "rooms.list", "NAME": "rooms", "NAME|ID": "none", "EVENT": "none",
         "TARGET": "none", "FILE": os.path.abspath(f"{os.environ['GR_PLUGIN_DIR']}/rooms.so"), "CASES.json": "none.json",
         "FROM": "sqlite:/nonexistent/from.db", "TO": "sqlite:/nonexistent/to.db", "ACCOUNT": "none"}


def greenroom(*words, config=None, env=ENV):
    return subprocess.run([BINARY, "-c", str(config or SMALL), *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=TIMEOUT * 2, env=env)


def usage_of(*words):
    """The part of the usage line that follows the command's name."""
    line = greenroom(*words, "--help").stdout.partition("\n")[0]
    return line.removeprefix(f"usage: greenroom [-c DIR] {' '.join(words)}").strip()


def small_config():
    """A config with the groups of etc that have commands. Without the others the commands start faster."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="greenroom-commands-"))
    atexit.register(shutil.rmtree, directory)
    (directory / "plugins.d").mkdir()
    shutil.copy(f"{ETC}/greenroom.json", directory)
    listed = greenroom("--help", config=ETC).stdout.partition("commands of plugins:\n")[2]
    for group in set(re.findall(r"^      .*\((\w+)\)$", listed, re.M)):
        shutil.copy(f"{ETC}/plugins.d/{group}.json", directory / "plugins.d")
    return str(directory)


def commands():
    """The commands: a tuple of the one or two words of each, and the rest of its usage line."""
    own, _, plugins = greenroom("--help").stdout.partition("\ncommands (")[2].partition("\n\nexit status")[0].partition(
        "\n\ncommands of plugins:\n")
    found = []
    for name in re.findall(r"^  ([\w-]+)(?: |$)", own, re.M):
        usage = usage_of(name)
        parts = usage.removesuffix(" …").split(" | ") if usage.endswith(" …") else []
        found += [(name, part) for part in parts] or [(name,)]
    found += [tuple(line.split()[:2]) for line in re.findall(r"^  (\w.*)$", plugins, re.M)]
    return {words: usage_of(*words) for words in found}


SMALL = small_config()
COMMANDS = commands()
PLUGIN_COMMANDS = {tuple(line.split()[:2]) for line in re.findall(
    r"^  (\w.*)$", greenroom("--help").stdout.partition("commands of plugins:\n")[2], re.M)}
each_command = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)


def given(usage):
    """The arguments that a command needs: those in its usage line without brackets; of alternatives the first."""
    rest = re.sub(r"\[[^\]]*\]…?", "", usage)
    return [WORDS.get(word, word) if word.isupper() or word in WORDS else word for word in rest.partition(" | ")[0].split()]


def test_the_list_is_complete():
    """The commands of the host, their subcommands, and the commands of plugins."""
    assert {("check",), ("keys", "add"), ("webhooks", "list"), ("token", "agent")} <= set(COMMANDS) and len(COMMANDS) > 35


@each_command
def test_it_has_a_page_of_its_own(words):
    done = greenroom(*words, "--help")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(rf"usage: greenroom \[-c DIR\] {' '.join(words)}( |$)", lines[0])
    assert lines[1] == "" and re.match(r"[A-Z].*\S$", lines[2])
    for flag in re.findall(r"\[(--?[\w-]+)", COMMANDS[words]):
        assert re.search(rf"^ .*(?<!\S){flag}\b.*  \S", done.stdout, re.M), flag


@each_command
def test_an_unknown_option_is_wrong_usage(words):
    """The host reports a wrong option before it reads the config. Only for commands of plugins it needs the config first."""
    done = greenroom(*words, "--no-such-option", config=SMALL if words in PLUGIN_COMMANDS else "/nonexistent")
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()[:2]
    assert first == "greenroom: unknown option '--no-such-option'"
    assert second == f"usage: greenroom [-c DIR] {' '.join(words)} {COMMANDS[words]}".rstrip()


@pytest.mark.parametrize("words", [words for words, usage in COMMANDS.items() if "[--" in usage], ids=" ".join)
def test_a_misspelt_option_is_corrected(words):
    flag = max(re.findall(r"\[(--[\w-]+)", COMMANDS[words]), key=len)
    done = greenroom(*words, flag[:3] + flag[4:] if len(flag) > 5 else flag + "x")
    assert done.returncode == 2
    assert re.match(r"greenroom: unknown option '\S+', did you mean '--[\w-]+'\?\n", done.stderr), done.stderr


@pytest.mark.parametrize("words", [words for words, usage in COMMANDS.items() if not usage.endswith("…")], ids=" ".join)
def test_a_word_too_many_is_wrong_usage(words):
    """No command has more than three optional arguments."""
    done = greenroom(*words, *given(COMMANDS[words]), "more", "more", "more", "more")
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert f"usage: greenroom [-c DIR] {' '.join(words)}" in done.stderr


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A running gateway with groups that have commands."""
    directory = tmp_path_factory.mktemp("commands")
    gateway = Gateway(directory, {"store": "sqlite:greenroom.db", "state_directory": str(directory),
                                  "upstreams": {"api": {"url": "http://127.0.0.1:1/v2"}},
                                  "auth": {"none": {"scopes": ["*"]}, "keys": {"file": str(directory / "keys.json")}}},
                      {"rooms": {}, "webhooks": {"config": {"secret": "s"}}, "accounts": {}, "agents": {}}, env=ENV)
    with gateway:
        yield gateway


def json_words(words):
    return (*words, *given(COMMANDS[words]), "--json", *(["--all"] if "[--all]" in COMMANDS[words] else []))


JSON = [words for words, usage in COMMANDS.items() if "[--json]" in usage]


@pytest.mark.parametrize("words", JSON, ids=" ".join)
def test_json_is_one_document(words, running):
    done = running.run(*json_words(words))
    assert done.returncode in (0, 1), done.stderr
    if done.stdout or done.returncode == 0:
        assert isinstance(json.loads(done.stdout), (dict, list))
        assert done.stdout.endswith("\n")
    else:
        assert re.match(r"greenroom: \S", done.stderr)


STATUSES = {int(status) for status in re.findall(r"^  (\d)  ", greenroom("--help").stdout.partition("exit status:")[2], re.M)}


@pytest.mark.parametrize("words", [words for words in COMMANDS if words != ("dev",)], ids=" ".join)
def test_without_a_config_the_status_is_one_of_the_table(words, tmp_path):
    """The exit status is 3 and the message names the file. Commands that need no config succeed or fail for another reason."""
    words = (*words, *given(COMMANDS[words]))
    done = greenroom(*words, config=tmp_path / "none", env={**ENV, "STATE_DIRECTORY": str(tmp_path)})
    assert done.returncode in STATUSES
    if done.returncode == 3:
        assert re.search(r"/none/greenroom\.json: cannot be read: No such file|none\.json: No such file", done.stderr)
    elif done.returncode:
        assert re.search(r"^greenroom: \S", done.stderr, re.M), done.stderr
