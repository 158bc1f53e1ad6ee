"""Suger usage record reports: what was told to the marketplaces, as it can be listed."""

from collections.abc import Mapping
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox.call import Call, Reply
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.suger import paging
from billing_mcp.sandbox.suger.organization import ORGANIZATION, OrganizationResource

resource = OrganizationResource()


@resource.route("GET", "/org/{orgId}/usageRecordReport")
def list_usage_record_reports(call: Call) -> Reply:
    page = paging.page(call)
    start, end = paging.window(call)
    rows = call.db.execute(
        """
        select r.*, e.buyer_id, e.partner, e.product_id, e.entitlement_term_id
        from suger_usage_record_reports r join suger_entitlements e on e.id = r.entitlement_id
        where r.creation_time between :start and :end
          and (:partner is null or e.partner = :partner)
          and (:buyerId is null or e.buyer_id = :buyerId)
          and (:entitlementId is null or r.entitlement_id = :entitlementId)
        order by r.creation_time desc, r.serial desc limit :reach offset :offset
        """,
        paging.filters(call, "buyerId", "entitlementId")
        | {
            "partner": paging.choice(call, "partner", paging.MARKETPLACES),
            "start": start,
            "end": end,
            "reach": page.reach,
            "offset": page.offset,
        },
    )
    reports = [render(row) for row in rows]
    return Reply({"usageRecordReports": reports[: page.limit], **page.next_offset(len(reports))})


def insert_report(call: Call, entitlement_id: str, info: Mapping[str, Any]) -> str:
    """Keep a report that the hourly job made. Gives back its id."""
    report_id = call.new_uuid()
    call.db.execute(
        "insert into suger_usage_record_reports (id, entitlement_id, creation_time, info)"
        " values (?, ?, ?, ?)",
        (report_id, entitlement_id, call.stamp, money.to_json(info).decode()),
    )
    return report_id


def render(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "organizationID": ORGANIZATION,
        "partner": row["partner"],
        "productID": row["product_id"],
        "buyerID": row["buyer_id"],
        "entitlementID": row["entitlement_id"],
        "entitlementTermID": row["entitlement_term_id"],
        "creationTime": row["creation_time"],
        "info": money.from_json(row["info"]),
    }
