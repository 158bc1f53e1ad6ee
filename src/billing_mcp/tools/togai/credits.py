"""Credits: money granted to an account, used up by its invoices."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, Field

from billing_mcp import errors
from billing_mcp.declarations import (
    CREATE,
    READ,
    Applied,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import AccountId, Day, Name, NextToken, Positive, SmallPageSize
from billing_mcp.results import Exact, Result, TokenPage
from billing_mcp.upstream import Answer, Togai
from billing_mcp.wire import json_value

toolset = Toolset("togai-billing")

CreditStatus = Literal["ACTIVE", "CONSUMED", "EXPIRED", "VOIDED"]
PURPOSE = "Goodwill credit"
PRIORITY = 1
# How the vendor writes an end that is open, where it writes one.
OPEN_END = "9999-01-01"
# Pages of the account's credits that are searched for a key that was used before: 1,000 credits.
PAGES_SEARCHED = 20
PAGE = 50


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
        f"it is not among the account's first {PAGES_SEARCHED * PAGE} credits; list-credits shows "
        f"the others, and their idempotencyKey is {togai.operation_id} if it is one of them"
    )


async def _by_key(togai: Togai, account_id: str) -> tuple[Credit | None, bool]:
    """The credit whose key is this operation, and whether all of the account's were seen."""
    query: dict[str, Any] = {"account_id": account_id, "pageSize": PAGE}
    for _ in range(PAGES_SEARCHED):
        page = await togai.fetch(TokenPage[Credit], route="GET /credits", query=query)
        for credit in page.data:
            if credit.idempotencyKey == togai.operation_id:
                return credit, False
        if not page.nextToken:
            return None, True
        query = {"nextToken": page.nextToken}
    return None, False


@toolset.tool(
    CREATE,
    "POST /credits",
    write=Write(
        find_out="list-credits of the account shows whether the credit is there",
        reconcile=_granted,
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
    if effectiveUntil is not None and effectiveUntil < effectiveFrom:
        raise errors.InvalidRequest(
            "effectiveUntil is before effectiveFrom; nothing was sent.",
            field="effectiveUntil",
            next_step="Give a day after effectiveFrom, or leave it out.",
        )
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
    unseen = f"it is not among the account's first {PAGES_SEARCHED * PAGE} credits."
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
