"""Deliveries of webhooks are signed as the Standard Webhooks specification says."""

import base64
import hashlib
import hmac
import time

import pytest

from support.gateway import Gateway
from support.upstream import TIMEOUT, Reply
from support.webhooks import NEW, OLD, SECRET, event, start, store, taken, target, to, whsec  # noqa: F401 (fixtures)


def verify(request, key):
    """Verifies a delivery as receivers do (standardwebhooks.com), without code of the gateway."""
    ident, moment = request.header("webhook-id"), request.header("webhook-timestamp")
    wanted = "v1," + base64.b64encode(hmac.new(key, f"{ident}.{moment}.".encode() + request.body, hashlib.sha256).digest()).decode()
    return abs(time.time() - int(moment)) < 60 and any(
        hmac.compare_digest(wanted, one) for one in request.header("webhook-signature").split(" "))


def test_a_delivery_is_signed_as_standard_webhooks_say(start, target):
    gateway = start(forward_to=[to(target, secrets=[whsec(OLD)])])
    raw = b'{ "version":"2.0", "id":"3f2c-a_1","account_id":"a","timestamp":"2025-03-04T17:10:11Z",' \
          b'"type":"t", "data":{"price": 1.50, "t": "\xc3\xa9"}}'
    taken(gateway, raw)
    request, = target.wait_requests(1)
    assert request.body == raw and request.header("webhook-id") == "3f2c-a_1"
    assert verify(request, OLD) and not verify(request, NEW)
    assert request.header("x-100ms-signature") is None


def test_while_a_secret_is_replaced_both_sign(start, target):
    gateway = start(forward_to=[to(target, secrets=[whsec(NEW), whsec(OLD).rstrip("=")])])
    taken(gateway, event())
    request, = target.wait_requests(1)
    assert len(request.header("webhook-signature").split(" ")) == 2
    assert verify(request, OLD) and verify(request, NEW) and not verify(request, b"x" * 24)


def test_every_attempt_has_the_same_id_and_a_time_of_its_own(start, target):
    target.will(Reply(status=400), Reply(status=400))
    gateway = start(forward_to=[to(target, secrets=[whsec(OLD)])])
    one = taken(gateway, event())
    requests = target.wait_requests(3, TIMEOUT * 2)
    assert all(verify(request, OLD) for request in requests)
    assert {request.header("webhook-id") for request in requests} == {one["id"]}
    assert int(requests[2].header("webhook-timestamp")) > int(requests[0].header("webhook-timestamp"))


def test_an_id_that_would_not_fit_a_header_is_replaced_by_its_digest(start, target):
    gateway = start(forward_to=[to(target, secrets=[whsec(OLD)])])
    for number, ident in enumerate(("a.b", "line\nbreak", "é", "x" * 65), 1):
        taken(gateway, event(id=ident))
        request = target.wait_requests(number)[-1]
        assert request.header("webhook-id") == "sha256_" + hashlib.sha256(ident.encode()).hexdigest()
        assert verify(request, OLD)


def test_the_form_of_100ms_beside_it(start, target):
    gateway = start(forward_to=[to(target, secrets=[whsec(OLD)], signature_secret="a key", header="X-Key", header_value="v"),
                                to(target, "plain", "/plain")])
    taken(gateway, event())
    signed, plain = sorted(target.wait_requests(2), key=lambda request: request.path)
    assert signed.header("x-100ms-signature") == hmac.new(b"a key", signed.body, hashlib.sha256).hexdigest()
    assert verify(signed, OLD) and signed.header("X-Key") == "v"
    assert all(plain.header(name) is None for name in ("webhook-id", "webhook-signature", "x-100ms-signature"))


@pytest.mark.parametrize("secret", ["whsec_" + base64.b64encode(b"k" * 23).decode(), "whsec_" + base64.b64encode(b"k" * 65).decode(),
                                    base64.b64encode(OLD).decode(), "whsec_a", "whsec_*" + "a" * 40, ""])
def test_a_secret_that_is_none_stops_the_start_and_is_not_told(tmp_path, store, target, secret):
    gateway = Gateway(tmp_path, {"store": store.url, "state_directory": str(tmp_path)},
                      {"webhooks": {"config": {"secret": SECRET, "forward_to": [to(target, secrets=[whsec(OLD), secret])]}}})
    with pytest.raises(AssertionError):
        gateway.start()
    assert gateway.process.wait(TIMEOUT) != 0
    assert "secrets[1]" in gateway.log and (len(secret) < 8 or secret not in gateway.log)
