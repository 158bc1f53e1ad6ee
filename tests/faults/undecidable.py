"""Writes that can stay unknown for good, and why the vendor leaves no way to tell."""

from collections.abc import Mapping
from typing import Any

_NO_LIST = "the vendor lists nothing that it would be found in"
UNDECIDABLE = {
    "create-customer-contact": _NO_LIST,
    "create-portal-token": _NO_LIST,
    "batch-report-usagerecordgroups": "the ids of a batch's groups are the vendor's, and groups of "
    "equal usage are there already",
    "top-up-wallet": "a wallet's entry carries no key, and a new one may be another's",
}


def is_lost_for_good(tool: str, answer: Mapping[str, Any]) -> bool:
    """Whether the vendor was asked and cannot say: asking later would not help."""
    error = answer.get("error", {})
    return (
        tool in UNDECIDABLE
        and error.get("kind") == "outcome-unknown"
        and error["message"].startswith("Whether this write was applied is not known: ")
        and "retryAfterSeconds" not in error
    )
