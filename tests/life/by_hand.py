"""Steps of a life: invoices that somebody writes, settles, charges more on, or groups."""

from datetime import timedelta
from typing import Any

from life.company import Company, Picks, amount
from life.money_in import AMOUNTS

STATUSES = ("PAID", "VOID", "DUE", "UN_COLLECTIBLE", "REFUND_INITIATED")


def _items(picks: Picks) -> list[dict[str, Any]]:
    return picks.of(
        (
            [{"description": "Workshop", "value": "80"}],
            [{"value": "0.999"}, {"quantity": "3", "valuePerQuantity": "1.125"}],
            [{"value": "0"}],
        )
    )


def _period(company: Company, picks: Picks) -> dict[str, Any]:
    start = company.now + timedelta(days=picks.of((-20, -3, 2)))
    end = start + timedelta(days=picks.of((10, 30)))
    return {"startDate": f"{start:%Y-%m-%dT%H:%M:%SZ}", "endDate": f"{end:%Y-%m-%dT%H:%M:%SZ}"}


async def write(company: Company, picks: Picks) -> None:
    status = picks.of(("DRAFT", "DUE", "PAID"))
    owner = picks.of((*company.model.accounts, *company.model.groups))
    answer = await company.ask(
        "create-custom-invoice",
        accountId=owner,
        ownerType="INVOICE_GROUP" if owner in company.model.groups else None,
        lineItems=_items(picks),
        status=status,
        autoAdvance=picks.of((None, True)),
        applyCredits=picks.of((None, False)),
        applyWalletBalance=picks.of((None, False)),
        **_period(company, picks),
    )
    if answer and status == "PAID":
        company.model.received += amount(answer["totalAmount"])


async def settle(company: Company, picks: Picks) -> None:
    """Say of an invoice that it is paid, void, …"""
    before = await _some_invoice(company, picks)
    if before is None:
        return
    status = picks.of(STATUSES)
    answer = await company.ask("update-invoice", invoiceId=before["id"], status=status)
    _said_paid(company, before, answer)


async def say_paid(company: Company, picks: Picks) -> None:
    """The older tool for the same."""
    before = await _some_invoice(company, picks)
    if before is not None:
        answer = await company.ask("update-invoice-payment-status", invoiceId=before["id"])
        _said_paid(company, before, answer)


def _said_paid(company: Company, before: dict[str, Any], answer: dict[str, Any] | None) -> None:
    """Nobody's money paid this; from now on it counts as if it had come in."""
    if answer and answer["status"] == "PAID" and before["status"] != "PAID":
        said = amount(answer["paidAmount"]) - amount(before["paidAmount"])
        company.model.received += said


async def rewrite(company: Company, picks: Picks) -> None:
    before = await _some_invoice(company, picks)
    if before is None:
        return
    answer = await company.ask(
        "update-invoice",
        invoiceId=before["id"],
        lineItems=_items(picks),
        autoAdvance=picks.of((None, True)),
        **(_period(company, picks) if picks.number(2) else {}),
    )
    custom_draft = (before["invoiceType"], before["status"]) == ("CUSTOM", "DRAFT")
    assert bool(answer) is custom_draft, (before, answer, company.refused)


async def delete(company: Company, picks: Picks) -> None:
    before = await _some_invoice(company, picks)
    if before is not None:
        answer = await company.ask("delete-custom-invoice", invoiceId=before["id"])
        custom_draft = (before["invoiceType"], before["status"]) == ("CUSTOM", "DRAFT")
        assert bool(answer) is custom_draft, (before, answer)


async def charge(company: Company, picks: Picks) -> None:
    """Charges beside the plan, of the invoice that comes next or of a certain one."""
    items = [{"name": "Visit", "rate": picks.of(AMOUNTS), "quantity": str(picks.number(3))}]
    if picks.number(2):
        account_id = picks.of(company.model.accounts)
        await company.ask("set-upcoming-charges", accountId=account_id, items=items)
        return
    before = await _some_invoice(company, picks)
    if before is not None:
        await company.ask("set-invoice-charges", invoiceId=before["id"], items=items)


async def bill_run(company: Company, picks: Picks) -> None:
    await company.ask("create-bill-run", requireConfirmation=picks.of((None, True)))


async def group(company: Company, picks: Picks) -> None:
    """Accounts come together in a group, join it, or leave it."""
    what, account_id = picks.number(3), picks.of(company.model.accounts)
    if what == 0 or not company.model.groups:
        answer = await company.ask(
            "create-invoice-group",
            name="Together",
            email="ap@acme.example",
            accountIds=[account_id],
            dailyInvoiceConsolidation=picks.of((True, False)),
        )
        if answer:
            company.model.groups.append(answer["id"])
        return
    tool = "add-invoice-group-accounts" if what == 1 else "remove-invoice-group-accounts"
    group_id = picks.of(company.model.groups)
    await company.ask(tool, invoiceGroupId=group_id, accountIds=[account_id])


async def _some_invoice(company: Company, picks: Picks) -> dict[str, Any] | None:
    """Rather one that can still change."""
    rows = await company.rows("list-invoices")
    rows.sort(key=lambda row: (_is_settled(row), row["id"]))
    found: dict[str, Any] | None = picks.of(rows[:8]) if rows else None
    return found


def _is_settled(row: dict[str, Any]) -> int:
    """0: it waits for somebody; 1: it goes on by itself; 2: nothing much happens to it."""
    if row["status"] == "DRAFT":
        return int(row["invoiceType"] != "CUSTOM")
    return 2 if row["status"] in ("MERGED", "PAID", "VOID") else 0
