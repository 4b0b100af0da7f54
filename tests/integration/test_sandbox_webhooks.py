"""The sandbox: webhooks, their repetition and their replay."""

import urllib.request

from support.sandbox import LIMIT
from support.sandbox_fixtures import box, receiver, running  # noqa: F401 (fixtures)
from support.until import until


def test_webhooks_are_delivered_signed_and_in_order(box, receiver):
    import hashlib
    import hmac

    receiver.seen.clear()
    room = box.room(name="hooks")
    peer = box.join(room, user_id="u", metadata="m")
    box.ok("DELETE", f"/sandbox/rooms/{room['id']}/peers/{peer['id']}", status=204)
    wanted = ["session.open.success", "peer.join.success", "peer.leave.success", "session.close.success"]
    until(lambda: len(receiver.of(room)) >= 4, "webhooks")
    assert receiver.types(room) == wanted
    path, headers, event, body = receiver.of(room)[1]
    headers = {name.lower(): value for name, value in headers.items()}
    assert path == "/hook?from=sandbox" and headers["x-hook-key"] == "key of the hook"
    sign = hmac.new(b"signing key", body, hashlib.sha256).hexdigest()
    assert headers["x-100ms-signature"] == sign
    assert event["version"] == "2.0" and event["data"]["user_data"] == "m"
    assert event["data"]["room_id"] == room["id"] and event["data"]["peer_id"] == peer["id"]


def test_a_failed_webhook_is_retried_then_kept_and_replayed(box, receiver):
    receiver.seen.clear()
    receiver.statuses["session.open.success"] = [500, 204, 404, 503]  # only 200 counts
    room = box.room(name="retry", webhook={"url": receiver.url + "/room", "headers": {"x-room": "1"}})
    box.join(room)
    until(lambda: len(receiver.of(room)) == 5, "tries")

    def history(query=""):
        return box.get(f"/analytics/webhooks?room_id={room['id']}{query}")

    until(lambda: history()["summary"]["total_events"] == 2, "history")
    assert len({event["id"] for _, _, event, _ in receiver.of(room)}) == 2
    (failed,) = history("&status=failed")["events"]
    assert failed["event_name"] == "reporter.webhook.delivery.failed"
    assert failed["payload"]["original_event_name"] == "session.open.success"
    assert failed["payload"]["error_reason"] == "status 503"
    assert history("&event_names=peer.join.success")["pagination"]["total_items"] == 1
    assert box.fails("GET", "/analytics/webhooks?start_time=2020-01-01T00:00:00Z") == (
        400, "start_time must be within the last 30 days")

    receiver.seen.clear()
    replay = box.post("/analytics/webhooks/replay", {"room_id": room["id"]})
    assert replay["status"] == "started"
    path = f"/analytics/webhooks/replay/{replay['workflow_id']}"
    until(lambda: box.get(path)["status"] == "completed", "replay")
    ((where, headers, event, _),) = receiver.of(room)
    assert where == "/room" and event["is_replay"] is True and event["id"] == failed["event_id"]
    assert box.get(path)["result"]["completed"] == 1
    assert history("&status=failed")["events"] == []
    assert box.fails("GET", "/analytics/webhooks/replay/none") == (404, "workflow not found")


def test_a_receiver_that_is_no_target_gets_nothing(box):
    room = box.room(name="far", webhook={"url": "http://hooks.example.org/x"})
    box.join(room)
    events = until(
        lambda: box.get(f"/analytics/webhooks?room_id={room['id']}&status=failed")["events"],
        "failure",
    )
    assert "not in webhook_targets" in events[0]["payload"]["error_reason"]


def test_a_completed_recording_tells_by_webhook(box, receiver):
    room = box.room(name="told")
    box.join(room)
    job = box.post(f"/recordings/room/{room['id']}/start", {})
    box.advance(1)
    box.post(f"/recordings/{job['id']}/stop")
    box.advance(1)
    until(lambda: "beam.recording.success" in receiver.types(room), "success")
    types = receiver.types(room)
    assert types.index("beam.started.success") < types.index("beam.stopped.success")
    stopped = receiver.of(room)[types.index("beam.stopped.success")][2]["data"]
    assert stopped["reason"] == "client request" and stopped["recording_enabled"] is True
    data = receiver.of(room)[types.index("beam.recording.success")][2]["data"]
    assert data["beam_id"] == job["id"] and data["recording_path"].startswith("s3://")
    with urllib.request.urlopen(data["recording_presigned_url"], timeout=LIMIT) as reply:
        assert len(reply.read()) == data["size"]
    assert box.get(f"/analytics/events?room_id={room['id']}&beam_id={job['id']}")["total"] == 1
