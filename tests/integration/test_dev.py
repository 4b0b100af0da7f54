"""greenroom dev: after one command the first request works; nothing remains afterwards."""

import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

from support.gateway import BINARY
from support.ports import hold_port
from support.until import until
from support.upstream import TIMEOUT

ETC = os.path.join(os.environ["GR_SOURCE_DIR"], "etc")


@pytest.fixture
def env(tmp_path):
    clean = {name: value for name, value in os.environ.items()
             if not re.match(r"APP_|GREENROOM_|STATE_|\w*BASE_URL|\w*_URL$|PORT$", name)}
    ports = {name: hold_port() for name in ("PORT", "ADMIN_PORT", "SANDBOX_PORT")}
    yield {**clean, **{name: str(port) for name, (port, _) in ports.items()}}
    for _, held in ports.values():
        held.close()


def children(pid):
    return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def start(env, *words, before=()):
    """Starts greenroom dev and reads its first line. before: words of a command that runs it."""
    process = subprocess.Popen([*before, BINARY, "-c", ETC, "dev", *words], env=env, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    return process, process.stdout.readline()


def make_room(env):
    request = urllib.request.Request(f"http://127.0.0.1:{env['PORT']}/rooms", json.dumps({"name": "first-room"}).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        return json.load(answer)


def test_a_class_gets_its_rooms_from_the_services_beside_it(env, tmp_path):
    """The gateway and the services have separate state directories and must use the same secret."""
    state = tmp_path / "state"
    process, _ = start(env, "--state", str(state))
    try:
        command = [BINARY, "-c", ETC, "minigroups", "token", "admin.usr.example.org"]
        token = subprocess.run(command, env={**env, "STATE_DIRECTORY": str(state)}, capture_output=True, text=True,
                               timeout=TIMEOUT, check=True).stdout.strip()
        body = {"scope": "demo", "audience": "example.org", "host": "ada.usr.example.org"}
        request = urllib.request.Request(f"http://127.0.0.1:{env['PORT']}/api/v1/minigroups", json.dumps(body).encode(),
                                         {"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            assert answer.status == 201 and json.load(answer)["id"]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT * 2)


@pytest.mark.parametrize("kept", [False, True])
def test_the_first_request_works_and_all_ends(env, tmp_path, kept):
    process, line = start(env, *(("--state", str(tmp_path / "state")) if kept else ()))
    assert line == f"gateway  http://127.0.0.1:{env['PORT']}, in front of a sandbox\n", process.communicate()[1]
    state = re.match(r"state    (\S+?)(, deleted at the end)?\n", process.stdout.readline())
    assert bool(state[2]) != kept and os.path.isdir(state[1])
    assert make_room(env)["name"] == "first-room"
    both = children(process.pid)
    assert [pathlib.Path(f"/proc/{pid}/comm").read_text() for pid in both] == ["greenroom\n"] * 2
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT * 2)
    assert process.returncode == 0
    assert not any(os.path.exists(f"/proc/{pid}") for pid in both)
    assert os.path.isdir(state[1]) == kept


def test_when_one_of_the_two_ends_the_other_does(env):
    process, line = start(env)
    assert line.startswith("gateway "), process.communicate()[1]
    first, second = children(process.pid)
    os.kill(first, signal.SIGKILL)
    _, said = process.communicate(timeout=TIMEOUT * 2)
    assert process.returncode == 1
    assert "greenroom: the sandbox ended by itself\n" in said
    assert not os.path.exists(f"/proc/{second}")


@pytest.mark.parametrize("variable,hint", [
    ("SANDBOX_PORT", "the sandbox did not start; in the environment SANDBOX_PORT chooses its port"),
    ("PORT", "the gateway did not start; in the environment PORT and ADMIN_PORT choose its ports"),
    ("ADMIN_PORT", "the gateway did not start; in the environment PORT and ADMIN_PORT choose its ports"),
])
def test_a_port_that_is_taken(env, variable, hint):
    with socket.create_server(("127.0.0.1", int(env[variable]))):
        process, line = start(env)
        _, said = process.communicate(timeout=TIMEOUT * 2)
    assert (process.returncode, line) == (4, "")
    assert f"cannot listen on 127.0.0.1:{env[variable]}: Address already in use" in said
    assert said.endswith(f"greenroom: {hint}\n")


def test_an_address_that_cannot_be_names_the_upstream_and_its_file(env):
    process, line = start({**env, "SANDBOX_WEBHOOK_URL": "http://127.0.0.1:99999"})
    _, said = process.communicate(timeout=TIMEOUT * 2)
    assert (process.returncode, line) == (1, "")
    assert re.search(r"/sandbox\.json: upstream webhook-0\.url: expected an http or https URL", said), said


def test_a_config_that_is_broken_is_told_by_the_gateway(env, tmp_path):
    etc = tmp_path / "etc"
    shutil.copytree(ETC, etc)
    (etc / "greenroom.json").write_text("{\n")
    done = subprocess.run([BINARY, "-c", str(etc), "dev"], env=env, capture_output=True, text=True, timeout=TIMEOUT * 2)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{etc}/greenroom.json:2:" in done.stderr and done.stderr.endswith("greenroom: the gateway did not start\n")


def test_the_sandbox_begins_with_what_a_file_says(env, tmp_path):
    (tmp_path / "seed.json").write_text('{"rooms": [{"id": "6b02461eac11ba6cca0000aa", "name": "seeded"}]}')
    process, line = start({**env}, "--seed", str(tmp_path / "seed.json"), "--speed", "50")
    try:
        assert line.startswith("gateway "), process.communicate()[1]
        [sandbox, _] = children(process.pid)
        variables = pathlib.Path(f"/proc/{sandbox}/environ").read_bytes().split(b"\0")
        assert b"SANDBOX_SPEED=50" in variables
        with urllib.request.urlopen(f"http://127.0.0.1:{env['PORT']}/rooms/6b02461eac11ba6cca0000aa",
                                    timeout=TIMEOUT) as answer:
            assert json.load(answer)["name"] == "seeded"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT * 2)


@pytest.mark.parametrize("words,base,said", [
    (["--speed", "fast"], None, '--speed: expected an integer from 1 to 100000, found "fast"'),
    (["--speed", "0"], None, '--speed: expected an integer from 1 to 100000, found "0"'),
    (["--speed", "2"], "http://127.0.0.1:1/v2", "--speed: there is no sandbox, because BASE_URL names a workspace"),
    (["--seed", "DIR/none.json"], None, "--seed: DIR/none.json: No such file or directory"),
    (["--seed", "DIR"], None, "--seed: DIR: not a regular file"),
    (["--seed", "DIR/broken.json"], None, "--seed: DIR/broken.json:2:3: unexpected token near '}'"),
])
def test_what_the_sandbox_cannot_have_is_refused_before_it_starts(env, tmp_path, words, base, said):
    (tmp_path / "broken.json").write_text('{"rooms":\n  }')
    words = [word.replace("DIR", str(tmp_path)) for word in words]
    done = subprocess.run([BINARY, "-c", ETC, "dev", *words], env={**env, **({"BASE_URL": base} if base else {})},
                          capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"greenroom: {said}\n".replace("DIR", str(tmp_path)))


@pytest.mark.parametrize("seed,problem", [
    ([], "not an object"),
    ({"rooms": {}}, "rooms: not an array"),
    ({"rooms": [{"name": "a"}, {"name": "b", "template": "none", "codes": {"king": "abc"}}]},
     "rooms[1]: the template or a role is unknown"),
])
def test_a_seed_that_the_sandbox_refuses_is_named_with_the_place_in_it(env, tmp_path, seed, problem):
    (tmp_path / "seed.json").write_text(json.dumps(seed))
    done = subprocess.run([BINARY, "-c", ETC, "dev", "--seed", str(tmp_path / "seed.json")], env=env, capture_output=True,
                          text=True, timeout=TIMEOUT * 2)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot use seed file '{tmp_path}/seed.json': {problem}" in done.stderr


def test_a_state_that_is_kept_has_the_rooms_too(env, tmp_path):
    state = str(tmp_path / "state")
    process, _ = start(env, "--state", state)
    room = make_room(env)["id"]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=TIMEOUT * 2)
    process, _ = start(env, "--state", state)
    try:
        assert json.loads(fetch(f"http://127.0.0.1:{env['PORT']}/rooms/{room}")[1])["name"] == "first-room"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT * 2)
    (tmp_path / "seed.json").write_text("{}")
    done = subprocess.run([BINARY, "-c", ETC, "dev", "--state", state, "--seed", str(tmp_path / "seed.json")], env=env,
                          capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stderr) == (2, f"greenroom: --seed: {state}/sandbox/sandbox.json has the content of an "
                                                 "earlier run: remove it to begin anew\n")


