"""Build flags of the files, and visibility and privileges of the running process."""

import ctypes
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import pytest

from support.gateway import BINARY, PLUGIN_DIR, Gateway
from support.until import until
from support.upstream import TIMEOUT, Upstream

BUILD = pathlib.Path(os.environ.get("GR_BUILD_DIR", "build"))
SECRET = "a-secret-that-must-not-be-seen-0123456789"
ROOT = os.geteuid() == 0

# --- files ---

plain_build = pytest.mark.skipif(bool(os.environ.get("GR_SANITIZE")), reason="sanitizer builds are not delivered")
FILES = [pathlib.Path(BINARY), *sorted(pathlib.Path(PLUGIN_DIR).glob("*.so")), *sorted(BUILD.glob("tls/*.so"))]


def readelf(option, file):
    done = subprocess.run(["readelf", "-W", option, str(file)], capture_output=True, text=True)
    # Older versions do not know the type of the notes about loaded libraries, and end with 1.
    assert done.returncode == 0 or (option == "-n" and "FDO" in done.stdout), done.stderr
    return done.stdout


@plain_build
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_file_is_hardened(file):
    segments, dynamic = readelf("-l", file), readelf("-d", file)
    assert "Type:                              DYN" in readelf("-h", file), "not position-independent"
    assert "GNU_RELRO" in segments
    assert re.search(r"GNU_STACK.* RW ", segments), "the stack can be executed"
    assert not re.search(r"LOAD .* RWE ", segments), "memory that is written and executed"
    assert "BIND_NOW" in dynamic
    assert "TEXTREL" not in dynamic
    assert "RPATH" not in dynamic
    assert "RUNPATH" not in dynamic


@plain_build
def test_program_has_canaries_and_checked_calls():
    symbols = subprocess.run(["nm", "-D", BINARY], check=True, capture_output=True, text=True).stdout
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk\b", symbols.replace("__stack_chk_fail", ""))


def source_of(file):
    inside = file.relative_to(BUILD / "core" / "CMakeFiles")
    return pathlib.Path(os.environ["GR_SOURCE_DIR"], "core", *inside.parts[1:-1], file.name.removesuffix(".o"))


@plain_build
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="another processor")
def test_objects_are_ready_for_control_flow_protection():
    # Old objects of renamed sources stay in a build directory, but are not linked.
    objects = [file for file in sorted((BUILD / "core").rglob("*.o")) if source_of(file).exists()]
    assert objects
    for file in objects:
        assert "IBT, SHSTK" in readelf("-n", file), file.name


def test_no_deprecated_form_reader_is_linked():
    symbols = subprocess.run(["nm", "-D", "--undefined-only", BINARY], check=True, capture_output=True, text=True).stdout
    for name in ("mg_handle_form_request", "mg_set_websocket_handler", "mg_send_file", "system", "popen", "gets"):
        assert not re.search(rf"\b{name}\b", symbols), name


# --- the running process ---


class Process(Gateway):
    """A gateway that got its secret through the environment."""

    def __init__(self, directory, **config):
        directory.mkdir(parents=True, exist_ok=True)
        server = config.pop("server", {})
        plugins = config.pop("plugins", {"rooms": {}})
        super().__init__(directory, {
            "server": server,
            "credentials": {"100ms": {"access_key": "key", "secret": "${SECRET_OF_APP}"}},
            "upstreams": {"api": {"url": config.pop("upstream", "http://127.0.0.1:1"), "credential": "100ms"}},
            "state_directory": str(directory / "state"), **config,
        }, plugins, env={"SECRET_OF_APP": SECRET, "HARMLESS": "seen"})

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.process.pid}/{name}").read_bytes()

    def status(self, key, task=None):
        text = pathlib.Path(f"/proc/{self.process.pid}/task/{task or self.process.pid}/status").read_text()
        return re.search(rf"^{key}:\s*(.*)$", text, re.M).group(1).split()

    @property
    def tasks(self):
        return os.listdir(f"/proc/{self.process.pid}/task")


@pytest.fixture
def process(tmp_path):
    with Process(tmp_path) as process:
        yield process


@pytest.mark.skipif(not ROOT, reason="only root may look")
def test_environment_shows_no_secret(process):
    environment = process.proc("environ")
    assert b"HARMLESS=seen" in environment, "the environment could not be read"
    assert SECRET.encode() not in environment


