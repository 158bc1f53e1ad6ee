"""The figures of the guides on slabs, packages and commitments, by the rating engine."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.credits import CreditState, CreditUse, apply_credits
from billing_mcp.rating.cycle_charges import CycleCharges, Measured
from billing_mcp.rating.invoice import invoice_tree
from billing_mcp.rating.lines import Line
from docs.guide_text import Guide, Rows, Section, short, usd
from rating.worked import JANUARY, Json, at, details, fee, rated, tiers, used

Figures = dict[str, list[str]]


def slab_card(model: str, rows: Rows, **more: Any) -> Json:
    """A card with the slabs of a guide's table."""
    return tiers(model, *((row["startAfter"], _price(row)) for row in rows), **more)


def _price(row: dict[str, str]) -> str:
    rate = row["rate"]
    by_type = {
        "FLAT": f"flat {rate}",
        "PER_UNIT": rate,
        "PACKAGE": f"{rate} per {row.get('packageSize')}",
    }
    return by_type[row["priceType"]]


def both_models(section: Section) -> tuple[Rows, list[str]]:
    """The table of slabs, and the figures of the table of charges under both models."""
    slabs, charges = section.tables
    return slabs, [
        usd(used(slab_card(model, slabs), row["units used"]).amount)
        for row in charges
        for model in ("TIERED", "VOLUME")
    ]


def by_slab(line: Line, *, packages: bool = False) -> list[str]:
    """Units and amount of each slab, between them the packages of a slab that has them."""
    found = []
    for child in line.children:
        assert child.quantity is not None
        count = [child.metadata["packageQuantity"]] if packages else []
        found += [short(child.quantity), *count, usd(child.amount)]
    return found


def tiered_and_volume(guide: Guide) -> Figures:
    section = guide["Per-unit slabs under both models"]
    slabs, charges = both_models(section)
    most = section.tables[1][-1]["units used"]
    steps = [*by_slab(used(slab_card("TIERED", slabs), most))]
    steps += by_slab(used(slab_card("VOLUME", slabs), most))

    lower, higher = (
        used(slab_card("VOLUME", slabs), units).amount
        for units in reversed(guide["Often misunderstood"].stated(r": (\d+) .* than (\d+) in"))
    )
    return {
        section.heading: charges + steps,
        "A flat slab as a base price": both_models(guide["A flat slab as a base price"])[1],
        "Rounding, line by line": _rounded(guide["Rounding, line by line"]),
        "A minimum of the card": _minimum(guide["A minimum of the card"], slabs),
        "Often misunderstood": [usd(lower - higher)],
    }


def _rounded(section: Section) -> list[str]:
    (units,) = section.stated(r"TIERED, (\d+) units")
    (slabs,) = section.tables
    line = used(slab_card("TIERED", slabs), units)
    found = []
    for child in line.children:
        assert child.quantity is not None
        found += [short(child.quantity), short(child.exact), usd(child.amount)]
    whole = money.rounded(line.exact, "USD")
    return [*found, usd(line.amount), short(line.exact), usd(whole)]


def _minimum(section: Section, slabs: Rows) -> list[str]:
    (least,) = section.stated(r"`minimumRate` of ([\d.]+)")
    card = slab_card("TIERED", slabs, bounds={"minimumRate": least})
    (some,) = section.stated(r": (\d+) units earn")
    earned = used(card, some)
    (none,) = section.stated(r"With (\d+) units the adjustment and the card are")
    nothing = used(card, none)
    (adjustment,) = nothing.children
    assert adjustment.amount == nothing.amount
    return [usd(line.amount) for line in (*earned.children, earned, nothing)]


def packages(guide: Guide) -> Figures:
    slabs, charges = guide["One slab"].tables
    lines = [used(slab_card("TIERED", slabs), row["units used"]) for row in charges]
    return {
        "One slab": [each for line in lines for each in (_packages(line), usd(line.amount))],
        "Larger packages for larger customers": _larger(
            guide["Larger packages for larger customers"]
        ),
        "An edge that is no multiple of the size": _edge(
            guide["An edge that is no multiple of the size"]
        ),
        "Per unit or by package": _per_unit(guide["Per unit or by package"]),
    }


def _packages(line: Line) -> str:
    """How many packages all slabs of a card charge together."""
    return str(sum(int(child.metadata["packageQuantity"]) for child in line.children))


