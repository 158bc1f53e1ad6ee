"""Togai's invoices with their trees of lines: kept, listed by documented filters, shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain, combinations
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import drafts, invoice_owners, plan_versions
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.invoice_owners import Owner
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

# Ours: who sends the invoices. The vendor keeps it with the organisation that a key belongs to.
SELLER = {
    "businessName": "Northbeam Cloud",
    "address": {
        "line1": "2 Signal Hill",
        "postalCode": "97205",
        "city": "Portland",
        "state": "OR",
        "country": "US",
    },
    "primaryEmail": "billing@northbeam.example",
}

STATUSES = (
    *("DRAFT", "DUE", "PAID", "VOID", "UN_COLLECTIBLE", "REFUND_INITIATED"),
    *("REFUND_COMPLETED", "MERGED", "PARTIALLY_PAID"),
)
_CLASSES = ("INVOICE", "ORDER", "BILLABLE")

# The parameters of the vendor's OpenAPI document go together as one likes; the combinations below
# are those of its documentation's page.
_FREE = ("status", "owner_id", "customer_id", "start_time", "end_time")
_COMBINATIONS = (
    *("class", "class owner_id", "status class", "status class owner_id", "status invoice_date"),
    *("class invoice_date", "status invoice_date customer_id", "class invoice_date customer_id"),
    *("status invoice_date customer_id owner_id", "class invoice_date customer_id owner_id"),
    *("owner_id price_plan_id", "owner_id price_plan_id start_date"),
    "owner_id price_plan_id start_date end_date",
)

LISTING = Listing(
    select="select * from invoices",
    unique="id",
    filters={
        "status": "status = ?",
        "class": "class = ?",
        "owner_id": "owner_id = ?",
        "customer_id": "customer_id = ?",
        "price_plan_id": "price_plan_id = ?",
        "invoice_date": "substr(invoice_date, 1, 10) = ?",
        "start_date": "substr(start_date, 1, 10) >= ?",
        "end_date": "substr(end_date, 1, 10) <= ?",
        # Ours: seconds since 1970, of the invoice's date; the end is exclusive.
        "start_time": "unixepoch(invoice_date) >= cast(? as integer)",
        "end_time": "unixepoch(invoice_date) < cast(? as integer)",
    },
    combinations={
        *(frozenset(combination.split()) for combination in _COMBINATIONS),
        *map(
            frozenset,
            chain.from_iterable(combinations(_FREE, n + 1) for n in range(len(_FREE))),
        ),
    },
    order=("invoice_date", True),
    default_size=50,
    maximum_size=50,
)


@resource.route("GET", "/invoices")
def list_invoices(request: Call) -> Reply:
    return listed(request, LISTING)


def listed(request: Call, listing: Listing) -> Reply:
    """A page of invoices by the filters that every list of them has."""
    call.one_of(request.query, "status", STATUSES, default=None)
    call.one_of(request.query, "class", _CLASSES, default=None)
    for name in ("invoice_date", "start_date", "end_date"):
        call.day(request.query, name, default=None)
    for name in ("start_time", "end_time"):
        call.text(request.query, name, pattern="[0-9]{1,12}", default=None)
    drafts.settle(request, request.query.get("owner_id"))
    found = page(request, listing)
    return Reply({"data": [_summary(row) for row in found.rows], "nextToken": found.next_token})


@resource.route("GET", "/invoices/{invoice_id}")
def get_invoice(request: Call) -> Reply:
    drafts.settle(request, existing(request, request.path["invoice_id"])["owner_id"])
    return Reply(render(existing(request, request.path["invoice_id"])))


def existing(request: Call, invoice_id: str) -> Row:
    """The invoice's row. Refuses with 404."""
    row: Row | None = request.db.execute(
        "select * from invoices where id = ?", (invoice_id,)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Invoice {invoice_id} not found")
    return row


@dataclass(frozen=True, slots=True)
class NewInvoice:
    """An invoice to be stored. `lines` is the wire's tree of lines under the grand total.

    `account_id` is the owner's: an account's id, or an invoice group's.
    """

    account_id: str
    price_plan_id: str | None
    start: date
    end: date  # exclusive
    status: str
    lines: Mapping[str, Any]
    usage: Sequence[Mapping[str, Any]] = ()
    invoice_date: date | None = None  # None: the period's end
    paid: Decimal = Decimal(0)
    kind: str = "STANDARD"
    invoice_class: str = "INVOICE"
    sequence_id: str | None = None
    info: Sequence[Mapping[str, str]] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


def insert_invoice(request: Call, new: NewInvoice) -> str:
    """Store an invoice and answer its id. The total is the value of the lines' root.

    Raises `money.NotANumber` when the total or what is paid is not whole in minor units.
    """
    owner = invoice_owners.existing(request, new.account_id)
    currency, term = owner.currency, owner.term_days
    dated = clock.midnight(new.invoice_date or new.end)
    invoice_id = request.new_id("inv")
    final = new.status != "DRAFT"
    columns = {
        "id": invoice_id,
        "sequence_id": new.sequence_id,
        "customer_id": owner.customer_id,
        "owner_id": owner.id,
        "price_plan_id": new.price_plan_id,
        "status": new.status,
        "finalizing_status": "FINALIZED" if final else None,
        "class": new.invoice_class,
        "type": new.kind,
        "auto_advance": 1,
        "start_date": clock.written(clock.midnight(new.start)),
        "end_date": clock.written(clock.midnight(new.end)),
        "invoice_date": clock.written(dated),
        "due_date": clock.written(dated + timedelta(days=term)),
        "generated_at": request.stamp if final else None,
        "updated_at": request.stamp,
        "currency": currency,
        "total_minor": str(money.minor_units(Decimal(new.lines["value"]), currency)),
        "paid_minor": str(money.minor_units(new.paid, currency)),
        "net_term_days": term,
        "details": packed(_details(request, owner, new.price_plan_id)),
        "usage_info": packed(list(new.usage)),
        "revenue_info": packed(new.lines),
        "info": packed(list(new.info)),
        "metadata": packed(new.metadata),
    }
    store.insert(request.db, "invoices", columns)
    return invoice_id


def _details(request: Call, owner: Owner, price_plan_id: str | None) -> dict[str, Any]:
    plan = None if price_plan_id is None else plan_versions.existing(request, price_plan_id)
    return present(
        **owner.parties,
        pricePlanName=plan and plan["name"],
        organization=SELLER,
    )


def _summary(row: Row) -> dict[str, Any]:
    end = clock.read(row["end_date"])
    return present(
        id=row["id"],
        customerId=row["customer_id"],
        ownerId=row["owner_id"],
        pricePlanId=row["price_plan_id"],
        status=row["status"],
        finalizingStatus=row["finalizing_status"],
        invoiceClass=row["class"],
        invoiceType=row["type"],
        startDate=row["start_date"],
        endDate=row["end_date"],
        endDateInclusive=clock.written(end - timedelta(milliseconds=1)),
        invoiceDate=row["invoice_date"],
        dueDate=row["due_date"],
        generatedAt=row["generated_at"],
        updatedAt=row["updated_at"],
        sequenceId=row["sequence_id"],
        totalAmount=money.from_minor_units(int(row["total_minor"]), row["currency"]),
        paidAmount=money.from_minor_units(int(row["paid_minor"]), row["currency"]),
        invoiceDetails=unpacked(row, "details"),
        netTermDays=row["net_term_days"],
    )


def render(row: Row) -> dict[str, Any]:
    """The invoice with its lines."""
    return _summary(row) | {
        "usageInfo": unpacked(row, "usage_info"),
        "revenueInfo": unpacked(row, "revenue_info"),
        "autoAdvance": bool(row["auto_advance"]),
        "info": unpacked(row, "info"),
        "metadata": unpacked(row, "metadata"),
    }