def test_its_sudden_end_ends_both(env):
    """No handler runs at SIGKILL, so the kernel has to signal the child processes."""
    process, _ = start(env)
    both = children(process.pid)
    assert len(both) == 2
    watched = [os.pidfd_open(pid) for pid in both]
    process.kill()
    try:
        until(lambda: len(select.select(watched, [], [], 0)[0]) == 2, "sandbox and gateway still run")
    finally:
        for descriptor in watched:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)
        process.communicate(timeout=TIMEOUT * 2)


@pytest.mark.parametrize("ignored", ["HUP", "INT,QUIT"])
def test_a_script_stops_it_although_its_shell_ignores_signals(env, ignored):
    """nohup ignores SIGHUP; a shell that starts it in the background ignores SIGINT and SIGQUIT."""
    process, _ = start(env, before=("env", f"--ignore-signal={ignored}"))
    state = re.match(r"state +(\S+?),", process.stdout.readline())[1]
    if ignored == "HUP":
        process.send_signal(signal.SIGHUP)
        make_room(env)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT * 2)
    assert process.returncode == 0 and not os.path.exists(state)


def killed(env):
    """The directory of a run that was killed, whose processes have ended."""
    process, _ = start(env)
    state = re.match(r"state +(\S+?),", process.stdout.readline())[1]
    watched = [os.pidfd_open(pid) for pid in children(process.pid)]
    process.kill()
    until(lambda: len(select.select(watched, [], [], 0)[0]) == 2, "sandbox and gateway still run")
    for descriptor in watched:
        os.close(descriptor)
    process.communicate(timeout=TIMEOUT * 2)
    return pathlib.Path(state)


