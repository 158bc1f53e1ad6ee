"""Steps of a life: credits given and taken, money in wallets, payments."""

from decimal import Decimal
from typing import Any

from life.company import Company, Picks

AMOUNTS = ("5", "0.01", "17.35", "2.5", "60", "333")
PAYABLE = ("DUE", "PARTIALLY_PAID", "UN_COLLECTIBLE")


async def grant(company: Company, picks: Picks) -> None:
    given = picks.of(AMOUNTS)
    ends = picks.of((None, 3, 12, 40, -1))
    applicable = picks.of((None, None, ["ALL_USAGE_METER_RATE_CARDS"], ["platform"]))
    answer = await company.ask(
        "grant-credit",
        accountId=picks.of(company.model.accounts),
        creditAmount=given,
        effectiveFrom=str(company.today(picks.of((0, -20, 6)))),
        effectiveUntil=None if ends is None else str(company.today(ends)),
        priority=picks.of((1, 0, 2)),
        applicableEntityIds=applicable,
    )
    if answer:
        company.model.granted[answer["id"]] = Decimal(given)


async def void_credit(company: Company, picks: Picks) -> None:
    credits_ = [row["id"] for row in await company.rows("list-credits")]
    if credits_:
        credit_id = picks.of(sorted(credits_))
        before = await company.read("get-credit", creditId=credit_id)
        answer = await company.ask("void-credit", creditId=credit_id)
        assert bool(answer) is (before["status"] == "ACTIVE"), before
        if answer:
            company.model.voided.add(credit_id)


async def top_up(company: Company, picks: Picks) -> None:
    account_id, given = picks.of(company.model.accounts), picks.of(AMOUNTS)
    if await company.ask("top-up-wallet", accountId=account_id, topupAmount=given):
        company.model.received += Decimal(given)


async def switch_wallet(company: Company, picks: Picks) -> None:
    account_id = picks.of(company.model.accounts)
    await company.ask(
        "update-wallet", accountId=account_id, status=picks.of(("INACTIVE", "ACTIVE"))
    )


async def pay(company: Company, picks: Picks) -> None:
    """A payment for an invoice, a credit, or the wallet, in one or two records."""
    total = picks.of(AMOUNTS)
    account_id = picks.of(company.model.accounts)
    records = [await _record(company, picks, order) for order in range(picks.of((1, 2)))]
    answer = await company.ask(
        "create-payments",
        accountId=account_id,
        totalAmount=total,
        currency="USD",
        externalPaymentReference={
            "sourceName": "Till",
            "sourceType": "CASH",
            "transactionNumber": "1",
        },
        lineItemRecords=records,
    )
    if answer is None:
        return
    company.model.received += Decimal(total)
    used = answer["lineItemRecords"]
    assert sum(Decimal(one["amount"]) for one in used) == Decimal(total)
    for one in used:
        if one["type"] == "CREDIT":
            company.model.spent_on_credits += Decimal(one["amount"])
            named = "togaiId" in records[one["order"]]
            # How much a credit was that a plan gave is not known here.
            if not named or one["togaiId"] in company.model.granted:
                before = company.model.granted.get(one["togaiId"], Decimal(0))
                company.model.granted[one["togaiId"]] = before + Decimal(one["amount"])


async def _record(company: Company, picks: Picks, order: int) -> dict[str, Any]:
    record: dict[str, Any] = {"type": picks.of(("INVOICE", "WALLET_CREDIT", "CREDIT"))}
    record["order"] = order
    if picks.number(2):
        record["amount"] = picks.of(AMOUNTS)
    if record["type"] == "INVOICE":
        rows = await company.rows("list-invoices")
        owed = sorted(row["id"] for row in rows if row["status"] in PAYABLE)
        record["togaiId"] = picks.of(owed or ["inv.none"])
    elif record["type"] == "CREDIT" and picks.number(2):
        rows = await company.rows("list-credits")
        record["togaiId"] = picks.of(sorted(row["id"] for row in rows) or ["cred.none"])
    return record
