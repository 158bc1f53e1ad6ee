"""Payments: money received from an account, and what it was used for."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from billing_mcp import errors, money
from billing_mcp.declarations import (
    CREATE,
    READ,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import (
    AccountId,
    Body,
    Currency,
    Name,
    NextToken,
    Positive,
    SmallPageSize,
    Version,
    wrong,
)
from billing_mcp.results import Exact, Result, TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai import invoice_lookups, walks
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, present

toolset = Toolset("togai-payments")

PAGE = 50
PAYMENTS_ROUTE = "GET /payments"
PAYABLE = ("DUE", "PARTIALLY_PAID", "UN_COLLECTIBLE")
# Where a payment keeps which operation of ours recorded it: the vendor has no key for it.
KEPT_AS = "billingMcpOperation"
Text = Annotated[Name | None, Field(max_length=512)]


class ExternalPayment(Body):
    sourceName: Annotated[Name, Field(min_length=1, max_length=255, description="Bank, gateway, …")]
    sourceType: Literal["GATEWAY", "CASH", "CHEQUE", "BANK_TRANSFER", "CARD"]
    transactionNumber: Annotated[Name, Field(min_length=1, max_length=255)]
    description: Text = None
    metadata: Annotated[dict[Name, Name] | None, Field(max_length=50)] = None


class PaymentUse(Body):
    type: Literal["INVOICE", "CREDIT", "WALLET_CREDIT"]
    togaiId: Annotated[Name | None, Field(max_length=50, description="The invoice's id")] = None
    amount: Annotated[Positive | None, Field(description="Default: all it can take")] = None
    order: Annotated[int | None, Field(ge=0, le=1000, description="Default: as listed")] = None

    @model_validator(mode="after")
    def _names_its_invoice(self) -> "PaymentUse":
        if self.type == "INVOICE" and self.togaiId is None:
            raise wrong("an object with togaiId: the id of the invoice")
        return self


class UsedFor(Result):
    type: str
    togaiId: str | None = None
    amount: Exact | None = None
    order: int | None = None


class PaymentReference(Result):
    sourceName: str | None = None
    sourceType: str | None = None
    transactionNumber: str | None = None
    metadata: dict[str, Any] | None = None


class Payment(Result):
    concise: ClassVar = (
        "id",
        "accountId",
        "totalAmount",
        "currency",
        "createdAt",
        "externalPaymentReferences.sourceType",
        "externalPaymentReferences.transactionNumber",
        "description",
    )
    amounts: ClassVar = frozenset({"totalAmount"})

    id: str
    accountId: str
    totalAmount: Exact
    description: str | None = None
    notes: str | None = None
    externalPaymentReferences: PaymentReference | None = None
    lineItemRecords: list[UsedFor] | None = None
    version: Exact | None = None
    createdBy: str | None = None
    createdAt: str | None = None

    def currency(self) -> str | None:
        """The vendor's field of this name is not declared, so that it is among the extra ones."""
        found = (self.model_extra or {}).get("currency")
        return found if isinstance(found, str) else None

    @model_validator(mode="after")
    def _at_scale(self) -> "Payment":
        """Show what each record took at the currency's scale."""
        currency = self.currency()
        for record in self.lineItemRecords or ():
            if currency is not None and record.amount is not None:
                record.amount = money.at_scale(record.amount, currency)
        return self


@toolset.tool(READ, PAYMENTS_ROUTE)
async def list_payments(
    togai: Togai, pageSize: SmallPageSize = None, nextToken: NextToken = None
) -> TokenPage[Payment]:
    """List payments of all accounts. What one was used for: get-payment."""
    query = {"pageSize": pageSize, "nextToken": nextToken}
    return await togai.fetch(TokenPage[Payment], query=query)


@toolset.tool(READ, "GET /payments/{payment_id}")
async def get_payment(
    togai: Togai,
    paymentId: Annotated[Name, Field(min_length=1, max_length=50)],
    version: Version = None,
) -> Payment:
    """Show one payment and what it was used for: invoices, credits, wallet."""
    at, query = {"payment_id": paymentId}, {"version": version}
    return await togai.fetch(Payment, at=at, query=query)


async def _recorded(togai: Togai, _: Mapping[str, Any]) -> Verdict:
    """What this call recorded carries its operation id in the metadata of its reference."""
    try:
        async for payment in walks.rows(togai, Payment, PAYMENTS_ROUTE, PAGE):
            reference = payment.externalPaymentReferences
            metadata = (reference.metadata if reference else None) or {}
            if metadata.get(KEPT_AS) == togai.operation_id:
                return Applied(payment)
    except walks.MoreThanSearched:
        return Undecided(
            f"it is not among the {walks.PAGES_SEARCHED * PAGE} payments that list-payments shows "
            f"first; if it is there, its metadata has {KEPT_AS} {togai.operation_id}"
        )
    return NotApplied()


