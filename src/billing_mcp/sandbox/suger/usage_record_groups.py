"""Suger usage record groups: reporting, validating, listing, deleting, retrying."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.marketplace import add
from billing_mcp.sandbox import clock
from billing_mcp.sandbox.call import Call, Refusal, Reply, day
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.suger import paging, usage_records
from billing_mcp.sandbox.suger.entitlements import Entitlement
from billing_mcp.sandbox.suger.entitlements import find as find_entitlement
from billing_mcp.sandbox.suger.metering_config import MeteringConfig, config_for
from billing_mcp.sandbox.suger.organization import ORGANIZATION, OrganizationResource
from billing_mcp.sandbox.suger.usage_records import NewGroup

resource = OrganizationResource()

LARGEST_BATCH = 1000
STATUSES = ("CREATED", "DELETED", "INVALID", "REPORTED", "REPORT_PENDING", "REPORT_FAILED")
SOURCES = ("", "API", "INTERNAL", "LAGO", "METRONOME", "ORB", "STRIPE")
_DELETABLE = ("CREATED", "INVALID")


@resource.route("POST", "/org/{orgId}/entitlement/{entitlementId}/usageRecordGroup")
def report_usage_record_group(call: Call) -> Reply:
    group = usage_records.read(call.body)
    if group.organization_id is None:
        raise Refusal(400, "organizationID is required")
    if group.organization_id != call.path["orgId"]:
        raise Refusal(400, "organizationID must be the organization of the path")
    if group.entitlement_id != call.path["entitlementId"]:
        raise Refusal(400, "entitlementID must be the entitlement of the path")
    taken = "select 1 from suger_usage_record_groups where id = ?"
    if group.id is not None and call.db.execute(taken, (group.id,)).fetchone():
        raise Refusal(409, f"usage record group {group.id} already exists")
    entitlement = find_entitlement(call.db, group.entitlement_id)
    config = config_for(call.db, entitlement.partner)
    if problem := usage_records.problem(call.db, group, entitlement, config):
        raise Refusal(400, problem)
    return Reply(_report(call, group, entitlement, config))


@resource.route("POST", "/org/{orgId}/batchCreateUsageRecordGroups")
def batch_report_usage_record_groups(call: Call) -> Reply:
    """All or nothing: the first bad group refuses the batch, naming its index."""
    reported = []
    for index, group in enumerate(_batch(call)):
        try:
            entitlement, config = _judged(call, group)
        except Refusal as refusal:
            raise Refusal(400, f"usage record group [{index}]: {refusal.message}") from refusal
        reported.append(_report(call, group, entitlement, config))
    return Reply(reported)


@resource.route("POST", "/org/{orgId}/batchValidateUsageRecordGroups")
def batch_validate_usage_record_groups(call: Call) -> Reply:
    for index, group in enumerate(_batch(call)):
        try:
            _judged(call, group)
        except Refusal as refusal:
            # 500 is what the vendor documents for a validation that found something.
            raise Refusal(
                500, f"validation failed for usage record group [{index}]: {refusal.message}"
            ) from refusal
    return Reply("")


def _batch(call: Call) -> list[NewGroup]:
    """The groups of a batch, which have no id of their own: none is deduplicated."""
    if not isinstance(call.body, list) or not 1 <= len(call.body) <= LARGEST_BATCH:
        raise Refusal(400, f"the body must be a list of 1 to {LARGEST_BATCH} usage record groups")
    return [usage_records.read(item, f"[{index}].") for index, item in enumerate(call.body)]


def _judged(call: Call, group: NewGroup) -> tuple[Entitlement, MeteringConfig]:
    entitlement = find_entitlement(call.db, group.entitlement_id)
    config = config_for(call.db, entitlement.partner)
    if problem := usage_records.problem(call.db, group, entitlement, config):
        raise Refusal(400, problem)
    return entitlement, config


def _report(
    call: Call, group: NewGroup, entitlement: Entitlement, config: MeteringConfig
) -> dict[str, Any]:
    records: dict[str, Decimal] = {}
    for key, quantity in config.mapped(group.records, entitlement.unit_prices()):
        add(records, {key: quantity})
    group_id = group.id or call.new_uuid()
    _insert(call, group_id, group, records, source="API", skip_validation=False)
    call.effect("usage-record-group.reported", group_id, group.id)
    return render(_row(call, group_id))


def insert_usage_record_group(
    call: Call, *, entitlement_id: str, records: Mapping[str, Decimal], source: str
) -> str:
    """Usage that another billing system pushed, which the API cannot do. Gives back its id.

    It comes unvalidated, so that the hourly job may find it INVALID.
    """
    group = NewGroup(None, None, entitlement_id, records, (), None)
    group_id = call.new_uuid()
    _insert(call, group_id, group, records, source=source, skip_validation=True)
    return group_id


def _insert(
    call: Call,
    group_id: str,
    group: NewGroup,
    records: Mapping[str, Decimal],
    *,
    source: str,
    skip_validation: bool,
) -> None:
    call.db.execute(
        """
        insert into suger_usage_record_groups
          (id, entitlement_id, status, records, origin_records, billable_records, source,
           skip_validation, usage_time, creation_time, last_update_time)
        values (?, ?, 'CREATED', ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            *(group_id, group.entitlement_id),
            money.to_json(records).decode(),
            money.to_json(group.records).decode(),
            money.to_json(group.billable_records).decode(),
            *(source, skip_validation),
            call.stamp if group.time is None else clock.written(group.time),
            *(call.stamp, call.stamp),
        ),
    )


