"""The server of shared limits goes away and comes back; what is stored in it."""

import pathlib
import signal

from support import promtext
from support.gateway import Gateway
from support.ports import free_port
from support.shared_limits import (  # noqa: F401 (fixtures)
    PASSWORD, Load, Slow, is_reached, make, statuses, told, upstream)
from support.until import until


# --- the server goes away ---


def test_a_server_that_is_killed_under_load_and_comes_back(make, redis):
    """The rate adds nothing while the test runs, so that what passes is what was in the buckets."""
    bucket = 20
    gateways = make(2, {"caller": {"rate": "1/h", "burst": bucket}}, redis.url, on_failure="local", timeout="5s")
    with Load([gateway.port for gateway in gateways]) as load:
        load.wait_refused()
        together = load.passed
        assert together == bucket, "both gateways take from one bucket"
        redis.kill()
        for gateway in gateways:
            gateway.wait_log("the server of shared limits cannot be used")
            until(lambda: told(gateway, "alone_total") > 3 * bucket)
        alone = load.passed - together
        assert bucket < alone <= 2 * bucket, "each gateway counts alone, with a bucket of its own"
        redis.start()
        for gateway in gateways:
            gateway.wait_log_count("the server of shared limits is reached", 2)
        load.wait_refused()
        again = load.passed - together - alone
        assert again == bucket, "without data in the server, its bucket is full again, and there is one for both"
        assert set(load.others) == {429}
    for gateway in gateways:
        assert told(gateway, "failures_total") > 0
        assert gateway.log.count("cannot be used") == 1, "one line for each change"


def test_while_the_server_is_away_closed_refuses(make, redis):
    gateway, = make(1, {"caller": {"rate": "100/s"}}, redis.url, on_failure="closed")
    assert gateway.get("/rooms").status == 200
    assert gateway.admin("/readyz").status == 200
    redis.kill()
    until(lambda: not is_reached(gateway), "the loss is not seen by an idle gateway")
    refused = gateway.get("/rooms")
    assert refused.status == 503 and refused.header("Retry-After") == "1"
    assert gateway.get("/healthz").status == 200, "/healthz is not limited"
    ready = gateway.admin("/readyz")
    check, = [check for check in ready.json["checks"] if check["kind"] == "limits"]
    assert ready.status == 503 and check["status"] == "failing" and check["reason"]
    done = gateway.run("health")
    assert done.returncode == 1 and "shared limits: " in done.stdout
    assert "limits     refuse requests with 503" in gateway.run("status").stdout
    redis.start()
    until(lambda: is_reached(gateway))
    assert gateway.get("/rooms").status == 200
    assert gateway.admin("/readyz").status == 200
    assert "limits     are counted over all gateways" in gateway.run("status").stdout


def test_closed_refuses_numbers_in_use_and_still_counts_wrong_credentials(make, redis):
    gateway, = make(1, {"address": {"concurrent": 5}}, redis.url, on_failure="closed",
                    auth={"keys": {}, "throttle": {"failures": 2, "window": "10m"}})
    redis.kill()
    until(lambda: not is_reached(gateway))
    assert gateway.get("/rooms").status == 503
    other, = make(1, {"scopes": {"rooms:write": {"rate": "1/s"}}}, redis.url, on_failure="closed",
                  auth={"keys": {}, "throttle": {"failures": 2, "window": "10m"}})
    seen = [other.get("/rooms", headers={"X-API-Key": "wrong"}).status for _ in range(3)]
    assert seen == [401, 401, 429]


def test_a_gateway_that_counts_alone_is_ready(make, redis):
    gateway, = make(1, {"caller": {"rate": "2/m", "concurrent": 1}}, redis.url)
    redis.kill()
    until(lambda: not is_reached(gateway))
    assert statuses([gateway], 3) == [200, 200, 429]
    assert gateway.admin("/readyz").status == 200
    assert gateway.run("health").returncode == 0
    assert "limits     are counted by this gateway alone" in gateway.run("status").stdout


def test_a_server_that_is_silent_holds_no_request(make, redis):
    gateway, = make(1, {"caller": {"rate": "5/m", "concurrent": 50}}, redis.url, timeout="300ms")
    assert gateway.get("/rooms").status == 200
    redis.signal(signal.SIGSTOP)
    # Requests that come before the loss is noticed wait for their time-out and then pass.
    assert gateway.get("/rooms").status == 200
    until(lambda: not is_reached(gateway))
    waits = told(gateway, "waits_total")
    assert statuses([gateway], 3) == [200, 200, 200]
    assert told(gateway, "waits_total") == waits, "they were judged without the server"
    gateway.wait_log("it did not answer in time")
    redis.signal(signal.SIGCONT)
    until(lambda: is_reached(gateway))
    assert gateway.get("/rooms").status == 200


