"""Credits: money granted to an account, used up by its invoices."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, Field

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
from billing_mcp.params import AccountId, Day, Name, NextToken, Positive, SmallPageSize
from billing_mcp.results import Exact, Result, TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai import walks
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.upstream import Answer, Togai
from billing_mcp.wire import json_value

toolset = Toolset("togai-billing")

CreditStatus = Literal["ACTIVE", "CONSUMED", "EXPIRED", "VOIDED"]
PURPOSE = "Goodwill credit"
PRIORITY = 1
# How the vendor writes an end that is open, where it writes one.
OPEN_END = "9999-01-01"
PAGE = 50
# Of the account's credits so many are searched for a key that was used before, or summed.
MOST_SEARCHED = walks.PAGES_SEARCHED * PAGE


class Credit(Result):
    concise: ClassVar = (
        "id",
        "accountId",
        "status",
        "creditAmount",
        "consumedAmount",
        "holdAmount",
        "creditUnit",
        "effectiveFrom",
        "effectiveUntil",
        "purpose",
    )
    amounts: ClassVar = frozenset({"creditAmount", "consumedAmount", "holdAmount"})

    id: str
    accountId: str
    status: str | None = None
    creditAmount: Exact | None = None
    consumedAmount: Exact | None = None
    holdAmount: Exact | None = None
    creditUnit: str | None = None
    purpose: str | None = None
    priority: int | None = None
    effectiveFrom: str | None = None
    effectiveUntil: str | None = None
    idempotencyKey: str | None = None
    createdAt: str | None = None

    def currency(self) -> str | None:
        return self.creditUnit


class Granted(Result):
    """The vendor's answer to a grant: one credit for each request."""

    credits: Annotated[list[Credit], Field(min_length=1)]


