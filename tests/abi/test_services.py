"""The small services that the host offers to plugins, and routes that are spread over several tables."""

import os
import stat

import pytest

from support.gateway import Gateway

LIBRARY = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins", "services.so")
HOOK = "http://127.0.0.1:1/a/b"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    directory = tmp_path_factory.mktemp("services")
    plugin = {"library": LIBRARY, "config": {"hook-url": HOOK}}
    running = Gateway(directory, {"store": f"sqlite:{directory}/store.db", "state_directory": str(directory / "state")}, {"services": plugin})
    running.start()
    yield running
    running.stop()


def test_all_tables_serve_and_rows_bring_their_data(gateway):
    assert gateway.get("/services/one").json == {"said": "the first table"}
    assert gateway.get("/services/two").json == {"said": "the second table"}


@pytest.mark.parametrize(
    "header,token",
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc", "abc"),
        ("Bearer", ""),
        ("Bearer a b", ""),
        ("Basic abc", ""),
        ("Bearerabc", ""),
    ],
)
def test_the_bearer_scheme_has_no_case(gateway, header, token):
    assert gateway.get("/services/bearer", headers={"Authorization": header}).body.decode() == token


@pytest.mark.parametrize(
    "text,good,again",
    [
        ("00ff10aB", True, "00ff10ab"),
        ("00ff10a", False, "00000000"),
        ("00ff10ab0", False, "00000000"),
        ("00ff10ag", False, "00000000"),
    ],
)
def test_hex_is_read_whole_or_not(gateway, text, good, again):
    assert gateway.get(f"/services/hex/{text}").json == {"good": good, "again": again}


def test_a_segment_keeps_what_a_segment_may_hold(gateway):
    assert gateway.get("/services/segment?text=a%3Ab%40c%2Fd%25e%20%C3%A4").body.decode() == "a:b@c%2Fd%25e%20%C3%A4"


@pytest.mark.parametrize("name", ["X-A", "x-1", "Cache-Control", "Vary"])
def test_a_plugin_sets_headers_of_its_own(gateway, name):
    answer = gateway.post("/services/header", {"name": name, "value": "a\tb c"})
    assert answer.json == {"taken": True} and answer.header(name) == "a\tb c"


@pytest.mark.parametrize("name", ["Content-Length", "content-type", "Connection", "Transfer-Encoding", "DATE", "Server", "X-Request-Id",
                                  "Keep-Alive", "Upgrade", "Trailer", "TE", "a b", "a:b", "ä", ""])
def test_headers_of_the_host_and_what_is_no_name_are_refused(gateway, name):
    answer = gateway.post("/services/header", {"name": name, "value": "unwelcome"})
    assert answer.json == {"taken": False} and "unwelcome" not in str(answer.headers)


@pytest.mark.parametrize("value", ["a\r\nX-B:1", "a\nb", "\r", "\x7f", "\x01", "a\x1fb"])
def test_a_value_with_control_characters_is_refused(gateway, value):
    answer = gateway.post("/services/header", {"name": "X-A", "value": value})
    assert answer.json == {"taken": False} and answer.header("X-A") is None and answer.header("X-B") is None


@pytest.mark.parametrize("type, json", [("application/json", True), ("Application/problem+JSON; a=b", True), ("text/json", False),
                                        ("application/jsonp", False), ("", False)])
def test_a_body_says_whether_it_is_json(gateway, type, json):
    assert gateway.post("/services/type", b"1", headers={"Content-Type": type}).json == {"json": json}


@pytest.mark.parametrize("text, ms", [("2024-02-29T12:00:00Z", 1709208000000), ("1970-01-01T01:00:00.0019%2B01:00", 1), ("20XX-01-01T00:00:00Z", None),
                                      ("2024-02-29%2012:00:00Z", None), ("2024-02-29T12:00:00", None), ("", None)])
def test_a_time_is_read(gateway, text, ms):
    assert gateway.get(f"/services/time?text={text}").json == {"good": ms is not None, "ms": ms or 0}


def test_json_text_keeps_the_order(gateway):
    assert gateway.post("/services/json", body={"z": [1, 2.5], "a": "ä"}).body.decode() == '{"z":[1,2.5],"a":"ä"}'


def test_init_has_a_secret_and_the_path_of_a_url(gateway):
    state = gateway.config["state_directory"]
    told = gateway.get("/services/secret").json
    assert told["path"] == "/a/b"
    files = [name for name in os.listdir(state) if name.startswith("services.secret")]
    assert files == ["services.secret"]
    path = os.path.join(state, "services.secret")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert open(path, encoding="ascii").read() == told["secret"] + "\n"


def test_statements_without_rows(gateway):
    assert gateway.post("/services/store").body.decode() == "stored"


@pytest.mark.parametrize("url", ["ftp://x/", "http://u@x/", "http://x/?q", "http:///a", "//x/a", "http://x/a b"])
def test_what_is_no_url_of_an_upstream_is_refused(tmp_path, url):
    plugin = {"library": LIBRARY, "config": {"hook-url": url}}
    running = Gateway(tmp_path, {"store": f"sqlite:{tmp_path}/store.db", "state_directory": str(tmp_path / "state")}, {"services": plugin})
    running.write()
    told = running.run()
    assert told.returncode != 0
    assert "upstream 'services/hook': expected an http or https URL" in told.stderr
