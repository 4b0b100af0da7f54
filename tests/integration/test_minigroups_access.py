"""Who may call minigroups: tokens and their keys, the authorizer, web pages; the order of checks."""

import json
import re
import subprocess
import time
import uuid

import pytest

from support import minigroups as mg
from support.minigroups_fixtures import BASE, by_scope, clean, gateway  # noqa: F401 (fixtures)
from support.upstream import forged


# --- callers ---


@pytest.mark.parametrize(
    "bearer",
    [
        "x",
        "a.b.c",
        mg.token(mg.ADMIN, secret="another-secret-another-secret-another"),
        mg.token(mg.ADMIN, exp=int(time.time()) - 1),
        mg.token(mg.ADMIN, exp=None),
        mg.token(mg.ADMIN, nbf=int(time.time()) + 1000),
        mg.token(mg.ADMIN, sub="admin.usr"),
        mg.token(mg.ADMIN, sub="admin:x"),
        mg.token(mg.ADMIN, iss="iam.other.org"),
        mg.token(mg.ADMIN, aud="usr.other.org"),
        mg.token(mg.ADMIN, aud=["usr.example.org"]),
        mg.token(mg.ADMIN, sub=None),
        mg.token(mg.ADMIN, iss="svc.example.org"),
        mg.token(mg.ADMIN, header={"alg": "none"}),
        mg.token(mg.ADMIN, header={"alg": "HS512"}),
        mg.token(mg.ADMIN).rsplit(".", 1)[0] + ".",
    ],
    ids=["one part", "no base64", "secret", "exp", "no exp", "nbf", "dot in sub", "colon in sub", "iss", "aud", "aud list", "no sub",
         "iss of services", "alg none", "alg HS512", "no signature"],
)
def test_bad_tokens(gateway, bearer):
    headers = {"Authorization": "Bearer " + bearer}
    problem = gateway.refuse(401, "invalid_authentication", "GET", f"{BASE}/{uuid.uuid4()}", who=None, headers=headers)
    assert problem["detail"]


def test_guesses_of_tokens_are_throttled(services, tmp_path):
    gateway = mg.Gateway(tmp_path, services, auth={"throttle": {"failures": 3}})
    try:
        path, guess = f"{BASE}/{uuid.uuid4()}", {"Authorization": "Bearer " + mg.token(mg.ADMIN, secret="guessed")}
        statuses = [gateway.call("GET", path, headers=guess)[0] for _ in range(5)]
        assert statuses == [401] * 3 + [429] * 2
    finally:
        assert gateway.stop() == 0


def test_good_tokens(gateway):
    path = f"{BASE}/{gateway.create()['id']}"
    bearer = mg.token(mg.ADMIN, header={"alg": "HS256", "kid": "some"})
    gateway.ask("GET", path, who=None, headers={"Authorization": "bearer " + bearer})
    gateway.ask("GET", f"{path}?access_token={bearer}", who=None)
    # the header takes precedence over the query, and another scheme is not a token
    good = mg.token(mg.ADMIN)
    for header in ("Bearer x", "Basic " + good):
        problem = ("GET", f"{path}?access_token={good}")
        gateway.refuse(401, "invalid_authentication", *problem, who=None, headers={"Authorization": header})


def test_an_issuer_whose_tokens_never_end(services, tmp_path):
    """The services of the original implementation sign tokens without exp and do not check nbf."""
    whole = mg.options(services)
    for issuer in whole["authn"]:
        issuer.update(exp_required=False, nbf_checked=False)
    gateway = mg.Gateway(tmp_path, services, authn=whole["authn"])
    try:
        path = f"{BASE}/{gateway.create()['id']}"
        for bearer in (mg.token(mg.ADMIN, exp=None), mg.token(mg.ADMIN, nbf=int(time.time()) + 1000)):
            gateway.ask("GET", path, who=None, headers={"Authorization": "Bearer " + bearer})
    finally:
        gateway.stop()


def test_order_of_checks(gateway, services):
    missing = f"{BASE}/{uuid.uuid4()}"
    gateway.refuse(400, "invalid_parameter", "GET", f"{BASE}/not-a-uuid", who=None)
    gateway.refuse(401, "no_authentication_token", "PUT", missing, {"bad": 1}, who=None)
    gateway.refuse(400, "invalid_payload", "PUT", missing, {"reserve": "x"})
    gateway.refuse(400, "invalid_query_string", "GET", missing + "?class_keys=a")
    gateway.refuse(404, "class_not_found", "PUT", missing, {"reserve": 1}, who=mg.PUPIL)
    gateway.refuse(403, "access_denied", "PUT", f"{BASE}/{gateway.create()['id']}", {"reserve": 1}, who=mg.PUPIL)


