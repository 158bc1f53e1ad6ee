"""What pricing rules did when an invoice was computed, kept as the vendor shows it."""

from collections.abc import Sequence
from typing import Any

from billing_mcp.rating.pricing_rules import RuleLog
from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.togai.columns import packed, present


def keep(request: Call, invoice_id: str, logs: Sequence[RuleLog]) -> None:
    """Replace what the last computation left."""
    request.db.execute("delete from pricing_rule_logs where invoice_id = ?", (invoice_id,))
    if logs:
        # Ours: a log's id is its invoice's with a number, so that reading makes no new ids.
        stem = invoice_id.split(".", 1)[-1]
        shown = [_wire(log, f"rule_log.{stem}.{n}") for n, log in enumerate(logs, 1)]
        request.db.execute(
            "insert into pricing_rule_logs (invoice_id, logs) values (?, ?)",
            (invoice_id, packed(shown)),
        )


def _wire(log: RuleLog, log_id: str) -> dict[str, Any]:
    old_usage, new_usage = log.usage or (None, None)
    changes = present(
        key=log.key,
        keyName=log.key_name,
        oldRevenue=log.revenue[0],
        newRevenue=log.revenue[1],
        oldUsage=old_usage,
        newUsage=new_usage,
        errorMessage=log.error,
    )
    rule = log.rule
    return {
        "id": log_id,
        "type": log.outcome,
        "order": rule.order,
        "changes": changes,
        "rule": present(
            id=rule.id, name=rule.name, condition=rule.condition_text, computation=rule.text
        ),
        "variablesValue": {
            variable: {"name": name, "value": value}
            for variable, (name, value) in log.values.items()
        },
    }
