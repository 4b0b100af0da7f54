"""`greenroom plugin test` runs contract cases with one plugin. It needs only the file of the plugin and the cases."""

import copy
import json
import os
import re
import subprocess

import pytest

BINARY = os.environ["GR_BINARY"]
SOURCE = os.environ["GR_SOURCE_DIR"]
PLUGINS = os.environ["GR_PLUGIN_DIR"]
TESTS = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins")
LIMIT = 60 * int(os.environ.get("GR_TIME_FACTOR", "1"))
HELLO = json.load(open(f"{SOURCE}/plugins/hello/cases.json", encoding="utf-8"))
# The credential and the upstream that the cases of the 100ms groups need.
WORKSPACE = {
    "credentials": {"100ms": {"kind": "100ms", "access_key": "key", "secret": "a-secret-of-more-than-32-bytes-here"}},
    "upstreams": {"api": {"credential": "100ms"}},
}


def run(library, cases, tmp_path, **more):
    file = tmp_path / "cases.json"
    file.write_text(cases if isinstance(cases, str) else json.dumps(cases))
    env = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
    return subprocess.run([BINARY, "plugin", "test", library, str(file)], capture_output=True, text=True,
                          timeout=LIMIT, env={**env, "TMPDIR": str(tmp_path)}, **more)


def hello(tmp_path, change):
    cases = copy.deepcopy(HELLO)
    change(cases)
    return run(f"{PLUGINS}/hello.so", cases, tmp_path)


def contract(group):
    return {**json.load(open(f"{SOURCE}/tests/contract/{group}.json", encoding="utf-8")), **WORKSPACE}


def test_the_cases_of_the_example_hold(tmp_path):
    done = hello(tmp_path, lambda cases: None)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "hello 1.0.0: 7 of 7 cases, 0 failed\n"


def test_the_cases_of_the_second_example_hold(tmp_path):
    cases = json.load(open(f"{SOURCE}/plugins/profiles/cases.json", encoding="utf-8"))
    done = run(f"{PLUGINS}/profiles.so", cases, tmp_path)
    assert (done.returncode, done.stdout) == (0, "profiles 1.0.0: 8 of 8 cases, 0 failed\n"), done.stdout
    cases["config"]["keep"] = 0
    done = run(f"{PLUGINS}/profiles.so", cases, tmp_path)
    assert done.returncode == 1 and "failed: profiles.get: the second one is answered from the store" in done.stdout


