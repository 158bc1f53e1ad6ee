"""What licences cost in a cycle, from how many of them were held on each single day."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from rating.reference.calendar import DAY, MONTHS, Cycle, days
from rating.reference.cards import Charge, slabbed
from rating.reference.random_cases import Change
from rating.reference.slabs import exact

Holding = Callable[[date], Fraction]


def held(card: Mapping[str, Any], changes: Sequence[Change]) -> Holding:
    """How many licences count on a day: the most it had, if several changes fell on it.

    A change above the card's `maxQuantity` is not granted, as if it had not been asked for.
    """
    most = (card.get("config") or {}).get("maxQuantity")
    granted = [change for change in changes if most is None or change.quantity <= most]

    def on(day: date) -> Fraction:
        of_the_day = [change.quantity for change in granted if change.day == day]
        if of_the_day:
            return exact(max(of_the_day))
        earlier = [change for change in granted if change.day < day]
        return exact(earlier[-1].quantity) if earlier else Fraction(0)

    return on


def charge(card: Mapping[str, Any], currency: str, cycle: Cycle, on: Holding) -> Charge:
    """Each window of the cycle is priced by itself; without usage cycles the cycle is the one."""
    windows = []
    for window, whole in usage_cycles(card.get("usageCycle"), cycle):
        quantities = [on(day) for day in window]
        if card["enableProration"]:
            quantity = sum(quantities, Fraction(0)) / len(whole)
        else:
            quantity = max(quantities)
        windows.append(slabbed("licence", card["id"], card, currency, quantity))
    return Charge(
        kind="licence",
        source=card["id"],
        slabs=tuple(slab for window in windows for slab in window.slabs),
        amount=sum(window.amount for window in windows),
    )


def advance(card: Mapping[str, Any], currency: str, cycle: Cycle, on: Holding) -> Charge:
    """What is held on the first day is paid for as if it were held on all of them."""
    first = on(cycle.start)
    return charge(card, currency, cycle, lambda _: first)


def usage_cycles(interval: str | None, cycle: Cycle) -> list[tuple[list[date], list[date]]]:
    """The days of each window that lie in the cycle, and all its days had it not been cut."""
    if interval is None:
        return [(cycle.days(), cycle.whole_days())]
    found = []
    number, start = 0, cycle.start
    while start < cycle.end:
        number += 1
        end = intervals_after(cycle.start, interval, number)
        found.append((days(start, min(end, cycle.end)), days(start, end)))
        start = end
    return found


def intervals_after(start: date, interval: str, count: int) -> date:
    """The same day of the week or month so many intervals later; the month's last if missing."""
    if interval == "WEEKLY":
        return start + 7 * count * DAY
    first = start.replace(day=1)
    for _ in range(MONTHS[interval] * count):
        first = (first + 31 * DAY).replace(day=1)
    day = start.day
    while (first + (day - 1) * DAY).month != first.month:
        day -= 1
    return first.replace(day=day)
