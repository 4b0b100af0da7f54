"""The command line: output, exit status, and that no secret is printed."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

from support.ports import hold_port

SOURCE = os.environ["GR_SOURCE_DIR"]
BINARY = os.environ["GR_BINARY"]
PLUGINS = os.environ["GR_PLUGIN_DIR"]
LIMIT = 20 * int(os.environ.get("GR_TIME_FACTOR", "1"))
SECRET = "a-secret-that-must-not-be-seen-anywhere-0123456789"
CREDENTIALS = {"APP_ACCESS_KEY": "access-key-of-the-tests", "APP_SECRET": SECRET}


def greenroom(*words, env=CREDENTIALS, cwd="/"):
    clean = {key: value for key, value in os.environ.items() if not re.match("APP_|GREENROOM_|BASE_URL", key)}
    done = subprocess.run(
        [BINARY, *words], capture_output=True, text=True, timeout=LIMIT, env={**clean, **env}, cwd=cwd
    )
    assert "Sanitizer" not in done.stderr, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done


@pytest.fixture
def etc(tmp_path):
    """A copy of the config of the source tree, for changes."""
    directory = tmp_path / "etc"
    (directory / "plugins.d").mkdir(parents=True)
    config = json.loads(open(os.path.join(SOURCE, "etc", "greenroom.json")).read())
    config.setdefault("plugins", {})["directory"] = PLUGINS
    (directory / "greenroom.json").write_text(json.dumps(config))
    for name in ("rooms", "token"):
        shutil.copy(os.path.join(SOURCE, "etc", "plugins.d", f"{name}.json"), directory / "plugins.d")
    return directory


# --- help and dispatch ---


def test_help_lists_every_command_and_exit_status():
    done = greenroom("--help")
    assert done.returncode == 0 and done.stderr == ""
    for word in ("run", "check", "routes", "plugins", "token", "config", "openapi"):
        assert re.search(rf"^  {word}\b", done.stdout, re.M), word
    assert [line[2] for line in done.stdout.split("exit status:")[1].splitlines() if line] == list("01234")


def commands_of(page):
    return re.findall(r"^  (\w+)(?: |$)", page.partition("\ncommands")[2].partition("\n\n")[0], re.M)


def test_every_command_has_a_page_of_its_own():
    names = commands_of(greenroom("--help").stdout)
    assert len(names) > 10
    pages = [greenroom(name, "--help") for name in names]
    assert len({page.stdout for page in pages}) == len(names)
    for name, page in zip(names, pages):
        assert page.returncode == 0 and page.stdout.startswith(f"usage: greenroom [-c DIR] {name}")
        for flag in re.findall(r"(--[a-z]+)", page.stdout.splitlines()[0]):
            assert re.search(rf"^  (-\w,|   ) {flag}\b.*  \S", page.stdout, re.M), (name, flag)


def test_the_parts_of_a_command_have_pages():
    page = greenroom("keys", "add", "--help").stdout
    assert page.startswith("usage: greenroom [-c DIR] keys add [--scope SCOPE]…") and "Make a key and print it" in page
    assert greenroom("keys", "--help").stdout.startswith("usage: greenroom [-c DIR] keys list | add | ")


def test_keys_are_made_before_the_state_directory_is(etc):
    state = etc.parent / "var" / "lib" / "state"
    done = greenroom("-c", str(etc), "keys", "add", "x", "--scope", "*", env={"STATE_DIRECTORY": str(state)})
    assert done.returncode == 0 and (state / "keys.json").is_file(), done.stderr
    done = greenroom("-c", str(etc), "keys", "add", "x", "--scope", "*", env={"STATE_DIRECTORY": "/proc/state"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "greenroom: keys: state_directory: /proc/state: No such file or directory\n"


def test_version_names_the_libraries():
    done = greenroom("--version")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"greenroom \d+\.\d+\.\d+ \(plugin ABI \d+\.\d+\)", lines[0])
    for library in ("civetweb", "libcurl", "OpenSSL", "jansson"):
        assert [line for line in lines[1:] if line.startswith(library)], library


@pytest.mark.parametrize(
    "words,line",
    [
        (["chek"], "greenroom: 'chek' is not a command, did you mean 'check'?"),
        (["frobnicate"], "greenroom: 'frobnicate' is not a command of greenroom or of a plugin; see greenroom --help"),
        (["routes", "--jsn"], "greenroom: unknown option '--jsn', did you mean '--json'?\nusage: greenroom [-c DIR] routes "),
        (["routes", "--verbose=2"], "greenroom: unknown option '--verbose'\nusage: greenroom [-c DIR] routes "),
        (["-c"], "greenroom: '-c' needs a directory"),
        (["-c", f"{SOURCE}/etc/greenroom.json", "check"], f"greenroom: '{SOURCE}/etc/greenroom.json' is a file, expected the "
                                                          f"directory that it is in: -c {SOURCE}/etc\n"),
        (["keys", "add", "a b", "--scope", "*"], "greenroom: keys: 'a b' is not a name: expected 1 to 64 letters"),
        (["keys", "add", "x", "--scope", "rooms"], "greenroom: keys: 'rooms' is not a scope: expected one like rooms:read"),
        (["explain", "GET", "/", "-H", "word"], "greenroom: explain: -H: expected 'NAME: VALUE'\nusage: greenroom "),
        (["config", "schema", "rooms"], "greenroom: config: the schema of a group is printed with --plugin\nusage: greenroom "),
        (["help"], "greenroom: 'help' is not a command, did you mean '--help'?\n"),
        (["version"], "greenroom: 'version' is not a command, did you mean '--version'?\n"),
        (["-V"], "greenroom: '-V' is not a command, did you mean '--version'?\n"),
        (["doc"], "greenroom: doc: expected greenroom.8|greenroom.json.5|greenroom-plugin.7|greenroom.bash|_greenroom\n"),
        (["token", "join", "--room", "r"], "greenroom: token: a join token needs --room and --role"),
        (["token", "banana"], "greenroom: token: expected 'management' or 'join'"),
        (["token", "join", "--room"], "greenroom: '--room' needs a value"),
        (["plugins", "disable"], "greenroom: plugins: expected NAME\nusage: greenroom [-c DIR] plugins disable NAME"),
        (["plugins", "disable", "../x"], "greenroom: plugins: a name may only have letters, digits, '_', '-' and '.'"),
        (["check", "more"], "greenroom: check: unexpected 'more'\nusage: greenroom [-c DIR] check "),
        (["explain", "GET"], "greenroom: explain: expected METHOD PATH\nusage: greenroom [-c DIR] explain "),
        (["keys", "add", "backend"], "greenroom: keys: a key without a scope may do nothing: give one with --scope\n"
                                     "usage: greenroom [-c DIR] keys add "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_status_2(words, line):
    done = greenroom(*words)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(line), done.stderr


# --- check ---


def test_check_is_quiet_about_a_sound_config(etc):
    done = greenroom("check", "-c", str(etc))
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rf"{etc}: fine: 2 plugins, \d+ routes\n", done.stdout)
    assert done.stderr == ""


@pytest.mark.parametrize("names, counted", [([], "0 plugins"), (["token"], "1 plugin"), (["token", "rooms"], "2 plugins")])
def test_a_noun_fits_its_count(etc, names, counted):
    for file in (etc / "plugins.d").iterdir():
        if file.stem not in names:
            file.unlink()
    done = greenroom("check", "-c", str(etc), env={**CREDENTIALS, "STATE_DIRECTORY": str(etc)})
    assert done.stdout.startswith(f"{etc}: fine: {counted}, "), done.stdout + done.stderr


def place(etc, name):
    """LINE:COLUMN of the only member with this name."""
    for number, line in enumerate((etc / "greenroom.json").read_text().splitlines(), 1):
        if f'"{name}":' in line:
            return f"{number}:{line.index(name)}"
    raise AssertionError(name)


def test_check_says_every_problem_and_where(etc):
    config = json.loads((etc / "greenroom.json").read_text())
    config["server"]["workers"] = "many"
    config["upstreams"]["api"]["credential"] = "100mss"
    (etc / "greenroom.json").write_text(json.dumps(config, indent=2))
    (etc / "plugins.d" / "rooms.json").write_text('{\n  "library": "rooms.so",,\n}')
    done = greenroom("check", "-c", str(etc))
    assert done.returncode == 3 and done.stdout == ""
    assert done.stderr.splitlines() == [
        f'{etc}/greenroom.json:{place(etc, "workers")}: server.workers: expected an integer from 1 to 4096, found "many"',
        f'{etc}/greenroom.json:{place(etc, "credential")}: upstreams.api.credential: no credential is called "100mss", did you mean "100ms"?',
        f"{etc}/plugins.d/rooms.json:3:1: expected the name of a key in double quotes, or '}}'",
    ]


@pytest.mark.parametrize("word", ["check", "run"])
def test_missing_credentials_are_named(etc, word):
    done = greenroom(word, "-c", str(etc), env={})
    assert done.returncode == 3
    for name in ("APP_ACCESS_KEY", "APP_SECRET"):
        assert len(re.findall(f"the environment variable {name} is not set: set it, or put", done.stderr)) == 1


def test_check_tells_who_has_a_port(etc):
    port, held = hold_port()
    with socket.create_server(("127.0.0.1", port)):
        config = json.loads((etc / "greenroom.json").read_text())
        config["server"]["listen"] = f"127.0.0.1:{port}"
        config["admin"]["listen"] = "127.0.0.1:0"
        (etc / "greenroom.json").write_text(json.dumps(config))
        assert greenroom("check", "-c", str(etc)).returncode == 0
        done = greenroom("check", "--listen", "-c", str(etc))
    name = open(f"/proc/{os.getpid()}/comm").read().strip()
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (f"greenroom: cannot listen on {config['server']['listen']}: Address already in use, "
                           f"by process {os.getpid()} ({name})\n")
    with held:
        done = greenroom("check", "--listen", "-c", str(etc))
    assert done.returncode == 0 and ": fine: " in done.stdout, done.stderr


def test_no_config_at_all(tmp_path):
    done = greenroom("check", "-c", str(tmp_path / "nowhere"))
    assert done.returncode == 3
    assert done.stderr == f"{tmp_path}/nowhere/greenroom.json: cannot be read: No such file or directory\n"


def test_where_the_config_is_looked_for(etc, tmp_path):
    assert greenroom("check", cwd=tmp_path).stdout.startswith("etc: fine")
    assert greenroom("check", env={**CREDENTIALS, "GREENROOM_CONFIG": str(etc)}).stdout.startswith(f"{etc}: fine")


# --- lists ---


def test_routes_need_no_credentials(etc):
    done = greenroom("routes", "-c", str(etc), env={})
    assert done.returncode == 0, done.stderr
    assert re.match(r"METHOD +PATH +ID +SCOPE +GROUP +SUMMARY\n", done.stdout)
    assert re.search(r"^POST +/token +token\.create +tokens:write +token +\S", done.stdout, re.M)
    assert re.search(r"^GET +/rooms/\{roomId\} +rooms\.get +rooms:read +rooms +\S", done.stdout, re.M)


def test_routes_as_json_and_markdown_tell_the_same(etc):
    rows = json.loads(greenroom("routes", "--json", "-c", str(etc)).stdout)
    markdown = greenroom("routes", "--markdown", "-c", str(etc)).stdout
    assert len(rows) >= 7 and len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert f"`{row['id']}`" in markdown and f"| {row['method']} | `{row['path']}`" in markdown


def test_a_disabled_group_leaves_the_routes(etc):
    assert greenroom("plugins", "disable", "rooms", "-c", str(etc)).returncode == 0
    rows = json.loads(greenroom("routes", "--json", "-c", str(etc)).stdout)
    assert not [row for row in rows if row["group"] == "rooms"]


def test_plugins_lists_broken_ones_beside_the_others(etc):
    (etc / "plugins.d" / "absent.json").write_text("{}")
    (etc / "plugins.d" / "token.json").write_text('{"enabled": false}')
    done = greenroom("plugins", "-c", str(etc), env={})
    assert done.returncode == 0, done.stderr
    assert re.search(r"^absent +\S.*absent\.so: No such file or directory", done.stdout, re.M), done.stdout
    assert re.search(r"^rooms +loaded +\d+\.\d+\.\d+ +\S", done.stdout, re.M), done.stdout
    assert re.search(r"^token +disabled", done.stdout, re.M), done.stdout
    listed = json.loads(greenroom("plugins", "list", "--json", "-c", str(etc)).stdout)
    assert [row["name"] for row in listed] == ["absent", "rooms", "token"]


# --- switching groups ---


def test_switching_changes_one_word(etc):
    file = etc / "plugins.d" / "rooms.json"
    text = '{"routes":  {"rooms.get": {"enabled": true}},\n\t"enabled":true , "library": "rooms.so" }'
    file.write_text(text)
    os.chmod(file, 0o640)
    done = greenroom("plugins", "disable", "rooms", "-c", str(etc), env={})
    assert done.returncode == 0 and done.stdout.startswith("rooms: disabled;")
    assert file.read_text() == text.replace(':true ,', ':false ,')
    assert file.stat().st_mode & 0o777 == 0o640
    assert greenroom("plugins", "disable", "rooms", "-c", str(etc)).stdout == "rooms: is already disabled\n"
    assert greenroom("plugins", "enable", "rooms", "-c", str(etc)).returncode == 0
    assert file.read_text() == text
    assert sorted(os.listdir(etc / "plugins.d")) == ["rooms.json", "token.json"]


def test_an_unknown_group_cannot_be_switched(etc):
    done = greenroom("plugins", "disable", "roms", "-c", str(etc))
    assert done.returncode == 1
    assert done.stderr == f"greenroom: there is no plugin 'roms' in {etc}/plugins.d, did you mean 'rooms'?\n"


def test_enabling_a_shared_object_without_a_file_writes_one(etc):
    os.unlink(etc / "plugins.d" / "rooms.json")
    assert greenroom("plugins", "enable", "rooms", "-c", str(etc)).returncode == 0
    assert json.loads((etc / "plugins.d" / "rooms.json").read_text()) == {"library": "rooms.so", "enabled": True}


def test_a_broken_file_is_not_touched(etc):
    file = etc / "plugins.d" / "rooms.json"
    file.write_text('{"enabled": true')
    done = greenroom("plugins", "disable", "rooms", "-c", str(etc))
    assert done.returncode == 3 and f"{file}:1:" in done.stderr
    assert file.read_text() == '{"enabled": true'


# --- tokens ---


def claims(done):
    assert done.returncode == 0, done.stderr
    head, body, _ = done.stdout.strip().split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["alg"] == "HS256"
    return json.loads(base64.urlsafe_b64decode(body + "=="))


def test_a_management_token(etc):
    token = claims(greenroom("token", "management", "-c", str(etc)))
    assert token["type"] == "management" and token["access_key"] == CREDENTIALS["APP_ACCESS_KEY"]
    assert token["exp"] - token["iat"] == 86400 and abs(token["iat"] - time.time()) < 120


def test_a_join_token(etc):
    words = ["--room", "r1", "--role=guest", "--user", "u1", "--expires", "90m"]
    token = claims(greenroom("token", "join", *words, "-c", str(etc)))
    assert (token["type"], token["room_id"], token["role"], token["user_id"]) == ("app", "r1", "guest", "u1")
    assert token["exp"] - token["iat"] == 5400 and token["version"] == 2


@pytest.mark.parametrize("expires", ["48h", "soon", "0", "-1h"])
def test_lifetimes_outside_of_the_config_are_refused(etc, expires):
    done = greenroom("token", "join", "--room", "r", "--role", "x", "--expires", expires, "-c", str(etc))
    assert done.returncode == 2 and done.stdout == ""
    assert "--expires: " in done.stderr


# --- documents ---


def test_the_schema_in_etc_is_up_to_date():
    done = greenroom("config", "schema")
    assert done.returncode == 0
    with open(os.path.join(SOURCE, "etc", "greenroom.schema.json")) as file:
        assert file.read() == done.stdout, "greenroom config schema > etc/greenroom.schema.json"


def test_the_reference_in_etc_is_up_to_date():
    done = greenroom("config", "reference")
    assert done.returncode == 0
    with open(os.path.join(SOURCE, "etc", "README.md")) as file:
        assert file.read().endswith(done.stdout), "greenroom config reference belongs to the end of etc/README.md"


def test_the_table_of_routes_is_up_to_date():
    done = greenroom("routes", "--markdown", "-c", os.path.join(SOURCE, "etc"))
    assert done.returncode == 0
    with open(os.path.join(SOURCE, "plugins", "ROUTES.md")) as file:
        assert file.read().endswith("\n\n" + done.stdout), "scripts/gen-docs writes plugins/ROUTES.md anew"
    listed = json.loads(greenroom("routes", "--json", "-c", os.path.join(SOURCE, "etc")).stdout)
    assert len(done.stdout.split("\n| ")) - 1 >= len(listed) > 120
    for route in listed:
        row = f"| {route['method']} | `{route['path']}`" + (f"<br>`{route['alias']}`" if "alias" in route else "")
        assert f"{row} | `{route['id']}` |" in done.stdout


def test_the_schema_of_a_plugin_file(etc):
    schema = json.loads(greenroom("config", "schema", "--plugin", "rooms", "-c", str(etc)).stdout)
    assert set(schema["properties"]) == {"$schema", "library", "enabled", "prefix", "config", "routes", "calls_max",
                                         "isolation", "process", "idempotency"}
    assert schema["properties"]["config"]["additionalProperties"] is False


def references(value):
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "$ref":
                yield member
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def test_openapi_describes_every_route(etc):
    document = json.loads(greenroom("openapi", "-c", str(etc), env={}).stdout)
    rows = json.loads(greenroom("routes", "--json", "-c", str(etc)).stdout)
    admin = [row for row in rows if row["group"] in ("metrics", "docs", "status")]
    assert admin and not [row for row in admin if row["path"] in document["paths"]]
    rows = [row for row in rows if row not in admin]
    assert document["openapi"] == "3.1.0"
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    for row in rows:
        operation = document["paths"][row["path"]][row["method"].lower()]
        assert operation["operationId"] == row["id"] and operation["responses"]
        named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", row["path"]))
        if row["access"] == "caller" and row.get("scope"):
            assert operation["x-scope"] == row["scope"] and operation["security"] == []
    for reference in references(document):
        at = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]
    token = document["paths"]["/token"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert token["required"] == ["roomId", "role"]


# --- the environment ---


def line_of(process, pattern):
    """The first line of the log that matches; the log ends when the process does."""
    seen = []
    for line in process.stderr:
        assert SECRET not in line
        seen.append(line)
        found = re.search(pattern, line)
        if found:
            return found
    pytest.fail("".join(seen))


def test_secrets_leave_the_environment_and_a_reload_still_has_them(etc):
    config = json.loads((etc / "greenroom.json").read_text())
    config["server"] = {"listen": "127.0.0.1:0", "workers": 2}
    del config["admin"]
    (etc / "greenroom.json").write_text(json.dumps(config))
    with subprocess.Popen(
        [BINARY, "-c", str(etc)], stderr=subprocess.PIPE, text=True, env={**os.environ, **CREDENTIALS}
    ) as process:
        watchdog = threading.Timer(LIMIT, process.kill)
        watchdog.start()
        try:
            port = int(line_of(process, r"listening on http://127\.0\.0\.1:(\d+)")[1])
            line_of(process, "ready after")
            with open(f"/proc/{process.pid}/environ", "rb") as file:
                assert SECRET.encode() not in file.read()
            process.send_signal(signal.SIGHUP)
            line_of(process, "reloaded: ")
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/token",
                b'{"roomId": "r", "role": "guest"}',
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=LIMIT) as answer:
                assert answer.status == 201
            process.send_signal(signal.SIGTERM)
            line_of(process, "stopped")
            assert process.wait(LIMIT) == 0
        finally:
            watchdog.cancel()
            process.kill()


# --- commands of plugins ---


@pytest.fixture
def commands(etc):
    library = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins", "commands.so")
    config = {"library": library, "config": {"greeting": "welcome", "key": "${COMMANDS_SECRET}"}}
    (etc / "plugins.d" / "commands.json").write_text(json.dumps(config))
    return etc


KEYED = {**CREDENTIALS, "COMMANDS_SECRET": SECRET}


def test_a_plugin_brings_a_command_with_options_and_store(commands):
    for number in (1, 2):
        done = greenroom("greet", "ada", "-c", str(commands), env={**KEYED, "STATE_DIRECTORY": str(commands)})
        assert (done.returncode, done.stdout, done.stderr) == (0, f"welcome ada, {number}\n", "")
    assert (commands / "greenroom.db").exists()


def test_a_plugin_command_of_two_words_stands_beside_greenrooms_own(commands):
    done = greenroom("token", "greet", "-c", str(commands), "--", "-c", "x", env=KEYED)
    assert (done.returncode, done.stdout) == (7, "greet\n--\n-c\nx\n")
    assert claims(greenroom("token", "management", "-c", str(commands), env=KEYED))["type"] == "management"
    assert greenroom("token", "great", "-c", str(commands), env=KEYED).returncode == 2


def test_a_plugin_command_used_wrongly_shows_its_usage(commands):
    done = greenroom("greet", "-c", str(commands), env=KEYED)
    assert (done.returncode, done.stderr) == (2, "usage: greenroom [-c DIR] greet NAME\n")


def test_a_plugin_command_wants_a_sound_config(commands):
    done = greenroom("greet", "ada", "-c", str(commands))
    assert done.returncode == 3 and done.stdout == ""
    assert "config.key: the environment variable COMMANDS_SECRET is not set" in done.stderr


def test_help_shows_the_commands_of_plugins(commands):
    done = greenroom("--help", "-c", str(commands), env={})
    assert re.search(r"^  greet NAME\n      Greet somebody \(commands\)$", done.stdout, re.M), done.stdout
    assert done.stderr == ""


# --- closed descriptors ---


def test_closed_descriptors_are_not_written_into(etc, tmp_path):
    """The lock file would get descriptor 1, and the key would be printed into it. A key that was not printed is not valid."""
    config = json.loads((etc / "greenroom.json").read_text())
    config["auth"] = {"keys": {"file": str(tmp_path / "keys.json")}}
    (etc / "greenroom.json").write_text(json.dumps(config))
    done = subprocess.run(["bash", "-c", '"$@" >&-', "bash", BINARY, "-c", str(etc), "keys", "add", "x", "--scope",
                           "rooms:*"], capture_output=True, text=True, timeout=LIMIT, env={**os.environ, **CREDENTIALS})
    assert done.returncode == 1
    assert done.stderr.endswith("greenroom: cannot write to standard output\n"
                                "greenroom: keys: the new key could not be shown, so it is not valid\n")
    written = [file.read_text() for file in tmp_path.glob("keys.json*")]
    assert written and not any("gr_" in text for text in written)
    listed = greenroom("keys", "list", "--json", "-c", str(etc))
    assert listed.returncode == 0 and json.loads(listed.stdout) == []


@pytest.mark.parametrize("words", [["routes"], ["openapi"], ["audit", "--rules"], ["config", "show"], ["plugins"], ["check"],
                                   ["keys", "list"], ["token", "management"], ["--help"], ["--version"]], ids=" ".join)
def test_output_that_is_lost_is_a_failure(etc, words):
    config = json.loads((etc / "greenroom.json").read_text())
    config["auth"] = {"keys": {"file": str(etc / "keys.json")}}
    (etc / "greenroom.json").write_text(json.dumps(config))
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "-c", str(etc), *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=LIMIT,
                              env={**os.environ, **CREDENTIALS})
    assert done.returncode == 1
    assert "cannot write to standard output" in done.stderr


def test_overrides_that_are_misspelt(etc):
    file = etc / "plugins.d" / "rooms.json"
    for routes, problem in (
        ({"rooms.gte": {}}, 'rooms.json:1:36: routes.rooms.gte: no route of this plugin has that id, did you mean "rooms.get"?'),
        ({"rooms.get": {"cahce": "2s"}}, 'rooms.json:1:50: routes.rooms.get.cahce: unknown key, did you mean "cache"?'),
        ({"rooms.create": {"cache": "2s"}}, "rooms.json:1:53: routes.rooms.create.cache: expected to be on a GET route that forwards"),
    ):
        file.write_text(json.dumps({"library": "rooms.so", "routes": routes}))
        done = greenroom("check", "-c", str(etc))
        assert done.returncode == 3
        assert done.stderr == f"{etc}/plugins.d/{problem}\n"
