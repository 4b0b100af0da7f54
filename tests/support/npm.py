"""The packages that tests use from npm. Those of a lock file are installed once, into a cache that all runs share.

The cache is $XDG_CACHE_HOME/greenroom-tests (else ~/.cache/greenroom-tests). Without Node, npm, or a
registry that npm can reach, the tests are skipped with the reason.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent / "npm"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "greenroom-tests"
INSTALL_LIMIT = 600
NODE_MAJOR = 20


def need_programs():
    """Skips the test where Node or npm is missing, or Node is too old for the tools."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed: scripts/bootstrap --node")


def ci(directory):
    """`npm ci` in a directory that has a lock file; no script of a package runs. When npm cannot install, the test is
    skipped, since the cause is the registry or the network and not what is tested."""
    need_programs()
    try:
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory,
                              capture_output=True, text=True, timeout=INSTALL_LIMIT)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm installed nothing within {INSTALL_LIMIT} s")
    if done.returncode != 0:
        pytest.skip("npm cannot install: " + (done.stderr.strip().splitlines() or ["no reason given"])[0])


def tools():
    """A directory with the node_modules of support/npm/package-lock.json."""
    need_programs()
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip().removeprefix("v").split(".")[0]) < NODE_MAJOR:
        pytest.skip(f"the tools need Node {NODE_MAJOR} or later, this is {version.strip()}")
    lock = (HERE / "package-lock.json").read_bytes()
    directory = CACHE / ("npm-" + hashlib.sha256(lock).hexdigest()[:16])
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (directory / "done").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, directory)
            ci(directory)
            (directory / "done").touch()
    return directory


def run_node(words, **more):
    """Runs a script of the test and returns its result, with the output as text."""
    return subprocess.run(["node", *map(str, words)], capture_output=True, text=True, timeout=INSTALL_LIMIT, **more)


def run(words, **more):
    """Runs one of the tools, as in run(["redocly", "lint", …]), and returns its result, with the output as text."""
    directory = tools()
    program = directory / "node_modules" / ".bin" / words[0]
    env = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    return subprocess.run([str(program), *map(str, words[1:])], capture_output=True, text=True, env=env,
                          timeout=INSTALL_LIMIT, **more)
