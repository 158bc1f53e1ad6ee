"""Customers: the companies that are billed. Accounts hang below them."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import (
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
from billing_mcp.params import (
    Body,
    CustomerId,
    Email,
    Name,
    NextToken,
    PageSize,
    Search,
    one_filter,
)
from billing_mcp.results import Result, TokenPage, values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.upstream import Togai
from billing_mcp.wire import given

toolset = Toolset("togai-billing")

CustomerStatus = Literal["ACTIVE", "ARCHIVED"]
CustomerSort = Literal["id", "-id", "updated_at", "-updated_at"]


class Address(Body):
    phoneNumber: Name | None = None
    line1: Name | None = None
    line2: Name | None = None
    postalCode: Name | None = None
    city: Name | None = None
    state: Name | None = None
    country: Name | None = None


class Customer(Result):
    concise: ClassVar = ("id", "name", "primaryEmail", "status")
    ordinary: ClassVar = {"status": frozenset({"ACTIVE"})}

    id: str
    name: str
    primaryEmail: str
    status: str | None = None
    togaiCustomerId: str | None = None
    billingAddress: str | None = None
    createdAt: str | None = None
    updatedAt: str | None = None


@toolset.tool(READ, "GET /customers")
async def list_customers(
    togai: Togai,
    status: CustomerStatus | None = None,
    customerId: CustomerId | None = None,
    search: Annotated[Search, Field(description="In id, name or email")] = None,
    sort: CustomerSort | None = None,
    pageSize: PageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[Customer]:
    """List billing customers, newest change first. Use search to find one by name or email.
    Rows without status are ACTIVE."""
    one_filter(customerId=customerId, status=status)
    return await togai.fetch(
        TokenPage[Customer],
        query={
            "id": customerId,
            "status": status,
            "_search": search,
            "_sort": sort,
            "pageSize": pageSize,
            "nextToken": nextToken,
        },
    )


@toolset.tool(READ, "GET /customers/{customer_id}")
async def get_customer(togai: Togai, customerId: CustomerId) -> Customer:
    """Show one customer: name, email, address, status."""
    return await togai.fetch(Customer, at={"customer_id": customerId})


async def customer_of(togai: Togai, customer_id: str) -> Customer:
    """Raises `NotFound`."""
    return await togai.fetch(
        Customer, route="GET /customers/{customer_id}", at={"customer_id": customer_id}
    )


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """The caller chose the id, so whether it is there says it, unless somebody else had it."""
    try:
        customer = await customer_of(togai, asked["id"])
    except errors.NotFound:
        return NotApplied()
    if holds(values(customer), asked):
        return Applied(customer)
    return Undecided(
        f"a customer {asked['id']} is there, but not as this call would have made it; "
        "get-customer shows it"
    )


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    try:
        taken = await customer_of(togai, asked["id"])
    except errors.NotFound:
        # Its e-mail address and its own are personal, and no plan needs them.
        return Effect(
            f"Creates {wording.named('customer', asked['id'], asked['name'])}. Nothing can be "
            "billed to it until it has an account.",
            after={"id": asked["id"], "name": asked["name"], "status": "ACTIVE"},
            undo="delete-customer, as long as it has no accounts; its id stays taken.",
        )
    raise errors.Conflict(
        f"There is a {wording.named('customer', taken.id, taken.name)} already.",
        field="id",
        next_step="Choose another id; get-customer shows the one there is.",
    )


async def _stake_of_new(_: Togai, asked: Mapping[str, Any]) -> Stake:
    return Stake(frozenset({asked["id"]}), asked["id"])


@toolset.tool(
    CREATE,
    "POST /customers",
    write=Write(
        find_out="get-customer shows whether the customer is there",
        reconcile=_created,
        preview=_would_create,
        stake=_stake_of_new,
        target="id",
    ),
)
async def create_customer(
    togai: Togai,
    name: Annotated[Name, Field(min_length=3, max_length=255)],
    id: Annotated[CustomerId, Field(description="Chosen by you")],  # noqa: A002  the seed's name
    primaryEmail: Email,
    address: Address | None = None,
) -> Customer:
    """Create a customer. It needs an account (create-account) before anything can be billed."""
    return await togai.fetch(
        Customer,
        body={
            "id": id,
            "name": name,
            "primaryEmail": primaryEmail,
            # The vendor requires an address but none of its fields.
            "address": given(address) if address else {},
        },
    )
