"""What must hold of invoices and credits whatever happens, in whatever order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from billing_mcp.sandbox import SandboxSettings, open_sandbox
from sandbox.asking import Asker
from sandbox.togai.billed import fee, invoices, lines
from sandbox.togai.world import CYCLE, RATED, account, associate, event, meter, plan, schema

NONE = Decimal(0)
STEPS = 30


@dataclass(slots=True)
class Life:
    """The account main on a monthly and a weekly plan, and chance."""

    ask: Asker
    random: Random
    events: int = 0

    def today(self, days: int = 0) -> date:
        return self.ask.sandbox.backend.now().date() + timedelta(days=days)


def begin(seed: int) -> Life:
    ask = Asker(open_sandbox(SandboxSettings(demo=False)))
    account(ask)
    schema(ask)
    promised = {"displayName": "Least", "rateValues": [{"currency": "USD", "rate": 9}]}
    card = {"usageMeterId": meter(ask), **RATED}
    weekly = CYCLE | {"interval": "WEEKLY", "gracePeriod": 9}
    monthly = plan(ask, usageRateCards=[card], fixedFeeRateCards=[fee("3", "IN_ADVANCE")])
    other: dict[str, Any] = {"minimumCommitment": promised, "pricingCycleConfig": weekly}
    associate(ask, monthly)
    associate(ask, plan(ask, "Other", usageRateCards=[card], **other), "2026-11-11")
    return Life(ask, Random(seed))


def ingest(life: Life) -> None:
    life.events += 1
    calls = str(Decimal(life.random.randrange(1, 4000)).scaleb(-2))
    day = life.today(-life.random.randrange(20))
    sent = event(f"e{life.events}", calls, timestamp=f"{day}T00:00:00Z")
    life.ask.done("POST", "/ingest", {"event": sent})


def correct(life: Life) -> None:
    query = {
        "account_id": "main",
        "event_id": f"e{life.random.randrange(life.events + 1)}",
        "action": life.random.choice(["UNDO", "REDO"]),
    }
    life.ask.togai("POST", "/events/correction", **query)


def grant(life: Life) -> None:
    wish: dict[str, Any] = {
        "accountId": "main",
        "purpose": "Promotion",
        "effectiveFrom": life.today(life.random.randrange(-30, 10)).isoformat(),
        "creditAmount": Decimal(life.random.randrange(1, 5000)).scaleb(-2),
        "priority": life.random.randrange(3),
    }
    if life.random.random() < 0.7:
        wish["effectiveUntil"] = life.today(life.random.randrange(11, 60)).isoformat()
    if life.random.random() < 0.3:
        wish["applicableEntityIds"] = ["ALL_USAGE_METER_RATE_CARDS"]
    life.ask.done("POST", "/credits", {"creditRequests": [wish]})


def void_credit(life: Life) -> None:
    rows = life.ask.done("GET", "/credits", status="ACTIVE")["data"]
    if rows:
        life.ask.done("POST", f"/credits/{life.random.choice(rows)['id']}/void")


def settle(life: Life) -> None:
    rows = life.ask.done("GET", "/invoices", status="DUE")["data"]
    if rows:
        path = f"/invoices/{life.random.choice(rows)['id']}"
        life.ask.done("PATCH", path, {"status": life.random.choice(["PAID", "VOID"])})


def leave(life: Life) -> None:
    start = life.random.randrange(-8, 8)
    period = {
        "effectiveFrom": life.today(start).isoformat(),
        "effectiveUntil": life.today(start + life.random.randrange(1, 6)).isoformat(),
    }
    life.ask.togai("POST", "/accounts/main/price_plans", {"mode": "DISASSOCIATE", **period})


def pass_time(life: Life) -> None:
    advance = f"P{life.random.randrange(1, 9)}DT{life.random.randrange(24)}H"
    life.ask.control("POST", "/clock", {"advance": advance})


DOINGS: Sequence[Callable[[Life], None]] = (
    *(ingest, ingest, ingest, ingest, pass_time, pass_time),
    *(correct, grant, void_credit, settle, leave),
)


def check(life: Life) -> None:
    found = invoices(life.ask)
    for one in found:
        assert one["revenueInfo"]["value"] == one["totalAmount"] >= 0
        for line in lines(one["revenueInfo"]):
            if line["lineItems"]:
                assert line["value"] == sum(part["value"] for part in line["lineItems"])
    counted = counted_usage(life)
    for one in found:
        if one["invoiceType"] == "STANDARD":
            key = one["pricePlanId"], one["startDate"][:10]
            assert one["usageInfo"][0]["value"] == counted.pop(key, NONE), key
    assert not counted
    held = used(one for one in found if one["status"] == "DRAFT")
    for row in life.ask.done("GET", "/credits")["data"]:
        moves = life.ask.done("GET", f"/credits/{row['id']}")["transactions"]
        sums = dict.fromkeys(("CREDITED", "DEBITED", "EXPIRED", "VOIDED"), NONE)
        for move in moves:
            sums[move["transactionType"]] += move["amount"]
        # Void invoices give back what credits paid of them.
        given_back = sums["CREDITED"] - row["creditAmount"]
        assert row["consumedAmount"] == sums["DEBITED"] - given_back
        assert row["holdAmount"] == held.get(row["id"], NONE)
        gone = sums["EXPIRED"] + sums["VOIDED"]
        left = row["creditAmount"] - row["consumedAmount"] - gone - row["holdAmount"]
        assert left >= 0, row
        assert row["status"] != "CONSUMED" or row["consumedAmount"] == row["creditAmount"]


def counted_usage(life: Life) -> dict[tuple[str, str], Decimal]:
    """What events say they were counted for, by plan and start of cycle."""
    found: dict[tuple[str, str], Decimal] = {}
    for number in range(life.events):
        for arrival in life.ask.done("GET", f"/events/e{number + 1}")["events"]:
            pipeline = arrival["eventPipelineInfo"]
            if arrival["ingestionStatus"]["status"] == "INGESTION_COMPLETED_EVENT_METERED":
                for plan_ in pipeline["pricePlans"]:
                    key = plan_["id"], plan_["cycleStart"]
                    found[key] = found.get(key, NONE) + pipeline["usageMeters"][0]["units"]
    return found


def used(found: Any) -> dict[str, Decimal]:
    used: dict[str, Decimal] = {}
    for one in found:
        for line in lines(one["revenueInfo"]):
            if line["type"] == "SUB_CREDITS":
                used[line["id"]] = used.get(line["id"], NONE) - line["value"]
    return used


@pytest.mark.parametrize("seed", range(12))
def test_credits_add_up_and_invoices_are_the_sums_of_their_lines_whatever_happens(
    seed: int,
) -> None:
    life = begin(seed)
    for _ in range(STEPS):
        life.random.choice(DOINGS)(life)
        check(life)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_read_on_the_way_makes_no_difference(seed: int) -> None:
    read, unread = begin(seed), begin(seed)
    for _ in range(STEPS):
        for life in (read, unread):
            life.random.choice(DOINGS)(life)
        invoices(read.ask)

    one, other = (
        [(row["startDate"], row["status"], row["revenueInfo"]) for row in invoices(life.ask)]
        for life in (read, unread)
    )

    assert one == other
