"""Which writes may run, and what the others need first: a plan, one or two people, or another day.

Everything here is pure. The time, what was spent today and what is known of a call are given; no
clock is read and no store is asked. Of several rules that speak of a call the strictest decides,
so neither their order nor a rule that a caller adds can ever permit more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from billing_mcp.errors import one_line
from billing_mcp.guard import policy_file
from billing_mcp.guard.operations import Ceiling, Spend
from billing_mcp.guard.policy_file import BUILT_IN, Rules, Verdict
from billing_mcp.guard.policy_rules import (
    Amount,
    Ask,
    DayCeiling,
    DaySpan,
    Finding,
    Table,
    day_ceilings,
    day_of,
    of_tool,
    of_write,
)

__all__ = ["Amount", "Ask", "DayCeiling", "Decision", "Finding", "Policy", "Verdict", "day_of"]

BUILT_IN_PLACE = "built-in"
EVERYONE_PLACE = "everyone"
_PER: dict[DaySpan, Literal["customer", "role"]] = {
    "per_customer_day": "customer",
    "per_role_day": "role",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a call needs, and which rule says so.

    `reasons` are all rules that ask for as much as `verdict`. `ceilings` are those of the day, of
    every strictness. `shadowed` is what would have been decided, were no rule in shadow
    mode, if that is more.
    """

    verdict: Verdict
    place: str
    sentence: str
    reasons: tuple[Finding, ...]
    ceilings: tuple[DayCeiling, ...]
    shadowed: Finding | None
    policy: str

    def permits(self, given: Verdict) -> bool:
        """Whether a call may run for which this much was given: a plan, or approvals of one."""
        return self.verdict <= given and self.verdict is not Verdict.REFUSED

    def spend(self, ask: Ask, given: Verdict) -> Spend | None:
        """What the ledger reserves for it; None when it moves no money, or an unknown currency.

        Of the ceilings those are left out beyond which a call needs just what was given.
        """
        amount = ask.amount
        if amount is None or amount.currency is None:
            return None
        return Spend(
            amount.value,
            amount.currency.upper(),
            day_of(ask.now),
            ask.role or "",
            amount.customer,
            tuple(
                Ceiling(_PER[ceiling.span], ceiling.limit, ceiling.place)
                for ceiling in self.ceilings
                if ceiling.beyond > given
            ),
        )

    def exceeded(self, rule: str) -> Finding:
        """What a call needs after all that the ledger found above the ceiling of this rule.

        Another call of the same day was faster. Raises `KeyError` for a rule of another decision.
        """
        for ceiling in self.ceilings:
            if ceiling.place == rule:
                return Finding(ceiling.beyond, ceiling.sentence, ceiling.place)
        raise KeyError(rule)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a file, or those that hold without one."""

    source: str
    fingerprint: str
    content: policy_file.File
    tighter: tuple[Table, ...] = field(default=())

    @classmethod
    def default(cls) -> "Policy":
        return cls(BUILT_IN_PLACE, BUILT_IN_PLACE, policy_file.File())

    @classmethod
    def read(cls, path: Path) -> "Policy":
        """The policy of a file. Raises `SettingsError` naming each place that is wrong."""
        content, fingerprint = policy_file.read(path)
        return cls(str(path), fingerprint, content)

    def tightened(self, rules: Rules, place: str) -> "Policy":
        """This policy and further rules, which can only ask for more (shadow or not)."""
        return replace(self, tighter=(*self.tighter, (place, rules)))

    def permits(self, role: str | None, tool: str, *, reads: bool) -> bool:
        """Whether a role may have a tool at all, for listing it; a write may still be refused."""
        tables = self._tables(role, shadowed=False)
        found = [*self._of_role(role, reads=reads, shadowed=False), *of_tool(tables, tool, reads)]
        return all(finding.verdict is not Verdict.REFUSED for finding in found)

    def decide(self, ask: Ask) -> Decision:
        """What the strictest rule says of a call."""
        tables = self._tables(ask.role, shadowed=False)
        found = self._findings(tables, ask, shadowed=False)
        strictest = shadowed = max(found)
        if self._has_shadow:
            every = self._tables(ask.role, shadowed=True)
            shadowed = max(self._findings(every, ask, shadowed=True))
        return Decision(
            strictest.verdict,
            strictest.place,
            strictest.sentence,
            tuple(sorted({one for one in found if one.verdict == strictest.verdict})),
            tuple(day_ceilings(tables, ask)),
            shadowed if shadowed.verdict > strictest.verdict else None,
            self.fingerprint,
        )

    @property
    def names_customers(self) -> bool:
        """Whether any rule goes by whom a write affects."""
        content = self.content
        tables = (content.everyone, *content.roles.values(), *(rules for _, rules in self.tighter))
        return any(rules.customers_off_limits for rules in tables)

    @property
    def _has_shadow(self) -> bool:
        content = self.content
        tables = (content.everyone, *content.roles.values())
        return content.shadow or any(rules.shadow for rules in tables)

    def _findings(self, tables: Sequence[Table], ask: Ask, *, shadowed: bool) -> list[Finding]:
        """What every rule of these tables says, from those that permit to those that refuse."""
        found = [
            *self._of_role(ask.role, reads=ask.reads, shadowed=shadowed),
            *of_tool(tables, ask.tool, ask.reads),
        ]
        if ask.reads:
            return [*found, Finding(Verdict.ALLOWED, "Reads are free.", f"{BUILT_IN_PLACE}.reads")]
        if ask.amount is None:
            free = "A write without an amount that destroys nothing may run."
            found.append(Finding(Verdict.ALLOWED, free, f"{BUILT_IN_PLACE}.writes"))
        for place, rules in tables:
            found += of_write(place, rules, ask)
        return found

    def _tables(self, role: str | None, *, shadowed: bool) -> list[Table]:
        """The tables that speak of a role, with what is built in where none of the file's does."""
        content = self.content
        tables = [(EVERYONE_PLACE, content.everyone)]
        if role is not None and role in content.roles:
            tables.append((f"roles.{role}", content.roles[role]))
        followed = [
            (place, rules)
            for place, rules in tables
            if shadowed or not (content.shadow or rules.shadow)
        ]
        return [*followed, (BUILT_IN_PLACE, _unsaid(followed)), *self.tighter]

    def _of_role(self, role: str | None, *, reads: bool, shadowed: bool) -> Iterator[Finding]:
        roles = self.content.roles
        if roles and role not in roles and not reads and (shadowed or not self.content.shadow):
            who = "A caller without a role" if role is None else f'Role "{one_line(role, 60)}"'
            yield Finding(
                Verdict.REFUSED,
                f"{who} may only read: the policy has rules for {', '.join(sorted(roles))}.",
                "roles",
            )


def _unsaid(tables: Sequence[Table]) -> Rules:
    """What is built in of the settings that none of these tables has."""
    said = [
        span
        for span in policy_file.SPANS
        if any(rules.without_approval.of(span) is not None for _, rules in tables)
    ]
    without_approval = BUILT_IN.without_approval.model_copy(update=dict.fromkeys(said))
    destructive = BUILT_IN.destructive
    if any(rules.destructive is not None for _, rules in tables):
        destructive = None
    return BUILT_IN.model_copy(
        update={"without_approval": without_approval, "destructive": destructive}
    )
