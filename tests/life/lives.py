"""Lives to live: drawn by hypothesis, begun with three accounts, lived step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies

from life import holdings, steady, truths
from life.books import Books, read_books
from life.company import Company, Picks, founded
from life.steps import STEPS

NAMES = tuple(name for name, (times, _) in STEPS.items() for _ in range(times))


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    numbers: tuple[int, ...]

    def __repr__(self) -> str:
        return f"Step({self.name!r}, {self.numbers})"


def steps(names: Sequence[str] = NAMES) -> strategies.SearchStrategy[Step]:
    numbers = strategies.tuples(*[strategies.integers(0, 59)] * 9)
    return strategies.builds(Step, strategies.sampled_from(names), numbers)


async def begin(company: Company) -> None:
    """Accounts main and third, whose plans come and go, and steady, which keeps its own."""
    customer = {"id": "acme", "name": "Acme Rockets", "primaryEmail": "billing@acme.example"}
    assert await company.ask("create-customer", **customer)
    company.model.customers.add("acme")
    for account_id in ("main", "third", "steady"):
        await company.open_account(account_id)
        assert await company.ask(
            "set-account-price-plan-v1",
            accountId=account_id,
            pricePlanId=company.plans["Basic"],
            effectiveFrom="2026-11-01",
        ), company.refused


async def live(company: Company, history: Sequence[Step]) -> None:
    """Take the steps; all books are checked whenever a month has gone by, and at the end."""
    month = company.now.month
    for step in history:
        _, take = STEPS[step.name]
        await take(company, Picks(step.numbers))
        if company.now.month != month:
            month = company.now.month
            await check(company)
    await check(company)


async def check(company: Company) -> Books:
    await truths.check_events(company)
    books = await read_books(company)
    truths.check_invoices(books, company.model)
    truths.check_usage(books, company)
    truths.check_credits(books, company.model, company.today())
    truths.check_money(books, company.model)
    truths.check_features(books, company.model, company.now)
    holdings.check_seats(books, company.model)
    holdings.check_admins(books, company.model)
    holdings.check_purchases(books)
    steady.check_steady(books, company)
    return books


async def lived(history: Sequence[Step]) -> AssertionError | None:
    """What was found to be untrue on the way, if anything."""
    async with founded() as company:
        try:
            await begin(company)
            await live(company, history)
        except AssertionError as untrue:
            # Raised outside, so that it is not found in a group of the client's tasks.
            return untrue
    return None
