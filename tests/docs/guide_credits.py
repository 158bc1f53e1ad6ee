"""The figures of the guide on credits: by the rating engine, balances by the sandbox."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing_mcp.rating import credit_grant
from billing_mcp.rating.credits import CreditState, CreditUse, apply_credits
from billing_mcp.rating.cycles import cycle_number
from billing_mcp.rating.lines import Line, amount_of, leaf
from billing_mcp.rating.plan import CycleRule, read_plan
from billing_mcp.sandbox import SandboxSettings, open_sandbox
from docs.guide_slabs import Figures
from docs.guide_text import Guide, Section, usd
from rating.worked import details, grant_tiers, rated, tiers
from sandbox.asking import Asker
from sandbox.togai.billed import credit, invoices, send, until
from sandbox.togai.world import CYCLE, account, associate, meter, plan, schema

FEBRUARY = cycle_number(CycleRule("MONTHLY"), date(2026, 2, 1), None, 0)


def credits_figures(guide: Guide) -> Figures:
    return {
        "Which credit pays what": _uses(guide["Which credit pays what"]),
        "Held, consumed, balance": _balance(guide["Held, consumed, balance"]),
        "Credits that a plan grants": _granted(guide["Credits that a plan grants"]),
    }


def _uses(section: Section) -> list[str]:
    owed, given = section.tables
    (begun,) = section.stated(r"all of them from (\S+):")
    period = section.stated(r"cycle from (\S+) to (\S+) owes")
    lines = [
        leaf(row["type"], row["line"], Fraction(row["amount"]), "USD", source=row["source"])
        for row in owed
    ]
    assert FEBRUARY is not None
    assert period == (f"{FEBRUARY.start:%Y-%m-%d}", f"{FEBRUARY.end:%Y-%m-%d}")
    use = apply_credits(lines, [_state(row, begun) for row in given], FEBRUARY, "USD")
    found = [text for each in use.uses for text in _sentence(each.credit_id, each.line, lines, use)]
    unused = [row["credit"] for row in given if row["credit"] not in use.by_credit()]
    found += [usd(0) for _ in unused]
    left = [
        line.amount - sum(each.amount for each in use.uses if each.line == index)
        for index, line in enumerate(lines)
    ]
    gross = amount_of(lines)
    totals = [usd(use.total), usd(gross), usd(gross - use.total)]
    return [*found, *totals, *(usd(amount) for amount in left)]


def _sentence(credit_id: str, index: int, lines: list[Line], use: CreditUse) -> list[str]:
    (amount,) = [
        each.amount for each in use.uses if (each.credit_id, each.line) == (credit_id, index)
    ]
    return [credit_id, usd(amount), lines[index].description]


def _state(row: dict[str, str], begun: str) -> CreditState:
    end, entity = row["effectiveUntil"], row["applicableEntityIds"]
    return CreditState(
        row["credit"],
        int(row["priority"]),
        _day(begun),
        None if end == "none" else _day(end),
        _day(begun),
        Decimal(row["left"]),
        () if entity == "none" else (entity,),
    )


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _balance(section: Section) -> list[str]:
    pattern = r"credit of ([\d.]+) USD from (\S+), one card at ([\d.]+) .* grace, (\d+) calls"
    amount, begun, rate, calls = section.stated(pattern)
    (final,) = section.stated(r"final on (\S+) \|")
    sandbox = open_sandbox(SandboxSettings(demo=False))
    ask = Asker(sandbox)
    account(ask)
    schema(ask)
    card = {"usageMeterId": meter(ask), **tiers("TIERED", ("0", rate))}
    # Three days of grace.
    assert CYCLE == {"interval": "MONTHLY", "gracePeriod": 3}
    associate(ask, plan(ask, usageRateCards=[card]), begun)
    credit_id = credit(ask, amount, effectiveFrom=begun)
    found = _standing(ask, credit_id)
    send(ask, "e1", calls)
    found += _standing(ask, credit_id)
    moment = _day(final)
    for instant, status in ((moment - timedelta(seconds=1), "DRAFT"), (moment, "DUE")):
        until(ask, f"{instant:%Y-%m-%dT%H:%M:%SZ}")
        (november,) = [row for row in invoices(ask) if row["startDate"].startswith(begun)]
        assert november["status"] == status
    found += _standing(ask, credit_id)
    sandbox.close()
    return found


def _standing(ask: Asker, credit_id: str) -> list[str]:
    of_credit = ask.done("GET", f"/credits/{credit_id}")
    balance = ask.done("GET", "/accounts/main/credit_balance")
    return [
        usd(of_credit["holdAmount"]),
        usd(of_credit["consumedAmount"]),
        usd(balance["availableBalance"]),
        usd(balance["runningBalance"]),
    ]


def _granted(section: Section) -> list[str]:
    (start,) = section.stated(r"the one that starts on (\S+):")
    assert FEBRUARY is not None
    assert start == f"{FEBRUARY.start:%Y-%m-%d}"
    found = []
    for row in section.tables[0]:
        kind, *duration = row["expiryType"].split()
        grant: dict[str, Any] = {"priority": 1, "expiryType": kind}
        if duration:
            grant["expiryDuration"] = duration[0]
        rates = grant_tiers(row["pricingModel"], row["creditAmount"], ("0", row["slab from 0"]))
        card = {"id": "addon.credit", "grantDetails": grant, "rateDetails": rates}
        given = details(creditGrantRateCards=[card])
        (line,) = rated(given).cards
        (read,) = read_plan(given).credit_grants
        credit_given = credit_grant.granted(read, "USD", FEBRUARY)
        assert credit_given is not None
        found += [usd(line.amount), f"{credit_given.effective_until:%Y-%m-%d}"]
    return found
