"""Whether an account can be billed by what a price plan says."""

from typing import Any

from billing_mcp.rating.plan import NotAPlan, read_plan
from billing_mcp.sandbox.call import Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import sizes


def check(account: Row, details: dict[str, Any], at: str) -> None:
    """Refuse details, with the account's override over them, that cannot be rated for it."""
    for place in sizes.unusual(details, "pricePlanDetails"):
        raise Refusal(400, f"{at}pricePlanId: {place} {sizes.TOO_LONG}")
    try:
        plan = read_plan(details)
    except NotAPlan as error:
        raise Refusal(400, f"{at}pricePlanId: the plan cannot be rated: {error}") from error
    if account["invoice_currency"] not in plan.currencies:
        currency = account["invoice_currency"]
        raise Refusal(400, f"{at}pricePlanDetailsOverride has no rates in {currency}")
