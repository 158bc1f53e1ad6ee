"""Togai's enrichments: what a schema adds to an event, from the event itself and from settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from billing_mcp import money
from billing_mcp.rating import json_logic
from billing_mcp.rating.json_logic import Logic, LogicError
from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import settings, sizes
from billing_mcp.sandbox.togai.columns import present

_KINDS: Final = ("VALUE", "JSON_LOGIC", "JSON_LOGIC_FROM_DEPENDENCY")
TYPES: Final = ("ATTRIBUTE", "DIMENSION")
_GROUPS: Final = {"ATTRIBUTE": "attributes", "DIMENSION": "dimensions"}
_LONGEST_VALUE = 1500
_LONGEST_KEY = 500
_LONGEST_DIMENSION = 200
_HIGHEST_ORDER = 1000


class NotEnriched(Exception):
    """A setting is missing, or a value cannot be computed from this event."""


@dataclass(slots=True)
class Enriched:
    """What was added to an event, and what the settings it was made from said."""

    attributes: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, str] = field(default_factory=dict)
    dependencies: list[dict[str, Any]] = field(default_factory=list)

    def added_to(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The event with what was added, as meters read it."""
        attributes = [{"name": name, "value": value} for name, value in self.attributes.items()]
        return {
            **event,
            "attributes": [*event["attributes"], *attributes],
            "dimensions": {**event["dimensions"], **self.dimensions},
        }

    def shown(self) -> dict[str, Any]:
        """As the event's pipeline info has it."""
        fields = {
            _GROUPS[kind]: [
                {"name": name, "type": kind, "value": value} for name, value in values.items()
            ]
            for kind, values in (("ATTRIBUTE", self.attributes), ("DIMENSION", self.dimensions))
        }
        return {**fields, "dependencies": self.dependencies}


def read(body: Mapping[str, Any], at: str = "enrichments.") -> dict[str, Any]:
    """The field `enrichments` of a schema's body; empty when there is nothing in it."""
    given = call.closed(call.mapping(body, "enrichments"), ("dependencies", "fields"), at)
    dependencies = _dependencies(given, at)
    fields: list[dict[str, Any]] = []
    for index, item in enumerate(call.listed(given, "fields", maximum=50, at=at)):
        place = f"{at}fields[{index}]."
        entry = _field(item, place, {known["name"] for known in dependencies})
        if any(other["name"] == entry["name"] for other in fields):
            raise Refusal(400, f"{place}name: {entry['name']} is there twice")
        fields.append(entry)
    return {"dependencies": dependencies, "fields": fields}


def _dependencies(given: Mapping[str, Any], at: str) -> list[dict[str, str]]:
    read_so_far: list[dict[str, str]] = []
    for index, item in enumerate(call.listed(given, "dependencies", maximum=50, default=[], at=at)):
        place = f"{at}dependencies[{index}]."
        part = call.closed(item, ("type", "key", "name"), place)
        entry = {
            "type": call.one_of(part, "type", ("SETTING",), at=place),
            "key": call.text(part, "key", minimum=1, maximum=_LONGEST_KEY, at=place),
            "name": call.text(part, "name", minimum=1, maximum=50, at=place),
        }
        if not entry["key"].lower().startswith("setting."):
            raise Refusal(400, f"{place}key must be like setting.<namespace>.<id>")
        if any(other["name"] == entry["name"] for other in read_so_far):
            raise Refusal(400, f"{place}name: {entry['name']} is there twice")
        read_so_far.append(entry)
    return read_so_far


def _field(item: Any, at: str, dependencies: set[str]) -> dict[str, Any]:
    part = call.closed(item, ("name", "type", "enrichmentType", "value", "order"), at)
    entry = {
        "name": call.text(part, "name", minimum=1, maximum=50, pattern=r"[\sa-zA-Z0-9_-]*", at=at),
        "type": call.one_of(part, "type", TYPES, at=at),
        "enrichmentType": call.one_of(part, "enrichmentType", _KINDS, at=at),
        "value": call.text(part, "value", minimum=1, maximum=_LONGEST_VALUE, at=at),
        "order": call.whole(part, "order", minimum=0, maximum=_HIGHEST_ORDER, at=at),
    }
    value = str(entry["value"])
    try:
        if entry["enrichmentType"] == "JSON_LOGIC":
            json_logic.parse(value)
        elif entry["enrichmentType"] == "VALUE" and entry["type"] == "ATTRIBUTE":
            _number(value)
    except (LogicError, NotEnriched) as error:
        raise Refusal(400, f"{at}value: {error}") from error
    if entry["enrichmentType"] == "JSON_LOGIC_FROM_DEPENDENCY" and value not in dependencies:
        raise Refusal(400, f"{at}value: {value} is no name of a dependency")
    return entry


def names(enrichments: Mapping[str, Any] | None, kind: str) -> list[str]:
    """The attributes or dimensions that a schema's enrichments add."""
    fields = enrichments["fields"] if enrichments else []
    return [entry["name"] for entry in fields if entry["type"] == kind]


def enrich(
    request: Call, enrichments: Mapping[str, Any], event: Mapping[str, Any], account: Row
) -> Enriched:
    """What a schema adds to an event of this account. Raises `NotEnriched`.

    A later field, by `order`, reads those before it.
    """
    done = Enriched()
    texts = {}
    data: dict[str, dict[str, Any]] = {
        "attributes": {entry["name"]: entry["value"] for entry in event["attributes"]},
        "dimensions": dict(event["dimensions"]),
        "dependencies": {},
    }
    # As meters read them: the vendor writes both.
    data |= {"attribute": data["attributes"], "dimension": data["dimensions"]}
    for wanted in enrichments["dependencies"]:
        row = settings.in_effect(request, wanted["key"], account["id"], account["customer_id"])
        if row is None:
            raise NotEnriched(f"There is no setting {wanted['key']} for account {account['id']}")
        texts[wanted["name"]] = row["value"]
        data["dependencies"][wanted["name"]] = settings.value(row)
        done.dependencies.append(present(**wanted) | {"value": row["value"]})
    for entry in sorted(enrichments["fields"], key=lambda entry: int(entry["order"])):
        value = entry["value"]
        if entry["enrichmentType"] != "VALUE":
            from_setting = entry["enrichmentType"] == "JSON_LOGIC_FROM_DEPENDENCY"
            value = _computed(entry["name"], texts[value] if from_setting else value, data)
        made = _number(value) if entry["type"] == "ATTRIBUTE" else _text(value)
        group = _GROUPS[entry["type"]]
        data[group][entry["name"]] = made
        (done.attributes if group == "attributes" else done.dimensions)[entry["name"]] = made
    return done


@lru_cache(maxsize=256)
def _logic(text: str) -> Logic:
    return json_logic.parse(text)


def _computed(name: str, text: str, data: Mapping[str, Any]) -> Any:
    try:
        return _logic(text).value(data)
    except LogicError as error:
        raise NotEnriched(f"{name} cannot be computed: {error}") from error


def _number(value: Any) -> str:
    """A number as events have it. Raises `NotEnriched`."""
    try:
        number = json_logic.as_number(value)
    except LogicError as error:
        raise NotEnriched(f"an attribute must be a number: {error}") from error
    if not sizes.is_usual(number):
        raise NotEnriched(f"an attribute {sizes.TOO_LONG}")
    return money.plain(number)


def _text(value: Any) -> str:
    """A dimension's text. Raises `NotEnriched`."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int | Decimal):
        value = money.plain(Decimal(value))
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_DIMENSION:
        raise NotEnriched(f"a dimension must be a text of 1 to {_LONGEST_DIMENSION} characters")
    return value
