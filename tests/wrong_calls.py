"""Every wrong call of a tool that its schema can tell of, made from a good one."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from billing_mcp.catalog import shipped_schemas

TEXT = "1234"  # long enough for a name, and a number where a number is published as text
PLAN = {
    "supportedCurrencies": ["USD"],
    "pricingCycleConfig": {"interval": "MONTHLY", "gracePeriod": 3},
}
SLAB_RATES = [{"order": 1, "rate": "0.05"}]
SAMPLES = {
    "primaryEmail": "billing@acme.example",
    "email": "payable@acme.example",
    "emailRecipients": ["payable@acme.example"],
    "additionalEmailRecipients": ["books@acme.example"],
    "invoiceCurrency": "USD",
    "pricePlanDetails": PLAN,
    # Published in short form: each part replaces the plan's.
    "pricePlanDetailsOverride": {"supportedCurrencies": ["USD"]},
    "associationOverride": {"supportedCurrencies": ["USD"]},
    "purchasePlanOverride": {},
    "properties": {"region": "eu"},
    "partner": "AWS",
    "currency": "USD",
    "supportedCurrencies": ["USD"],
    "currencies": ["USD"],
    "operations": [
        {
            "actionType": "CREATE",
            "rateCardName": TEXT,
            "rateCard": {
                "billableId": "fee",
                "type": "FIXED_FEE",
                "invoiceTiming": "IN_ARREARS",
                "rateCardDetails": {
                    "fixedFeeRateCard": {
                        "id": "fee",
                        "enableProration": False,
                        "rateValues": [{"currency": "USD", "rate": "49"}],
                    }
                },
            },
        }
    ],
    # Published in short form, as cards are.
    "usageRates": [{"usageMeterId": "um.1", "slabRates": SLAB_RATES}],
    "fixedFeeRates": [{"id": "fee", "rate": "49"}],
    "licenseRates": [{"id": "seats", "slabRates": SLAB_RATES}],
    "billingEntitlementRates": [{"id": "feat.1", "slabRates": SLAB_RATES}],
    "entitlementOverageRates": [{"id": "feat.1", "slabRates": SLAB_RATES}],
    "creditGrantRates": [
        {
            "id": "bonus",
            "creditAmount": "100",
            "slabDetails": [{"startAfter": "0", "priceType": "FLAT", "rate": "90"}],
        }
    ],
    # A charge is worth a value, or a rate times a quantity.
    "items": [{"name": TEXT, "value": TEXT, "considerForRevenue": True}],
    # Not everything can be asked of every metric.
    "metricQueries": [
        {
            "name": "REVENUE",
            "aggregationPeriod": "DAY",
            "groupBy": "ACCOUNT_ID",
            "filters": [{"fieldName": "ACCOUNT_ID", "fieldValues": [TEXT]}],
            "configs": {"CURRENCY": "BASE"},
            "id": TEXT,
        }
    ],
    "startAfter": "0",
    "dayOffset": "1",
    "monthOffset": "1",
    "effectiveFrom": "P1D",
    "effectiveUntil": "P30D",
    "expiryDuration": "P30D",
}
FORMATS = {
    "date": "2026-11-20",
    "date-time": "2026-11-20T12:00:00Z",
    "uuid": "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d",
}
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong call: the field an error must name, and what it must say."""

    what: str
    field: str
    arguments: dict[str, Any]
    says: str


