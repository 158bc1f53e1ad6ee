"""What one hourly report of an entitlement says: from its usage to the figures it sends. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.rating.marketplace import Aggregate, add, at_list_price, draw, whole
from billing_mcp.sandbox.suger.entitlements import Entitlement
from billing_mcp.sandbox.suger.metering_config import MeteringConfig


@dataclass(frozen=True, slots=True)
class Draft:
    """The figures of a report, before the marketplace has answered."""

    outgoing: Mapping[str, Decimal]  # by dimension; empty when nothing has to be sent
    covered: Mapping[str, Decimal]  # by dimension: what the commit paid for
    commit_used: Decimal
    new_decimal_parts: Mapping[str, Decimal]
    fields: Mapping[str, Any]  # of the report's info, whatever the marketplace answers


def price_of(dimension: Mapping[str, Any]) -> Decimal | None:
    """The unit price of a billable dimension; only the basic price model is imitated."""
    model = dimension.get("priceModelBasic", {})
    return Decimal(model["unitAmount"]) if "unitAmount" in model else None


def draft(
    entitlement: Entitlement,
    config: MeteringConfig,
    records: Mapping[str, Decimal],
    aggregates: Sequence[Aggregate],
    decimal_parts: Mapping[str, Decimal],
) -> Draft:
    """Work out a report from `records` by dimension key and the aggregated billable records.

    In this order: what billable metrics map to, the commit, the list price, and whole numbers.
    """
    prices = entitlement.unit_prices()
    totals = dict(records)
    for figure in aggregates:
        add(totals, _mapped(entitlement, config, figure, prices))
    fields: dict[str, Any] = {}
    covered: Mapping[str, Decimal] = {}
    used = Decimal(0)
    outgoing: Mapping[str, Decimal] = dict(sorted(totals.items()))
    if outgoing:
        fields["dimensionUnitPrice"] = {key: prices[key] for key in outgoing if key in prices}
    if config.commit_first and entitlement.commit_amount and outgoing:
        unused = WIDE.subtract(entitlement.commit_amount, entitlement.used_commit_amount)
        left = max(unused, Decimal(0))
        drawn = draw(outgoing, prices, left)
        covered, used = drawn.covered, drawn.amount
        outgoing = {key: quantity for key, quantity in drawn.beyond.items() if quantity}
        fields |= {
            "commitAmount": entitlement.commit_amount,
            "usedCommitAmount": entitlement.used_commit_amount,
        }
        if config.at_list_price:
            fields |= {
                "recordsToReportBeforeAdjustmentAtListPrice": dict(outgoing),
                "dimensionUnitListPrice": dict(entitlement.list_prices),
            }
            outgoing = at_list_price(outgoing, prices, entitlement.list_prices)
    new_parts: Mapping[str, Decimal] = {}
    if entitlement.partner == "AWS":
        outgoing, new_parts = whole(outgoing, decimal_parts)
        fields["decimalParts"] = {key: decimal_parts.get(key, Decimal(0)) for key in outgoing}
    else:
        # Azure refuses a quantity that is not above zero; for Google it would say nothing.
        outgoing = {key: quantity for key, quantity in outgoing.items() if quantity}
    if aggregates:
        fields["aggregatedBillableRecords"] = [
            _rendered(entitlement, figure) for figure in aggregates
        ]
    return Draft(outgoing, covered, used, new_parts, fields)


def _mapped(
    entitlement: Entitlement,
    config: MeteringConfig,
    figure: Aggregate,
    prices: Mapping[str, Decimal],
) -> dict[str, Decimal]:
    """The marketplace's dimensions that an aggregated figure counts for."""
    mapped: dict[str, Decimal] = {}
    if config.billable_dimensions:
        amount = _amount(entitlement, figure) or Decimal(0)
        for target in config.destinations.get(figure.metric.id, ()):
            quantity = target.quantity(figure.quantity, amount, prices)
            add(mapped, {target.dimension_key: quantity})
    return mapped


def _amount(entitlement: Entitlement, figure: Aggregate) -> Decimal | None:
    price = price_of(entitlement.billable_dimension(figure.metric.id) or {})
    return None if price is None else WIDE.multiply(price, figure.quantity)


def _rendered(entitlement: Entitlement, figure: Aggregate) -> dict[str, Any]:
    metric = figure.metric
    body: dict[str, Any] = {
        "key": metric.id,
        "name": metric.name,
        "billableMetricAggregationType": metric.aggregation,
        "billableMetricInfo": metric.info,
        "groupBysExpression": figure.group,
        "quantity": figure.quantity,
    }
    amount = _amount(entitlement, figure)
    if amount is not None:
        body["amount"] = amount
    if metric.aggregation == "UNIQUE_COUNT":
        body["uniqueCountAggregationResult"] = {"newItems": dict.fromkeys(figure.new_items)}
    return body
