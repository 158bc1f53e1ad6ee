"""Usage record reports: what Suger told the cloud marketplaces, and what they answered."""

from typing import Any, ClassVar

from billing_mcp.declarations import READ, Toolset
from billing_mcp.params import Day, Limit, Offset, OrgId
from billing_mcp.results import Exact, OffsetPage, Result
from billing_mcp.tools.suger.usage_record_groups import BuyerId, Marketplace, require_days_in_order
from billing_mcp.tools.suger.usage_records import EntitlementId
from billing_mcp.upstream import Suger

toolset = Toolset("suger-metering")


class ReportInfo(Result):
    status: str | None = None
    message: str | None = None
    startTime: str | None = None
    endTime: str | None = None
    usageRecordGroupIds: list[str] | None = None
    reportedRecords: dict[str, Exact] | None = None
    includedRecords: dict[str, Exact] | None = None
    creditRecords: dict[str, Exact] | None = None
    dimensionUnitPrice: dict[str, Exact] | None = None
    dimensionUnitListPrice: dict[str, Exact] | None = None
    decimalParts: dict[str, Exact] | None = None
    newDecimalParts: dict[str, Exact] | None = None
    commitAmount: Exact | None = None
    usedCommitAmount: Exact | None = None
    usedCommitAmountIncrement: Exact | None = None
    creditAmount: Exact | None = None
    usedCreditAmount: Exact | None = None
    usedCreditAmountIncrement: Exact | None = None
    aggregatedBillableRecords: list[dict[str, Any]] | None = None


class UsageRecordReport(Result):
    concise: ClassVar[tuple[str, ...]] = (
        "id",
        "entitlementID",
        "partner",
        "buyerID",
        "creationTime",
        "info.status",
        "info.message",
        "info.startTime",
        "info.endTime",
        "info.reportedRecords",
        "info.includedRecords",
    )

    id: str
    organizationID: str | None = None
    entitlementID: str | None = None
    entitlementTermID: str | None = None
    buyerID: str | None = None
    productID: str | None = None
    partner: str | None = None
    creationTime: str | None = None
    info: ReportInfo | None = None


@toolset.tool(READ, "GET /org/{orgId}/usageRecordReport")
async def list_usagerecordreports(
    suger: Suger,
    orgId: OrgId = None,
    partner: Marketplace | None = None,
    buyerId: BuyerId | None = None,
    entitlementId: EntitlementId | None = None,
    startDate: Day | None = None,
    endDate: Day | None = None,
    limit: Limit = None,
    offset: Offset = None,
) -> OffsetPage[UsageRecordReport]:
    """List the hourly reports to the marketplaces and their outcome; default the last 30 days."""
    require_days_in_order(startDate, endDate)
    return await suger.fetch(
        OffsetPage[UsageRecordReport],
        at={"orgId": suger.org(orgId)},
        query={
            "partner": partner,
            "buyerId": buyerId,
            "entitlementId": entitlementId,
            "startDate": startDate,
            "endDate": endDate,
            "limit": limit,
            "offset": offset,
        },
    )