def whole_schema(schema: Any, definitions: dict[str, Any] | None = None) -> Any:
    """A schema with each definition in the places where it is used."""
    if isinstance(schema, list):
        return [whole_schema(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    definitions = definitions or schema.get("$defs", {})
    if "$ref" in schema:
        return whole_schema(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    return {name: whole_schema(item, definitions) for name, item in schema.items()}


SCHEMAS = {
    name: tool | {"inputSchema": whole_schema(tool["inputSchema"])}
    for name, tool in shipped_schemas().items()
}


def sample(name: str, schema: dict[str, Any]) -> Any:
    """A good value for a published schema, with everything filled in."""
    if name in SAMPLES and not {"format", "properties"} & set(schema):
        return copy.deepcopy(SAMPLES[name])
    if options := options_of(schema):
        return options[-1]
    match schema["type"]:
        case "string":
            return FORMATS.get(schema.get("format", ""), TEXT)
        case "integer":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return [sample("", schema["items"])]
    if "additionalProperties" in schema and isinstance(schema["additionalProperties"], dict):
        return {"key": sample("", schema["additionalProperties"])}
    return {name: sample(name, inner) for name, inner in schema.get("properties", {}).items()}


def options_of(schema: dict[str, Any]) -> list[Any]:
    """The values of a list to choose from, which may be a list of one."""
    return schema.get("enum") or [schema[name] for name in ("const",) if name in schema]


def fields(schema: dict[str, Any], at: Path = ()) -> Iterator[tuple[Path, dict[str, Any], bool]]:
    """Every field below a schema: where it is, its own schema, whether it is required."""
    for name, inner in schema.get("properties", {}).items():
        yield (*at, name), inner, name in schema.get("required", [])
        yield from fields(inner, (*at, name))
    if "items" in schema:
        yield (*at, 0), schema["items"], False
        yield from fields(schema["items"], (*at, 0))
    if isinstance(schema.get("additionalProperties"), dict):
        yield (*at, "key"), schema["additionalProperties"], False
        yield from fields(schema["additionalProperties"], (*at, "key"))


def name_of(path: Path) -> str:
    """The path as an error writes it."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def settled(arguments: Any, path: Path) -> Any:
    """Arguments with one of two fields that exclude each other: the one that `path` is about."""
    if isinstance(arguments, list):
        return [settled(item, path) for item in arguments]
    if not isinstance(arguments, dict):
        return arguments
    left_out = "records" if "billableRecords" in path else "billableRecords"
    both = {"records", "billableRecords"} <= set(arguments)
    return {
        name: settled(value, path)
        for name, value in arguments.items()
        if not (both and name == left_out)
    }


def changed(good: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    arguments = copy.deepcopy(good)
    place: Any = arguments
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return arguments


def without(good: dict[str, Any], path: Path) -> dict[str, Any]:
    arguments = copy.deepcopy(good)
    place: Any = arguments
    for part in path[:-1]:
        place = place[part]
    del place[path[-1]]
    return arguments


def renamed(good: dict[str, Any], path: Path) -> dict[str, Any]:
    """The field misspelt beside itself, so that nothing but the spelling is wrong."""
    return changed(good, (*path[:-1], f"{path[-1]}x"), 1)


def wrong_values(schema: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Values that a schema forbids: what is wrong, the value, what the error must say."""
    if options := options_of(schema):
        yield "not in the list", "nonsense", options[0]
        yield "wrong type", {}, ""
        return
    match schema["type"]:
        case "string":
            yield "wrong type", [TEXT], "must be"
            yield from wrong_texts(schema)
        case "integer":
            yield "wrong type", "many", "must be a whole number"
            yield "a fraction", 1.5, "must be a whole number"
            yield "too small", schema.get("minimum", 0) - 1, "at least"
            yield "too large", schema.get("maximum", 10**15) + 1, "at most"
        case "boolean":
            yield "wrong type", "perhaps", "must be true or false"
        case "array":
            yield "wrong type", 5, "must be a list"
            if "minItems" in schema:
                yield "too few", [], f"at least {schema['minItems']} item"
            if "maxItems" in schema:
                one = sample("", schema["items"])
                many = [one] * (schema["maxItems"] + 1)
                yield "too many", many, f"at most {schema['maxItems']} items"
        case "object":
            yield "wrong type", 5, "must be an object"


def wrong_texts(schema: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    yield "a control character", "ab\x00cd", "must be"
    yield "two lines", "ab\ncd", "must be"
    if schema.get("minLength"):
        yield "empty", "", "at least"
    if "maxLength" in schema:
        most = schema["maxLength"]
        yield "too long", "x" * (most + 1), f"at most {most} characters"
    pattern = schema.get("pattern", "")
    if pattern and not pattern.startswith((r"^\d+", r"^-?\d+")):
        yield "another pattern", "?", f"must match {pattern}"
    elif pattern:
        if not pattern.startswith("^-?"):
            yield "negative", "-1", "must be a number"
        yield "an exponent", "1e5", "must be a plain decimal number"
        yield "not a number", "NaN", "must be a plain decimal number"
    match schema.get("format"):
        case "date":
            yield "no such day", "2026-02-30", "must be a day that exists"
            yield "no day", "tomorrow", "must be a UTC day such as 2026-11-20"
        case "date-time":
            yield "no zone", "2026-11-20T12:00:00", "must be a time with its zone"
            yield "no time", "noon", "must be a UTC time such as 2026-11-20T12:00:00Z"
            yield "no such time", "2026-11-20T25:00:00Z", "must be a time that exists"
            yield "before all years", "0001-01-01T00:00:00+14:00", "must be a time that exists"
        case "uuid":
            yield "no UUID", "1234", "must be a UUID"


def wrong_calls(tool: str) -> Iterator[Wrong]:
    schema = SCHEMAS[tool]["inputSchema"]
    good = settled(sample("", schema), ())
    yield Wrong("unknown name", "qqqqqq", {**good, "qqqqqq": 1}, f"{tool} has no argument")
    yield from wrong_fields(schema)


def wrong_fields(schema: dict[str, Any]) -> Iterator[Wrong]:
    """For each field below a schema: left out, misspelt, and each value it may not have."""
    everything = sample("", schema)
    for path, inner, required in fields(schema):
        name = name_of(path)
        good = settled(everything, path)
        if required:
            missing = without(good, path)
            yield Wrong("missing", name, missing, f"{name} is required")
        if isinstance(path[-1], str) and path[-1] != "key":
            yield Wrong(
                "misspelt",
                name_of((*path[:-1], f"{path[-1]}x")),
                renamed(good, path),
                f'"{path[-1]}x"; did you mean {path[-1]}?',
            )
        for what, value, says in wrong_values(inner):
            yield Wrong(what, name, changed(good, path, value), says)
