"""What holds of every policy: tighter rules never permit more, and order changes nothing."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing_mcp.guard.policy import Amount, Ask, Decision, Policy, Verdict
from billing_mcp.guard.policy_file import OTHER, SPANS, Ceilings, File, Rules
from guard.policies import grant, write

# A busy machine may stop for longer than the 200 ms that an example is given otherwise.
unhurried = settings(deadline=None)

TOOLS = ("grant-credit", "create-customer", "delete-usagerecordgroup")
WORDS = st.lists(st.sampled_from([*TOOLS, "togai-billing", "core"]), max_size=2)
NEEDS = st.sampled_from([verdict.word for verdict in Verdict])
LIMITS = st.integers(0, 30).map(lambda cents: Decimal(cents) / 10)
AMOUNTS = st.dictionaries(st.sampled_from(["USD", "JPY", OTHER]), LIMITS, max_size=3)
CEILINGS = st.fixed_dictionaries({}, optional=dict.fromkeys(SPANS, AMOUNTS))
DAYS = st.dates(date(2026, 1, 28), date(2026, 3, 4))
CUSTOMERS = ("acme", "beta")
PURPOSES = ("goodwill", "error")

monthly = st.fixed_dictionaries(
    {"reason": st.just("r"), "last_days_of_month": st.integers(1, 27)},
    optional={
        "first_days_of_month": st.integers(1, 27),
        "tools": WORDS,
        "meanwhile": NEEDS,
    },
)
fixed = st.builds(
    lambda first, length, more: {
        "reason": "r",
        "first_day": first,
        "last_day": first + timedelta(days=length),
        **more,
    },
    DAYS,
    st.integers(0, 9),
    st.fixed_dictionaries({}, optional={"tools": WORDS, "meanwhile": NEEDS}),
)
tables = st.fixed_dictionaries(
    {},
    optional={
        "allowed": WORDS,
        "excluded": WORDS,
        "read_only": st.booleans(),
        "purposes": st.lists(st.sampled_from([*PURPOSES, "*"]), max_size=2),
        "customers_off_limits": st.lists(st.sampled_from([*CUSTOMERS, "a*"]), max_size=2),
        "needs_plan": WORDS,
        "needs_approval": WORDS,
        "needs_two_approvals": WORDS,
        "destructive": NEEDS,
        "without_approval": CEILINGS,
        "ceilings": CEILINGS,
        "freeze": st.lists(st.one_of(monthly, fixed), max_size=3),
    },
)
amounts = st.builds(
    Amount,
    LIMITS,
    st.sampled_from(["USD", "JPY", "CHF", None]),
    st.sampled_from([*CUSTOMERS, None]),
    LIMITS,
    LIMITS,
)
asks = st.builds(
    Ask,
    st.sampled_from(TOOLS),
    st.just(value=False),
    st.booleans(),
    st.sampled_from(["support", "lead", None]),
    st.just("ann@support.example"),
    st.builds(datetime.combine, DAYS, st.times(timezones=st.just(UTC))),
    st.none() | st.frozensets(st.sampled_from(CUSTOMERS)),
    st.none() | amounts,
    st.none() | st.sampled_from(PURPOSES),
)


def policy_with(everyone: Mapping[str, Any], support: Mapping[str, Any] | None = None) -> Policy:
    content: dict[str, Any] = {"everyone": everyone}
    if support is not None:
        content["roles"] = {"support": support}
    return Policy("drawn", "drawn", File.model_validate(content))


def tighter_amounts(draw: st.DrawFn, limits: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The same ceilings or lower ones. Without `other`, currencies not named have none at all."""
    tight = {currency: limit - draw(st.integers(0, 3)) for currency, limit in limits.items()}
    tight = {currency: max(limit, Decimal(0)) for currency, limit in tight.items()}
    if OTHER in limits and draw(st.booleans()):
        del tight[OTHER]
    elif OTHER in limits and "JPY" not in limits and draw(st.booleans()):
        tight["JPY"] = limits[OTHER] / 2
    return tight


