"""The rows of invoice groups, and what an account says of the one that it is billed in."""

from typing import Any

from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai.columns import present, unpacked


def existing(request: Call, group_id: str) -> Row:
    """The group's row, unless it has lost its last account. Refuses with 404."""
    row = find(request, group_id)
    if row is None or row["status"] != "ACTIVE":
        raise Refusal(404, f"Invoice group {group_id} not found")
    return row


def find(request: Call, group_id: str) -> Row | None:
    row: Row | None = request.db.execute(
        "select * from invoice_groups where id = ?", (group_id,)
    ).fetchone()
    return row


def group_of(request: Call, account_id: str) -> Row | None:
    """The group that the account is billed in, if any."""
    row: Row | None = request.db.execute(
        "select g.* from invoice_group_accounts m join invoice_groups g on g.id = m.group_id"
        " where m.account_id = ?",
        (account_id,),
    ).fetchone()
    return row


def details(row: Row) -> dict[str, Any]:
    """The wire's `InvoiceGroupDetails`."""
    return present(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        dailyInvoiceConsolidation=bool(row["consolidates"]),
        netTermDays=row["net_term_days"],
        invoiceCurrency=row["currency"],
        billingAddress=unpacked(row, "address"),
    )
