"""Who owes an invoice: an account, or an invoice group that is billed for its accounts."""

from dataclasses import dataclass
from typing import Any

from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import accounts, contact, customers, group_rows
from billing_mcp.sandbox.togai.columns import unpacked


@dataclass(frozen=True, slots=True)
class Owner:
    """`parties` are the parts of the wire's `invoiceDetails` that name the owner."""

    id: str
    customer_id: str | None
    currency: str
    term_days: int
    parties: dict[str, Any]


def existing(request: Call, owner_id: str) -> Owner:
    """The account of this id, or else the invoice group. Refuses with 404."""
    group = group_rows.find(request, owner_id)
    return of_account(request, owner_id) if group is None else of_group(request, group)


def of_account(request: Call, account_id: str) -> Owner:
    """Refuses with 404."""
    account = accounts.existing(request, account_id)
    customer = customers.existing(request, account["customer_id"])
    address = unpacked(customer, "address")
    parties = {
        "customer": {
            "name": customer["name"],
            "primaryEmail": customer["primary_email"],
            "billingAddress": contact.billing_address(address),
            "address": address,
        },
        "account": {
            "name": account["name"],
            "invoiceCurrency": account["invoice_currency"],
            "address": unpacked(account, "address") or address,
            "primaryEmail": account["primary_email"] or customer["primary_email"],
        },
    }
    return Owner(
        account["id"],
        account["customer_id"],
        account["invoice_currency"],
        account["net_term_days"],
        parties,
    )


def of_group(request: Call, group: Row) -> Owner:
    """Ours: its customer is the one that all of its accounts have, if there is such a one."""
    found = request.db.execute(
        "select distinct a.customer_id from invoice_group_accounts g"
        " join accounts a on a.id = g.account_id where g.group_id = ?",
        (group["id"],),
    ).fetchall()
    parties = {
        "invoiceGroup": {
            "id": group["id"],
            "name": group["name"],
            "email": group["email"],
            "dailyInvoiceConsolidation": bool(group["consolidates"]),
            "invoiceCurrency": group["currency"],
            "address": unpacked(group, "address"),
        }
    }
    customer_id = found[0]["customer_id"] if len(found) == 1 else None
    return Owner(group["id"], customer_id, group["currency"], group["net_term_days"] or 0, parties)
