"""Reads the contract cases. Each group has one JSON file; README.md describes its form."""

import copy
import dataclasses
import functools
import json
import pathlib

HERE = pathlib.Path(__file__).parent
# The default answer of the recording upstream. A JSON printer would write its numbers and spaces in another way, so
# the tests detect an answer that was parsed and printed again.
ANSWER = b'{"answer": "of 100ms",  "n": 1.50, "none": null, "list": [ ]}'


@dataclasses.dataclass
class Case:
    """One request: what the client sends, what the upstream has to receive, and what the client has to get."""

    group: str
    route: str
    name: str
    method: str
    target: str
    body: bytes | None = None
    headers: dict = dataclasses.field(default_factory=dict)
    upstream: dict | None = None  # None means that it receives nothing
    gets: dict = dataclasses.field(default_factory=dict)
    defects: tuple = ()

    def __str__(self):
        return f"{self.route}: {self.name}"


def groups():
    return sorted(path.stem for path in HERE.glob("*.json"))


@functools.cache
def load(group):
    """Returns all cases of a group: the ones under "cases", and those made from its "checks"."""
    data = json.loads((HERE / f"{group}.json").read_text(encoding="utf-8"))
    assert data["group"] == group, f"{group}.json says it is {data['group']}"
    unknown = set(data) - {"group", "cases", "checks"}
    assert not unknown, f"{group}.json: unknown {unknown}"
    cases = [written_case(group, entry) for entry in data["cases"]]
    for block in data.get("checks", []):
        cases += list(checks(group, block))
    return cases


def written_case(group, entry):
    unknown = set(entry) - {
        "name", "route", "defects", "send", "headers", "body", "raw", "upstream", "gets"
    }
    assert not unknown, f"{group}: '{entry.get('name')}' has unknown members {unknown}"
    method, target = entry["send"].split(" ", 1)
    body = None
    if "body" in entry:
        body = to_bytes(entry["body"])
    elif "raw" in entry:
        body = entry["raw"].encode()
    return Case(
        group=group,
        route=entry["route"],
        name=entry["name"],
        method=method,
        target=target,
        body=body,
        headers=entry.get("headers", {}),
        upstream=entry.get("upstream"),
        gets=entry.get("gets", {}),
        defects=tuple(entry.get("defects", ())),
    )


def checks(group, block):
    """Makes a case for each value of a block. An accepted value has to reach the upstream as it was sent, and the error
    for a refused value has to name it."""
    unknown = set(block) - {"about", "valid", "valid_query", "sends", "accepts", "refuses"}
    assert not unknown, f"{group}: a block has unknown members {unknown}"
    for send in block["sends"]:
        build = query_case if send["send"].startswith("GET ") else body_case
        for entry in block.get("accepts", []):
            yield build(group, block, send, entry, None)
        for entry in block.get("refuses", []):
            yield build(group, block, send, entry, entry["names"])


def query_case(group, block, send, entry, names):
    method, path = send["send"].split(" ", 1)
    given = dict(pair.split("=", 1) for pair in filter(None, block.get("valid_query", "").split("&")))
    if names is None:
        query = entry
    elif "without" in entry:
        given.pop(entry["without"])
        query = ""
    else:
        query = entry["query"]
    for pair in filter(None, query.split("&")):
        given.pop(pair.split("=", 1)[0], None)
    query = "&".join([f"{name}={value}" for name, value in given.items()] + [query] * bool(query))
    what = query if query else f"no {entry['without']}"
    target = f"{path}?{query}" if query else path
    return judged(group, send, method, target, None, what, names)


def body_case(group, block, send, entry, names):
    method, target = send["send"].split(" ", 1)
    inner = copy.deepcopy(block.get("valid", {}))
    if names is None:
        inner, what = merge(inner, entry), entry
    elif "without" in entry:
        del inner[entry["without"]]
        what = f"no {entry['without']}"
    else:
        inner, what = merge(inner, entry["body"]), entry["body"]
    body = place(inner, send.get("inside", []), copy.deepcopy(send.get("base")))
    if names is not None:
        names = prefix(send.get("inside", []), names)
    what = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False)
    if "inside" in send:
        what += " in " + prefix(send["inside"], "").rstrip(".")
    return judged(group, send, method, target, to_bytes(body), what, names)


def judged(group, send, method, target, body, what, names):
    if len(what) > 160:
        what = what[:130] + "… of " + str(len(what))
    headers = send.get("headers", {})
    if names is None:
        upstream = {"receives": None, "body": "same" if body is not None else None}
        return Case(group, send["route"], f"{method} accepts {what}", method, target, body, headers,
                    upstream=None if "gets" in send else upstream, gets=send.get("gets", {}))
    return Case(group, send["route"], f"{method} refuses {what}", method, target, body, headers,
                gets={"status": 400, "names": names})


def documented_call(case):
    """Returns what the upstream receives for an accepted value. It is the call of the route's first case, with the query
    of this case."""
    for other in load(case.group):
        receives = other.upstream and other.upstream.get("receives")
        if other.route == case.route and receives:
            query = case.target.partition("?")[2]
            return receives.partition("?")[0] + (f"?{query}" if query else "")
    raise AssertionError(f"{case.route} has no case that tells what the upstream receives")


def merge(base, patch):
    """Returns base with the changes of patch. Objects are merged member by member, anything else is replaced."""
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    merged = dict(base)
    for name, value in patch.items():
        merged[name] = merge(base[name], value) if name in base else value
    return merged


def place(inner, inside, base):
    """Returns a body that holds inner in the place that the steps lead to. A step is the name of a member, or 0 for a
    list with one element."""
    if not inside:
        return merge(base or {}, inner) if isinstance(inner, dict) else inner
    step, rest = inside[0], inside[1:]
    if step == 0:
        return [place(inner, rest, None)]
    outer = base or {}
    if isinstance(outer.get(step), dict) and not rest:
        outer[step] = inner
    else:
        outer[step] = place(inner, rest, outer.get(step))
    return outer


def prefix(inside, name):
    where = ""
    for step in inside:
        where += "[0]" if step == 0 else ("." if where else "") + step
    return f"{where}.{name}" if where else name


def to_bytes(value):
    return json.dumps(value, ensure_ascii=False).encode()
