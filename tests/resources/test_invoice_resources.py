"""Invoices as a reader sees them: lines that add up, credits, period, and where to go on."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from mcp import Client

from answers import facts
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach
from resources.shelf import pages, text

pytestmark = pytest.mark.anyio


async def invoices(client: Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = facts(await client.call_tool("list-invoices", {"detail": "full", **token}))
        rows.extend(page["data"])
        if not page["hasMore"]:
            return rows
        token = {"nextToken": page["nextToken"]}


def lines(page: str) -> Iterator[tuple[int, Decimal]]:
    """Depth and amount of each line of the tree."""
    tree = page.split("## Lines")[1].split("\n## ", maxsplit=1)[0]
    for line in tree.splitlines():
        indent, dash, rest = line.partition("- ")
        if dash and not indent.strip():
            yield len(indent) // 2, Decimal(rest.split(": ")[1].split()[0])


async def test_the_lines_of_every_invoice_add_up_to_what_the_list_says(client: Client) -> None:
    rows = await invoices(client)
    assert len(rows) == 40
    for invoice in rows:
        shown = await text(client, f"billing://invoices/{invoice['id']}")
        currency = invoice["invoiceDetails"]["account"]["invoiceCurrency"]
        assert f"- total: {invoice['totalAmount']} {currency}\n" in shown
        tree = list(lines(shown))
        assert tree[0] == (0, Decimal(invoice["totalAmount"]))
        for position, (depth, amount) in enumerate(tree):
            below = []
            for other, part in tree[position + 1 :]:
                if other <= depth:
                    break
                if other == depth + 1:
                    below.append(part)
            assert not below or sum(below, Decimal(0)) == amount


async def test_an_invoice_that_still_runs_says_so_and_what_a_credit_pays(client: Client) -> None:
    rows = facts(await client.call_tool("list-invoices", {"accountId": "acme-prod"}))["data"]
    (running,) = [row["id"] for row in rows if row["status"] == "DRAFT"]
    shown = await text(client, f"billing://invoices/{running}")
    plan = facts(
        await client.call_tool("list-invoices", {"accountId": "acme-prod", "detail": "full"})
    )["data"][0]["pricePlanId"]
    # 62,750 hours at 0.04 are 2,510; 800,000 requests at 0.0002 are 160; with the fee of 250 that
    # makes 2,920, of which the credit of 150 pays a part.
    expected = f"""\
# Invoice {running} of account acme-prod

- environment: sandbox
- status: DRAFT: it still changes until it is final
- total: 2770.00 USD
- paid: 0.00 USD
- credits applied: -150.00 USD
- period: from 2026-11-01 until 2026-12-01, end excluded (UTC)
- invoice date (UTC): 2026-12-01
- due (UTC): 2026-12-31
- kind: INVOICE STANDARD
- account: acme-prod "Acme production"
- customer: acme "Acme Robotics"
- price plan: Scale billing://price-plans/{plan}

## Lines

Amounts are in USD; a line is the sum of those indented below it.

- "Grand total": 2770.00 USD (GRAND_TOTAL_AMOUNT)
"""
    assert shown.startswith(expected)
    assert (
        '              - "Slab 1": 2510.00 USD (quantity 62750; at 0.04 USD each; '
        "USAGE_RATE_CARD_SLAB_AMOUNT; um."
    ) in shown
    assert '| "Compute hours" | 62750 | um.' in shown
    assert "- the account: billing://accounts/acme-prod\n" in shown


async def test_packages_rounding_and_commitments_are_told_beside_their_lines(
    client: Client,
) -> None:
    async def of(account: str, month: str) -> str:
        found = await client.call_tool("list-invoices", {"accountId": account})
        (invoice,) = [
            row["id"] for row in facts(found)["data"] if row["startDate"].startswith(month)
        ]
        return await text(client, f"billing://invoices/{invoice}")

    # 22 reports begin 3 packages of 10, at 15 each.
    reports = await of("kite-reports", "2026-10")
    assert "45.00 USD (quantity 22; 3 packages of 10 at 15 USD; " in reports
    # 326,516 requests at 0.12 are 39,181.92; yen have no cents.
    yen = await of("sakura-tokyo", "2026-08")
    assert "39181 JPY (quantity 326516; at 0.12 JPY each; exactly 39181.92 JPY, rounded" in yen
    # 5,000 promised less 3,429.50 used.
    enterprise = await of("helios-main", "2026-11")
    assert (
        '"Monthly commitment": 1570.50 USD (commitment 5000.00 USD; TRUE_UP_AMOUNT)' in enterprise
    )


def whole(lines_below: list[dict[str, Any]], value: str = "10.00", **others: Any) -> dict[str, Any]:
    top = {"description": "Total", "type": "TOTAL", "value": float(value), "lineItems": lines_below}
    account = {"invoiceCurrency": "USD", "name": "A"}
    return {
        "id": "inv.1",
        "ownerId": "a-1",
        "status": "DUE",
        "totalAmount": float(value),
        "invoiceDetails": {"account": account},
        "revenueInfo": top,
        **others,
    }


async def test_lines_that_do_not_add_up_are_told(server: BillingServer, client: Client) -> None:
    below = [{"description": name, "value": 4.5} for name in ("One", "Two")]
    attach(server, Recorder(Says(whole(below))))
    shown = await text(client, "billing://invoices/inv.1")
    assert "- Total: 10.00 USD (TOTAL) — the lines below it add up to 9.00 USD\n" in shown


async def test_an_invoice_of_many_lines_is_paged_between_lines(
    server: BillingServer, client: Client
) -> None:
    below = [{"description": f"Line {n} of some length", "value": n} for n in range(1, 1001)]
    # 1 + 2 + … + 1000 = 500500
    attach(server, Recorder(Says(whole(below, "500500"))))
    found = await pages(client, "billing://invoices/inv.1")
    assert len(found) > 2
    shown = [line for page in found for line in page.splitlines() if line.startswith("  - ")]
    assert shown == [f'  - "Line {n} of some length": {n}.00 USD' for n in range(1, 1001)]
    assert all("## Lines (continued)" in page for page in found[1:-1])
    assert not any("add up" in page for page in found)


async def test_an_invoice_of_which_little_is_known_is_still_shown(
    server: BillingServer, client: Client
) -> None:
    attach(server, Recorder(Says({"id": "inv.1", "ownerId": None, "totalAmount": 5})))
    shown = await text(client, "billing://invoices/inv.1")
    assert "- total: 5\n" in shown
    assert "Amounts are in " in shown
    assert "\nThe vendor gave no lines.\n" in shown
