"""`greenroom plugin inspect` describes the file of a plugin, also when the plugin cannot be loaded."""

import json
import os
import re
import shutil
import subprocess

import pytest

BINARY = os.environ["GR_BINARY"]
TESTS = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins")
PLUGINS = os.environ["GR_PLUGIN_DIR"]
LIMIT = 20 * int(os.environ.get("GR_TIME_FACTOR", "1"))


def run(*words):
    return subprocess.run([BINARY, "plugin", "inspect", *words], capture_output=True, text=True, timeout=LIMIT)


def inspect(file):
    done = run("--json", str(file))
    report = json.loads(done.stdout)
    assert (done.returncode == 0) == (report["problems"] == []), done.stdout
    assert done.returncode in (0, 3)
    return report


def test_a_sound_plugin_is_told_with_its_tables():
    report = inspect(f"{PLUGINS}/hello.so")
    assert (report["name"], report["version"], report["abi"]) == ("hello", "1.0.0", report["host_abi"])
    assert report["problems"] == [] and report["licence"] == "MIT"
    assert re.fullmatch(r"[0-9a-f]{40}", report["build_id"])
    assert any(library.startswith("libjansson.so") for library in report["needs"])
    assert [route["id"] for route in report["routes"]] == ["hello.one", "hello.all"]
    assert report["routes"][0] == {"method": "GET", "path": "/hello/{name}", "id": "hello.one",
                                   "scope": "hello:read", "summary": "Greet one"}
    assert report["options"][1] == {"name": "names_max", "type": "integer", "default": "10", "required": False,
                                    "doc": "Maximum number of names in a request"}


def test_upstreams_and_migrations_are_told():
    forwards = {route["id"]: route.get("upstream") for route in inspect(f"{PLUGINS}/rooms.so")["routes"]}
    assert forwards["rooms.get"] == "api"
    assert inspect(f"{PLUGINS}/webhooks.so")["migrations"][0]["version"] == 1


# Files that are refused, each with the one problem that is reported. Name and version are reported all the same.
KNOWN = [
    ("bad_minor", r"abi_minor: found \d+, wanted \d+ or less"),
    ("bad_major", r"abi_major: found 2, wanted 1"),
    ("bad_row", r"route_size: found \d+, wanted 160 to \d+"),
    ("bad_table_4", r"option 2: found the end of the table's memory, wanted GR_END"),
    ("bad_version", r"version: found '2\.0\.0', wanted '1\.0\.0' as in the note"),
    ("bad_route", r"route 0 \(\): id: wanted group\.verb"),
]
if not os.environ.get("GR_SANITIZE"):
    KNOWN.append(("bad_export", r"symbols: found 'broken_export' exported"))


@pytest.mark.parametrize("name,problem", KNOWN, ids=[row[0] for row in KNOWN])
def test_a_file_that_is_refused_is_told_all_the_same(name, problem):
    report = inspect(f"{TESTS}/{name}.so")
    assert (report["name"], report["version"]) == ("broken", "1.0.0")
    assert report["abi"] == ("2.0" if name == "bad_major" else report["abi"]) and report["needs"]
    assert len(report["problems"]) == 1, report["problems"]
    assert re.match(rf"{re.escape(TESTS)}/{name}\.so: {problem}", report["problems"][0])


def test_a_file_without_a_note_has_no_name():
    report = inspect(f"{TESTS}/bad_note.so")
    assert "name" not in report and "note: found no .note.greenroom" in report["problems"][0]


def test_what_is_no_plugin_at_all_is_said(tmp_path):
    text = tmp_path / "text.so"
    text.write_text("#!/bin/sh\n")
    assert "format: found no ELF header" in inspect(text)["problems"][0]
    assert "No such file" in inspect(tmp_path / "absent.so")["problems"][0]
    assert "not a regular file" in inspect(tmp_path)["problems"][0]


def test_a_file_that_others_can_write_is_told_and_refused(tmp_path):
    file = tmp_path / "good.so"
    shutil.copy(f"{TESTS}/good.so", file)
    file.chmod(0o666)
    report = inspect(file)
    assert report["name"] == "broken" and "mode: found 0666" in report["problems"][0]


def test_a_constructor_that_ends_the_process_ends_only_the_look(tmp_path):
    report = inspect(f"{TESTS}/bad_constructor.so")
    assert report["name"] == "broken" and "routes" not in report
    assert re.search(r"loading it ended the process: Aborted", report["problems"][0]), report


def test_people_get_lines_and_the_exit_status(tmp_path):
    done = run(f"{PLUGINS}/hello.so")
    assert done.returncode == 0 and done.stderr == ""
    assert re.search(r"^name +hello$", done.stdout, re.M)
    assert re.search(r"^GET +/hello/\{name\} +hello\.one +hello:read +- +Greet one$", done.stdout, re.M)
    assert "problems" not in done.stdout
    done = run(f"{TESTS}/bad_minor.so")
    assert done.returncode == 3 and "\nproblems\n" in done.stdout
    assert run().returncode == 2
