"""Alerts and incidents: what an alert needs, what it found, and every write to them done once."""

from typing import Any

import pytest
from mcp import Client

from answers import facts, failure
from billing_mcp.config import Settings
from billing_mcp.declarations import Stake
from billing_mcp.guard.operations import State
from calls.alerts import HARBOR, alert, incident
from good_calls import good_calls
from guard.guarded import LATER, guarded
from guard.test_gate import OPERATION
from guard.test_reconcile import lose
from tools.planning import OF_HARBOR, planned, refused
from tools.test_previews import everything, stake_of
from world import World

pytestmark = pytest.mark.anyio

ALL = Settings(toolsets=("all",))
WRITES = ("create-alert", "update-alert", "update-incident-status")
EFFECTS = {
    "create-alert": 'Sets up the ACTIVE alert "Feature credits run out" about '
    f'{OF_HARBOR} with "{{{{\\"threshold\\":{{{{\\"value\\":\\"80\\"}}}}}}}}", checked at an '
    "interval of 60.",
    "update-alert": f'Changes the alert {{alertId}} ("Spend is high") about {OF_HARBOR}: '
    'status "\\"ACTIVE\\"" becomes "\\"INACTIVE\\"".',
    "update-incident-status": 'Closes incident {incidentId} of the alert {alertId} ("Credit '
    f'balance is low") about {OF_HARBOR}. What the alert watches stays as it is.',
}


@pytest.fixture
def settings() -> Settings:
    return ALL


def low_credit(**fields: Any) -> dict[str, Any]:
    """Arguments of an alert that fires when harbor-main has less than 7.5 of credit."""
    return {
        "alertTemplateId": "alert_template.credit-balance",
        "interval": 1440,
        "entityDetails": HARBOR,
        "parameters": {"threshold": {"value": 7.5}},
        **fields,
    }


async def test_templates_are_listed_in_brief_and_shown_with_their_schemas(
    world: World, client: Client
) -> None:
    rows = facts(await client.call_tool("list-alert-templates", {}))["data"]
    whole = {"alertTemplateId": rows[-1]["id"]}
    template = facts(await client.call_tool("get-alert-template", whole))

    assert "parametersSchema" not in rows[-1]
    assert '"threshold"' in template["parametersSchema"]
    missing = await client.call_tool("get-alert-template", {"alertTemplateId": "none"})
    assert "list-alert-templates" in failure(missing)["next"]


async def test_an_alert_is_set_up_with_exact_numbers_and_what_it_finds_is_shown(
    world: World, client: Client
) -> None:
    owner = {"contact": {"email": "ops@harbor.example"}}
    arguments = low_credit(ownerDetails=owner, validity=60, description="Watch Harbor")
    made = facts(await client.call_tool("create-alert", arguments))
    assert (made["status"], made["version"]) == ("ACTIVE", 1)
    assert made["parameters"] == {"threshold": {"value": "7.5"}}
    assert made["ownerDetails"] == owner

    (row,) = facts(await client.call_tool("list-alerts", {}))["data"]
    assert "status" not in row
    assert row["description"] == "Watch Harbor"
    (found,) = facts(await client.call_tool("list-incidents", {}))["data"]
    assert (found["alertId"], found["status"]) == (made["id"], "OPEN")
    assert found["reportData"]["measured"] == {"value": 0, "unit": "USD"}
    shown = facts(await client.call_tool("get-incident", {"incidentId": found["id"]}))
    assert shown["alertVersion"] == 1
    closed = {"incidentId": found["id"]}
    answer = facts(await client.call_tool("update-incident-status", closed))
    assert answer["status"] == "CLOSED"


