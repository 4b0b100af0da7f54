"""The OpenAPI document in the hands of other programs: two linters with their recommended rules, and a TypeScript client.

The tools come from npm; see support/npm.py. The config files of the linters give a reason for every rule
that they disable.
"""

import json
import os
import pathlib
import shutil

import pytest
from support import npm
from support.hms import gateway_for
from support.sandbox import Sandbox

HERE = pathlib.Path(__file__).parent / "api_clients"
SOURCE = os.environ["GR_SOURCE_DIR"]
UNREACHABLE = "http://127.0.0.1:9/v2"
PROVIDERS = {"auth": {"keys": {"file": "keys.json"}, "none": {"scopes": ["rooms:read"]}},
             "limits": {"caller": {"rate": "100/s"}}, "docs": {"public": True}}


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """Name → file of documents: all groups of etc; the sandbox; all groups of etc with providers and limits; one group."""
    directory = tmp_path_factory.mktemp("documents")
    etc = directory / "etc"
    shutil.copytree(os.path.join(SOURCE, "etc"), etc)
    config = json.loads((etc / "greenroom.json").read_text())
    (etc / "keys.json").write_text('{"keys": []}')
    gateway = gateway_for(directory, UNREACHABLE)
    gateway.env.update({"APP_ACCESS_KEY": "k", "APP_SECRET": "s"})
    files = {}

    def write(name, *words):
        done = gateway.run("openapi", *words)
        assert done.returncode == 0, done.stderr
        files[name] = directory / f"{name}.json"
        files[name].write_text(done.stdout)

    gateway.directory = os.path.join(SOURCE, "etc/sandbox")
    write("sandbox")
    gateway.directory = etc
    write("etc")
    write("rooms", "rooms")
    (etc / "greenroom.json").write_text(json.dumps({**config, **PROVIDERS}))
    write("providers")
    return files


def each_json(text):
    """The JSON values of a text that has one after the other, without separators."""
    while text.strip():
        value, end = json.JSONDecoder().raw_decode(text.lstrip())
        text = text.lstrip()[end:]
        yield value


def test_redocly_finds_nothing(documents):
    done = npm.run(["redocly", "lint", "--format=json", "--config", HERE / "redocly.yaml", *documents.values()])
    reports = list(each_json(done.stdout))
    assert len(reports) == len(documents), done.stderr
    for report in reports:
        assert report["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}, report["problems"]
    assert done.returncode == 0, done.stderr


def test_spectral_finds_nothing(documents):
    done = npm.run(["spectral", "lint", "--format=json", "--ruleset", HERE / "spectral.yaml", "--fail-severity=hint",
                    *documents.values()])
    assert done.returncode == 0 and done.stdout.startswith("[]"), done.stdout + done.stderr


def test_the_linters_would_complain(documents, tmp_path):
    document = json.loads(documents["rooms"].read_text())
    document["paths"]["/rooms"]["get"]["tags"] = ["unknown"]
    del document["servers"]
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(document))
    assert npm.run(["redocly", "lint", "--config", HERE / "redocly.yaml", broken]).returncode != 0
    assert npm.run(["spectral", "lint", "--ruleset", HERE / "spectral.yaml", "--fail-severity=warn", broken]).returncode != 0


def test_a_typescript_client_walks_the_tour(tmp_path):
    """Makes types from the document, compiles the flow against them without casts, and runs it."""
    (tmp_path / "sandbox").mkdir()
    box = Sandbox(tmp_path / "sandbox")
    try:
        groups = ("rooms", "templates", "room_codes", "token", "polls", "recordings", "recording_assets")
        with gateway_for(tmp_path / "gateway", box.url, groups=groups) as gateway:
            (tmp_path / "openapi.json").write_bytes(gateway.admin("/openapi.json").body)
            for name in ("tour.ts", "tsconfig.json"):
                shutil.copy(HERE / name, tmp_path)
            (tmp_path / "node_modules").symlink_to(npm.tools() / "node_modules")
            done = npm.run(["openapi-typescript", "openapi.json", "-o", "schema.d.ts"], cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            done = npm.run(["tsc", "-p", "."], cwd=tmp_path)
            assert done.returncode == 0, done.stdout
            done = npm.run_node(["tour.js", f"http://127.0.0.1:{gateway.port}", box.url], cwd=tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout.strip() == "algebra, 2 codes, recording completed"
    finally:
        box.stop()
