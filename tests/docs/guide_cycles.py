"""The figures of the guide on pricing cycles, by the rating engine."""

from datetime import date
from decimal import Decimal
from typing import Any

from billing_mcp.rating.cards import Recurrence
from billing_mcp.rating.cycles import Cycle, anniversary_rule, cycle_number, grace_end
from billing_mcp.rating.lines import amount_of
from billing_mcp.rating.plan import CycleRule
from billing_mcp.rating.recurrence import due
from docs.guide_slabs import Figures
from docs.guide_text import Guide, Rows, Section, usd
from rating.worked import MONTHLY, details, fee, rated


def pricing_cycles(guide: Guide) -> Figures:
    part = guide["A first cycle that is only a part"]
    return {
        "Where cycles begin": _begin(guide["Where cycles begin"].tables[0]),
        "Anniversary cycles": _anniversary(guide["Anniversary cycles"].tables[0]),
        part.heading: _part(part),
        "In advance, in arrears": _in_advance(part),
        "Fees that skip cycles": _skipping(guide["Fees that skip cycles"].tables[0]),
    }


def _cycle(rule: CycleRule, associated: date, number: int) -> Cycle:
    found = cycle_number(rule, associated, None, number)
    assert found is not None
    return found


def _begin(rows: Rows) -> list[str]:
    found = []
    for row in rows:
        rule = CycleRule(
            row["interval"], day_offset=row["dayOffset"], month_offset=row["monthOffset"]
        )
        associated = date.fromisoformat(row["associated"])
        found += [f"{_cycle(rule, associated, number).start:%Y-%m-%d}" for number in range(3)]
    return found


def _anniversary(rows: Rows) -> list[str]:
    found = []
    for row in rows:
        rule = CycleRule(row["interval"], anniversary=True)
        offsets = anniversary_rule(rule, date.fromisoformat(row["associated"]))
        found += [offsets.day_offset, offsets.month_offset]
    return found


def _given(section: Section) -> tuple[CycleRule, date, str]:
    """The rule, the day of the association and the fee that the section begins with."""
    pattern = r"`gracePeriod` (\d+), associated on (\S+), with a fee of ([\d.]+) USD"
    grace, associated, rate = section.stated(pattern)
    rule = CycleRule("MONTHLY", grace_days=int(grace))
    return rule, date.fromisoformat(associated), rate


def _part(section: Section) -> list[str]:
    rule, associated, rate = _given(section)
    first, second = (_cycle(rule, associated, number) for number in (0, 1))

    def charged(number: int, *, prorated: bool) -> str:
        plan = details(fixedFeeRateCards=[fee(rate, enableProration=prorated)])
        return usd(rated(plan, associated=associated, number=number).subtotal)

    return [
        f"{first.start:%Y-%m-%d}",
        f"{first.end:%Y-%m-%d}",
        str(first.days),
        str(first.whole_days),
        f"{second.start:%Y-%m-%d}",
        f"{second.end:%Y-%m-%d}",
        charged(0, prorated=True),
        charged(1, prorated=True),
        charged(0, prorated=False),
        f"{grace_end(rule, first):%Y-%m-%d}",
    ]


def _in_advance(section: Section) -> list[str]:
    _, associated, rate = _given(section)
    more: dict[str, Any] = {"enableProration": True, "invoiceTiming": "IN_ADVANCE"}
    plan = details(fixedFeeRateCards=[fee(rate, **more)], pricingCycleConfig=MONTHLY)
    first, second = (rated(plan, associated=associated, number=number) for number in (0, 1))
    # Nothing of a fee in advance is owed in arrears.
    assert first.subtotal == second.subtotal == Decimal(0)
    return [
        usd(amount_of(lines)) for lines in (first.at_association, first.advance, second.advance)
    ]


def _skipping(rows: Rows) -> list[str]:
    found = []
    for row in rows:
        recurrence = Recurrence(int(row["interval"]), int(row["offset"]))
        once = row["type"] == "ONE_TIME"
        charged = [str(number) for number in range(10) if due(recurrence, number, one_time=once)]
        found.append(", ".join(charged))
    return found
