"""The company's books: everything its reading tools say about money, usage and entitlements."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from life.company import Company

Row = dict[str, Any]


@dataclass(slots=True)
class Account:
    wallet: Row
    entries: list[Row]
    balance: Row
    feature: Row
    granted: list[Row]
    schedules: list[Row]
    seats: list[Row]
    purchases: list[Row]
    bought: list[Row]  # the purchases, each as it is read by itself
    proposals: list[Row]


@dataclass(slots=True)
class Books:
    invoices: dict[str, Row] = field(default_factory=dict)
    credits: dict[str, Row] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    admins: list[Row] = field(default_factory=list)

    def of_status(self, *statuses: str) -> Iterator[Row]:
        return (one for one in self.invoices.values() if one["status"] in statuses)


async def read_books(company: Company) -> Books:
    books = Books()
    for row in await company.rows("list-invoices"):
        whole = await company.read("get-invoice", invoiceId=row["id"], detail="full")
        assert all(whole[name] == value for name, value in row.items() if name in whole), row
        books.invoices[row["id"]] = row | whole
    for row in await company.rows("list-credits"):
        whole = await company.read("get-credit", creditId=row["id"])
        assert all(whole[name] == value for name, value in row.items()), (row, whole)
        books.credits[row["id"]] = whole
    for account_id in company.model.accounts:
        books.accounts[account_id] = await _account(company, account_id)
    books.admins = await company.rows("list-named-license-updates")
    return books


async def _account(company: Company, account_id: str) -> Account:
    account = {"accountId": account_id}
    feature = account | {"featureId": company.answers}
    purchases = await company.rows("list-account-purchases", **account)
    return Account(
        wallet=await company.read("get-wallet-balance", **account),
        entries=await company.rows("list-wallet-entries", **account),
        balance=await company.read("get-credit-balance", **account),
        feature=await company.read("get-feature-credits-balance", **feature),
        granted=await company.rows("list-feature-credits-entries-feature", **feature),
        schedules=await company.rows("list-account-schedules", **account),
        seats=await company.rows("list-license-updates", **account),
        purchases=purchases,
        bought=[await company.read("get-purchase", purchaseId=row["id"]) for row in purchases],
        proposals=await company.rows("list-account-proposals", **account),
    )


def lines(tree: Row) -> Iterator[Row]:
    """A line and all below it."""
    yield tree
    for child in tree["lineItems"]:
        yield from lines(child)


def of_type(invoice: Row, kind: str) -> list[Row]:
    """The lines of a type that stand for themselves: not those below one of the same type."""
    return list(_topmost(invoice["revenueInfo"], kind))


def _topmost(tree: Row, kind: str) -> Iterator[Row]:
    if tree["type"] == kind:
        yield tree
        return
    for child in tree["lineItems"]:
        yield from _topmost(child, kind)


def worth(invoice: Row, kind: str) -> Decimal:
    return sum((Decimal(line["value"]) for line in of_type(invoice, kind)), Decimal(0))
