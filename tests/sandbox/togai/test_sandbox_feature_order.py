"""Which feature credits events take: those there were when they happened, whoever comes first."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.billed import invoices, send
from sandbox.togai.world import RATED, account, associate, feature, granting, plan, schema

EVENTS = {"early": "2026-11-05", "middle": "2026-11-12", "late": "2026-11-18"}


def limited(ask: Asker) -> str:
    """The account main may use ten calls in November; each beyond them costs 0.25."""
    account(ask)
    schema(ask)
    calls = feature(ask)
    overage = [{"featureId": calls, **RATED}]
    granted = [granting(calls, 10)]
    associate(
        ask, plan(ask, billingEntitlementRateCards=granted, entitlementOverageRateCards=overage)
    )
    return calls


def buy(ask: Asker, calls: str) -> None:
    """Fifteen calls for a month from the 10th on."""
    cards = [granting(calls, 15)]
    bundle = plan(ask, "Bundle", kind="PURCHASE", billingEntitlementRateCards=cards)
    wish = {"pricePlanId": bundle, "effectiveFrom": "2026-11-10"}
    ask.done("POST", "/accounts/main/purchases", wish)


def come(ask: Asker, name: str, calls: str = "9") -> None:
    send(ask, name, calls, f"{EVENTS[name]}T08:00:00Z")


def used(ask: Asker, calls: str) -> dict[str, Any]:
    """What was used, by the entry's source."""
    rows = ask.done("GET", f"/accounts/main/features/{calls}/entries")["data"]
    return {row["source"]: row["used"] for row in rows}


def undo(ask: Asker, name: str) -> None:
    query = {"account_id": "main", "event_id": name, "action": "UNDO"}
    (row,) = ask.done("POST", "/events/correction", **query)["data"]
    assert row["status"] == "REVERTED"


@pytest.mark.parametrize("order", list(permutations(EVENTS)))
def test_events_take_what_there_was_when_they_happened_in_any_order(
    ask: Asker, order: tuple[str, ...]
) -> None:
    calls = limited(ask)
    buy(ask, calls)

    for name in order:
        come(ask, name)

    # The early one takes 9 of 10; those after the 10th the last one, then 15, and 2 are beyond.
    assert used(ask, calls) == {"PRICE_PLAN": 10, "ENTITLEMENT": 15, "OVERAGE": 2}
    undo(ask, "middle")
    assert used(ask, calls) == {"PRICE_PLAN": 10, "ENTITLEMENT": 8, "OVERAGE": 0}


def test_what_is_granted_later_pays_for_events_of_its_time(ask: Asker) -> None:
    calls = limited(ask)
    come(ask, "early", "12")
    come(ask, "late", "9")
    assert used(ask, calls) == {"PRICE_PLAN": 10, "OVERAGE": 11}

    buy(ask, calls)

    assert used(ask, calls) == {"PRICE_PLAN": 10, "ENTITLEMENT": 9, "OVERAGE": 2}
    (draft,) = [one for one in invoices(ask) if one["status"] == "DRAFT"]
    # 10 granted and 2 beyond them, at 0.25.
    assert draft["totalAmount"] == 3


def test_overage_goes_with_the_plan_that_allowed_it(ask: Asker) -> None:
    calls = limited(ask)
    come(ask, "early", "12")
    come(ask, "late", "9")
    period = {"effectiveFrom": "2026-11-18", "effectiveUntil": "9999-01-01"}

    ask.done("POST", "/accounts/main/price_plans", {"mode": "DISASSOCIATE", **period})

    # The late one is no longer in the plan's time; the early one stays 2 beyond.
    assert used(ask, calls) == {"PRICE_PLAN": 10, "OVERAGE": 2}
    (invoice,) = invoices(ask)
    assert (invoice["endDate"][:10], invoice["totalAmount"]) == ("2026-11-18", Decimal("3.00"))


def test_what_a_void_entry_gave_stays_used_until_its_event_is_taken_back(ask: Asker) -> None:
    calls = limited(ask)
    come(ask, "early", "4")
    come(ask, "late", "3")
    path = f"/accounts/main/features/{calls}/entries"
    rows = ask.done("GET", path)["data"]
    (granted,) = [row["id"] for row in rows if row["source"] == "PRICE_PLAN"]
    ask.done("POST", f"{path}/{granted.replace('#', '%23')}/void")
    come(ask, "middle", "2")
    assert used(ask, calls) == {"PRICE_PLAN": 7, "OVERAGE": 2}

    undo(ask, "early")

    assert used(ask, calls) == {"PRICE_PLAN": 3, "OVERAGE": 2}
