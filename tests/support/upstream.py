"""A recording upstream that sends exactly the bytes a test gives it.

    with Upstream() as upstream:
        upstream.will(Reply(status=503), Reply.reset())   # for the next two requests
        upstream.on("GET", "/v2/rooms/1", Reply({"id": "1"}))   # for every other request of that path
        …
        assert [r.line for r in upstream.requests] == ["GET /v2/rooms/1", …]

Real sockets, one thread for each connection. What arrives is kept in `requests`, raw and in order.
"""

import base64
import collections
import hashlib
import hmac
import json
import os
import select
import socket
import struct
import threading
import time

from support.ports import hold_port

FACTOR = float(os.environ.get("GR_TIME_FACTOR", "1"))
TIMEOUT = 10 * FACTOR
"""The only time-out of the tests, in seconds: the most time that an expected event may take."""


def header_of(headers, name):
    """The value of a header; None when absent. Fails when the request has it twice."""
    values = [v for n, v in headers if n.lower() == name.lower()]
    assert len(values) <= 1, f"{name} came {len(values)} times"
    return values[0] if values else None


class Request:
    """One request as it arrived."""

    def __init__(self, head, body, connection):
        self.raw_head = head
        self.body = body
        self.connection = connection
        """Number of the connection it came on, from 1."""
        self.time = time.monotonic()
        self.abandoned = None
        """When the gateway closed the connection while it waited for the answer."""
        self.answered = False
        """Whether the whole reply was sent."""
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ", 2)
        self.path, _, self.query = self.target.partition("?")
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]

    @property
    def line(self):
        return f"{self.method} {self.target}"

    def header(self, name):
        return header_of(self.headers, name)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def token(self):
        """The bearer token, or None."""
        value = self.header("Authorization")
        return value[len("Bearer "):] if value and value.startswith("Bearer ") else None

    def __repr__(self):
        return f"<{self.line} {self.body!r}>"


def claims(token, secret=None):
    """The claims of an HS256 token; its signature is checked when a secret is given."""
    head, payload, signature = token.split(".")

    def decode(text):
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    assert json.loads(decode(head))["alg"] == "HS256"
    if secret is not None:
        wanted = hmac.new(secret.encode(), f"{head}.{payload}".encode(), hashlib.sha256).digest()
        assert hmac.compare_digest(wanted, decode(signature)), "the signature does not match"
    return json.loads(decode(payload))


def forged(token):
    """The token with another first character of its signature. The last one may have bits that do not count."""
    first = token.rindex(".") + 1
    return token[:first] + ("B" if token[first] == "A" else "A") + token[first + 1:]


class Reply:
    """What the upstream does with a request. By default it answers and keeps the connection."""

    def __init__(self, body=None, status=200, headers=(), delay=0.0, content_type="application/json"):
        self.delay = delay
        """Seconds to wait after the request was read."""
        self.status = status
        self.then = None
        """The connection afterwards: None (kept), "close", "reset"."""
        self.bytes = self._render(body, status, headers, content_type)
        self.drip = None
        """(bytes, seconds): sends so many bytes at a time, with a pause between them."""
        self.until = None
        """A threading.Event that the answer waits for."""

    @staticmethod
    def _render(body, status, headers, content_type):
        if body is None:
            body = b"" if status == 204 else b"{}"
        elif isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Status"]
        if content_type and body:
            lines.append(f"Content-Type: {content_type}")
        lines += [f"{name}: {value}" for name, value in headers]
        if status != 204:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body

    @classmethod
    def raw(cls, data, then="close", delay=0.0):
        """Sends exactly these bytes."""
        reply = cls(delay=delay)
        reply.bytes, reply.then = data, then
        return reply

    @classmethod
    def close(cls, delay=0.0):
        """Reads the request, then closes without an answer."""
        return cls.raw(b"", delay=delay)

    @classmethod
    def reset(cls, delay=0.0):
        """Reads the request, then resets the connection."""
        return cls.raw(b"", then="reset", delay=delay)

    @classmethod
    def hang(cls):
        """Reads the request and sends nothing."""
        return cls(delay=3600)

    @classmethod
    def held(cls, event, body=None, **more):
        """Answers once the event is set."""
        reply = cls(body, **more)
        reply.until = event
        return reply

    @classmethod
    def short(cls, announced=100, body=b'{"id":'):
        """Announces more bytes than it sends, then closes."""
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {announced}\r\n\r\n"
        return cls.raw(head.encode() + body)

    @classmethod
    def huge(cls, size, chunked=False):
        """A JSON string of that many bytes, announced or in chunks."""
        body = b'"' + b"x" * (size - 2) + b'"'
        if not chunked:
            return cls(body)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 65536]), body[i:i + 65536])
                          for i in range(0, len(body), 65536))
        return cls.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n", then=None)

    @classmethod
    def deep(cls, levels):
        """Nested brackets of that depth."""
        return cls(b"[" * levels + b"]" * levels)

    @classmethod
    def garbage(cls, data=b"\x16\x03\x01 this is no HTTP\r\n\r\n"):
        return cls.raw(data)

    @classmethod
    def last(cls, body=None, **more):
        """A valid answer on a connection that closes afterwards without `Connection: close`."""
        reply = cls(body, **more)
        reply.then = "close"
        return reply

    @classmethod
    def too_many(cls, retry_after=7):
        return cls({"code": 429, "message": "too many requests"}, 429,
                   [("Retry-After", retry_after), ("X-RateLimit-Limit", "10")])

    @classmethod
    def unauthorized(cls):
        return cls({"code": 401, "message": "token expired"}, 401)


