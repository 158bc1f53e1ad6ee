"""The figures of the guide on invoices: what the sandbox bills for the account it describes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox import SandboxSettings, open_sandbox
from docs.guide_slabs import Figures, slab_card
from docs.guide_text import Guide, Section, short, usd
from sandbox.asking import Asker
from sandbox.togai.billed import amounts, credit, fee, invoices, lines, send, until
from sandbox.togai.world import account, associate, meter, plan, schema

WORKED = "A month, line by line"


@dataclass(frozen=True, slots=True)
class Billed:
    """The month's invoice when it is final, and the one the association began with."""

    month: Any
    begin: Any
    final_on: str


def invoice_figures(guide: Guide) -> Figures:
    with billed(guide[WORKED]) as found:
        (begin,) = amounts(found.begin, "NET_AMOUNT")
        tree = [text for line in lines(found.month["revenueInfo"]) for text in _line(line)]
        dates = [found.month["startDate"], found.month["endDate"], found.final_on]
        dates += [found.month["invoiceDate"], found.month["dueDate"]]
    return {
        WORKED: [*tree, usd(begin)],
        "Its dates": [text[:10] for text in dates],
    }


def _line(line: Any) -> list[str]:
    """The amount of a line, and the quantity of one that is a slab's."""
    slab = line["type"].endswith("SLAB_AMOUNT")
    return [usd(line["value"]), *([short(line["quantity"])] if slab else [])]


def types_shown(guide: Guide) -> list[tuple[int, str]]:
    """Depth and type of each line of the guide's tree."""
    found = re.findall(r"^( *)- `([A-Z_]+)`", guide[WORKED].text, re.MULTILINE)
    return [(len(indent) // 2, kind) for indent, kind in found]


def types_billed(line: Any, depth: int = 0) -> list[tuple[int, str]]:
    below = [each for child in line["lineItems"] for each in types_billed(child, depth + 1)]
    return [(depth, line["type"]), *below]


@contextmanager
def billed(section: Section) -> Iterator[Billed]:
    """The account of the guide's inputs in a sandbox, after its month has become final."""
    given = section.inputs
    (begun,) = section.stated(r"with effect from (\S+),")
    sandbox = open_sandbox(SandboxSettings(demo=False))
    ask = Asker(sandbox)
    account(ask, netTermDays=int(given["netTermDays"]))
    schema(ask)
    associate(ask, _plan(ask, given, section), begun)
    credit(ask, given["credit for everything"], effectiveFrom=begun)
    send(ask, "e1", given["calls in November"])
    day = int(given["gracePeriod"]) + 1
    # The draft is one until the very end of grace.
    until(ask, f"2026-12-{day - 1:02}T23:59:59Z")
    assert _standard(ask, begun)["status"] == "DRAFT"
    until(ask, f"2026-12-{day:02}T00:00:00Z")
    month = _standard(ask, begun)
    assert month["status"] == "DUE"
    (begin,) = [row for row in invoices(ask) if row["invoiceType"] == "STANDARD_ADVANCED"]
    yield Billed(month, begin, f"2026-12-{day:02}")
    sandbox.close()


def _plan(ask: Asker, given: dict[str, str], section: Section) -> str:
    bounds = {"minimumRate": given["minimumRate of the calls' card"]}
    card = {"usageMeterId": meter(ask), **slab_card("TIERED", section.tables[1], bounds=bounds)}
    rate = Decimal(given["minimum commitment"])
    fees = [
        fee(given["platform fee, in arrears"]),
        fee(given["support fee, in advance"], "IN_ADVANCE", id="support", displayName="Support"),
    ]
    return plan(
        ask,
        pricingCycleConfig={"interval": "MONTHLY", "gracePeriod": int(given["gracePeriod"])},
        usageRateCards=[card],
        fixedFeeRateCards=fees,
        minimumCommitment={
            "displayName": "Promised",
            "rateValues": [{"currency": "USD", "rate": rate}],
        },
    )


def _standard(ask: Asker, begun: str) -> Any:
    (found,) = [
        row
        for row in invoices(ask)
        if row["invoiceType"] == "STANDARD" and row["startDate"].startswith(begun)
    ]
    return found
