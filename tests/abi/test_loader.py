"""What the loader refuses. Each message is one line with the file, the field, what was found and what was wanted.

Each bad_*.so is broken on purpose. `greenroom check` reports it without opening a listener. When the gateway starts with
such a plugin, it ends, or continues without the plugin when the config says so.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys

import pytest

BINARY = os.environ["GR_BINARY"]
PLUGINS = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins")
LIMIT = 20 * int(os.environ.get("GR_TIME_FACTOR", "1"))


def config(tmp_path, libraries, on_error="stop", directory=PLUGINS):
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "greenroom.json").write_text(
        json.dumps(
            {
                "server": {"listen": ["127.0.0.1:0"], "workers": 8},
                "plugins": {"directory": str(directory), "on_error": on_error},
            }
        )
    )
    for number, library in enumerate(libraries):
        (tmp_path / "plugins.d" / f"{number}_{library}.json").write_text(
            json.dumps({"library": f"{library}.so", "enabled": True})
        )
    return str(tmp_path)


def greenroom(*words):
    done = subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=LIMIT)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done


# These are refused because of the content of the file, before any of their code runs.
REFUSED = [
    ("bad_magic", r"bad_magic\.so: magic: found 0xdeadbeef, wanted 0x47524d31"),
    ("bad_major", r"bad_major\.so: abi_major: found 2, wanted 1"),
    ("bad_minor", r"bad_minor\.so: abi_minor: found \d+, wanted \d+ or less"),
    ("bad_struct", r"bad_struct\.so: plugin_size: found 64, wanted 240 to \d+"),
    ("bad_row", r"bad_row\.so: route_size: found \d+, wanted 160 to \d+"),
    ("bad_jansson", r"bad_jansson\.so: jansson_major: found 3, wanted 2"),
    ("bad_bits", r"bad_bits\.so: pointer_bits: found 16, wanted 64"),
    ("bad_symbol", r"bad_symbol\.so: gr_plugin_entry: found no such symbol"),
    ("bad_note", r"bad_note\.so: note: found no \.note\.greenroom, wanted the one that GR_PLUGIN\(\) defines"),
    ("bad_origin", r"bad_origin\.so: search path: found '\$ORIGIN/lib', wanted absolute directories"),
    ("absent", r"absent\.json:1:\d+: library: .*absent\.so: No such file or directory"),
]
if not os.environ.get("GR_SANITIZE"):
    REFUSED.append(("bad_export", r"bad_export\.so: symbols: found 'broken_export' exported, wanted gr_plugin_entry"))
# These are refused because of the descriptor, which is read after the file was loaded.
REFUSED_LATER = [
    ("bad_entry", r"bad_entry\.so: gr_plugin_entry: found no descriptor"),
    ("bad_twin", r"bad_twin\.so: descriptor: found another name or other sizes than the note has"),
    ("bad_version", r"bad_version\.so: version: found '2\.0\.0', wanted '1\.0\.0' as in the note"),
    ("bad_route", r"bad_route\.so: route 0 \(\): id: wanted group\.verb"),
]
ALL_REFUSED = REFUSED + REFUSED_LATER

# Each has one wrong table. The key is the value of BROKEN_CASE with which bad_table.c was compiled.
TABLES = {
    2: r"option 0 \(first\): member: found 8 bytes, wanted 1 for its type",
    3: r"option 1 \(second\): required: found a fallback beside it",
    4: r"option 2: found the end of the table's memory, wanted GR_END",
    5: r"route 0 \(broken\.post\): body: fields: row 0 \(list\): items: found them on another type",
    6: r"route 0 \(broken\.post\): body: fields: row 1 \(size\): range: found a minimum above the maximum",
    7: r"route 0 \(broken\.post\): body: fields: row 2 \(when\): flags: found GR_FIELD_REPEATED outside of a query",
    8: r"route 0 \(broken\.post\): body: fields: row 3 \(like\): example: found '\{'a': 1\}', wanted JSON",
    9: r"route 0 \(broken\.post\): body: fields: row 4 \(kind\): type: found 77, wanted one of enum gr_type",
    10: r"route 0 \(broken\.post\): body: fields: row 5: found the end of the table's memory, wanted GR_END",
    11: r"route 1: found the end of the table's memory, wanted GR_END",
    12: r"migration 1: version: found 3, wanted 2",
    13: r"timer 0 \(tick\): interval_ms: found 0, wanted an interval or \.interval_option",
    15: r"timer 0 \(tick\): interval_option: found 'second', wanted an option of type GR_OPT_MS with \.range",
    17: r"route 0 \(broken\.post\): flags: found GR_ROUTE_IDEMPOTENCY_KEY, wanted it on a POST",
    16: r"descriptor: upstreams: found no end, wanted GR_LIST\(\)",
    14: r"metric 0: kind: found 9, wanted GR_COUNTER or GR_GAUGE",
    1: r"option 1 \(second\): offset: found 8 to 16, wanted it within \.options_size, which is 8",
}


@pytest.mark.parametrize("case", TABLES)
def test_a_wrong_table_is_refused_with_row_found_and_wanted(tmp_path, case):
    done = greenroom("check", "-c", config(tmp_path, [f"bad_table_{case}"]))
    assert done.returncode == 3
    assert re.search(rf"bad_table_{case}\.so: {TABLES[case]}", done.stderr), done.stderr


def test_the_sound_table_is_not_refused(tmp_path):
    done = greenroom("check", "-c", config(tmp_path, ["bad_table_0"]))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("library,line", REFUSED, ids=[row[0] for row in REFUSED])
def test_what_the_file_says_is_judged_before_any_code_runs(tmp_path, library, line):
    done = greenroom("check", "-c", config(tmp_path, [library]))
    assert done.returncode == 3
    assert re.search(line, done.stderr), done.stderr
    assert "a constructor ran" not in done.stderr


LOAD, STACK, X, WX = 1, 0x6474E551, 1, 3


def segments(data, kind, change):
    """Returns the bytes of a 64-bit ELF file after change() was applied to the program headers of one type."""
    data = bytearray(data)
    offset, size, count = struct.unpack_from("=Q", data, 32)[0], *struct.unpack_from("=HH", data, 54)
    for at in range(offset, offset + size * count, size):
        found, flags = struct.unpack_from("=II", data, at)
        if found == kind:
            struct.pack_into("=II", data, at, *change(found, flags))
    return bytes(data)


# Changes to the bytes of a valid plugin, and the message for each.
DAMAGES = [
    ("empty", lambda data: b"", r"format: found no ELF header"),
    ("text", lambda data: b"#!/bin/sh\n" * 100, r"format: found no ELF header"),
    ("class", lambda data: data[:4] + bytes([3 - data[4]]) + data[5:], r"class: found \d, wanted \d \(\d+ bits\)"),
    ("order", lambda data: data[:5] + bytes([3 - data[5]]) + data[6:], r"byte order: found \d, wanted \d"),
    ("machine", lambda data: data[:18] + b"\x01\x01" + data[20:], r"machine: found 257, wanted \d+ \(.+\)"),
    ("program", lambda data: data[:16] + (2).to_bytes(2, sys.byteorder) + data[18:], r"type: found 2, wanted 3"),
    ("half", lambda data: data[: len(data) // 2], r"(segment \d+: it is cut off|symbols: found no table)"),
    ("stack", lambda data: segments(data, STACK, lambda kind, flags: (kind, flags | X)),
     r"stack: found an executable one, wanted -z noexecstack"),
    ("no stack", lambda data: segments(data, STACK, lambda kind, flags: (0, flags)),
     r"stack: found no PT_GNU_STACK header"),
    ("writable code", lambda data: segments(data, LOAD, lambda kind, flags: (kind, flags | WX)),
     r"segment \d+: found one that is writable and executable"),
    ("head", lambda data: data[:100], r"program headers: they are cut off"),
]


@pytest.mark.parametrize("words", [("check", "-c"), ("-c",)], ids=["check", "start"])
def test_a_broken_migration_is_told_with_its_row_and_what_sqlite_says(tmp_path, words):
    etc = config(tmp_path, ["bad_migration"])
    settings = json.loads((tmp_path / "greenroom.json").read_text())
    store = tmp_path / "data.db"
    (tmp_path / "greenroom.json").write_text(json.dumps({**settings, "store": f"sqlite:{store}"}))
    done = greenroom(*words, etc)
    assert done.returncode == 3
    assert re.search(r'bad_migration\.so: migration 1 \(second\): near \\?"TABEL\\?": syntax error', done.stderr), done.stderr
    assert not store.exists(), "nothing is begun before all of it was tried"


@pytest.mark.parametrize("damage,line", [row[1:] for row in DAMAGES], ids=[row[0] for row in DAMAGES])
def test_a_damaged_file_is_refused(tmp_path, damage, line):
    directory = tmp_path / "lib"
    directory.mkdir()
    data = open(os.path.join(PLUGINS, "good.so"), "rb").read()
    (directory / "good.so").write_bytes(damage(data))
    etc = tmp_path / "etc"
    etc.mkdir()
    done = greenroom("check", "-c", config(etc, ["good"], directory=directory))
    assert done.returncode == 3
    assert re.search(r"good\.so: " + line, done.stderr), done.stderr
    assert "a constructor ran" not in done.stderr


@pytest.mark.parametrize("library,line", ALL_REFUSED, ids=[row[0] for row in ALL_REFUSED])
def test_check_refuses_with_one_line(tmp_path, library, line):
    done = greenroom("check", "-c", config(tmp_path, ["good", library]))
    assert done.returncode == 3
    hits = [text for text in done.stderr.splitlines() if re.search(line, text)]
    assert len(hits) == 1, done.stderr


@pytest.mark.parametrize("library,line", ALL_REFUSED, ids=[row[0] for row in ALL_REFUSED])
def test_a_refused_plugin_stops_the_start(tmp_path, library, line):
    done = greenroom("-c", config(tmp_path, ["good", library]))
    assert done.returncode == 3
    assert len([text for text in done.stderr.splitlines() if re.search(line, text)]) == 1, done.stderr


def test_a_sound_plugin_is_taken(tmp_path):
    done = greenroom("check", "-c", config(tmp_path, ["good"]))
    assert done.returncode == 0, done.stderr


def test_skip_goes_on_without_the_refused_one(tmp_path):
    done = greenroom("check", "-c", config(tmp_path, ["good", "bad_magic"], on_error="skip"))
    assert done.returncode == 0, done.stderr
    assert "bad_magic.so: magic" in done.stderr


def test_two_plugins_of_one_name_clash(tmp_path):
    directory = tmp_path / "lib"
    directory.mkdir()
    for name in ("good", "copy"):
        shutil.copy(os.path.join(PLUGINS, "good.so"), directory / f"{name}.so")
    etc = tmp_path / "etc"
    etc.mkdir()
    done = greenroom("check", "-c", config(etc, ["good", "copy"], directory=directory))
    assert done.returncode == 3
    assert re.search(r"copy\.so: name: found 'broken' a second time.*good\.so", done.stderr), done.stderr


def test_two_routes_of_one_shape_clash(tmp_path):
    done = greenroom("check", "-c", config(tmp_path, ["good", "clash"]))
    assert done.returncode == 3
    assert re.search(r"clash\.so: route clash\.get: GET /broken.*broken\.get", done.stderr), done.stderr


def test_a_file_that_everybody_may_write_is_refused(tmp_path):
    directory = tmp_path / "lib"
    directory.mkdir()
    shutil.copy(os.path.join(PLUGINS, "good.so"), directory / "good.so")
    os.chmod(directory / "good.so", 0o666)
    etc = tmp_path / "etc"
    etc.mkdir()
    done = greenroom("check", "-c", config(etc, ["good"], directory=directory))
    assert done.returncode == 3
    assert re.search(r"good\.so: mode: found 0666", done.stderr), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give a file away")
@pytest.mark.parametrize("owner,group,mode,line", [
    (1234, 0, 0o755, r"good\.so: owner: found user 1234, wanted root or the user that the gateway runs as"),
    (0, 1234, 0o775, r"good\.so: mode: found 0775, wanted a file that group 1234 cannot write"),
    (0, 0, 0o775, None),
    (0, 1234, 0o755, None),
])
def test_a_file_that_another_user_can_change_is_told_of(tmp_path, owner, group, mode, line):
    directory = tmp_path / "lib"
    directory.mkdir()
    shutil.copy(os.path.join(PLUGINS, "good.so"), directory / "good.so")
    os.chown(directory / "good.so", owner, group)
    (directory / "good.so").chmod(mode)
    etc = tmp_path / "etc"
    etc.mkdir()
    done = greenroom("check", "-c", config(etc, ["good"], directory=directory))
    assert done.returncode == 0, done.stderr
    told = [text for text in done.stderr.splitlines() if "good.so" in text]
    assert [bool(re.search(line or "never", text)) for text in told] == ([True] if line else []), done.stderr


def test_a_failing_init_stops_the_start(tmp_path):
    done = greenroom("-c", config(tmp_path, ["bad_init"]))
    assert done.returncode == 1
    assert "the moon is in the wrong phase" in done.stderr
    assert re.search(r"bad_init\.so: init failed", done.stderr), done.stderr


def test_a_failing_start_undoes_what_was_begun(tmp_path):
    done = greenroom("-c", config(tmp_path, ["bad_start"]))
    assert done.returncode == 1
    assert "cannot start: no stage" in done.stderr
    assert "init ran" in done.stderr and "fini ran" in done.stderr
    assert "stop ran" not in done.stderr, "stop belongs to a start that worked"
