"""What reporting usage, and putting it back or taking it back, would do: found out by reading."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from pydantic import RootModel

from billing_mcp import errors, money
from billing_mcp.declarations import Effect, Stake
from billing_mcp.results import values
from billing_mcp.tools import wording
from billing_mcp.tools.suger import usage_record_lookups as lookups
from billing_mcp.tools.suger.usage_records import (
    NewUsageRecordGroup,
    ReportedUsage,
    Usage,
    UsageRecordGroup,
)
from billing_mcp.upstream import Suger
from billing_mcp.wire import utc_text

VALIDATE_ROUTE = "POST /org/{orgId}/batchValidateUsageRecordGroups"
# Entitlements whose sums a plan tells; a batch has at most a thousand.
MOST_TOLD = 50
_UNTIL_REPORTED = "until the next hourly report"
_MONEY = "What it costs is up to the entitlement and the marketplace."


class NothingFound(RootModel[Literal[""]]):
    """The vendor's answer when its validation found nothing wrong."""


async def nobody_known(_: Suger, __: Mapping[str, Any]) -> Stake:
    """Whose an entitlement is, none of the vendor's operations here tells before it has usage.

    A group shows a `buyerID`, but a buyer is not a customer or account as policies name them:
    harbor-labs may be buyer-17 here. To answer with that id would say that it is not harbor-labs.
    """
    return Stake(None)


async def what_validation_finds(
    suger: Suger, org: str, batch: Sequence[NewUsageRecordGroup]
) -> str | None:
    """What the vendor finds wrong with the usage, in its words; None when it is right."""
    answer = await suger.send(
        route=VALIDATE_ROUTE,
        at={"orgId": org},
        body=[group.wire() for group in batch],
        accept=(500,),
    )
    # The vendor documents a text with status 500 as what its validation found: no outage, and
    # asking again would find the same.
    if answer.status == 500:
        if isinstance(answer.body, str) and answer.body.strip():
            return errors.one_line(answer.body)
        raise suger.refusal(answer)
    suger.read(NothingFound, answer)
    return None


def require_no_contradiction(
    suger: Suger, body: ReportedUsage, org: str, entitlement_id: str
) -> None:
    """What the body repeats must be what the arguments say. Raises `InvalidRequest`."""
    for field, name, repeated, meant in (
        ("organizationID", "orgId", body.organizationID, org),
        ("entitlementID", "entitlementId", body.entitlementID, entitlement_id),
    ):
        if repeated is not None and repeated != meant:
            raise errors.InvalidRequest(
                f"body.{field} is not the organisation or entitlement of {name}; nothing was sent.",
                field=f"body.{field}",
                next_step=f"Leave body.{field} out: {name} says it.",
            )
    # Without an operationId beside it, body.id is the operation's id.
    if body.id is not None and body.id != suger.operation_id:
        raise errors.InvalidRequest(
            "body.id and operationId differ, and either would be the group's id; nothing was sent.",
            field="body.id",
            next_step="Give only one of them.",
        )


async def would_report(suger: Suger, asked: Mapping[str, Any]) -> Effect:
    org, entitlement_id = suger.org(asked["orgId"]), asked["entitlementId"]
    body: ReportedUsage = asked["body"]
    require_no_contradiction(suger, body, org, entitlement_id)
    await _require_valid(suger, org, [_as_new(body, entitlement_id)])
    if suger.operation_given or body.id is not None:
        await _require_free_id(suger, org, entitlement_id)
    when = "as of now" if body.timestamp is None else f"of {utc_text(body.timestamp)}"
    return Effect(
        f"Reports usage {when} of entitlement {wording.identified(entitlement_id)}: "
        f"{_in_words([body])}. The next hourly report bills it. {_MONEY}",
        after={"status": "CREATED", **_in_numbers([body])},
        undo=f"delete-usagerecordgroup of {suger.operation_id}, {_UNTIL_REPORTED}.",
    )


def _as_new(body: ReportedUsage, entitlement_id: str) -> NewUsageRecordGroup:
    """The usage as the vendor's validation takes it. It was checked when it came in."""
    return NewUsageRecordGroup.model_construct(
        entitlementID=entitlement_id,
        records=body.records,
        billableRecords=body.billableRecords,
        timestamp=body.timestamp,
    )


async def _require_valid(suger: Suger, org: str, batch: Sequence[NewUsageRecordGroup]) -> None:
    reason = await what_validation_finds(suger, org, batch)
    if reason is not None:
        raise errors.InvalidRequest(
            f"Suger's validation refuses this usage: {wording.quoted(reason)}.",
            field="body",
            next_step="Correct the usage and call again; nothing was reported.",
        )


async def _require_free_id(suger: Suger, org: str, entitlement_id: str) -> None:
    group = await lookups.group_of_entitlement(suger, org, entitlement_id)
    if group is not None:
        raise errors.Conflict(
            f"Usage record group {suger.operation_id} was already reported; it is "
            f"{wording.identified(group.status or 'there')}.",
            field="operationId",
            next_step="To report other usage, leave operationId and body.id out.",
        )