def start_in_vain(env):
    subprocess.run([BINARY, "-c", ETC, "dev", "--speed", "0"], env=env, capture_output=True, timeout=TIMEOUT, check=False)


def test_the_next_start_deletes_what_a_killed_run_has_left(env, tmp_path):
    left = killed(env)
    (tmp_path / "file").write_text("x")
    (left / "link").symlink_to(tmp_path)
    start_in_vain(env)
    assert not left.exists() and (tmp_path / "file").read_text() == "x"


def test_the_next_start_deletes_nothing_that_is_in_use(env):
    process, _ = start(env)
    state = re.match(r"state +(\S+?),", process.stdout.readline())[1]
    try:
        start_in_vain(env)
        assert os.path.exists(f"{state}/sandbox") and make_room(env)["name"] == "first-room"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT * 2)


@pytest.mark.parametrize("what", ["another program's", "open to others", "behind a link", "with a link for a lock"])
def test_the_next_start_deletes_nothing_else(env, tmp_path, what):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="greenroom-dev-", dir="/tmp"))
    place = tmp_path if what == "behind a link" else directory
    try:
        if what == "with a link for a lock":
            (tmp_path / "lock").write_text("")
            (place / "dev.lock").symlink_to(tmp_path / "lock")
        elif what != "another program's":
            (place / "dev.lock").write_text("")
        if what == "open to others":
            directory.chmod(0o755)
        if what == "behind a link":
            tmp_path.chmod(0o700)
            directory.rmdir()
            directory.symlink_to(tmp_path)
        start_in_vain(env)
        assert directory.is_dir() and (what == "another program's" or os.path.lexists(place / "dev.lock"))
    finally:
        if directory.is_symlink():
            directory.unlink()
        else:
            shutil.rmtree(directory)