def test_unknown_paths_and_methods(gateway):
    gateway.refuse(404, "not_found", "GET", BASE + "/a/b/c/d")
    status, _, headers = gateway.call("DELETE", f"{BASE}/{uuid.uuid4()}")
    assert status == 405 and {"GET", "PUT"} <= {word.strip() for word in headers["Allow"].split(",")}


BODY_MAX = 2 * 1024 * 1024


def test_bodies_of_two_mebibytes_are_taken_and_no_larger_ones(gateway):
    minigroup = gateway.create()
    path = f"{BASE}/{minigroup['id']}"
    for method, route, body, _ in routes_of(minigroup):
        if body is not None:
            gateway.refuse(413, "payload_too_large", method, route, raw=b" " * (BODY_MAX + 1))
    gateway.refuse(413, "payload_too_large", "POST", BASE, raw=b" " * (BODY_MAX + 1))
    gateway.refuse(413, "payload_too_large", "POST", f"/api/v1/audiences/{mg.AUDIENCE}/events", raw=b" " * (BODY_MAX + 1))
    gateway.refuse(413, "payload_too_large", "PUT", "/api/v1/account/properties/a", raw=b" " * (BODY_MAX + 1))
    assert gateway.call("PUT", path + "/properties/large", raw=b'"' + b"x" * (BODY_MAX - 2) + b'"')[0] == 200
    assert len(gateway.ask("GET", path + "/properties/large")) == BODY_MAX - 2


# --- rights ---


def routes_of(minigroup):
    path = f"{BASE}/{minigroup['id']}"
    return [
        ("GET", path, None, "read"),
        ("GET", by_scope(minigroup), None, "read"),
        ("PUT", path, {"reserve": 1}, "update"),
        ("PUT", by_scope(minigroup), {"reserve": 1}, "update"),
        ("POST", path + "/recreate", {}, "update"),
        ("GET", path + "/download", None, "download"),
        ("POST", path + "/events", {"type": "a", "data": 1}, "update"),
        ("POST", path + "/timestamps", {"position": 1}, "read"),
        ("GET", path + "/properties/a", None, "read"),
        ("PUT", path + "/properties/a", 1, "update"),
        ("POST", path + "/whiteboard", None, "update"),
        ("POST", f"/api/v1/transcoding/minigroup/{minigroup['id']}/restart", {}, "update"),
    ]


def test_each_route_asks_the_authorizer(gateway, services):
    minigroup = gateway.create(audience="asks.example.org")
    asked = services.take("authz")[0]
    assert asked.path == "/ask" and asked.json == {
        "subject": {"namespace": "usr.example.org", "value": "admin"},
        "object": {"namespace": mg.SERVICES["dispatcher"], "value": ["classrooms"]},
        "action": "create",
    }
    claims = mg.claims_in(asked.headers["Authorization"])
    assert claims["aud"] == "svc.example.org:asks.example.org" and claims["sub"] == "dispatcher"
    services.fail("authz", "POST", "/ask", 200, [])
    for method, path, body, action in routes_of(minigroup):
        services.forget()
        problem = gateway.refuse(403, "access_denied", method, path, body)
        assert mg.ADMIN in problem["detail"] and minigroup["id"] in problem["detail"]
        (asked,) = services.take()
        assert asked.json["object"]["value"] == ["classrooms", minigroup["id"]] and asked.json["action"] == action


def test_an_authorizer_that_does_not_answer(gateway, services):
    path = f"{BASE}/{gateway.create(audience='asks.example.org')['id']}"
    for status, answer in ((500, {}), (None, None), (200, b"oops"), (200, {"ok": 1}), (200, ["read", 1])):
        services.mend()
        services.forget()
        services.fail("authz", "POST", "/ask", status, answer)
        gateway.refuse(422, "authorization_failed", "GET", path)
        assert len(services.take("authz")) == 3  # max_retries
    services.mend()
    services.fail("authz", "POST", "/ask", 500, [], times=2)  # no answer, twice
    services.rules[0][4] = b"no"
    gateway.ask("GET", path)
    services.mend()
    services.fail("authz", "POST", "/ask", 503, ["read"])  # the status is not checked
    gateway.ask("GET", path)


