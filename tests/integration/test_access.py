"""Authentication and authorization of minigroups, tested in a plugin that does only this."""

import pytest
from support import minigroups as mg
from support.wire import Gateway

RULES = [
    {
        "audience": "listed.org",
        "type": "localwhitelist",
        "records": [{"subject_account_id": "*.usr.example.org", "object": ["things", "*"], "action": "read"}],
    },
    {"audience": "local.org", "type": "local", "trusted": [mg.ADMIN]},
]


@pytest.fixture(scope="module")
def gateway(services):
    config = {
        "authn": [{"issuer": "iam.example.org", "audience": ["usr.example.org"], "key": mg.SECRET}],
        "authz": [*RULES, {"audience": "asked.org", "type": "http", "uri": services.url + "/authz/ask", "max_retries": 2}],
        "authz_cache": "5m",
    }
    with Gateway(plugins={"probe": {"config": config}}) as running:
        yield running


def may(gateway, audience, account=mg.TEACHER, thing="1", **more):
    headers = {"Authorization": "Bearer " + mg.token(account, **more)}
    return gateway.request("GET", f"/probe/may/{audience}/{thing}", headers=headers)


def test_a_token_names_an_account(gateway):
    assert may(gateway, "listed.org").json == {"account": mg.TEACHER, "verdict": "allowed"}
    assert may(gateway, "listed.org", header={"alg": "HS256", "kid": "any"}).status == 200
    answer = may(gateway, "listed.org", aud="usr.example.org:x")
    assert answer.json["account"] == "t-17.usr.example.org:x"


@pytest.mark.parametrize(
    "wrong",
    [{"secret": "another-secret-of-the-tests-0123456789abcdef"}, {"exp": 1}, {"iss": "else"}, {"aud": "else"}, {"sub": None}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_token_names_no_account(gateway, wrong):
    assert may(gateway, "listed.org", **wrong).status == 401


def test_rules_decide_and_the_rest_is_denied(gateway):
    assert may(gateway, "local.org", mg.ADMIN).json["verdict"] == "allowed"
    assert may(gateway, "local.org").json["verdict"] == "denied"
    assert may(gateway, "unknown.org", mg.ADMIN).json["verdict"] == "denied"


def test_a_service_is_asked_with_the_groups_own_token_and_its_answer_remembered(gateway, services):
    services.forget()
    for _ in range(2):
        assert may(gateway, "asked.org").json["verdict"] == "allowed"
    (asked,) = services.take("authz")
    assert asked.headers["Authorization"] == "Bearer probe for asked.org"
    assert asked.json == {
        "subject": {"namespace": "usr.example.org", "value": "t-17"},
        "object": {"namespace": "probe.svc.org", "value": ["things", "1"]},
        "action": "read",
    }


def test_no_answer_is_no_verdict_and_not_remembered(gateway, services):
    services.forget()
    services.fail("authz", "POST", "/ask", 500, {"error": "down"}, times=2)
    assert may(gateway, "asked.org", thing="2").json["verdict"] == "undecided"
    assert len(services.take("authz")) == 2
    assert may(gateway, "asked.org", thing="2").json["verdict"] == "allowed"