def tighter_freeze(draw: st.DrawFn, window: Mapping[str, Any]) -> dict[str, Any]:
    """A window that is longer, for more tools, or stricter."""
    tight = dict(window)
    for key in ("first_days_of_month", "last_days_of_month"):
        if key in tight:
            tight[key] = draw(st.integers(tight[key], 27))
    if "first_day" in tight:
        tight["first_day"] -= timedelta(days=draw(st.integers(0, 3)))
        tight["last_day"] += timedelta(days=draw(st.integers(0, 3)))
    if "tools" in tight and draw(st.booleans()):
        del tight["tools"]
    tight["meanwhile"] = stricter(draw, tight.get("meanwhile", "refused"))
    return tight


def stricter(draw: st.DrawFn, word: str) -> str:
    words = [verdict.word for verdict in Verdict]
    return words[draw(st.integers(words.index(word), len(words) - 1))]


def tighter_field(draw: st.DrawFn, name: str, table: Mapping[str, Any]) -> Any:
    """A value of this field that is at least as strict as the one of the table."""
    value = table.get(name)
    if name in {"allowed", "purposes"}:
        if value is None:
            return draw(WORDS) if name == "allowed" else draw(st.just(["goodwill"]))
        return [item for item in value if draw(st.booleans())]
    if name == "read_only":
        return True
    if name == "customers_off_limits":
        return [*(value or ()), draw(st.sampled_from(CUSTOMERS))]
    if name == "destructive":
        # What is built in holds where nothing is said.
        return stricter(draw, value or "approval")
    if name == "freeze":
        windows = [tighter_freeze(draw, window) for window in value or ()]
        return [*windows, *draw(st.lists(fixed, max_size=1))]
    if name in {"ceilings", "without_approval"}:
        tight = {span: tighter_amounts(draw, limits) for span, limits in (value or {}).items()}
        # A span that is absent of `without_approval` may be built in, which any other replaces.
        if name == "ceilings" and draw(st.booleans()):
            tight.setdefault("per_call", draw(AMOUNTS))
        return tight
    return [*(value or ()), draw(st.sampled_from(TOOLS))]


@st.composite
def tightenings(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A table, and the same with one field tightened."""
    table = draw(tables)
    name = draw(st.sampled_from(sorted(Rules.model_fields.keys() - {"shadow"})))
    return table, {**table, name: tighter_field(draw, name, table)}


@unhurried
@given(tightenings(), tables, asks)
def test_tightening_a_field_never_permits_more(
    tightening: tuple[dict[str, Any], dict[str, Any]], other: dict[str, Any], ask: Ask
) -> None:
    loose, tight = tightening
    for before, after in (
        (policy_with(loose), policy_with(tight)),
        (policy_with(loose, other), policy_with(tight, other)),
        (policy_with(other, loose), policy_with(other, tight)),
    ):
        assert after.decide(ask).verdict >= before.decide(ask).verdict


@unhurried
@given(tables, tables, tables, asks)
def test_rules_that_a_caller_adds_never_permit_more(
    everyone: dict[str, Any], support: dict[str, Any], added: dict[str, Any], ask: Ask
) -> None:
    for policy in (Policy.default(), policy_with(everyone, support)):
        tightened = policy.tightened(Rules.model_validate(added), "token")
        assert tightened.decide(ask).verdict >= policy.decide(ask).verdict


def shuffled(value: Any, seed: random.Random) -> Any:
    """The same table with its keys and its lists in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(item, seed)) for key, item in value.items()]
        seed.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return seed.sample([shuffled(item, seed) for item in value], len(value))
    return value


def comparable(decision: Decision) -> tuple[object, ...]:
    """A decision without the places of windows in their list, which their order is."""
    return (
        decision.verdict,
        decision.sentence,
        {(reason.verdict, reason.sentence) for reason in decision.reasons},
        set(decision.ceilings),
    )


@unhurried
@given(tables, tables, asks, st.randoms(use_true_random=False))
def test_the_order_of_rules_changes_nothing(
    everyone: dict[str, Any], support: dict[str, Any], ask: Ask, seed: random.Random
) -> None:
    # The texts of purposes are listed as the file has them.
    everyone.pop("purposes", None)
    support.pop("purposes", None)
    told = policy_with(everyone, support).decide(ask)
    reordered = policy_with(shuffled(everyone, seed), shuffled(support, seed)).decide(ask)
    assert comparable(told) == comparable(reordered)
    # Nor does it matter which of two tables says what, when both speak of the caller.
    swapped = policy_with(support, everyone)
    if ask.role == "support":
        assert swapped.decide(ask).verdict is told.verdict


