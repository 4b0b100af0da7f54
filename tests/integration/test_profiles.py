"""The example plugin profiles while it serves: its timer, its metrics and its options."""

import pytest
from support import promtext
from support.gateway import Gateway
from support.until import until
from support.upstream import Reply, Upstream


@pytest.fixture
def people():
    with Upstream() as upstream:
        upstream.on("GET", "/users/ada", Reply({"name": "Ada"}))
        yield upstream


def config(tmp_path, people, **options):
    return Gateway(tmp_path, {"store": f"sqlite:{tmp_path}/data.db", "upstreams": {"people": {"url": people.url}}},
                   {"profiles": {"config": {"source": "people", **options}}})


def metric(gateway, name, *labels):
    return promtext.parse(gateway.admin("/metrics").body.decode())[(f"greenroom_profiles_{name}", *labels)]


def test_its_timer_deletes_what_is_too_old_as_often_as_the_option_says(tmp_path, people):
    with config(tmp_path, people, keep="10ms", purge="20ms") as gateway:
        assert gateway.get("/profiles/ada").json == {"name": "Ada"}
        until(lambda: metric(gateway, "purged_total") == 1)
        assert gateway.get("/profiles/ada").status == 200 and people.lines == ["GET /users/ada"] * 2
        assert metric(gateway, "answers_total", "from", "source") == 2


def test_what_is_kept_survives_a_restart_and_an_upstream_that_is_down(tmp_path, people):
    with config(tmp_path, people, keep="1h", purge="1h") as gateway:
        assert gateway.get("/profiles/ada").status == 200
    people.down()
    with config(tmp_path, people, keep="1h", purge="1h") as gateway:
        assert gateway.get("/profiles/ada").json == {"name": "Ada"}
        assert gateway.get("/profiles/eve").status == 502
        assert metric(gateway, "answers_total", "from", "store") == 1


def test_an_interval_that_is_none_is_refused(tmp_path, people):
    gateway = config(tmp_path, people, purge="0")
    gateway.write()
    done = gateway.run("check")
    assert done.returncode == 3 and "config.purge: expected" in done.stderr
