"""Settings: values of the organisation, of customers and of accounts, which enrichments read."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import (
    CREATE,
    READ,
    UPDATE,
    Applied,
    Effect,
    NotApplied,
    Stake,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import Name, NextToken, PageSize
from billing_mcp.results import Result, TokenPage, values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai.accounts import stake_of_account
from billing_mcp.tools.togai.lifecycles import Kind, required
from billing_mcp.upstream import Answer, Togai
from billing_mcp.wire import present

toolset = Toolset("togai-settings")

FullId = Annotated[
    Name,
    Field(
        min_length=1,
        max_length=500,
        description="setting.namespace.id.entityType.entityId",
    ),
]
Part = Annotated[Name, Field(min_length=1, max_length=255)]
DataType = Literal["STRING", "NUMERIC", "JSON", "JSON_LOGIC"]
# What we know of; the vendor has it as free text.
EntityType = Literal["ORGANIZATION", "CUSTOMER", "ACCOUNT"]
_ROUTE = "GET /settings/{setting_id_str}"
_UPDATED = ("name", "value", "dataType")


class Setting(Result):
    concise: ClassVar = ("id", "namespace", "entityType", "entityId", "name", "value", "dataType")

    id: str
    value: str
    entityType: str
    entityId: str
    namespace: str
    name: str | None = None
    dataType: str | None = None


@toolset.tool(READ, "GET /settings")
async def list_settings(
    togai: Togai,
    entityType: EntityType | None = None,
    entityId: Part | None = None,
    id: Annotated[Part | None, Field(description="Without its namespace")] = None,  # noqa: A002  the vendor's name
    namespace: Part | None = None,
    pageSize: PageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[Setting]:
    """List settings of the organisation, of customers and of accounts."""
    return await togai.fetch(
        TokenPage[Setting],
        query={
            "entity_type": entityType,
            "entity_id": entityId,
            "setting_id": id,
            "namespace": namespace,
            "pageSize": pageSize,
            "nextToken": nextToken,
        },
    )


@toolset.tool(READ, _ROUTE)
async def get_setting(togai: Togai, settingId: FullId) -> Setting:
    """Show one setting."""
    return await togai.fetch(Setting, at={"setting_id_str": settingId})


async def setting_of(togai: Togai, full_id: str) -> Setting:
    """Raises `NotFound`."""
    return await togai.fetch(Setting, route=_ROUTE, at={"setting_id_str": full_id})


def _full_id(asked: Mapping[str, Any]) -> str:
    parts = (asked[name] for name in ("namespace", "id", "entityType", "entityId"))
    return ".".join(["setting", *parts])


def _whose(entity_type: str, entity_id: str) -> str:
    if entity_type == "ORGANIZATION":
        return "the whole organisation"
    return f"{entity_type.lower()} {wording.identified(entity_id)}"


def _named(setting: Setting) -> str:
    whose = _whose(setting.entityType, setting.entityId)
    return f"setting {wording.identified(f'{setting.namespace}.{setting.id}')} of {whose}"


async def _stake_in(togai: Togai, entity_type: str, entity_id: str) -> Stake:
    if entity_type == "CUSTOMER":
        return Stake(frozenset({entity_id}), entity_id)
    if entity_type == "ACCOUNT":
        return await stake_of_account("entityId")(togai, {"entityId": entity_id})
    return Stake(None)


async def _stake_of_new(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    return await _stake_in(togai, asked["entityType"], asked["entityId"])


async def _stake(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    setting = await setting_of(togai, asked["settingId"])
    return await _stake_in(togai, setting.entityType, setting.entityId)


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    try:
        setting = await setting_of(togai, _full_id(asked))
    except errors.NotFound:
        return NotApplied()
    if holds(values(setting), asked):
        return Applied(setting)
    return Undecided(
        f"the setting {_full_id(asked)} is there, but not as this call would have made it; "
        "get-setting shows it"
    )


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    try:
        taken = await setting_of(togai, _full_id(asked))
    except errors.NotFound:
        whose = _whose(asked["entityType"], asked["entityId"])
        called = wording.identified(f"{asked['namespace']}.{asked['id']}")
        return Effect(
            f"Creates the {asked['dataType']} setting {called} of {whose}: "
            f"{wording.quoted(asked['value'])}. Enrichments of events that name it read it.",
            after={name: asked[name] for name in ("id", "namespace", "value", "dataType")},
            undo="No tool deletes a setting; update-setting gives it another value.",
        )
    raise errors.Conflict(
        f"There is a {_named(taken)} already.",
        field="id",
        next_step="update-setting changes it.",
    )


@toolset.tool(
    CREATE,
    "POST /settings",
    write=Write(
        find_out="get-setting shows whether it is there",
        reconcile=_created,
        preview=_would_create,
        stake=_stake_of_new,
        target="entityId",
    ),
)
async def create_setting(
    togai: Togai,
    id: Part,  # noqa: A002  the vendor's name
    namespace: Annotated[Part, Field(description="Such as USER")],
    entityType: EntityType,
    entityId: Part,
    name: Part,
    value: Annotated[Name, Field(max_length=4000)],
    dataType: DataType,
) -> Setting:
    """Create a setting of the organisation, a customer or an account, for enrichments to read."""
    body = present(
        id=id,
        namespace=namespace,
        entityType=entityType,
        entityId=entityId,
        name=name,
        value=value,
        dataType=dataType,
    )
    return await _answered(togai, await togai.send(body=body), _full_id(body))


async def _answered(togai: Togai, answer: Answer, full_id: str) -> Setting:
    """The setting after a write, which the vendor may answer with 204 and nothing."""
    if answer.body is None:
        return await setting_of(togai, full_id)
    return togai.read(Setting, answer)


async def _of(togai: Togai, asked: Mapping[str, Any]) -> Setting:
    return await setting_of(togai, asked["settingId"])


SETTING = Kind(_of, _named, "settingId", "get-setting", "list-settings")


@toolset.tool(
    UPDATE,
    "PATCH /settings/{setting_id_str}",
    write=Write(
        find_out="get-setting shows whether it has the new value",
        reconcile=SETTING.updated(*_UPDATED),
        preview=SETTING.would_change(
            *_UPDATED, follows="; later events are enriched by it, earlier ones stay as they are"
        ),
        stake=_stake,
        target="settingId",
    ),
)
async def update_setting(
    togai: Togai,
    settingId: FullId,
    value: Annotated[Name | None, Field(max_length=4000)] = None,
    name: Part | None = None,
    dataType: DataType | None = None,
) -> Setting:
    """Change a setting's value, name or type."""
    body = required(present(value=value, name=name, dataType=dataType))
    answer = await togai.send(at={"setting_id_str": settingId}, body=body)
    return await _answered(togai, answer, settingId)
