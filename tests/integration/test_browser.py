"""/docs and /status in a real browser, as a person uses them.

With GR_SCREENSHOTS=DIR the directory gets pictures of both pages at three widths in both colour schemes.
"""

import os
import pathlib
import signal

import pytest
from support.browser import Browser
from support.gateway import Gateway
from support.hms import gateway_for
from support.sandbox import Sandbox
from support.until import until

SOURCE = pathlib.Path(os.environ["GR_SOURCE_DIR"])
PLUGINS = os.environ["GR_PLUGIN_DIR"]
SIZES = [(360, "light"), (360, "dark"), (800, "light"), (800, "dark"), (1400, "light"), (1400, "dark")]
SECRET_WORD = "a-key-that-must-not-stay"


@pytest.fixture(scope="module")
def browser():
    with Browser() as running:
        yield running


@pytest.fixture
def box(tmp_path):
    (tmp_path / "sandbox").mkdir()
    running = Sandbox(tmp_path / "sandbox")
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture
def gateway(tmp_path, box):
    with gateway_for(tmp_path / "gateway", box.url, docs={"public": True}) as running:
        yield running


def docs_url(gateway):
    return f"http://127.0.0.1:{gateway.port}/docs"


def status_url(gateway):
    return f"http://127.0.0.1:{gateway.admin_port}/status"


def fine(browser, url, expected="nothing"):
    """Checks that the page called only its own gateway, and that the browser reported only the expected errors."""
    told = browser.told()
    origin = url.rsplit("/", 1)[0]
    assert told["requests"] and all(one.startswith((origin, "data:")) for one in told["requests"]), told["requests"]
    assert [line for line in told["console"] if expected not in line] == []


# --- /docs ---


def test_a_room_is_created_with_two_clicks_and_a_name(browser, gateway):
    browser.open(docs_url(gateway))
    browser.click("[id='rooms.create'] > summary")
    browser.fill("[id='rooms.create'] [aria-label='Body: name']", "from-the-page")
    browser.click("[id='rooms.create'] >> text=Send")
    browser.wait("[id='rooms.create'] [aria-label='Body of the answer']")
    assert '"from-the-page"' in browser.text("[id='rooms.create'] [aria-label='Body of the answer']")[0]
    assert "from-the-page" in gateway.get("/rooms").body.decode()
    fine(browser, docs_url(gateway))


def test_a_key_stays_in_memory(browser, tmp_path, box):
    """The credential is sent in the header of the request and appears nowhere else, not even in the command that is shown."""
    with gateway_for(tmp_path / "gateway", box.url, docs={"public": True},
                     auth={"keys": {"file": str(tmp_path / "keys.json")}}) as gateway:
        made = gateway.run("keys", "add", "page", "--scope", "rooms:read")
        assert made.returncode == 0, made.stderr
        browser.open(docs_url(gateway))
        browser.click("[id='rooms.list'] > summary")
        browser.click("[id='rooms.list'] >> text=Send")
        browser.wait("[id='rooms.list'] .bad >> text=401")
        browser.fill("#key", SECRET_WORD)
        browser.click("[id='rooms.list'] >> text=Send")
        browser.wait("[id='rooms.list'] .bad >> text=401")
        shown = browser.evaluate("document.documentElement.outerHTML + JSON.stringify([localStorage, sessionStorage, "
                                 "document.cookie, location.href])")
        assert SECRET_WORD not in shown and "$KEY" in shown
        assert SECRET_WORD not in gateway.log


def test_search_leaves_what_matches(browser, gateway):
    browser.open(docs_url(gateway))
    browser.wait(".operation")
    browser.do("press", key="/")
    assert browser.evaluate("document.activeElement.id") == "search"
    browser.fill("#search", "room codes")
    shown = browser.evaluate("[...document.querySelectorAll('.operation')].filter((one) => !one.hidden).map((one) => one.id)")
    assert shown and all("room_codes" in one or "room-codes" in one for one in shown), shown


def test_every_operation_can_be_opened(browser, tmp_path, box):
    """All groups, also those of third parties, each with the documentation of its rows."""
    plugins = {"greeter": {"library": os.path.join(PLUGINS, "hello.so")}}
    with gateway_for(tmp_path / "gateway", box.url, plugins=plugins, docs={"public": True}) as gateway:
        browser.open(docs_url(gateway))
        browser.wait("[id='hello.one']")
        browser.evaluate("document.querySelectorAll('.operation').forEach((one) => (one.open = true))")
        browser.wait("[id='hello.one'] pre")
        count = len(gateway.admin("/openapi.json").json["paths"])
        assert browser.evaluate("document.querySelectorAll('.operation').length") >= count
        assert "1 to 40 characters" in browser.text("[id='hello.one']")[0]
        fine(browser, docs_url(gateway))


