"""What becomes of accounts after they were made: new details, the archive."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from billing_mcp.declarations import (
    DELETE,
    UPDATE,
    Toolset,
    Write,
)
from billing_mcp.params import AccountId, Body, Currency, Email, Name
from billing_mcp.tools import wording
from billing_mcp.tools.togai.accounts import (
    Account,
    account_of,
    stake_of_account,
)
from billing_mcp.tools.togai.customers import Address
from billing_mcp.tools.togai.lifecycles import Kind, required
from billing_mcp.tools.togai.recognition import Done
from billing_mcp.upstream import Togai
from billing_mcp.wire import present

toolset = Toolset("togai-accounts")

_FIELDS = (
    *("name", "status", "invoiceCurrency", "netTermDays", "primaryEmail"),
    *("billingInformation", "address", "metadata", "tags"),
)


class BillingInformation(Body):
    emailRecipients: Annotated[list[Email] | None, Field(max_length=50)] = None
    additionalEmailRecipients: Annotated[list[Email] | None, Field(max_length=50)] = None


async def _of(togai: Togai, asked: Mapping[str, Any]) -> Account:
    return await account_of(togai, asked["accountId"])


ACCOUNT = Kind(
    _of,
    lambda account: wording.named("account", account.id, account.name),
    "accountId",
    "get-account",
    "list-accounts",
    frozenset({"primaryEmail", "billingInformation", "address"}),
)


@toolset.tool(
    UPDATE,
    "PATCH /accounts/{account_id}",
    write=Write(
        find_out="get-account shows whether it has the new details",
        reconcile=ACCOUNT.updated(*_FIELDS),
        preview=ACCOUNT.would_change(*_FIELDS, follows=", on later invoices too"),
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def update_account(
    togai: Togai,
    accountId: AccountId,
    name: Annotated[Name | None, Field(min_length=3, max_length=255)] = None,
    status: Literal["ACTIVE", "DRAFT"] | None = None,
    invoiceCurrency: Annotated[Currency | None, Field(description="While not in use")] = None,
    netTermDays: Annotated[int | None, Field(ge=0, le=365)] = None,
    primaryEmail: Email | None = None,
    billingInformation: Annotated[
        BillingInformation | None, Field(description="Who gets its invoices")
    ] = None,
    address: Annotated[Address | None, Field(description="Replaces the whole address")] = None,
    metadata: Annotated[
        dict[Name, Name] | None, Field(max_length=50, description="Replaces all of it")
    ] = None,
    tags: Annotated[list[Name] | None, Field(max_length=50, description="Replace all")] = None,
) -> Account:
    """Change an account's name, status, currency, payment terms, emails, address, metadata or
    tags."""
    body = required(
        present(
            name=name,
            status=status,
            invoiceCurrency=invoiceCurrency,
            netTermDays=netTermDays,
            primaryEmail=primaryEmail,
            billingInformation=billingInformation,
            address=address,
            metadata=metadata,
            tags=tags,
        )
    )
    return await togai.fetch(Account, at={"account_id": accountId}, body=body)


@toolset.tool(
    DELETE,
    "DELETE /accounts/{account_id}",
    write=Write(
        find_out="get-account shows whether it is ARCHIVED",
        reconcile=ACCOUNT.archived(),
        preview=ACCOUNT.would_archive(
            "its usage is no longer counted, and its id stays taken; invoices there are stay"
        ),
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def delete_account(togai: Togai, accountId: AccountId) -> Done:
    """Archive an account. This cannot be undone."""
    return await togai.fetch(Done, at={"account_id": accountId})
