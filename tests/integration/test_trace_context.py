"""traceparent and tracestate of callers, and those that upstreams get."""

import pytest

from support.forwarding import access_lines, start, upstream  # noqa: F401 (fixtures)

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.mark.parametrize("flags,passed", [("01", "01"), ("00", "00"), ("03", "01")])
def test_a_trace_goes_on_with_spans_of_its_own(start, upstream, flags, passed):
    gateway = start()
    spans = set()
    for n in range(2):
        gateway.get(f"/rooms/{n}", headers={"traceparent": f"00-{TRACE}-{PARENT}-{flags}", "tracestate": "a=1,b=2"})
        seen = upstream.requests[n]
        version, trace, span, sampled = seen.header("traceparent").split("-")
        assert (version, trace, sampled) == ("00", TRACE, passed)
        assert seen.header("tracestate") == "a=1,b=2"
        spans.add(span)
    assert len(spans | {PARENT}) == 3
    gateway.stop()
    lines = [line for line in access_lines(gateway) if line["route"] == "rooms.get"]
    assert {line["trace_id"] for line in lines} == {TRACE}
    assert {line["parent_id"] for line in lines} == {PARENT}
    assert {line["span_id"] for line in lines} == spans


def test_a_trace_that_is_none_is_dropped(start, upstream):
    gateway = start()
    for header in ("00-xyz", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01"):
        gateway.get("/rooms/1", headers={"traceparent": header, "tracestate": "a=1"})
    for request in upstream.requests:
        assert request.header("traceparent") is None and request.header("tracestate") is None
    gateway.stop()
    assert "trace_id" not in gateway.log


def test_traces_begin_here_when_configured(start, upstream):
    gateway = start(server={"trace": "generate"})
    for n in range(2):
        gateway.get(f"/rooms/{n}")
    gateway.get("/rooms/2", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    own = [request.header("traceparent").split("-") for request in upstream.requests[:2]]
    assert own[0][1] != own[1][1] and {parts[3] for parts in own} == {"01"}
    assert upstream.requests[2].header("traceparent").split("-")[1::2] == [TRACE, "00"]
