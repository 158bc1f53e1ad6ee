"""The figures of the guide on entitlements: grants by the rating engine, use by the sandbox."""

from datetime import date
from decimal import Decimal
from typing import Any

from billing_mcp.rating import entitlement_card
from billing_mcp.rating.cards import Recurrence
from billing_mcp.rating.cycles import cycle_number
from billing_mcp.rating.exact_numbers import total
from billing_mcp.rating.plan import CycleRule, read_plan
from billing_mcp.rating.recurrence import due, window
from billing_mcp.sandbox import SandboxSettings, open_sandbox
from docs.guide_slabs import Figures, by_slab, slab_card
from docs.guide_text import Guide, Rows, Section, short, usd
from rating.worked import details, rated, tiers
from sandbox.asking import Asker
from sandbox.togai.billed import amounts, invoices
from sandbox.togai.world import account, associate, event, feature, granting, plan, schema


def entitlements_and_feature_credits(guide: Guide) -> Figures:
    return {
        "What a card grants and costs": _grants(guide["What a card grants and costs"]),
        "Using it up": _used_up(guide["Using it up"]),
        "When overage is billed": _billed(guide["When overage is billed"].tables[0]),
    }


def _grants(section: Section) -> list[str]:
    portions, slabs = section.tables
    (start,) = section.stated(r"Cycle from (\S+),")
    card = {
        "featureId": "feat.calls",
        "invoiceTiming": "IN_ARREARS",
        "featureConfigs": [
            {
                "featureCreditLimit": Decimal(row["featureCreditLimit"]),
                "effectiveFrom": row["effectiveFrom"],
                "effectiveUntil": row["effectiveUntil"],
            }
            for row in portions
        ],
        **slab_card("TIERED", slabs),
    }
    given = details(billingEntitlementRateCards=[card])
    (read,) = read_plan(given).entitlements
    cycle = cycle_number(CycleRule("MONTHLY"), date.fromisoformat(start), None, 0)
    assert cycle is not None
    granted = entitlement_card.granted(read, cycle)
    days = [
        f"{moment:%Y-%m-%d}"
        for portion in granted
        for moment in (portion.effective_from, portion.effective_until)
    ]
    (line,) = rated(given).cards
    units = short(total(portion.amount for portion in granted))
    return [*days, units, *by_slab(line), usd(line.amount)]


def _used_up(section: Section) -> list[str]:
    given = section.inputs
    sandbox = open_sandbox(SandboxSettings(demo=False))
    ask = Asker(sandbox)
    feature_id = _entitled(ask, given)
    found = []
    for number, row in enumerate(section.tables[1]):
        body = {"event": event(f"e{number}", row["units"])}
        status = ask.togai("POST", "/entitled", body).status
        left = ask.done("GET", f"/accounts/main/features/{feature_id}")
        found += [str(status), short(left["balance"]), short(left["usedOverage"])]
    (invoice,) = invoices(ask)
    (cost,) = amounts(invoice, "ENTITLEMENT_OVERAGE_RATE_CARD_AMOUNT")
    entitlement = ask.done("GET", f"/accounts/main/entitlements/{feature_id}")
    answers = [
        ask.done("POST", f"/accounts/main/entitlements/{feature_id}", {"value": value})["success"]
        for value in section.stated(r"a check of (\d+) answers \S+ and of (\d+)")
    ]
    sandbox.close()
    return [
        *found,
        short(left["usedOverage"]),
        usd(cost),
        entitlement["data"][0]["value"],
        *("yes" if answer else "no" for answer in answers),
    ]


def _entitled(ask: Asker, given: dict[str, str]) -> str:
    """The feature of an account in a plan that grants and allows what the guide says."""
    account(ask)
    schema(ask)
    feature_id = feature(ask)
    overage = {
        "featureId": feature_id,
        "maxQuantity": Decimal(given["overage maxQuantity"]),
        **tiers("TIERED", ("0", given["overage rate in USD"])),
    }
    cards: dict[str, Any] = {
        "billingEntitlementRateCards": [
            granting(feature_id, Decimal(given["granted for the month"]))
        ],
        "entitlementOverageRateCards": [overage],
    }
    associate(ask, plan(ask, **cards))
    return feature_id


def _billed(rows: Rows) -> list[str]:
    found = []
    for row in rows:
        billing = Recurrence(int(row["interval"]), int(row["startOffset"]))
        numbers = [number for number in range(9) if due(billing, number)]
        covered = window(billing, numbers[0])
        assert covered is not None
        found += [", ".join(map(str, numbers)), ", ".join(map(str, covered))]
    return found
