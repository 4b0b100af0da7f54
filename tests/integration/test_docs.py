"""The OpenAPI document: it describes what the gateway does, and only the right callers can read it."""

import json
import os
import shutil
import signal

import jsonschema
from support import api_client
from support.hms import gateway_for

SOURCE = os.environ["GR_SOURCE_DIR"]
PLUGINS = os.environ["GR_PLUGIN_DIR"]
UNREACHABLE = "http://127.0.0.1:9/v2"


def make(tmp_path, groups=("rooms", "token"), upstream=UNREACHABLE, **config):
    return gateway_for(tmp_path / "gateway", upstream, groups=groups, **config)


# --- who sees it ---


def test_the_api_listener_does_not_serve_it_unless_told_to(tmp_path):
    with make(tmp_path) as gateway:
        for path in ("/openapi.json", "/docs"):
            assert gateway.get(path).status == 404
            assert gateway.admin(path).status == 200
        assert "/openapi.json" not in gateway.admin("/openapi.json").json["paths"]


def test_the_api_listener_serves_it_when_told_to(tmp_path):
    with make(tmp_path, docs={"public": True}) as gateway:
        document = gateway.get("/openapi.json").json
        assert document["servers"][0]["url"] == "/"
        assert {"/rooms", "/openapi.json", "/docs"} <= set(document["paths"])
        assert "/metrics" not in document["paths"] and "/status" not in document["paths"]
        assert "x-forward" not in json.dumps(document), "names of upstreams are for operators"


def test_the_admin_listener_names_the_api_listener_as_server(tmp_path):
    with make(tmp_path) as gateway:
        document = gateway.admin("/openapi.json").json
        assert document["servers"][0]["url"] == f"http://127.0.0.1:{gateway.port}"
        assert "x-forward" in json.dumps(document)


def test_the_operator_names_the_url_that_clients_use(tmp_path):
    with make(tmp_path, docs={"public": True, "url": "https://api.example.org/v1/"}) as gateway:
        for document in (gateway.get("/openapi.json").json, gateway.admin("/openapi.json").json):
            assert document["servers"][0]["url"] == "https://api.example.org/v1"


def test_one_group_can_be_asked_for(tmp_path):
    with make(tmp_path) as gateway:
        document = gateway.admin("/openapi.json?group=rooms").json
        assert {tag["name"] for tag in document["tags"]} == {"rooms"}
        assert set(document["paths"]) < set(gateway.admin("/openapi.json").json["paths"])
        assert gateway.admin("/openapi.json?group=polls").status == 404


def test_a_client_that_has_the_document_is_told_so(tmp_path):
    with make(tmp_path) as gateway:
        first = gateway.admin("/openapi.json")
        tag = first.header("ETag")
        again = gateway.request("GET", "/openapi.json", headers={"If-None-Match": tag}, port=gateway.admin_port)
        assert (again.status, again.body, again.header("ETag")) == (304, b"", tag)
        other = gateway.request("GET", "/openapi.json", headers={"If-None-Match": '"x"'}, port=gateway.admin_port)
        assert (other.status, other.body) == (200, first.body)


def test_it_follows_a_reload(tmp_path):
    with make(tmp_path) as gateway:
        before = gateway.admin("/openapi.json")
        assert "/token" in before.json["paths"] and "/hello/{name}" not in before.json["paths"]
        shutil.copy(os.path.join(PLUGINS, "hello.so"), tmp_path / "dropped.so")
        gateway.plugins["token"] = {"enabled": False}
        gateway.plugins["dropped"] = {"library": str(tmp_path / "dropped.so")}
        gateway.write()
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_log(r"reloaded:")
        after = gateway.admin("/openapi.json")
        assert "/token" not in after.json["paths"] and "/hello/{name}" in after.json["paths"]
        assert after.header("ETag") != before.header("ETag")


def test_no_secret_is_in_it(tmp_path):
    with gateway_for(tmp_path / "gateway", UNREACHABLE, docs={"public": True}) as gateway:
        secrets = [member["secret"] for member in gateway.config["credentials"].values()]
        for answer in (gateway.admin("/openapi.json"), gateway.get("/openapi.json")):
            assert not any(secret.encode() in answer.body for secret in secrets)


# --- what it says ---


