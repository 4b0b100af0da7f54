"""The example plugin, built against every released version of the headers, still loads and answers."""

import os
import re

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
    finally:
        gateway.stop()


def test_every_minor_version_of_this_major_is_kept():
    text = open(os.path.join(os.environ["GR_SOURCE_DIR"], "include", "greenroom", "plugin.h"), encoding="utf-8").read()
    major, minor = (int(re.search(rf"#define GR_ABI_{part} (\d+)u", text)[1]) for part in ("MAJOR", "MINOR"))
    assert RELEASED == [f"{major}.{number}" for number in range(minor + 1)]
