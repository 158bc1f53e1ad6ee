"""Usage record groups found again: whether a write whose answer was lost is there."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.declarations import Applied, NotApplied, Undecided, Verdict
from billing_mcp.errors import Unavailable
from billing_mcp.results import OffsetPage, values
from billing_mcp.sameness import holds
from billing_mcp.tools.suger.usage_records import UsageRecordGroup
from billing_mcp.upstream import Suger

LIST_ROUTE = "GET /org/{orgId}/usageRecordGroup"
# Pages that are searched for a group; without days the vendor looks at the last 30.
PAGES_SEARCHED = 10
PAGE = 1000
SHOWN_IDS = 10


async def groups(suger: Suger, org: str, **filters: Any) -> AsyncIterator[UsageRecordGroup]:
    """The groups that fit, newest first. Raises `Unavailable` when there are too many to see."""
    offset = 0
    for _ in range(PAGES_SEARCHED):
        page = await suger.fetch(
            OffsetPage[UsageRecordGroup],
            route=LIST_ROUTE,
            at={"orgId": org},
            query={**filters, "limit": PAGE, "offset": offset},
        )
        for group in page.data:
            yield group
        if not page.nextOffset:
            return
        offset = page.nextOffset
    raise Unavailable(f"There are more than {PAGES_SEARCHED * PAGE} groups to look through.")


async def group_of_entitlement(
    suger: Suger, org: str, entitlement_id: str
) -> UsageRecordGroup | None:
    """The group whose id this operation is, among those of the vendor's default window."""
    wanted = suger.operation_id.lower()
    async for group in groups(suger, org, entitlementId=entitlement_id):
        if group.id.lower() == wanted:
            return group
    return None


async def reported(suger: Suger, asked: Mapping[str, Any]) -> Verdict:
    """The group's id is the operation's, deleted since or not."""
    org, entitlement_id = suger.org(asked.get("orgId")), asked["entitlementId"]
    group = await group_of_entitlement(suger, org, entitlement_id)
    if group is None:
        return NotApplied()
    if _is_of(asked["body"], group):
        return Applied(group)
    return Undecided(
        f"group {group.id} is there with other usage; list-usagerecordgroups of entitlement "
        f"{entitlement_id} shows it"
    )


async def batch_reported(suger: Suger, asked: Mapping[str, Any]) -> Verdict:
    """The vendor keeps no mark of a batch. Where no such usage is there, none of it was reported;
    where some is, it may be of this batch or of another just like it."""
    org = suger.org(asked.get("orgId"))
    seen: list[str] = []
    for entitlement_id in sorted({item["entitlementID"] for item in asked["body"]}):
        items = [item for item in asked["body"] if item["entitlementID"] == entitlement_id]
        found = groups(suger, org, entitlementId=entitlement_id)
        seen += [group.id async for group in found if any(_is_of(item, group) for item in items)]
    if not seen:
        return NotApplied()
    shown = ", ".join(seen[:SHOWN_IDS]) + (" and others" if len(seen) > SHOWN_IDS else "")
    return Undecided(
        f"usage like this batch's was reported in the last 30 days ({shown}), and the vendor does "
        "not say by which batch; compare the creationTime in list-usagerecordgroups with the time "
        "of this operation"
    )


async def retried(suger: Suger, asked: Mapping[str, Any]) -> Verdict:
    group = await named(suger, asked)
    if group is None:
        return _unseen(asked)
    if group.status == "REPORT_FAILED":
        return NotApplied()
    if group.status in ("CREATED", "REPORTED", "REPORT_PENDING"):
        return Applied(group)
    return Undecided(f"group {group.id} is {group.status}, before or after it was retried")


async def deleted(suger: Suger, asked: Mapping[str, Any]) -> Verdict:
    group = await named(suger, asked)
    if group is None:
        return _unseen(asked)
    return Applied(group) if group.status == "DELETED" else NotApplied()


async def named(suger: Suger, asked: Mapping[str, Any]) -> UsageRecordGroup | None:
    """The vendor has no lookup of one group, only its list of a period."""
    day = asked.get("creationDate")
    wanted = asked["usageRecordGroupId"].lower()
    org = suger.org(asked.get("orgId"))
    async for group in groups(suger, org, startDate=day, endDate=day):
        if group.id.lower() == wanted:
            return group
    return None


def _unseen(asked: Mapping[str, Any]) -> Undecided:
    where = asked.get("creationDate") or "the last 30 days"
    return Undecided(
        f"group {asked['usageRecordGroupId']} is not among those of {where}; "
        "list-usagerecordgroups with startDate and endDate shows older ones"
    )


def _is_of(item: Mapping[str, Any], group: UsageRecordGroup) -> bool:
    """Whether a group holds exactly this usage; a dimension mapping keeps the original beside."""
    kept = {} if group.metaInfo is None else values(group.metaInfo)
    if not holds(kept.get("timestamp"), item.get("timestamp") if "timestamp" in kept else None):
        return False
    if item.get("billableRecords"):
        return holds(kept.get("billableRecords"), item["billableRecords"])
    found = kept.get("originRecords") or (values(group).get("records") or {})
    return _nonzero(found) == _nonzero(item.get("records") or {})


def _nonzero(records: Mapping[str, Any]) -> dict[str, Decimal]:
    exact = {name: money.exact(quantity) for name, quantity in records.items()}
    return {name: quantity for name, quantity in exact.items() if quantity}
