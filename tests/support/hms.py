"""The 100ms groups in front of a sandbox, as the developers of an app run them."""

from support import sandbox
from support.gateway import Gateway

GROUPS = ("active_rooms", "analytics", "external_streams", "live_streams", "polls", "recording_assets", "recordings",
          "room_codes", "rooms", "sessions", "sip", "stream_keys", "templates", "token", "webhooks")


def gateway_for(directory, upstream, groups=GROUPS, plugins=None, **config):
    """A gateway with these groups. upstream is the URL of the 100ms API behind it, and includes /v2."""
    return Gateway(directory, {
        "credentials": {"100ms": {"kind": "100ms", "access_key": sandbox.KEY, "secret": sandbox.SECRET}},
        "upstreams": {"api": {"url": upstream, "credential": "100ms"}, "auth": {"url": upstream}},
        "store": f"sqlite:{directory}/gateway.db",
        "state_directory": str(directory),
        **config,
    }, {group: {} for group in groups} | (plugins or {}))
