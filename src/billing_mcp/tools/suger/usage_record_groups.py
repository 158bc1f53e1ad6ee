"""Usage record groups: usage of an entitlement on its way to the cloud marketplace."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import CHECK, CREATE, DELETE, READ, Toolset, Write
from billing_mcp.params import Day, Limit, Name, Offset, OrgId, one_filter
from billing_mcp.results import OffsetPage, Page, Result
from billing_mcp.tools.suger import usage_record_lookups as lookups
from billing_mcp.tools.suger import usage_record_previews as previews
from billing_mcp.tools.suger.usage_records import (
    PLAIN_TEXT,
    EntitlementId,
    NewUsageRecordGroup,
    ReportedUsage,
    UsageRecordGroup,
    same_usage,
)
from billing_mcp.upstream import Answer, Suger

toolset = Toolset("suger-metering")

LARGEST_BATCH = 1000

Marketplace = Literal["AWS", "AZURE", "GCP"]
GroupStatus = Literal[
    "CREATED", "REPORTED", "REPORT_PENDING", "REPORT_FAILED", "INVALID", "DELETED"
]
Source = Literal["API", "INTERNAL", "LAGO", "METRONOME", "ORB", "STRIPE"]
BuyerId = EntitlementId
GroupId = Annotated[Name, Field(min_length=1, max_length=36), PLAIN_TEXT]
CreationDate = Day | None


Batch = Annotated[list[NewUsageRecordGroup], Field(min_length=1, max_length=LARGEST_BATCH)]


class BatchedGroup(UsageRecordGroup):
    """A group of a batch: the caller has just sent its usage and need not read it again."""

    concise: ClassVar[tuple[str, ...]] = ("id", "entitlementID", "status")


class BatchedGroups(Page[BatchedGroup]):
    """The groups that a batch made, in its order."""

    def cut(self, rows: int, arguments: Mapping[str, Any], owner: str) -> Self:
        # A write cannot be asked again for its other rows, whatever its arguments.
        _ = arguments, owner
        note = (
            f"{len(self.data)} groups were reported; the first {rows} are shown. "
            "list-usagerecordgroups lists the others."
        )
        return self.model_copy(update={"data": self.data[:rows], "note": note})


class Validation(Result):
    valid: bool
    reason: str | None = None


def require_days_in_order(start: date | None, end: date | None) -> None:
    """Raises `InvalidRequest` when the first day of a window lies after its last."""
    if start is not None and end is not None and start > end:
        raise errors.InvalidRequest(
            "startDate is after endDate; nothing was sent.",
            field="startDate",
            next_step="Give a startDate on or before endDate.",
        )


@toolset.tool(READ, lookups.LIST_ROUTE)
async def list_usagerecordgroups(
    suger: Suger,
    orgId: OrgId = None,
    partner: Marketplace | None = None,
    buyerId: BuyerId | None = None,
    entitlementId: EntitlementId | None = None,
    status: GroupStatus | None = None,
    source: Source | None = None,
    metaInfo: Annotated[Name, Field(min_length=1, max_length=2000), PLAIN_TEXT] | None = None,
    startDate: Day | None = None,
    endDate: Day | None = None,
    limit: Limit = None,
    offset: Offset = None,
) -> OffsetPage[UsageRecordGroup]:
    """List usage and whether it reached the marketplace; default the last 30 days. Give one of
    partner, buyerId, entitlementId at most."""
    one_filter(partner=partner, buyerId=buyerId, entitlementId=entitlementId)
    require_days_in_order(startDate, endDate)
    return await suger.fetch(
        OffsetPage[UsageRecordGroup],
        at={"orgId": suger.org(orgId)},
        query={
            "partner": partner,
            "buyerId": buyerId,
            "entitlementId": entitlementId,
            "status": status,
            "source": source,
            "metaInfo": metaInfo,
            "startDate": startDate,
            "endDate": endDate,
            "limit": limit,
            "offset": offset,
        },
    )


@toolset.tool(
    CREATE,
    "POST /org/{orgId}/entitlement/{entitlementId}/usageRecordGroup",
    write=Write(
        find_out="list-usagerecordgroups of the entitlement shows whether the group is there",
        reconcile=lookups.reported,
        preview=previews.would_report,
        stake=previews.nobody_known,
        key="id",
        target="entitlementId",
        own_id=lambda given: given["body"].id,
    ),
)
async def report_usagerecordgroup(
    suger: Suger, entitlementId: EntitlementId, body: ReportedUsage, orgId: OrgId = None
) -> UsageRecordGroup:
    """Report usage of an entitlement. The next hourly report bills it; until then
    delete-usagerecordgroup takes it back."""
    org = suger.org(orgId)
    previews.require_no_contradiction(suger, body, org, entitlementId)
    answer = await suger.send(
        at={"orgId": org, "entitlementId": entitlementId},
        body={
            "id": suger.operation_id,
            "organizationID": org,
            "entitlementID": entitlementId,
            **body.wire(),
        },
        accept=(409,),
    )
    if answer.status == 409:
        return await _reported_before(suger, org, entitlementId, body, answer)
    return suger.read(UsageRecordGroup, answer)


@toolset.tool(CHECK, previews.VALIDATE_ROUTE)
async def batch_validate_usagerecordgroups(
    suger: Suger, body: Batch, orgId: OrgId = None
) -> Validation:
    """Check a batch of usage without reporting it."""
    reason = await previews.what_validation_finds(suger, suger.org(orgId), body)
    return Validation(valid=reason is None, reason=reason)


@toolset.tool(
    CREATE,
    "POST /org/{orgId}/batchCreateUsageRecordGroups",
    write=Write(
        find_out="list-usagerecordgroups of each entitlement shows which groups are there",
        reconcile=lookups.batch_reported,
        preview=previews.would_report_batch,
        stake=previews.nobody_known,
        target="body",
        is_partial=lambda result: result.note is not None,
    ),
)
async def batch_report_usagerecordgroups(
    suger: Suger, body: Batch, orgId: OrgId = None
) -> BatchedGroups:
    """Report a batch of usage, which nothing dedupes: send it once, after
    batch-validate-usagerecordgroups."""
    answer = await suger.send(at={"orgId": suger.org(orgId)}, body=[group.wire() for group in body])
    groups = suger.read(list[BatchedGroup], answer)
    note = None
    if len(groups) != len(body):
        note = (
            f"Suger answered with {len(groups)} groups for the {len(body)} sent; "
            "list-usagerecordgroups shows which are there."
        )
    return BatchedGroups(data=groups, note=note)


@toolset.tool(
    CREATE,
    "POST /org/{orgId}/usageRecordGroup/{usageRecordGroupId}/retry",
    write=Write(
        find_out="list-usagerecordgroups shows its status, CREATED once it was retried",
        reconcile=lookups.retried,
        preview=previews.would_retry,
        stake=previews.nobody_known,
        target="usageRecordGroupId",
    ),
)
async def retry_usagerecordgroup(
    suger: Suger,
    usageRecordGroupId: GroupId,
    creationDate: CreationDate = None,
    orgId: OrgId = None,
) -> UsageRecordGroup:
    """Put a REPORT_FAILED group into the next hourly report."""
    return await suger.fetch(
        UsageRecordGroup,
        at={"orgId": suger.org(orgId), "usageRecordGroupId": usageRecordGroupId},
        query={"creationDate": creationDate},
    )


@toolset.tool(
    DELETE,
    "DELETE /org/{orgId}/usageRecordGroup/{usageRecordGroupId}",
    write=Write(
        find_out="list-usagerecordgroups shows its status, DELETED once it was deleted",
        reconcile=lookups.deleted,
        preview=previews.would_delete,
        stake=previews.nobody_known,
        target="usageRecordGroupId",
    ),
)
async def delete_usagerecordgroup(
    suger: Suger,
    usageRecordGroupId: GroupId,
    creationDate: CreationDate = None,
    orgId: OrgId = None,
) -> UsageRecordGroup:
    """Take back usage not yet reported (status CREATED or INVALID)."""
    return await suger.fetch(
        UsageRecordGroup,
        at={"orgId": suger.org(orgId), "usageRecordGroupId": usageRecordGroupId},
        query={"creationDate": creationDate},
    )


async def _reported_before(
    suger: Suger, org: str, entitlement_id: str, body: ReportedUsage, refused: Answer
) -> UsageRecordGroup:
    """The group that holds this id, if it is the usage asked for now.

    Raises `Conflict` if it is not, and `OutcomeUnknown` if that cannot be seen.
    """
    if not suger.operation_given and refused.attempts == 1:
        raise suger.refusal(refused)
    already = f"Usage record group {suger.operation_id} was already reported"
    anew = "To report other usage, leave operationId and body.id out."
    try:
        group = await lookups.group_of_entitlement(suger, org, entitlement_id)
    except errors.BillingError as error:
        # Most likely by an earlier try of this call: to refuse it would be to deny what was done.
        raise errors.OutcomeUnknown(
            f"{already}, but it could not be read back to compare it: {error.message}",
            retry_after_seconds=error.retry_after_seconds,
            next_step=f"Call again with operationId {suger.operation_id}: nothing is billed twice.",
        ) from error
    if group is None:
        raise errors.Conflict(
            f"{already}, yet not to entitlement {entitlement_id} in the last 30 days; nothing was "
            "reported now.",
            field="operationId",
            next_step=anew,
        )
    if group.status == "DELETED":
        raise errors.Conflict(
            f"{already} and deleted since; its id stays taken and nothing was reported now.",
            field="operationId",
            next_step="To report it again, leave operationId and body.id out.",
        )
    if not same_usage(body, group):
        raise errors.Conflict(
            f"{already} with other usage or another timestamp; nothing was reported now.",
            field="operationId",
            next_step=anew,
        )
    suger.mark_replayed()
    return group
