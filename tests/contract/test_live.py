"""The answers and webhooks of the sandbox have the members that were recorded of the live service.

Each file of live/ describes objects, and calls whose answers are compared with them. README.md explains its form.
"""

import json
import re

import pytest
from contract import live
from support.sandbox import Sandbox
from support.until import until

SOURCES = live.load("sources")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    box = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield box
    box.stop()


@pytest.fixture
def box(running):
    running.ok("POST", "/sandbox/reset", status=204)
    return running


class Flow:
    """Runs the steps of one file, and keeps what they save for later steps."""

    def __init__(self, box, data):
        self.box = box
        self.objects = data["objects"]
        self.saved = {}
        self.seen = set()

    def filled(self, value):
        """Returns the value with each "{name}" replaced by the text that was saved under this name."""
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda found: self.saved[found[1]], value)
        if isinstance(value, dict):
            return {name: self.filled(member) for name, member in value.items()}
        return [self.filled(item) for item in value] if isinstance(value, list) else value

    def run(self, step):
        unknown = set(step) - {"call", "until", "event", "advance", "body", "raw", "status", "is", "values", "save",
                               "has", "parts"}
        assert not unknown, f"unknown members {unknown} in {step}"
        if "advance" in step:
            self.box.advance(step["advance"])
        elif "event" in step:
            self.check(step, self.event(step["event"]), kind=step["event"])
        elif "until" in step:
            until(lambda: not self.unlike(step, self.call(step["until"], step)), step["until"])
            self.check(step, self.call(step["until"], step), kind=step["is"])
        else:
            self.check(step, self.call(step["call"], step), kind=step.get("is"))

    def call(self, call, step):
        method, path = self.filled(call).split(" ", 1)
        body = step["raw"].encode() if "raw" in step else self.filled(step.get("body"))
        answer = self.box.call(method, path, body)
        assert answer.status == step.get("status", 200), f"{call}: {answer}"
        return answer.json

    def event(self, type_):
        """Returns the data of the latest event of that type, and checks the members around it."""
        found = [row["event"] for row in self.box.get("/sandbox/webhooks")["data"] if row["event"]["type"] == type_]
        assert found, f"no event {type_}"
        assert set(found[-1]) == {"version", "id", "account_id", "app_id", "timestamp", "type", "data"}
        assert found[-1]["version"] == "2.0"
        return found[-1]["data"]

    def unlike(self, step, answer):
        """Returns the values that are not those that the step expects."""
        wanted = self.filled(step.get("values", {}))
        return {path: live.at(answer, path) for path, value in wanted.items() if live.at(answer, path) != value}

    def check(self, step, answer, kind):
        if kind:
            found = live.differences(self.objects, kind, answer, "answer", self.seen)
            assert not found, "\n".join([json.dumps(step), *found])
        for path, part in step.get("parts", {}).items():
            found = live.differences(self.objects, part, live.at(answer, path), path, self.seen)
            assert not found, "\n".join([json.dumps(step), *found])
        assert not self.unlike(step, answer), f"{step}: {self.unlike(step, answer)}"
        assert not [name for name in step.get("has", []) if name not in answer], step
        for name, path in step.get("save", {}).items():
            self.saved[name] = live.at(answer, path)


@pytest.mark.parametrize("name", live.names())
def test_the_sandbox_answers_as_the_live_service_did(box, name):
    data = live.load(name)
    flow = Flow(box, data)
    for step in data["flow"]:
        flow.run(step)
    assert flow.seen == set(data["objects"]), "each table is compared with an answer"


@pytest.mark.parametrize("name", live.names())
def test_each_table_names_where_it_comes_from(name):
    data = live.load(name)
    assert set(data) == {"objects", "flow"}
    for kind, table in data["objects"].items():
        assert set(table) <= {"sources", "members", "may"}, kind
        assert table["sources"] and set(table["sources"]) <= set(SOURCES), kind
        assert not set(table["members"]) & set(table.get("may", {})), kind


def test_every_source_is_used():
    used = {source for name in live.names() for table in live.load(name)["objects"].values() for source in table["sources"]}
    assert used == set(SOURCES)


def test_the_comparison_sees_what_differs():
    objects = {
        "room": {"members": {"id": "string", "at": "null|time", "codes": "[code]", "peers": "{code}"}, "may": {"size": "integer"}},
        "code": {"members": {"code": "string"}},
    }
    good = {"id": "a", "at": None, "codes": [{"code": "x"}], "peers": {"p": {"code": "y"}}}
    assert live.differences(objects, "room", good) == []
    assert live.differences(objects, "room", {**good, "at": "2026-01-02T03:04:05.678Z", "size": 1}) == []
    for wrong in (
        {name: value for name, value in good.items() if name != "id"},
        {**good, "more": 1},
        {**good, "size": True},
        {**good, "size": "1"},
        {**good, "at": "yesterday"},
        {**good, "codes": {}},
        {**good, "codes": [{"code": None}]},
        {**good, "peers": {"p": {}}},
        [],
    ):
        assert len(live.differences(objects, "room", wrong)) == 1, wrong
