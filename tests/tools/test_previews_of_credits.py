"""What a plan says of a grant of credit and of feature credits, worked by hand."""

from decimal import Decimal
from typing import Any

import pytest

from good_calls import event, good_calls
from guard.guarded import Guarded, guarded
from recording import Recorder, Says, attach
from tools.planning import OF_HARBOR, planned, refused, shown

pytestmark = pytest.mark.anyio

GRANT = {"accountId": "harbor-main", "creditAmount": "50", "effectiveFrom": "2026-11-20"}
TEST = {"accountId": "harbor-test"}


async def test_a_grant_is_told_with_what_the_account_has_left_before_and_after() -> None:
    """30 + 12.25 are left, because no plan of the account uses any; a voided credit is none."""
    async with guarded() as at:
        for amount in ("30", "12.25", "1000"):
            last = grant(at, amount)
        at.world.ask("POST", f"/togai/credits/{last}/void")
        until = {"effectiveUntil": "2027-01-31", "purpose": 'Outage in "eu"'}
        plan = await planned(at, "grant-credit", **GRANT | TEST, **until)
    assert plan["effect"] == (
        'Grants 50.00 USD of credit to account harbor-test ("Account harbor-test") of customer '
        'harbor-labs ("Harbor Labs"), from 2026-11-20 until 2027-01-31, for the '
        'purpose "Outage in \\"eu\\"". What it has left goes from 42.25 USD to 92.25 USD.'
    )
    assert shown(plan) == (
        {"creditsLeft": "42.25", "currency": "USD"},
        {"creditsLeft": "92.25", "currency": "USD"},
    )
    assert plan["provided"] == {"currency": "USD"}
    assert plan["affects"] == ["harbor-labs", "harbor-test"]


def grant(at: Guarded, amount: str) -> str:
    """A credit of harbor-test, past our server; its id."""
    request = {
        **TEST,
        "purpose": "Given before",
        "priority": 1,
        "effectiveFrom": "2026-11-20",
        "creditAmount": Decimal(amount),
    }
    answer = at.world.ask("POST", "/togai/credits", {"creditRequests": [request]})
    found: str = answer["credits"][0]["id"]
    return found


async def test_what_is_used_or_on_hold_of_a_credit_is_not_left() -> None:
    """Of 100, 20.5 are used and 9.5 on hold: 70 are left."""
    credit = {
        "id": "cred.1",
        "accountId": "harbor-main",
        "status": "ACTIVE",
        "creditUnit": "USD",
        "creditAmount": 100,
        "consumedAmount": 20.5,
        "holdAmount": 9.5,
    }
    plan = await plan_beside(Says({"data": [credit]}))
    assert shown(plan) == (
        {"creditsLeft": "70.00", "currency": "USD"},
        {"creditsLeft": "120.00", "currency": "USD"},
    )


@pytest.mark.parametrize(
    "odd",
    [
        Says({"data": [{"id": "cred.1", "accountId": "harbor-main", "creditUnit": "USD"}]}),
        Says({"data": [{"id": "c", "accountId": "h", "creditUnit": "EUR", "creditAmount": 1}]}),
        Says({"data": [], "nextToken": "for-ever"}),
    ],
    ids=["no-amount", "other-currency", "no-end"],
)
async def test_a_sum_that_cannot_be_whole_is_left_out_and_said(odd: Says) -> None:
    plan = await plan_beside(odd)
    assert shown(plan) == (None, None)
    assert plan["effect"].endswith("What credit the account has left could not be summed up.")


async def plan_beside(credits_are: Says) -> dict[str, Any]:
    """The plan of a grant of 50 at a vendor whose list of credits is this."""
    account = {
        "id": "harbor-main",
        "name": "Account harbor-main",
        "customerId": "harbor-labs",
        "invoiceCurrency": "USD",
    }
    customer = {"id": "harbor-labs", "name": "Harbor Labs", "primaryEmail": "x@harbor.example"}
    async with guarded() as at:
        # The stake reads the account as well.
        answers = (Says(account), Says(account), Says(customer), credits_are)
        attach(at.server, Recorder(*answers))
        return await planned(at, "grant-credit", **GRANT)


async def test_a_period_that_ends_before_it_begins_makes_no_plan() -> None:
    async with guarded() as at:
        error = await refused(at, "grant-credit", **GRANT, effectiveUntil="2026-11-19")
    assert (error["kind"], error["field"]) == ("invalid-request", "effectiveUntil")


@pytest.mark.parametrize(
    "tool",
    ["grant-credit", "update-feature-credits-entry", "void-feature-credits-entry-feature"],
)
async def test_an_account_that_is_not_there_makes_no_plan(tool: str) -> None:
    async with guarded() as at:
        call = good_calls(at.world)[tool] | {"accountId": "nobody"}
        at.world.sandbox.backend.db.execute("delete from effects")
        error = await refused(at, tool, **call)
    assert error["kind"] == "not-found"
    assert "nobody" in error["message"]


async def test_an_archived_account_is_granted_nothing() -> None:
    async with guarded() as at:
        at.world.ask("DELETE", "/togai/accounts/harbor-test")
        error = await refused(at, "grant-credit", **GRANT | {"accountId": "harbor-test"})
    assert (error["kind"], error["field"]) == ("conflict", "accountId")


