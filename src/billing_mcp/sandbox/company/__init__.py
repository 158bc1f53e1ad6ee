"""The demo company, Northbeam Cloud: what an explorer of the sandbox finds in it at the start.

It is lived through, not written down: the clock is set back to July and moved on step by step,
and what happens on the way goes through the vendors' own operations.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from billing_mcp.sandbox import clock
from billing_mcp.sandbox.backend import Backend
from billing_mcp.sandbox.company import catalogue, customers, granted, marketplaces, payments, usage
from billing_mcp.sandbox.company.books import Books
from billing_mcp.sandbox.togai import drafts

OPENED = datetime(2026, 7, 27, 9, tzinfo=UTC)

Step = Callable[[Books], object]


def build(backend: Backend) -> None:
    """Fill an empty sandbox with the company's life up to the present of its clock.

    A clock that begins before the company's last day shows it as it was then; one that begins
    later shows what time alone has done since.
    """
    end = backend.now()
    if end < OPENED:
        return
    books = Books(backend)
    clock.move(backend.db, OPENED)
    for moment, step in sorted(_life(), key=lambda entry: entry[0]):
        if moment > end:
            break
        backend.advance_to(moment)
        step(books)
    backend.advance_to(end)
    with backend.transaction() as call:
        drafts.settle(call)
    # What the company did is its past; what callers do from here on is looked up among effects.
    backend.db.execute("delete from effects")


def _life() -> Iterator[tuple[datetime, Step]]:
    yield OPENED, marketplaces.announce
    for number, customer in enumerate(customers.CUSTOMERS, 1):
        yield OPENED + timedelta(minutes=25 * number), partial(customers.enrol, customer=customer)
    yield OPENED + timedelta(hours=5), catalogue.draw_up
    yield OPENED + timedelta(days=1), customers.associate
    day = usage.FIRST_DAY
    while day <= usage.LAST_DAY:
        yield usage.limited_at(day), partial(usage.send_limited, day=day)
        yield usage.metered_at(day), partial(usage.send_metered, day=day)
        if day >= marketplaces.FIRST_DAY:
            yield marketplaces.reported_at(day), partial(marketplaces.report, day=day)
        day += timedelta(days=1)
    for month in (8, 9, 10):
        yield payments.paid_at(month), partial(payments.pay, month=month)
    yield from granted.life()
    yield from marketplaces.last_morning()