def test_other_kinds_of_rights(gateway):
    open_one = gateway.create(audience="open.example.org")
    gateway.ask("PUT", f"{BASE}/{open_one['id']}", {"reserve": 1}, who=mg.PUPIL)
    gateway.create(audience="trusts.example.org")
    body = {"scope": "x", "audience": "trusts.example.org", "host": mg.TEACHER}
    gateway.refuse(403, "access_denied", "POST", BASE, body, who=mg.PUPIL)
    gateway.refuse(403, "access_denied", "POST", BASE, {**body, "audience": "unknown.example.org"})


def test_a_scope_of_another_tenant_is_neither_there_nor_absent(gateway):
    there = gateway.create()["scope"]
    absent, shapes = f"absent-{uuid.uuid4()}", set()
    for scope in (there, absent):
        path = f"/api/v1/audiences/{mg.AUDIENCE}/minigroups/{scope}"
        problems = [
            gateway.refuse(403, "access_denied", "PUT", path, {"reserve": 1}, who=mg.PUPIL) for _ in range(2)
        ]
        assert problems[0] == problems[1]
        text = json.dumps(problems[0])
        shapes.add(re.sub("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "ID", text))
    assert len(shapes) == 1
    gateway.refuse(404, "class_not_found", "PUT", path, {"reserve": 1})


# --- keys ---


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keys")

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=directory, timeout=mg.LIMIT)

    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.sec1")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "ec.sec1", "-out", "ec.pem")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "ec.sec1", "-outform", "DER", "-out", "ec.der")
    openssl("ec", "-in", "ec.pem", "-pubout", "-out", "ec.pub.pem")
    openssl("ec", "-in", "ec.pem", "-pubout", "-outform", "DER", "-out", "ec.pub.der")
    (directory / "ec.point").write_bytes((directory / "ec.pub.der").read_bytes()[-65:])
    return directory


def es256(directory, claims):
    body = mg.b64(json.dumps({"alg": "ES256"}).encode()) + "." + mg.b64(json.dumps(claims).encode())
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", str(directory / "ec.pem")],
        input=body.encode(), check=True, capture_output=True, timeout=mg.LIMIT,
    )
    der, numbers, at = done.stdout, [], 2
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2 : at + 2 + length], "big").to_bytes(32, "big"))
        at += 2 + length
    return body + "." + mg.b64(b"".join(numbers))


@pytest.mark.parametrize("form", ["ec.pub.pem", "ec.pub.der", "ec.point"])
def test_public_keys_in_three_forms(services, tmp_path, keys, form):
    authn = [
        {
            "issuer": "iam.example.org",
            "audience": ["usr.example.org"],
            "algorithm": "ES256",
            "key_file": str(keys / form),
        }
    ]
    gateway = mg.Gateway(tmp_path, services, authn=authn)
    try:
        good = es256(keys, mg.claims_of(mg.ADMIN))
        path = f"{BASE}/{uuid.uuid4()}"
        gateway.refuse(404, "class_not_found", "GET", path, who=None, headers={"Authorization": "Bearer " + good})
        # the issuer determines the algorithm, not the token
        for bad in (mg.token(mg.ADMIN), forged(good)):
            headers = {"Authorization": "Bearer " + bad}
            gateway.refuse(401, "invalid_authentication", "GET", path, who=None, headers=headers)
    finally:
        gateway.stop()


def test_our_own_tokens_by_es256(services, tmp_path, keys):
    gateway = mg.Gateway(
        tmp_path, services, id_token_algorithm="ES256", id_token_key_file=str(keys / "ec.der")
    )
    try:
        gateway.create(host=None)
        bearer = services.take("conference")[0].headers["Authorization"].split()[1]
        head, body, signature = bearer.split(".")
        assert json.loads(mg.base64.urlsafe_b64decode(head + "=="))["alg"] == "ES256" and len(signature) == 86
    finally:
        gateway.stop()


# --- the browser ---


def test_every_origin_may_call(gateway):
    path = f"{BASE}/{gateway.create()['id']}"
    assert gateway.call("GET", path, headers={"Origin": "https://x.org"})[2]["Access-Control-Allow-Origin"] == "*"
    headers = {
        "Origin": "https://x.org",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type,ulms-scope,x-agent-label",
    }
    status, _, answer = gateway.call("OPTIONS", path, who=None, headers=headers)
    assert status == 200 and answer["Access-Control-Allow-Origin"] == "*"
    assert "PUT" in answer["Access-Control-Allow-Methods"]
    assert answer["Access-Control-Allow-Headers"] == headers["Access-Control-Request-Headers"]
