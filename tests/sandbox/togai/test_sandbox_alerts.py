"""Alerts: what they measure, when they are checked, and the incidents that they open."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import billed, world

MAIN = {"account": {"id": "main"}}


def alert(ask: Asker, template: str = "credit-balance", threshold: Any = 50, **fields: Any) -> Any:
    """An active alert about the account main, checked every hour."""
    return ask.done("POST", "/alerts", wish(template, threshold, **fields))


def wish(template: str = "credit-balance", threshold: Any = 50, **fields: Any) -> dict[str, Any]:
    return {
        "alertTemplateId": f"alert_template.{template}",
        "interval": 60,
        "status": "ACTIVE",
        "entityDetails": MAIN,
        "parameters": {"threshold": {"value": threshold}},
        **fields,
    }


def incidents(ask: Asker) -> list[Any]:
    """The latest first."""
    found: list[Any] = ask.done("GET", "/incidents")["data"]
    return found


def measured(ask: Asker) -> tuple[Any, str]:
    """What the only incident reports."""
    (incident,) = incidents(ask)
    report = incident["reportData"]["measured"]
    return report["value"], report["unit"]


def statuses(ask: Asker) -> list[str]:
    return [incident["status"] for incident in incidents(ask)]


def later(ask: Asker, duration: str = "PT1H") -> None:
    ask.control("POST", "/clock", {"advance": duration})


def test_templates_say_what_an_alert_of_theirs_needs(ask: Asker) -> None:
    page = ask.done("GET", "/alert_templates", pageSize=4)
    rest = ask.done("GET", "/alert_templates", nextToken=page["nextToken"])
    (template,) = rest["data"]

    assert len(page["data"]) == 4
    assert (template["id"], template["entityType"]) == ("alert_template.feature-credits", "feature")
    assert '"required":["account","feature"]' in template["entitySchema"]
    assert '"required":["threshold"]' in template["parametersSchema"]
    assert ask.done("GET", "/alert_templates/alert_template.feature-credits") == template
    assert ask.togai("GET", "/alert_templates/none").status == 404


def test_an_alert_is_made_listed_and_changed_by_versions(ask: Asker) -> None:
    world.account(ask)
    contact = {"contact": {"email": "finance@acme.example"}}
    made = alert(ask, description="Credit of Acme", validity=120, ownerDetails=contact)

    assert made == {
        "id": made["id"],
        "version": 1,
        "description": "Credit of Acme",
        "status": "ACTIVE",
        "validity": 120,
        "alertTemplateId": "alert_template.credit-balance",
        "interval": 60,
        "entityDetails": MAIN,
        "ownerDetails": contact,
        "parameters": {"threshold": {"value": 50}},
        "createdAt": "2026-11-20T12:00:00.000Z",
        "updatedAt": "2026-11-20T12:00:00.000Z",
    }
    second = alert(ask, status="INACTIVE")
    assert [row["id"] for row in ask.done("GET", "/alerts")["data"]] == [second["id"], made["id"]]
    change = {"status": "INACTIVE", "parameters": {"threshold": {"value": Decimal("7.5")}}}
    changed = ask.done("PATCH", f"/alerts/{made['id']}", change)
    assert (changed["version"], changed["status"], changed["interval"]) == (2, "INACTIVE", 60)
    assert changed["parameters"]["threshold"]["value"] == Decimal("7.5")
    assert ask.togai("PATCH", "/alerts/none", change).status == 404


@pytest.mark.parametrize(
    ("change", "status", "path"),
    [
        ({"alertTemplateId": "alert_template.0"}, 400, "alertTemplateId"),
        ({"interval": 59}, 400, "interval"),
        ({"interval": 44641}, 400, "interval"),
        ({"status": "PAUSED"}, 400, "status"),
        ({"validity": 0}, 400, "validity"),
        ({"entityDetails": {}}, 400, "entityDetails.account"),
        ({"entityDetails": {"account": {"id": "none"}}}, 404, "entityDetails.account.id"),
        ({"entityDetails": {**MAIN, "feature": {"id": "f"}}}, 400, "entityDetails.feature"),
        ({"parameters": {}}, 400, "parameters.threshold"),
        ({"parameters": {"threshold": {"value": "much"}}}, 400, "parameters.threshold.value"),
        ({"parameters": {"threshold": {"value": -1}}}, 400, "parameters.threshold.value"),
        ({"ownerDetails": {"contact": {"email": "me"}}}, 400, "ownerDetails.contact.email"),
        ({"priority": 1}, 400, "priority"),
    ],
)
def test_a_malformed_alert_is_refused_by_the_path_of_its_field(
    ask: Asker, change: dict[str, Any], status: int, path: str
) -> None:
    world.account(ask)
    answer = ask.togai("POST", "/alerts", wish() | change)

    assert answer.status == status
    assert answer.message.startswith(path)
    assert ask.done("GET", "/alerts")["data"] == []


@pytest.mark.parametrize("name", ["interval", "status", "parameters", "alertTemplateId"])
def test_an_alert_needs_each_of_these(ask: Asker, name: str) -> None:
    world.account(ask)
    body = {field: value for field, value in wish().items() if field != name}

    assert ask.togai("POST", "/alerts", body).message == f"{name} is required"


def test_an_alert_is_checked_when_it_is_made_and_then_at_every_interval(ask: Asker) -> None:
    world.account(ask)
    credit = billed.credit(ask, "80")
    alert(ask, interval=120)
    assert incidents(ask) == []

    ask.done("POST", f"/credits/{credit}/void")
    later(ask, "PT1H59M")
    assert incidents(ask) == []
    later(ask, "PT1M")

    (incident,) = incidents(ask)
    assert incident["createdAt"] == incident["lastCheckedAt"] == "2026-11-20T14:00:00.000Z"
    assert incident["status"] == "OPEN"
    assert incident["reportData"] == {
        "measured": {"value": 0, "unit": "USD"},
        "threshold": {"value": 50},
    }
    later(ask, "PT5H")
    (incident,) = incidents(ask)
    assert incident["lastCheckedAt"] == "2026-11-20T18:00:00.000Z"
    assert len(ask.effects("incident")) == 1


def test_a_closed_incident_is_not_opened_again_before_the_figure_was_right(ask: Asker) -> None:
    world.account(ask)
    alert(ask)
    (incident,) = incidents(ask)
    for _ in range(2):
        closed = ask.done("PUT", f"/incidents/{incident['id']}/status", {"status": "CLOSED"})
        assert closed["status"] == "CLOSED"
    assert len(ask.effects("incident-closed")) == 1

    later(ask)
    assert statuses(ask) == ["CLOSED"]
    credit = billed.credit(ask, "50")
    later(ask)
    ask.done("POST", f"/credits/{credit}/void")
    later(ask)
    assert statuses(ask) == ["OPEN", "CLOSED"]


def test_an_incident_whose_validity_is_over_is_closed_and_opened_anew(ask: Asker) -> None:
    world.account(ask)
    alert(ask, validity=90)
    (incident,) = incidents(ask)
    assert incident["validUntil"] == "2026-11-20T13:30:00.000Z"

    later(ask, "PT90M")
    assert statuses(ask) == ["CLOSED"]
    later(ask, "PT30M")
    assert statuses(ask) == ["OPEN", "CLOSED"]


def test_an_inactive_alert_is_not_checked_and_a_changed_one_at_once(ask: Asker) -> None:
    world.account(ask)
    made = alert(ask, status="INACTIVE")
    later(ask, "P1D")
    assert incidents(ask) == []

    ask.done("PATCH", f"/alerts/{made['id']}", {"status": "ACTIVE"})
    (incident,) = incidents(ask)
    assert (incident["alertId"], incident["alertVersion"]) == (made["id"], 2)
    ask.done("PATCH", f"/alerts/{made['id']}", {"status": "INACTIVE"})
    later(ask, "P1D")
    assert incidents(ask) == [incident]


def test_spend_and_usage_of_the_running_cycle_reach_a_threshold(ask: Asker) -> None:
    """40 calls at 0.25 are 10.00: the threshold itself is reached."""
    billed.priced(ask)
    meter = ask.done("GET", "/usage_meters")["data"][0]["id"]
    alert(ask, "spend", 10)
    about = {**MAIN, "usageMeter": {"id": meter}}
    alert(ask, "usage", 40, entityDetails=about)
    billed.send(ask, "a", "39")
    later(ask)
    assert incidents(ask) == []

    billed.send(ask, "b", "1")
    later(ask)
    usage, spend = incidents(ask)
    assert spend["reportData"]["measured"] == {"value": 10, "unit": "USD"}
    assert usage["reportData"]["measured"] == {"value": 40, "unit": "units"}


def test_a_new_cycle_begins_without_usage(ask: Asker) -> None:
    billed.priced(ask)
    billed.send(ask, "a", "40")
    alert(ask, "spend", 10, validity=60)
    assert statuses(ask) == ["OPEN"]

    billed.until(ask, "2026-12-01T13:00:00Z")
    assert set(statuses(ask)) == {"CLOSED"}


def test_what_a_draft_holds_of_credits_and_wallet_is_not_left(ask: Asker) -> None:
    billed.priced(ask)
    billed.send(ask, "a", "40")
    billed.credit(ask, "55")
    alert(ask, "credit-balance", 50)
    assert measured(ask) == (45, "USD")


def test_a_wallet_without_money_is_low(ask: Asker) -> None:
    world.account(ask)
    alert(ask, "wallet-balance", 1)
    assert measured(ask) == (0, "USD")


def test_feature_credits_are_measured_in_percent_once_there_are_any(ask: Asker) -> None:
    world.account(ask)
    world.schema(ask)
    feature = world.feature(ask)
    about = {**MAIN, "feature": {"id": feature}}
    alert(ask, "feature-credits", 80, entityDetails=about)
    assert incidents(ask) == []

    plan = world.plan(ask, billingEntitlementRateCards=[world.granting(feature, 10)])
    world.associate(ask, plan)
    ask.done("POST", "/entitled", {"event": world.event("a", "7")})
    later(ask)
    assert incidents(ask) == []
    ask.done("POST", "/entitled", {"event": world.event("b", "1")})
    later(ask)
    assert measured(ask) == (80, "percent")


def test_an_incident_is_read_by_its_id_and_only_ever_closed(ask: Asker) -> None:
    world.account(ask)
    alert(ask)
    (incident,) = incidents(ask)
    at = f"/incidents/{incident['id']}"

    assert ask.done("GET", at) == incident
    assert ask.togai("GET", "/incidents/none").status == 404
    assert ask.togai("PUT", f"{at}/status", {"status": "OPEN"}).status == 400
    assert ask.togai("PUT", "/incidents/none/status", {"status": "CLOSED"}).status == 404
