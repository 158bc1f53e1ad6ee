"""Customers, accounts, aliases, settings, files, schemas, features and meters through their tools:
what reaches the vendor, what is shown, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer
from calls.organisation import SETTING, drafted_meter, drafted_schema, event, report
from guard.guarded import guarded
from recording import TOKEN, Recorder, Says, attach
from tools.planning import planned, refused
from world import World

pytestmark = pytest.mark.anyio

ALL = Settings(toolsets=("all",))
PER_KILO = "setting.USER.per_kilo.ORGANIZATION.sandbox"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("all",), policy=policy)


async def test_all_that_can_change_of_an_account_reaches_the_vendor(
    world: World, client: Client
) -> None:
    change = {
        "name": "Mill, aside",
        "status": "DRAFT",
        "netTermDays": 30,
        "invoiceCurrency": "gbp",
        "primaryEmail": "billing@mill.example",
        "billingInformation": {"emailRecipients": ["payable@mill.example"]},
        "address": {"line1": "1 Mill Lane"},
        "metadata": {"tier": "gold"},
        "tags": ["vip"],
    }
    facts(await client.call_tool("update-account", {"accountId": "mill-1"} | change))
    found = world.ask("GET", "/togai/accounts/mill-1")
    assert {name: found[name] for name in change} == change | {"invoiceCurrency": "GBP"}


async def test_a_customer_changes_and_goes_when_it_has_no_accounts(
    world: World, client: Client
) -> None:
    change = {
        "customerId": "north-mill",
        "name": "South Mill",
        "primaryEmail": "billing@south.example",
        "address": {"city": "Leeds"},
    }
    changed = facts(await client.call_tool("update-customer", change))
    assert (changed["name"], changed["billingAddress"]) == ("South Mill", "Leeds")
    wrong = failure(await client.call_tool("delete-customer", {"customerId": "north-mill"}))
    assert "still has 1 accounts" in wrong["message"]
    facts(await client.call_tool("delete-account", {"accountId": "mill-1"}))
    gone = facts(await client.call_tool("delete-customer", {"customerId": "north-mill"}))
    assert gone["success"] is True
    assert world.ask("GET", "/togai/customers/north-mill")["status"] == "ARCHIVED"


async def test_a_contact_reaches_the_vendor_whole(server: BillingServer, client: Client) -> None:
    made = {"username": "u", "name": "Payable", "loginAccess": True, "verified": True}
    recorder = Recorder(Says(made | {"createdAt": "2026-11-20T12:00:00Z"}, 201))
    attach(server, recorder)
    person = {
        "name": "Payable",
        "email": "payable@acme.example",
        "preferredUsername": "payable",
        "phone": "+1",
        "password": "correct horse",
        "loginAccess": True,
        "verified": True,
    }
    answer = await client.call_tool("create-customer-contact", {"customerId": "acme"} | person)
    assert facts(answer)["username"] == "u"
    (sent,) = (one for one in recorder.requests if one.method == "POST")
    assert sent.target == "/togai/customers/acme/contacts"
    assert json.loads(sent.body) == person
    assert "correct horse" not in said(answer)


async def test_aliases_with_periods_come_and_end(world: World, client: Client) -> None:
    mill = {"accountId": "mill-1"}
    period = {"value": "device", "effectiveFrom": "2026-11-01T00:00:00Z"}
    add = mill | {"aliases": ["mill-two"], "accountAliases": [period]}
    facts(await client.call_tool("add-account-aliases", add))
    rows = facts(await client.call_tool("list-account-aliases", mill))["data"]
    assert [(row["value"], row["effectiveFrom"][:10]) for row in rows] == [
        ("mill-two", "1970-01-01"),
        ("device", "2026-11-01"),
    ]
    ended = {"id": rows[1]["id"], "endsAt": "2026-12-01T00:00:00Z"}
    remove = mill | {"aliases": ["mill-two"], "accountAliases": [ended]}
    facts(await client.call_tool("remove-account-aliases", remove))
    (left,) = facts(await client.call_tool("list-account-aliases", mill))["data"]
    assert (left["value"], left["effectiveUntil"][:10]) == ("device", "2026-12-01")


@pytest.mark.parametrize("tool", ["add-account-aliases", "remove-account-aliases"])
async def test_a_call_without_aliases_is_refused_before_anything_is_sent(
    tool: str, server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({}))
    attach(server, recorder)
    wrong = failure(await client.call_tool(tool, {"accountId": "mill-1", "aliases": []}))
    assert (wrong["kind"], wrong["field"]) == ("invalid-request", "aliases")
    assert not [one for one in recorder.requests if one.method != "GET"]


UPDATES: dict[str, dict[str, Any]] = {
    "update-customer": {"customerId": "north-mill"},
    "update-account": {"accountId": "mill-1"},
    "update-setting": {"settingId": PER_KILO},
    "update-event-schema": {"eventSchemaName": "api_calls"},
    "update-feature": {"featureId": "{answers}"},
    "update-usage-meter": {"usageMeterId": "{calls_meter}"},
}


@pytest.mark.parametrize("tool", UPDATES)
async def test_a_change_of_nothing_is_refused_and_makes_no_plan(tool: str) -> None:
    async with guarded(ALL) as at:
        at.world.ask("POST", "/togai/settings", SETTING)
        ids = {"answers": at.world.answers, "calls_meter": at.world.calls_meter}
        call = {name: text.format(**ids) for name, text in UPDATES[tool].items()}
        at.world.sandbox.backend.db.execute("delete from effects")
        sent = failure(await at.call(tool, call))
        plan = await refused(at, tool, **call)
        assert at.effects == []
    assert sent["kind"] == plan["kind"] == "invalid-request"
    assert "No field to change is given" in sent["message"]


async def test_a_change_to_what_is_there_already_says_so() -> None:
    async with guarded(ALL) as at:
        plan = await planned(at, "update-customer", customerId="north-mill", name="North Mill")
    assert plan["effect"] == (
        'Leaves the customer north-mill ("North Mill") as it is: it has all of this already.'
    )


TAKEN: dict[str, dict[str, Any]] = {
    "add-account-aliases": {"accountId": "mill-1", "aliases": ["taken"]},
    "create-aliases": {"aliases": ["taken"]},
    "create-setting": SETTING,
    "create-event-schema": {"name": "api_calls", "attributes": [], "dimensions": []},
    "create-feature": {"name": "Answers", "schemaAssociations": []},
    "create-usage-meter": {
        "name": "API calls",
        "eventSchemaName": "api_calls",
        "aggregation": "COUNT",
    },
}


@pytest.mark.parametrize("tool", TAKEN)
async def test_what_is_there_already_makes_no_plan(tool: str) -> None:
    async with guarded(ALL) as at:
        at.world.ask("POST", "/togai/settings", SETTING)
        at.world.ask("POST", "/togai/accounts/mill-1/add_aliases", {"aliases": ["taken"]})
        at.world.sandbox.backend.db.execute("delete from effects")
        error = await refused(at, tool, **TAKEN[tool])
    assert error["kind"] == "conflict"
    assert "already" in error["message"]


ARCHIVED: dict[str, dict[str, Any]] = {
    "update-customer": {"name": "New name"},
    "delete-customer": {},
    "create-customer-contact": {"name": "Payable", "email": "payable@gone.example"},
}


@pytest.mark.parametrize("tool", ARCHIVED)
async def test_what_is_archived_makes_no_plan(tool: str) -> None:
    gone = {"id": "gone", "name": "Gone", "primaryEmail": "x@gone.example", "address": {}}
    async with guarded(ALL) as at:
        at.world.ask("POST", "/togai/customers", gone)
        at.world.ask("DELETE", "/togai/customers/gone")
        at.world.sandbox.backend.db.execute("delete from effects")
        error = await refused(at, tool, customerId="gone", **ARCHIVED[tool])
    assert (error["kind"], error["field"]) == ("conflict", "customerId")
    assert error["message"] == 'The customer gone ("Gone") is ARCHIVED, and stays so.'


async def test_only_what_was_active_is_deactivated() -> None:
    async with guarded(ALL) as at:
        meter = drafted_meter(at.world, "Drafted")
        at.world.sandbox.backend.db.execute("delete from effects")
        error = await refused(at, "deactivate-usage-meter", usageMeterId=meter)
        plan = await planned(at, "activate-event-schema", eventSchemaName="api_calls")
    assert error["message"] == f'The usage meter {meter} ("Drafted") is DRAFT, not ACTIVE.'
    assert plan["effect"] == "Leaves the event schema api_calls as it is: it is ACTIVE already."


async def test_an_alias_that_an_account_lacks_cannot_be_removed() -> None:
    async with guarded(ALL) as at:
        call = {"accountId": "mill-1", "aliases": ["none"]}
        error = await refused(at, "remove-account-aliases", **call)
    assert error["message"].startswith('"none" is no alias of account mill-1')


async def test_settings_are_listed_and_read(world: World, client: Client) -> None:
    world.ask("POST", "/togai/settings", SETTING)
    found = {"entityType": "ORGANIZATION", "entityId": "sandbox", "id": "per_kilo"}
    (row,) = facts(await client.call_tool("list-settings", found | {"namespace": "USER"}))["data"]
    assert row == SETTING
    shown = facts(await client.call_tool("get-setting", {"settingId": PER_KILO}))
    assert shown["value"] == "1000"
    missing = failure(await client.call_tool("get-setting", {"settingId": "setting.a.b.c.d"}))
    assert missing["kind"] == "not-found"


@pytest.mark.parametrize("tool", ["create-setting", "update-setting"])
async def test_a_setting_that_is_answered_with_nothing_is_read(
    tool: str, server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says(b"", 204), Says(SETTING))
    attach(server, recorder)
    call = SETTING if tool == "create-setting" else {"settingId": PER_KILO, "value": "1000"}
    assert facts(await client.call_tool(tool, call))["value"] == "1000"
    assert recorder.requests[-1].target == f"/togai/settings/{PER_KILO}"


async def test_a_file_is_shown_by_a_link_that_is_not_followed(world: World, client: Client) -> None:
    file_id = report(world)
    named = facts(await client.call_tool("list-reports", {"fetchFor": "ORGANIZATION"}))["data"]
    assert [row["fileId"] for row in named] == [file_id]
    for tool in ("get-file", "get-file-download-url"):
        link = facts(await client.call_tool(tool, {"fileId": file_id}))["downloadUrl"]
        assert f"/control/files/{file_id}?until=2026-11-20T13" in link
    own = {"fetchFor": "ACCOUNTS", "accountId": "mill-1"}
    assert facts(await client.call_tool("list-reports", own))["data"] == []
    wrong = failure(await client.call_tool("list-reports", {"accountId": "mill-1"}))
    assert (wrong["kind"], wrong["field"]) == ("invalid-request", "accountId")


async def test_a_redirect_to_nowhere_is_no_file(server: BillingServer, client: Client) -> None:
    attach(server, Recorder(Says(None, 302)))
    wrong = failure(await client.call_tool("get-file", {"fileId": "file.1"}))
    assert wrong["kind"] == "unavailable"
    assert "without saying where the file is" in wrong["message"]


async def test_a_key_that_a_link_repeats_is_taken_out(
    server: BillingServer, client: Client
) -> None:
    link = f"https://files.example/?key={TOKEN}&file=1"
    attach(server, Recorder(Says(None, 302, {"location": link})))
    shown = facts(await client.call_tool("get-file", {"fileId": "file.1"}))["downloadUrl"]
    assert shown == "https://files.example/?key=[secret]&file=1"


async def test_a_schema_with_enrichments_enriches_events(world: World, client: Client) -> None:
    world.ask("POST", "/togai/settings", SETTING)
    kilocalls = {
        "name": "kilocalls",
        "type": "ATTRIBUTE",
        "enrichmentType": "JSON_LOGIC",
        "value": '{"/": [{"var": "attribute.calls"}, {"var": "dependencies.per_kilo"}]}',
        "order": 1,
    }
    dependency = {"key": "setting.user.per_kilo", "name": "per_kilo"}
    made = {
        "name": "enriched",
        "attributes": [{"name": "calls", "defaultUnit": "call"}],
        "dimensions": [{"name": "region"}],
        "description": "Counted in thousands",
        "enrichments": {"fields": [kilocalls], "dependencies": [dependency]},
        "filterFields": ["region"],
        "eventIdTemplate": "{{accountId}}-{{timestamp}}",
    }
    facts(await client.call_tool("create-event-schema", made))
    named = {"eventSchemaName": "enriched"}
    facts(await client.call_tool("activate-event-schema", named))
    sent = event("thousands") | {"schemaName": "enriched"}
    facts(await client.call_tool("ingest-event", {"event": sent}))
    (arrival,) = facts(await client.call_tool("get-event", {"eventId": "thousands"}))["data"]
    added = arrival["eventPipelineInfo"]["enrichments"]
    assert [(one["name"], one["value"]) for one in added["attributes"]] == [("kilocalls", "0.003")]
    more = named | {"dimensions": [{"name": "region"}, {"name": "tier"}]}
    assert facts(await client.call_tool("update-event-schema", more))["version"] == 2
    versions = facts(await client.call_tool("list-event-schema-versions", named))["data"]
    assert [(row["version"], row["status"]) for row in versions] == [(2, "ACTIVE"), (1, "ARCHIVED")]


async def test_a_meter_reaches_the_vendor_whole(world: World, client: Client) -> None:
    computation = {
        "matcher": '{">=": [{"var": "attributes.calls"}, 1000]}',
        "computation": '{"var": "attributes.calls"}',
    }
    made = {
        "name": "Large",
        "eventSchemaName": "api_calls",
        "aggregation": "SUM",
        "billableName": "Large calls",
        "description": "Those of a thousand",
        "filters": [{"field": "region", "value": "eu"}],
        "computations": [computation],
    }
    meter = facts(await client.call_tool("create-usage-meter", made))
    assert meter["computations"] == [computation | {"order": 1}]
    assert (meter["type"], meter["status"], meter["filters"]) == (
        "COUNTER",
        "DRAFT",
        made["filters"],
    )
    shown = {"usageMeterId": meter["id"], "includeSchema": True}
    whole = facts(await client.call_tool("get-usage-meter", shown))
    assert whole["eventSchema"]["name"] == "api_calls"
    named = {"usageMeterId": meter["id"]}
    changed = {"eventSchemaName": "answers", "aggregation": "COUNT", "computations": []}
    after = facts(await client.call_tool("update-usage-meter", named | changed))
    assert (after["eventSchema"]["name"], after["aggregation"]) == ("answers", "COUNT")
    facts(await client.call_tool("delete-usage-meter", named))
    assert world.ask("GET", f"/togai/usage_meters/{meter['id']}")["status"] == "ARCHIVED"


async def test_a_feature_is_fed_by_an_attribute(world: World, client: Client) -> None:
    fed = [{"schemaName": drafted_schema(world, "minutes"), "attributeName": "units"}]
    made = {"name": "Minutes", "billableName": "Talk time", "schemaAssociations": fed}
    feature = facts(await client.call_tool("create-feature", made))
    assert feature["schemaAssociations"] == fed
    emptied = {"featureId": feature["id"], "schemaAssociations": []}
    assert facts(await client.call_tool("update-feature", emptied))["schemaAssociations"] == []
