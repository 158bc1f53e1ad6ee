"""`billing://schemas/{name}`: the full JSON Schema of what can be written, from the models that
check it."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.server.mcpserver.exceptions import ResourceError
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ChainSchema

from billing_mcp import results, tools
from billing_mcp.catalog import Catalog
from billing_mcp.credentials import Vendor
from billing_mcp.resources.addresses import Address, uri
from billing_mcp.resources.reading import Content, Reader, Wanted
from billing_mcp.shapes import clean
from billing_mcp.tenants import VENDOR_NAMES, Caller

SCHEMA = Wanted("schema", "schema", "name", uri("schemas"))

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_RATE_CARDS = f"{tools.TOGAI}.rate_cards"


@dataclass(frozen=True, slots=True)
class Described:
    """A schema: of a tool's arguments, or of a model ("module:class"). `parts` are arguments that
    the tool publishes in short form, and the models that they are checked by."""

    title: str
    description: str
    tool: str | None = None
    model: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def vendor(self) -> Vendor | None:
        if self.tool is not None:
            return tools.vendor_of(self.tool)
        return "suger" if str(self.model).startswith(tools.SUGER) else "togai"


def _card(title: str, description: str, model: str, where: str) -> Described:
    return Described(
        title, f"{description}; in {where} of price-plan", model=f"{_RATE_CARDS}:{model}"
    )


_ALL = {
    "customer": Described("Customer", "What create-customer takes", "create-customer"),
    "account": Described("Account", "What create-account takes", "create-account"),
    "event": Described(
        "Usage event",
        "One event of ingest-events and of ingest-event-if-user-is",
        model=f"{tools.TOGAI}.events:Event",
    ),
    "price-plan": Described(
        "Price plan",
        "What create-price-plan takes, its pricePlanDetails in full",
        "create-price-plan",
        parts={"pricePlanDetails": f"{_RATE_CARDS}:PricePlanDetails"},
    ),
    "pricing-cycle": _card(
        "Pricing cycle", "When cycles begin and end", "PricingCycle", "pricingCycleConfig"
    ),
    "rate-plan": _card(
        "Rate plan", "The slabs of a card, tiered or by volume", "RatePlan", "each priced card"
    ),
    "usage-rate-card": _card(
        "Usage rate card", "Prices the units of a usage meter", "UsageRateCard", "usageRateCards"
    ),
    "fixed-fee-rate-card": _card(
        "Fixed-fee rate card",
        "A fee for each cycle or once",
        "FixedFeeRateCard",
        "fixedFeeRateCards",
    ),
    "license-rate-card": _card(
        "License rate card", "Prices the licences held", "LicenseRateCard", "licenseRateCards"
    ),
    "billing-entitlement-rate-card": _card(
        "Billing-entitlement rate card",
        "Grants units of a feature, for a price",
        "BillingEntitlementRateCard",
        "billingEntitlementRateCards",
    ),
    "entitlement-overage-rate-card": _card(
        "Entitlement-overage rate card",
        "Prices units of a feature beyond those granted",
        "EntitlementOverageRateCard",
        "entitlementOverageRateCards",
    ),
    "credit-grant-rate-card": _card(
        "Credit-grant rate card",
        "Grants credit, for a price",
        "CreditGrantRateCard",
        "creditGrantRateCards",
    ),
    "minimum-commitment": _card(
        "Minimum commitment", "The least a cycle costs", "MinimumCommitment", "minimumCommitment"
    ),
    "rate-card": Described(
        "Rate card",
        "The rateCard of an operation of edit-price-plan-rate-cards",
        model=f"{tools.TOGAI}.price_plan_cards:RateCardData",
    ),
    "price-plan-override": Described(
        "Price plan override",
        "The pricePlanDetails of update-price-plan: only the parts that differ",
        model=f"{tools.TOGAI}.plan_overrides:PricePlanOverride",
    ),
    "credit": Described("Credit", "What grant-credit takes", "grant-credit"),
    "feature-credits-entry": Described(
        "Change of a feature-credits entry",
        "The body of update-feature-credits-entry",
        model=f"{tools.TOGAI}.feature_credits:EntryUpdate",
    ),
    "usage-record-group": Described(
        "Usage record group",
        "The body of report-usagerecordgroup",
        model=f"{tools.SUGER}.usage_records:ReportedUsage",
    ),
    "usage-record-group-of-a-batch": Described(
        "Usage record group of a batch",
        "One group of batch-report-usagerecordgroups and batch-validate-usagerecordgroups",
        model=f"{tools.SUGER}.usage_records:NewUsageRecordGroup",
    ),
    "billable-metric": Described(
        "Billable metric",
        "The body of create-billable-metric",
        model=f"{tools.SUGER}.billable_metrics:NewBillableMetric",
    ),
    "billable-metric-change": Described(
        "Change of a billable metric",
        "The body of update-billable-metric",
        model=f"{tools.SUGER}.billable_metrics:MetricChange",
    ),
    "metering-configuration": Described(
        "Metering configuration",
        "The body of update-usage-metering-config-info",
        model=f"{tools.SUGER}.metering_config:NewUsageMeteringConfig",
    ),
}


def schemas(caller: Caller) -> dict[str, Described]:
    """Those of the vendors that the caller's tenant has, by name."""
    tenant = caller.tenant.settings
    return {
        name: described
        for name, described in _ALL.items()
        if described.vendor is None or tenant.has(described.vendor)
    }


