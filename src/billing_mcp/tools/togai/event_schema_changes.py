"""How event schemas come, change and go: drafts, versions in use, what enriches events."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import (
    CREATE,
    DELETE,
    READ,
    UPDATE,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import Body, Name
from billing_mcp.results import Page, values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition
from billing_mcp.tools.togai.event_schemas import EventSchema, EventSchemaName
from billing_mcp.tools.togai.lifecycles import Kind, required
from billing_mcp.upstream import Togai
from billing_mcp.wire import present

toolset = Toolset("togai-event-schemas")

PartName = Annotated[Name, Field(min_length=1, max_length=50, pattern=r"^[\sa-zA-Z0-9_-]*$")]
Description = Annotated[Name | None, Field(max_length=255)]
_ROUTE = "GET /event_schema/{event_schema_name}"
_UPDATED = (
    *("description", "attributes", "dimensions", "enrichments"),
    *("filterFields", "eventIdTemplate"),
)


class AttributeSchema(Body):
    name: PartName
    defaultUnit: Annotated[Name | None, Field(max_length=10)] = None


class DimensionSchema(Body):
    name: PartName


class Dependency(Body):
    """A setting that logic reads by the name it is given here."""

    key: Annotated[Name, Field(min_length=1, max_length=500, description="setting.namespace.id")]
    name: PartName


class EnrichedField(Body):
    name: PartName
    type: Literal["ATTRIBUTE", "DIMENSION"]
    enrichmentType: Literal["VALUE", "JSON_LOGIC", "JSON_LOGIC_FROM_DEPENDENCY"]
    value: Annotated[
        Name,
        Field(
            min_length=1,
            max_length=1500,
            description="JSONLogic over attribute.x, dimension.x, dependencies.x; or a "
            "dependency's name",
        ),
    ]
    order: Annotated[int, Field(ge=0, le=1000)]


class Enrichments(Body):
    fields: Annotated[list[EnrichedField], Field(max_length=50)]
    dependencies: Annotated[list[Dependency] | None, Field(max_length=50)] = None

    def wire(self) -> dict[str, Any]:
        """The vendor's form, in which a dependency says the only type there is."""
        dependencies = [{"type": "SETTING", **dict(entry)} for entry in self.dependencies or ()]
        fields = [dict(entry) for entry in self.fields]
        return {"fields": fields, "dependencies": dependencies}


Attributes = Annotated[list[AttributeSchema], Field(max_length=50)]
Dimensions = Annotated[list[DimensionSchema], Field(max_length=50)]
FilterFields = Annotated[list[PartName] | None, Field(max_length=100)]
IdTemplate = Annotated[
    Name | None,
    Field(max_length=500, description="Makes ids of events without: {{dimensions.x}} …"),
]


async def schema_of(togai: Togai, name: str) -> EventSchema:
    """Raises `NotFound`."""
    return await togai.fetch(EventSchema, route=_ROUTE, at={"event_schema_name": name})


async def _of(togai: Togai, asked: Mapping[str, Any]) -> EventSchema:
    return await schema_of(togai, asked["eventSchemaName"])


SCHEMA = Kind(
    _of,
    lambda schema: f"event schema {wording.identified(schema.name)}",
    "eventSchemaName",
    "get-event-schema",
    "list-event-schemas",
)


@toolset.tool(
    READ,
    "GET /event_schema/{event_schema_name}/versions",
    title="List the versions of an event schema",
)
async def list_event_schema_versions(
    togai: Togai, eventSchemaName: EventSchemaName
) -> Page[EventSchema]:
    """List the versions of an event schema, past ones ARCHIVED."""
    return await togai.fetch(Page[EventSchema], at={"event_schema_name": eventSchemaName})


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """The caller chose the name, so whether it is there says it, unless somebody else had it."""
    try:
        schema = await schema_of(togai, asked["name"])
    except errors.NotFound:
        return NotApplied()
    if holds(values(schema), {name: asked.get(name) for name in ("name", *_UPDATED)}):
        return Applied(schema)
    return Undecided(
        f"an event schema {asked['name']} is there, but not as this call would have made it; "
        "get-event-schema shows it"
    )


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    try:
        taken = await schema_of(togai, asked["name"])
    except errors.NotFound:
        attributes = [wording.quoted(entry.name) for entry in asked["attributes"]]
        dimensions = [wording.quoted(entry.name) for entry in asked["dimensions"]]
        return Effect(
            f"Creates the draft event schema {wording.identified(asked['name'])} with attributes "
            f"{wording.listed(attributes) or 'none'} and dimensions "
            f"{wording.listed(dimensions) or 'none'}. Events can use it once it is active.",
            after={
                "name": asked["name"],
                "status": "DRAFT",
                "attributes": [entry.name for entry in asked["attributes"]],
                "dimensions": [entry.name for entry in asked["dimensions"]],
            },
            undo="delete-event-schema; its name stays taken.",
        )
    raise errors.Conflict(
        f"There is an event schema {wording.identified(taken.name)} already.",
        field="name",
        next_step="Choose another name; get-event-schema shows the one there is.",
    )


