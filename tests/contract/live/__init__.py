"""Compares answers, member by member, with recorded answers of the live service.

An object names its sources, its members with their types, and under "may" the members that only some answers have. A type
is string, integer, number, boolean, null, time (RFC 3339), object (with any content) or the name of another object.
"[x]" is a list of x, "{x}" is an object all of whose members are x, and "x|y" is x or y.
"""

import json
import pathlib
import re

HERE = pathlib.Path(__file__).parent
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
PLAIN = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "time": lambda value: isinstance(value, str) and TIME.match(value) is not None,
    "object": lambda value: isinstance(value, dict),
}


def names():
    return sorted(path.stem for path in HERE.glob("*.json") if path.stem != "sources")


def load(name):
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


def differences(objects, kind, value, where="", seen=None):
    """Returns a list of sentences that say how value differs from the type `kind`. seen collects the names of the objects that
    were compared."""
    choices = kind.split("|")
    if len(choices) > 1:
        tries = [differences(objects, choice, value, where, seen) for choice in choices]
        return [] if [] in tries else max(tries, key=len)
    if kind in PLAIN:
        return [] if PLAIN[kind](value) else [f"{where}: {value!r} is not {kind}"]
    if kind[0] == "[":
        return of_list(objects, kind[1:-1], value, where, seen)
    if kind[0] == "{":
        return of_map(objects, kind[1:-1], value, where, seen)
    return of_object(objects, kind, value, where, seen)


def of_list(objects, kind, value, where, seen):
    if not isinstance(value, list):
        return [f"{where}: {value!r} is not a list"]
    return [line for i, item in enumerate(value) for line in differences(objects, kind, item, f"{where}[{i}]", seen)]


def of_map(objects, kind, value, where, seen):
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is not a map"]
    return [line for name, item in value.items() for line in differences(objects, kind, item, f"{where}.{name}", seen)]


def of_object(objects, kind, value, where, seen):
    table = objects[kind]
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is not an object ({kind})"]
    if seen is not None:
        seen.add(kind)
    members, may = table["members"], table.get("may", {})
    found = [f"{where}.{name} is missing ({kind})" for name in members if name not in value]
    found += [f"{where}.{name} is not on record ({kind})" for name in value if name not in members and name not in may]
    for name, type_ in {**members, **may}.items():
        if name in value:
            found += differences(objects, type_, value[name], f"{where}.{name}", seen)
    return found


def at(value, path):
    """Returns the member that a path such as "data.0.id" leads to."""
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value
