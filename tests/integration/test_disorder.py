"""Bad clients: pipelined requests, requests cut anywhere, bodies of every kind, clients that disconnect. Every
answer is compared with its request, so that an answer that is lost, doubled, cut or sent to another client fails the test."""

import asyncio
import json
import os
import random
import time

import pytest

from support.wire import FACTOR, Gateway

CLIENTS = 40
SECONDS = float(os.environ.get("GR_DISORDER_SECONDS", "4"))
SEED = int(os.environ.get("GR_DISORDER_SEED", "0")) or random.randrange(1, 1 << 32)
ANSWER_SECONDS = 30 * FACTOR


@pytest.fixture(scope="module")
def gateway():
    # More workers than clients: none is refused because all are busy.
    server = {"body_max": "2m", "header_timeout": "20s", "body_timeout": "20s", "workers": 64}
    with Gateway(plugins={"probe": {}}, server=server) as running:
        yield running


# --- requests with their expected answers ---


def get_constant(_):
    return b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", lambda body: json.loads(body) == {"status": "ok"}


def get_large(dice):
    size = dice.choice((1, 1000, 70_000, 400_000))
    return b"GET /probe/large/%d HTTP/1.1\r\nHost: x\r\n\r\n" % size, lambda body: body == b"x" * size


def get_late(dice):
    ms = dice.choice((0, 1, 5, 20))
    return (b"GET http://x/probe/wait/%d HTTP/1.1\r\nHost: x\r\n\r\n" % ms,
            lambda body: json.loads(body) == {"waited_ms": ms})


def bytes_of(dice):
    return dice.randbytes(dice.choice((0, 1, 10, 500, 5000, 30_000, 200_000)))


def post_counted(dice):
    sent = bytes_of(dice)
    head = b"POST /probe/echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(sent)
    return head + sent, lambda body: body == sent


def post_chunked(dice):
    sent = bytes_of(dice)
    data, at = b"POST /probe/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 0
    while at < len(sent):
        chunk = sent[at:at + dice.choice((1, 100, 4096, 50_000))] if len(sent) < 5000 else sent[at:at + 50_000]
        data += b"%x\r\n%s\r\n" % (len(chunk), chunk)
        at += len(chunk)
    return data + b"0\r\n\r\n", lambda body: body == sent


KINDS = (get_constant, get_constant, get_large, get_late, post_counted, post_counted, post_chunked)


# --- a client ---


async def read_answer(reader):
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_SECONDS)
    fields = [line.split(b": ", 1) for line in head[:-4].split(b"\r\n")[1:]]
    length = sum(int(value) for name, value in fields if name.lower() == b"content-length")
    return int(head.split()[1]), await asyncio.wait_for(reader.readexactly(length), ANSWER_SECONDS)


async def send_in_pieces(dice, writer, data):
    step = len(data) if dice.random() < 0.5 else dice.choice((7, 60, 3000, 50_000))
    step = max(step, len(data) // 200)  # otherwise a large body would take too long
    for at in range(0, len(data), step):
        writer.write(data[at:at + step])
        await writer.drain()
        await asyncio.sleep(dice.choice((0, 0, 0, 0.001, 0.005)))


async def converse(dice, reader, writer, count):
    """Sends pipelined requests before it reads the first answer. Returns False when it disconnected instead."""
    batch = [dice.choice(KINDS)(dice) for _ in range(dice.choice((1, 1, 1, 2, 5)))]
    data = b"".join(sent for sent, _ in batch)
    if dice.random() < 0.05:
        writer.write(data[:dice.randrange(len(data))])
        return False
    sending = asyncio.ensure_future(send_in_pieces(dice, writer, data))
    for sent, fits in batch:
        status, body = await read_answer(reader)
        assert status == 200 and fits(body), (
            sent[:80], status, body[:80])
        count["answers"] += 1
    await sending
    return True


async def client(number, port, end, count):
    dice = random.Random(SEED * 1000 + number)
    while time.monotonic() < end or count["connections"] <= CLIENTS:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        count["connections"] += 1
        for _ in range(dice.randint(1, 20)):
            if not await converse(dice, reader, writer, count):
                break
        if dice.random() < 0.3:
            writer.transport.abort()
        writer.close()


async def crowd(port, end, count):
    await asyncio.gather(*(client(number, port, end, count) for number in range(CLIENTS)))


def test_every_answer_fits_its_request(gateway):
    count = {"answers": 0, "connections": 0}
    print(f"GR_DISORDER_SEED={SEED}")
    asyncio.run(crowd(gateway.port, time.monotonic() + SECONDS, count))
    assert count["answers"] > CLIENTS and count["connections"] > CLIENTS, count
    assert gateway.process.poll() is None
    assert gateway.request("GET", "/healthz").status == 200
