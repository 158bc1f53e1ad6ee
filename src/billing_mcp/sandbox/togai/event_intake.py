"""What becomes of an event that arrives: its shape, its status, its readings, its credits."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from billing_mcp import money
from billing_mcp.rating.json_logic import LogicError
from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    entitlements,
    event_enrichments,
    event_schemas,
    event_usage,
    feature_uses,
    named_licences,
    sizes,
)
from billing_mcp.sandbox.togai.columns import packed
from billing_mcp.sandbox.togai.event_lookups import Lookups, Schema
from billing_mcp.sandbox.togai.event_usage import METERED, NOT_METERED, Reading, readings
from billing_mcp.sandbox.togai.running import Running

FAILED: Final = "INGESTION_FAILED"
NO_SCHEMA: Final = "INGESTION_FAILED_SCHEMA_NOT_DEFINED"
NO_ID: Final = "INGESTION_FAILED_NO_EVENT_ID"
DUPLICATE: Final = "INGESTION_FAILED_DUPLICATE_EVENT"
NO_ACCOUNT: Final = "INGESTION_FAILED_ACCOUNT_NOT_FOUND"
BAD_UNITS: Final = "INGESTION_FAILED_UNITS_INVALID"
TOO_LATE: Final = "INGESTION_FAILED_PAST_GRACE_PERIOD"
NO_CREDITS: Final = "INGESTION_FAILED_INSUFFICIENT_CREDITS"
BAD_LICENCE: Final = "INGESTION_FAILED_INVALID_NAMED_LICENSE_EVENT"
NOT_ENRICHED: Final = "INGESTION_FAILED_ENRICHMENT_FAILED"
NO_METERS: Final = "INGESTION_COMPLETED_NO_MATCHING_METERS"

_LONGEST_DESCRIPTION = 250
_LONGEST_VALUE = 512
_VALUE = re.compile(r"-?\d{1,512}(?:\.\d+)?", re.ASCII)
_FIELDS = ("schemaName", "id", "timestamp", "accountId", "attributes", "dimensions")


class Rejected(Exception):
    """The event keeps its place in the list, with a failure as its status."""

    def __init__(self, status: str, description: str) -> None:
        super().__init__(description)
        self.status = status


@dataclass(slots=True)
class Intake:
    """An event on its way in: what is known about it so far."""

    event: dict[str, Any]
    moment: datetime  # when it happened
    stamp: str  # the same as it is stored
    status: str = ""
    description: str = ""
    event_id: str | None = None
    account: Row | None = None
    pipeline: dict[str, Any] = field(default_factory=dict)
    entries: Sequence[Row] = ()  # of the feature that it feeds, and what it takes of them
    takings: list[feature_uses.Taking] = field(default_factory=list)


def read_event(body: Any, at: str) -> dict[str, Any]:
    """The event as sent. Refuses what is wrong in shape; meaning is looked at in `take`."""
    given = call.closed(body, _FIELDS, at)
    call.text(given, "schemaName", minimum=1, maximum=50, at=at)
    call.text(given, "id", minimum=1, maximum=512, default=None, at=at)
    call.timestamp(given, "timestamp", at=at)
    call.text(given, "accountId", minimum=1, maximum=512, at=at)
    for index, item in enumerate(call.listed(given, "attributes", maximum=10, at=at)):
        place = f"{at}attributes[{index}]."
        attribute = call.closed(item, ("name", "value", "unit"), place)
        call.text(attribute, "name", minimum=1, maximum=50, at=place)
        value = call.text(attribute, "value", at=place)
        if len(value) > _LONGEST_VALUE or not _VALUE.fullmatch(value):
            raise Refusal(400, f'{place}value must be a number written as text, such as "12.5"')
        call.text(attribute, "unit", minimum=1, maximum=50, default=None, at=place)
    dimensions = call.mapping(given, "dimensions", at=at)
    for name in dimensions:
        call.text(dimensions, name, minimum=1, maximum=200, at=f"{at}dimensions.")
    return given


def take(request: Call, event: dict[str, Any], *, entitled: bool = False) -> Intake:
    """Process an event of good shape and keep it with its status.

    `entitled`: it counts only if the account's feature credits suffice, otherwise they go as far
    as they go.
    """
    lookups = Lookups(request)
    intake = _taken(lookups, event, entitled=entitled)
    lookups.keep()
    return intake


def take_all(request: Call, events: Iterable[dict[str, Any]]) -> None:
    """Process events of good shape one after the other, as `take` does."""
    lookups = Lookups(request)
    for event in events:
        _taken(lookups, event, entitled=False)
    lookups.keep()


def _taken(lookups: Lookups, event: dict[str, Any], *, entitled: bool) -> Intake:
    request = lookups.request
    moment = clock.read(event["timestamp"])
    intake = Intake(event, moment, clock.written(moment), event_id=event.get("id"))
    try:
        _process(lookups, intake, entitled=entitled)
    except Rejected as rejection:
        intake.status, intake.description = rejection.status, str(rejection)
    account = intake.account
    reference_id = request.new_id("event")
    columns = {
        "reference_id": reference_id,
        "event_id": intake.event_id,
        "schema_name": event["schemaName"],
        "account_reference": event["accountId"],
        "account_id": account and account["id"],
        "customer_id": account and account["customer_id"],
        "happened_at": intake.stamp,
        "payload": packed(event),
        "status": intake.status,
        "status_description": intake.description[:_LONGEST_DESCRIPTION],
        "pipeline": packed(intake.pipeline),
        "created_at": lookups.stamp,
    }
    store.insert(request.db, "events", columns)
    if not intake.status.startswith(FAILED):
        if intake.entries:
            number = request.db.execute("select last_insert_rowid()").fetchone()[0]
            event_at = number, intake.stamp
            if feature_uses.keep(request, event_at, intake.entries, intake.takings):
                lookups.late.add(intake.entries)
        request.effect("event", reference_id, intake.event_id)
    return intake


def _process(lookups: Lookups, intake: Intake, *, entitled: bool) -> None:
    request = lookups.request
    if intake.event["schemaName"] == named_licences.SCHEMA:
        _apply_to_named_licence(lookups, intake)
        return
    schema = _schema(lookups, intake)
    _identify(lookups, intake, schema.id_template)
    account = _account(lookups, intake)
    _check_attributes(intake.event, schema)
    plans = lookups.schedules(account["id"]).at(intake.moment, intake.stamp)
    if plans and all(plan.grace_ends <= request.now for plan in plans):
        ended = max(plan.grace_ends for plan in plans)
        raise Rejected(TOO_LATE, f"The cycle's grace period ended at {clock.written(ended)}")
    try:
        results = readings(lookups, _enriched(lookups, intake, schema, account))
    except LogicError as error:
        raise Rejected(FAILED, f"A usage meter cannot be computed: {error}") from error
    _use_credits(lookups, intake, account, entitled=entitled)
    _conclude(lookups, intake, account["id"], results, plans)


def _apply_to_named_licence(lookups: Lookups, intake: Intake) -> None:
    _identify(lookups, intake, None)
    account = _account(lookups, intake)
    try:
        priced = named_licences.apply_event(lookups.request, account["id"], intake.event)
    except named_licences.InvalidNamedLicence as error:
        raise Rejected(BAD_LICENCE, str(error)) from error
    intake.status = METERED if priced else NOT_METERED
    intake.description = "The event changed who holds a named licence"


def _schema(lookups: Lookups, intake: Intake) -> Schema:
    name = intake.event["schemaName"]
    schema = lookups.schema(name)
    if schema is None:
        raise Rejected(NO_SCHEMA, f"There is no active event schema {name}")
    intake.pipeline["eventSchema"] = {"name": name, "version": schema.version}
    return schema


def _identify(lookups: Lookups, intake: Intake, template: str | None) -> None:
    """Find the event's id, and refuse one that was counted under this id already."""
    if intake.event_id is None and template:
        intake.event_id = _from_template(template, intake.event)
    if intake.event_id is None:
        raise Rejected(NO_ID, "The event has no id and its schema has no id template")
    # Ours: what failed or was taken back is not counted, so its id is free for another event.
    earlier = lookups.request.db.execute(
        "select created_at from events where event_id = ? and created_at > ?"
        " and status not like 'INGESTION_FAILED%' and status <> 'REVERTED' limit 1",
        (intake.event_id, lookups.remembered_since),
    ).fetchone()
    if earlier:
        message = f"An event with id {intake.event_id} arrived at {earlier['created_at']}"
        raise Rejected(DUPLICATE, message)


