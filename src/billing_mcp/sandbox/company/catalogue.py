"""What the demo company sells: its event schemas, usage meters, feature and price plans."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox.company.books import Books

# Event schema -> description, its attribute and unit (None: its events are counted), dimension.
_SCHEMAS: dict[str, tuple[str, tuple[str, str] | None, str]] = {
    "api_requests": ("API requests answered in a day", ("requests", "requests"), "region"),
    "compute": ("Hours of compute used in a day", ("hours", "hours"), "region"),
    "storage": ("Gigabytes kept for a day", ("gb_days", "GB-days"), "region"),
    "report": ("One report that was made", None, "kind"),
    "assistant": ("Answers the AI assistant gave in a day", ("answers", "answers"), "workspace"),
}
_METERS = {
    "api_requests": "API requests",
    "compute": "Compute hours",
    "storage": "Storage",
    "report": "Reports made",
}
_FEATURE = "AI assistant answers"

_CYCLE = {
    "interval": "MONTHLY",
    "startOffset": {"dayOffset": "1", "monthOffset": "NIL"},
    "gracePeriod": 3,
}


def draw_up(books: Books) -> None:
    """Create and activate everything an account can be billed for."""
    for name, (description, attribute, dimension) in _SCHEMAS.items():
        attributes = [{"name": attribute[0], "defaultUnit": attribute[1]}] if attribute else []
        schema = {
            "name": name,
            "description": description,
            "attributes": attributes,
            "dimensions": [{"name": dimension}],
        }
        books.ask("POST", "/togai/event_schema", schema)
        books.ask("POST", f"/togai/event_schema/{name}/activate")
    for schema_name, name in _METERS.items():
        books.meters[schema_name] = _meter(books, schema_name, name)
    association = {"schemaName": "assistant", "attributeName": "answers"}
    feature = {"name": _FEATURE, "schemaAssociations": [association]}
    books.features["assistant"] = books.ask("POST", "/togai/features", feature)["id"]
    for plan in (_starter(books), _scale(books), _reports(books), _assistant(books)):
        _activate(books, plan)
    _activate(books, _enterprise(books))


def _meter(books: Books, schema: str, name: str) -> str:
    attribute = _SCHEMAS[schema][1]
    body: dict[str, Any] = {
        "name": name,
        "billableName": name,
        "description": _SCHEMAS[schema][0],
        "type": "COUNTER",
        "aggregation": "SUM" if attribute else "COUNT",
        "eventSchemaName": schema,
    }
    if attribute:
        logic = f'{{"var": "attributes.{attribute[0]}"}}'
        body["computations"] = [{"computation": logic, "order": 1}]
    meter_id: str = books.ask("POST", "/togai/usage_meters", body)["id"]
    books.ask("POST", f"/togai/usage_meters/{meter_id}/activate")
    return meter_id


def _activate(books: Books, plan: dict[str, Any]) -> None:
    plan_id = books.ask("POST", "/togai/price_plans", plan)["id"]
    currencies = {"currencies": plan["pricePlanDetails"]["supportedCurrencies"]}
    books.ask("POST", f"/togai/price_plans/{plan_id}/activate", currencies)
    books.plans[plan["name"]] = plan_id


Rates = Mapping[str, str]


def _plan(name: str, description: str, fee: Rates | None, **details: Any) -> dict[str, Any]:
    """A monthly plan; the fee is charged for every cycle, in arrears and in full."""
    currencies = list(fee or {"USD": ""})
    details |= {"pricingCycleConfig": _CYCLE, "supportedCurrencies": currencies}
    if fee:
        card = {
            "id": "platform-fee",
            "displayName": "Platform fee",
            "name": "platform-fee",
            "type": "RECURRING",
            "invoiceTiming": "IN_ARREARS",
            "enableProration": False,
            "rateValues": _rates(fee),
        }
        details["fixedFeeRateCards"] = [card]
    return {"name": name, "description": description, "pricePlanDetails": details}


def _rates(rates: Rates) -> list[dict[str, Any]]:
    return [{"currency": currency, "rate": Decimal(rate)} for currency, rate in rates.items()]


def _rated(
    model: str, slabs: Sequence[tuple[int, Rates]], price_type: str, package: int | None = None
) -> dict[str, Any]:
    """The rates of a card: each slab's start, and its rate by currency."""
    numbered = list(enumerate(slabs, 1))
    config = {"slabConfig": {"packageSize": str(package)}} if package else {}
    return {
        "ratePlan": {
            "pricingModel": model,
            "slabs": [
                {"order": order, "startAfter": start, "priceType": price_type, **config}
                for order, (start, _) in numbered
            ],
        },
        "rateValues": [
            {
                "currency": currency,
                "slabRates": [
                    {"order": order, "rate": Decimal(rates[currency])}
                    for order, (_, rates) in numbered
                ],
            }
            for currency in slabs[0][1]
        ],
    }