class Upstream:
    """Listens on a port of its own from construction to stop()."""

    def __init__(self, tls=None):
        """tls: an ssl.SSLContext for a server."""
        self.requests = []
        self.connections = 0
        self.default = Reply()
        self._tls = tls
        self._next = collections.deque()
        self._routes = {}
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._open = set()
        self._listener = None
        # Held all the time, so that the port goes to nobody else while this upstream is down.
        self.port, self._held = hold_port()
        self.up()

    # --- life ---

    def up(self):
        """Listens, after down() again on the same port."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def down(self):
        """Refuses connections and closes the open ones, until up()."""
        listener, self._listener = self._listener, None
        if listener:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
        self.cut()

    def cut(self):
        """Closes all open connections."""
        with self._changed:
            open_now = list(self._open)
        for connection in open_now:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self._stopped.set()
        self.down()
        self._held.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    @property
    def url(self):
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    # --- script ---

    def will(self, *replies):
        """Sets the replies to the next requests, one for each. They take precedence over on() and default."""
        with self._changed:
            self._next.extend(replies)

    def on(self, method, path, reply):
        """Sets the reply to every request with this method and path (without query). The reply may be
        a function of the request."""
        with self._changed:
            self._routes[method, path] = reply

    def forget(self):
        """Deletes the recorded requests and the replies that were set."""
        with self._changed:
            self.requests.clear()
            self._next.clear()
            self._routes.clear()
            self.default = Reply()

    # --- record ---

    def wait(self, condition, timeout=TIMEOUT):
        """Waits until condition(self) holds; fails when it does not in time."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition(self):
                left = deadline - time.monotonic()
                assert left > 0, f"waited {timeout} s; requests: {self.requests}"
                self._changed.wait(left)

    def wait_requests(self, count, timeout=TIMEOUT):
        self.wait(lambda self: len(self.requests) >= count, timeout)
        return self.requests

    @property
    def lines(self):
        return [request.line for request in self.requests]

    @property
    def open(self):
        """The number of open connections."""
        return len(self._open)

    # --- connections ---

    def _accept(self, listener):
        while not self._stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self.connections += 1
                number = self.connections
                self._open.add(connection)
                self._changed.notify_all()
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection, number):
        plain = connection
        try:
            if self._tls:
                connection.settimeout(TIMEOUT)
                connection = self._tls.wrap_socket(connection, server_side=True)
                connection.settimeout(None)
            self._serve_requests(connection, number)
        except (OSError, ValueError):
            pass
        finally:
            connection.close()
            with self._changed:
                self._open.discard(plain)
                self._changed.notify_all()

    def _serve_requests(self, connection, number):
        rest = b""
        while True:
            head, body, rest = self._read(connection, rest)
            if head is None:
                return
            request = Request(head, body, number)
            with self._changed:
                self.requests.append(request)
                reply = self._choose(request)
                self._changed.notify_all()
            if not self._answer(connection, request, reply):
                return

    def _choose(self, request):
        if self._next:
            reply = self._next.popleft()
        else:
            reply = self._routes.get((request.method, request.path), self.default)
        return reply(request) if callable(reply) else reply

    @staticmethod
    def _read(connection, data):
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return None, b"", b""
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                length = int(value)
            assert name.strip().lower() != b"transfer-encoding", "the gateway announces lengths"
        while len(rest) < length:
            more = connection.recv(65536)
            if not more:
                return None, b"", b""
            rest += more
        return head, rest[:length], rest[length:]

    def _answer(self, connection, request, reply):
        """Returns True when the connection stays open."""
        while reply.until and not reply.until.is_set():
            if not self._pause(connection, request, 0.02):
                return False
        if reply.delay and not self._pause(connection, request, reply.delay):
            return False
        if reply.drip:
            size, pause = reply.drip
            for at in range(0, len(reply.bytes), size):
                connection.sendall(reply.bytes[at:at + size])
                if not self._pause(connection, request, pause):
                    return False
        elif reply.bytes:
            connection.sendall(reply.bytes)
        if reply.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with self._changed:
            request.answered = True
            self._changed.notify_all()
        return reply.then is None

    def _pause(self, connection, request, seconds):
        """Waits, and records it when the client disconnects meanwhile. Returns False when it has."""
        deadline = time.monotonic() + seconds
        while not self._stopped.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                return True
            readable, _, _ = select.select([connection], [], [], min(left, 0.05))
            if readable and not self._tls and not connection.recv(1, socket.MSG_PEEK):
                with self._changed:
                    request.abandoned = time.monotonic()
                    self._changed.notify_all()
                return False
            if readable:
                time.sleep(min(max(left, 0), 0.05))
        return False