def _from_template(template: str, event: Mapping[str, Any]) -> str:
    attributes = {entry["name"]: entry["value"] for entry in event["attributes"]}

    def value(match: re.Match[str]) -> str:
        group, _, name = match[1].partition(".")
        parts = {"dimensions": event["dimensions"], "attributes": attributes}
        found = parts[group].get(name) if group in parts else event[group]
        if found is None:
            raise Rejected(NO_ID, f"The id template needs {match[1]}, which the event lacks")
        return str(found)

    return event_schemas.PLACEHOLDER.sub(value, template)


def _account(lookups: Lookups, intake: Intake) -> Row:
    reference = intake.event["accountId"]
    account = lookups.account(reference, intake.stamp)
    if account is None or account["status"] == "ARCHIVED":
        raise Rejected(NO_ACCOUNT, f"There is no account {reference}")
    intake.account = account
    owner = lookups.customer(account["customer_id"])
    intake.pipeline["account"] = {"id": account["id"], "name": account["name"]}
    if account["id"] != reference:
        intake.pipeline["account"]["alias"] = reference
    intake.pipeline["customer"] = {"id": owner["id"], "name": owner["name"]}
    return account


def _check_attributes(event: Mapping[str, Any], schema: Schema) -> None:
    units, seen = schema.units, set()
    for attribute in event["attributes"]:
        name, unit = attribute["name"], attribute.get("unit")
        if name not in units:
            raise Rejected(BAD_UNITS, f"{name} is not an attribute of the schema")
        if unit is not None and units[name] is not None and unit != units[name]:
            raise Rejected(BAD_UNITS, f"{name} is in {units[name]}, not in {unit}")
        if name in seen:
            raise Rejected(BAD_UNITS, f"{name} is there twice")
        seen.add(name)