@pytest.mark.skipif(not ROOT, reason="only root may look")
def test_secret_is_still_used_after_a_reload(tmp_path):
    with Upstream() as upstream, Process(tmp_path, upstream=upstream.url) as process:
        process.process.send_signal(signal.SIGHUP)
        process.wait_log("reloaded:")
        assert process.get("/rooms/1").status == 200
        assert upstream.requests[0].token
        assert SECRET.encode() not in process.proc("environ")


def test_command_line_shows_no_secret(process):
    assert SECRET.encode() not in process.proc("cmdline")


def test_log_shows_no_secret(tmp_path):
    with Upstream() as upstream, Process(tmp_path, upstream=upstream.url, log={"level": "debug"}) as process:
        process.get("/rooms/1")
        token = upstream.requests[0].token
        assert SECRET not in process.log
        assert token and token not in process.log


def limit(process, name):
    return re.search(rf"^{name}\s+(\S+)\s+(\S+)", process.proc("limits").decode(), re.M).groups()


@pytest.mark.parametrize("core_dumps", [False, True])
def test_core_dumps(tmp_path, core_dumps):
    with Process(tmp_path, server={"core_dumps": core_dumps}) as process:
        # /proc/PID of a process that may not be dumped belongs to root, whatever the user of the process.
        if not core_dumps:
            assert limit(process, "Max core file size") == ("0", "0")
        assert process.status("NoNewPrivs") == ["1"]


def test_debugger_is_kept_out_unless_allowed(tmp_path):
    """The owner of /proc/PID/environ shows PR_SET_DUMPABLE, unless the process is root's."""
    if not ROOT:
        pytest.skip("needs root to start as another user")
    nobody = pwd.getpwnam("nobody")
    with public_directory() as directory:
        for core_dumps, owner in ((False, 0), (True, nobody.pw_uid)):
            with Process(directory / str(core_dumps), server={"core_dumps": core_dumps, "user": "nobody"}) as process:
                assert os.stat(f"/proc/{process.process.pid}/environ").st_uid == owner


# --- dropping root ---


