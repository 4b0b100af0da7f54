"""The documents match the program: their commands run, their quotes are in the tree, the tour passes."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest
from support.hms import gateway_for
from support.sandbox import Sandbox
from support.upstream import TIMEOUT

SOURCE = pathlib.Path(os.environ["GR_SOURCE_DIR"])
BUILD = os.environ["GR_BUILD_DIR"]
README = (SOURCE / "README.md").read_text()
GUIDE = (SOURCE / "plugins" / "README.md").read_text()


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


# --- commands ---


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """An installed Greenroom, as the author of a plugin has it."""
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
    """The output of each command. Background commands end with the session."""
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
    port = free_port()
    pkg_config = next(prefix.rglob("greenroom.pc")).parent
    steps = session(blocks(GUIDE, "console")[0], port)
    assert len(steps) == 11 and [command for command, _ in steps].index("./build.sh") == 2
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GR_", "GREENROOM_", "APP_"))}
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
    """Ids differ between runs; a line that ends in "…" is the beginning of the output."""
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


def test_commands_and_files_that_the_readme_names_are_there():
    for path in re.findall(r"\]\(([^):#]+)\)", README):
        assert (SOURCE / path).exists(), path
    for word in re.findall(r"scripts/[a-z-]+", README):
        assert (SOURCE / word).exists(), word
    names = {word for words in re.findall(r"`greenroom ([a-z]+)", README) for word in [words]}
    assert {"check", "status", "plugins"} <= names
    for name in names:
        done = subprocess.run([os.environ["GR_BINARY"], name, "--help"], capture_output=True, text=True, timeout=TIMEOUT)
        assert done.stdout.startswith(f"usage: greenroom [-c DIR] {name}"), name


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
