"""The example plugin still loads and answers when it is built against any released version of the headers."""

import json
import os
import re
import subprocess

import pytest

from support.gateway import Gateway

PLUGINS = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins")
RELEASED = sorted(
    entry.name for entry in os.scandir(os.path.join(os.path.dirname(__file__), "frozen")) if entry.is_dir()
)


@pytest.mark.parametrize("version", RELEASED)
def test_a_plugin_of_a_released_abi_works(tmp_path, version):
    library = os.path.join(PLUGINS, f"frozen_{version.replace('.', '_')}.so")
    gateway = Gateway(tmp_path, {}, {"hello": {"library": library, "config": {"greeting": "Ahoy"}}})
    gateway.start()
    try:
        assert gateway.get("/hello/ada").json == {"greeting": "Ahoy", "name": "ada"}
        assert gateway.post("/hello", body={"names": ["a", "b"]}).json["names"] == ["a", "b"]
        assert gateway.post("/hello", body={"names": [1]}).status == 400
        [group] = json.loads(gateway.run("plugins", "--json").stdout)
        assert (group["state"], group["running"]["version"]) == ("loaded", "1.0.0")
    finally:
        gateway.stop()


@pytest.mark.parametrize("version", RELEASED)
def test_it_says_for_which_abi_it_was_built(version):
    library = os.path.join(PLUGINS, f"frozen_{version.replace('.', '_')}.so")
    done = subprocess.run([os.environ["GR_BINARY"], "plugin", "inspect", "--json", library], capture_output=True,
                          text=True, timeout=60)
    report = json.loads(done.stdout)
    assert (done.returncode, report["abi"], report["problems"]) == (0, version, [])


def test_every_minor_version_of_this_major_is_kept():
    text = open(os.path.join(os.environ["GR_SOURCE_DIR"], "include", "greenroom", "plugin.h"), encoding="utf-8").read()
    major, minor = (int(re.search(rf"#define GR_ABI_{part} (\d+)u", text)[1]) for part in ("MAJOR", "MINOR"))
    assert RELEASED == [f"{major}.{number}" for number in range(minor + 1)]
