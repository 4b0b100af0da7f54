"""A sandbox for all tests of a file, emptied before each test, and a receiver of its webhooks."""

import http.server
import json
import threading

import pytest

from support.sandbox import Sandbox


class Receiver:
    """Receives webhooks; answers the statuses configured for a type of event, then 200."""

    def __init__(self):
        self.seen = []
        self.statuses = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                event = json.loads(body)
                outer.seen.append((self.path, dict(self.headers), event, body))
                statuses = outer.statuses.get(event["type"])
                self.send_response(statuses.pop(0) if statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, room):
        """The webhooks about a room. Late ones of earlier tests are about other rooms."""
        return [one for one in list(self.seen) if one[2]["data"].get("room_id") == room["id"]]

    def types(self, room=None):
        return [event["type"] for _, _, event, _ in (self.of(room) if room else list(self.seen))]


@pytest.fixture(scope="module")
def receiver():
    taker = Receiver()
    yield taker
    taker.server.shutdown()
    taker.server.server_close()


@pytest.fixture(scope="module")
def running(tmp_path_factory, receiver):
    box = Sandbox(
        tmp_path_factory.mktemp("sandbox"),
        {
            "webhook_url": receiver.url + "/hook?from=sandbox",
            "webhook_headers": {"x-hook-key": "key of the hook"},
            "webhook_secret": "signing key",
            "speed": 20,
        },
    )
    yield box
    box.stop()


@pytest.fixture
def box(running):
    running.ok("POST", "/sandbox/reset", status=204)
    return running
