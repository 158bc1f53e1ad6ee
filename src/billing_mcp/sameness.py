"""Whether what a vendor has is what a write asked for, as far as the ledger remembers the write."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_mcp import money

# What `guard.arguments` leaves in the place of secrets and personal data: nothing to compare with.
_TAKEN_OUT = ("[secret]", "[personal]", "[e-mail]")


def holds(found: Any, wanted: Any) -> bool:
    """Whether all that was asked for is there; what the vendor has beside it does not matter.

    Numbers are the same by their value, whichever way each side writes them, and moments by the
    instant. What was taken out of the ledger, and null, are not compared.
    """
    if wanted is None:
        return True
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            holds(found.get(name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(holds(one, other) for one, other in zip(found, wanted, strict=True))
        )
    if is_taken_out(wanted):
        return True
    return _same(found, wanted)


def is_taken_out(wanted: Any) -> bool:
    """Whether something of what was asked for is no longer known."""
    if isinstance(wanted, Mapping):
        return any(is_taken_out(value) for value in wanted.values())
    if isinstance(wanted, list):
        return any(is_taken_out(value) for value in wanted)
    return isinstance(wanted, str) and any(mark in wanted for mark in _TAKEN_OUT)


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(found, bool):
        return found is wanted
    if found == wanted:
        return True
    numbers = _number(found), _number(wanted)
    if None not in numbers:
        return numbers[0] == numbers[1]
    moments = _moment(found), _moment(wanted)
    return None not in moments and moments[0] == moments[1]


def _number(value: Any) -> Decimal | None:
    if not isinstance(value, str | int | Decimal):
        return None
    try:
        return money.exact(value)
    except money.NotANumber:
        return None


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
