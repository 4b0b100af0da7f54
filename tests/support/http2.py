"""An upstream that speaks HTTP/2 over TLS, frame by frame, with the h2 library.

    with Http2Upstream(certificate, key) as upstream:
        upstream.answer = lambda request: Stream.reply(200, {"id": "1"})
        …
        assert upstream.connections == 1

`answer` is called with each complete request and returns what to do with it: a function that is called with the stream,
such as one of Stream's, or None, and then the request waits until the test calls such a function.
"""

import json
import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings


class Stream:
    """A request and the way to answer it."""

    def __init__(self, connection, number, headers):
        self.connection, self.number = connection, number
        self.headers = [(name.decode(), value.decode()) for name, value in headers]
        self.body = b""
        self.ended_by_peer = None
        """The error code of the peer's RST_STREAM."""

    def header(self, name):
        """The value of a header; None when absent. Fails when the request has it twice."""
        values = [value for other, value in self.headers if other == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def send(self, status, body=b"", headers=(), interim=(), trailers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        fields = [(":status", str(status)), ("content-type", "application/json"), *headers]
        with self.connection.writing() as h2c:
            for code in interim:
                h2c.send_headers(self.number, [(":status", str(code)), ("x-interim", "1")])
            h2c.send_headers(self.number, fields, end_stream=not body and not trailers)
            while body:
                part, body = body[:16384], body[16384:]
                h2c.send_data(self.number, part, end_stream=not body and not trailers)
            if trailers:
                h2c.send_headers(self.number, list(trailers), end_stream=True)

    def reset(self, code=h2.errors.ErrorCodes.INTERNAL_ERROR):
        with self.connection.writing() as h2c:
            h2c.reset_stream(self.number, error_code=code)

    def go_away(self, last=0):
        """Tells the peer that streams after `last` were not processed, and closes the connection."""
        with self.connection.writing() as h2c:
            h2c.close_connection(last_stream_id=last)
        self.connection.close()

    def raw(self, data):
        self.connection.sock.sendall(data)

    @staticmethod
    def reply(*words, **more):
        """A function for `answer` to return: it calls send() with these arguments."""
        return lambda stream: stream.send(*words, **more)


class _Writing:
    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        self.connection.lock.acquire()
        return self.connection.h2c

    def __exit__(self, kind, error, trace):
        try:
            self.connection.flush()
        finally:
            self.connection.lock.release()


class _Connection:
    def __init__(self, upstream, sock):
        self.upstream, self.sock = upstream, sock
        self.lock = threading.RLock()
        self.h2c = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding=None))
        self.streams = {}

    def writing(self):
        return _Writing(self)

    def flush(self):
        data = self.h2c.data_to_send()
        if data:
            try:
                self.sock.sendall(data)
            except OSError:
                pass

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def run(self):
        with self.writing() as h2c:
            h2c.initiate_connection()
            # The limit counts from the moment at which the client has acknowledged it.
            h2c.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.upstream.streams_max})
        try:
            while data := self.sock.recv(65536):
                with self.lock:
                    events = self.h2c.receive_data(data)
                    self.flush()
                for event in events:
                    self.take(event)
        except (OSError, h2.exceptions.ProtocolError):
            pass
        finally:
            self.sock.close()

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.streams[event.stream_id] = Stream(self, event.stream_id, event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.streams[event.stream_id].body += event.data
            with self.writing() as h2c:
                h2c.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.upstream.take(self.streams[event.stream_id])
        elif isinstance(event, h2.events.StreamReset):
            self.streams[event.stream_id].ended_by_peer = event.error_code


class Http2Upstream:
    def __init__(self, certificate, key, streams_max=128):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.set_alpn_protocols(["h2"])
        self.streams_max = streams_max
        self.answer = lambda stream: Stream.reply(200, {})
        self.requests = []
        """All requests, in the order in which they were complete."""
        self.held = []
        self.connections = 0
        self.greets = threading.Event()
        """While it is cleared, new connections wait for their TLS handshake."""
        self.greets.set()
        self._lock = threading.Lock()
        self._open = []

    def take(self, stream):
        with self._lock:
            self.requests.append(stream)
            act = self.answer(stream)
            if act is None:
                self.held.append(stream)
        if act is not None:
            act(stream)

    def let_go(self, *words):
        """Answers what is held, and from now on each request, with Stream.reply(*words)."""
        act = Stream.reply(*words)
        with self._lock:
            self.answer = lambda stream: act
            held = list(self.held)
        for stream in held:
            act(stream)

    def _serve(self, sock):
        self.greets.wait()
        try:
            sock = self.context.wrap_socket(sock, server_side=True)
        except OSError:
            return
        with self._lock:
            self.connections += 1
        connection = _Connection(self, sock)
        self._open.append(connection)
        connection.run()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"https://localhost:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Closes the listener and all connections."""
        self.greets.set()
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        for connection in self._open:
            connection.close()