def test_what_is_in_progress_counts_again_when_the_server_comes_back(make, redis, upstream):
    one, other = make(2, {"caller": {"concurrent": 2}}, redis.url)
    slow = Slow(upstream, one, 1)
    redis.kill()
    until(lambda: not is_reached(one))
    alone = Slow(upstream, one, 1)
    assert one.get("/rooms").status == 429, "a gateway that counts alone also counts requests in progress"
    redis.start()
    until(lambda: is_reached(one) and is_reached(other))
    until(lambda: other.get("/rooms").status == 429, "the requests of the other gateway are not known")
    slow.end()
    alone.end()
    until(lambda: other.get("/rooms").status == 200)


def test_scripts_that_the_server_has_forgotten_are_sent_again(make, redis):
    gateway, = make(1, {"caller": {"rate": "5/m", "concurrent": 5}}, redis.url)
    assert gateway.get("/rooms").status == 200
    redis.command("SCRIPT", "FLUSH")
    assert gateway.get("/rooms").header("RateLimit-Remaining") == "3"
    assert told(gateway, "failures_total") == 0 and told(gateway, "alone_total") == 0


# --- what is stored, and what is loaded ---


def test_keys_have_no_names_and_expire(make, redis):
    key = "caller-key-name"
    gateway, = make(1, {"caller": {"rate": "100/m", "concurrent": 4}, "address": {"rate": "100/m", "concurrent": 4}},
                    redis.url, start=False, auth={"keys": {}})
    gateway.write()
    secret = gateway.run("keys", "add", key, "--scope", "*").stdout.strip()
    gateway.start()
    assert gateway.get("/rooms", headers={"X-API-Key": secret}).status == 200
    keys = [name for name in redis.command("KEYS", "*") if not name.endswith(":probe")]
    assert len([name for name in keys if name.startswith("greenroom:rate:")]) == 2
    for name in keys:
        content = redis.command("HGETALL", name) or []
        for text in (name, *content):
            assert key not in text and secret not in text and "127.0.0.1" not in text
        assert redis.command("PTTL", name) != -1, f"{name} never expires"


def test_reloads_keep_the_counts(make, redis):
    gateway, = make(1, {"caller": {"rate": "2/m"}}, redis.url)
    assert gateway.get("/rooms").status == 200
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log_count("the server of shared limits is reached", 2)
    until(lambda: promtext.parse(gateway.admin("/metrics").body.decode())["greenroom_config_generation"] == 2)
    assert statuses([gateway], 2) == [200, 429]


def test_the_library_is_loaded_only_when_it_is_wanted(make, tmp_path, redis, upstream):
    def maps(gateway):
        return pathlib.Path(f"/proc/{gateway.process.pid}/maps").read_text()

    gateway, = make(1, {"caller": {"rate": "1/s"}}, redis.url)
    assert "libhiredis" in maps(gateway)
    config = {**gateway.config, "limits": {"caller": {"rate": "1/s"}}, "state_directory": str(tmp_path / "alone")}
    with Gateway(tmp_path / "without", config, {"rooms": {}}) as alone:
        assert alone.get("/rooms").status == 200
        assert "libhiredis" not in maps(alone)
        assert "shared_limits" not in alone.admin("/metrics").body.decode()


def test_check_names_a_wrong_url_and_shows_no_password(make):
    port = free_port()
    gateway, = make(1, {"caller": {"rate": "1/m"}}, f"redis://:{PASSWORD}@127.0.0.1:{port}/x", start=False)
    gateway.write()
    done = gateway.run("check")
    assert done.returncode == 3 and "limits.shared.url: expected" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    gateway.config["limits"]["shared"]["url"] = f"redis://:{PASSWORD}@127.0.0.1:{port}"
    gateway.write()
    assert gateway.run("check").returncode == 0, "the server need not be there"
    shown = gateway.run("config", "show")
    assert shown.returncode == 0 and "shared" in shown.stdout and PASSWORD not in shown.stdout
    file = gateway.directory / "redis-url"
    file.write_text(f"redis://:{PASSWORD}@127.0.0.1:{port}\n")
    gateway.config["limits"]["shared"]["url"] = {"file": str(file)}
    gateway.write()
    assert gateway.run("check").returncode == 0