def _larger(section: Section) -> list[str]:
    (slabs,) = section.tables
    (tiered,) = section.stated(r"(\d+) units, TIERED")
    (volume,) = section.stated(r"(\d+) units, VOLUME")
    line = used(slab_card("TIERED", slabs), tiered)
    found = [*by_slab(line, packages=True), usd(line.amount)]
    return found + by_slab(used(slab_card("VOLUME", slabs), volume), packages=True)


def _edge(section: Section) -> list[str]:
    (slabs,) = section.tables
    (units,) = section.stated(r"(\d+) units would fill")
    tiered, volume = (used(slab_card(model, slabs), units) for model in ("TIERED", "VOLUME"))
    found = [_packages(tiered), *by_slab(tiered, packages=True), usd(tiered.amount)]
    return [*found, _packages(volume), usd(volume.amount)]


def _per_unit(section: Section) -> list[str]:
    pattern = (
        r"same (\d+) units, at ([\d.]+) for each unit or at ([\d.]+) for each package of (\d+)"
    )
    units, each, rate, size = section.stated(pattern)
    single = used(tiers("TIERED", ("0", each)), units).amount
    packed = used(tiers("TIERED", ("0", f"{rate} per {size}")), units).amount
    return [usd(single), usd(packed), usd(packed - single)]


def commitments_and_true_up(guide: Guide) -> Figures:
    section = guide["Below, at and above the commitment"]
    assert section.stated(r"associated on (\S+):") == (JANUARY.isoformat(),)
    plan = _committed(section.inputs)
    found = []
    for row in section.tables[1]:
        charged = rated(plan, _calls(row["calls"]))
        assert charged.true_up is not None
        found += [
            usd(charged.cards[0].amount),
            usd(charged.subtotal),
            usd(charged.true_up.amount),
            usd(_total(charged, "PRICE_PLAN_AMOUNT")),
            usd(_total(charged, "GROSS_AMOUNT")),
        ]
    first = rated(plan, _calls(section.tables[1][0]["calls"]))
    return {
        section.heading: found,
        "Credits do not count towards it": _credited(
            guide["Credits do not count towards it"], first
        ),
        "A part of a month": _part_of_a_month(guide["A part of a month"], section.inputs),
    }


def _committed(given: dict[str, str], **platform: Any) -> Json:
    rate = Decimal(given["minimum commitment"])
    promise = {"displayName": "Promised", "rateValues": [{"currency": "USD", "rate": rate}]}
    fees = [
        fee(given["platform fee, in arrears"], **platform),
        fee(given["support fee, in advance"], id="addon.support", invoiceTiming="IN_ADVANCE"),
    ]
    calls = {"usageMeterId": "um.calls", **tiers("TIERED", ("0", given["rate for each call"]))}
    return details(usageRateCards=[calls], fixedFeeRateCards=fees, minimumCommitment=promise)


def _calls(number: str) -> Measured:
    return Measured(usage={"um.calls": Decimal(number)})


def _total(charged: CycleCharges, kind: str, use: CreditUse | None = None) -> Decimal:
    tree = invoice_tree(charged, use or CreditUse(), "Plan")
    (line,) = [line for line in tree.walk() if line.type == kind]
    return line.amount


def _credited(section: Section, charged: CycleCharges) -> list[str]:
    (amount,) = section.stated(r"a credit of ([\d.]+)")
    found = []
    for row in section.tables[0]:
        entity = row["applicableEntityIds"]
        applicable: Sequence[str] = () if entity.startswith("none") else (entity,)
        begun = at("2026-01-01")
        credit = CreditState("cred", 1, begun, None, begun, Decimal(amount), tuple(applicable))
        use = apply_credits(charged.lines, [credit], charged.cycle, "USD")
        assert charged.true_up is not None
        net = _total(charged, "NET_AMOUNT", use)
        found += [usd(use.total), usd(charged.true_up.amount), usd(net)]
    return found


def _part_of_a_month(section: Section, given: dict[str, str]) -> list[str]:
    day, calls = section.stated(r"Associated on 2026-01-(\d\d) .* fee, (\d+) calls")
    plan = _committed(given, enableProration=True)
    charged = rated(plan, _calls(calls), associated=JANUARY.replace(day=int(day)))
    platform = charged.cards[1]
    assert charged.true_up is not None
    return [
        platform.metadata["proratedDays"],
        platform.metadata["cycleDays"],
        usd(platform.amount),
        usd(charged.subtotal),
        usd(charged.true_up.amount),
        usd(_total(charged, "PRICE_PLAN_AMOUNT")),
    ]
