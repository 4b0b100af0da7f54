"""The sandbox: polls and their sessions."""

from support.sandbox_fixtures import box, receiver, running  # noqa: F401 (fixtures)

QUIZ = {
    "title": "Quiz",
    "type": "quiz",
    "start": "manual",
    "questions": [
        {"text": "2+2", "weight": 2, "type": "single-choice", "answer": {"options": [1]},
         "options": [{"text": "4"}, {"text": "5"}]},
        {"text": "word", "type": "short-answer", "once": True,
         "answer": {"text": "Yes", "trim": True, "case": False}, "options": []},
        {"text": "third", "skippable": True},
    ],
}


def test_polls_are_kept_and_rewritten(box):
    poll = box.post("/polls", QUIZ)
    assert [q["index"] for q in poll["questions"]] == [1, 2, 3]
    assert [o["index"] for o in poll["questions"][0]["options"]] == [1, 2]
    assert (poll["mode"], poll["anonymous"], poll["duration"]) == ("userid", False, 0)
    path = f"/polls/{poll['id']}"
    assert box.get(path) == poll
    assert box.post(f"{path}/questions/1/options/2", {"text": "five", "weight": 1}) == {
        "index": 2, "text": "five", "weight": 1}
    assert box.post(f"{path}/questions/2", {"text": "other"})["index"] == 2
    box.ok("DELETE", f"{path}/questions/1/options/1", status=204)
    assert box.get(path)["questions"][0]["options"] == [{"index": 1, "text": "five", "weight": 1}]
    box.ok("DELETE", f"{path}/questions/1", status=204)
    assert [(q["index"], q["text"]) for q in box.get(path)["questions"]] == [(1, "other"), (2, "third")]
    assert box.fails("DELETE", f"{path}/questions/9")[0] == 404
    assert box.post(path, {"title": "new"})["questions"] == []


def test_responses_make_results(box):
    poll = box.post("/polls", QUIZ)
    room = box.room(name="poll", polls=[poll["id"]])
    one = box.join(room, user_id="u1")
    box.join(room, user_id="u2")
    path = f"/polls/{poll['id']}"
    answer = f"/sandbox{path}/responses"
    assert box.get(f"{path}/sessions")["responses"] == []  # it starts manually
    base = {"room_id": room["id"]}
    first = box.post(answer, {**base, "question": 1, "peer_id": one["id"], "options": [2], "duration": 3})
    second = box.post(answer, {**base, "question": 1, "peer_id": one["id"], "options": [1]})
    assert first["update"] is False and second["update"] is True
    assert second["original_response"] == first["id"]
    box.post(answer, {**base, "question": 2, "user_id": "u2", "text": " yes "})
    assert box.fails("POST", answer, {**base, "question": 2, "user_id": "u2", "text": "no"})[0] == 400
    assert box.fails("POST", answer, {**base, "question": 1, "user_id": "u2", "skipped": True})[0] == 400
    box.post(answer, {**base, "question": 3, "user_id": "u2", "skipped": True})

    results = box.get(f"{path}/results")["results"]
    assert [(r["question"], r["user_id"], r["score"]) for r in results] == [
        (1, "u1", 2), (2, "u2", 1), (3, "u2", 0)]
    assert box.get(f"{path}/results/{results[0]['id']}") == results[0]
    assert len(box.get(f"{path}/results?question=1")["results"]) == 1
    responses = box.get(f"{path}/responses")["responses"]
    assert [r["id"] for r in responses][0] == second["id"] and len(responses) == 3
    everything = box.get(f"{path}/responses?all=true")["responses"]
    assert [r["id"] for r in everything][:2] == [first["id"], second["id"]]
    assert box.get(f"{path}/responses/{second['id']}") == second
    (run,) = box.get(f"{path}/sessions")["responses"]
    assert (run["total_responses"], run["unique_participants"]) == (4, 2)
    assert box.get(f"{path}/sessions/{run['session_id']}")["responses"] == [run]
    assert box.get(f"{path}/sessions/nothing")["responses"] == []
    page = box.get(f"{path}/results?limit=2")
    assert len(box.get(f"{path}/results?limit=2&start={page['last']}")["results"]) == 1


def test_an_automatic_poll_runs_with_the_session(box):
    poll = box.post("/polls", {"title": "auto", "duration": 100, "questions": [{"text": "?"}]})
    room = box.room(name="auto", polls=[poll["id"]])
    box.join(room)
    (run,) = box.get(f"/polls/{poll['id']}/sessions")["responses"]
    assert run["stopped_at"] == "0001-01-01T00:00:00Z"
    box.advance(6)
    (run,) = box.get(f"/polls/{poll['id']}/sessions")["responses"]
    assert run["stopped_at"] > run["started_at"]