async def would_report_batch(suger: Suger, asked: Mapping[str, Any]) -> Effect:
    body: Sequence[NewUsageRecordGroup] = asked["body"]
    await _require_valid(suger, suger.org(asked["orgId"]), body)
    of_entitlement: dict[str, list[NewUsageRecordGroup]] = {}
    for group in body:
        of_entitlement.setdefault(group.entitlementID, []).append(group)
    parts = [
        f"{len(groups)} of entitlement {wording.identified(entitlement_id)} ({_in_words(groups)})"
        for entitlement_id, groups in of_entitlement.items()
    ]
    told = list(of_entitlement.items())[:MOST_TOLD]
    return Effect(
        f"Reports {wording.counted(len(body), 'usage record group')}: {wording.listed(parts)}. "
        "Nothing dedupes them: usage that was reported before is billed again. The next hourly "
        f"report bills them. {_MONEY}",
        after={
            "groups": len(body),
            "entitlements": len(of_entitlement),
            "byEntitlement": {
                entitlement_id: {"groups": len(groups), **_in_numbers(groups)}
                for entitlement_id, groups in told
            },
        },
        undo=f"delete-usagerecordgroup of each of them, {_UNTIL_REPORTED}; the answer shows the "
        "ids.",
    )


async def would_retry(suger: Suger, asked: Mapping[str, Any]) -> Effect:
    group = await _group(suger, asked)
    if group.status != "REPORT_FAILED":
        raise _refused(group, "only REPORT_FAILED can be retried", "REPORT_FAILED")
    return Effect(
        f"Puts {_told(group)} into the next hourly report, which bills it. {_MONEY}",
        *_states(group, "CREATED"),
        f"delete-usagerecordgroup of {wording.identified(group.id)}, {_UNTIL_REPORTED}.",
        {"status": group.status},
    )


async def would_delete(suger: Suger, asked: Mapping[str, Any]) -> Effect:
    group = await _group(suger, asked)
    if group.status not in ("CREATED", "INVALID"):
        raise _refused(group, "only CREATED or INVALID can be deleted", "CREATED")
    return Effect(
        f"Takes back {_told(group)}: it is never billed.",
        *_states(group, "DELETED"),
        "report-usagerecordgroup reports the same usage anew, as another group.",
        {"status": group.status},
    )


async def _group(suger: Suger, asked: Mapping[str, Any]) -> UsageRecordGroup:
    """The vendor finds a group by its id at any age, but shows only those of the days it is asked
    for. Raises `NotFound`."""
    day = asked["creationDate"]
    group = await lookups.named(suger, {**asked, "creationDate": day and day.isoformat()})
    if group is None:
        where = f"on {day}" if day else "in the last 30 days"
        raise errors.NotFound(
            f"No usage record group {wording.identified(asked['usageRecordGroupId'])} was created "
            f"{where}.",
            field="usageRecordGroupId",
            next_step="Check it, and give creationDate, its UTC day; list-usagerecordgroups with "
            "startDate shows older ones.",
        )
    return group


def _refused(group: UsageRecordGroup, rule: str, status: str) -> errors.Conflict:
    return errors.Conflict(
        f"Usage record group {wording.identified(group.id)} is "
        f"{wording.identified(group.status or 'of no status')}; {rule}.",
        field="usageRecordGroupId",
        next_step=f"list-usagerecordgroups with status {status} shows those that can.",
    )


def _told(group: UsageRecordGroup) -> str:
    """`usage record group … (5 of api_calls) of entitlement on-aws (AWS, buyer buyer-aws)`"""
    who = [wording.identified(group.partner)] if group.partner else []
    who += [f"buyer {wording.identified(group.buyerID)}"] if group.buyerID else []
    of_whom = f" ({', '.join(who)})" if who else ""
    billable = group.metaInfo.billableRecords if group.metaInfo else None
    usage = _quantities(group.records or {}) + [
        f"a record of metric {wording.identified(record.key or 'unknown')}"
        for record in billable or ()
    ]
    return (
        f"usage record group {wording.identified(group.id)} "
        f"({wording.listed(usage) or 'without usage'}) of entitlement "
        f"{wording.identified(group.entitlementID or 'unknown')}{of_whom}"
    )


def _states(group: UsageRecordGroup, then: str) -> tuple[dict[str, Any], dict[str, Any]]:
    usage = {"records": values(group).get("records", {})}
    return {"status": group.status, **usage}, {"status": then, **usage}


def _sums(usages: Iterable[Usage]) -> dict[str, Decimal]:
    """Quantities by dimension, added up exactly."""
    parts: dict[str, list[Decimal]] = {}
    for usage in usages:
        for name, quantity in (usage.records or {}).items():
            parts.setdefault(name, []).append(quantity)
    return {name: money.total(quantities) for name, quantities in parts.items()}


def _metrics(usages: Iterable[Usage]) -> dict[str, int]:
    """Records by billable metric. What one adds to the bill is up to the metric's aggregation."""
    counts: dict[str, int] = {}
    for usage in usages:
        for record in usage.billableRecords or ():
            counts[record.key] = counts.get(record.key, 0) + 1
    return counts


def _quantities(records: Mapping[str, Decimal]) -> list[str]:
    return [
        f"{money.plain(quantity)} of {wording.identified(name)}"
        for name, quantity in records.items()
    ]


def _in_words(usages: Sequence[Usage]) -> str:
    by_metric = [
        f"{wording.counted(number, 'record')} of metric {wording.identified(key)}"
        for key, number in _metrics(usages).items()
    ]
    return wording.listed([*_quantities(_sums(usages)), *by_metric])


def _in_numbers(usages: Sequence[Usage]) -> dict[str, Any]:
    return {"records": _sums(usages), "billableRecords": _metrics(usages)}
