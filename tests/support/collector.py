"""A stand-in for an OpenTelemetry collector, which accepts OTLP over HTTP in JSON and fails on anything that the schema does not allow.

    with Collector() as collector:
        … "traces": {"url": collector.url, …}
        spans = collector.wait_spans(2)
"""

import json
import re
import threading

from support.until import until
from support.upstream import Reply, Upstream

SERVER, CLIENT, INTERNAL = 2, 3, 1
WAIT = "wait for a worker"
ENVELOPE = {"resourceSpans": list}
RESOURCE_SPANS = {"resource": dict, "scopeSpans": list}
SCOPE_SPANS = {"scope": dict, "spans": list}
SPAN = {"traceId": str, "spanId": str, "flags": int, "name": str, "kind": int, "startTimeUnixNano": str,
        "endTimeUnixNano": str, "attributes": list}
OPTIONAL = {"parentSpanId": str, "traceState": str, "status": dict}
VALUES = {"stringValue": lambda value: isinstance(value, str) and value != "",
          "intValue": lambda value: isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value),
          "doubleValue": lambda value: isinstance(value, (int, float)),
          "boolValue": lambda value: isinstance(value, bool)}


def check_object(value, members, optional=None):
    """Checks that value has these members, of these types, and no others."""
    optional = optional or {}
    assert isinstance(value, dict) and members.keys() <= value.keys() <= members.keys() | optional.keys(), value
    for name, member in value.items():
        wanted = members.get(name) or optional[name]
        assert isinstance(member, wanted) and (wanted is bool or not isinstance(member, bool)), (name, member)


def attributes(pairs):
    """A list of KeyValue as a dict."""
    found = {}
    for pair in pairs:
        check_object(pair, {"key": str, "value": dict})
        (kind, value), = pair["value"].items()
        assert VALUES[kind](value), pair
        assert pair["key"] not in found, f"{pair['key']} twice"
        found[pair["key"]] = int(value) if kind == "intValue" else value
    return found


class Span:
    """One span that was received, checked against the schema of OTLP."""

    def __init__(self, raw, resource):
        check_object(raw, SPAN, OPTIONAL)
        assert re.fullmatch(r"(?!0+$)[0-9a-f]{32}", raw["traceId"]), raw
        assert re.fullmatch(r"(?!0+$)[0-9a-f]{16}", raw["spanId"]), raw
        assert re.fullmatch(r"(?!0+$)[0-9a-f]{16}", raw.get("parentSpanId", "1" * 16)), raw
        assert raw["kind"] in (INTERNAL, SERVER, CLIENT) and raw["name"] and raw["flags"] == 1, raw
        for name in ("startTimeUnixNano", "endTimeUnixNano"):
            assert re.fullmatch(r"1[0-9]{18}", raw[name]), raw  # a time in this century
        self.trace_id, self.id, self.parent_id = raw["traceId"], raw["spanId"], raw.get("parentSpanId")
        self.name, self.kind, self.state = raw["name"], raw["kind"], raw.get("traceState")
        self.start, self.end = int(raw["startTimeUnixNano"]), int(raw["endTimeUnixNano"])
        assert self.start <= self.end, raw
        self.failed = "status" in raw
        assert raw.get("status", {"code": 2}) == {"code": 2}, raw
        self.attributes = attributes(raw["attributes"])
        assert not self.failed or self.attributes.get("error.type"), raw
        self.resource = resource

    def __getitem__(self, name):
        return self.attributes.get(name)

    def __repr__(self):
        return f"<{self.name} {self.attributes}>"


class Collector:
    """will(): how the next exports are answered, as with Upstream."""

    def __init__(self):
        self.upstream = Upstream()
        self.upstream.default = Reply({"partialSuccess": {}})
        self._read = 0
        self._spans = []
        self._lock = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.upstream.stop()

    @property
    def url(self):
        return f"{self.upstream.url}/v1/traces"

    def will(self, *replies):
        self.upstream.will(*replies)

    @property
    def spans(self):
        with self._lock:
            requests = self.upstream.requests[self._read:]
            self._read += len(requests)
            for request in requests:
                self._spans += list(self._spans_of(request))
            return list(self._spans)

    @staticmethod
    def _spans_of(request):
        if request.line == "GET /":
            return  # the gateway asks whether a collector that failed has come back
        assert request.line == "POST /v1/traces", request
        assert request.header("Content-Type") == "application/json"
        body = json.loads(request.body)
        check_object(body, ENVELOPE)
        for one in body["resourceSpans"]:
            check_object(one, RESOURCE_SPANS)
            check_object(one["resource"], {"attributes": list})
            resource = attributes(one["resource"]["attributes"])
            assert {"service.name", "service.version", "service.instance.id"} <= resource.keys()
            for scope in one["scopeSpans"]:
                check_object(scope, SCOPE_SPANS)
                check_object(scope["scope"], {"name": str, "version": str})
                assert scope["spans"], "an export without spans"
                for span in scope["spans"]:
                    yield Span(span, resource)

    def wait_spans(self, count, **having):
        """Waits for so many spans whose attributes have these values; a dot in a name is written as __. Returns all such
        spans in the order of their start."""
        wanted = {name.replace("__", "."): value for name, value in having.items()}

        def fitting():
            found = [span for span in self.spans if wanted.items() <= span.attributes.items()]
            return found if len(found) >= count else None

        return sorted(until(fitting, f"no {count} spans with {wanted}, but {self.spans}"), key=lambda span: span.start)

    def wait_trace(self, trace_id, count):
        """Waits for so many spans of a trace and returns them in the order of their start. Spans of waits do not count,
        because how many there are depends on the load of the machine."""
        def fitting():
            found = [span for span in self.spans if span.trace_id == trace_id and span.name != WAIT]
            return found if len(found) >= count else None

        found = until(fitting, f"no {count} spans of {trace_id}, but {self.spans}")
        assert len({span.id for span in found}) == len(found)
        return sorted(found, key=lambda span: span.start)
