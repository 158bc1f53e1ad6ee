"""One credit with what was done with it, an account's credit balance, and voiding a credit."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from billing_mcp import errors, money
from billing_mcp.declarations import ANY_WRITE, READ, Effect, Stake, Toolset, Verdict, Write
from billing_mcp.params import AccountId, Name
from billing_mcp.results import Exact, Result
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.tools.togai.credits import Credit
from billing_mcp.upstream import Togai

toolset = Toolset("togai-credits")

CREDIT_ROUTE = "GET /credits/{credit_id}"
CreditId = Annotated[Name, Field(min_length=1, max_length=50)]


class CreditTransaction(Result):
    transactionType: str | None = None
    amount: Exact | None = None
    invoiceId: str | None = None
    entityId: str | None = None
    createdAt: str | None = None


class CreditDetails(Credit):
    transactions: list[CreditTransaction] | None = None

    @model_validator(mode="after")
    def _at_scale(self) -> "CreditDetails":
        """Show what was moved at the currency's scale."""
        for entry in self.transactions or ():
            if self.creditUnit is not None and entry.amount is not None:
                entry.amount = money.at_scale(entry.amount, self.creditUnit)
        return self


class CreditBalance(Result):
    amounts: ClassVar = frozenset(
        {"activeCredits", "availableBalance", "runningBalance", "inapplicableCredits"}
    )

    activeCredits: Exact | None = None
    availableBalance: Exact | None = None
    runningBalance: Exact | None = None
    inapplicableCredits: Exact | None = None
    unit: str | None = None
    lastUpdatedAt: str | None = None

    def currency(self) -> str | None:
        return self.unit


@toolset.tool(READ, CREDIT_ROUTE, title="Get credit details")
async def get_credit(togai: Togai, creditId: CreditId) -> CreditDetails:
    """Show one credit and its transactions: granted, used by which invoice, expired, voided."""
    return await togai.fetch(CreditDetails, at={"credit_id": creditId})


@toolset.tool(
    READ, "GET /accounts/{account_id}/credit_balance", title="Get the credit balance of an account"
)
async def get_credit_balance(togai: Togai, accountId: AccountId) -> CreditBalance:
    """Show an account's credit left: availableBalance, and runningBalance without what running
    invoices hold. Credits not yet begun are inapplicableCredits."""
    return await togai.fetch(CreditBalance, at={"account_id": accountId})


async def _credit_of(togai: Togai, asked: Mapping[str, Any]) -> CreditDetails:
    at = {"credit_id": asked["creditId"]}
    return await togai.fetch(CreditDetails, route=CREDIT_ROUTE, at=at)


async def _voided(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    return recognition.in_force(await _credit_of(togai, asked), {"status": "VOIDED"})


async def _would_void(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    credit = await _credit_of(togai, asked)
    _, whose = await owned_account(togai, credit.accountId)
    named = f"credit {wording.identified(credit.id)}"
    if credit.purpose:
        named += f" ({wording.quoted(credit.purpose)})"
    if credit.status not in (None, "ACTIVE"):
        raise errors.Conflict(
            f"The {named} of {whose} is {wording.identified(credit.status)}; only an ACTIVE one "
            "can be voided.",
            field="creditId",
            next_step="list-credits with status ACTIVE shows those that can.",
        )
    used = credit.consumedAmount or Decimal(0)
    left = money.total((credit.creditAmount or Decimal(0), used.copy_negate()))
    unit = credit.creditUnit or ""
    sentence = (
        f"Voids {named} of {whose}: the {wording.amount(left, unit)} left of it are gone. What "
        f"invoices have used, {wording.amount(used, unit)}, stays used."
    )
    if credit.holdAmount:
        held = wording.amount(credit.holdAmount, unit)
        sentence += f" Running invoices that counted on {held} of it grow."
    return Effect(
        sentence,
        {"status": credit.status, "left": left, "currency": credit.creditUnit},
        {"status": "VOIDED", "left": Decimal(0), "currency": credit.creditUnit},
        "grant-credit gives another one.",
        {"status": credit.status, "left": left},
    )


async def _stake(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    credit = await _credit_of(togai, asked)
    return await stake_of_account()(togai, {"accountId": credit.accountId})


@toolset.tool(
    ANY_WRITE,
    "POST /credits/{credit_id}/void",
    write=Write(
        find_out="get-credit shows whether it is VOIDED",
        reconcile=_voided,
        preview=_would_void,
        stake=_stake,
        target="creditId",
    ),
)
async def void_credit(togai: Togai, creditId: CreditId) -> Credit:
    """Void an ACTIVE credit: what is left of it is gone; what invoices used stays used."""
    return await togai.fetch(Credit, at={"credit_id": creditId})
