"""Accounts: what of a customer is billed, in one invoice currency."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp.declarations import (
    CREATE,
    READ,
    Applied,
    Effect,
    FindStake,
    NotApplied,
    Stake,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.errors import Conflict, InvalidRequest, NotFound
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
from billing_mcp.tools import wording
from billing_mcp.tools.togai import walks
from billing_mcp.tools.togai.customers import Address, customer_of
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


class AccountAlias(Result):
    alias: str


class NamedAccount(Account):
    """An account with the names that events may call it by."""

    aliases: list[AccountAlias] | None = None


ACCOUNT_ROUTE = "GET /accounts/{account_id}"
# Of more accounts than this one call does not find out whose they are.
MOST_LOOKED_UP = 20
# What the vendor documents of an account's id. An event may name one at greater length.
LONGEST_ID = 50


async def account_of(togai: Togai, account_id: str) -> Account:
    """Raises `NotFound`."""
    return await togai.fetch(Account, route=ACCOUNT_ROUTE, at={"account_id": account_id})


async def owned_account(togai: Togai, account_id: str) -> tuple[Account, str]:
    """An account, and how a plan speaks of it and of its customer. Raises `NotFound`."""
    account = await account_of(togai, account_id)
    words = wording.named("account", account.id, account.name)
    if account.customerId is not None:
        customer = await customer_of(togai, account.customerId)
        words += f" of {wording.named('customer', customer.id, customer.name)}"
    return account, words


async def accounts_named(togai: Togai, references: Iterable[str]) -> dict[str, Account | None]:
    """The accounts that events name, by the id or alias that they use; None: there is none.

    At most `MOST_LOOKED_UP`. Raises `MoreThanSearched` when an alias would have to be looked for in
    a list too long.
    """
    found: dict[str, Account | None] = dict.fromkeys(references)
    for reference in found:
        if len(reference) <= LONGEST_ID:
            try:
                found[reference] = await account_of(togai, reference)
            except NotFound:
                continue
    if None in found.values():
        async for account in walks.rows(togai, NamedAccount, "GET /accounts", 100):
            for name in account.aliases or ():
                if name.alias in found and found[name.alias] is None:
                    found[name.alias] = account
    return found


async def stake_in(togai: Togai, references: Iterable[str]) -> Stake:
    """Whom a write affects that names accounts as events do: by ids or aliases."""
    distinct = frozenset(references)
    if len(distinct) > MOST_LOOKED_UP:
        return Stake(None)
    try:
        accounts = await accounts_named(togai, distinct)
    except walks.MoreThanSearched:
        return Stake(None)
    ids = set(distinct)
    for account in accounts.values():
        if account is None or account.customerId is None:
            return Stake(None)
        ids |= {account.id, account.customerId}
    return Stake(frozenset(ids))


def stake_of_account(argument: str = "accountId") -> FindStake:
    """Whom a write affects that names one account by its id, and what its money is.

    What it returns raises `NotFound` when there is no such account.
    """

    async def stake(togai: Togai, asked: Mapping[str, Any]) -> Stake:
        account = await account_of(togai, asked[argument])
        if account.customerId is None:
            return Stake(None, currency=account.invoiceCurrency)
        customers = frozenset({account.id, account.customerId})
        return Stake(customers, account.customerId, account.invoiceCurrency)

    return stake


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
        account = await account_of(togai, asked["id"])
    except NotFound:
        return NotApplied()
    if holds(values(account), {name: asked.get(name) for name in _RECOGNISED_BY}):
        return Applied(account)
    return Undecided(
        f"an account {asked['id']} is there, but not as this call would have made it; "
        "get-account shows it"
    )


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    customer = await customer_of(togai, asked["customerId"])
    of_customer = wording.named("customer", customer.id, customer.name)
    if customer.status not in (None, "ACTIVE"):
        raise Conflict(
            f"There can be no new account of {of_customer}, which is "
            f"{wording.identified(customer.status)}.",
            field="customerId",
            next_step="list-customers with status ACTIVE shows those that do.",
        )
    try:
        taken = await account_of(togai, asked["id"])
    except NotFound:
        pass
    else:
        raise Conflict(
            f"There is an {wording.named('account', taken.id, taken.name)} already.",
            field="id",
            next_step="Choose another id; get-account shows the one there is.",
        )
    currency = asked["invoiceCurrency"]
    terms = [f"invoiced in {currency}" if currency else "invoiced in Togai's base currency"]
    if asked["netTermDays"] is not None:
        terms.append(f"due after {wording.counted(asked['netTermDays'], 'day')}")
    if asked["aliases"]:
        aliases = wording.listed([wording.quoted(alias) for alias in asked["aliases"]])
        terms.append(f"called {aliases} in events as well")
    status = asked["status"] or "ACTIVE"
    new = wording.named("account", asked["id"], asked["name"])
    return Effect(
        f"Creates the {status} {new} of {of_customer}, {', '.join(terms)}. It pays for nothing "
        "until a price plan is associated with it.",
        after={
            **{name: asked[name] for name in ("id", "name", "customerId")},
            **present(invoiceCurrency=currency, netTermDays=asked["netTermDays"]),
            "status": status,
        },
        undo="delete-account; its id stays taken.",
    )


async def _stake_of_new(_: Togai, asked: Mapping[str, Any]) -> Stake:
    customer_id = asked["customerId"]
    return Stake(frozenset({asked["id"], customer_id}), customer_id, asked["invoiceCurrency"])


@toolset.tool(
    CREATE,
    "POST /accounts",
    write=Write(
        find_out="list-accounts of the customer shows whether the account is there",
        reconcile=_created,
        preview=_would_create,
        stake=_stake_of_new,
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
