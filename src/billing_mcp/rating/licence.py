"""A licence card: how many were held on each day, what that makes in a window, and its price."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from billing_mcp import money
from billing_mcp.rating.calendar_days import intervals_after
from billing_mcp.rating.card_lines import Heading, card_line, with_metadata
from billing_mcp.rating.cards import Licence, in_advance
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.exact_numbers import WIDE, ZERO
from billing_mcp.rating.lines import Line, leaf, parent

_CARD = "LICENSE_RATE_CARD_AMOUNT"
_SLAB = "LICENSE_RATE_CARD_SLAB_AMOUNT"


@dataclass(frozen=True, slots=True)
class LicenceChange:
    """The quantity held after a change; changes of one day are kept in their order.

    `granted`: whoever keeps the history has looked at the maximum that counted when it was made;
    otherwise the card's own decides.
    """

    effective: date
    quantity: Decimal
    granted: bool = False


@dataclass(frozen=True, slots=True)
class Refund:
    """What was paid in advance and not held: `mode` is the card's `proratedRefundMode`."""

    source: str
    mode: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class _Held:
    """The quantity that counts on the days from `start` until before `end`."""

    start: date
    end: date
    quantity: Decimal


def grants(card: Licence, quantity: Decimal) -> bool:
    """Whether a change to this quantity is granted. Above the maximum nothing is done."""
    return card.maximum is None or quantity <= card.maximum


def charge(
    card: Licence,
    currency: str,
    cycle: Cycle,
    changes: Sequence[LicenceChange],
    invoiced: Decimal | None = None,
) -> tuple[Line | None, Refund | None]:
    """What a cycle owes in arrears for its licences, given the whole history of changes.

    A card invoiced in advance has been paid for what was held on the cycle's first day; only the
    difference is owed, or given back as the card's refund mode says. `invoiced` is what was really
    invoiced in advance, where a change that was entered later has altered that day.
    """
    actual = _line(card, currency, cycle, changes, _CARD)
    if not in_advance(card.timing):
        return actual, None
    paid = invoiced
    if paid is None:
        paid = advance(card, currency, cycle, changes).amount
    difference = WIDE.subtract(actual.amount, paid)
    if difference > 0:
        line = leaf(
            _CARD,
            f"{card.name}, added within the cycle",
            Fraction(difference),
            currency,
            quantity=None if actual.quantity is None else Fraction(actual.quantity),
            source=card.id,
            metadata={"paidInAdvance": money.plain(paid)},
        )
        return line, None
    if difference < 0 and card.refund_mode != "NONE":
        return None, Refund(card.id, card.refund_mode, -difference)
    return None, None


def advance(card: Licence, currency: str, cycle: Cycle, changes: Sequence[LicenceChange]) -> Line:
    """The price of holding, all through a cycle, what is held on its first day."""
    first = cycle.start.date()
    held = _held(_granted(card, changes), first, first + timedelta(days=1))
    kept = [LicenceChange(first, held[-1].quantity, granted=True)] if held else []
    return _line(card, currency, cycle, kept, f"ADVANCED_{_CARD}")


def _line(
    card: Licence, currency: str, cycle: Cycle, changes: Sequence[LicenceChange], kind: str
) -> Line:
    history = _granted(card, changes)
    rate_value = card.rate_values[currency]
    if card.usage_cycle is None:
        quantity = _quantity(card, history, (cycle.start, cycle.end), cycle.whole_days)
        heading = Heading(kind, _SLAB, card.name, card.id)
        return card_line(heading, card.rate_plan, rate_value, quantity)
    windows = []
    for start, end, whole_days in usage_cycles(cycle, card.usage_cycle):
        quantity = _quantity(card, history, (start, end), whole_days)
        name = f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
        heading = Heading("USAGE_CYCLE_AMOUNT", _SLAB, name, card.id)
        line = card_line(heading, card.rate_plan, rate_value, quantity)
        windows.append(with_metadata(line, {"usageCycle": card.usage_cycle}))
    return parent(kind, card.name, windows, currency, source=card.id)


def usage_cycles(cycle: Cycle, interval: str) -> list[tuple[datetime, datetime, int]]:
    """The windows a cycle is split in: start, end (exclusive), and days of the undivided window.

    They are counted from the cycle's start. The cycle's end may cut the last one short, and where
    the interval is longer than the cycle, the only one: in each cycle anew.
    """
    windows: list[tuple[datetime, datetime, int]] = []
    start = cycle.start
    while start < cycle.end:
        end = intervals_after(cycle.start, interval, len(windows) + 1)
        windows.append((start, min(end, cycle.end), (end - start).days))
        start = end
    return windows


def _granted(card: Licence, changes: Sequence[LicenceChange]) -> list[LicenceChange]:
    """The changes that were granted, oldest first."""
    granted = [change for change in changes if change.granted or grants(card, change.quantity)]
    return sorted(granted, key=lambda change: change.effective)


def _quantity(
    card: Licence,
    history: Sequence[LicenceChange],
    window: tuple[datetime, datetime],
    whole_days: int,
) -> Fraction:
    """Prorated: the average of the daily quantities over the undivided window; else the highest."""
    held = _held(history, window[0].date(), window[1].date())
    if not card.prorated:
        return max((Fraction(span.quantity) for span in held), default=ZERO)
    days = sum((Fraction(span.quantity) * (span.end - span.start).days for span in held), ZERO)
    return days / whole_days


def _held(history: Sequence[LicenceChange], start: date, end: date) -> list[_Held]:
    """What counts on each day from start until before end, in spans of equal quantity.

    Of several changes in a day the highest quantity counts for that day, and the last one's from
    the next day on.
    """
    by_day: dict[date, list[Decimal]] = {}
    for change in history:
        by_day.setdefault(change.effective, []).append(change.quantity)
    points: dict[date, Decimal] = {}
    for day, quantities in sorted(by_day.items()):
        points[day] = max(quantities)
        points.setdefault(day + timedelta(days=1), quantities[-1])
    spans = []
    days = sorted(points)
    for day, following in zip(days, [*days, end][1:], strict=True):
        first, last = max(day, start), min(following, end)
        if first < last:
            spans.append(_Held(first, last, points[day]))
    return spans
