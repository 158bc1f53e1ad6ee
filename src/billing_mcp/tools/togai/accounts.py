"""Accounts: what of a customer is billed, in one invoice currency."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

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
from billing_mcp.errors import InvalidRequest, NotFound
from billing_mcp.params import (
    AccountId,
    Currency,
    CustomerId,
    Day,
    Email,
    Name,
    NextToken,
    PageSize,
    Search,
)
from billing_mcp.results import Result, TokenPage, values
from billing_mcp.sameness import holds
from billing_mcp.tools.togai.customers import Address
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, present

toolset = Toolset("togai-billing")

AccountStatus = Literal["ACTIVE", "DRAFT", "ARCHIVED"]
AccountSort = Literal["account_id", "-account_id", "updated_at", "-updated_at"]
Alias = Annotated[Name, Field(min_length=3, max_length=50)]


class Account(Result):
    concise: ClassVar = ("id", "name", "customerId", "invoiceCurrency", "status")
    ordinary: ClassVar = {"status": frozenset({"ACTIVE"})}

    id: str
    name: str
    customerId: str | None = None
    togaiAccountId: str | None = None
    togaiCustomerId: str | None = None
    invoiceCurrency: str | None = None
    status: str | None = None
    primaryEmail: str | None = None
    netTermDays: int | None = None


@toolset.tool(READ, "GET /accounts")
async def list_accounts(
    togai: Togai,
    customerId: CustomerId | None = None,
    accountId: AccountId | None = None,
    status: AccountStatus | None = None,
    invoiceCurrency: Currency | None = None,
    search: Annotated[Search, Field(description="In id, name or email")] = None,
    sort: AccountSort | None = None,
    pageSize: PageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[Account]:
    """List accounts, of one customer or of all: what is billed, in which currency. Rows without
    status are ACTIVE."""
    filters = {
        "accountId": accountId,
        "customerId": customerId,
        "status": status,
        "invoiceCurrency": invoiceCurrency,
    }
    used = [name for name, value in filters.items() if value is not None]
    if len(used) > 1 and used != ["customerId", "status"]:
        raise InvalidRequest(
            f"{' and '.join(used)} cannot be combined; nothing was sent.",
            field=used[-1],
            next_step="Give one of customerId, accountId, status, invoiceCurrency, or customerId "
            "with status.",
        )
    return await togai.fetch(
        TokenPage[Account],
        query={
            "account_id": accountId,
            "customer_id": customerId,
            "status": status,
            "invoice_currency": invoiceCurrency,
            "_search": search,
            "_sort": sort,
            "pageSize": pageSize,
            "nextToken": nextToken,
        },
    )


@toolset.tool(READ, "GET /accounts/{account_id}")
async def get_account(
    togai: Togai,
    accountId: AccountId,
    effectiveOn: Annotated[
        Day | None, Field(description="Settings as of that day; default today")
    ] = None,
    includeGroupDetails: Annotated[
        bool | None, Field(description="Also the invoice group it is billed in")
    ] = None,
) -> Account:
    """Show one account: aliases, currency, address, net terms, settings, metadata."""
    return await togai.fetch(
        Account,
        at={"account_id": accountId},
        query={"effectiveOn": effectiveOn, "includeGroupDetails": includeGroupDetails},
    )


# What a new account can be recognised by; the vendor shows its other fields as it sees fit.
_RECOGNISED_BY = ("customerId", "id", "name", "invoiceCurrency", "netTermDays")


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """The caller chose the id, so whether it is there says it, unless somebody else had it."""
    try:
        account = await togai.fetch(
            Account, route="GET /accounts/{account_id}", at={"account_id": asked["id"]}
        )
    except NotFound:
        return NotApplied()
    if holds(values(account), {name: asked.get(name) for name in _RECOGNISED_BY}):
        return Applied(account)
    return Undecided(
        f"an account {asked['id']} is there, but not as this call would have made it; "
        "get-account shows it"
    )


@toolset.tool(
    CREATE,
    "POST /accounts",
    write=Write(
        find_out="list-accounts of the customer shows whether the account is there",
        reconcile=_created,
        target="customerId",
    ),
)
async def create_account(
    togai: Togai,
    customerId: CustomerId,
    id: Annotated[AccountId, Field(description="Chosen by you")],  # noqa: A002  the seed's name
    name: Annotated[Name, Field(min_length=3, max_length=255)],
    invoiceCurrency: Currency | None = None,
    primaryEmail: Email | None = None,
    netTermDays: Annotated[int | None, Field(ge=0, le=365)] = None,
    aliases: Annotated[list[Alias] | None, Field(max_length=10)] = None,
    address: Address | None = None,
    metadata: Annotated[dict[Name, Name] | None, Field(max_length=50)] = None,
    status: Literal["ACTIVE", "DRAFT"] | None = None,
) -> Account:
    """Create an account of a customer. Usage events name it by its id or an alias."""
    return await togai.fetch(
        Account,
        body=present(
            customerId=customerId,
            id=id,
            name=name,
            invoiceCurrency=invoiceCurrency,
            primaryEmail=primaryEmail,
            netTermDays=netTermDays,
            aliases=aliases,
            address=given(address) if address else None,
            metadata=metadata,
            status=status,
        ),
    )
