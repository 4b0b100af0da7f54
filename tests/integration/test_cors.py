"""CORS: the headers for pages of other origins, on answers and on errors."""

import pytest
from support.wire import Gateway

PAGE = "https://app.example"
OTHER = "https://evil.example"


def gateway_with(cors):
    return Gateway(plugins={"probe": {}}, server={"cors": cors, "body_max": "1k"})


@pytest.fixture(scope="module")
def listed():
    with gateway_with({"origins": [PAGE, "https://two.example"], "max_age": "10m"}) as running:
        yield running


@pytest.fixture(scope="module")
def trusting():
    with gateway_with({"origins": [PAGE], "credentials": True}) as running:
        yield running


@pytest.fixture(scope="module")
def anybody():
    with gateway_with({"origins": ["*"], "expose": ["X-Request-Id"]}) as running:
        yield running


def preflight(gateway, origin, path="/probe/json", method="POST"):
    return gateway.request("OPTIONS", path, headers={
        "Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type"})


def allowed(answer):
    return answer.header("Access-Control-Allow-Origin")


def test_a_listed_origin_may_read_the_answer(listed):
    answer = listed.get("/healthz", headers={"Origin": PAGE})
    assert answer.status == 200 and allowed(answer) == PAGE
    assert answer.header("Vary") == "Origin"
    assert answer.header("Access-Control-Expose-Headers") == "X-Request-Id, Retry-After"
    assert answer.header("Access-Control-Allow-Credentials") is None


@pytest.mark.parametrize("origin", [OTHER, "https://app.example.evil.example", "https://APP.example", "null",
                                    "https://app.example:444", "http://app.example"])
def test_another_origin_may_not(listed, origin):
    for answer in (listed.get("/healthz", headers={"Origin": origin}), preflight(listed, origin)):
        assert allowed(answer) is None
        assert answer.header("Access-Control-Allow-Methods") is None
        assert answer.header("Vary") == "Origin", "a cache would hand it to a page that may"


def test_an_answer_without_origin_varies_too(listed):
    answer = listed.get("/healthz")
    assert allowed(answer) is None and answer.header("Vary") == "Origin"


def test_a_preflight_is_answered(listed):
    answer = preflight(listed, PAGE)
    assert answer.status == 204 and allowed(answer) == PAGE
    assert answer.header("Access-Control-Allow-Methods") == "POST, OPTIONS"
    assert answer.header("Access-Control-Allow-Headers") == "Content-Type, Authorization, X-Request-Id"
    assert answer.header("Access-Control-Max-Age") == "600"


def test_a_page_can_read_every_refusal(listed):
    json = {"Origin": PAGE, "Content-Type": "application/json"}
    for status, answer in (
            (404, listed.get("/nowhere", headers={"Origin": PAGE})),
            (405, listed.request("DELETE", "/healthz", headers={"Origin": PAGE})),
            (400, listed.request("POST", "/probe/json", "{", json)),
            (413, listed.request("POST", "/probe/json", "[" + "1," * 600 + "1]", json)),
            (415, listed.request("POST", "/probe/json", "a", {"Origin": PAGE, "Content-Type": "text/html"}))):
        assert answer.status == status, answer
        assert allowed(answer) == PAGE, status
    with listed.raw(b"POST /probe/json HTTP/1.1\r\nHost: a\r\nOrigin: " + PAGE.encode()
                    + b"\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n") as raw:
        answer = raw.answer()
        assert answer.status == 400 and allowed(answer) == PAGE


def test_credentials_go_to_named_origins_alone(trusting):
    answer = trusting.get("/healthz", headers={"Origin": PAGE})
    assert allowed(answer) == PAGE and answer.header("Access-Control-Allow-Credentials") == "true"
    answer = trusting.get("/healthz", headers={"Origin": OTHER})
    assert allowed(answer) is None and answer.header("Access-Control-Allow-Credentials") is None


def test_any_origin(anybody):
    answer = anybody.get("/healthz", headers={"Origin": OTHER})
    assert allowed(answer) == "*" and answer.header("Vary") is None
    assert answer.header("Access-Control-Expose-Headers") == "X-Request-Id"
    assert answer.header("Access-Control-Allow-Credentials") is None


def test_without_origins_nothing_is_said():
    with gateway_with({}) as gateway:
        answer = gateway.get("/healthz", headers={"Origin": PAGE})
        assert allowed(answer) is None and answer.header("Vary") is None


@pytest.mark.parametrize("name", ["headers", "expose"])
def test_without_memory_for_a_list_the_request_fails(name):
    """The list is longer than the memory of a call, so that it can never be joined."""
    long = [f"X-{number}-{'a' * 1000}" for number in range(100)]
    with Gateway(plugins={"probe": {}}, server={"cors": {"origins": [PAGE], name: long}, "call_memory_max": "64k"}) as gateway:
        answer = preflight(gateway, PAGE) if name == "headers" else gateway.get("/healthz", headers={"Origin": PAGE})
        assert answer.status == 500 and allowed(answer) == PAGE
