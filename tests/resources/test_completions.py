"""What completes an id that somebody has begun to type."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from mcp import Client
from mcp.types import ResourceTemplateReference

from billing_mcp.completions import FRESH_SECONDS, KEPT_LISTS, MOST_VALUES, Completions
from billing_mcp.config import Settings, from_environ
from billing_mcp.server import BillingServer
from billing_mcp.tenants import Caller
from recording import Recorder, Says, attach
from world import OPERATION, open_world

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def completions(server: BillingServer, clock: Clock) -> Completions:
    return Completions(server.catalog, clock)


async def values(
    completions: Completions, server: BillingServer, kind: str, begun: str = "", **known: str
) -> list[str]:
    found = await completions.values(kind, begun, server.caller(), known)
    assert found.total == len(found.values)
    assert not found.has_more
    return found.values


async def typed(client: Client, template: str, begun: str) -> list[str]:
    """What a client is offered for the parameter of a template."""
    parameter = template.split("{")[1].rstrip("}")
    reference = ResourceTemplateReference(type="ref/resource", uri=template)
    result = await client.complete(reference, {"name": parameter, "value": begun})
    assert result.completion.total == len(result.completion.values)
    assert result.completion.has_more is False
    return result.completion.values


async def test_every_template_completes_its_parameter(client: Client) -> None:
    assert await typed(client, "billing://accounts/{id}", "acme") == ["acme-prod", "acme-staging"]
    assert await typed(client, "billing://event-schemas/{name}", "a") == [
        "api_requests",
        "assistant",
        "storage",  # only contains it
    ]
    assert await typed(client, "billing://schemas/{name}", "met") == [
        "metering-configuration",
        "billable-metric",
        "billable-metric-change",
    ]
    assert await typed(client, "billing://guides/{topic}", "pack") == ["packages"]
    (feature,) = await typed(client, "billing://features/{id}", "ai assist")
    assert feature.startswith("feat.")
    (plan,) = await typed(client, "billing://price-plans/{id}", "scal")
    assert plan.startswith("pp.")
    assert len(await typed(client, "billing://price-plans/{id}", "pp.")) == 5
    assert len(await typed(client, "billing://invoices/{id}", "kite")) == 4
    assert await typed(client, "billing://accounts/{id}", "nothing like it") == []


async def test_what_is_no_parameter_of_a_template_is_not_completed(client: Client) -> None:
    for uri, name in (
        ("billing://accounts/{id}", "name"),
        ("billing://accounts", "id"),
        ("billing://weather/{id}", "id"),
    ):
        reference = ResourceTemplateReference(type="ref/resource", uri=uri)
        result = await client.complete(reference, {"name": name, "value": ""})
        assert result.completion.values == []


async def test_a_name_that_gives_orders_completes_to_its_id(
    completions: Completions, server: BillingServer
) -> None:
    assert await values(completions, server, "customer", "ignore prev") == ["tidewater"]
    assert await values(completions, server, "account", "APPROVE ALL") == ["tidewater-1"]


async def test_what_begins_so_comes_before_what_contains_it(
    completions: Completions, server: BillingServer
) -> None:
    found = await values(completions, server, "account", "s")
    assert set(found[:2]) == {"sakura-tokyo", "tidewater-1"}  # the latter by its name, SYSTEM: …
    assert "acme-staging" in found[2:]


async def test_known_arguments_narrow_what_is_offered(
    completions: Completions, server: BillingServer
) -> None:
    everything = await values(completions, server, "account")
    assert len(everything) == 10
    of_acme = await values(completions, server, "account", customerId="acme")
    assert set(of_acme) == {"acme-prod", "acme-staging"}
    assert len(await values(completions, server, "invoice", accountId="acme-prod")) == 4
    assert len(await values(completions, server, "credit", accountId="acme-prod")) == 1
    assert len(await values(completions, server, "usage-meter")) == 4
    assert len(await values(completions, server, "usage-meter", eventSchemaName="compute")) == 1


async def test_what_suger_knows_is_completed_too(
    completions: Completions, server: BillingServer
) -> None:
    world = open_world(server)
    body = {
        "id": OPERATION,
        "organizationID": "sandbox",
        "entitlementID": "on-aws",
        "records": {"api_calls": 5},
    }
    world.ask("POST", "/suger/org/sandbox/entitlement/on-aws/usageRecordGroup", body)
    assert await values(completions, server, "billable-metric", "nodes u") == ["nodes"]
    assert await values(completions, server, "usage-record-group", "on-a") == [OPERATION]
    assert await values(completions, server, "entitlement", "buyer") == ["on-aws"]


async def test_values_have_no_spaces(completions: Completions, server: BillingServer) -> None:
    rows = [{"name": "api calls"}, {"name": "api_calls"}, {"name": "tab\tbed"}]
    attach(server, Recorder(Says({"data": rows})))
    assert await values(completions, server, "event-schema") == ["api_calls"]


async def test_a_list_is_asked_for_once_a_minute(
    completions: Completions, server: BillingServer, clock: Clock
) -> None:
    recorder = Recorder(Says({"data": [{"id": "pp.1", "name": "One"}]}))
    attach(server, recorder)
    for begun in ("", "p", "one", "x"):
        await values(completions, server, "price-plan", begun)
    assert len(recorder.requests) == 1
    clock.now = FRESH_SECONDS - 1
    await values(completions, server, "price-plan")
    assert len(recorder.requests) == 1
    clock.now = FRESH_SECONDS
    assert await values(completions, server, "price-plan") == ["pp.1"]
    assert len(recorder.requests) == 2


async def test_nothing_crosses_tenants_or_callers_with_other_rights(
    completions: Completions, server: BillingServer
) -> None:
    recorder = Recorder(Says({"data": [{"id": "pp.1", "name": "One"}]}))
    attach(server, recorder)
    mine = server.caller()
    other_tenant = replace(mine.tenant, settings=replace(mine.tenant.settings, name="other"))
    other_tenant._connections.update(mine.tenant._connections)
    server.catalog._selected["other"] = ()
    callers = (
        mine,
        replace(mine, principal="somebody"),
        Caller(other_tenant),
    )
    for asked, caller in enumerate(callers, 1):
        for _ in range(2):
            assert (await completions.values("price-plan", "", caller, {})).values == ["pp.1"]
        assert len(recorder.requests) == asked
    without_rights = replace(mine, scopes=frozenset[str]())
    assert not (await completions.values("price-plan", "", without_rights, {})).values
    assert len(recorder.requests) == len(callers)


async def test_only_so_many_lists_are_kept(completions: Completions, server: BillingServer) -> None:
    recorder = Recorder(Says({"data": []}))
    attach(server, recorder)
    for number in range(KEPT_LISTS + 1):
        await values(completions, server, "invoice", accountId=f"account-{number}")
    assert len(completions._kept) == KEPT_LISTS
    await values(completions, server, "invoice", accountId=f"account-{KEPT_LISTS}")
    assert len(recorder.requests) == KEPT_LISTS + 1
    await values(completions, server, "invoice", accountId="account-0")
    assert len(recorder.requests) == KEPT_LISTS + 2


async def test_a_vendor_that_fails_gives_no_values_and_is_asked_again(
    completions: Completions, server: BillingServer, caplog: pytest.LogCaptureFixture
) -> None:
    attach(server, Recorder(Says({"message": "no"}, 403), Says({"data": [{"name": "one"}]})))
    with caplog.at_level(logging.INFO, "billing_mcp.completions"):
        assert await values(completions, server, "event-schema") == []
    (record,) = [one for one in caplog.records if one.name == "billing_mcp.completions"]
    assert record.levelno == logging.INFO
    assert record.getMessage() == "No completions from list-event-schemas: not-permitted"
    assert await values(completions, server, "event-schema") == ["one"]


async def test_without_a_vendors_key_its_things_have_no_values() -> None:
    server = BillingServer(from_environ({"SUGER_API_KEY": "key-1", "SUGER_ORG_ID": "o"}))
    completions = Completions(server.catalog)
    assert await values(completions, server, "account", "a") == []
    excluded = BillingServer(Settings(exclude_tools=("list-accounts",)))
    assert await values(Completions(excluded.catalog), excluded, "account", "acme") == []


def rows(start: int, count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"a-{n}", "name": f"Name {n}", "primaryEmail": "x@a.example"}
        for n in range(start, start + count)
    ]


async def test_of_a_list_that_fits_the_first_hundred_are_given_and_all_are_counted(
    completions: Completions, server: BillingServer
) -> None:
    attach(
        server,
        Recorder(Says({"data": rows(0, 90), "nextToken": "t"}), Says({"data": rows(90, 60)})),
    )
    found = await completions.values("customer", "a-", server.caller(), {})
    assert found.values == [f"a-{n}" for n in range(MOST_VALUES)]
    assert (found.total, found.has_more) == (150, True)


async def test_of_a_longer_list_the_vendor_is_asked_to_search(
    completions: Completions, server: BillingServer
) -> None:
    endless = [Says({"data": rows(page * 100, 100), "nextToken": "more"}) for page in range(3)]
    searched = Says({"data": rows(9_000, 2)})
    recorder = Recorder(*endless, searched)
    attach(server, recorder)
    found = await completions.values("account", "name 900", server.caller(), {})
    assert found.values == ["a-9000", "a-9001"]
    assert (found.total, found.has_more) == (None, True)
    assert len(recorder.requests) == 4
    assert "_search=name%20900" in recorder.requests[-1].target.replace("+", "%20")
    metrics = [{"id": f"m-{n}", "name": "Nodes", "aggregationType": "SUM"} for n in range(3)]
    attach(server, Recorder(Says(metrics)))
    assert await values(completions, server, "billable-metric") == ["m-0", "m-1", "m-2"]
    # Nobody can search invoices, so what was not looked through is only said to be there.
    attach(server, Recorder(Says({"data": [{"id": "inv.1"}], "nextToken": "more"})))
    found = await completions.values("invoice", "inv", server.caller(), {})
    assert (found.values, found.total, found.has_more) == (["inv.1"], None, True)


async def test_near_ones_are_found_by_id_and_by_name_and_are_at_most_three(
    completions: Completions, server: BillingServer
) -> None:
    caller = server.caller()
    assert await completions.near("account", "acme_prod", caller) == ["acme-prod"]
    assert await completions.near("customer", "Akme Robotics", caller) == ["acme"]
    assert len(await completions.near("invoice", "inv.", caller)) == 3
    assert await completions.near("account", "", caller) == []
    assert await completions.near("weather", "rain", caller) == []
