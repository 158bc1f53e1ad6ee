"""`billing://invoices/{id}`: what is owed and why, line below line."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from billing_mcp.money import plain
from billing_mcp.resources.addresses import Address, uri
from billing_mcp.resources.markdown import amount, facts, moment, quoted, row, span
from billing_mcp.resources.pages import Document, Section, rendered
from billing_mcp.resources.reading import Content, Reader, Wanted

INVOICE = Wanted("invoice", "invoice", "invoiceId", "list-invoices")
_CREDITS = "TOTAL_CREDITS"


async def read(address: Address, reader: Reader) -> Content:
    invoice = await reader.one("get-invoice", INVOICE, address.name or "", detail="full")
    details = invoice.get("invoiceDetails") or {}
    currency = (details.get("account") or {}).get("invoiceCurrency")
    top = invoice.get("revenueInfo")
    lines = list(_tree(top, currency)) if top else ["The vendor gave no lines."]
    usage = [
        row((quoted(used.get("description")), quoted(used.get("value")), quoted(used.get("id"))))
        for used in invoice.get("usageInfo") or ()
    ]
    unit = quoted(currency or "no currency that the vendor names")
    adding = f"Amounts are in {unit}; a line is the sum of those indented below it."
    sections = [
        Section(facts=_described(invoice, details, currency)),
        Section("## Lines", (adding,), rows=lines),
    ]
    if usage:
        columns = ("usage meter", "units used", "id")
        sections.append(Section("## Usage it was made from", columns=columns, rows=usage))
    sections.append(Section("## Where to go next", rows=_following(invoice)))
    title = f"Invoice {quoted(invoice['id'])} of account {quoted(invoice.get('ownerId'))}"
    document = Document(title, invoice["environment"], sections)
    return Content(rendered(document, address), "text/markdown")


def _described(
    invoice: Mapping[str, Any], details: Mapping[str, Any], currency: str | None
) -> list[str]:
    status = quoted(invoice.get("status"))
    if invoice.get("status") == "DRAFT":
        status += ": it still changes until it is final"
    plan_id = invoice.get("pricePlanId")
    account_name = (details.get("account") or {}).get("name")
    customer_name = (details.get("customer") or {}).get("name")
    applied = [line for line in _lines(invoice.get("revenueInfo")) if line.get("type") == _CREDITS]
    return facts(
        (
            ("status", status),
            ("total", amount(invoice.get("totalAmount"), currency)),
            ("paid", amount(invoice.get("paidAmount"), currency)),
            ("credits applied", ", ".join(amount(line.get("value"), currency) for line in applied)),
            ("period", span(invoice.get("startDate"), invoice.get("endDate"))),
            ("invoice date (UTC)", moment(invoice.get("invoiceDate"))),
            ("due (UTC)", moment(invoice.get("dueDate"))),
            ("kind", " ".join(quoted(invoice.get(name)) for name in _KIND if name in invoice)),
            ("account", f"{quoted(invoice.get('ownerId'))} {quoted(account_name)}".strip()),
            ("customer", f"{quoted(invoice.get('customerId'))} {quoted(customer_name)}".strip()),
            (
                "price plan",
                f"{quoted(details.get('pricePlanName'))} {uri('price-plans', plan_id)}"
                if plan_id
                else None,
            ),
        )
    )


_KIND = ("invoiceClass", "invoiceType")


def _following(invoice: Mapping[str, Any]) -> list[str]:
    owner = invoice.get("ownerId")
    following = [f"- how lines come about: {uri('guides', 'invoices')}"]
    if owner:
        following.append(f"- the account: {uri('accounts', owner)}")
        following.append(f"- its credits: `list-credits` with accountId {quoted(owner)}")
    if invoice.get("pricePlanId"):
        following.append(f"- the rates: {uri('price-plans', invoice['pricePlanId'])}")
    return following


def _lines(line: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """A line and all below it."""
    if line is not None:
        yield line
        for below in line.get("lineItems") or ():
            yield from _lines(below)


def _tree(line: Mapping[str, Any], currency: str | None, depth: int = 0) -> Iterator[str]:
    below = line.get("lineItems") or ()
    text = f"{quoted(line.get('description'))}: {amount(line.get('value'), currency)}"
    yield f"{'  ' * depth}- {text}{_how(line, currency)}{_difference(line, below, currency)}"
    for item in below:
        yield from _tree(item, currency, depth + 1)


def _how(line: Mapping[str, Any], currency: str | None) -> str:
    """Quantity and price of a line, and what it is."""
    metadata = line.get("metadata") or {}
    parts = []
    if line.get("quantity") is not None:
        parts.append(f"quantity {quoted(line['quantity'])} {quoted(line.get('units'))}".rstrip())
    if line.get("valuePerQuantity") is not None:
        price = amount(line["valuePerQuantity"], currency)
        if "packageQuantity" in metadata:
            parts.append(
                f"{quoted(metadata['packageQuantity'])} packages of "
                f"{quoted(metadata.get('packageSize'))} at {price}"
            )
        else:
            flat = metadata.get("priceType") == "FLAT"
            parts.append(f"{price} flat" if flat else f"at {price} each")
    if "exactAmount" in metadata:
        parts.append(f"exactly {amount(metadata['exactAmount'], currency)}, rounded down")
    if "minimumCommitment" in metadata:
        parts.append(f"commitment {amount(metadata['minimumCommitment'], currency)}")
    parts.append(quoted(line.get("type")))
    if line.get("id"):
        parts.append(quoted(line["id"]))
    told = "; ".join(part for part in parts if part)
    return f" ({told})" if told else ""


def _difference(
    line: Mapping[str, Any], below: Sequence[Mapping[str, Any]], currency: str | None
) -> str:
    """What a reader must know before adding up: that lines do not make their sum."""
    values = [item.get("value") for item in below]
    known = [Decimal(value) for value in values if value is not None]
    if not values or line.get("value") is None or len(known) < len(values):
        return ""
    total = sum(known, Decimal(0))
    if total == Decimal(line["value"]):
        return ""
    return f" — the lines below it add up to {amount(plain(total), currency)}"
