"""The MQTT bridge between a real broker, Debian's mosquitto, and the minigroups group."""

import json
import shutil
import signal
import socket
import subprocess
import threading

import pytest
from support import minigroups as mg
from support.ports import hold_port
from support.until import until

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
if not MOSQUITTO or not shutil.which("mosquitto_sub"):
    pytest.skip("needs the Debian packages mosquitto and mosquitto-clients", allow_module_level=True)

OURS = mg.SERVICES["dispatcher"]
SENDERS = [mg.SERVICES[name] for name in ("conference", "event", "tq")]


class Broker:
    def __init__(self, directory):
        self.port, self.held = hold_port()
        self.config = directory / "mosquitto.conf"
        self.config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self.start()

    def start(self):
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(self.config)], stderr=subprocess.DEVNULL)

        def listens():
            assert self.process.poll() is None
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        until(listens, "the broker listens")

    def stop(self):
        self.process.terminate()
        self.process.wait(mg.LIMIT)

    def send(self, sender, label, payload, audience=mg.AUDIENCE, **properties):
        envelope = {"payload": json.dumps(payload), "properties": {"type": "event", "label": label, **properties}}
        topic = f"apps/{sender}/api/v1/audiences/{audience}/events"
        self.publish(topic, json.dumps(envelope))

    def publish(self, topic, text):
        subprocess.run(
            ["mosquitto_pub", "-p", str(self.port), "-q", "1", "-t", topic, "-m", text],
            check=True,
            timeout=mg.LIMIT,
        )

    def listen(self, topic):
        """A subscriber, which appends (topic, text) to .lines."""
        return Listener(self, topic)


class Listener:
    def __init__(self, broker, topic):
        self.lines, self.more, ready = [], threading.Condition(), threading.Event()
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", "mosquitto_sub", "-d", "-p", str(broker.port), "-q", "1", "-t", topic, "-F", ">%t %p"],
            stdout=subprocess.PIPE,
            text=True,
        )

        def read():
            for line in self.process.stdout:
                if "SUBACK" in line:
                    ready.set()
                if line.startswith(">"):
                    with self.more:
                        self.lines.append(tuple(line[1:].rstrip("\n").split(" ", 1)))
                        self.more.notify_all()

        threading.Thread(target=read, daemon=True).start()
        assert ready.wait(mg.LIMIT)

    def wait(self, count):
        with self.more:
            assert self.more.wait_for(lambda: len(self.lines) >= count, mg.LIMIT), self.lines
            return self.lines[:count]

    def stop(self):
        self.process.terminate()
        self.process.wait(mg.LIMIT)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.stop()
    broker.held.close()


def bridge_options(broker, port):
    return {
        "port": broker.port,
        "account": OURS,
        "secret": mg.SECRET,
        "gateway": {"url": f"http://127.0.0.1:{port}"},
        "senders": SENDERS,
        "audiences": [mg.AUDIENCE],
        "publish_topics": ["apps/{account}/api/v1/audiences/{audience}/events", "audience/{audience}/events"],
        "publishers": [OURS],
    }


@pytest.fixture(scope="module")
def gateway(services, broker, tmp_path_factory):
    """A gateway with both plugins. Its config needs its own port, so one is held for it."""
    port, held = hold_port()
    directory = tmp_path_factory.mktemp("bridge")
    notify = [{"audience": mg.AUDIENCE, "url": f"http://127.0.0.1:{port}/api/v1/mqtt/audiences/{mg.AUDIENCE}/events"}]
    # the bridge posts as this account, which must be trusted
    callbacks = {"trusted": [OURS]}
    plugins = {
        "minigroups": mg.options(services, notify=notify, callbacks=callbacks),
        "mqtt_bridge": bridge_options(broker, port),
    }
    gateway = mg.Gateway(
        directory, services, mg.store_url(directory), plugins=plugins, server={"listen": f"127.0.0.1:{port}"}
    )
    wait_for_log(gateway, "connected to the broker")
    yield gateway
    assert gateway.stop() == 0
    held.close()


