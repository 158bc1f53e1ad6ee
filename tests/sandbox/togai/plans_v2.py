"""What tests of the second generation of price plans share: a plan, and its rate cards."""

from decimal import Decimal
from typing import Any

from sandbox.asking import Asker
from sandbox.togai.world import CYCLE, RATED, SLABS

HEADER = {
    "name": "Growth",
    "type": "BILLING",
    "supportedCurrencies": ["USD"],
    "pricingCycleConfig": CYCLE,
}


def header(ask: Asker, **fields: Any) -> str:
    """The id of a plan that is a draft without cards."""
    made = ask.done("POST", "/v2/price_plans", HEADER | fields)
    plan_id: str = made["id"]
    return plan_id


def operate(ask: Asker, plan_id: str, *operations: dict[str, Any]) -> Any:
    body = {"operations": list(operations)}
    return ask.done("POST", f"/v2/price_plans/{plan_id}/rate_cards", body)["rateCards"]


def usage_card(meter_id: str, rate: str | None = None) -> dict[str, Any]:
    rated: dict[str, Any] = RATED
    if rate is not None:
        rates = [{"currency": "USD", "slabRates": [{"order": 1, "rate": Decimal(rate)}]}]
        rated = {"ratePlan": SLABS, "rateValues": rates}
    return {
        "billableId": meter_id,
        "type": "USAGE",
        "displayName": "Calls",
        "invoiceTiming": "IN_ARREARS",
        "rateCardDetails": {"usageRateCard": {"usageMeterId": meter_id, **rated}},
    }


def fee_card(rate: str, timing: str = "IN_ARREARS", **fields: Any) -> dict[str, Any]:
    card = {
        "id": "platform",
        "type": "RECURRING",
        "enableProration": False,
        "rateValues": [{"currency": "USD", "rate": Decimal(rate)}],
        **fields,
    }
    return {
        "billableId": "platform",
        "type": "FIXED_FEE",
        "displayName": "Platform",
        "invoiceTiming": timing,
        "rateCardDetails": {"fixedFeeRateCard": card},
    }


def create(name: str, card: dict[str, Any]) -> dict[str, Any]:
    return {"actionType": "CREATE", "rateCardName": name, "rateCard": card}


def change(name: str, card: dict[str, Any]) -> dict[str, Any]:
    return {"actionType": "UPDATE", "rateCardName": name, "rateCard": card}


def delete(name: str) -> dict[str, Any]:
    return {"actionType": "DELETE", "rateCardName": name}


def finalize(ask: Asker, plan_id: str, **body: Any) -> None:
    answer = ask.done("POST", f"/v2/price_plans/{plan_id}/finalize", body)
    assert answer == {"success": True}


def published(ask: Asker, rate: str = "49", timing: str = "IN_ARREARS", **fields: Any) -> str:
    """The id of an active plan with a fee each month."""
    plan_id = header(ask, **fields)
    operate(ask, plan_id, create("fee", fee_card(rate, timing)))
    finalize(ask, plan_id)
    return plan_id


def get(ask: Asker, plan_id: str, **query: str) -> Any:
    return ask.done("GET", f"/v2/price_plans/{plan_id}", **query)


def errors(ask: Asker, plan_id: str) -> list[tuple[str, str]]:
    rows = ask.done("GET", f"/v2/price_plans/{plan_id}/errors")["data"]
    return [(row["entityType"], row["errorMessage"]) for row in rows]


def cards(ask: Asker, plan_id: str) -> list[Any]:
    found: list[Any] = ask.done("GET", f"/v2/price_plans/{plan_id}/rate_cards")["data"]
    return found


def versions(ask: Asker, plan_id: str) -> list[tuple[int, str]]:
    """Number and status of each version, the latest first."""
    rows = ask.done("GET", f"/v2/price_plans/{plan_id}/versions")["data"]
    return [(row["version"], row["status"]) for row in rows]
