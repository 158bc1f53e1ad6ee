"""What keeps the draft of a price plan from being published, part by part."""

from collections.abc import Callable, Mapping
from typing import Any

from billing_mcp.rating import pricing_rules as rated_rules
from billing_mcp.rating.plan import NotAPlan, read_plan
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import price_plan_rules, rate_cards
from billing_mcp.sandbox.togai.columns import unpacked


def found(request: Call, row: Row | Mapping[str, Any]) -> list[dict[str, Any]]:
    """The errors of a version of a plan as the vendor lists them."""
    details = unpacked(row, "details")
    errors = [_error(row, row["id"], "PRICE_PLAN", message) for message in _of_plan(row, details)]
    for card_type, card in rate_cards.each(details):
        message = _refusal(request, card_type, card, details["supportedCurrencies"])
        if message is not None:
            errors.append(_error(row, rate_cards.name_of(card), "RATE_CARD", message))
    return errors + _of_rules(row, details, broken=bool(errors))


def refuse_any(request: Call, row: Row | Mapping[str, Any]) -> None:
    """Refuse to publish a version that has errors."""
    errors = found(request, row)
    if errors:
        first = errors[0]
        raise Refusal(
            400,
            f"Price plan {row['id']} has {len(errors)} errors; the first is in"
            f" {first['entityId']}: {first['errorMessage']}",
        )


def _of_plan(row: Row | Mapping[str, Any], details: dict[str, Any]) -> list[str]:
    messages = []
    if row["type"] == "BILLING" and "pricingCycleConfig" not in details:
        messages.append("pricingCycleConfig is required for a plan of type BILLING")
    checks: tuple[Callable[[dict[str, Any], str], None], ...] = (
        price_plan_rules.check_deferred,
        price_plan_rules.refuse_two_overages_of_a_feature,
    )
    for check in checks:
        try:
            check(details, "")
        except Refusal as refusal:
            messages.append(refusal.message)
    return messages


def _refusal(
    request: Call, card_type: str, card: dict[str, Any], currencies: list[str]
) -> str | None:
    try:
        rate_cards.check(request, card_type, card, currencies, "")
    except Refusal as refusal:
        return refusal.message
    return None


def _of_rules(
    row: Row | Mapping[str, Any], details: dict[str, Any], *, broken: bool
) -> list[dict[str, Any]]:
    """Rules that read what the plan has no card for. Where cards are broken, those come first."""
    if broken:
        return []
    try:
        plan = read_plan(details)
    except NotAPlan as error:
        return [_error(row, row["id"], "PRICE_PLAN", f"the plan cannot be rated: {error}")]
    errors = []
    for given in unpacked(row, "pricing_rules"):
        rule = rated_rules.read_rule(given)
        names = rated_rules.card_names(plan, advance=rule.timing == "IN_ADVANCE")
        for variable in sorted(rule.variables - rated_rules.variables(names)):
            message = f"{variable} is not the variable of a card that is invoiced {rule.timing}"
            errors.append(_error(row, rule.id, "PRICING_RULE", message))
    return errors


def _error(
    row: Row | Mapping[str, Any], entity_id: str, entity_type: str, message: str
) -> dict[str, Any]:
    return {
        "referenceId": row["schedule_id"],
        "entityId": entity_id,
        "entityType": entity_type,
        "errorMessage": message,
    }
