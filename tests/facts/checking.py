"""Whether an answer of the sandbox has the names, types and enums that the vendor documents."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

# What no schema calls nullable: Togai's documentation says it of the token on the last page, and
# Suger's Go server writes a time so that is not there.
MAY_BE_NULL = frozenset({"nextToken", "previousToken", "reportedTime", "endTime"})

# Suger's schema wants an object, its documentation shows texts and numbers.
_OF_ANY_TYPE = re.compile(r"\.filterGroups\[\d+\]\.filters\[\d+\]\.value$")

_OF_ERRORS = {"togai": {"$ref": "ErrorResponse"}, "suger": {"type": "string"}}


@dataclass(frozen=True, slots=True)
class Facts:
    """The reduced documents of a vendor: what `scripts/vendor_facts.py` wrote."""

    operations: Mapping[str, Mapping[str, Any]]
    schemas: Mapping[str, Any]
    of_errors: Mapping[str, Any]  # of statuses that an operation does not name

    def wrong(self, operation: str, status: int, body: Any) -> list[str]:
        """What is wrong with an answer, each with its place. Nothing is known of some."""
        documented = self.operations.get(operation)
        if documented is None:
            return []
        if str(status) not in documented and status < 400:
            return [f"{operation} does not document {status}"]
        schema = documented.get(str(status), self.of_errors)
        place = f"{operation} {status}"
        return [] if schema is None else list(self._wrong(schema, body, place))

    def _wrong(self, schema: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        if value is None:
            if not schema.get("nullable") and place.rpartition(".")[2] not in MAY_BE_NULL:
                yield f"{place} is null"
        elif "oneOf" in schema or "anyOf" in schema:
            yield from self._none_of(schema, value, place)
        elif not _OF_ANY_TYPE.search(place):
            yield from self._wrong_value(self._whole(schema), value, place)

    def _wrong_value(self, schema: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
        if "enum" in schema and value not in schema["enum"]:
            yield f"{place} is {value!r}, not one of {', '.join(map(str, schema['enum']))}"
        kind = schema.get("type", "object" if "properties" in schema else None)
        if kind is not None and not _is(kind, value):
            yield f"{place} is {value!r}, not of type {kind}"
        elif kind == "object":
            yield from self._wrong_in_object(schema, value, place)
        elif kind == "array":
            for index, item in enumerate(value):
                yield from self._wrong(schema.get("items", {}), item, f"{place}[{index}]")

    def _none_of(self, schema: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
        """A value has to be right by one of several schemas."""
        found = [
            list(self._wrong(option, value, place))
            for option in (*schema.get("oneOf", ()), *schema.get("anyOf", ()))
        ]
        if all(found):
            yield from min(found, key=len)

    def _whole(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """A schema with what `allOf` adds to it."""
        whole: dict[str, Any] = {name: value for name, value in schema.items() if name != "allOf"}
        for part in schema.get("allOf", ()):
            more = self._whole(self.schemas[part["$ref"]] if "$ref" in part else part)
            whole["properties"] = more.get("properties", {}) | whole.get("properties", {})
            whole["required"] = [*more.get("required", ()), *whole.get("required", ())]
            # Suger's document says "object" beside an enum of texts that it refers to.
            whole |= {name: more[name] for name in ("type", "enum", "nullable") if name in more}
        return whole

    def _wrong_in_object(
        self, schema: Mapping[str, Any], value: Mapping[str, Any], place: str
    ) -> Iterator[str]:
        properties = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{place}.{name} is missing"
        # An object of which nothing is documented may hold anything.
        others = schema.get("additionalProperties", not properties)
        for name, item in value.items():
            if name in properties:
                yield from self._wrong(properties[name], item, f"{place}.{name}")
            elif not others:
                yield f"{place}.{name} is not a field that the vendor documents"
            elif isinstance(others, dict):
                yield from self._wrong(others, item, f"{place}.{name}")


def _is(kind: str, value: Any) -> bool:
    match kind:
        case "object":
            return isinstance(value, Mapping)
        case "array":
            return isinstance(value, list | tuple)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return _is("number", value) and value == int(value)
        case "number":
            return isinstance(value, int | Decimal) and not isinstance(value, bool)
    raise ValueError(f"no such type in JSON: {kind}")


@cache
def of(vendor: str) -> Facts:
    read = json.loads((HERE / f"{vendor}.json").read_text(encoding="utf-8"))
    return Facts(read["operations"], read["schemas"], _OF_ERRORS[vendor])
