"""What each rule of a policy says of a call: one function for each kind of rule.

A finding that permits something is told as well, so that the audit can name what allowed a write.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Literal

from billing_mcp import money
from billing_mcp.errors import one_line
from billing_mcp.guard.policy_file import (
    OTHER,
    SPANS,
    Ceilings,
    Rules,
    Span,
    Verdict,
    covers,
    matches,
)

# Sums are exact or they are an error: a rounded sum could slip below a ceiling.
_EXACT = Context(prec=4 * money.MAXIMUM_DIGITS, traps=[Inexact, InvalidOperation])
Table = tuple[str, Rules]

DaySpan = Literal["per_customer_day", "per_role_day"]


def day_of(now: datetime) -> date:
    """The day, in UTC, that a write counts for. Raises `ValueError` for a time without a zone."""
    if now.utcoffset() is None:
        raise ValueError("a time needs its zone")
    return now.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class Amount:
    """The money that a call moves, and what was moved in the same currency on the same UTC day.

    `value` is in units of the currency and not negative. A currency or customer that could not be
    found out is None, and then no ceiling can be said to hold. The sums count every operation that
    reserved: running, done and unknown ones, without this one.
    """

    value: Decimal
    currency: str | None
    customer: str | None
    spent_by_customer: Decimal = Decimal(0)
    spent_by_role: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        for number in (self.value, self.spent_by_customer, self.spent_by_role):
            if not number.is_finite() or number < 0:
                raise ValueError("amounts are finite and not negative")

    def total(self, span: Span) -> Decimal:
        """What the ceiling of a span is compared with."""
        if span == "per_call":
            return self.value
        spent = self.spent_by_customer if span == "per_customer_day" else self.spent_by_role
        return _EXACT.add(spent, self.value)


@dataclass(frozen=True, slots=True)
class Ask:
    """All that a decision goes by.

    `customers` are the ids of the customers and accounts that a call affects: empty when it is
    about none in particular, None when they could not be found out.
    """

    tool: str
    reads: bool
    destructive: bool
    role: str | None
    principal: str
    now: datetime
    customers: frozenset[str] | None = frozenset()
    amount: Amount | None = None
    purpose: str | None = None

    def __post_init__(self) -> None:
        day_of(self.now)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What one rule says of a call: how strict, in a sentence for people, and where it stands."""

    verdict: Verdict
    sentence: str
    place: str


@dataclass(frozen=True, slots=True)
class DayCeiling:
    """A day's ceiling that the ledger has to hold while calls race: sum + amount ≤ limit.

    `beyond` is what a call needs that would go above it.
    """

    span: DaySpan
    currency: str
    limit: Decimal
    beyond: Verdict
    place: str

    @property
    def sentence(self) -> str:
        return f"It would go above {_limit(self.span, self.limit, self.currency)}."


def of_write(place: str, rules: Rules, ask: Ask) -> Iterator[Finding]:
    """What one table says of a write, besides whether its tool is allowed."""
    for rule in (_of_needs, _of_freeze, _of_customers, _of_purpose, _of_amount):
        yield from rule(place, rules, ask)


def of_tool(tables: Sequence[Table], tool: str, reads: bool) -> Iterator[Finding]:
    for place, rules in tables:
        if rules.allowed is not None and not covers(rules.allowed, tool):
            sentence = f"{tool} is not among the tools allowed here."
            yield Finding(Verdict.REFUSED, sentence, f"{place}.allowed")
        if covers(rules.excluded, tool):
            yield Finding(Verdict.REFUSED, f"{tool} is excluded here.", f"{place}.excluded")
        if rules.read_only and not reads:
            sentence = f"{tool} changes data, and only reading is allowed here."
            yield Finding(Verdict.REFUSED, sentence, f"{place}.read_only")


def _of_needs(place: str, rules: Rules, ask: Ask) -> Iterator[Finding]:
    for name, words, verdict in (
        ("needs_plan", rules.needs_plan, Verdict.PLAN),
        ("needs_approval", rules.needs_approval, Verdict.APPROVAL),
        ("needs_two_approvals", rules.needs_two_approvals, Verdict.TWO_APPROVALS),
    ):
        if covers(words, ask.tool):
            yield Finding(verdict, f"{ask.tool} {_NEEDS[verdict]}.", f"{place}.{name}")
    if ask.destructive and rules.destructive is not None:
        sentence = f"{ask.tool} destroys or takes something back, and such a write "
        yield Finding(
            rules.destructive, f"{sentence}{_NEEDS[rules.destructive]}.", f"{place}.destructive"
        )


def _of_freeze(place: str, rules: Rules, ask: Ask) -> Iterator[Finding]:
    day = day_of(ask.now)
    for index, window in enumerate(rules.freeze):
        if window.holds(day) and (window.tools is None or covers(window.tools, ask.tool)):
            yield Finding(
                window.meanwhile,
                f'On {day} (UTC) writes are frozen ("{one_line(window.reason)}"): {ask.tool} '
                f"{_NEEDS[window.meanwhile]}.",
                f"{place}.freeze[{index}]",
            )


