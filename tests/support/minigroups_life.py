"""The life of a minigroup, step by step, for tests that begin in a certain status."""

import pytest

from support import minigroups as mg


@pytest.fixture(scope="module")
def gateway(services, tmp_path_factory):
    directory = tmp_path_factory.mktemp("minigroups")
    audiences = [
        {
            "audience": mg.AUDIENCE,
            "preroll_offset": 4000,
            "to": "yandex",
            "preroll": "s3://films/preroll",
            "watermark": "s3://films/watermark",
        }
    ]
    gateway = mg.Gateway(directory, services, mg.store_url(directory), audiences=audiences)
    yield gateway
    assert gateway.stop() == 0


HOST = f"web.{mg.TEACHER}"
STEPS = ["real-time", "closed", "finished", "adjusted", "transcoded"]


class Life:
    """A minigroup and its status; each step is one message."""

    def __init__(self, gateway, services):
        self.gateway, self.services = gateway, services
        self.group = gateway.create(tags={"lesson": 42})
        self.rtc = mg.stream()
        self.adjusted = mg.adjusted(self.group)

    def close(self, **more):
        self.gateway.tell("room.close", {"id": self.group["conference_room_id"]}, **more)

    def upload(self, rtcs=None, **more):
        rtcs = [self.rtc] if rtcs is None else rtcs
        self.gateway.tell("room.upload", {"id": self.group["conference_room_id"], "rtcs": rtcs}, **more)

    def convert(self, rtc=None, segments="1772442007123,1500.0\n1772443807123,1200.5", **more):
        self.gateway.tell("task.complete", mg.converted(self.group, rtc or self.rtc, segments), "tq", **more)

    def adjust(self, payload=None, **more):
        self.gateway.tell("room.adjust", payload or self.adjusted, "event", **more)

    def dump(self, **more):
        self.gateway.tell("room.dump_events", mg.dumped(self.adjusted["modified_room_id"]), "event", **more)

    def transcode(self, **more):
        self.gateway.tell("task.complete", mg.transcoded(self.group), "tq", **more)

    def to(self, status):
        """Takes steps until the status is reached."""
        goal = STEPS.index(status)
        if goal >= 1:
            self.close()
        if goal >= 2:
            self.upload()
        if goal >= 3:
            self.convert()
            self.adjust()
        if goal >= 4:
            self.dump()
            self.transcode()
        assert self.read()["status"] == status
        self.services.forget()
        return self

    def read(self):
        return self.gateway.read(self.group)

    def status(self):
        return self.read()["status"]


@pytest.fixture
def life(gateway, services):
    return Life(gateway, services)
