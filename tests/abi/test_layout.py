"""The layout of a released ABI never changes: every member of its structs keeps its offset and size, and every value of its
enums keeps its number. A new minor version may only append."""

import os
import re
import subprocess

import pytest

HERE = os.path.dirname(__file__)
SOURCE = os.environ["GR_SOURCE_DIR"]
FROZEN = os.path.join(HERE, "frozen")
RELEASED = sorted(entry.name for entry in os.scandir(FROZEN) if entry.is_dir())


def declared(include):
    """Returns what the headers in a directory declare: pairs of a struct and a member, and the names of enum values."""
    text = "".join(
        open(os.path.join(include, "greenroom", name), encoding="utf-8").read() for name in ("plugin.h", "host.h")
    )
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    members, values = [], re.findall(r"X\((GR_\w+),", text)
    for struct, body in re.findall(r"^struct (gr_\w+) \{\n(.*?)^\}", text, re.S | re.M):
        for declaration in filter(str.strip, body.split(";")):
            pointer = re.search(r"\(\*(\w+)\)\s*\(", declaration)
            name = pointer or re.search(r"(\w+)\s*(\[[^\]]*\])?\s*$", declaration)
            members.append((struct, name[1]))
    for body in re.findall(r"^enum gr_\w+ \{(.*?)\}", text, re.S | re.M):
        values += re.findall(r"\b(GR_[A-Z0-9_]+)\b\s*(?:=|,|$)", body)
    return members, [value for value in dict.fromkeys(values) if value not in ("GR_ERR_ENUM", "GR_ERR_LIST")]


def layout(include, members, values, directory):
    """Returns offset and size of each member, and the number of each value, as the compiler computes them."""
    lines = [f'printf("{s}.{m} %zu %zu\\n", offsetof(struct {s}, {m}), sizeof(((struct {s} *)0)->{m}));'
             for s, m in members]
    lines += [f'printf("{value} %lld\\n", (long long){value});' for value in values]
    program = os.path.join(directory, "layout")
    with open(f"{program}.c", "w", encoding="utf-8") as file:
        file.write("#include <greenroom/plugin.h>\n#include <stdio.h>\nint main(void)\n{\n" + "\n".join(lines) + "\n}\n")
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", f"-I{include}", f"{program}.c", "-o", program], check=True)
    told = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in told.splitlines())


def differences(old, new, directory):
    members, values = declared(old)
    assert len(members) > 150 and len(values) > 60, "the headers were not understood"
    before = layout(old, members, values, directory)
    after = layout(new, members, values, directory)
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


@pytest.mark.parametrize("version", RELEASED)
def test_nothing_of_a_released_abi_has_moved(tmp_path, version):
    assert differences(os.path.join(FROZEN, version), os.path.join(SOURCE, "include"), tmp_path) == {}


@pytest.mark.parametrize(
    "old,new,moved",
    [
        ("    const char *name;    /* \"rooms\"", "    void *inserted;\n    const char *name;    /* \"rooms\"", "gr_plugin.name"),
        ("GR_METHOD_GET = 1,", "GR_METHOD_GET = 2,", "GR_METHOD_POST"),
        ("    bool required; ", "    int required; ", "gr_option.required"),
    ],
    ids=["a member inserted", "a value changed", "a type changed"],
)
def test_a_change_would_be_seen(tmp_path, old, new, moved):
    changed = tmp_path / "include" / "greenroom"
    changed.mkdir(parents=True)
    for name in ("plugin.h", "host.h"):
        text = open(os.path.join(SOURCE, "include", "greenroom", name), encoding="utf-8").read()
        assert name != "plugin.h" or text.count(old) == 1
        (changed / name).write_text(text.replace(old, new) if name == "plugin.h" else text)
    assert moved in differences(os.path.join(FROZEN, RELEASED[-1]), tmp_path / "include", tmp_path)