class public_directory:
    """A directory that other users can reach. They cannot reach those of pytest."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="greenroom-"))
        self.path.chmod(0o755)
        return self.path

    def __exit__(self, *exc):
        shutil.rmtree(self.path)


def free_low_port():
    for port in random.sample(range(700, 1000), 300):  # tests that run at the same time look for one, too
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return None


def batch_threads(process, wanted):
    """Waits until enough threads have SCHED_BATCH and returns them. A worker sets its policy when it first runs."""
    def policy(task):
        try:
            return os.sched_getscheduler(int(task))
        except ProcessLookupError:  # a thread that has ended since it was listed
            return None

    def found():
        return [task for task in process.tasks if policy(task) == os.SCHED_BATCH]

    until(lambda: len(found()) == wanted, f"{wanted} threads under SCHED_BATCH")
    return found()


def test_workers_run_without_interrupting_each_other(tmp_path):
    with Process(tmp_path, server={"workers": 5}, admin={"workers": 3}) as process:
        # The workers of the admin listener may preempt other threads, so that health is answered at once.
        assert len(batch_threads(process, 5)) == 5


SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}.get(os.uname().machine)


def slice_ns(task):
    """The time slice of a thread, from sched_getattr(2); 0 where the kernel (before 6.12) does not report it."""
    attributes = ctypes.create_string_buffer(48)
    if SCHED_GETATTR is None or ctypes.CDLL(None).syscall(SCHED_GETATTR, int(task), attributes, 48, 0) != 0:
        return 0
    return struct.unpack("=IIQiIQQQ", attributes.raw)[5]


@pytest.mark.skipif(slice_ns(0) == 0, reason="this kernel gives all threads the same time slice")
def test_workers_take_short_turns(tmp_path):
    with Process(tmp_path, server={"workers": 5}) as process:
        slices = [slice_ns(task) for task in batch_threads(process, 5)]
    assert slices == [100_000] * 5


def readable_process(directory, **config):
    """A gateway that can reload as another user, even when the build is below a home directory that only its owner can enter."""
    process = Process(directory, **config)
    plugins = directory / "readable"
    plugins.mkdir(mode=0o755)
    shutil.copy(pathlib.Path(PLUGIN_DIR) / "rooms.so", plugins)
    process.config["plugins"] = {**process.config["plugins"], "directory": str(plugins)}
    return process


@pytest.mark.skipif(not ROOT, reason="only root can change the user")
@pytest.mark.parametrize("group", [None, "daemon"])
def test_root_is_given_up_on_every_thread(group):
    nobody = pwd.getpwnam("nobody")
    port = free_low_port()
    server = {"listen": [f"127.0.0.1:{port}"], "user": "nobody", "workers": 16}
    if group:
        server["group"] = group
    with public_directory() as directory, readable_process(directory, server=server) as process:
        gid = str(shutil._get_gid(group) if group else nobody.pw_gid)
        assert len(process.tasks) > 16
        for task in process.tasks:
            assert process.status("Uid", task) == [str(nobody.pw_uid)] * 4
            assert process.status("Gid", task) == [gid] * 4
            for capabilities in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
                assert process.status(capabilities, task) == ["0" * 16]
        assert "0" not in process.status("Groups")
        assert process.get("/healthz").status == 200
        state = os.stat(directory / "state")
        assert (state.st_uid, state.st_mode & 0o777) == (nobody.pw_uid, 0o700)
        process.process.send_signal(signal.SIGHUP)
        process.wait_log("reloaded:")
        assert process.get("/healthz").status == 200


def children(pid):
    return {int(child) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()}


@pytest.mark.skipif(not ROOT, reason="only root can change the user")
def test_the_process_of_a_group_runs_as_the_same_user():
    nobody = pwd.getpwnam("nobody")
    plugins = {"hello": {"isolation": "process"}}
    with public_directory() as directory, Process(directory, server={"user": "nobody"}, plugins=plugins) as process:
        first = children(process.process.pid)
        assert process.get("/hello/Ada").status == 200 and len(first) == 1
        os.kill(first.pop(), signal.SIGKILL)
        until(lambda: process.get("/hello/Ada").status == 200, "the group answers again")
        again, = children(process.process.pid)
        status = pathlib.Path(f"/proc/{again}/status").read_text()
        assert re.search(r"^Uid:\s*(.*)$", status, re.M).group(1).split() == [str(nobody.pw_uid)] * 4
        assert re.search(r"^CapEff:\s*(\S+)$", status, re.M).group(1) == "0" * 16


@pytest.mark.skipif(not ROOT, reason="only root can change the user")
def test_what_the_user_cannot_read_again_is_told():
    """The start reads the files as root; a later reload reads them as the other user."""
    with public_directory() as directory:
        process = Process(directory, server={"user": "nobody"})
        process.write()
        file = directory / "plugins.d" / "rooms.json"
        file.chmod(0o600)
        wanted = f"as user 'nobody', a reload would fail: {file}: cannot be read: Permission denied"
        # At its end, the leak checker cannot inspect a process that has changed its user.
        env = {**process.env, "ASAN_OPTIONS": process.env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
        done = subprocess.run([BINARY, "check", "-c", str(directory)], env=env, capture_output=True, text=True,
                              timeout=TIMEOUT)
        assert done.returncode == 0
        assert done.stderr == f"greenroom: {wanted}\n"
        (directory / "home").mkdir(mode=0o755)
        before = os.umask(0o077)
        try:
            with Process(directory / "home", server={"user": "nobody"}) as process:
                process.wait_log(f"a reload would fail: {directory}/home/greenroom.json: cannot be read: Permission denied")
        finally:
            os.umask(before)


@pytest.mark.skipif(not ROOT, reason="only root can change the user")
def test_store_belongs_to_the_user():
    nobody = pwd.getpwnam("nobody")
    with public_directory() as directory:
        with Process(directory, server={"user": "nobody"}, store="sqlite:test.db",
                     plugins={"webhooks": {"config": {"secret": "x" * 32}}}) as process:
            assert process.get("/healthz").status == 200
            made = list((directory / "state").iterdir())
            assert made, "nothing was kept"
            assert {file.stat().st_uid for file in made} == {nobody.pw_uid}


@pytest.mark.skipif(not ROOT, reason="only root can change the user")
@pytest.mark.parametrize("words, config", [
    (["keys", "add", "app", "--scope", "*"], {"auth": {"keys": {}}}),
    (["keys", "add", "app", "--scope", "*"], {"auth": {"keys": {"store": True}}}),
    (["store", "migrate"], {}),
    (["token", "agent", "--name", "a"], {}),
], ids=["keys", "keys in the store", "store", "secret"])
def test_what_root_makes_before_the_start_belongs_to_the_user(words, config):
    """Of a package the state directory belongs to the gateway's user, and root runs the commands."""
    nobody = pwd.getpwnam("nobody")
    with public_directory() as directory:
        process = Process(directory, store="sqlite:test.db", plugins={"accounts": {}, "agents": {}}, **config)
        process.write()
        state = directory / "state"
        state.mkdir(mode=0o700)
        os.chown(state, nobody.pw_uid, nobody.pw_gid)
        done = subprocess.run([BINARY, "-c", str(directory), *words], env=process.env, capture_output=True, text=True,
                              timeout=TIMEOUT)
        assert done.returncode == 0, done.stderr
        made = list(state.iterdir())
        assert made, "nothing was made"
        assert {(file.name, file.stat().st_uid) for file in made} == {(file.name, nobody.pw_uid) for file in made}


