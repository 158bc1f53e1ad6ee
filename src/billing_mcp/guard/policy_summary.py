"""A policy in sentences, for `billing-mcp doctor` and whoever wants to know what is in force."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from billing_mcp import money
from billing_mcp.errors import one_line
from billing_mcp.guard.policy import BUILT_IN_PLACE, EVERYONE_PLACE, Policy
from billing_mcp.guard.policy_file import BUILT_IN, OTHER, SPANS, Freeze, Rules, Verdict

_SPANS = {
    "per_call": "a call",
    "per_customer_day": "a customer and UTC day",
    "per_role_day": "a role and UTC day",
}


def explain(policy: Policy) -> list[str]:
    """What the policy says, one sentence for each rule, in the order of the file."""
    content = policy.content
    if policy == Policy.default():
        said = ["No policy file (BILLING_MCP_POLICY): what is built in holds."]
    else:
        said = [f"Policy {policy.source}, SHA-256 {policy.fingerprint[:12]}."]
    if content.shadow:
        said.append("Shadow mode: its rules are only told, and what is built in holds.")
    tables = {EVERYONE_PLACE: content.everyone}
    tables |= {f"roles.{name}": rules for name, rules in content.roles.items()}
    for place, rules in (*tables.items(), *policy.tighter):
        said += [f"{one_line(place)}: {sentence}" for sentence in _rules(rules)]
    said += [
        f"{BUILT_IN_PLACE}, where no table has its own: {sentence}" for sentence in _rules(BUILT_IN)
    ]
    if content.roles:
        said.append("A caller whose role is not named may only read.")
    return said


def _rules(rules: Rules) -> Iterator[str]:
    if rules.shadow:
        yield "in shadow mode, its rules are only told"
    yield from _tools(rules)
    if rules.purposes is not None:
        yield f"money only for {_list(rules.purposes)}"
    if rules.customers_off_limits:
        yield f"may not touch {_list(rules.customers_off_limits)}"
    if rules.destructive is not None:
        yield f"destructive writes: {rules.destructive.word}"
    for ceilings, beyond in (
        (rules.without_approval, "above, a person approves a plan"),
        (rules.ceilings, "above, refused"),
    ):
        for span in SPANS:
            limits = ceilings.of(span)
            if limits is not None:
                yield f"up to {_amounts(limits)} {_SPANS[span]}; {beyond}"
    yield from map(_freeze, rules.freeze)


def _tools(rules: Rules) -> Iterator[str]:
    if rules.read_only:
        yield "may only read"
    if rules.allowed is not None:
        yield f"may use {_list(rules.allowed)}"
    if rules.excluded:
        yield f"may not use {_list(rules.excluded)}"
    for words, need in (
        (rules.needs_plan, "a plan first"),
        (rules.needs_approval, "a plan that a person approves"),
        (rules.needs_two_approvals, "a plan that two people approve"),
    ):
        if words:
            yield f"{_list(words)}: {need}"


def _freeze(window: Freeze) -> str:
    if window.first_day is not None:
        when = f"from {window.first_day} to {window.last_day}"
    else:
        counts = {"first": window.first_days_of_month, "last": window.last_days_of_month}
        days = [
            f"the {which} {'day' if count == 1 else f'{count} days'}"
            for which, count in counts.items()
            if count is not None
        ]
        when = f"on {' and '.join(days)} of a month"
    what = "writes" if window.tools is None else _list(window.tools)
    need = "refused" if window.meanwhile is Verdict.REFUSED else f"need {window.meanwhile.word}"
    return f"{what} {need} {when} (UTC): {one_line(window.reason)}"


def _amounts(limits: Mapping[str, Decimal]) -> str:
    shown = [
        f"{money.plain(limit)} of any other currency"
        if currency == OTHER and len(limits) > 1
        else f"{money.plain(limit)} of any currency"
        if currency == OTHER
        else f"{money.plain(limit)} {currency}"
        for currency, limit in sorted(limits.items())
    ]
    return ", ".join(shown) or "nothing"


def _list(words: tuple[str, ...]) -> str:
    return ", ".join(one_line(word) for word in words) or "nothing"