async def read(address: Address, reader: Reader) -> Content:
    known = schemas(reader.caller)
    if address.name is None:
        return Content(_index(known), "text/markdown")
    described = known.get(address.name)
    if described is not None:
        return Content(_json(address.name, described, reader.catalog), "application/schema+json")
    other = _ALL.get(address.name)
    if other is not None and other.vendor is not None:
        raise ResourceError(
            f"This schema is for {VENDOR_NAMES[other.vendor]}, and this server has no key for it."
        )
    raise await reader.missing(SCHEMA, address.name)


def _index(known: Mapping[str, Described]) -> str:
    lines = [
        f"- {uri('schemas', name)}: {described.title}. {described.description}."
        for name, described in known.items()
    ]
    return "\n".join(["# JSON Schemas", "", *lines, ""])


def _json(name: str, described: Described, catalog: Catalog) -> str:
    schema = {
        "$schema": _DIALECT,
        "$id": uri("schemas", name),
        "title": described.title,
        **_closed(clean(_model_schema(described, catalog))),
        "description": f"{described.description}.",
    }
    return results.compact(schema)


def _model_schema(described: Described, catalog: Catalog) -> dict[str, Any]:
    if described.tool is None:
        return _model(str(described.model)).model_json_schema(schema_generator=_Whole)
    built = catalog.built(described.tool)
    schema = built.shape.arguments.model_json_schema(schema_generator=_Whole)
    rules = built.declaration.short_form or {}
    for part, model in described.parts.items():
        whole = _model(model).model_json_schema(schema_generator=_Whole)
        schema.setdefault("$defs", {}).update(whole.pop("$defs", {}))
        # What holds between fields, which JSON Schema has no words for.
        schema["properties"][part] = {**whole, "description": rules[part]}
    return schema


class _Whole(GenerateJsonSchema):
    """With the patterns of texts: pydantic shows only the first of the steps that check one."""

    def chain_schema(self, schema: ChainSchema) -> JsonSchemaValue:
        steps = [self.generate_inner(step) for step in schema["steps"]]
        if any(step.get("type") != "string" for step in steps):
            return super().chain_schema(schema)
        return {name: value for step in steps for name, value in step.items()}


def _model(named: str) -> type[BaseModel]:
    module, _, name = named.partition(":")
    model: type[BaseModel] = getattr(importlib.import_module(module), name)
    return model


def _closed(node: Any, *, names: bool = False) -> Any:
    """Say of every object that it has no other properties, as the models refuse them.

    `names` says that the keys of this object are property names and not keywords.
    """
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {
        key: _closed(value, names=key in _NAMING and not names) for key, value in node.items()
    }
    if not names and isinstance(node.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


_NAMING = frozenset({"properties", "$defs"})