def _ordered(uses: Sequence[PaymentUse]) -> list[dict[str, Any]]:
    """The records as they are sent. Raises `InvalidRequest` when two have the same order."""
    orders = [place if use.order is None else use.order for place, use in enumerate(uses, 1)]
    if len(set(orders)) < len(orders):
        raise errors.InvalidRequest(
            "Two of lineItemRecords have the same order; nothing was sent.",
            field="lineItemRecords",
            next_step="Leave order out, or give each its own.",
        )
    return [given(use) | {"order": order} for use, order in zip(uses, orders, strict=True)]


async def _use_told(
    togai: Togai, use: PaymentUse, currency: str
) -> tuple[str, dict[str, Any] | None]:
    """How a plan tells of one record, and the invoice it pays for as it stands."""
    much = "what is left" if use.amount is None else wording.amount(use.amount, currency)
    if use.type == "WALLET_CREDIT":
        return f"{much} for the wallet", None
    if use.type == "CREDIT":
        named = "" if use.togaiId is None else f" {wording.identified(use.togaiId)}"
        return f"{much} for a credit{named}", None
    assert use.togaiId is not None
    invoice = await invoice_lookups.invoice_of(togai, use.togaiId)
    invoice_lookups.require_status(invoice, PAYABLE, "be paid")
    paid = (invoice.paidAmount or Decimal(0)).copy_negate()
    owed = money.total((invoice.totalAmount or Decimal(0), paid))
    if use.amount is not None and use.amount > owed:
        raise errors.Conflict(
            f"{invoice_lookups.wording_of(invoice)} is owed {wording.amount(owed, currency)}, "
            f"less than {wording.amount(use.amount, currency)}.",
            field="lineItemRecords",
            next_step="Leave the amount out to pay what is owed.",
        )
    return f"{much} for {invoice_lookups.called(invoice)}", {"id": invoice.id, "owed": owed}


async def _would_record(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    uses: list[PaymentUse] = asked["lineItemRecords"]
    _ordered(uses)
    account, whose = await owned_account(togai, asked["accountId"])
    currency = asked["currency"]
    if account.invoiceCurrency not in (None, currency):
        raise errors.Conflict(
            f"A payment of {whose} is in {account.invoiceCurrency}, not in {currency}.",
            field="currency",
            next_step="Give the amount in the account's currency.",
        )
    total = asked["totalAmount"]
    if money.total(use.amount for use in uses if use.amount is not None) > total:
        raise errors.InvalidRequest(
            "The amounts of lineItemRecords are more than totalAmount.",
            field="lineItemRecords",
            next_step="Give amounts that totalAmount can cover.",
        )
    told = [await _use_told(togai, use, currency) for use in uses]
    source: ExternalPayment = asked["externalPaymentReference"]
    sentence = (
        f"Records {wording.amount(total, currency)} received from {whose} by {source.sourceType} "
        f"({wording.quoted(source.sourceName)}, transaction "
        f"{wording.quoted(source.transactionNumber)}): "
        f"{wording.listed([words for words, _ in told])}."
    )
    if (twin := await _same_transaction(togai, source)) is not None:
        sentence += f" Payment {wording.identified(twin)} already has this transaction."
    invoices = [invoice for _, invoice in told if invoice is not None]
    return Effect(sentence, {"invoices": invoices}, None, None, {"invoices": invoices})


async def _same_transaction(togai: Togai, source: ExternalPayment) -> str | None:
    """A payment on the first page that has the same number from the same source."""
    page = await togai.fetch(TokenPage[Payment], route=PAYMENTS_ROUTE, query={"pageSize": PAGE})
    for payment in page.data:
        found = payment.externalPaymentReferences
        if found is not None and (found.sourceName, found.transactionNumber) == (
            source.sourceName,
            source.transactionNumber,
        ):
            return payment.id
    return None


@toolset.tool(
    CREATE,
    "POST /payments",
    title="Record payments",
    write=Write(
        find_out="list-payments shows whether the payment is there",
        reconcile=_recorded,
        preview=_would_record,
        stake=stake_of_account(),
        target="accountId",
        amount="totalAmount",
    ),
)
async def create_payments(
    togai: Togai,
    accountId: AccountId,
    totalAmount: Positive,
    currency: Currency,
    externalPaymentReference: ExternalPayment,
    lineItemRecords: Annotated[
        list[PaymentUse],
        Field(min_length=1, max_length=50, description="What it is used for, in this order"),
    ],
    description: Text = None,
    notes: Text = None,
) -> Payment:
    """Record money received from an account and use it: for invoices, as a credit without end, or
    as WALLET_CREDIT. It charges nobody."""
    reference = given(externalPaymentReference)
    reference["metadata"] = {**(reference.get("metadata") or {}), KEPT_AS: togai.operation_id}
    return await togai.fetch(
        Payment,
        body=present(
            accountId=accountId,
            totalAmount=totalAmount,
            currency=currency,
            externalPaymentReference=reference,
            lineItemRecords=_ordered(lineItemRecords),
            description=description,
            notes=notes,
        ),
    )