@pytest.mark.parametrize("group", ["rooms", "room_codes", "sip"])
def test_the_cases_of_this_tree_run_as_they_stand(tmp_path, group):
    cases = contract(group)
    done = run(f"{PLUGINS}/{group}.so", cases, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    [count] = re.findall(rf"^{group} \S+: (\d+) of \1 cases, 0 failed$", done.stdout, re.M)
    assert int(count) > len(cases["cases"]), "the lines of checks are cases, too"


# Changes that make a case of hello wrong, each with the difference that is printed.
WRONG = [
    (lambda cases: cases["cases"][0]["gets"].update(status=201), r"    status\n      expected 201\n      found    200\n"),
    (lambda cases: cases["cases"][0]["gets"]["body"].update(name="Eve"),
     r'    body\.name\n      expected "Eve"\n      found    "Ada"\n'),
    (lambda cases: cases["cases"][0]["gets"]["body"].update(more=1),
     r"    body\.more\n      expected 1\n      found    nothing\n"),
    (lambda cases: cases["cases"][0]["gets"]["body"].pop("name"),
     r'    body\.name\n      expected nothing\n      found    "Ada"\n'),
    (lambda cases: cases["cases"][1]["gets"]["body"]["names"].append("Lin"),
     r'    body\.names\[2\]\n      expected "Lin"\n      found    nothing\n'),
    (lambda cases: cases["cases"][0]["gets"].update(headers={"X-Greeting": "a"}),
     r'    header X-Greeting\n      expected "a"\n      found    nothing\n'),
    (lambda cases: cases["cases"][0].update(route="hello.none"), r"    the plugin has no such route\n"),
    (lambda cases: cases["checks"][0]["refuses"][1].update(names="names[0]"),
     r"    body\n      expected an error whose details name names\[0\]\n"),
]


@pytest.mark.parametrize("change,difference", WRONG)
def test_a_case_that_does_not_hold_is_shown_with_expected_and_found(tmp_path, change, difference):
    done = hello(tmp_path, change)
    assert done.returncode == 1
    assert re.search(r"^failed: hello\.\w+: .+\n" + difference, done.stdout, re.M), done.stdout
    assert done.stdout.endswith("hello 1.0.0: 7 of 7 cases, 1 failed\n")


# The same for wrong expectations of what the upstream receives.
UPSTREAM = [
    ({"receives": "GET /rooms/2"}, r"    the upstream's request\n      expected GET /rooms/2\n      found    GET /rooms/1"),
    ({"receives": "GET /rooms/1?a=1"}, r"    the upstream's query\n      expected a=1\n      found    none"),
    ({"receives": "GET /rooms/1", "credential": "none"}, r"    the upstream's credential\n      expected none\n"),
    ({"receives": "GET /rooms/1", "claims": {"type": "app"}}, r'claim type\n      expected "app"\n      found    "management"'),
    ({"receives": "GET /rooms/1", "body": {"a": 1}}, r"    the upstream's body\n      expected \{\"a\":1\}"),
    (None, r"    upstream 'api'\n      expected no such call\n      found    GET /rooms/1"),
    ([{"receives": "GET /rooms/1"}, {"receives": "GET /more"}], r"    upstream 'api'\n      expected GET /more\n"),
]


@pytest.mark.parametrize("upstream,difference", UPSTREAM)
def test_what_the_upstream_receives_is_compared(tmp_path, upstream, difference):
    case = {"name": "one room", "route": "rooms.get", "send": "GET /rooms/1", "gets": {"status": 200}}
    if upstream:
        case["upstream"] = upstream
    done = run(f"{PLUGINS}/rooms.so", {"cases": [case], **WORKSPACE}, tmp_path)
    assert done.returncode == 1
    assert re.search(difference, done.stdout), done.stdout


def test_an_answer_of_the_upstream_that_was_changed_is_shown(tmp_path):
    case = {"name": "one room", "route": "rooms.get", "send": "GET /rooms/1",
            "upstream": {"receives": "GET /rooms/1", "answers": {"status": 404, "body": {"code": 404}}}}
    assert run(f"{PLUGINS}/rooms.so", {"cases": [case], **WORKSPACE}, tmp_path).returncode == 0
    case["gets"] = {"status": 404, "body": {"code": 405}}
    done = run(f"{PLUGINS}/rooms.so", {"cases": [case], **WORKSPACE}, tmp_path)
    assert re.search(r"body\.code\n      expected 405\n      found    404", done.stdout), done.stdout


# Files of cases that cannot be used, each with the message for it.
BAD_FILES = [
    ("{", r"cases\.json: .+"),
    ({"cases": []}, r"cases\.json: cases: expected a list of at least one"),
    ({"cases": [{"name": "a"}]}, r"cases\.json: cases\[0\]: a: expected name, route and send"),
    ({"cases": [{"name": "a", "rout": "b"}]}, r'cases\.json: cases\[0\]: a: unknown member "rout"'),
    ({"cases": [{"name": "a", "route": "b", "send": "GET /"}]}, r"cases\.json: cases\[0\]: a: expected upstream, or gets"),
    ({"case": []}, r'cases\.json: the file: unknown member "case"'),
]


@pytest.mark.parametrize("cases,line", BAD_FILES)
def test_a_file_that_is_no_file_of_cases_is_refused(tmp_path, cases, line):
    done = run(f"{PLUGINS}/hello.so", cases, tmp_path)
    assert done.returncode == 3 and re.search(line, done.stderr), done.stderr


def test_a_plugin_that_is_refused_is_not_tested(tmp_path):
    done = run(f"{TESTS}/bad_minor.so", HELLO, tmp_path)
    assert done.returncode == 3 and "abi_minor" in done.stderr


def test_a_config_that_does_not_fit_is_told(tmp_path):
    done = hello(tmp_path, lambda cases: cases["config"].update(names_max=1000))
    assert done.returncode == 3
    assert "the gateway with this plugin does not start" in done.stderr
    assert re.search(r"config\.names_max: expected", done.stdout), done.stdout


@pytest.mark.skipif(bool(os.environ.get("GR_SANITIZE")), reason="a sanitizer ends the process in its own way")
def test_a_plugin_that_ends_the_gateway_is_told(tmp_path):
    cases = {"cases": [{"name": "a fault", "route": "fault.cause", "send": "GET /fault/null", "gets": {"status": 200}}]}
    done = run(f"{TESTS}/fault.so", cases, tmp_path)
    assert done.returncode == 1
    assert "no whole answer came" in done.stdout and "the gateway ended: Segmentation fault" in done.stdout
    assert '"plugin":"fault"' in done.stdout


def test_nothing_is_left_behind(tmp_path):
    hello(tmp_path, lambda cases: None)
    assert os.listdir(tmp_path) == ["cases.json"]