def _usage(books: Books, schema: str, rated: dict[str, Any]) -> dict[str, Any]:
    name = _METERS[schema]
    names = {"displayName": name, "name": name.lower().replace(" ", "-")}
    return {**names, "usageMeterId": books.meters[schema], **rated}


def _starter(books: Books) -> dict[str, Any]:
    slabs = [
        (0, {"USD": "0.001", "EUR": "0.0009", "JPY": "0.15"}),
        (100_000, {"USD": "0.0008", "EUR": "0.0007", "JPY": "0.12"}),
        (1_000_000, {"USD": "0.0005", "EUR": "0.00045", "JPY": "0.075"}),
    ]
    return _plan(
        "Starter",
        "Tiered: each part of the API requests at the rate of its slab",
        {"USD": "49", "EUR": "45", "JPY": "7000"},
        usageRateCards=[_usage(books, "api_requests", _rated("TIERED", slabs, "PER_UNIT"))],
    )


def _scale(books: Books) -> dict[str, Any]:
    compute = [(0, {"USD": "0.04"}), (100_000, {"USD": "0.06"})]
    requests = [(0, {"USD": "0.0002"})]
    return _plan(
        "Scale",
        "Volume: all compute hours of a month at the rate of the slab they reach",
        {"USD": "250"},
        usageRateCards=[
            _usage(books, "compute", _rated("VOLUME", compute, "PER_UNIT")),
            _usage(books, "api_requests", _rated("TIERED", requests, "PER_UNIT")),
        ],
    )


def _reports(books: Books) -> dict[str, Any]:
    return _plan(
        "Reports",
        "Packages of ten reports; a package begun is charged in full",
        {"USD": "29"},
        usageRateCards=[
            _usage(books, "report", _rated("TIERED", [(0, {"USD": "15"})], "PACKAGE", 10))
        ],
    )


def _assistant(books: Books) -> dict[str, Any]:
    card = {
        "featureId": books.features["assistant"],
        "displayName": _FEATURE,
        "name": "assistant-answers",
        "invoiceTiming": "IN_ARREARS",
        "featureConfigs": [{"effectiveUntil": "P1M", "featureCreditLimit": 1000}],
        **_rated("TIERED", [(0, {"USD": "99"})], "FLAT"),
    }
    return _plan(
        "Assistant",
        "1,000 answers of the AI assistant a month, for a flat price",
        None,
        billingEntitlementRateCards=[card],
    )


def _enterprise(books: Books) -> dict[str, Any]:
    compute = [(0, {"USD": "0.035"})]
    storage = [(0, {"USD": "2"})]
    return _plan(
        "Enterprise",
        "At least 5,000 USD a month: what usage does not reach is charged as a true-up",
        {"USD": "500"},
        usageRateCards=[
            _usage(books, "compute", _rated("TIERED", compute, "PER_UNIT")),
            _usage(books, "storage", _rated("VOLUME", storage, "PACKAGE", 100)),
        ],
        minimumCommitment={
            "displayName": "Monthly commitment",
            "rateValues": _rates({"USD": "5000"}),
        },
    )
