"""Good calls of the tools for money in: wallets, payments, groups, charges, invoices by hand."""

from typing import Any

from world import World

PERIOD = {"startDate": "2026-10-01T00:00:00Z", "endDate": "2026-11-01T00:00:00Z"}
REFERENCE = {
    "sourceName": "First Bank",
    "sourceType": "BANK_TRANSFER",
    "transactionNumber": "T-1",
}
LINES = [{"description": "Workshop", "value": "80"}]


def written(world: World, account_id: str = "harbor-main", **fields: Any) -> str:
    """The id of an invoice of 80 that somebody wrote."""
    body = {
        "accountId": account_id,
        "status": "DRAFT",
        "lineItems": [{"description": "Workshop", "value": 80}],
        **PERIOD,
        **fields,
    }
    invoice_id: str = world.ask("POST", "/togai/invoices", body)["id"]
    return invoice_id


def opened(world: World, account_id: str) -> str:
    """Another account of Harbor Labs; its id."""
    body = {"id": account_id, "name": f"Account {account_id}", "customerId": "harbor-labs"}
    world.ask("POST", "/togai/accounts", body | {"invoiceCurrency": "USD"})
    return account_id


def grouped(world: World, name: str, *account_ids: str) -> str:
    """The id of an invoice group of accounts that are made for it."""
    body = {
        "name": name,
        "email": "ap@harbor.example",
        "dailyInvoiceConsolidation": True,
        "accountIds": [opened(world, account_id) for account_id in account_ids],
        "address": {},
    }
    group_id: str = world.ask("POST", "/togai/invoice_groups", body)["id"]
    return group_id


def granted(world: World, purpose: str, account_id: str = "harbor-test") -> str:
    """The id of a credit of 30."""
    wish = {
        "accountId": account_id,
        "purpose": purpose,
        "effectiveFrom": "2026-11-01",
        "creditAmount": 30,
        "priority": 1,
    }
    made = world.ask("POST", "/togai/credits", {"creditRequests": [wish]})
    credit_id: str = made["credits"][0]["id"]
    return credit_id


def received(world: World, account_id: str) -> str:
    """The id of a payment of 5 into the wallet of an account."""
    body = {
        "accountId": account_id,
        "externalPaymentReference": REFERENCE | {"transactionNumber": "T-0"},
        "lineItemRecords": [{"type": "WALLET_CREDIT", "order": 1}],
        "currency": "USD",
        "totalAmount": 5,
    }
    payment_id: str = world.ask("POST", "/togai/payments", body)["id"]
    return payment_id


def running(world: World) -> str:
    """The id of the invoice of harbor-main's plan that runs."""
    query = {"owner_id": "harbor-main", "status": "DRAFT"}
    rows = world.ask("GET", "/togai/invoices", **query)["data"]
    found: str = next(row["id"] for row in rows if row["invoiceType"] == "STANDARD")
    return found


def calls(world: World) -> dict[str, dict[str, Any]]:
    """Arguments by tool. Prepares at the vendor what a call needs to find there."""
    account = {"accountId": "harbor-main"}
    # Without a plan, so that no invoice that runs holds its money.
    payer = opened(world, "payer")
    return _invoices(world) | {
        "get-wallet-balance": account,
        "list-wallet-entries": {"accountId": payer},
        "update-wallet": {"accountId": payer, "status": "INACTIVE"},
        "top-up-wallet": account | {"topupAmount": "25.50"},
        "list-payments": {},
        "get-payment": {"paymentId": received(world, payer)},
        "create-payments": account
        | {
            "totalAmount": "60",
            "currency": "USD",
            "externalPaymentReference": REFERENCE,
            "lineItemRecords": [
                {"type": "INVOICE", "togaiId": written(world, status="DUE"), "amount": "50"},
                {"type": "WALLET_CREDIT"},
            ],
        },
        "list-invoice-groups": {},
        "get-invoice-group": {"invoiceGroupId": grouped(world, "Seen", "seen-1")},
        "create-invoice-group": {
            "name": "Harbor together",
            "email": "ap@harbor.example",
            "accountIds": [opened(world, "joint-1"), opened(world, "joint-2")],
        },
        "add-invoice-group-accounts": {
            "invoiceGroupId": grouped(world, "Growing", "growing-1"),
            "accountIds": [opened(world, "growing-2")],
        },
        "remove-invoice-group-accounts": {
            "invoiceGroupId": grouped(world, "Shrinking", "shrinking-1", "shrinking-2"),
            "accountIds": ["shrinking-2"],
        },
        "get-credit": {"creditId": granted(world, "Welcome", payer)},
        "get-credit-balance": account,
        "void-credit": {"creditId": granted(world, "Mistake", payer)},
    }


def _invoices(world: World) -> dict[str, dict[str, Any]]:
    charge = {"name": "Set-up", "value": "100"}
    written(world)  # for the bill run
    return {
        "create-custom-invoice": {
            "accountId": "harbor-main",
            "lineItems": [*LINES, {"quantity": "3", "valuePerQuantity": "0.125"}],
            **PERIOD,
        },
        "delete-custom-invoice": {"invoiceId": written(world, endDate="2026-12-01T00:00:00Z")},
        "update-invoice": {"invoiceId": written(world, status="DUE"), "status": "VOID"},
        "update-invoice-payment-status": {"invoiceId": written(world, status="DUE")},
        "set-invoice-charges": {"invoiceId": running(world), "items": [charge]},
        "set-upcoming-charges": {
            "accountId": "harbor-main",
            "items": [{"name": "Visits", "rate": "12.5", "quantity": "3"}],
        },
        "list-pricing-rule-logs": {"invoiceId": running(world)},
        "list-bill-run-invoices": {},
        "create-bill-run": {},
    }
