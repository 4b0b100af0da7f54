"""The documents match the program: their commands run, the code that they quote is in the tree, the tour passes."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
from support.hms import gateway_for
from support.ports import hold_port
from support.sandbox import Sandbox
from support.upstream import TIMEOUT

SOURCE = pathlib.Path(os.environ["GR_SOURCE_DIR"])
BUILD = os.environ["GR_BUILD_DIR"]
README = (SOURCE / "README.md").read_text()
GUIDE = (SOURCE / "plugins" / "README.md").read_text()


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


# --- commands ---


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """An installed Greenroom, as an author of plugins uses it."""
    if os.environ.get("GR_SANITIZE"):
        pytest.skip("a plugin built without the sanitizer does not fit this build")
    where = tmp_path_factory.mktemp("prefix")
    done = subprocess.run(["cmake", "--install", BUILD, "--prefix", str(where)], capture_output=True, text=True,
                          timeout=TIMEOUT * 6)
    assert done.returncode == 0, done.stderr
    return where


def session(text, port):
    """The commands of a console block, with their output in the document."""
    steps = []
    for line in text.replace("127.0.0.1:8080", f"127.0.0.1:{port}").splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def run_session(steps, directory, env):
    """Runs the commands in one shell and returns the output of each. Background commands end with the shell."""
    script = ["set -eu", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for number, (command, _) in enumerate(steps):
        script.append(f"echo '=== {number}'\n{command}\necho")
        if command.endswith("&"):
            script.append("for n in $(seq 200); do curl -fs -o /dev/null \"$ALIVE\" && break; sleep 0.05; done")
    done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=directory, env=env, capture_output=True, text=True,
                          timeout=TIMEOUT * 6)
    assert done.returncode == 0, done.stdout + done.stderr
    return [part.partition("\n")[2].strip("\n").splitlines() for part in done.stdout.split("=== ")[1:]]


def test_the_guide_to_a_first_plugin_works_with_the_installed_files_alone(prefix, tmp_path):
    # The port of the documents, 8080, may be taken; this one is kept for the commands until they use it.
    port, held = hold_port()
    pkg_config = next(prefix.rglob("greenroom.pc")).parent
    steps = session(blocks(GUIDE, "console")[0], port)
    assert len(steps) == 11 and [command for command, _ in steps].index("./build.sh") == 2
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GR_", "GREENROOM_", "APP_"))}
    with held:
        printed = run_session(steps, tmp_path, {
            **clean, "PATH": f"{prefix}/bin:{clean['PATH']}", "PKG_CONFIG_PATH": str(pkg_config), "PORT": str(port),
            "ALIVE": f"http://127.0.0.1:{port}/healthz", "CDPATH": "",
        })
    for (command, promised), found in zip(steps, printed):
        if promised and promised[-1] == "…":
            assert found[:len(promised) - 1] == promised[:-1], command
        else:
            assert found == promised, command
    built = (tmp_path / "greeter" / "greeter.c").read_text()
    assert str(SOURCE) not in built and not list(tmp_path.rglob("CMakeCache.txt"))


# --- services ---

SERVICES = (SOURCE / "plugins" / "SERVICES.md").read_text()
AROUND = """#include <greenroom/plugin.h>
#include <jansson.h>
#include <stdio.h>
static void close_file(void *file) { fclose(file); }
static enum gr_err take_number(void *arg, const struct gr_value *columns, size_t count)
{ if (count == 1) *(int64_t *)arg = columns[0].i; return GR_OK; }
static enum gr_err move_rooms(struct gr_call *call, void *arg)
{ return gr_store(call, "UPDATE a SET b = 1", GR_NO_PARAMS, NULL, NULL, arg); }
enum gr_err use_all(struct gr_call *call, struct gr_self *self, const char *room);
"""


def test_the_page_of_services_compiles_and_has_every_service(tmp_path):
    snippets = blocks(SERVICES, "c")
    functions = "".join(
        f"static enum gr_err use_{n}(struct gr_call *call, struct gr_self *self, const char *room)\n"
        f"{{ (void)call; (void)self; (void)room;\n{code}\nreturn GR_OK; }}\n" for n, code in enumerate(snippets))
    calls = " ".join(f"use_{n}(call, self, room);" for n in range(len(snippets)))
    file = tmp_path / "services.c"
    file.write_text(f"{AROUND}{functions}enum gr_err use_all(struct gr_call *call, struct gr_self *self, const char *room)\n"
                    f"{{ {calls} close_file(NULL); (void)take_number; (void)move_rooms; return GR_OK; }}\n")
    done = subprocess.run(
        [os.environ.get("CC", "cc"), "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-variable",
         "-Wno-unused-but-set-variable", "-fsyntax-only", f"-I{SOURCE}/include", f"-I{BUILD}/include", str(file)],
        capture_output=True, text=True, timeout=TIMEOUT * 6)
    assert done.returncode == 0, done.stderr
    header = (SOURCE / "include" / "greenroom" / "host.h").read_text()
    services = set(re.findall(r"static inline [^;{]*?\b(gr_\w+)\(", header))
    assert len(services) > 60
    used = "".join(snippets)
    assert [name for name in sorted(services) if f"{name}(" not in used] == []


# --- quotes ---


def lines_of_tree():
    files = [*SOURCE.glob("plugins/**/*.[ch]"), *SOURCE.glob("include/**/*.h")]
    return {line.strip() for file in files for line in file.read_text().splitlines()}


def test_every_row_that_the_guide_quotes_stands_in_the_tree():
    known = lines_of_tree()
    quoted = [line.strip() for block in blocks(GUIDE, "c") for line in block.splitlines()]
    assert quoted and [line for line in quoted if line not in known] == []
    tree = "\n".join(known)
    examples = [cells[2] for cells in (line.strip("| ").split(" | ") for line in GUIDE.splitlines()) if len(cells) == 3]
    for example in filter(lambda text: text.startswith("`"), examples):
        assert example.strip("`") in tree, example


@pytest.mark.parametrize("document", ["plugins/README.md", "plugins/hms/README.md"])
def test_the_diff_of_a_route_is_what_stands_in_its_files(document):
    [diff] = blocks((SOURCE / document).read_text(), "diff")
    files = re.findall(r"^\+\+\+ b/(\S+)\n@@.*\n((?:^\+.*\n)+)", diff, re.M)
    assert [name.rsplit(".")[-1] for name, _ in files] == ["c", "json"]
    for name, added in files:
        lines = "".join(line[1:] + "\n" for line in added.splitlines())
        assert lines in (SOURCE / name).read_text(), f"{name} does not hold what {document} says was added"
    route = re.search(r'"route": "([\w.]+)"', files[1][1])[1]
    assert f'"{route}"' in files[0][1]


# --- the README ---


def assert_as_promised(command, promised, found):
    """Compares output; ids differ between runs, and of a line that ends in "…" only the beginning counts."""
    promised, found = ([re.sub(r"[0-9a-f]{24}", "ID", line) for line in lines] for lines in (promised, found))
    if promised and promised[-1].endswith("…"):
        cut = promised[-1].rstrip("…")
        found = [*found[:len(promised) - 1], *(line[:len(cut)] for line in found[len(promised) - 1:len(promised)])]
        promised = [*promised[:-1], cut]
    assert found == promised, command


def test_the_first_session_of_the_readme(tmp_path):
    for program in ("curl", "jq"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed: scripts/bootstrap")
    (tmp_path / "sandbox").mkdir()
    box = Sandbox(tmp_path / "sandbox")
    try:
        with gateway_for(tmp_path / "gateway", box.url) as gateway:
            steps = session(blocks(README, "console")[0], gateway.port)
            assert len(steps) == 6
            for (command, promised), found in zip(steps, run_session(steps, tmp_path, dict(os.environ))):
                assert_as_promised(command, promised, found)
    finally:
        box.stop()


def test_the_mistakes_that_the_readme_shows(tmp_path):
    [config] = blocks(README, "json")
    (tmp_path / "greenroom.json").write_text(config)
    [(command, promised)] = session(blocks(README, "console")[1], 0)
    words = command.split()
    assert words[0] == "greenroom"
    done = subprocess.run([os.environ["GR_BINARY"], *words[1:]], cwd=tmp_path, capture_output=True, text=True,
                          timeout=TIMEOUT)
    assert (done.returncode, done.stderr.splitlines()) == (3, promised)


# Every command of the README and where it is run: in this file, or by a script that has the system which it needs.
RUN_ELSEWHERE = {
    "scripts/run": "scripts/clean-root SUITE run",
    "scripts/test": "scripts/clean-root SUITE test",
    "BASE_URL=https://api.100ms.live/v2 APP_ACCESS_KEY=… APP_SECRET=… scripts/run": "needs an account",
    "scripts/package": "scripts/clean-root SUITE package",
    "apt install ./build-package/greenroom_*.deb": "scripts/clean-root SUITE package",
    "systemctl start greenroom && greenroom status": "scripts/clean-root SUITE package",
    "cmake --install build --prefix DIR": "abi.install",
}
ASKED = ["status", "health", "reload"]  # needs a running gateway: see test_admin_socket.py


def commands(text):
    """The commands in indented blocks and between backquotes, without their explanations."""
    lines = re.findall(r"^    ((?:scripts/|apt |systemctl |greenroom ).*)$", text, re.M)
    lines += re.findall(r"`((?:[A-Z_]+=\S+ )*(?:greenroom|cmake|scripts/\w+)(?: [^`]*)?)`", text)
    return [re.sub(r"\s+#.*", "", line) for line in lines]


def run_greenroom(etc, command):
    """A command line of the README, with the config of the test."""
    env = {**os.environ, "STATE_DIRECTORY": str(etc.parent / "state"), "APP_ACCESS_KEY": "k", "APP_SECRET": "s" * 40}
    words = [word if word != "NAME" else "polls" for word in shlex.split(command)[1:]]
    words = [str(etc) if word == "etc" else word for word in words]
    if "-c" not in words:
        words = ["-c", str(etc), *words]
    return subprocess.run([os.environ["GR_BINARY"], *words], env=env, capture_output=True, text=True, timeout=TIMEOUT)


def test_every_command_of_the_readme_runs(tmp_path):
    etc = tmp_path / "etc"
    shutil.copytree(SOURCE / "etc", etc, ignore=shutil.ignore_patterns("*.md"))
    ran = 0
    for command in commands(README):
        if command in RUN_ELSEWHERE:
            continue
        assert command.startswith("greenroom "), f"{command} is in no test"
        name, *rest = command.split()[1:]
        if name in ASKED and not rest:
            done = run_greenroom(etc, command)
            assert "no gateway runs with this config" in done.stderr, command
        elif name in ("explain", "call") and not rest:  # test_explain.py, test_call.py
            assert run_greenroom(etc, f"greenroom {name} --help").returncode == 0, command
        elif command == "greenroom plugin inspect":
            assert run_greenroom(etc, f"{command} {os.environ['GR_PLUGIN_DIR']}/rooms.so").returncode == 0
        elif command == "greenroom plugin test":  # run with a file and cases in the session of the guide
            assert any(line.startswith(f"{command} ") for line, _ in session(blocks(GUIDE, "console")[0], 0))
        else:
            done = run_greenroom(etc, command)
            status = 1 if name == "audit" else 0  # the audit reports that the samples have no limits
            assert done.returncode == status and done.stdout, f"{command}: {done.stderr}"
        ran += 1
    assert ran >= 10 and {"check", "routes", "openapi", "keys", "plugins", "audit"} <= {
        command.split()[1] for command in commands(README) if command.startswith("greenroom ")}


def test_the_key_of_the_readme_is_printed_once_and_works_for_what_it_says(tmp_path):
    etc = tmp_path / "etc"
    shutil.copytree(SOURCE / "etc", etc, ignore=shutil.ignore_patterns("*.md"))
    [command] = [line for line in commands(README) if line.startswith("greenroom keys add")]
    done = run_greenroom(etc, command)
    assert done.returncode == 0 and re.fullmatch(r"gr_\w{12}_[\w-]+\n", done.stdout), done.stderr
    [key] = json.loads(run_greenroom(etc, "greenroom keys list --json").stdout)
    assert key["name"] == "backend" and key["scopes"] == ["rooms:*", "tokens:write"] and key["expires"]


def test_a_group_is_disabled_without_changing_others(tmp_path):
    etc = tmp_path / "etc"
    shutil.copytree(SOURCE / "etc", etc, ignore=shutil.ignore_patterns("*.md"))
    before = {file: file.read_text() for file in etc.rglob("*.json")}
    assert run_greenroom(etc, "greenroom plugins disable polls -c etc").returncode == 0
    changed = [file.name for file, text in before.items() if file.read_text() != text]
    assert changed == ["polls.json"]


def test_the_row_that_the_readme_quotes_stands_in_the_tree():
    known = lines_of_tree()
    quoted = [line.strip() for block in blocks(README, "c") for line in block.splitlines()]
    assert quoted and [line for line in quoted if line not in known] == []


def test_the_plugin_of_the_readme_builds(prefix, tmp_path):
    """Runs scripts/new-plugin of the tree. The build of the new plugin finds the installed Greenroom on the PATH."""
    steps = session(blocks(README, "console")[2], 0)
    assert [command.split()[0] for command, _ in steps] == ["scripts/new-plugin", "greeter/build.sh"]
    (tmp_path / "scripts").symlink_to(SOURCE / "scripts")
    run_session(steps, tmp_path, {**os.environ, "PATH": f"{prefix}/bin:{os.environ['PATH']}", "CDPATH": ""})
    assert (tmp_path / "greeter" / "greeter.so").exists()


def test_files_that_the_readme_names_are_there():
    for path in re.findall(r"\]\(([^):#]+)[^)]*\)", README):
        assert (SOURCE / path).exists(), path
    for word in re.findall(r"scripts/[a-z-]+", README):
        assert (SOURCE / word).exists(), word


# --- the tour ---


def test_the_tour_goes_round(tmp_path):
    for program in ("curl", "jq"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed: scripts/bootstrap")
    tour = SOURCE / "scripts" / "tour"
    assert len(tour.read_text().splitlines()) <= 20
    (tmp_path / "sandbox").mkdir()
    box = Sandbox(tmp_path / "sandbox")
    try:
        with gateway_for(tmp_path / "gateway", box.url) as gateway:
            env = {**os.environ, "PORT": str(gateway.port), "SANDBOX_PORT": str(box.port)}
            for _ in range(2):
                done = subprocess.run([str(tour)], env=env, capture_output=True, text=True, timeout=TIMEOUT * 3)
                assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
                printed = [json.loads(line) for line in done.stdout.splitlines() if line[0] in "{["]
                assert [one["role"] for one in printed[:2]] == ["teacher", "pupil"]
                assert printed[2] == {"user_id": "ada", "role": "teacher"}
                assert printed[3]["poll"] and printed[4]["status"] == "stopping"
                assert re.search(r"^the recording is at http://\S+: [1-9]\d* bytes$", done.stdout, re.M)
            assert '"status":5' not in gateway.log
    finally:
        box.stop()