@toolset.tool(READ, "GET /credits")
async def list_credits(
    togai: Togai,
    accountId: AccountId | None = None,
    status: CreditStatus | None = None,
    creditId: Annotated[Name, Field(max_length=50)] | None = None,
    pageSize: SmallPageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[Credit]:
    """List credits, of one account or of all: granted, used, on hold, when they expire."""
    return await togai.fetch(
        TokenPage[Credit],
        query={
            "account_id": accountId,
            "status": status,
            "id": creditId,
            "pageSize": pageSize,
            "nextToken": nextToken,
        },
    )


async def _granted(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    credit, complete = await _by_key(togai, asked["accountId"])
    if credit is not None:
        return Applied(credit)
    if complete:
        return NotApplied()
    return Undecided(
        f"it is not among the account's first {MOST_SEARCHED} credits; list-credits shows "
        f"the others, and their idempotencyKey is {togai.operation_id} if it is one of them"
    )


async def _by_key(togai: Togai, account_id: str) -> tuple[Credit | None, bool]:
    """The credit whose key is this operation, and whether all of the account's were seen."""
    of_account = {"account_id": account_id}
    try:
        async for credit in walks.rows(togai, Credit, "GET /credits", PAGE, query=of_account):
            if credit.idempotencyKey == togai.operation_id:
                return credit, False
    except walks.MoreThanSearched:
        return None, False
    return None, True


async def _would_grant(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    start, end, given = asked["effectiveFrom"], asked["effectiveUntil"], asked["creditAmount"]
    _require_period(start, end)
    account, whose = await owned_account(togai, asked["accountId"])
    if account.status == "ARCHIVED":
        raise errors.Conflict(
            f"No credit can be granted to {whose}: the account is ARCHIVED.",
            field="accountId",
            next_step="list-accounts of the customer shows those that are ACTIVE.",
        )
    currency = account.invoiceCurrency
    much = money.plain(given) if currency is None else wording.amount(given, currency)
    sentence = (
        f"Grants {much} of credit to {whose}, from {start} "
        f"{'without end' if end is None else f'until {end}'}, "
        f"for the purpose {wording.quoted(asked['purpose'])}."
    )
    if asked["applicableEntityIds"]:
        only = [wording.identified(entity) for entity in asked["applicableEntityIds"]]
        sentence += f" Only {wording.listed(only)} can use it up."
    left = None if currency is None else await _left(togai, account.id, currency)
    before = after = None
    if currency is None or left is None:
        sentence += " What credit the account has left could not be summed up."
    else:
        whole = money.total((left, given))
        sentence += (
            f" What it has left goes from {wording.amount(left, currency)} "
            f"to {wording.amount(whole, currency)}."
        )
        before = {"creditsLeft": money.at_scale(left, currency), "currency": currency}
        after = {"creditsLeft": money.at_scale(whole, currency), "currency": currency}
    return Effect(
        sentence,
        before,
        after,
        undo="void-credit; what invoices have used of it stays used.",
        provided={"currency": currency},
    )


async def _left(togai: Togai, account_id: str, currency: str) -> Decimal | None:
    """What of the account's credits is neither used up nor on hold; None when that is not shown."""
    parts: list[Decimal] = []
    active = {"account_id": account_id, "status": "ACTIVE"}
    try:
        async for credit in walks.rows(togai, Credit, "GET /credits", PAGE, query=active):
            if credit.creditAmount is None or credit.creditUnit not in (None, currency):
                return None
            taken = (credit.consumedAmount, credit.holdAmount)
            # `copy_negate` is exact; a minus sign would round to Python's own context.
            parts += [credit.creditAmount, *(part.copy_negate() for part in taken if part)]
    except walks.MoreThanSearched:
        return None
    return money.total(parts)


def _require_period(start: date, end: date | None) -> None:
    if end is not None and end < start:
        raise errors.InvalidRequest(
            "effectiveUntil is before effectiveFrom; nothing was sent.",
            field="effectiveUntil",
            next_step="Give a day after effectiveFrom, or leave it out.",
        )


@toolset.tool(
    CREATE,
    "POST /credits",
    write=Write(
        find_out="list-credits of the account shows whether the credit is there",
        reconcile=_granted,
        preview=_would_grant,
        stake=stake_of_account(),
        key="idempotencyKey",
        target="accountId",
        amount="creditAmount",
    ),
)
async def grant_credit(
    togai: Togai,
    accountId: AccountId,
    creditAmount: Annotated[Positive, Field(description="In the account's currency")],
    effectiveFrom: Annotated[Day, Field(description="First day, UTC")],
    effectiveUntil: Annotated[
        Day | None,
        Field(
            validation_alias=AliasChoices("effectiveUntil", "effectiveTo"),
            description="Without it the credit never expires",
        ),
    ] = None,
    purpose: Annotated[Name, Field(min_length=1, max_length=255)] = PURPOSE,
    priority: Annotated[int, Field(ge=1, le=1000, description="Lower is used first")] = PRIORITY,
    applicableEntityIds: Annotated[
        list[Name] | None, Field(max_length=50, description="Only for these; default all")
    ] = None,
) -> Credit:
    """Grant credit to an account. Its next invoices use it up; money is not paid out."""
    _require_period(effectiveFrom, effectiveUntil)
    request = {
        "accountId": accountId,
        "creditAmount": creditAmount,
        "effectiveFrom": effectiveFrom,
        "purpose": purpose,
        "priority": priority,
        "idempotencyKey": togai.operation_id,
    }
    if effectiveUntil is not None:
        request["effectiveUntil"] = effectiveUntil
    if applicableEntityIds:
        request["applicableEntityIds"] = applicableEntityIds
    # A key that was used before may be answered with the credit of then, or refused: the vendor
    # does not say which, so both are read.
    answer = await togai.send(body=json_value({"creditRequests": [request]}), accept=(400, 409))
    if answer.status < 400:
        credit = togai.read(Granted, answer).credits[0]
    else:
        credit = await _granted_before(togai, accountId, answer)
    if togai.operation_given:
        _require_same(togai, credit, accountId, creditAmount, (effectiveFrom, effectiveUntil))
    return credit


async def _granted_before(togai: Togai, accountId: str, refused: Answer) -> Credit:
    """The credit this operation made at an earlier try.

    Raises the refusal if there is none, `OutcomeUnknown` if that cannot be seen.
    """
    refusal = togai.refusal(refused)
    if not togai.operation_given and refused.attempts == 1:
        raise refusal
    unseen = f"it is not among the account's first {MOST_SEARCHED} credits."
    try:
        credit, complete = await _by_key(togai, accountId)
    except errors.BillingError as error:
        # As it is, it would say that nothing was changed.
        unseen = error.message
    else:
        if credit is not None:
            togai.mark_replayed()
            return credit
        if complete:
            raise refusal
    raise errors.OutcomeUnknown(
        f"{refusal.message} Whether an earlier try was granted could not be seen: {unseen}",
        next_step=f"Call grant-credit again with operationId {togai.operation_id} and the same "
        "arguments: it cannot be applied twice.",
    )


def _require_same(
    togai: Togai,
    credit: Credit,
    accountId: str,
    amount: Decimal,
    period: tuple[date, date | None],
) -> None:
    """An old credit must not pass for the one asked for now. Raises `Conflict`."""
    start, end = period
    same = (
        credit.accountId == accountId
        and credit.creditAmount == amount
        and (credit.effectiveFrom or "")[:10] == start.isoformat()
        and (credit.effectiveUntil or OPEN_END)[:10]
        == (OPEN_END if end is None else end.isoformat())
    )
    if not same:
        raise errors.Conflict(
            f"operationId {togai.operation_id} was already used for another credit ({credit.id}); "
            "nothing was granted now.",
            field="operationId",
            next_step="Leave operationId out to grant a new credit.",
        )
