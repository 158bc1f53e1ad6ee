"""JSON Schema as rows of a table: each field of an object with its type and rules in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_RULES = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "above {}",
    "pattern": "pattern {}",
    "default": "default {}",
}
_LENGTHS = (("minLength", "maxLength", "characters"), ("minItems", "maxItems", "items"))
_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null"}

Kind = tuple[tuple[str, bool], ...]
"""Pieces of a type in words; True for one that is the name of a schema."""


@dataclass(frozen=True, slots=True)
class Row:
    """A field. `name` is a path such as `data[].id`, empty for the schema itself."""

    name: str
    kind: Kind
    required: bool = False
    about: str = ""
    rules: str = ""


def rows(name: str, schema: Mapping[str, Any], *, required: bool = False) -> Iterator[Row]:
    """The fields of a schema, those of nested objects after their own."""
    properties = schema.get("properties")
    if properties is None or name:
        about = schema.get("description", "")
        yield Row(name, tuple(kind(schema)), required, about, _rules(schema))
    for field, inner in (properties or {}).items():
        path = f"{name}.{field}" if name else field
        yield from rows(path, inner, required=field in schema.get("required", ()))
    for item in _items(schema):
        if "properties" in item:
            for field, inner in item["properties"].items():
                wanted = field in item.get("required", ())
                yield from rows(f"{name}[].{field}", inner, required=wanted)


def _items(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for branch in (schema, *schema.get("anyOf", ())):
        if isinstance(branch.get("items"), dict):
            yield branch["items"]


def kind(schema: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """The type of a schema in words."""
    if "$ref" in schema:
        yield schema["$ref"].rsplit("/", 1)[-1], True
    elif "anyOf" in schema:
        for position, branch in enumerate(schema["anyOf"]):
            if position:
                yield " or ", False
            yield from kind(branch)
    elif "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        yield " | ".join(str(value) for value in values), False
    elif schema.get("type") == "array":
        yield "list of ", False
        yield from kind(schema.get("items", {}))
    elif schema.get("type") == "object":
        of = schema.get("additionalProperties")
        yield ("map to " if isinstance(of, dict) else "object"), False
        if isinstance(of, dict):
            yield from kind(of)
    else:
        word = _WORDS.get(schema.get("type", ""), schema.get("type", "any value"))
        yield f"{word} ({schema['format']})" if "format" in schema else word, False


def _rules(schema: Mapping[str, Any]) -> str:
    found = []
    for branch in (schema, *schema.get("anyOf", ())):
        for least, most, of in _LENGTHS:
            if least in branch and most in branch:
                found.append(f"{branch[least]} to {branch[most]} {of}")
            elif most in branch:
                found.append(f"at most {branch[most]} {of}")
            elif least in branch:
                found.append(f"at least {branch[least]} {of}")
        for rule, text in _RULES.items():
            # A format says more to a reader than the pattern that spells it out.
            if rule in branch and not (rule == "pattern" and "format" in branch):
                found.append(text.format(branch[rule]))
    return ", ".join(found)
