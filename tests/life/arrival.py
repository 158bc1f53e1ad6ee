"""The same events in another order: two companies that must be billed alike in the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import strategies

from life.books import read_books
from life.company import Company, founded
from life.lives import begin
from life.truths import differences, figures

ACCOUNTS = ("main", "steady")
_UNITS = ("1", "4.5", "0.333", "27", "45")


@dataclass(frozen=True, slots=True)
class Month:
    """What happened in November, and two orders in which it came."""

    events: Sequence[tuple[int, str, str, str]]  # day, account, schema, units
    one: Sequence[int]
    other: Sequence[int]
    undone: frozenset[int]


@strategies.composite
def months(draw: strategies.DrawFn) -> Month:
    event = strategies.tuples(
        strategies.integers(23, 30),
        strategies.sampled_from(ACCOUNTS),
        strategies.sampled_from(("api_calls", "answers")),
        strategies.sampled_from(_UNITS),
    )
    events = draw(strategies.lists(event, min_size=3, max_size=12))
    numbers = list(range(len(events)))
    return Month(
        events,
        draw(strategies.permutations(numbers)),
        draw(strategies.permutations(numbers)),
        draw(strategies.frozensets(strategies.sampled_from(numbers), max_size=2)),
    )


async def compared(month: Month) -> list[Any]:
    """What differs between the bills of the two orders."""
    one, other = [await _billed(month, order) for order in (month.one, month.other)]
    return list(differences(one, other))


async def _billed(month: Month, order: Sequence[int]) -> Any:
    """The figures when all of November is final. Its events come on the 1st of December."""
    async with founded() as company:
        await begin(company)
        await _equip(company)
        company.move_to(company.now.replace(month=12, day=1, hour=1))
        for number in order:
            day, account_id, schema, units = month.events[number]
            event = {
                "schemaName": schema,
                "id": f"e{number}",
                "timestamp": f"2026-11-{day}T08:00:00Z",
                "accountId": account_id,
                "attributes": [{"name": schema.removeprefix("api_"), "value": units}],
                "dimensions": {},
            }
            assert await company.ask("ingest-event", event=event)
            company.move_to(company.now + timedelta(hours=1))
        for number in sorted(month.undone):
            account_id = month.events[number][1]
            answer = await company.ask(
                "correct-events", action="UNDO", accountId=account_id, eventId=f"e{number}"
            )
            assert answer
            assert answer["data"][0]["status"] == "REVERTED"
        company.move_to(company.now.replace(day=12, hour=0))
        return figures(await read_books(company))


async def _equip(company: Company) -> None:
    """A second plan, answers bought for a part of the month, credits that end before and after
    the events come, and some money."""
    bundle = {"pricePlanId": company.plans["Bundle"], "effectiveFrom": "2026-11-27"}
    assert await company.ask("create-purchase", accountId="main", **bundle)
    weekly = {"pricePlanId": company.plans["Weekly"], "effectiveFrom": "2026-11-23"}
    assert await company.ask("set-account-price-plan-v1", accountId="main", **weekly)
    for account_id in ACCOUNTS:
        for ends, given in (("2026-11-28", "2.5"), ("2027-01-01", "1.11"), (None, "3")):
            assert await company.ask(
                "grant-credit",
                accountId=account_id,
                creditAmount=given,
                effectiveFrom="2026-11-20",
                effectiveUntil=ends,
                applicableEntityIds=["ALL_USAGE_METER_RATE_CARDS"] if ends else None,
            )
        assert await company.ask("top-up-wallet", accountId=account_id, topupAmount="9.99")