def _enriched(lookups: Lookups, intake: Intake, schema: Schema, account: Row) -> Mapping[str, Any]:
    """The event with what its schema adds; as sent it stays in the list."""
    if schema.enrichments is None:
        return intake.event
    try:
        found = event_enrichments.enrich(lookups.request, schema.enrichments, intake.event, account)
    except event_enrichments.NotEnriched as error:
        raise Rejected(NOT_ENRICHED, str(error)) from error
    intake.pipeline["enrichments"] = found.shown()
    return found.added_to(intake.event)


def _use_credits(lookups: Lookups, intake: Intake, account: Row, *, entitled: bool) -> None:
    request, fed = lookups.request, lookups.feature(intake.event["schemaName"])
    if fed is None:
        if entitled:
            raise Rejected(FAILED, "No feature is fed by events of this schema")
        return
    attributes = {entry["name"]: entry["value"] for entry in intake.event["attributes"]}
    if fed["attribute_name"] not in attributes:
        if entitled:
            raise Rejected(BAD_UNITS, f"The attribute {fed['attribute_name']} is missing")
        return
    amount = money.exact(attributes[fed["attribute_name"]])
    if not sizes.is_usual(amount):
        raise Rejected(BAD_UNITS, f"{fed['attribute_name']} {sizes.TOO_LONG}")
    entries = entitlements.in_effect(request, account["id"], fed["feature_id"], intake.stamp)
    allowed = entitlements.room(entries)
    if entitled and allowed is not None and amount > allowed:
        message = f"{money.plain(amount)} asked for, {money.plain(allowed)} left"
        raise Rejected(NO_CREDITS, message)
    intake.entries = entries
    intake.takings = feature_uses.take(entries, max(amount, Decimal(0)))
    intake.pipeline["featureDetails"] = {
        "featureId": fed["feature_id"],
        "mappedAttribute": fed["attribute_name"],
        "overageInEvent": feature_uses.overage(entries, intake.takings),
    }


def _conclude(
    lookups: Lookups, intake: Intake, account_id: str, results: list[Reading], plans: list[Running]
) -> None:
    intake.pipeline["usageMeters"] = [reading.shown() for reading in results]
    priced = event_usage.count(lookups, account_id, results, plans)
    intake.pipeline["pricePlans"] = priced
    if all(reading.units is None for reading in results):
        intake.status, intake.description = NO_METERS, "No active usage meter counts this event"
    elif priced:
        intake.status, intake.description = METERED, "The event is counted and priced"
    else:
        intake.status = NOT_METERED
        intake.description = "No price plan of the account prices this event"
