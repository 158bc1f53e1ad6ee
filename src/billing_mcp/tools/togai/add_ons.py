"""Add-ons: what rate cards of fees, licences and credit grants are named after."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import (
    CREATE,
    DELETE,
    READ,
    UPDATE,
    Effect,
    NotApplied,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import Name, NextToken, PageSize
from billing_mcp.results import TokenPage, values
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.upstream import Togai
from billing_mcp.wire import present

toolset = Toolset("togai-addons")

AddOnId = Annotated[Name, Field(min_length=1, max_length=50, description="From list-addons")]
AddOnName = Annotated[Name, Field(min_length=1, max_length=255)]
BillableName = Annotated[Name | None, Field(min_length=1, max_length=255)]
_ROUTE = "GET /addons/{addon_id}"


class AddOn(recognition.Named):
    concise: ClassVar = ("id", "name", "type", "billableName", "status")
    ordinary: ClassVar = {"status": frozenset({"ACTIVE"})}

    type: str | None = None
    billableName: str | None = None
    displayName: str | None = None
    status: str | None = None
    createdAt: str | None = None


@toolset.tool(READ, "GET /addons", title="List add-ons")
async def list_addons(
    togai: Togai,
    status: Literal["ACTIVE", "ARCHIVED"] | None = None,
    pageSize: PageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[AddOn]:
    """List add-ons: the fees, licences and credit grants that rate cards price. Rows without
    status are ACTIVE."""
    query = {"status": status, "pageSize": pageSize, "nextToken": nextToken}
    return await togai.fetch(TokenPage[AddOn], query=query)


@toolset.tool(READ, _ROUTE, title="Get add-on")
async def get_addon(togai: Togai, addonId: AddOnId) -> AddOn:
    """Show one add-on."""
    return await togai.fetch(AddOn, at={"addon_id": addonId})


async def add_on_of(togai: Togai, add_on_id: str) -> AddOn:
    """Raises `NotFound`."""
    return await togai.fetch(AddOn, route=_ROUTE, at={"addon_id": add_on_id})


async def _of(togai: Togai, asked: Mapping[str, Any]) -> AddOn:
    return await add_on_of(togai, asked["addonId"])


def _all(togai: Togai) -> AsyncIterator[AddOn]:
    return walks.rows(togai, AddOn, "GET /addons", 100)


async def _open(togai: Togai, asked: Mapping[str, Any]) -> tuple[AddOn, str]:
    """The add-on, and how a plan names it. Raises `Conflict` for one that is archived."""
    add_on = await _of(togai, asked)
    called = wording.named("add-on", add_on.id, add_on.name)
    if add_on.status == "ARCHIVED":
        raise errors.Conflict(
            f"The {called} is ARCHIVED already.",
            field="addonId",
            next_step="list-addons shows those that are not.",
        )
    return add_on, called


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    return await recognition.by_name(_all(togai), asked, "add-on", "get-addon")


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    await recognition.require_free_name(_all(togai), asked["name"], "add-on", "get-addon")
    return Effect(
        f"Creates the add-on {wording.quoted(asked['name'])} of type {asked['type']}. It charges "
        "nobody until a rate card of a plan names it.",
        after={"name": asked["name"], "type": asked["type"], "status": "ACTIVE"},
        undo="delete-addon, as long as no plan names it.",
    )


@toolset.tool(
    CREATE,
    "POST /addons",
    title="Create add-on",
    write=Write(
        find_out="list-addons shows whether the add-on is there",
        reconcile=_created,
        preview=_would_create,
        stake=recognition.nobody,
        target="name",
    ),
)
async def create_addon(
    togai: Togai,
    name: AddOnName,
    type: Literal["LICENSE", "FIXED_FEE", "CREDIT_GRANT", "NAMED_LICENSE"],  # noqa: A002  the vendor's name
    billableName: BillableName = None,
) -> AddOn:
    """Create an add-on: a fee, licence or credit grant for rate cards to price. Its type stays."""
    body = present(name=name, type=type, billableName=billableName)
    return await togai.fetch(AddOn, body=body)


async def _updated(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    wanted = {name: asked.get(name) for name in ("name", "billableName")}
    return recognition.in_force(await _of(togai, asked), wanted)


async def _would_update(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    _require_something(asked["name"], asked["billableName"])
    add_on, called = await _open(togai, asked)
    fields = {name: asked[name] for name in ("name", "billableName") if asked[name] is not None}
    if asked["name"] not in (None, add_on.name):
        await recognition.require_free_name(_all(togai), asked["name"], "add-on", "get-addon")
    before = {name: values(add_on).get(name) for name in fields}
    told = [f"{name} {wording.quoted(value)}" for name, value in fields.items()]
    return Effect(
        f"Gives the {called} the {wording.listed(told)}, which later invoices show.",
        before,
        fields,
        None if None in before.values() else "update-addon with the names as they were before.",
        before,
    )


def _require_something(*given: object) -> None:
    if all(one is None for one in given):
        raise errors.InvalidRequest(
            "Neither name nor billableName is given; nothing was sent.",
            field="name",
            next_step="Give name, billableName or both.",
        )


@toolset.tool(
    UPDATE,
    "PATCH /addons/{addon_id}",
    title="Update add-on",
    write=Write(
        find_out="get-addon shows whether it has the new names",
        reconcile=_updated,
        preview=_would_update,
        stake=recognition.nobody,
        target="addonId",
    ),
)
async def update_addon(
    togai: Togai,
    addonId: AddOnId,
    name: Annotated[Name | None, Field(min_length=1, max_length=255)] = None,
    billableName: Annotated[BillableName, Field(description="On invoices, instead of name")] = None,
) -> AddOn:
    """Rename an add-on."""
    _require_something(name, billableName)
    body = present(name=name, billableName=billableName)
    return await togai.fetch(AddOn, at={"addon_id": addonId}, body=body)


async def _deleted(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    try:
        add_on = await _of(togai, asked)
    except errors.NotFound:
        return recognition.DONE
    return recognition.DONE if add_on.status == "ARCHIVED" else NotApplied()


async def _would_delete(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    add_on, called = await _open(togai, asked)
    status = {"status": add_on.status}
    return Effect(
        f"Archives the {called}: no rate card can be named after it any more. Togai refuses it "
        "while a plan does.",
        status,
        {"status": "ARCHIVED"},
        provided=status,
    )


@toolset.tool(
    DELETE,
    "DELETE /addons/{addon_id}",
    title="Delete add-on",
    write=Write(
        find_out="get-addon shows whether it is ARCHIVED",
        reconcile=_deleted,
        preview=_would_delete,
        stake=recognition.nobody,
        target="addonId",
    ),
)
async def delete_addon(togai: Togai, addonId: AddOnId) -> recognition.Done:
    """Archive an add-on that no plan names. This cannot be undone."""
    return await togai.fetch(recognition.Done, at={"addon_id": addonId})
