"""Runs every case of tests/contract/*.json: sends its request, and compares the call that 100ms receives and the answer."""

import json
import re
import urllib.parse

import pytest
from contract import cases, rig


def pytest_generate_tests(metafunc):
    if "case" not in metafunc.fixturenames:
        return
    groups = metafunc.config.getoption("--group") or cases.groups()
    chosen = [case for group in groups for case in cases.load(group)]
    metafunc.parametrize("case", chosen, ids=str)


def test_case(case, gateways, record_property):
    record_property("operation", case.route)
    gateway = gateways(case.group)
    expected = case.upstream
    if expected:
        tell(gateway, expected)
    answer = gateway.send(case.method, case.target, case.body, case.headers)
    if expected:
        received = the_one_call(gateway, expected)
        check_call(case, expected, received)
        check_answer(case, answer, defaults=answer_of(expected))
    else:
        calls = [recorder.received for recorder in gateway.recorders.values()]
        assert calls == [[], []], f"the upstream must see nothing of it; the client got {answer}"
        check_answer(case, answer, defaults=None)


def answer_of(expected):
    """Returns status, body and headers of the upstream's answer."""
    answer = expected.get("answers", {})
    body = cases.ANSWER
    if "body" in answer:
        body = cases.to_bytes(answer["body"])
    elif "raw" in answer:
        body = answer["raw"].encode()
    return answer.get("status", 200), body, answer.get("headers", {})


def tell(gateway, expected):
    status, body, headers = answer_of(expected)
    gateway.recorders[expected.get("at", "api")].says(status, body, headers)


def the_one_call(gateway, expected):
    at = expected.get("at", "api")
    calls = {name: recorder.received for name, recorder in gateway.recorders.items()}
    other = {name: list(list_) for name, list_ in calls.items() if name != at and list_}
    assert not other, f"calls to the wrong upstream: {other}"
    assert len(calls[at]) == 1, f"{len(calls[at])} calls instead of one: {calls[at]}"
    return calls[at][0]


def check_call(case, expected, received):
    method, target = (expected["receives"] or cases.documented_call(case)).split(" ", 1)
    path, _, query = target.partition("?")
    found_path, _, found_query = received.target.partition("?")
    assert received.method == method
    assert found_path == "/v2" + path
    assert pairs(found_query) == pairs(query)
    assert received.headers["Content-Type"] == "application/json"
    check_body(case, expected, received)
    check_credential(expected, received)


def pairs(query):
    """Returns the names and values of a query in their order. How they were escaped does not matter."""
    return urllib.parse.parse_qsl(query, keep_blank_values=True)


def check_body(case, expected, received):
    wanted = expected.get("body")
    if wanted == "same":
        assert received.body == case.body, "the body must go through byte for byte"
    elif wanted is None:
        assert received.body in (b"", b"{}")
    else:
        assert json.loads(received.body) == wanted


def check_credential(expected, received):
    wanted = expected.get("credential", "management")
    given = received.headers["Authorization"]
    if wanted == "none":
        assert given is None, "this upstream must not see a credential"
        return
    if wanted.startswith("Bearer "):
        assert given == wanted
        return
    claims = rig.claims_of(re.fullmatch(r"Bearer (\S+)", given).group(1))
    assert claims["type"] == wanted
    assert claims["access_key"] == rig.ACCESS_KEY
    for name, value in expected.get("claims", {}).items():
        assert claims[name] == value
    for name in expected.get("without_claims", []):
        assert name not in claims


def check_answer(case, answer, defaults):
    gets = case.gets
    if defaults:
        assert answer.status == gets.get("status", defaults[0]), answer
    else:
        assert answer.status == gets["status"], answer
    if "body" in gets:
        assert answer.json() == gets["body"]
    elif defaults and answer.status == defaults[0]:
        assert answer.body == defaults[1], "the answer must come back byte for byte"
    elif answer.status >= 400:
        check_error(answer, gets)
    if "token" in gets:
        check_token(answer.json()[gets["token"]["at"]], gets["token"])
    for name, value in gets.get("headers", {}).items():
        assert answer.headers[name] == value


def check_error(answer, gets):
    """Checks an error that the gateway itself made. It has the format of 100ms and one entry for each invalid member."""
    assert answer.headers["Content-Type"].startswith("application/json")
    error = answer.json()
    assert error["code"] == answer.status
    assert isinstance(error["message"], str) and error["message"]
    names = gets.get("names", [])
    for name in [names] if isinstance(names, str) else names:
        details = error.get("details", [])
        assert any(line.startswith(name + ": ") for line in details), f"{name} not in {error}"


def check_token(token, wanted):
    claims = rig.claims_of(token)
    assert claims["access_key"] == rig.ACCESS_KEY
    for name, value in wanted.get("claims", {}).items():
        assert claims[name] == value
    for name in wanted.get("without", []):
        assert name not in claims
    if "lifetime" in wanted:
        assert claims["exp"] - claims["nbf"] == wanted["lifetime"]
    assert claims["iat"] == claims["nbf"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", claims["jti"])
