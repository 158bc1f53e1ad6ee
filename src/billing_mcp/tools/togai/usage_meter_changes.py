"""How usage meters come, change and go: what they count, drafts, active ones, the archive."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from billing_mcp.declarations import (
    CREATE,
    DELETE,
    READ,
    UPDATE,
    Effect,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import Body, Name
from billing_mcp.results import values
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.tools.togai.event_schema_changes import Description, PartName, schema_of
from billing_mcp.tools.togai.event_schemas import EventSchemaName
from billing_mcp.tools.togai.lifecycles import Kind, required
from billing_mcp.tools.togai.usage_meters import METER_ROUTE, UsageMeter, meter_of
from billing_mcp.upstream import Togai
from billing_mcp.wire import present

toolset = Toolset("togai-usage-meters")

MeterId = Annotated[Name, Field(min_length=1, max_length=50)]
BillableName = Annotated[Name | None, Field(min_length=1, max_length=255)]
Aggregation = Literal["COUNT", "SUM"]
_UPDATED = (
    *("name", "billableName", "description", "eventSchemaName"),
    *("type", "aggregation", "computations", "filters"),
)


class MeterFilter(Body):
    field: Annotated[PartName, Field(description="A dimension")]
    value: Annotated[Name, Field(max_length=200)]


class Computation(Body):
    computation: Annotated[
        Name,
        Field(
            min_length=1,
            max_length=500,
            description='JSONLogic text, such as {"var": "attributes.x"}; COUNT: "1"',
        ),
    ]
    matcher: Annotated[
        Name | None, Field(max_length=1500, description="JSONLogic: which events count")
    ] = None
    order: Annotated[int, Field(ge=0, le=1000)] = 1

    def wire(self) -> dict[str, Any]:
        """The vendor wants an order, though there is one at most."""
        return present(**dict(self))


Computations = Annotated[list[Computation] | None, Field(max_length=1)]
Filters = Annotated[list[MeterFilter] | None, Field(max_length=50)]


def _seen(meter: UsageMeter) -> dict[str, Any]:
    """As a change names its fields: the schema by its name alone."""
    schema = meter.eventSchema and meter.eventSchema.name
    return values(meter) | {"eventSchemaName": schema}


async def _of(togai: Togai, asked: Mapping[str, Any]) -> UsageMeter:
    return await meter_of(togai, asked["usageMeterId"])


METER = Kind(
    _of,
    lambda meter: wording.named("usage meter", meter.id, meter.name),
    "usageMeterId",
    "get-usage-meter",
    "list-usage-meters",
    seen=_seen,
)


@toolset.tool(READ, METER_ROUTE)
async def get_usage_meter(
    togai: Togai,
    usageMeterId: MeterId,
    includeSchema: Annotated[bool | None, Field(description="Its event schema whole")] = None,
) -> UsageMeter:
    """Show one usage meter: which events it counts and how."""
    return await togai.fetch(
        UsageMeter, at={"usage_meter_id": usageMeterId}, query={"includeSchema": includeSchema}
    )


async def _all(togai: Togai, name: str) -> AsyncIterator[UsageMeter]:
    """Every meter; the one of that name whole, which a list may not show."""
    async for meter in walks.rows(togai, UsageMeter, "GET /usage_meters", 100):
        yield await meter_of(togai, meter.id) if meter.name == name else meter


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    # The vendor shows the schema in a form of its own; names of meters are unique without it.
    wanted = {name: value for name, value in asked.items() if name != "eventSchemaName"}
    found = _all(togai, asked["name"])
    return await recognition.by_name(found, wanted, "usage meter", "get-usage-meter")


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    found = _all(togai, asked["name"])
    await recognition.require_free_name(found, asked["name"], "usage meter", "get-usage-meter")
    schema = await schema_of(togai, asked["eventSchemaName"])
    does = "counts" if asked["aggregation"] == "COUNT" else "adds up a number of"
    computations: list[Computation] = asked["computations"] or []
    computed = "".join(f" by {wording.quoted(one.computation)}" for one in computations)
    return Effect(
        f"Creates the draft usage meter {wording.quoted(asked['name'])}, which {does} events of "
        f"schema {wording.identified(schema.name)}{computed}. It measures nothing until it is "
        "active, and bills nothing until a plan prices it.",
        after={
            "name": asked["name"],
            "aggregation": asked["aggregation"],
            "eventSchemaName": schema.name,
            "status": "DRAFT",
        },
        undo="delete-usage-meter, as long as no plan prices it.",
    )


@toolset.tool(
    CREATE,
    "POST /usage_meters",
    write=Write(
        find_out="list-usage-meters of its schema shows whether it is there",
        reconcile=_created,
        preview=_would_create,
        stake=recognition.nobody,
        target="name",
    ),
)
async def create_usage_meter(
    togai: Togai,
    name: PartName,
    eventSchemaName: EventSchemaName,
    aggregation: Annotated[Aggregation, Field(description="Of events, or of computations")],
    type: Literal["COUNTER"] = "COUNTER",  # noqa: A002  the vendor's name
    billableName: BillableName = None,
    description: Description = None,
    filters: Filters = None,
    computations: Computations = None,
) -> UsageMeter:
    """Create a draft of a usage meter. activate-usage-meter lets it measure."""
    body = present(
        name=name,
        eventSchemaName=eventSchemaName,
        aggregation=aggregation,
        type=type,
        billableName=billableName,
        description=description,
        filters=filters,
        computations=computations and [one.wire() for one in computations],
    )
    return await togai.fetch(UsageMeter, body=body)


@toolset.tool(
    UPDATE,
    "PATCH /usage_meters/{usage_meter_id}",
    write=Write(
        find_out="get-usage-meter shows whether it has changed",
        reconcile=METER.updated(*_UPDATED),
        preview=METER.would_change(*_UPDATED, follows="; events that were measured stay so"),
        stake=recognition.anybody,
        target="usageMeterId",
    ),
)
async def update_usage_meter(
    togai: Togai,
    usageMeterId: MeterId,
    name: PartName | None = None,
    billableName: BillableName = None,
    description: Description = None,
    eventSchemaName: EventSchemaName | None = None,
    type: Literal["COUNTER"] | None = None,  # noqa: A002  the vendor's name
    aggregation: Aggregation | None = None,
    filters: Annotated[Filters, Field(description="Replaces all")] = None,
    computations: Computations = None,
) -> UsageMeter:
    """Change a usage meter; while it is active only its names and description."""
    body = required(
        present(
            name=name,
            billableName=billableName,
            description=description,
            eventSchemaName=eventSchemaName,
            type=type,
            aggregation=aggregation,
            filters=filters,
            computations=computations and [one.wire() for one in computations],
        )
    )
    return await togai.fetch(UsageMeter, at={"usage_meter_id": usageMeterId}, body=body)


@toolset.tool(
    UPDATE,
    "POST /usage_meters/{usage_meter_id}/activate",
    write=Write(
        find_out="get-usage-meter shows whether it is ACTIVE",
        reconcile=METER.brought_to("ACTIVE"),
        preview=METER.would_become(
            "ACTIVE",
            "it measures events from then on, and plans that price it bill them",
            after=("DRAFT", "INACTIVE"),
            undo="deactivate-usage-meter; what was measured meanwhile stays.",
        ),
        stake=recognition.anybody,
        target="usageMeterId",
    ),
)
async def activate_usage_meter(togai: Togai, usageMeterId: MeterId) -> UsageMeter:
    """Let a usage meter measure events from now on. Its event schema has to be active."""
    return await togai.fetch(UsageMeter, at={"usage_meter_id": usageMeterId})


@toolset.tool(
    DELETE,
    "POST /usage_meters/{usage_meter_id}/deactivate",
    write=Write(
        find_out="get-usage-meter shows whether it is INACTIVE",
        reconcile=METER.brought_to("INACTIVE"),
        preview=METER.would_become(
            "INACTIVE",
            "events from then on are not measured by it, and so not billed",
            after=("ACTIVE",),
            undo="activate-usage-meter; events that came meanwhile stay unmeasured.",
        ),
        stake=recognition.anybody,
        target="usageMeterId",
    ),
)
async def deactivate_usage_meter(togai: Togai, usageMeterId: MeterId) -> UsageMeter:
    """Stop a usage meter from measuring events."""
    return await togai.fetch(UsageMeter, at={"usage_meter_id": usageMeterId})


@toolset.tool(
    DELETE,
    "DELETE /usage_meters/{usage_meter_id}",
    write=Write(
        find_out="get-usage-meter shows whether it is ARCHIVED",
        reconcile=METER.archived(),
        preview=METER.would_archive(
            "it measures nothing any more; Togai refuses it while a plan prices it"
        ),
        stake=recognition.nobody,
        target="usageMeterId",
    ),
)
async def delete_usage_meter(togai: Togai, usageMeterId: MeterId) -> recognition.Done:
    """Archive a usage meter that no plan prices. This cannot be undone."""
    return await togai.fetch(recognition.Done, at={"usage_meter_id": usageMeterId})
