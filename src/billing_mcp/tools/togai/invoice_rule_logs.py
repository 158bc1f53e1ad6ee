"""What pricing rules did when an invoice was computed."""

from typing import Any, ClassVar

from billing_mcp.declarations import READ, Toolset
from billing_mcp.results import Exact, Page, Result
from billing_mcp.tools.togai.invoices import InvoiceId
from billing_mcp.upstream import Togai

toolset = Toolset("togai-invoices")


class RuleChanges(Result):
    key: str | None = None
    keyName: str | None = None
    oldRevenue: Exact | None = None
    newRevenue: Exact | None = None
    oldUsage: Exact | None = None
    newUsage: Exact | None = None
    errorMessage: str | None = None


class LoggedRule(Result):
    id: str | None = None
    name: str | None = None


class RuleLog(Result):
    concise: ClassVar = (
        "order",
        "rule.name",
        "type",
        "changes.keyName",
        "changes.oldRevenue",
        "changes.newRevenue",
        "changes.errorMessage",
    )

    id: str
    type: str | None = None
    order: int | None = None
    changes: RuleChanges | None = None
    rule: LoggedRule | None = None
    variablesValue: dict[str, Any] | None = None


@toolset.tool(READ, "GET /invoice/{invoice_id}/pricing_rules_logs")
async def list_pricing_rule_logs(togai: Togai, invoiceId: InvoiceId) -> Page[RuleLog]:
    """List what each pricing rule did to an invoice: whether its condition held, revenue before and
    after. detail=full adds the values it read."""
    return await togai.fetch(Page[RuleLog], at={"invoice_id": invoiceId})
