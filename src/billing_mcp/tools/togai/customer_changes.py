"""What becomes of customers after they were made: new details, their people, the archive."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from billing_mcp.declarations import (
    CREATE,
    DELETE,
    UPDATE,
    Effect,
    Stake,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import CustomerId, Email, Name, Password
from billing_mcp.results import Result
from billing_mcp.tools import wording
from billing_mcp.tools.togai.customers import Address, Customer, customer_of
from billing_mcp.tools.togai.lifecycles import Kind, required
from billing_mcp.tools.togai.recognition import Done
from billing_mcp.upstream import Togai
from billing_mcp.wire import present

toolset = Toolset("togai-customers")


async def _of(togai: Togai, asked: Mapping[str, Any]) -> Customer:
    return await customer_of(togai, asked["customerId"])


CUSTOMER = Kind(
    _of,
    lambda customer: wording.named("customer", customer.id, customer.name),
    "customerId",
    "get-customer",
    "list-customers",
    frozenset({"primaryEmail", "address"}),
)
_FIELDS = ("name", "primaryEmail", "address")


async def stake_of_customer(_: Togai, asked: Mapping[str, Any]) -> Stake:
    return Stake(frozenset({asked["customerId"]}), asked["customerId"])


@toolset.tool(
    UPDATE,
    "PATCH /customers/{customer_id}",
    write=Write(
        find_out="get-customer shows whether it has the new details",
        reconcile=CUSTOMER.updated(*_FIELDS),
        preview=CUSTOMER.would_change(*_FIELDS, follows=", on later invoices too"),
        stake=stake_of_customer,
        target="customerId",
    ),
)
async def update_customer(
    togai: Togai,
    customerId: CustomerId,
    name: Annotated[Name | None, Field(min_length=3, max_length=255)] = None,
    primaryEmail: Email | None = None,
    address: Annotated[Address | None, Field(description="Replaces the whole address")] = None,
) -> Customer:
    """Change a customer's name, email or address."""
    body = required(present(name=name, primaryEmail=primaryEmail, address=address))
    return await togai.fetch(Customer, at={"customer_id": customerId}, body=body)


@toolset.tool(
    DELETE,
    "DELETE /customers/{customer_id}",
    write=Write(
        find_out="get-customer shows whether it is ARCHIVED",
        reconcile=CUSTOMER.archived(),
        preview=CUSTOMER.would_archive(
            "nothing can be billed to it any more, and its id stays taken; Togai refuses it while "
            "the customer has accounts"
        ),
        stake=stake_of_customer,
        target="customerId",
    ),
)
async def delete_customer(togai: Togai, customerId: CustomerId) -> Done:
    """Archive a customer that has no accounts. This cannot be undone."""
    return await togai.fetch(Done, at={"customer_id": customerId})


class Contact(Result):
    username: str
    name: str
    preferredUsername: str | None = None
    email: str | None = None
    phone: str | None = None
    loginAccess: bool | None = None
    verified: bool | None = None
    createdAt: str | None = None


async def _contact_made(_: Togai, asked: Mapping[str, Any]) -> Verdict:
    return Undecided(
        f"Togai lists no contacts; its console shows those of customer {asked['customerId']}"
    )


async def _would_make_contact(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    _, called = await CUSTOMER.open(togai, asked)
    access = bool(asked["loginAccess"])
    portal = "with access to its portal" if access else "without access to its portal"
    return Effect(
        f"Adds a contact {wording.quoted(asked['name'])} to {called}, {portal}.",
        after=present(name=asked["name"], loginAccess=access, verified=asked["verified"]),
    )


@toolset.tool(
    CREATE,
    "POST /customers/{customer_id}/contacts",
    write=Write(
        find_out="Togai's console shows the customer's contacts",
        reconcile=_contact_made,
        preview=_would_make_contact,
        stake=stake_of_customer,
        target="customerId",
    ),
)
async def create_customer_contact(
    togai: Togai,
    customerId: CustomerId,
    name: Annotated[Name, Field(min_length=1, max_length=50)],
    email: Email,
    preferredUsername: Annotated[Name | None, Field(pattern="^[A-Za-z0-9]{3,50}$")] = None,
    phone: Annotated[Name | None, Field(max_length=30)] = None,
    password: Annotated[Password | None, Field(min_length=1, max_length=100)] = None,
    loginAccess: Annotated[
        bool | None, Field(description="To the customer portal; default false")
    ] = None,
    verified: bool | None = None,
) -> Contact:
    """Add a person to a customer."""
    body = present(
        name=name,
        email=email,
        preferredUsername=preferredUsername,
        phone=phone,
        password=password.get_secret_value() if password else None,
        loginAccess=loginAccess,
        verified=verified,
    )
    return await togai.fetch(Contact, at={"customer_id": customerId}, body=body)