@pytest.mark.skipif(not ROOT, reason="only root can change the user")
@pytest.mark.parametrize("server, problem", [
    ({"user": "no-such-user"}, "server.user: there is no user 'no-such-user'"),
    ({"user": "root"}, "server.user: 'root' is root"),
    ({"user": "nobody", "group": "no-such-group"}, "server.group: there is no group 'no-such-group'"),
    ({"group": "daemon"}, "server.user: missing, although server.group is set"),
])
def test_user_that_cannot_be_taken(tmp_path, server, problem):
    process = Process(tmp_path, server=server)
    process.write()
    done = subprocess.run([BINARY, "-c", str(tmp_path)], env=process.env, capture_output=True, text=True,
                          timeout=TIMEOUT)
    assert done.returncode in (1, 3)
    assert problem in done.stderr


# --- the service manager ---


@pytest.mark.parametrize("abstract", [False, True])
def test_service_manager_is_told(tmp_path, abstract):
    name = f"@greenroom-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(TIMEOUT)
        process = Process(tmp_path / "gateway")
        process.env["NOTIFY_SOCKET"] = name
        with process:
            assert manager.recv(4096) == b"READY=1"
            process.process.send_signal(signal.SIGHUP)
            assert manager.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(4096) == b"READY=1"
        assert manager.recv(4096) == b"STOPPING=1"


@plain_build
def test_unit_file_names_what_the_program_takes(tmp_path):
    subprocess.run(["cmake", "--install", str(BUILD), "--prefix", "/usr", "--component", "runtime"], check=True,
                   stdout=subprocess.DEVNULL, timeout=TIMEOUT, env={**os.environ, "DESTDIR": str(tmp_path)})
    unit = (tmp_path / "usr/lib/systemd/system/greenroom.service").read_text()
    command = re.search(r"^ExecStart=(.*)$", unit, re.M).group(1)
    assert command == "/usr/bin/greenroom -c /etc/greenroom"
    assert "@" not in re.sub(r"@(system-service|privileged|debug|mount|obsolete)\b", "", unit)
    for line in ("Type=notify", "DynamicUser=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes",
                 "NoNewPrivileges=yes", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "StateDirectory=greenroom"):
        assert f"\n{line}\n" in unit


def test_patterns_work_without_executable_memory(tmp_path):
    """The effect of MemoryDenyWriteExecute=, where the kernel has it."""
    libc = ctypes.CDLL(None, use_errno=True)
    PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) == 0 else 77)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 77 or os.environ.get("GR_SANITIZE"):
        pytest.skip("this kernel cannot deny it to a process, or a sanitizer needs it")
    process = Process(tmp_path, plugins={"rooms": {}, "templates": {}, "polls": {}})
    original = subprocess.Popen

    def denied(*words, **more):
        return original(*words, preexec_fn=lambda: libc.prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0), **more)

    subprocess.Popen = denied
    try:
        process.start()
    finally:
        subprocess.Popen = original
    with_bad = process.post("/rooms", {"name": "no spaces, please!"})
    process.stop()
    assert with_bad.status == 400