async def test_a_feature_is_told_with_what_is_left_of_it_before_and_after() -> None:
    async with guarded() as at:
        plan = await planned(at, "ingest-event-if-user-is", body={"event": event()})
    assert plan["effect"] == (
        "Sends an event of schema answers that happened at 2026-11-20T11:00:00Z, which uses up 3 "
        f'of feature {at.world.answers} ("Answers") of {OF_HARBOR}: 100 are left now, 97 then. '
        "Togai looks at what is left at the time of the event. What it costs is not known before "
        "it is rated."
    )
    assert shown(plan) == (
        {"balance": "100", "usedOverage": "0"},
        {"balance": "97", "usedOverage": "0"},
    )


@pytest.mark.parametrize(
    ("value", "told", "after"),
    [
        # 100 granted and 10 of overage: all of the grant, and 4 beyond.
        (
            "104",
            "100 are left now, 0 then, and 4 of it are overage",
            {"balance": "0", "usedOverage": "4"},
        ),
        (
            "111",
            "and 10 as overage: too few, so that Togai refuses the event unless more was left",
            {"balance": "100", "usedOverage": "0"},
        ),
    ],
)
async def test_overage_covers_what_the_grant_does_not_up_to_its_limit(
    value: str, told: str, after: dict[str, str]
) -> None:
    async with guarded() as at:
        answers = [{"name": "answers", "value": value}]
        body = {"event": event(attributes=answers)}
        plan = await planned(at, "ingest-event-if-user-is", body=body)
    assert told in plan["effect"]
    assert plan["after"] == after


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        ({"accountId": "nobody"}, "not-found", "body.event.accountId"),
        ({"schemaName": "unheard_of"}, "not-found", None),
        ({"schemaName": "api_calls"}, "invalid-request", "body.event.schemaName"),
        ({"attributes": []}, "invalid-request", "body.event.attributes"),
        ({"id": "counted"}, "conflict", "body.event.id"),
    ],
)
async def test_an_event_that_can_use_up_nothing_makes_no_plan(
    change: dict[str, Any], kind: str, field: str | None
) -> None:
    async with guarded() as at:
        at.world.ask("POST", "/togai/ingest", {"event": event(id="counted")})
        error = await refused(at, "ingest-event-if-user-is", body={"event": event() | change})
    assert (error["kind"], error.get("field")) == (kind, field)


async def test_a_change_of_a_grant_is_told_with_what_it_was_and_how_it_comes_back() -> None:
    async with guarded() as at:
        call = good_calls(at.world)["update-feature-credits-entry"]
        at.world.ask("POST", "/togai/ingest", {"event": event(id="used")})
        body = {"granted": "150", "effectiveUntil": "2026-12-31T00:00:00Z"}
        plan = await planned(at, "update-feature-credits-entry", **call | {"body": body})
    entry = call["entryId"]
    assert plan["effect"] == (
        f'Changes entry {entry} of feature {call["featureId"]} ("Answers") of {OF_HARBOR}: it '
        "grants 150 units instead of 100 units, of which 3 are used; it ends 2026-12-31T00:00:00Z "
        "instead of 2026-12-20T00:00:00.000Z."
    )
    assert shown(plan) == (
        {"granted": "100", "effectiveUntil": "2026-12-20T00:00:00.000Z"},
        {"granted": "150", "effectiveUntil": "2026-12-31T00:00:00Z"},
    )
    assert plan["undo"] == (
        "update-feature-credits-entry with granted 100, as long as that is more than is used; and "
        "effectiveUntil 2026-12-20T00:00:00.000Z, as long as that lies in the future."
    )
    assert plan["provided"] == {
        "status": "ACTIVE",
        "granted": "100",
        "effectiveUntil": "2026-12-20T00:00:00.000Z",
    }


async def test_a_grant_is_not_planned_below_what_is_used_of_it() -> None:
    async with guarded() as at:
        call = good_calls(at.world)["update-feature-credits-entry"]
        at.world.ask("POST", "/togai/ingest", {"event": event(id="used")})
        body = {"body": {"granted": "3"}}
        error = await refused(at, "update-feature-credits-entry", **call | body)
    assert (error["kind"], error["field"]) == ("conflict", "body.granted")
    assert error["message"].startswith("3 units of it are used already")


async def test_a_void_is_told_with_what_is_lost_and_nothing_takes_it_back() -> None:
    async with guarded() as at:
        call = good_calls(at.world)["void-feature-credits-entry-feature"]
        at.world.ask("POST", "/togai/ingest", {"event": event(id="used")})
        plan = await planned(at, "void-feature-credits-entry-feature", **call)
    assert plan["effect"].startswith(f"Voids entry {call['entryId']} of feature")
    assert plan["effect"].endswith(
        f'("Answers") of {OF_HARBOR}: of 100 units granted, the 97 units that are left can no '
        "longer be used."
    )
    assert shown(plan) == (
        {"status": "ACTIVE", "balance": "97"},
        {"status": "VOIDED", "balance": "0"},
    )
    assert (plan["reversible"], plan.get("undo")) == (False, None)


@pytest.mark.parametrize(
    "tool", ["update-feature-credits-entry", "void-feature-credits-entry-feature"]
)
async def test_an_entry_that_is_voided_or_not_there_makes_no_plan(tool: str) -> None:
    async with guarded() as at:
        call = good_calls(at.world)[tool]
        missing = await refused(at, tool, **call | {"entryId": "none"})
        entries = f"/togai/accounts/harbor-main/features/{at.world.answers}/entries"
        at.world.ask("POST", f"{entries}/{call['entryId']}/void")
        at.world.sandbox.backend.db.execute("delete from effects")
        voided = await refused(at, tool, **call)
    assert (missing["kind"], missing["field"]) == ("not-found", "entryId")
    assert (voided["kind"], voided["field"]) == ("conflict", "entryId")
    assert "is VOIDED" in voided["message"]