async def test_an_alert_gets_another_threshold(world: World, client: Client) -> None:
    change = {"alertId": alert(world, "spend", 10), "parameters": {"threshold": {"value": 20}}}
    changed = facts(await client.call_tool("update-alert", change))
    assert (changed["version"], changed["parameters"]["threshold"]["value"]) == (2, 20)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (low_credit(parameters={"threshold": 50}), "parameters.threshold"),
        (low_credit(entityDetails={"a": {"b": [[[[1]]]]}}), "entityDetails"),
        (low_credit(interval=0), "interval"),
        (low_credit(status="PAUSED"), "status"),
    ],
)
async def test_an_alert_that_makes_no_sense_is_refused_before_it_is_sent(
    arguments: dict[str, Any], field: str, world: World, client: Client
) -> None:
    error = failure(await client.call_tool("create-alert", arguments))
    assert (error["kind"], error["field"]) == ("invalid-request", field)
    assert world.ask("GET", "/togai/alerts")["data"] == []


async def test_a_change_of_nothing_is_refused(world: World, client: Client) -> None:
    nothing = {"alertId": alert(world, "spend", 10)}
    error = failure(await client.call_tool("update-alert", nothing))
    assert (error["kind"], error["field"]) == ("invalid-request", "status")


@pytest.mark.parametrize("tool", WRITES)
async def test_a_dry_run_about_alerts_tells_the_effect_and_changes_nothing(tool: str) -> None:
    async with guarded(ALL) as at:
        call = good_calls(at.world)[tool]
        facts(await at.call("list-credits", {"accountId": "harbor-main"}))
        before = everything(at)
        plan = await planned(at, tool, **call)
        stake = await stake_of(at, tool, **call)
        assert everything(at) == before
        ids = call | _alert_of(at.world, call)
    assert plan["effect"] == EFFECTS[tool].format_map(ids)
    harbor = frozenset({"harbor-main", "harbor-labs"})
    assert stake == Stake(harbor, "harbor-labs", "USD")


def _alert_of(world: World, call: dict[str, Any]) -> dict[str, str]:
    if "incidentId" not in call:
        return {}
    alert_id: str = world.ask("GET", f"/togai/incidents/{call['incidentId']}")["alertId"]
    return {"alertId": alert_id}


@pytest.mark.parametrize("tool", WRITES)
async def test_a_write_about_alerts_is_found_by_reading_when_its_answer_was_lost(tool: str) -> None:
    async with guarded(ALL) as at:
        call = await lose(at, tool, "reset-after")
        once = at.effects
        found = facts(await at.call(tool, call))
        assert at.effects == once
        assert (await at.row(OPERATION)).state is State.COMMITTED
        again = facts(await at.call(tool, call))
    assert len(once) == 1
    assert again == found | {"replayed": True}


@pytest.mark.parametrize("tool", WRITES)
async def test_a_write_about_alerts_that_never_arrived_is_known_to_be_undone(tool: str) -> None:
    async with guarded(ALL) as at:
        call = await lose(at, tool, "reset-before")
        at.time.pass_by(LATER)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
        assert at.effects == []
        facts(await at.call(tool, call))
        assert len(at.effects) == 1
    assert shown["state"] == "rejected"


async def test_what_alerts_cannot_be_or_become_is_said_before_anything_is_done() -> None:
    async with guarded(ALL) as at:
        once = low_credit(parameters={"threshold": {"value": 0}})
        facts(await at.call("create-alert", once))
        twice = await refused(at, "create-alert", **once)
        nobody = low_credit(entityDetails={"account": {"id": "nobody"}})
        unknown = await refused(at, "create-alert", **nobody)
        missing = await refused(at, "update-alert", alertId="none", status="ACTIVE")
        closed = {"incidentId": incident(at.world)}
        facts(await at.call("update-incident-status", closed))
        again = await refused(at, "update-incident-status", **closed)
    assert (twice["kind"], "such an alert already" in twice["message"]) == ("conflict", True)
    assert unknown["kind"] == missing["kind"] == "not-found"
    assert (again["kind"], again["field"]) == ("conflict", "incidentId")
