"""The sandbox: analytics of events, peers and sessions."""

from support.sandbox_fixtures import box, receiver, running  # noqa: F401 (fixtures)


def test_what_happens_leaves_analytics_events(box):
    room = box.room(name="events")
    peer = box.join(room, user_id="u", name="N")
    base = f"/analytics/events?room_id={room['id']}"
    added = box.get(f"{base}&type=track.add.success")
    assert added["total"] == 2 and added["next"] == ""
    data = added["events"][0]["data"]
    assert (data["peer_id"], data["user_id"], data["room_name"]) == (peer["id"], "u", "events")
    box.ok("DELETE", f"/sandbox/rooms/{room['id']}/peers/{peer['id']}", status=204)
    both = box.get(f"{base}&type=track.add.success&type=track.remove.success&peer_id={peer['id']}")
    assert both["total"] == 4
    assert box.get(f"{base}&error=true")["total"] == 0
    assert box.fails("GET", "/analytics/events") == (400, "Invalid query param: room_id")
    assert box.fails("GET", f"{base}&type=nothing")[0] == 400


def test_events_are_paged_over_a_snapshot(box):
    room = box.room(name="pages")
    for _ in range(3):
        box.join(room)
    base = f"/analytics/events?room_id={room['id']}&limit=4"
    first = box.get(base)
    assert first["total"] == 6 and first["next"]
    box.join(room)
    second = box.get(f"{base}&start={first['next']}")
    assert len(second["events"]) == 2 and second["total"] == 6 and second["next"] == ""
    assert not {e["id"] for e in first["events"]} & {e["id"] for e in second["events"]}
    assert box.fails("GET", f"{base}&start=nonsense")[0] == 400
    box.advance(86401)
    assert box.fails("GET", f"{base}&start={first['next']}")[0] == 400


def test_peer_statistics_come_after_the_session(box):
    room = box.room(name="stats")
    peer = box.join(room)
    box.join(room, "guest")
    session = box.get(f"/active-rooms/{room['id']}")["session"]["id"]
    query = f"/analytics/peer-stats?peer_id={peer['id']}&session_id={session}"
    assert box.get(query)["publisher"] == {"video": [], "audio": []}
    box.advance(25)
    box.post(f"/active-rooms/{room['id']}/end-room", {})
    stats = box.get(query)
    (video,) = stats["publisher"]["video"]
    series = video["time_series"]
    assert len(series["timestamps"]) == 3 == len(series["fps"]) == len(series["rtt_ms"])
    assert len(stats["subscriber"]["audio"]) == 1
    assert box.get(query) == stats
