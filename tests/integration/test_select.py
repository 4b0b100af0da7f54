"""Rows with `select`: the caller gets only those elements of a list for which it has asked."""

import pytest

from support.gateway import Gateway
from support.upstream import Reply, Upstream


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstream):
    directory = tmp_path_factory.mktemp("gateway")
    config = {
        "state_directory": str(directory / "state"),
        "credentials": {"100ms": {"kind": "100ms", "access_key": "key", "secret": "a secret"}},
        "upstreams": {"api": {"url": upstream.url + "/v2", "credential": "100ms"}},
    }
    with Gateway(directory, config, plugins={"polls": {}}) as running:
        yield running


def results(gateway):
    return gateway.get("/polls/p1/sessions/s1/results")


KEPT = b'{"session_id":"s1"}'
GONE = b'{"session_id":"s2"}'


@pytest.mark.parametrize("before, after", [
    (b"[]", b"[]"), (b"[%a]", b"[%a]"), (b"[%b]", b"[]"), (b"[ %b ]", b"[ ]"), (b"[%a,%b]", b"[%a]"),
    (b"[%b,%a]", b"[%a]"), (b"[%b, %b, %a , %b,%a]", b"[%a,%a]"), (b"[%a,%a, %b]", b"[%a,%a]"),
    (b"null", b"null"), (b'{"a":%b}', b'{"a":%b}'),
])
@pytest.mark.parametrize("frame", [b'{"results":%s}', b'{"a":[1],"results": %s ,"b":{}}'])
def test_what_stays_of_a_filtered_answer(gateway, upstream, frame, before, after):
    fill = lambda text: frame % text.replace(b"%a", KEPT).replace(b"%b", GONE)
    upstream.default = Reply(fill(before))
    assert b"".join(results(gateway).body.split()) == b"".join(fill(after).split())


@pytest.mark.parametrize("answer", [
    b"", b"[]", b"1", b'{"results":[1,]}', b'{"results":[,1]}', b'{"results":[1 2]}', b'{"results":[1}}',
    b'{"results":[],"results":[]}', b'{"a":1,"\\u0061":2}', b'{"results":[{"a":1,"a":2}]}', b'{"results":[nul]}',
    b'{"results":[]} 1', b'{"results":[\0]}', b'{"results":["\\u0000"]}', b'{"results":[]', b'{"results"}',
    b'{"a":+1}', b'{"results":[' + b"[" * 200 + b"]" * 200 + b"]}", b'{"results":["\xff"]}', b'{"results":[],}',
], ids=str)
def test_a_filtered_answer_that_is_no_json(gateway, upstream, answer):
    upstream.default = Reply(answer)
    assert results(gateway).status == 502
