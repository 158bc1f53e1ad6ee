"""Reduce OpenAPI documents to facts: names, types, enums and what is required, without any prose.

    python scripts/vendor_facts.py togai DOCUMENT.json [OLDER.json ...] > tests/facts/togai.json

Of an operation that several documents have, the first one counts. Only operations that the sandbox
imitates are kept, and the schemas that their answers reach. A YAML document is converted first.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from billing_mcp.sandbox import SandboxSettings, open_sandbox

_METHODS = ("get", "post", "put", "patch", "delete")
_KEPT = ("type", "enum", "required", "nullable")
_OF_SCHEMAS = ("allOf", "oneOf", "anyOf")
_PREFIX = "#/components/schemas/"


def imitated(vendor: str) -> list[str]:
    """The sandbox's operations, such as `GET /accounts/{account_id}`."""
    sandbox = open_sandbox(SandboxSettings(demo=False))
    operations = sandbox.backend.tables[vendor].imitated()
    sandbox.close()
    return operations


def anonymous(operation: str) -> str:
    """Documents disagree about the names of path parameters."""
    return re.sub(r"\{\w+\}", "{}", operation)


def operations_of(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        anonymous(f"{method.upper()} {path}"): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    }


def reduced(schema: Any) -> Any:
    """A schema without what is not a fact about names and types."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"].removeprefix(_PREFIX)}
    kept: dict[str, Any] = {name: schema[name] for name in _KEPT if name in schema}
    if "properties" in schema:
        kept["properties"] = {name: reduced(part) for name, part in schema["properties"].items()}
    if "items" in schema:
        kept["items"] = reduced(schema["items"])
    if "additionalProperties" in schema:
        kept["additionalProperties"] = reduced(schema["additionalProperties"])
    for name in _OF_SCHEMAS:
        if name in schema:
            kept[name] = [reduced(part) for part in schema[name]]
    return kept


def responses(operation: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of each status; null where there is no JSON."""
    found = {}
    for status, given in operation["responses"].items():
        response = given
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        content = response.get("content", {}).get("application/json")
        found[str(status)] = None if content is None else reduced(content["schema"])
    return found


def named(node: Any) -> Iterator[str]:
    """The schemas that a reduced one refers to."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from named(value)
    elif isinstance(node, list):
        for value in node:
            yield from named(value)


def facts(vendor: str, documents: list[dict[str, Any]]) -> dict[str, Any]:
    operations: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    tables = [operations_of(document) for document in documents]
    for operation in imitated(vendor):
        for document, table in zip(documents, tables, strict=True):
            found = table.get(anonymous(operation))
            if found is not None:
                operations[operation] = responses(found, document)
                collect(operations[operation], document["components"]["schemas"], schemas)
                break
    return {"operations": operations, "schemas": dict(sorted(schemas.items()))}


def collect(node: Any, defined: Mapping[str, Any], schemas: dict[str, Any]) -> None:
    """Add every schema that a node reaches."""
    for name in named(node):
        if name not in schemas:
            schemas[name] = reduced(defined[name])
            collect(schemas[name], defined, schemas)


def text(found: Mapping[str, Any]) -> str:
    """JSON with one operation or schema a line, so that changes are readable."""
    parts = []
    for name, entries in found.items():
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in entries.items()]
        parts.append(f'"{name}": {{\n' + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}"


if __name__ == "__main__":
    read = [json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[2:]]
    print(text(facts(sys.argv[1], read)))
