"""Invoices: what an account owes for a cycle of its price plan."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from billing_mcp import money
from billing_mcp.declarations import READ, Toolset
from billing_mcp.errors import InvalidRequest
from billing_mcp.params import AccountId, CustomerId, Day, Name, NextToken, SmallPageSize
from billing_mcp.results import Exact, Result, TokenPage
from billing_mcp.upstream import Togai

toolset = Toolset("togai-billing")

InvoiceStatus = Literal[
    "DRAFT",
    "DUE",
    "PAID",
    "VOID",
    "UN_COLLECTIBLE",
    "REFUND_INITIATED",
    "REFUND_COMPLETED",
    "MERGED",
    "PARTIALLY_PAID",
]
InvoiceClass = Literal["INVOICE", "ORDER", "BILLABLE"]


class InvoiceAccount(Result):
    name: str | None = None
    invoiceCurrency: str | None = None


class InvoiceDetails(Result):
    pricePlanName: str | None = None
    account: InvoiceAccount | None = None
    invoiceGroup: InvoiceAccount | None = None


class Invoice(Result):
    concise: ClassVar[tuple[str, ...]] = (
        "id",
        "ownerId",
        "status",
        "totalAmount",
        "paidAmount",
        "invoiceDetails.account.invoiceCurrency",
        "invoiceDetails.invoiceGroup.invoiceCurrency",
        "startDate",
        "endDate",
        "dueDate",
    )
    ordinary: ClassVar = {"paidAmount": frozenset({"0", "0.00", "0.000"})}
    amounts: ClassVar = frozenset({"totalAmount", "paidAmount"})

    id: str
    ownerId: str | None = None
    customerId: str | None = None
    pricePlanId: str | None = None
    status: str | None = None
    invoiceClass: str | None = None
    invoiceType: str | None = None
    totalAmount: Exact | None = None
    paidAmount: Exact | None = None
    startDate: str | None = None
    endDate: str | None = None
    invoiceDate: str | None = None
    dueDate: str | None = None
    netTermDays: int | None = None
    invoiceDetails: InvoiceDetails | None = None

    def currency(self) -> str | None:
        details = self.invoiceDetails
        owner = details and (details.account or details.invoiceGroup)
        return owner.invoiceCurrency if owner else None


class InvoiceLine(Result):
    """A line of an invoice. Its value is the sum of the lines below it."""

    description: str | None = None
    type: str | None = None
    quantity: Exact | None = None
    units: str | None = None
    valuePerQuantity: Exact | None = None
    value: Exact | None = None
    lineItems: list["InvoiceLine"] | None = None

    def at_scale(self, currency: str) -> None:
        """Show the amounts of this line and of those below it at their currency's scale."""
        if self.value is not None:
            self.value = money.at_scale(self.value, currency)
        for line in self.lineItems or ():
            line.at_scale(currency)


class WholeInvoice(Invoice):
    """One invoice with its lines; concise leaves out the quantities of usage beside them."""

    long: ClassVar = True
    concise: ClassVar[tuple[str, ...]] = (
        *Invoice.concise,
        "customerId",
        "pricePlanId",
        "revenueInfo",
    )

    autoAdvance: bool | None = None
    revenueInfo: InvoiceLine | None = None
    usageInfo: list[InvoiceLine] | None = None

    @model_validator(mode="after")
    def _at_scale(self) -> "WholeInvoice":
        """Show the lines' amounts at their currency's scale."""
        currency = self.currency()
        if currency is not None and self.revenueInfo is not None:
            self.revenueInfo.at_scale(currency)
        return self


InvoiceId = Annotated[Name, Field(min_length=1, max_length=50)]


@toolset.tool(READ, "GET /invoices/{invoice_id}")
async def get_invoice(togai: Togai, invoiceId: InvoiceId) -> WholeInvoice:
    """Show one invoice line by line (revenueInfo): each line's value is the sum of its lineItems.
    detail=full adds the usage it was made from."""
    return await togai.fetch(WholeInvoice, at={"invoice_id": invoiceId})


# What the vendor can filter by together: combinations of its page on listing invoices, and any of
# the parameters that its API description has (status, owner_id, customer_id).
_COMBINATIONS = tuple(
    frozenset(combination.split())
    for combination in (
        "",
        "status",
        "class",
        "owner_id",
        "customer_id",
        "customer_id owner_id",
        "status customer_id",
        "status customer_id owner_id",
        "class owner_id",
        "status owner_id",
        "status class",
        "status class owner_id",
        "status invoice_date",
        "class invoice_date",
        "status invoice_date customer_id",
        "class invoice_date customer_id",
        "status invoice_date customer_id owner_id",
        "class invoice_date customer_id owner_id",
        "owner_id price_plan_id",
        "owner_id price_plan_id start_date",
        "owner_id price_plan_id start_date end_date",
    )
)
_ARGUMENTS = {
    "owner_id": "accountId",
    "status": "status",
    "class": "invoiceClass",
    "customer_id": "customerId",
    "invoice_date": "invoiceDate",
    "price_plan_id": "pricePlanId",
    "start_date": "startDate",
    "end_date": "endDate",
}


@toolset.tool(READ, "GET /invoices")
async def list_invoices(
    togai: Togai,
    accountId: AccountId | None = None,
    status: InvoiceStatus | None = None,
    invoiceClass: InvoiceClass | None = None,
    customerId: CustomerId | None = None,
    invoiceDate: Day | None = None,
    pricePlanId: Annotated[Name | None, Field(max_length=50)] = None,
    startDate: Annotated[Day | None, Field(description="With pricePlanId")] = None,
    endDate: Day | None = None,
    pageSize: SmallPageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[Invoice]:
    """List invoices, of one account or of all: amounts, period, status. DRAFT is still running;
    endDate is exclusive; rows without paidAmount have nothing paid."""
    filters = {
        "owner_id": accountId,
        "status": status,
        "class": invoiceClass,
        "customer_id": customerId,
        "invoice_date": invoiceDate,
        "price_plan_id": pricePlanId,
        "start_date": startDate,
        "end_date": endDate,
    }
    _require_combination(frozenset(name for name, value in filters.items() if value is not None))
    return await togai.fetch(
        TokenPage[Invoice], query={**filters, "pageSize": pageSize, "nextToken": nextToken}
    )


def _require_combination(used: frozenset[str]) -> None:
    """Refuse filters that the vendor cannot combine, naming the nearest ones that it can."""
    if used in _COMBINATIONS:
        return
    subset = max((known for known in _COMBINATIONS if known < used), key=len)
    extra = sorted(_ARGUMENTS[name] for name in used - subset)
    kept = sorted(_ARGUMENTS[name] for name in subset)
    if not kept:
        raise InvalidRequest(
            f"{extra[0]} needs another filter beside it; nothing was sent.",
            field=extra[0],
            next_step="invoiceDate needs status or invoiceClass; pricePlanId needs accountId; "
            "startDate and endDate need both of those.",
        )
    raise InvalidRequest(
        f"{', '.join(extra)} cannot be combined with {', '.join(kept)}; nothing was sent.",
        field=extra[0],
        next_step=f"Leave out {', '.join(extra)} and look through the rows.",
    )
