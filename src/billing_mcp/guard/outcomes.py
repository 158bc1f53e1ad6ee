"""What an operation was answered, as the ledger keeps it and as a repeated call gets it again."""

import json
from dataclasses import replace
from typing import Any

from billing_mcp.guard.operations import Operation
from billing_mcp.results import Outcome, compact

# Four times the largest answer there is (text and structured content are at most 100,000 each, as
# JSON a little more): only what no model could have read either is left out.
LARGEST_RECORD_BYTES = 400_000
# No answer of this little text has structured content beyond that.
SHORT = 2_000
SAID = "replayed: true"
_HEAD = ("environment", "operationId", "error")


def recorded(outcome: Outcome) -> dict[str, Any]:
    """The answer as it was given, without secrets, and without its items when they are too many to
    keep."""
    outcome = outcome.without_secrets()
    kept = {
        "structured": outcome.structured,
        "text": outcome.text,
        "status": outcome.status,
    }
    if len(outcome.text) < SHORT or len(compact(kept).encode()) <= LARGEST_RECORD_BYTES:
        return kept
    head = {name: outcome.structured[name] for name in _HEAD if name in outcome.structured}
    note = "The answer was too long to keep; the list tools show what is there."
    return {
        "structured": head | {"note": note},
        "text": f"{note}",
        "status": outcome.status,
    }


def summary(outcome: Outcome) -> str:
    """One line for the audit: what kind of end it was, and what a list would show of the thing."""
    if outcome.is_error:
        return str(outcome.structured["error"]["kind"])
    shown = ("id", "status", "accepted", "rejected", "unknown", "count")
    said = [f"{name} {outcome.structured[name]}" for name in shown if name in outcome.structured]
    return ", ".join(said) or "done"


def replayed(operation: Operation) -> Outcome:
    """The recorded answer, marked as such. What retention has emptied still says how it ended."""
    kept = operation.outcome
    if not isinstance(kept, dict):
        structured: dict[str, Any] = {
            "environment": operation.key.partition.environment,
            "operationId": operation.id,
            "replayed": True,
            "note": f"This operation is {operation.state}; its answer is no longer kept.",
        }
        return Outcome(structured, json.dumps(structured, ensure_ascii=False))
    answer = Outcome(kept["structured"], kept["text"], int(kept["status"]))
    return replace(
        answer,
        structured={**answer.structured, "replayed": True},
        text=answer.text if SAID in answer.text.splitlines() else f"{answer.text}\n{SAID}",
    )
