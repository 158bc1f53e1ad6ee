"""Custom invoices: lines that somebody wrote, and what a person does with any invoice by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from billing_mcp import errors, money
from billing_mcp.declarations import (
    CREATE,
    DELETE,
    Effect,
    NotApplied,
    Stake,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import AccountId, Body, Instant, Name, NonNegative, wrong
from billing_mcp.results import values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai import invoice_groups, invoice_lookups, recognition, walks
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.tools.togai.invoices import Invoice, InvoiceId, WholeInvoice
from billing_mcp.tools.togai.recognition import Done
from billing_mcp.upstream import Togai
from billing_mcp.wire import json_value, present, utc_text

toolset = Toolset("togai-invoices")

PAGE = 50
Owner = Literal["ACCOUNT", "INVOICE_GROUP"]


class CustomLine(Body):
    id: Annotated[Name | None, Field(max_length=255)] = None
    description: Annotated[Name | None, Field(max_length=255)] = None
    value: NonNegative | None = None
    quantity: NonNegative | None = None
    valuePerQuantity: NonNegative | None = None
    billableId: Annotated[Name | None, Field(max_length=255)] = None

    @model_validator(mode="after")
    def _is_worth_something(self) -> "CustomLine":
        if (self.quantity is None) != (self.valuePerQuantity is None):
            raise wrong("an object whose quantity and valuePerQuantity go together")
        if self.value is None and self.quantity is None:
            raise wrong("an object with value, or with quantity and valuePerQuantity")
        return self

    def amount(self, currency: str) -> Decimal:
        """What Togai makes of it: cut to the minor unit."""
        if self.quantity is None or self.valuePerQuantity is None:
            assert self.value is not None
            return money.rounded(self.value, currency)
        return money.rounded(money.product(self.quantity, self.valuePerQuantity), currency)


Lines = Annotated[
    list[CustomLine],
    Field(
        min_length=1, max_length=50, description="Each: value, or quantity with valuePerQuantity"
    ),
]


def _require_period(start: datetime | None, end: datetime | None) -> None:
    if start is not None and end is not None and end <= start:
        raise errors.InvalidRequest(
            "endDate is not after startDate; nothing was sent.",
            field="endDate",
            next_step="Give an endDate after startDate.",
        )


def told(lines: Sequence[CustomLine], currency: str) -> tuple[Decimal, str]:
    """The sum of lines, and how a plan lists them."""
    sums = [line.amount(currency) for line in lines]
    named = [
        f"{wording.quoted(line.description or 'unnamed')} {wording.amount(amount, currency)}"
        for line, amount in zip(lines, sums, strict=True)
    ]
    return money.total(sums), wording.listed(named)


async def _owner(togai: Togai, asked: Mapping[str, Any]) -> tuple[str, str | None]:
    """How a plan names who is to pay, and the currency. Raises `NotFound`."""
    if asked["ownerType"] == "INVOICE_GROUP":
        group = await invoice_groups.group_of(togai, asked["accountId"])
        return wording.named("invoice group", group.id, group.name), group.invoiceCurrency
    account, whose = await owned_account(togai, asked["accountId"])
    if account.status == "ARCHIVED":
        raise errors.Conflict(
            f"No invoice can be written for {whose}: the account is ARCHIVED.",
            field="accountId",
            next_step="list-accounts of the customer shows those that are ACTIVE.",
        )
    return whose, account.invoiceCurrency


_FOLLOWS = {
    "DRAFT": "Nothing is owed until it is made DUE.",
    "DUE": "It is owed from now on.",
    "PAID": "It counts as paid at once.",
}


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    _require_period(asked["startDate"], asked["endDate"])
    whose, currency = await _owner(togai, asked)
    if currency is None:
        raise errors.Conflict(
            f"{whose} shows no currency, so that lines cannot be summed up.",
            field="accountId",
            next_step="update-account sets an invoiceCurrency.",
        )
    total, lines = told(asked["lineItems"], currency)
    status = asked["status"]
    follows = _FOLLOWS[status]
    if status == "DRAFT" and asked["autoAdvance"]:
        follows = "It becomes DUE by itself at its end."
    applied = {
        "credits": asked["applyCredits"] is not False,
        "the wallet": asked["applyWalletBalance"] is not False and status != "PAID",
    }
    sources = [name for name, applies in applied.items() if applies]
    if sources and asked["ownerType"] != "INVOICE_GROUP":
        follows += f" What {wording.listed(sources)} can pay of it is paid when it is final."
    undo = {
        "DRAFT": "delete-custom-invoice, as long as it is DRAFT.",
        "DUE": "update-invoice with status VOID.",
    }
    return Effect(
        f"Writes a {status} invoice of {wording.amount(total, currency)} for {whose}, from "
        f"{utc_text(asked['startDate'])} to {utc_text(asked['endDate'])}: {lines}. {follows}",
        after={"status": status, "totalAmount": total, "currency": currency},
        undo=undo.get(status),
        provided={"currency": currency},
    )


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """Invoices do not show the key, which keeps a repeated call from making another one."""
    wanted = _recognised(asked["accountId"], asked["startDate"], asked["endDate"])
    of_owner = {"owner_id": asked["accountId"]}
    look_at = "list-invoices of the account shows CUSTOM invoices of that period"
    try:
        async for row in walks.rows(togai, Invoice, "GET /invoices", PAGE, query=of_owner):
            if holds(values(row), wanted):
                return Undecided(f"{look_at}, such as {row.id}; none shows which call made it")
    except walks.MoreThanSearched:
        return Undecided(look_at)
    return NotApplied()


def _recognised(owner_id: str, start: Any, end: Any) -> dict[str, Any]:
    """What every invoice of this call shows, whatever has become of it."""
    return {
        "ownerId": owner_id,
        "invoiceType": "CUSTOM",
        "startDate": json_value(start),
        "endDate": json_value(end),
    }


async def _stake_of_owner(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    if asked["ownerType"] == "INVOICE_GROUP":
        return await invoice_groups.stake_of(togai, asked["accountId"])
    return await stake_of_account()(togai, asked)


@toolset.tool(
    CREATE,
    "POST /invoices",
    write=Write(
        find_out="list-invoices of the account shows whether the invoice is there",
        reconcile=_created,
        preview=_would_create,
        stake=_stake_of_owner,
        key="idempotencyKey",
        target="accountId",
    ),
)
async def create_custom_invoice(
    togai: Togai,
    accountId: Annotated[AccountId, Field(description="Or the group's id")],
    startDate: Instant,
    endDate: Instant,
    lineItems: Lines,
    status: Literal["DRAFT", "DUE", "PAID"] = "DRAFT",
    ownerType: Owner | None = None,
    autoAdvance: Annotated[
        bool | None, Field(description="A DRAFT becomes DUE at its end; default false")
    ] = None,
    applyCredits: Annotated[bool | None, Field(description="Default true")] = None,
    applyWalletBalance: Annotated[bool | None, Field(description="Default true")] = None,
) -> WholeInvoice:
    """Write an invoice by hand, as a DRAFT unless told otherwise. For a charge on a running
    invoice use set-invoice-charges."""
    _require_period(startDate, endDate)
    invoice = await togai.fetch(
        WholeInvoice,
        body=present(
            accountId=accountId,
            ownerType=ownerType,
            startDate=startDate,
            endDate=endDate,
            idempotencyKey=togai.operation_id,
            status=status,
            lineItems=lineItems,
            autoAdvance=autoAdvance,
            applyCredits=applyCredits,
            applyWalletBalance=applyWalletBalance,
        ),
    )
    if togai.operation_given and not holds(
        values(invoice), _recognised(accountId, startDate, endDate)
    ):
        raise errors.Conflict(
            f"operationId {togai.operation_id} was already used for another invoice "
            f"({invoice.id}); nothing was written now.",
            field="operationId",
            next_step="Leave operationId out to write a new invoice.",
        )
    return invoice


async def _deleted(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    try:
        await invoice_lookups.invoice_of(togai, asked["invoiceId"])
    except errors.NotFound:
        return recognition.DONE
    return NotApplied()


def require_custom_draft(invoice: WholeInvoice, what: str) -> None:
    """Raises `Conflict` for any but a custom invoice in DRAFT."""
    if invoice.invoiceType != "CUSTOM" or invoice.status != "DRAFT":
        raise errors.Conflict(
            f"{invoice_lookups.wording_of(invoice)} is {invoice.invoiceType}; only a CUSTOM "
            f"invoice in DRAFT can {what}.",
            field="invoiceId",
            next_step="update-invoice with status VOID cancels an invoice that is DUE.",
        )


async def _would_delete(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    invoice = await invoice_lookups.invoice_of(togai, asked["invoiceId"])
    require_custom_draft(invoice, "be deleted")
    before = {"status": invoice.status, "totalAmount": invoice.totalAmount}
    return Effect(
        f"Deletes {invoice_lookups.called(invoice)} with all its lines.",
        before,
        undo="create-custom-invoice writes it anew, under another id.",
        provided=before,
    )


@toolset.tool(
    DELETE,
    "DELETE /invoices/{invoice_id}",
    title="Delete a draft custom invoice",
    write=Write(
        find_out="get-invoice shows whether the invoice is still there",
        reconcile=_deleted,
        preview=_would_delete,
        stake=invoice_lookups.stake_of_invoice,
        target="invoiceId",
    ),
)
async def delete_custom_invoice(togai: Togai, invoiceId: InvoiceId) -> Done:
    """Delete a custom invoice that is still a DRAFT."""
    return await togai.fetch(Done, at={"invoice_id": invoiceId})