def test_a_terminal_that_is_closed_ends_it_in_order(env):
    process, _ = start(env)
    state = re.match(r"state +(\S+?),", process.stdout.readline())[1]
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=TIMEOUT * 2)
    assert process.returncode == 0 and not os.path.exists(state)


# --- what it prints ---


def printed(process, first):
    """The output up to its last line."""
    lines = [first]
    while lines[-1] and not lines[-1].startswith("Ctrl-C"):
        lines.append(process.stdout.readline())
    return "".join(lines)


def fetch(url, headers=None):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=TIMEOUT) as answer:
        return answer.status, answer.read()


def test_it_prints_where_the_pages_are_and_that_no_key_is_needed(env):
    process, line = start(env)
    try:
        said = printed(process, line)
        assert "\nkey      none is needed by callers on this machine\n" in said, said
        pages = dict(re.findall(r"^(docs|status) +(http://\S+)$", said, re.M))
        assert set(pages) == {"docs", "status"}
        for url in pages.values():
            status, page = fetch(url)
            assert status == 200 and b"<!doctype html>" in page.lower(), url
        [command] = re.findall(r"^  (curl .*)$", said, re.M)
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=TIMEOUT)
        assert json.loads(done.stdout)["name"] == "first-room"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT * 2)


def test_with_a_config_that_wants_keys_it_makes_one_for_the_example(env, tmp_path):
    etc = tmp_path / "etc"
    shutil.copytree(ETC, etc)
    config = json.loads((etc / "greenroom.json").read_text())
    (etc / "greenroom.json").write_text(json.dumps({**config, "auth": {"keys": {}}}))
    keys = []
    for _ in range(2):  # the state is kept, and the second run makes a new key
        process = subprocess.Popen([BINARY, "-c", str(etc), "dev", "--state", str(tmp_path / "state")], env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            said = printed(process, process.stdout.readline())
            keys += re.findall(r"^key +(gr_[\w-]+)$", said, re.M)
            [command] = re.findall(r"^  (curl .*)$", said, re.M)
            done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=TIMEOUT)
            assert json.loads(done.stdout)["name"] == "first-room"
            with pytest.raises(urllib.error.HTTPError, match="401"):
                make_room(env)
            if len(keys) == 2:
                with pytest.raises(urllib.error.HTTPError, match="401"):
                    fetch(f"http://127.0.0.1:{env['PORT']}/rooms", {"X-API-Key": keys[0]})
        finally:
            process.send_signal(signal.SIGINT)
            _, log = process.communicate(timeout=TIMEOUT * 2)
    assert len(set(keys)) == 2 and not any(key in log for key in keys)


@pytest.mark.parametrize("no_color", [False, True])
def test_on_a_terminal_the_log_is_text_in_colours(env, no_color):
    ours, theirs = pty.openpty()
    env = {**env, **({"NO_COLOR": "1"} if no_color else {})}
    process = subprocess.Popen([BINARY, "-c", ETC, "dev"], env=env, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    try:
        printed(process, process.stdout.readline())
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT * 2)
    log = b""
    try:
        while part := os.read(ours, 65536):
            log += part
    except OSError:  # a pseudo-terminal that no other process has open
        pass
    os.close(ours)
    assert b"ready after " in log and b'{"time"' not in log
    assert (b"\033[32minfo \033[0m " in log) != no_color and (b"\033" in log) != no_color
