"""A Python client, generated from an OpenAPI document: a module with one function for each operation.

    client = generate(document, directory)          # writes and imports directory/client.py
    room = client.Api(url).rooms_create(body={"name": "algebra"})

Every answer is checked: its status must be one that the document names for the operation, and its body must match
the schema of that answer.
"""

import importlib.util
import re

import jsonschema

HEAD = '''"""Generated from an OpenAPI document."""
from support.api_client import Client


class Api(Client):
'''

FUNCTION = '''    def {name}(self{args}):
        """{summary}"""
        return self.call({operation!r}, {method!r}, {path!r}, segments={{{path_values}}}, query={{{query_values}}}{body})

'''


def identifier(text):
    return re.sub(r"\W", "_", text)


def function(path, method, operation):
    parameters = operation.get("parameters", [])
    in_path = [one["name"] for one in parameters if one["in"] == "path"]
    in_query = [one["name"] for one in parameters if one["in"] == "query"]
    args = "".join(f", {identifier(name)}" for name in in_path)
    args += "".join(f", {identifier(name)}=None" for name in in_query)
    has_body = "requestBody" in operation
    return FUNCTION.format(
        name=identifier(operation["operationId"]), args=args + (", body=None" if has_body else ""),
        summary=operation["summary"], operation=operation["operationId"], method=method.upper(), path=path,
        path_values=", ".join(f"{name!r}: {identifier(name)}" for name in in_path),
        query_values=", ".join(f"{name!r}: {identifier(name)}" for name in in_query),
        body=", body=body" if has_body else "")


def generate(document, directory):
    text = HEAD + "".join(function(path, method, operation) for path, item in document["paths"].items()
                          for method, operation in item.items())
    file = directory / "client.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location("client", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.Api.document = document
    return module


def resolve(document, value):
    """The value with its references resolved. No schema of our documents refers to itself, so this ends."""
    if isinstance(value, list):
        return [resolve(document, one) for one in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        at = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        return resolve(document, at)
    return {name: resolve(document, one) for name, one in value.items()}


def operations(document):
    """Operation id → (path, method, operation without references)."""
    return {operation["operationId"]: (path, method, resolve(document, operation))
            for path, item in document["paths"].items() for method, operation in item.items()}


def check_answer(operation, answer):
    """Fails unless the document says that the operation may answer this."""
    responses = operation["responses"]
    status = str(answer.status)
    response = responses.get(status) or (responses.get("2XX") if status[0] == "2" else None)
    assert response, f"{operation['operationId']} answered {status}, which the document does not name"
    for name in ("X-Request-Id",):
        assert name in response["headers"] and answer.header(name)
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    if schema:
        jsonschema.validate(answer.json, schema, jsonschema.Draft202012Validator)


class Client:
    """gateway: has request(method, path, body) as support.gateway.Gateway does."""

    document = None

    def __init__(self, gateway):
        self.gateway = gateway
        self.operations = operations(self.document)

    def call(self, operation, method, path, segments, query, body=None):
        for name, value in segments.items():
            path = path.replace("{" + name + "}", str(value))
        pairs = "&".join(f"{name}={value}" for name, value in query.items() if value is not None)
        answer = self.gateway.request(method, path + ("?" + pairs if pairs else ""), body)
        check_answer(self.operations[operation][2], answer)
        return answer.json if answer.body else None