def examples(value, at="#"):
    """(where, schema, example) of every schema and media type that has one."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from examples(one, f"{at}/{number}")
    if not isinstance(value, dict):
        return
    if isinstance(value.get("examples"), list):
        for one in value["examples"]:
            yield at, {name: member for name, member in value.items() if name != "examples"}, one
    if "example" in value and "schema" in value:
        yield at, value["schema"], value["example"]
    for name, member in value.items():
        if name not in ("example", "examples", "default"):
            yield from examples(member, f"{at}/{name}")


def documents(tmp_path):
    for config, env in (("etc", {}), ("etc/sandbox", {})):
        gateway = make(tmp_path)
        gateway.env.update({"APP_ACCESS_KEY": "k", "APP_SECRET": "s", **env})
        gateway.directory = os.path.join(SOURCE, config)
        yield config, json.loads(gateway.run("openapi").stdout)


def test_examples_are_what_their_schemas_say(tmp_path):
    for config, document in documents(tmp_path):
        count = 0
        for where, schema, example in examples(api_client.resolve(document, document)):
            jsonschema.validate(example, schema, jsonschema.Draft202012Validator)
            count += 1
        assert count > (100 if config == "etc" else 5), f"{config}: {count} examples"


def test_every_operation_says_who_may_call_it(tmp_path):
    config = {"auth": {"keys": {"file": "keys.json"},
                       "jwt": {"shop": {"issuer": "https://shop.example.org",
                                        "keys": [{"alg": "HS256", "secret": "0123456789abcdef0123456789abcdef"}]}},
                       "none": {"scopes": ["rooms:read"]}}}
    gateway = make(tmp_path, groups=("rooms", "webhooks"), **config)
    gateway.write()
    (gateway.directory / "keys.json").write_text('{"keys": []}')
    done = gateway.run("openapi")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert "0123456789abcdef" not in done.stdout
    found = {one: operation for one, (_, _, operation) in api_client.operations(document).items()}
    write = found["rooms.create"]
    assert write["security"] == [{"api_key": ["rooms:write"]}, {"api_key_bearer": ["rooms:write"]},
                                 {"jwt_shop": ["rooms:write"]}]
    assert {"401", "403"} <= set(write["responses"])
    assert found["rooms.get"]["security"][-1] == {}, "it can be called without a credential"
    assert found["health.live"]["security"] == [] and "401" not in found["health.live"]["responses"]
    assert found["webhooks.receive"]["security"] == [{"webhooks": []}]
    assert set(document["components"]["securitySchemes"]) == {"api_key", "api_key_bearer", "jwt_shop", "webhooks"}
    assert document["components"]["securitySchemes"]["jwt_shop"]["bearerFormat"] == "JWT"


def test_limits_show_in_the_headers_of_answers(tmp_path):
    with make(tmp_path, limits={"routes": {"health.live": {"rate": "1/m"}}}) as gateway:
        found = api_client.operations(gateway.admin("/openapi.json").json)
        limited, free = found["health.live"][2], found["health.ping"][2]
        assert "RateLimit-Remaining" in limited["responses"]["2XX"]["headers"]
        assert "RateLimit-Remaining" not in free["responses"]["2XX"]["headers"]
        assert {"RateLimit-Reset", "Retry-After"} <= set(limited["responses"]["429"]["headers"])
        assert "429" not in free["responses"]


def test_what_is_on_its_way_out_is_marked(tmp_path):
    with make(tmp_path, groups=("templates",)) as gateway:
        text = gateway.admin("/openapi.json").body.decode()
        assert '"deprecated":true' in text[text.index('"browserRecordings"'):][:2000]


WRONG = [
    ("rooms.create", "POST", "/rooms", {"name": 7}, {}),
    ("rooms.create", "POST", "/rooms", b"{", {}),
    ("rooms.create", "POST", "/rooms", b"x=1", {"Content-Type": "text/plain"}),
    ("rooms.create", "POST", "/rooms", {"description": "x" * 2_000_000}, {}),
    ("rooms.get", "GET", "/rooms/66f1c0a2b4d93e5a7c118e01", None, {}),
    ("rooms.list", "GET", "/rooms?limit=1", None, {"X-Long": "x" * 20000}),
    ("rooms.list", "GET", "/rooms?limit=1&x=" + "x" * 9000, None, {}),
    ("accounts.create", "POST", "/accounts", {"username": 7}, {}),
    ("accounts.remove", "DELETE", "/accounts", {}, {}),
    ("minigroups.create", "POST", "/api/v1/minigroups", {}, {}),
]


def test_errors_are_in_the_shape_that_the_document_names(tmp_path):
    """The document and answers of three groups with different error formats. The upstream is not there."""
    groups = ("rooms", "accounts", "minigroups")
    plugins = {"minigroups": {"config": json.load(open(os.path.join(SOURCE, "etc/plugins.d/minigroups.json")))["config"]}}
    gateway = gateway_for(tmp_path / "gateway", UNREACHABLE, groups=groups, plugins=plugins)
    with gateway:
        found = api_client.operations(gateway.admin("/openapi.json").json)
        seen = set()
        for operation, method, path, body, headers in WRONG:
            answer = gateway.request(method, path, body, headers=headers)
            assert answer.status >= 400
            api_client.check_answer(found[operation][2], answer)
            seen.add(answer.status)
        assert {400, 401, 413, 414, 415, 431, 502} <= seen, seen


# --- a client made from it ---


def test_a_generated_client_walks_the_tour(tmp_path, box):
    """The document has the status and the schema of every answer during the flow."""
    with make(tmp_path, groups=("rooms", "templates", "room_codes", "token", "polls", "recordings", "recording_assets"),
              upstream=box.url) as gateway:
        api = api_client.generate(gateway.admin("/openapi.json").json, tmp_path).Api(gateway)
        template = api.templates_create(body={"name": "class", "roles": {"teacher": {"name": "teacher"},
                                                                         "pupil": {"name": "pupil"}}})
        room = api.rooms_create(body={"name": "algebra", "template_id": template["id"]})
        codes = api.room_codes_create_all(room["id"])
        assert {code["role"] for code in codes["data"]} == {"teacher", "pupil"}
        token = api.token_create(body={"roomId": room["id"], "role": "teacher", "userId": "ada"})["token"]
        box.post(f"/sandbox/rooms/{room['id']}/peers", {"token": token})
        poll = api.polls_create(body={"title": "Ready?", "type": "poll", "questions": [
            {"text": "Shall we?", "options": [{"text": "Yes"}, {"text": "No"}]}]})
        assert api.polls_get(poll["id"])["title"] == "Ready?"
        recording = api.recordings_start(room["id"], body={})
        box.advance(5)
        api.recordings_stop(recording["id"])
        box.advance(5)
        assets = api.recordings_get(recording["id"])["recording_assets"]
        asset = next(one["id"] for one in assets if one["type"] == "room-composite")
        assert api.recording_assets_presigned_url(asset)["url"].startswith("http")
        assert room["id"] in [one["id"] for one in api.rooms_list(limit=10)["data"]]