def wait_for_log(gateway, text, count=1):
    until(lambda: sum(text in line for line in gateway.log) >= count, f"'{text}' in the log")


def wait_for_status(gateway, minigroup, status):
    until(lambda: gateway.read(minigroup)["status"] == status, status)


def test_broadcasts_drive_a_class_and_notifications_come_out(gateway, broker):
    conference, event, tq = SENDERS
    listener = broker.listen("#")
    group, rtc = gateway.create(), mg.stream()
    broker.send(conference, "room.close", {"id": group["conference_room_id"]})
    wait_for_status(gateway, group, "closed")
    broker.send(conference, "room.upload", {"id": group["conference_room_id"], "rtcs": [rtc]}, agent_id="alpha." + conference)
    # sent together, handled in the order of arrival
    broker.send(tq, "task.complete", mg.converted(group, rtc))
    broker.send(event, "room.adjust", mg.adjusted(group))
    broker.send(tq, "task.complete", mg.transcoded(group))
    wait_for_status(gateway, group, "transcoded")

    until(lambda: len([line for line in listener.lines if "minigroup." in line[1]]) >= 4, "four notifications")
    listener.stop()
    out = [(topic, json.loads(text)) for topic, text in listener.lines if "minigroup." in text]
    for label in ("minigroup.stop", "minigroup.ready"):
        topics = {topic: envelope for topic, envelope in out if envelope["properties"]["label"] == label}
        assert set(topics) == {f"apps/{OURS}/api/v1/audiences/{mg.AUDIENCE}/events", f"audience/{mg.AUDIENCE}/events"}
        for envelope in topics.values():
            assert envelope["properties"] == {"type": "event", "label": label, "agent_id": "bridge." + OURS}
            assert json.loads(envelope["payload"])["id"] == group["id"]


def test_who_sends_is_what_the_topic_says(gateway, broker):
    conference, event, _ = SENDERS
    group = gateway.create()
    # an event service cannot send messages of the conference service
    broker.send(event, "room.close", {"id": group["conference_room_id"]}, agent_id="alpha." + conference)
    broker.send(event, "room.close", {"id": group["event_room_id"]})
    wait_for_status(gateway, group, "closed")
    row = gateway.ask("PUT", f"/api/v1/minigroups/{group['id']}", {"reserve": 1})
    assert row["time"][1] is not None


def test_what_is_no_event_is_ignored(gateway, broker):
    conference = SENDERS[0]
    group = gateway.create()
    topic = f"apps/{conference}/api/v1/audiences/{mg.AUDIENCE}/events"
    close = json.dumps({"id": group["conference_room_id"]})
    for text in (
        "",
        "junk",
        "[]",
        "{}",
        json.dumps({"payload": close}),
        json.dumps({"payload": close, "properties": {"type": "response", "label": "room.close"}}),
        json.dumps({"payload": close, "properties": {"type": "event"}}),
        json.dumps({"payload": json.loads(close), "properties": {"type": "event", "label": "room.close"}}),
        json.dumps({"payload": "junk", "properties": {"type": "event", "label": "room.close"}}),
    ):
        broker.publish(topic, text)
    broker.send("stranger.svc.example.org", "room.close", {"id": group["conference_room_id"]})
    broker.send(conference, "room.close", {"id": group["conference_room_id"]}, audience="other.example.org")
    marker = gateway.create()
    broker.send(conference, "room.close", {"id": marker["conference_room_id"]})
    wait_for_status(gateway, marker, "closed")
    assert gateway.read(group)["status"] == "real-time"


def test_only_the_group_may_publish(gateway):
    path = f"/api/v1/mqtt/audiences/{mg.AUDIENCE}/events"
    assert gateway.call("POST", path, {}, who=None)[0] == 401
    assert gateway.call("POST", path, {}, who=mg.ADMIN)[0] == 403
    assert gateway.call("POST", path, {}, who=OURS)[0] == 400  # no label
    label = {"Gateway-Label": "x"}
    assert gateway.call("POST", path, {}, who=OURS, headers=label)[0] == 200
    assert gateway.call("POST", "/api/v1/mqtt/audiences/a%23/events", {}, who=OURS, headers=label)[0] == 400