def _of_customers(place: str, rules: Rules, ask: Ask) -> Iterator[Finding]:
    if not rules.customers_off_limits:
        return
    where = f"{place}.customers_off_limits"
    charged = None if ask.amount is None else ask.amount.customer
    known = (ask.customers or frozenset()) | ({charged} if charged is not None else frozenset())
    for customer in sorted(known):
        if matches(rules.customers_off_limits, customer):
            sentence = f'"{one_line(customer, 80)}" is off limits here.'
            yield Finding(Verdict.REFUSED, sentence, where)
    if ask.customers is None:
        yield Finding(
            Verdict.APPROVAL,
            "Some customers are off limits here, and whom this affects could not be found out.",
            where,
        )


def _of_purpose(place: str, rules: Rules, ask: Ask) -> Iterator[Finding]:
    """A write that moves no money and names no purpose needs none."""
    if rules.purposes is None or (ask.amount is None and ask.purpose is None):
        return
    if ask.purpose is None or not matches(rules.purposes, ask.purpose):
        given = "No purpose" if ask.purpose is None else f'"{one_line(ask.purpose, 80)}"'
        allowed = ", ".join(f'"{purpose}"' for purpose in rules.purposes) or "none"
        yield Finding(
            Verdict.REFUSED,
            f"{given} is not a purpose allowed here; allowed: {allowed}.",
            f"{place}.purposes",
        )


def _of_amount(place: str, rules: Rules, ask: Ask) -> Iterator[Finding]:
    for group, ceilings, beyond in _groups(rules):
        for span in SPANS:
            limits = ceilings.of(span)
            if limits is not None and ask.amount is not None:
                yield _compared(f"{place}.{group}.{span}", span, limits, ask.amount, beyond)


def _groups(rules: Rules) -> tuple[tuple[str, Ceilings, Verdict], ...]:
    return (
        ("without_approval", rules.without_approval, Verdict.APPROVAL),
        ("ceilings", rules.ceilings, Verdict.REFUSED),
    )


def _compared(
    place: str, span: Span, limits: Mapping[str, Decimal], amount: Amount, beyond: Verdict
) -> Finding:
    if amount.currency is None:
        sentence = "The currency could not be found out, so no ceiling can be held."
        return Finding(beyond, sentence, place)
    currency = amount.currency.upper()
    if span == "per_customer_day" and amount.customer is None:
        sentence = "Whom the amount counts for could not be found out, so no ceiling can be held."
        return Finding(beyond, sentence, place)
    key = currency if currency in limits else OTHER
    if key not in limits:
        return Finding(beyond, f"There is no ceiling for {one_line(currency, 20)}.", place)
    total, limit = amount.total(span), limits[key]
    shown = f"{_money(total, currency)}{'' if span == 'per_call' else ' with those of today'}"
    named = _limit(span, limit, currency)
    if total > limit:
        return Finding(beyond, f"{shown} is above {named}.", f"{place}.{key}")
    return Finding(Verdict.ALLOWED, f"{shown} is within {named}.", f"{place}.{key}")


def day_ceilings(tables: Sequence[Table], ask: Ask) -> Iterator[DayCeiling]:
    """The ceilings that other calls of the day count towards; none where none can be held."""
    if ask.amount is None or ask.amount.currency is None:
        return
    currency = ask.amount.currency.upper()
    spans: tuple[DaySpan, ...] = ("per_customer_day", "per_role_day")
    for place, rules in tables:
        for group, ceilings, beyond in _groups(rules):
            for span in spans:
                limits = ceilings.of(span) or {}
                key = currency if currency in limits else OTHER
                nobody = span == "per_customer_day" and ask.amount.customer is None
                if key in limits and not nobody:
                    where = f"{place}.{group}.{span}.{key}"
                    yield DayCeiling(span, currency, limits[key], beyond, where)


_NEEDS = {
    Verdict.ALLOWED: "may run",
    Verdict.PLAN: "needs a plan first",
    Verdict.APPROVAL: "needs a plan that a person approves",
    Verdict.TWO_APPROVALS: "needs a plan that two people approve",
    Verdict.REFUSED: "is refused",
}
_SPANS: dict[Span, str] = {
    "per_call": "a call",
    "per_customer_day": "a customer and day",
    "per_role_day": "a role and day",
}


def _limit(span: Span, limit: Decimal, currency: str) -> str:
    return f"the ceiling of {_money(limit, currency)} {_SPANS[span]}"


def _money(amount: Decimal, currency: str) -> str:
    return f"{money.plain(money.at_scale(amount, currency))} {one_line(currency, 20)}"
