"""Charges beside the plan, on an invoice that still runs or on an account's upcoming one."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from billing_mcp import errors, money
from billing_mcp.declarations import (
    UPDATE,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import AccountId, Body, Name, NonNegative, wrong
from billing_mcp.results import Exact, Page, Result
from billing_mcp.tools import wording
from billing_mcp.tools.togai import invoice_lookups, walks
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.tools.togai.invoices import Invoice, InvoiceId, WholeInvoice
from billing_mcp.upstream import Togai
from billing_mcp.wire import json_value

toolset = Toolset("togai-invoices")

PAGE = 50
LINE = "MISCELLANEOUS_CHARGE"


class Charge(Body):
    name: Annotated[Name, Field(min_length=1, max_length=255)]
    value: Annotated[
        Name | None,
        Field(min_length=1, max_length=4000, description="Amount, or JSONLogic over line ids"),
    ] = None
    rate: NonNegative | None = None
    quantity: NonNegative | None = None
    considerForRevenue: bool | None = None

    @model_validator(mode="after")
    def _is_worth_something(self) -> "Charge":
        counted = self.rate is not None and self.quantity is not None
        given = self.rate is not None or self.quantity is not None
        if counted == (self.value is not None) or given != counted:
            raise wrong("an object with value, or with rate and quantity")
        return self

    def amount(self, currency: str) -> Decimal | None:
        """What it charges; None for logic, which only the vendor computes."""
        if self.rate is not None and self.quantity is not None:
            return money.rounded(money.product(self.rate, self.quantity), currency)
        try:
            return money.rounded(money.exact(self.value or ""), currency)
        except money.NotANumber:
            return None


Charges = Annotated[
    list[Charge],
    Field(max_length=50, description="All of them: they replace what was set; [] removes all"),
]


class MiscellaneousCharge(Result):
    concise: ClassVar = ("name", "value", "rate", "quantity")

    name: str
    value: str | None = None
    rate: Exact | None = None
    quantity: Exact | None = None
    considerForRevenue: bool | None = None


def _require_distinct(items: Sequence[Charge]) -> None:
    names = [item.name for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise errors.InvalidRequest(
            f"Two charges have the name {wording.quoted(twice[0])}; nothing was sent.",
            field="items",
            next_step="Give each charge a name of its own.",
        )


def _told(items: Sequence[Charge], currency: str | None) -> str:
    if not items:
        return "none"
    named = []
    for item in items:
        amount = item.amount(currency or "")
        much = "by JSONLogic" if amount is None else invoice_lookups.shown(amount, currency)
        named.append(f"{wording.quoted(item.name)} {much}")
    return wording.listed(named)


def _charged(invoice: WholeInvoice) -> dict[str, Any]:
    """The charges on an invoice: amount by name."""
    return {
        line.description or "": line.value
        for line in invoice_lookups.every(invoice.revenueInfo)
        if line.type == LINE
    }


def _fits(items: Sequence[Charge], charged: Mapping[str, Any], currency: str) -> bool:
    """Whether each charge is there with its amount; logic only the vendor can compute."""
    return all(
        item.name in charged and item.amount(currency) in (None, charged[item.name])
        for item in items
    )


def _verdict(items: Sequence[Charge], invoice: WholeInvoice) -> Verdict:
    """Charges of the invoice and of its account stand on it side by side, so that those which
    are there beside the ones asked for may be the other's, or what should have been replaced."""
    charged = _charged(invoice)
    if not _fits(items, charged, invoice.currency() or ""):
        return NotApplied()
    if len(charged) == len(items):
        return Applied(_answer(items))
    return Undecided(
        f"get-invoice of {invoice.id} shows other charges (MISCELLANEOUS_CHARGE) than these alone; "
        "to set the same ones once more does no harm"
    )


