"""`billing://event-schemas/{name}`: what events carry, and the usage meters that count them."""

from collections.abc import Mapping
from typing import Any

from billing_mcp.resources.addresses import Address, uri
from billing_mcp.resources.markdown import facts, moment, quoted, row
from billing_mcp.resources.pages import Document, Section, rendered
from billing_mcp.resources.reading import Content, Reader, Wanted

EVENT_SCHEMA = Wanted("event schema", "event-schema", "eventSchemaName", "list-event-schemas")
_METERS = "list-usage-meters"


async def read(address: Address, reader: Reader) -> Content:
    others = {}
    version = address.query.get("version")
    if version is not None:
        others["version"] = version
    schema = await reader.one("get-event-schema", EVENT_SCHEMA, address.name or "", **others)
    name = schema["name"]
    feature = schema.get("featureDetails") or {}
    described = facts(
        (
            ("status", quoted(schema.get("status"))),
            ("version", quoted(schema.get("version"))),
            ("description", quoted(schema.get("description"))),
            ("feeds feature", _fed(feature)),
            ("fields to filter by", ", ".join(map(quoted, schema.get("filterFields") or ()))),
            ("last changed (UTC)", moment(schema.get("updatedAt"))),
        )
    )
    attributes = [
        row((quoted(attribute["name"]), quoted(attribute.get("defaultUnit"))))
        for attribute in schema.get("attributes") or ()
    ]
    dimensions = [f"- {quoted(dimension['name'])}" for dimension in schema.get("dimensions") or ()]
    following = (
        f"- send such events: `ingest-events` with schemaName {quoted(name)}",
        f"- the JSON Schema of an event: {uri('schemas', 'event')}",
        f"- what a meter's units cost: the usage rate cards of {uri('price-plans')}",
    )
    sections = (
        Section(facts=described),
        Section(
            "## Attributes (what can be summed)",
            () if attributes else ("None: its events are only counted.",),
            ("attribute", "default unit"),
            attributes,
        ),
        Section(
            "## Dimensions (what can be filtered by)",
            () if dimensions else ("None.",),
            (),
            dimensions,
        ),
        await _meters(name, reader),
        Section("## Where to go next", rows=following),
    )
    document = Document(f"{quoted(name)} (event schema)", schema["environment"], sections)
    return Content(rendered(document, address), "text/markdown")


def _fed(feature: Mapping[str, Any]) -> str | None:
    if "featureId" not in feature:
        return None
    link = uri("features", feature["featureId"])
    return f"{quoted(feature['featureId'])} by {quoted(feature.get('attributeName'))} ({link})"


async def _meters(name: str, reader: Reader) -> Section:
    heading = "## Usage meters that count its events"
    if (refused := reader.refusal(_METERS)) is not None:
        return Section(heading, (f"Not shown: {refused.sentence()}",))
    page = await reader.rows(_METERS, {"eventSchemaName": name, "detail": "full"})
    meters = [
        row(
            (
                quoted(meter["id"]),
                quoted(meter["name"]),
                quoted(meter.get("aggregation")),
                ", ".join(
                    quoted(part.get("computation")) for part in meter.get("computations") or ()
                ),
                quoted(meter.get("status")),
            )
        )
        for meter in page["data"]
    ]
    told = []
    if page["hasMore"]:
        told.append(f"There may be more: {page.get('note') or _METERS + ' goes on.'}")
    elif not meters:
        told.append("None: its events are not billed by usage.")
    columns = ("usage meter", "name", "aggregation", "computation (JSONLogic)", "status")
    return Section(heading, told, columns, meters)