def test_the_broker_may_go_away(gateway, broker, services):
    group = gateway.create()
    broker.stop()
    wait_for_log(gateway, "the connection to the broker was lost")
    gateway.ask(
        "POST",
        f"/api/v1/audiences/{mg.AUDIENCE}/events?label=room.close",
        {"id": group["conference_room_id"]},
        who=OURS,
        headers={"Gateway-Agent-Id": "a." + SENDERS[0]},
    )
    path = f"/api/v1/mqtt/audiences/{mg.AUDIENCE}/events"
    assert gateway.call("POST", path, {}, who=OURS, headers={"Gateway-Label": "x"})[0] == 502
    before = sum("connected to the broker" in line for line in gateway.log)
    gateway.process.send_signal(signal.SIGSTOP)  # so that nothing is published before the listener has subscribed
    broker.start()
    listener = broker.listen(f"audience/{mg.AUDIENCE}/events")
    gateway.process.send_signal(signal.SIGCONT)
    wait_for_log(gateway, "connected to the broker", before + 1)
    told = []
    while group["id"] not in "".join(told):  # the stored notification arrives now
        told.append(listener.wait(len(told) + 1)[-1][1])
    listener.stop()
    other = gateway.create()
    broker.send(SENDERS[0], "room.close", {"id": other["conference_room_id"]})  # subscribed again
    wait_for_status(gateway, other, "closed")


def test_messages_wait_for_the_gateway(services, broker, tmp_path):
    """All messages wait while the gateway is unreachable. A message that fails is retried and does not delay the others."""
    away = mg.Services()
    options = {
        **bridge_options(broker, 1),
        "gateway": {"url": away.url + "/gateway", "breaker": {"enabled": False}},
        "account": "other.svc.example.org",
    }
    gateway = mg.Gateway(tmp_path, services, plugins={"mqtt_bridge": options})
    path = f"/api/v1/audiences/{mg.AUDIENCE}/events"
    try:
        wait_for_log(gateway, "connected to the broker")
        away.fail("gateway", "POST", path, 200, {})
        away.fail("gateway", "POST", path, 422, {}, times=1)
        away.fail("gateway", "POST", path, 503, {}, times=2)
        for n in (1, 2):
            broker.send(SENDERS[1], "room.adjust", {"n": n})
        seen = away.wait("gateway", "POST", path, 5)
        assert [one.json["n"] for one in seen] == [1, 1, 1, 2, 1]
        assert seen[0].headers["Gateway-Label"] == "room.adjust"
        assert seen[0].headers["Gateway-Agent-Id"] == "mqtt." + SENDERS[1]
        assert mg.claims_in(seen[0].headers["Authorization"])["sub"] == "other"
    finally:
        assert gateway.stop() == 0
        away.close()


def test_of_two_bridges_on_one_store_one_delivers(services, broker, tmp_path):
    slow, store = mg.Services(), mg.store_url(tmp_path)
    gateways = []
    path = f"/api/v1/audiences/{mg.AUDIENCE}/events"
    slow.fail("gateway", "POST", path, 200, {}, delay=3)  # each bridge reads the store every second
    try:
        for label in ("a", "b"):
            options = {
                **bridge_options(broker, 1),
                "gateway": {"url": slow.url + "/gateway"},
                "account": "pair.svc.example.org",
                "agent_label": label,
            }
            (tmp_path / label).mkdir()
            gateways.append(mg.Gateway(tmp_path / label, services, store, plugins={"mqtt_bridge": options}))
            wait_for_log(gateways[-1], "connected to the broker")
        for n in (1, 2):
            broker.send(SENDERS[1], "room.adjust", {"n": n})
        seen = slow.wait("gateway", "POST", path, 2)
        until(lambda: all(one.answered for one in seen), "both are answered")
        assert sorted(one.json["n"] for one in slow.take("gateway", "POST", path)) == [1, 2]
    finally:
        for gateway in gateways:
            assert gateway.stop() == 0
        slow.close()
