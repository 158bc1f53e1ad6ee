"""What tests of drafted schedules share: edits of them, and how they are shown."""

from typing import Any

from sandbox.asking import Asker

SCHEDULES = "/v2/accounts/main/schedules"
Shown = list[tuple[str, str, str]]


def edit(ask: Asker, *edits: dict[str, Any], **query: str) -> Any:
    return ask.done("POST", "/v2/accounts/main/edit_schedules", {"edits": list(edits)}, **query)


def put_on(plan_id: str, start: str, end: str = "9999-01-01", **config: Any) -> dict[str, Any]:
    return {
        "mode": "ASSOCIATE",
        "effectiveFrom": start,
        "effectiveUntil": end,
        "associationConfig": {"pricePlanId": plan_id, **config},
    }


def take_off(start: str, end: str = "9999-01-01", **config: Any) -> dict[str, Any]:
    edit = {"mode": "DISASSOCIATE", "effectiveFrom": start, "effectiveUntil": end}
    return edit | ({"associationConfig": config} if config else {})


def finalize(ask: Asker, **body: Any) -> Any:
    return ask.done("POST", "/v2/accounts/main/finalize_schedules", body)["data"]


def listed(ask: Asker, mode: str = "ACTIVE") -> Any:
    return ask.done("GET", SCHEDULES, mode=mode)["data"]


def brief(schedules: list[Any]) -> Shown:
    return [
        (one["pricePlanInfo"]["name"], one["startDate"][:10], one["endDate"][:10])
        for one in schedules
    ]


def errors(ask: Asker, schedule_id: str) -> list[str]:
    rows = ask.done("GET", f"/v2/schedules/{schedule_id}/errors")["data"]
    assert {row["referenceId"] for row in rows} <= {schedule_id}
    return [row["errorMessage"] for row in rows]


def cards(ask: Asker, schedule_id: str, mode: str = "DRAFT") -> list[tuple[str, Any]]:
    rows = ask.done("GET", f"/v2/schedules/{schedule_id}/rate_cards", mode=mode)["data"]
    return [
        (row["name"], row["rateCardDetails"]["fixedFeeRateCard"]["rateValues"][0]["rate"])
        for row in rows
    ]
