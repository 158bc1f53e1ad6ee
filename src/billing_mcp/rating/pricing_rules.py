"""Pricing rules: logic over what the cards of a cycle come to, which adds lines or changes cards.

Rules run one after the other in their order, each over what the ones before it left.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from typing import Any

from billing_mcp import money
from billing_mcp.rating.cards import in_advance
from billing_mcp.rating.exact_numbers import SHOWN_PLACES, WIDE, total
from billing_mcp.rating.json_logic import Logic, LogicError, as_number, parse, truthy
from billing_mcp.rating.lines import Line, amount_of, leaf
from billing_mcp.rating.plan import USUAL_TIMING, Plan

# How the vendor's variables name the kinds of card: `urc` and `ff` are its own, the others ours.
_KINDS = {
    "USAGE_RATE_CARD_AMOUNT": "urc",
    "FIXED_FEE_RATE_CARD_AMOUNT": "ff",
    "ADVANCED_FIXED_FEE": "ff",
    "LICENSE_RATE_CARD_AMOUNT": "lrc",
    "ADVANCED_LICENSE_RATE_CARD_AMOUNT": "lrc",
    "BILLING_ENTITLEMENT_RATE_CARD_AMOUNT": "berc",
    "ADVANCED_BILLING_ENTITLEMENT_RATE_CARD_AMOUNT": "berc",
    "ENTITLEMENT_OVERAGE_RATE_CARD_AMOUNT": "eorc",
    "CREDIT_GRANT_RATE_CARD_AMOUNT": "cgrc",
    "ADVANCED_CREDIT_GRANT_RATE_CARD_AMOUNT": "cgrc",
}
_COUNTED = ("urc", "lrc", "eorc")
_TARGET = re.compile(r"(?:revenue\.(?:urc|ff|lrc|berc|eorc|cgrc)|usage\.urc)\..+", re.DOTALL)
# A result may have no more digits before the point; behind it what an invoice can show is kept.
_MOST_DIGITS = 30
_LAST_PLACE = Decimal(1).scaleb(-SHOWN_PLACES)

# Rates a usage card anew: a usage meter's id, and the units it is to be rated for.
Reprice = Callable[[str, Decimal], Line]


class NotARule(ValueError):
    """The rule cannot be read. The message names the field."""


@dataclass(frozen=True, slots=True)
class PricingRule:
    """`target` is the variable of the card that an UPDATE changes, None for a rule that adds."""

    id: str
    name: str
    order: int
    timing: str
    condition: Logic | None
    computation: Logic
    target: str | None
    line_id: str
    description: str
    metadata: Mapping[str, str]
    text: str  # the computation as it was written
    condition_text: str | None

    @property
    def variables(self) -> frozenset[str]:
        """Every variable that the rule reads or changes."""
        read = self.computation.variables | (self.condition.variables if self.condition else set())
        return read | ({self.target} if self.target else set())


@dataclass(frozen=True, slots=True)
class RuleLog:
    """What a rule did: `key` is the card's (or the added line's), figures are before and after."""

    rule: PricingRule
    outcome: str  # the vendor's type: CONDITION_TRUE, CONDITION_FALSE, …
    key: str
    key_name: str
    revenue: tuple[Decimal, Decimal]
    usage: tuple[Decimal, Decimal] | None
    values: Mapping[str, tuple[str, str]]  # by variable: the card's name, and the value as text
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Ruled:
    """Cards as the rules left them, the lines they added, and what each of them did."""

    cards: tuple[Line, ...]
    additions: tuple[Line, ...] = ()
    logs: tuple[RuleLog, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        return (*self.cards, *self.additions)


def read_rule(given: Mapping[str, Any]) -> PricingRule:
    """Read a rule as `pricingRules` has it, with its `id`. Raises `NotARule`."""
    action = given["action"]
    target = action.get("target") if action["type"] == "UPDATE" else None
    if action["type"] == "UPDATE" and not (target and _TARGET.fullmatch(target)):
        raise NotARule(
            "action.target must be revenue.KIND.ID, or usage.urc.ID, where KIND is urc (usage), ff"
            " (fixed fee), lrc (licence), berc (entitlement), eorc (overage) or cgrc (credit grant)"
        )
    condition = given.get("condition")
    return PricingRule(
        given["id"],
        given["name"],
        int(given["order"]),
        given.get("invoiceTiming") or USUAL_TIMING,
        None if not condition else _logic(condition, "condition"),
        _logic(given["computation"], "computation"),
        target,
        action.get("id") or given["id"],
        action.get("description") or given["name"],
        action.get("metadata") or {},
        given["computation"],
        condition,
    )


def _logic(text: str, name: str) -> Logic:
    try:
        return parse(text)
    except LogicError as error:
        raise NotARule(f"{name}: {error}") from error


def card_names(plan: Plan, *, advance: bool) -> dict[str, str]:
    """The cards that rules of one timing can read, charged in this cycle or not: key → name."""
    names: dict[str, str] = {}
    if not advance:
        names |= {f"urc.{card.usage_meter_id}": card.name for card in plan.usage_cards}
        names |= {f"eorc.{card.feature_id}": card.name for card in plan.overages}
    names |= _timed(
        "ff", ((fee.id, fee.name, fee.timing) for fee in plan.fixed_fees), advance=advance
    )
    names |= _timed(
        "lrc", ((one.id, one.name, one.timing) for one in plan.licences), advance=advance
    )
    grants = ((one.feature_id, one.name, one.timing) for one in plan.entitlements)
    names |= _timed("berc", grants, advance=advance)
    credits_ = ((one.id, one.name, one.timing) for one in plan.credit_grants)
    return names | _timed("cgrc", credits_, advance=advance)


def _timed(kind: str, cards: Iterable[tuple[str, str, str]], *, advance: bool) -> dict[str, str]:
    return {
        f"{kind}.{card_id}": name
        for card_id, name, timing in cards
        if in_advance(timing) == advance
    }


def variables(names: Iterable[str]) -> set[str]:
    """The variables there are for cards of these keys."""
    keys = list(names)
    counted = {f"usage.{key}" for key in keys if key.split(".", 1)[0] in _COUNTED}
    return counted | {f"revenue.{key}" for key in keys}


def apply(
    rules: Sequence[PricingRule],
    cards: Sequence[Line],
    names: Mapping[str, str],
    reprice: Reprice,
    currency: str,
) -> Ruled:
    """Run the rules over the cards; `names` are those `card_names` has for them."""
    run = _Run(list(cards), names, reprice, currency)
    logs = [run.rule(rule) for rule in sorted(rules, key=lambda rule: rule.order)]
    return Ruled(tuple(run.cards), tuple(run.additions), tuple(logs))


@dataclass(slots=True)
class _Run:
    """The lines as the rules have left them so far."""

    cards: list[Line]
    names: Mapping[str, str]
    reprice: Reprice
    currency: str
    additions: list[Line] = field(default_factory=list)

    def rule(self, rule: PricingRule) -> RuleLog:
        data, key = self._data(), self._key(rule)
        before = self._figures(key)
        outcome, error = self._outcome(rule, data)
        after = self._figures(key)
        name = rule.description if rule.target is None else self.names.get(key, key)
        values = {
            variable: (self.names[variable.split(".", 1)[1]], money.plain(data[variable]))
            for variable in sorted(rule.variables & data.keys())
        }
        usage = (before[1], after[1]) if key.startswith("urc.") else None
        return RuleLog(rule, outcome, key, name, (before[0], after[0]), usage, values, error)

    def _key(self, rule: PricingRule) -> str:
        return rule.line_id if rule.target is None else rule.target.split(".", 1)[1]

    def _outcome(self, rule: PricingRule, data: Mapping[str, Decimal]) -> tuple[str, str | None]:
        """What became of the rule, and why where it went wrong; then it has changed nothing."""
        try:
            if rule.condition is not None and not truthy(rule.condition.value(data)):
                return "CONDITION_FALSE", None
        except LogicError as error:
            return "CONDITION_ERROR", str(error)
        try:
            self._apply(rule, _usual(as_number(rule.computation.value(data))))
        except LogicError as error:
            return "COMPUTATION_ERROR", str(error)
        return "CONDITION_TRUE", None

    def _apply(self, rule: PricingRule, number: Decimal) -> None:
        if rule.target is None:
            self._add(rule, number)
            return
        field_name, key = rule.target.split(".", 1)
        index = next(
            (i for i in reversed(range(len(self.cards))) if card_key(self.cards[i]) == key), None
        )
        if index is None:
            raise LogicError(f"{key} is not charged in this cycle")
        revenue, usage = self._figures(key)
        wanted, kind, units = number, "PRICING_RULE_REVENUE_UPDATE_AMOUNT", None
        if field_name == "usage":
            wanted = self.reprice(key.split(".", 1)[1], number).amount
            kind, units = "PRICING_RULE_USAGE_UPDATE_AMOUNT", WIDE.subtract(number, usage)
        if wanted < 0:
            raise LogicError("a card cannot come to less than nothing")
        difference = WIDE.subtract(money.rounded(wanted, self.currency), revenue)
        change = leaf(
            kind,
            rule.description,
            Fraction(difference),
            self.currency,
            quantity=None if units is None else Fraction(units),
            source=rule.line_id,
            metadata=rule.metadata,
        )
        changed = _with_child(self.cards[index], change)
        self.cards[index] = changed if units is None else replace(changed, quantity=number)

    def _add(self, rule: PricingRule, number: Decimal) -> None:
        """Ours: a discount takes no more than what there is to be charged."""
        owed = WIDE.add(amount_of(self.cards), amount_of(self.additions))
        least = min(owed.copy_negate(), Decimal(0))
        metadata = dict(rule.metadata)
        if number < least:
            metadata["limitedFrom"] = money.plain(number)
        line = leaf(
            "PRICING_RULE_ADDITION_AMOUNT",
            rule.description,
            Fraction(max(number, least)),
            self.currency,
            source=rule.line_id,
            metadata=metadata,
        )
        self.additions.append(line)

    def _figures(self, key: str) -> tuple[Decimal, Decimal]:
        """Revenue and usage of a card, or of an added line."""
        lines = [line for line in self.cards if card_key(line) == key]
        lines = lines or [line for line in self.additions if line.source == key]
        usage = total(line.quantity for line in lines if line.quantity is not None)
        return amount_of(lines), usage

    def _data(self) -> dict[str, Decimal]:
        data = {}
        for variable in variables(self.names):
            field_name, key = variable.split(".", 1)
            data[variable] = self._figures(key)[field_name == "usage"]
        return data


def card_key(line: Line) -> str | None:
    """How variables name the card of a line; None for a line that is no card's."""
    kind = _KINDS.get(line.type)
    return None if kind is None else f"{kind}.{line.source}"


def _with_child(line: Line, child: Line) -> Line:
    """The card's line with a change below it; a line that had no parts becomes one of them."""
    return replace(
        line,
        exact=WIDE.add(line.exact, child.exact),
        amount=WIDE.add(line.amount, child.amount),
        rate=None,
        slab_order=None,
        children=(*(line.children or (line,)), child),
    )


def _usual(number: Decimal) -> Decimal:
    if number.adjusted() >= _MOST_DIGITS:
        raise LogicError(f"the result has more than {_MOST_DIGITS} digits before the point")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -SHOWN_PLACES:
        return number.quantize(_LAST_PLACE, rounding=ROUND_DOWN, context=WIDE)
    return number