@toolset.tool(
    CREATE,
    "POST /event_schema",
    write=Write(
        find_out="get-event-schema shows whether it is there",
        reconcile=_created,
        preview=_would_create,
        stake=recognition.nobody,
        target="name",
    ),
)
async def create_event_schema(
    togai: Togai,
    name: Annotated[EventSchemaName, Field(description="Of its events' schemaName")],
    attributes: Annotated[Attributes, Field(description="Numbers that events carry")],
    dimensions: Annotated[Dimensions, Field(description="Texts that events carry")],
    description: Description = None,
    enrichments: Enrichments | None = None,
    filterFields: FilterFields = None,
    eventIdTemplate: IdTemplate = None,
) -> EventSchema:
    """Create a draft of an event schema. activate-event-schema lets events use it."""
    body = present(
        name=name,
        attributes=attributes,
        dimensions=dimensions,
        description=description,
        enrichments=enrichments and enrichments.wire(),
        filterFields=filterFields,
        eventIdTemplate=eventIdTemplate,
    )
    return await togai.fetch(EventSchema, body=body)


@toolset.tool(
    UPDATE,
    "PATCH /event_schema/{event_schema_name}",
    write=Write(
        find_out="get-event-schema shows whether it has changed",
        reconcile=SCHEMA.updated(*_UPDATED),
        preview=SCHEMA.would_change(
            *_UPDATED, follows="; once in use this is a new version, for events from then on"
        ),
        stake=recognition.anybody,
        target="eventSchemaName",
    ),
)
async def update_event_schema(
    togai: Togai,
    eventSchemaName: EventSchemaName,
    attributes: Annotated[
        Attributes | None, Field(description="All of them; once in use only added to")
    ] = None,
    dimensions: Annotated[Dimensions | None, Field(description="As attributes")] = None,
    description: Description = None,
    enrichments: Annotated[Enrichments | None, Field(description="Replaces all")] = None,
    filterFields: FilterFields = None,
    eventIdTemplate: IdTemplate = None,
) -> EventSchema:
    """Change an event schema. A draft changes in place, one in use gets a new version."""
    body = required(
        present(
            attributes=attributes,
            dimensions=dimensions,
            description=description,
            enrichments=enrichments and enrichments.wire(),
            filterFields=filterFields,
            eventIdTemplate=eventIdTemplate,
        )
    )
    at = {"event_schema_name": eventSchemaName}
    return await togai.fetch(EventSchema, at=at, body=body)


@toolset.tool(
    UPDATE,
    "POST /event_schema/{event_schema_name}/activate",
    write=Write(
        find_out="get-event-schema shows whether it is ACTIVE",
        reconcile=SCHEMA.brought_to("ACTIVE"),
        preview=SCHEMA.would_become(
            "ACTIVE",
            "events can use it, and from then on attributes and dimensions are only added",
            after=("DRAFT", "INACTIVE"),
            undo="deactivate-event-schema, as long as no usage meter of it is active.",
        ),
        stake=recognition.anybody,
        target="eventSchemaName",
    ),
)
async def activate_event_schema(togai: Togai, eventSchemaName: EventSchemaName) -> EventSchema:
    """Let events use an event schema."""
    return await togai.fetch(EventSchema, at={"event_schema_name": eventSchemaName})


@toolset.tool(
    DELETE,
    "POST /event_schema/{event_schema_name}/deactivate",
    write=Write(
        find_out="get-event-schema shows whether it is INACTIVE",
        reconcile=SCHEMA.brought_to("INACTIVE"),
        preview=SCHEMA.would_become(
            "INACTIVE",
            "events that use it fail from then on and are not billed",
            after=("ACTIVE",),
            undo="activate-event-schema; events that failed meanwhile stay failed.",
        ),
        stake=recognition.anybody,
        target="eventSchemaName",
    ),
)
async def deactivate_event_schema(togai: Togai, eventSchemaName: EventSchemaName) -> EventSchema:
    """Stop events from using an event schema; its usage meters have to be inactive before."""
    return await togai.fetch(EventSchema, at={"event_schema_name": eventSchemaName})


@toolset.tool(
    DELETE,
    "DELETE /event_schema/{event_schema_name}",
    write=Write(
        find_out="get-event-schema shows whether it is ARCHIVED",
        reconcile=SCHEMA.archived(),
        preview=SCHEMA.would_archive(
            "no event can use it any more, and its name stays taken; Togai refuses it while a "
            "usage meter of it is active"
        ),
        stake=recognition.anybody,
        target="eventSchemaName",
    ),
)
async def delete_event_schema(togai: Togai, eventSchemaName: EventSchemaName) -> recognition.Done:
    """Archive an event schema. This cannot be undone."""
    return await togai.fetch(recognition.Done, at={"event_schema_name": eventSchemaName})
