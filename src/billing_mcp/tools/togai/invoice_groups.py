"""Invoice groups: accounts of one currency whose invoices of a day are merged into one."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import (
    ANY_WRITE,
    CREATE,
    READ,
    Applied,
    Effect,
    NotApplied,
    Stake,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import AccountId, Email, Name, NextToken, PageSize
from billing_mcp.results import TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.tools.togai.accounts import MOST_LOOKED_UP, account_of, stake_in
from billing_mcp.tools.togai.customers import Address
from billing_mcp.tools.togai.recognition import Done
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, present

toolset = Toolset("togai-invoice-groups")

GROUP_ROUTE = "GET /invoice_groups/{invoice_group_id}"
PAGE = 100
InvoiceGroupId = Annotated[Name, Field(min_length=1, max_length=512)]
AccountIds = Annotated[list[AccountId], Field(min_length=1, max_length=100)]


class InvoiceGroup(recognition.Named):
    concise: ClassVar = (
        "id",
        "name",
        "invoiceCurrency",
        "accountsCount",
        "netTermDays",
        "dailyInvoiceConsolidation",
    )

    email: str | None = None
    dailyInvoiceConsolidation: bool | None = None
    netTermDays: int | None = None
    invoiceCurrency: str | None = None
    accountsCount: int | None = None
    createdAt: str | None = None
    updatedAt: str | None = None


class WholeGroup(InvoiceGroup):
    """A group with the ids of its accounts; `nextToken` leads to those that are not shown."""

    accounts: list[str]
    nextToken: str | None = None


@toolset.tool(READ, "GET /invoice_groups")
async def list_invoice_groups(
    togai: Togai, pageSize: PageSize = None, nextToken: NextToken = None
) -> TokenPage[InvoiceGroup]:
    """List groups of accounts that get one invoice together."""
    query = {"pageSize": pageSize, "nextToken": nextToken}
    return await togai.fetch(TokenPage[InvoiceGroup], query=query)


@toolset.tool(READ, GROUP_ROUTE)
async def get_invoice_group(
    togai: Togai, invoiceGroupId: InvoiceGroupId, nextToken: NextToken = None
) -> WholeGroup:
    """Show one invoice group and the ids of its accounts."""
    at = {"invoice_group_id": invoiceGroupId}
    return await togai.fetch(WholeGroup, at=at, query={"nextToken": nextToken})


async def group_of(togai: Togai, group_id: str) -> WholeGroup:
    """The group with all of its accounts. Raises `NotFound`."""
    at = {"invoice_group_id": group_id}
    group = await togai.fetch(WholeGroup, route=GROUP_ROUTE, at=at)
    token = group.nextToken
    for _ in range(walks.PAGES_SEARCHED):
        if not token:
            return group
        query = {"nextToken": token}
        page = await togai.fetch(WholeGroup, route=GROUP_ROUTE, at=at, query=query)
        group.accounts += page.accounts
        token = page.nextToken
    raise walks.MoreThanSearched("The group has more accounts than can be looked through.")


def called(group: InvoiceGroup) -> str:
    return wording.named("invoice group", group.id, group.name)


async def stake_of(togai: Togai, group_id: str, *more: str) -> Stake:
    """The accounts of a group, and others, with their customers."""
    return await stake_in(togai, (*(await group_of(togai, group_id)).accounts, *more))


async def _stake_of_group(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    return await stake_of(togai, asked["invoiceGroupId"], *asked["accountIds"])


async def _stake_of_accounts(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    return await stake_in(togai, asked["accountIds"])


async def _common_currency(
    togai: Togai, account_ids: Sequence[str], currency: str | None = None
) -> str | None:
    """The currency of the accounts; only the first of very many are looked at.

    Raises `NotFound`, and `Conflict` when they are not all billed in one currency.
    """
    for account_id in account_ids[:MOST_LOOKED_UP]:
        account = await account_of(togai, account_id)
        if currency is None:
            currency = account.invoiceCurrency
        if account.invoiceCurrency not in (None, currency):
            raise errors.Conflict(
                f"Accounts of a group share a currency, but "
                f"{wording.named('account', account.id, account.name)} is billed in "
                f"{account.invoiceCurrency} and not in {currency}.",
                field="accountIds",
                next_step="Leave the account out.",
            )
    return currency


def _accounts(account_ids: Sequence[str]) -> str:
    noun = "account" if len(account_ids) == 1 else "accounts"
    return f"{noun} {wording.listed([wording.identified(one) for one in account_ids])}"


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """Recognised by its name and its accounts, which are in no other group."""
    wanted = frozenset(asked["accountIds"])
    named = []
    async for row in walks.rows(togai, InvoiceGroup, "GET /invoice_groups", PAGE):
        if row.name == asked["name"]:
            group = await group_of(togai, row.id)
            if frozenset(group.accounts) == wanted:
                return Applied(row)
            named.append(row.id)
    if not named:
        return NotApplied()
    return Undecided(
        f"invoice groups of that name ({', '.join(named)}) have other accounts than this call gave"
    )


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    ids = asked["accountIds"]
    currency = await _common_currency(togai, ids)
    merges = asked["dailyInvoiceConsolidation"]
    follows = (
        "What becomes due for them on one day is merged into one invoice of the group."
        if merges
        else "Their invoices stay apart."
    )
    return Effect(
        f"Makes the invoice group {wording.quoted(asked['name'])} of {_accounts(ids)}. {follows}",
        after=present(name=asked["name"], accountsCount=len(set(ids)), invoiceCurrency=currency),
        undo="remove-invoice-group-accounts of all its accounts deletes it.",
        provided={"currency": currency},
    )


@toolset.tool(
    CREATE,
    "POST /invoice_groups",
    write=Write(
        find_out="list-invoice-groups shows whether the group is there",
        reconcile=_created,
        preview=_would_create,
        stake=_stake_of_accounts,
        target="name",
    ),
)
async def create_invoice_group(
    togai: Togai,
    name: Annotated[Name, Field(min_length=1, max_length=255)],
    email: Annotated[Email, Field(description="Where its invoices go")],
    accountIds: AccountIds,
    dailyInvoiceConsolidation: Annotated[
        bool, Field(description="Merge what becomes due on a day")
    ] = True,
    address: Address | None = None,
    netTermDays: Annotated[int | None, Field(ge=0, le=3650)] = None,
) -> InvoiceGroup:
    """Bill several accounts of one currency together."""
    return await togai.fetch(
        InvoiceGroup,
        body=present(
            name=name,
            email=email,
            accountIds=accountIds,
            dailyInvoiceConsolidation=dailyInvoiceConsolidation,
            address=given(address) if address else {},
            netTermDays=netTermDays,
        ),
    )


async def _added(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    group = await group_of(togai, asked["invoiceGroupId"])
    return Applied(group) if set(asked["accountIds"]) <= set(group.accounts) else NotApplied()


async def _would_add(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    group = await group_of(togai, asked["invoiceGroupId"])
    new = [one for one in dict.fromkeys(asked["accountIds"]) if one not in group.accounts]
    if not new:
        raise errors.Conflict(
            f"All of these are in {called(group)} already.",
            field="accountIds",
            next_step="get-invoice-group shows its accounts.",
        )
    await _common_currency(togai, new, group.invoiceCurrency)
    return Effect(
        f"Adds {_accounts(new)} to {called(group)}, which has "
        f"{wording.counted(len(group.accounts), 'account')}: their invoices are billed with it.",
        {"accountsCount": len(group.accounts)},
        {"accountsCount": len(group.accounts) + len(new)},
        undo="remove-invoice-group-accounts.",
        provided={"accounts": sorted(group.accounts)},
    )


@toolset.tool(
    CREATE,
    "POST /invoice_groups/{invoice_group_id}/add_accounts",
    title="Add accounts to an invoice group",
    write=Write(
        find_out="get-invoice-group shows its accounts",
        reconcile=_added,
        preview=_would_add,
        stake=_stake_of_group,
        target="invoiceGroupId",
    ),
)
async def add_invoice_group_accounts(
    togai: Togai, invoiceGroupId: InvoiceGroupId, accountIds: AccountIds
) -> InvoiceGroup:
    """Add accounts to an invoice group; they must be billed in its currency."""
    at = {"invoice_group_id": invoiceGroupId}
    return await togai.fetch(InvoiceGroup, at=at, body={"accountIds": accountIds})


async def _removed(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """A group without accounts is gone."""
    try:
        group = await group_of(togai, asked["invoiceGroupId"])
    except errors.NotFound:
        return recognition.DONE
    left = set(asked["accountIds"]) & set(group.accounts)
    return NotApplied() if left else recognition.DONE


async def _would_remove(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    group = await group_of(togai, asked["invoiceGroupId"])
    gone = list(dict.fromkeys(asked["accountIds"]))
    strange = [one for one in gone if one not in group.accounts]
    if strange:
        raise errors.Conflict(
            f"Not in {called(group)}: {_accounts(strange)}.",
            field="accountIds",
            next_step="get-invoice-group shows its accounts.",
        )
    left = len(group.accounts) - len(gone)
    follows = "Their later invoices stand alone."
    undo: str | None = "add-invoice-group-accounts."
    if not left:
        follows = "It has no others, so that the group is deleted."
        undo = "create-invoice-group makes another one."
    return Effect(
        f"Takes {_accounts(gone)} out of {called(group)}. {follows}",
        {"accountsCount": len(group.accounts)},
        {"accountsCount": left},
        undo,
        {"accounts": sorted(group.accounts)},
    )


@toolset.tool(
    ANY_WRITE,
    "POST /invoice_groups/{invoice_group_id}/remove_accounts",
    title="Remove accounts from an invoice group",
    write=Write(
        find_out="get-invoice-group shows its accounts",
        reconcile=_removed,
        preview=_would_remove,
        stake=_stake_of_group,
        target="invoiceGroupId",
    ),
)
async def remove_invoice_group_accounts(
    togai: Togai, invoiceGroupId: InvoiceGroupId, accountIds: AccountIds
) -> Done:
    """Take accounts out of an invoice group. Without its last account it is deleted."""
    at = {"invoice_group_id": invoiceGroupId}
    return await togai.fetch(Done, at=at, body={"accountIds": accountIds})
