"""Names in the config and in plugins: a name of something that does not exist is an error, with a suggestion."""

import json
import os
import re

import pytest
from support.gateway import Gateway
from support.upstream import Reply, Upstream

LIBRARY = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins", "names.so")
UPSTREAMS = {"api": {"url": "http://127.0.0.1:9"}, "declared": {"url": "http://127.0.0.1:9"}}


def check(tmp_path, config, plugins):
    gateway = Gateway(tmp_path, {"upstreams": UPSTREAMS, **config}, plugins)
    gateway.write()
    return gateway.run("check")


ROOMS = {"rooms": {}}
# Members of the config, and the message of check.
UNKNOWN = [
    ({"limits": {"routes": {"rooms.lst": {"rate": "1/s"}}}},
     'limits.routes.rooms.lst: no route has the id "rooms.lst", did you mean "rooms.list"?'),
    ({"limits": {"scopes": {"romms:read": {"rate": "1/s"}}}},
     'limits.scopes.romms:read: no route wants the scope "romms:read", did you mean "rooms:read"?'),
    ({"auth": {"none": {"scopes": ["rooms:raed"]}}},
     'auth.none.scopes: no route wants the scope "rooms:raed", did you mean "rooms:read"?'),
    ({"auth": {"jwt": {"staff": {"keys": [{"alg": "HS256", "secret": "s" * 32}],
                                 "scopes": {"admin": ["rooms:*", "polis:read"]}}}}},
     'auth.jwt.staff.scopes.admin: no route wants the scope "polis:read": greenroom routes lists ids and scopes'),
]


@pytest.mark.parametrize("config,line", UNKNOWN, ids=[row[1].split(":")[0] for row in UNKNOWN])
def test_a_name_that_no_route_bears_is_an_error(tmp_path, config, line):
    done = check(tmp_path, config, ROOMS)
    assert done.returncode == 3, done.stdout
    [said] = done.stderr.splitlines()
    assert said.startswith(f"{tmp_path}/greenroom.json:") and said.endswith(line), said


def test_names_that_are_there_are_taken(tmp_path):
    done = check(tmp_path, {
        "limits": {"routes": {"rooms.list": {"rate": "1/s"}}, "scopes": {"rooms:read": {"rate": "1/s"}}},
        "auth": {"none": {"scopes": ["rooms:*"]}},
    }, ROOMS)
    assert done.returncode == 0, done.stderr


def test_a_name_of_a_group_or_route_that_is_switched_off_is_no_error(tmp_path):
    done = check(tmp_path, {"limits": {"routes": {"polls.list": {"rate": "1/s"}, "rooms.get": {"rate": "1/s"}},
                                       "scopes": {"polls:read": {"rate": "1/s"}}}},
                 {"rooms": {"routes": {"rooms.get": {"enabled": False}}}, "polls": {"enabled": False}})
    assert done.returncode == 0, done.stderr


# A plugin names an upstream that does not exist. The message is at the name in the file of the group, or at "upstreams".
MISSING = [
    ({"names": {"library": LIBRARY, "config": {"source": "apy"}}}, "names.json:1:%d: config.source: found 'apy', wanted "
     'one of the config\'s "upstreams", did you mean "api"?'),
    ({"names": {"library": LIBRARY}}, "greenroom.json:1:%d: upstreams.declared: missing: the code of DIR/plugins.d/names.json "
     "calls it: add it, or disable that group"),
    ({"rooms": {"routes": {"rooms.get": {"upstream": "apii"}}}}, "rooms.json:1:%d: routes.rooms.get.upstream: found 'apii', "
     'wanted one of the config\'s "upstreams", did you mean "api"?'),
]


@pytest.mark.parametrize("plugins,line", MISSING, ids=["option", "declared", "route"])
def test_an_upstream_that_a_plugin_names_must_be_in_the_config(tmp_path, plugins, line):
    upstreams = {"api": UPSTREAMS["api"]} if "declared" in line else UPSTREAMS
    done = check(tmp_path, {"upstreams": upstreams}, plugins)
    said = done.stderr.replace(str(tmp_path), "DIR")
    assert done.returncode == 3 and re.search(re.escape(line).replace("%d", r"\d+"), said), said


def test_an_undeclared_upstream_is_named_in_the_log(tmp_path):
    with Upstream() as upstream:
        upstream.on("GET", "/asked", Reply({"asked": True}))
        url = {"url": upstream.url}
        gateway = Gateway(tmp_path, {"upstreams": {"api": url, "declared": url}}, {"names": {"library": LIBRARY}})
        gateway.start()
        try:
            assert gateway.get("/names?upstream=api").json == {"asked": True}
            answer = gateway.get("/names?upstream=nowhere")
            assert answer.status == 500 and b"nowhere" not in answer.body
            gateway.wait_log(r'"upstream":"nowhere"')
            lines = [json.loads(line) for line in gateway.log.splitlines() if "nowhere" in line]
            assert [(line["level"], line["plugin"], line["upstream"]) for line in lines
                    if "upstream" in line] == [("error", "names", "nowhere")]
        finally:
            gateway.stop()
