"""What is always true of the company's books, whatever was done to it."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from life.books import Books, Row, lines
from life.company import Company, amount
from life.events import looked_up, moment_of
from life.model import NONE, Model

CENT = Decimal("0.01")
# Times of bringing up to date, and ids that the server drew for writes that brought none.
_ACCIDENTAL = {"updatedAt", "lastUpdatedAt", "createdAt", "idempotencyKey"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_CHANGING = ("status", "paidAmount", "updatedAt", "environment")


async def check_events(company: Company) -> None:
    """Every event that came is there once, as it became; nothing else is."""
    shown = Counter(row["referenceId"] for row in await company.rows("list-events"))
    known = Counter(one.reference for one in company.model.arrivals())
    admins = await company.rows("list-events", schemaName="togai-named-license")
    assert shown == known + Counter(row["referenceId"] for row in admins)
    for event_id, arrivals in company.model.events.items():
        seen = await looked_up(company, event_id)
        assert [one.reference for one in seen] == [one.reference for one in arrivals]
        # What an event is counted for goes with schedules; whether it was taken does not.
        assert [one.counted for one in seen] == [one.counted for one in arrivals]
        company.model.events[event_id] = seen
        counted = sorted(one.arrived for one in seen if one.counted)
        for before, after in pairwise(counted):
            assert (after - before).days >= 45, (event_id, before, after)


def check_invoices(books: Books, model: Model) -> None:
    for one in books.invoices.values():
        total, paid = amount(one["totalAmount"]), amount(one["paidAmount"])
        assert 0 <= paid <= total == amount(one["revenueInfo"]["value"]), one
        assert total == total.quantize(CENT), one
        for line in lines(one["revenueInfo"]):
            if line["lineItems"]:
                assert amount(line["value"]) == sum(amount(x["value"]) for x in line["lineItems"])
        _check_status(one, total, paid)
    for composite in books.invoices.values():
        if composite["invoiceType"] == "COMPOSITE":
            _check_composite(books, composite)
    _check_final(books, model)


def _check_status(one: Row, total: Decimal, paid: Decimal) -> None:
    status = one["status"]
    if status in ("PAID", "REFUND_INITIATED"):
        assert paid == total, one
    elif status in ("DUE", "VOID", "DRAFT"):
        assert paid == 0, one
    elif status == "PARTIALLY_PAID":
        assert 0 < paid < total, one
    elif status == "UN_COLLECTIBLE":
        assert paid < total or total == 0, one


def _check_composite(books: Books, composite: Row) -> None:
    parts = [books.invoices[line["id"]] for line in composite["revenueInfo"]["lineItems"]]
    assert amount(composite["totalAmount"]) == sum(amount(part["totalAmount"]) for part in parts)
    wanted = "VOID" if composite["status"] == "VOID" else "MERGED"
    assert {part["status"] for part in parts} == {wanted}, composite


def _check_final(books: Books, model: Model) -> None:
    """What is final stays as it is, but for its payment."""
    for invoice_id, said in model.final.items():
        assert invoice_id in books.invoices, said
        now = books.invoices[invoice_id]
        kept = {name: value for name, value in now.items() if name not in _CHANGING}
        assert kept == said, (kept, said)
    for one in books.invoices.values():
        if one["status"] != "DRAFT":
            said = {name: value for name, value in one.items() if name not in _CHANGING}
            model.final[one["id"]] = said


def check_usage(books: Books, company: Company) -> None:
    """Each computed invoice is of all events that were counted for its plan and cycle, once."""
    counted: dict[tuple[str, str, str], Decimal] = {}
    for one in company.model.arrivals():
        if one.counted and one.schema == "api_calls":
            for plan_id, start in one.priced:
                key = one.account_id, plan_id, start
                counted[key] = counted.get(key, NONE) + one.units
    for invoice in books.invoices.values():
        if invoice["invoiceType"] == "STANDARD":
            key = invoice["ownerId"], invoice["pricePlanId"], invoice["startDate"][:10]
            (usage,) = invoice["usageInfo"]
            assert amount(usage["value"]) == counted.pop(key, NONE), (key, invoice)
    assert not any(counted.values()), counted


def check_credits(books: Books, model: Model, today: date) -> None:
    """Granted = consumed + held + expired + voided + left."""
    used = _used(books, "DRAFT"), _used(books, *_FINAL)
    for credit_id, row in books.credits.items():
        moves = dict.fromkeys(("CREDITED", "DEBITED", "EXPIRED", "VOIDED"), NONE)
        for move in row["transactions"]:
            moves[move["transactionType"]] += amount(move["amount"])
        granted, consumed, held = (
            amount(row[name]) for name in ("creditAmount", "consumedAmount", "holdAmount")
        )
        assert model.granted.get(credit_id, granted) == granted, row
        assert held == used[0].get(credit_id, NONE), row
        assert consumed == used[1].get(credit_id, NONE), row
        # Void invoices gave back what credits had paid of them.
        assert consumed == moves["DEBITED"] - (moves["CREDITED"] - granted), row
        left = granted - consumed - held - moves["EXPIRED"] - moves["VOIDED"]
        assert left >= 0, row
        if row["status"] in ("CONSUMED", "VOIDED"):
            assert left == held == 0, row
        if row["status"] == "VOIDED":
            assert credit_id in model.voided
            assert moves["VOIDED"] == granted - consumed, row
    assert model.granted.keys() <= books.credits.keys()
    for account_id, account in books.accounts.items():
        own = [row for row in books.credits.values() if row["accountId"] == account_id]
        _check_balance([row for row in own if row["status"] == "ACTIVE"], account.balance, today)


_FINAL = ("DUE", "PAID", "PARTIALLY_PAID", "UN_COLLECTIBLE", "REFUND_INITIATED", "MERGED")


def _used(books: Books, *statuses: str) -> dict[str, Decimal]:
    used: dict[str, Decimal] = {}
    for one in books.of_status(*statuses):
        if one["invoiceType"] != "COMPOSITE":
            for line in lines(one["revenueInfo"]):
                if line["type"] == "SUB_CREDITS":
                    used[line["id"]] = used.get(line["id"], NONE) - amount(line["value"])
    return used


def _check_balance(active: list[Row], balance: Row, today: date) -> None:
    """What is left of the active credits, whether it is held or not; later ones apart."""
    begun = [row for row in active if date.fromisoformat(row["effectiveFrom"]) <= today]
    granted, consumed, held = (
        sum((amount(row[name]) for row in begun), NONE)
        for name in ("creditAmount", "consumedAmount", "holdAmount")
    )
    assert amount(balance["activeCredits"]) == granted, balance
    assert amount(balance["availableBalance"]) == granted - consumed, balance
    assert amount(balance["runningBalance"]) == granted - consumed - held, balance
    later = sum(amount(row["creditAmount"]) - amount(row["consumedAmount"]) for row in active)
    assert amount(balance["inapplicableCredits"]) == later - (granted - consumed), balance


def check_money(books: Books, model: Model) -> None:
    """Money that came in is in a wallet, has paid for what still stands, or became a credit."""
    somewhere = NONE
    for account in books.accounts.values():
        left = held = NONE
        for entry in reversed(account.entries):
            left += amount(entry["amount"]) * (1 if entry["transactionType"] == "CREDITED" else -1)
            held += amount(entry["amount"]) if entry["status"] == "ON_HOLD" else NONE
            assert amount(entry["closingBalance"]) == left >= 0, account.entries
        wallet = account.wallet
        assert (amount(wallet["balance"]), amount(wallet["holdAmount"])) == (left, held), wallet
        somewhere += left + held
    for one in books.invoices.values():
        if one["status"] != "MERGED":
            somewhere += amount(one["paidAmount"])
    bought = sum(
        (
            model.bought_money.get(row["id"], NONE)
            for account in books.accounts.values()
            for row in account.purchases
            if row["status"] == "SUCCESS"
        ),
        NONE,
    )
    came = model.received - model.spent_on_credits + bought
    assert somewhere == came, (somewhere, came)


def check_features(books: Books, model: Model, now: datetime) -> None:
    """Nothing of a feature is used twice or lost, and no more is used than there is."""
    for account_id, account in books.accounts.items():
        asked = sum(
            one.units
            for one in model.arrivals(account_id)
            if one.counted and one.schema == "answers"
        )
        used = overage = NONE
        for entry in account.granted:
            used += amount(entry["used"])
            assert amount(entry["used"]) >= 0, entry
            if entry["source"] == "OVERAGE":
                overage += amount(entry["used"])
            else:
                assert amount(entry["balance"]) == amount(entry["granted"]) - amount(entry["used"])
                assert amount(entry["balance"]) >= 0, entry
        assert used <= asked, (account_id, account.granted)
        _check_feature_balance(account.feature, account.granted, now)


def _check_feature_balance(feature: Row, entries: list[Row], now: datetime) -> None:
    running = [
        entry
        for entry in entries
        if entry["status"] == "ACTIVE"
        and moment_of(entry["effectiveFrom"]) <= now < moment_of(entry["effectiveUntil"])
    ]
    granted = [entry for entry in running if entry["source"] != "OVERAGE"]
    overage = [entry for entry in running if entry["source"] == "OVERAGE"]

    def total(rows: list[Row], name: str) -> Decimal:
        return sum((amount(row[name]) for row in rows), NONE)

    assert amount(feature["granted"]) == total(granted, "granted"), (feature, entries)
    assert amount(feature["balance"]) == total(granted, "balance"), (feature, entries)
    assert amount(feature["usedOverage"]) == total(overage, "used"), (feature, entries)


def figures(books: Books) -> Any:
    """The books without what is accidental in them, their numbers as such."""
    return _without(
        [books.invoices, books.credits, books.admins]
        + [
            [one.wallet, one.entries, one.balance, one.feature, one.granted, one.seats]
            for one in books.accounts.values()
        ]
    )


def differences(one: Any, other: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two such figures differ, and in what."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from differences(one[name], other[name], f"{at}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{at}[{index}]")
    elif one != other:
        yield at, one, other


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(one) for name, one in value.items() if name not in _ACCIDENTAL}
    if isinstance(value, list):
        return [_without(one) for one in value]
    # 1 and 1.0 are the same figure.
    return Decimal(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