def test_it_follows_a_reload(browser, gateway):
    browser.open(docs_url(gateway))
    browser.wait("[id='polls.create']")
    gateway.plugins["polls"]["enabled"] = False
    gateway.write()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log("reloaded:")
    browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait("#notice button")
    browser.click("#notice button")
    assert browser.evaluate("document.getElementById('polls.create')") is None


# --- /status ---


def test_it_turns_red_when_an_upstream_goes_and_green_when_it_is_back(browser, gateway, box):
    assert gateway.get("/rooms").status == 200
    browser.open(status_url(gateway))
    browser.wait("[data-state='good']")
    box.stop()
    refused = gateway.get("/rooms", headers={"X-Request-Id": "while-it-was-away"})
    assert refused.status in (502, 503)
    browser.wait("[data-state='bad']")
    browser.wait("#errors >> text=while-it-was-away")
    assert "upstream api" in browser.text("#verdict")[0]
    box.start()
    browser.wait("[data-state='good']")
    fine(browser, status_url(gateway), expected="status of 503")  # /readyz answered 503 meanwhile


def test_it_shows_traffic_and_metrics(browser, gateway):
    for _ in range(3):
        assert gateway.get("/rooms").status == 200
    browser.open(status_url(gateway))
    browser.wait("#operations >> text=rooms.list")
    row = browser.evaluate("[...document.querySelectorAll('#operations tr')].find((one) => one.cells[0].textContent === "
                           "'rooms.list').textContent")
    assert "3" in row
    assert "rooms" in browser.text("#groups")[0] and "serves" in browser.text("#configs")[0]


def test_of_two_hundred_operations_the_busiest_are_shown(browser, tmp_path):
    many = {"library": os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins", "many.so")}
    with Gateway(tmp_path, {}, {"many": many}) as gateway:
        for n in range(100, 300):
            assert gateway.get(f"/many/{n}").status == 200
        until(lambda: len(gateway.admin("/status.json").json["operations"]) >= 200)
        browser.open(status_url(gateway), width=360)
        browser.wait("#operations >> text=with less traffic")
        assert browser.evaluate("document.querySelectorAll('#operations tbody tr').length") == 100
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
        browser.fill("#filter", "many.n299")
        browser.wait("#operations >> text=many.n299")
        assert browser.evaluate("document.querySelectorAll('#operations tbody tr').length") == 1
        fine(browser, status_url(gateway))


# --- both ---


@pytest.mark.parametrize("width,scheme", SIZES, ids=[f"{width}-{scheme}" for width, scheme in SIZES])
def test_nothing_is_cut_off_and_nobody_is_shut_out(browser, gateway, width, scheme):
    """At the width of a phone and at larger ones, light and dark: nothing scrolls sideways, and axe-core finds no problem."""
    gateway.get("/rooms")
    pictures = os.environ.get("GR_SCREENSHOTS")
    browser.open(docs_url(gateway), width=width, scheme=scheme)
    browser.wait("[id='rooms.create']")
    browser.evaluate("document.getElementById('rooms.create').open = true")
    browser.wait("[id='rooms.create'] pre")
    for name, url in (("docs", None), ("status", status_url(gateway))):
        if url:
            browser.open(url, width=width, scheme=scheme)
            browser.wait("#operations >> text=rooms.list")
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"
        assert browser.axe() == [], name
        if pictures:
            browser.screenshot(pathlib.Path(pictures) / f"{name}-{width}-{scheme}.png")


def test_the_pages_are_small_and_closed(gateway):
    for get, page, files in (
        (gateway.get, "/docs", ("/docs/common.css", "/docs/common.js", "/docs/docs.css", "/docs/docs.js")),
        (gateway.admin, "/status", ("/docs/common.css", "/docs/common.js", "/status/status.css", "/status/status.js")),
    ):
        answers = [get(path) for path in (page, *files)]
        assert all(answer.status == 200 for answer in answers)
        assert sum(len(answer.body) for answer in answers) < 60 * 1024
        for answer in answers:
            policy = answer.header("Content-Security-Policy")
            assert "default-src 'none'" in policy and "unsafe" not in policy
        assert b"http://" not in answers[0].body and b"https://" not in answers[0].body
    assert gateway.get("/status").status == 404 and gateway.get("/status.json").status == 404
    assert gateway.get("/docs/status.js").status == 404