@unhurried
@given(tables, asks, LIMITS, LIMITS, LIMITS)
def test_more_money_and_more_spent_never_need_less(
    table: dict[str, Any], ask: Ask, more: Decimal, customer: Decimal, role: Decimal
) -> None:
    if ask.amount is None:
        return
    greater = replace(
        ask.amount,
        value=ask.amount.value + more,
        spent_by_customer=ask.amount.spent_by_customer + customer,
        spent_by_role=ask.amount.spent_by_role + role,
    )
    asked = replace(ask, amount=greater)
    policy = policy_with(table)
    assert policy.decide(asked).verdict >= policy.decide(ask).verdict


@unhurried
@given(
    st.fixed_dictionaries({"without_approval": CEILINGS, "ceilings": CEILINGS}),
    st.lists(st.tuples(LIMITS, st.sampled_from(CUSTOMERS)), max_size=12),
    st.sampled_from([Verdict.ALLOWED, Verdict.APPROVAL]),
)
def test_calls_of_a_day_that_hold_what_was_reserved_never_pass_a_ceiling(
    table: dict[str, Any], calls: list[tuple[Decimal, str]], given_to_all: Verdict
) -> None:
    """Each is decided as if nothing had been spent, as calls that race are."""
    policy = policy_with(table)
    by_customer: dict[str, Decimal] = dict.fromkeys(CUSTOMERS, Decimal(0))
    for value, customer in calls:
        ask = grant(str(value), whose=customer)
        decision = policy.decide(ask)
        spend = decision.spend(ask, given_to_all)
        assert spend is not None
        spent = {"customer": by_customer[customer], "role": sum(by_customer.values(), Decimal(0))}
        if decision.permits(given_to_all) and all(
            spent[ceiling.per] + value <= ceiling.limit for ceiling in spend.ceilings
        ):
            by_customer[customer] += value
    rules = Rules.model_validate(table)
    held = [rules.ceilings]
    if given_to_all is Verdict.ALLOWED:
        built_in = Ceilings(per_customer_day={OTHER: Decimal(500)})
        per_day = rules.without_approval.per_customer_day
        held += [rules.without_approval, *([built_in] if per_day is None else [])]
    for ceilings in held:
        for limits, totals in (
            (ceilings.per_customer_day, list(by_customer.values())),
            (ceilings.per_role_day, [sum(by_customer.values(), Decimal(0))]),
        ):
            limit = None if limits is None else limits.get("USD", limits.get(OTHER, Decimal(0)))
            assert limit is None or all(total <= limit for total in totals)


@given(st.integers(0, 10**9), st.integers(0, 40), st.integers(0, 3))
def test_a_ceiling_holds_to_the_last_digit(units: int, scale: int, over: int) -> None:
    limit = Decimal(units).scaleb(-min(scale, 15))
    policy = policy_with({"without_approval": {"per_call": {"USD": limit}}})
    just = limit + Decimal(over).scaleb(-40) if over else limit
    within = just <= limit <= 500
    assert (policy.decide(grant(str(just))).verdict is Verdict.ALLOWED) is within


@given(DAYS | st.dates(date(1999, 1, 1), date(2101, 12, 31)), st.integers(1, 27), st.booleans())
def test_a_window_at_a_months_edge_is_as_long_as_it_says_in_every_month(
    day: date, days: int, last: bool
) -> None:
    key = "last_days_of_month" if last else "first_days_of_month"
    policy = policy_with({"freeze": [{"reason": "r", key: days}]})
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    month = [first + timedelta(days=passed) for passed in range((following - first).days)]
    last_instant = time(23, 59, 59, tzinfo=UTC)
    asks = [(one, write(now=datetime.combine(one, last_instant))) for one in month]
    frozen = [one for one, ask in asks if policy.decide(ask).verdict is Verdict.REFUSED]
    assert frozen == (month[-days:] if last else month[:days])
