#!/usr/bin/python3
"""Keeps COUNT slow connections open until it is killed. Usage: slow_clients.py PORT KIND COUNT

Kinds: silent (sends nothing), idle (sends nothing after one request and its answer), header and body (a byte per second),
reader (sends a request and reads a byte per second). A closed connection is opened again immediately. Prints a line when all
connections are open; those that are idle have had their answer then, and at most 64 of them wait for it at a time.
"""

import errno
import selectors
import socket
import sys
import time

AT_ONCE = 64
FIRST = {
    "silent": b"",
    "header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "body": b"POST /rooms HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
    "idle": b"GET /rooms/1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "reader": b"GET /rooms?limit=100 HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


def connect(port, kind):
    sock = socket.socket()
    sock.setblocking(False)
    if kind == "reader":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    code = sock.connect_ex(("127.0.0.1", port))
    if code not in (0, errno.EINPROGRESS):
        sock.close()
        return None
    return sock


def main():
    port, kind, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    selector = selectors.DefaultSelector()
    crowd = {}
    answered = set()
    told = False

    def leave(sock):
        if kind != "reader":
            selector.unregister(sock)
        crowd.pop(sock, None)
        answered.discard(sock)
        sock.close()

    while True:
        while len(crowd) < count and (kind != "idle" or len(crowd) - len(answered) < AT_ONCE):
            sock = connect(port, kind)
            if not sock:
                break
            crowd[sock] = 0.0
            if kind != "reader":  # the sockets of readers are readable all the time
                selector.register(sock, selectors.EVENT_READ)
        for key, _ in selector.select(0.05):
            try:
                if not key.fileobj.recv(4096):
                    leave(key.fileobj)
                else:
                    answered.add(key.fileobj)
            except BlockingIOError:
                pass
            except OSError:
                leave(key.fileobj)
        full = len(answered) == count if kind == "idle" else len(crowd) == count
        if full and not told:
            told = True
            print("all are open", flush=True)
        if full and kind in ("idle", "silent"):
            continue
        now = time.monotonic()
        for sock, last in list(crowd.items()):
            if now - last < 1.0:
                continue
            try:
                if kind == "reader" and last:
                    if sock.recv(1) == b"":
                        raise ConnectionResetError
                elif kind == "idle" and last:
                    pass
                elif FIRST[kind]:
                    sock.send(FIRST[kind] if not last else b" ")
                crowd[sock] = now
            except BlockingIOError:
                crowd[sock] = now
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    leave(sock)


if __name__ == "__main__":
    main()