async def _set_on_invoice(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    items = [Charge.model_validate(item) for item in asked["items"]]
    return _verdict(items, await invoice_lookups.invoice_of(togai, asked["invoiceId"]))


def _answer(items: Sequence[Charge]) -> Page[MiscellaneousCharge]:
    shown = [MiscellaneousCharge.model_validate(json_value(item)) for item in items]
    return Page[MiscellaneousCharge](data=shown)


async def _would_set_on_invoice(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    _require_distinct(asked["items"])
    invoice = await invoice_lookups.invoice_of(togai, asked["invoiceId"])
    invoice_lookups.require_status(invoice, ("DRAFT",), "take charges")
    before = _charged(invoice)
    return Effect(
        f"Sets the charges beside the plan on {invoice_lookups.called(invoice)}: "
        f"{_told(asked['items'], invoice.currency())}. It has "
        f"{wording.counted(len(before), 'such charge')} now, which these replace.",
        {"charges": before},
        None,
        "set-invoice-charges with the charges as they were before.",
        {"status": invoice.status, "charges": before},
    )


@toolset.tool(
    UPDATE,
    "PUT /invoices/{invoice_id}/miscellaneous_charges",
    title="Set charges of an invoice",
    write=Write(
        find_out="get-invoice shows the charges (MISCELLANEOUS_CHARGE)",
        reconcile=_set_on_invoice,
        preview=_would_set_on_invoice,
        stake=invoice_lookups.stake_of_invoice,
        target="invoiceId",
    ),
)
async def set_invoice_charges(
    togai: Togai, invoiceId: InvoiceId, items: Charges
) -> Page[MiscellaneousCharge]:
    """Set the one-off charges on a running (DRAFT) invoice; credits do not pay them."""
    _require_distinct(items)
    return await togai.fetch(
        Page[MiscellaneousCharge],
        at={"invoice_id": invoiceId},
        body={"items": json_value(items)},
    )


async def _drafts(togai: Togai, account_id: str) -> list[WholeInvoice]:
    """The account's running invoices of plans. Raises `MoreThanSearched`."""
    query = {"owner_id": account_id, "status": "DRAFT"}
    return [
        await invoice_lookups.invoice_of(togai, row.id)
        async for row in walks.rows(togai, Invoice, "GET /invoices", PAGE, query=query)
        if row.invoiceType == "STANDARD"
    ]


async def _set_upcoming(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """They are shown on the upcoming invoice only, and by nothing where there is none yet."""
    items = [Charge.model_validate(item) for item in asked["items"]]
    drafts = await _drafts(togai, asked["accountId"])
    verdicts = [_verdict(items, draft) for draft in drafts] if items else []
    for kind in (Applied, Undecided, NotApplied):
        for verdict in verdicts:
            if isinstance(verdict, kind):
                return verdict
    return Undecided(
        "no running invoice of the account shows such charges; to set them once more does no harm"
    )


async def _would_set_upcoming(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    _require_distinct(asked["items"])
    account, whose = await owned_account(togai, asked["accountId"])
    if account.status == "ARCHIVED":
        raise errors.Conflict(
            f"{whose} is ARCHIVED and has no upcoming invoice.",
            field="accountId",
            next_step="list-accounts of the customer shows those that are ACTIVE.",
        )
    return Effect(
        f"Sets the charges beside the plan on the upcoming invoice of {whose}: "
        f"{_told(asked['items'], account.invoiceCurrency)}. They replace those that were set for "
        "it before.",
        after={"charges": json_value(asked["items"])},
        undo="set-upcoming-charges with the charges as they were before, or none.",
        provided={"currency": account.invoiceCurrency},
    )


@toolset.tool(
    UPDATE,
    "PUT /accounts/{account_id}/miscellaneous_charges",
    title="Set charges of the upcoming invoice",
    write=Write(
        find_out="get-invoice of the account's DRAFT shows the charges (MISCELLANEOUS_CHARGE)",
        reconcile=_set_upcoming,
        preview=_would_set_upcoming,
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def set_upcoming_charges(
    togai: Togai, accountId: AccountId, items: Charges
) -> Page[MiscellaneousCharge]:
    """Set the one-off charges on an account's upcoming invoice; credits do not pay them."""
    _require_distinct(items)
    return await togai.fetch(
        Page[MiscellaneousCharge],
        at={"account_id": accountId},
        body={"items": json_value(items)},
    )