@resource.route("GET", "/org/{orgId}/usageRecordGroup")
def list_usage_record_groups(call: Call) -> Reply:
    partner = paging.choice(call, "partner", paging.MARKETPLACES)
    wanted = paging.filters(call, "buyerId", "entitlementId") | {
        "partner": partner,
        "status": paging.choice(call, "status", STATUSES),
        "source": paging.choice(call, "source", SOURCES) or None,
    }
    given = [name for name in ("partner", "buyerId", "entitlementId") if wanted[name] is not None]
    if len(given) > 1:
        raise Refusal(400, f"give only one of {', '.join(given)}")
    page = paging.page(call)
    start, end = paging.window(call)
    meta_info = _meta_info_filter(call)
    rows = call.db.execute(
        """
        select g.*, e.buyer_id, e.partner
        from suger_usage_record_groups g join suger_entitlements e on e.id = g.entitlement_id
        where g.creation_time between :start and :end
          and (:partner is null or e.partner = :partner)
          and (:buyerId is null or e.buyer_id = :buyerId)
          and (:entitlementId is null or g.entitlement_id = :entitlementId)
          and (:status is null or g.status = :status)
          and (:source is null or g.source = :source)
        order by g.creation_time desc, g.serial desc limit :limit offset :offset
        """,
        wanted
        | {"start": start, "end": end}
        # A filter on metaInfo is applied here, to what the database has found.
        | (
            {"limit": -1, "offset": 0}
            if meta_info
            else {"limit": page.reach, "offset": page.offset}
        ),
    )
    groups = [render(row) for row in rows]
    if meta_info:
        fitting = [group for group in groups if meta_info.items() <= group["metaInfo"].items()]
        groups = fitting[page.offset : page.offset + page.reach]
    return Reply({"usageRecordGroups": groups[: page.limit], **page.next_offset(len(groups))})


def _meta_info_filter(call: Call) -> dict[str, Any]:
    """The vendor leaves the format of `metaInfo` open; here it is a JSON object, a subset."""
    sent = call.query.get("metaInfo", "")
    if not sent:
        return {}
    try:
        wanted = money.from_json(sent)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        raise Refusal(400, 'metaInfo must be a JSON object such as {"source":"API"}')
    return wanted


@resource.route("DELETE", "/org/{orgId}/usageRecordGroup/{usageRecordGroupId}")
def delete_usage_record_group(call: Call) -> Reply:
    row = _named(call)
    if row["status"] not in _DELETABLE:
        raise Refusal(
            400,
            f"usage record group {row['id']} is {row['status']};"
            f" only {' or '.join(_DELETABLE)} can be deleted",
        )
    _set_status(call, row["id"], "DELETED")
    call.effect("usage-record-group.deleted", row["id"])
    return Reply(render(_row(call, row["id"])))


@resource.route("POST", "/org/{orgId}/usageRecordGroup/{usageRecordGroupId}/retry")
def retry_usage_record_group(call: Call) -> Reply:
    row = _named(call)
    if row["status"] != "REPORT_FAILED":
        raise Refusal(
            400,
            f"usage record group {row['id']} is {row['status']}; only REPORT_FAILED can be retried",
        )
    _set_status(call, row["id"], "CREATED")
    call.effect("usage-record-group.retried", row["id"])
    return Reply(render(_row(call, row["id"])))


def _named(call: Call) -> Row:
    """The group of the path, created on `creationDate` if that is given. Refuses with 404."""
    group_id = call.path["usageRecordGroupId"]
    created = day(call.query, "creationDate", default=None)
    row = _row(call, group_id)
    if created is not None and not row["creation_time"].startswith(created.isoformat()):
        raise Refusal(404, f"usage record group {group_id} was not created on {created}")
    return row


def _set_status(call: Call, group_id: str, status: str) -> None:
    call.db.execute(
        "update suger_usage_record_groups set status = ?, last_update_time = ?, report_id = null"
        " where id = ?",
        (status, call.stamp, group_id),
    )


def _row(call: Call, group_id: str) -> Row:
    row: Row | None = call.db.execute(
        """
        select g.*, e.buyer_id, e.partner
        from suger_usage_record_groups g join suger_entitlements e on e.id = g.entitlement_id
        where g.id = ?
        """,
        (group_id,),
    ).fetchone()
    if row is None:
        raise Refusal(404, f"usage record group {group_id} not found")
    return row


def render(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "serialID": row["serial"],
        "organizationID": ORGANIZATION,
        "entitlementID": row["entitlement_id"],
        "buyerID": row["buyer_id"],
        "partner": row["partner"],
        "status": row["status"],
        "records": money.from_json(row["records"]),
        "metaInfo": {
            "source": row["source"],
            "SkipValidation": bool(row["skip_validation"]),
            "timestamp": row["usage_time"],
            "originRecords": money.from_json(row["origin_records"]),
            "billableRecords": money.from_json(row["billable_records"]),
        },
        "creationTime": row["creation_time"],
        "lastUpdateTime": row["last_update_time"],
        "reportedTime": row["reported_time"],
        "usageRecordReportID": row["report_id"] or "",
    }
