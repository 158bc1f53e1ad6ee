"""Tokens that Togai gives: what they open is a secret, so a setting has to allow these tools."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import CHECK, CREATE, Effect, Toolset, Undecided, Verdict, Write
from billing_mcp.params import AccountId, CustomerId
from billing_mcp.results import Result
from billing_mcp.tools import wording
from billing_mcp.tools.togai.customer_changes import CUSTOMER, stake_of_customer
from billing_mcp.upstream import Togai
from billing_mcp.wire import present

toolset = Toolset("togai-access")


class Token(Result):
    secret: ClassVar = frozenset({"token"})

    token: str


@toolset.tool(CHECK, "POST /authenticate", title="Generate a short-lived bearer token")
async def create_access_token(togai: Togai) -> Token:
    """Get a bearer token for Togai's API that lives for 24 hours. It is a secret."""
    return await togai.fetch(Token)


async def _issued(_: Togai, __: Mapping[str, Any]) -> Verdict:
    return Undecided(
        "a token that was lost cannot be looked up; it ends by itself, unused",
        next_step="Call without operationId for another token.",
    )


def _require_one_way(account_ids: list[str] | None, *, everything: bool | None) -> None:
    if bool(account_ids) == bool(everything):
        raise errors.InvalidRequest(
            "A token is for some accounts or for all; nothing was sent.",
            field="accountIds",
            next_step="Give either accountIds or allAccountsAccess true.",
        )


async def _would_issue(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    _require_one_way(asked["accountIds"], everything=asked["allAccountsAccess"])
    _, called = await CUSTOMER.open(togai, asked)
    accounts = "all its accounts"
    if asked["accountIds"]:
        accounts = wording.listed([wording.identified(one) for one in asked["accountIds"]])
    lifetime = ""
    if asked["expiry"] is not None:
        lifetime = f", for {wording.counted(asked['expiry'], 'second')}"
    return Effect(
        f"Makes a secret token that lets whoever has it see {accounts} of {called} in the customer "
        f"portal{lifetime}.",
        after=present(
            customerId=asked["customerId"],
            accountIds=asked["accountIds"],
            allAccountsAccess=asked["allAccountsAccess"],
            expiry=asked["expiry"],
        ),
    )


@toolset.tool(
    CREATE,
    "POST /portal/token",
    title="Get a delegate token for the customer portal",
    write=Write(
        find_out="a token that was lost cannot be looked up; ask for another",
        reconcile=_issued,
        preview=_would_issue,
        stake=stake_of_customer,
        target="customerId",
    ),
)
async def create_portal_token(
    togai: Togai,
    customerId: CustomerId,
    accountIds: Annotated[list[AccountId] | None, Field(max_length=5)] = None,
    allAccountsAccess: bool | None = None,
    expiry: Annotated[int | None, Field(ge=1, le=86_400, description="Seconds")] = None,
) -> Token:
    """Get a token that opens the portal for a customer's accounts. It is a secret, shown once."""
    _require_one_way(accountIds, everything=allAccountsAccess)
    body = present(
        customerId=customerId,
        accountIds=accountIds or None,
        allAccountsAccess=allAccountsAccess,
        expiry=expiry,
    )
    return await togai.fetch(Token, body=body)
