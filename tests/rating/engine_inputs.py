"""A random case's history and credits as the rating engine takes them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from billing_mcp.rating.credits import CreditState
from billing_mcp.rating.cycle_charges import Measured
from billing_mcp.rating.licence import LicenceChange
from rating.reference.random_cases import Case


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def measured(made: Case) -> Measured:
    histories: dict[str, Sequence[LicenceChange]] = {
        name: [LicenceChange(change.day, change.quantity) for change in changes]
        for name, changes in made.licences.items()
    }
    return Measured(usage=made.usage, licences=histories, overage=made.overage)


def credit_states(made: Case) -> list[CreditState]:
    return [
        CreditState(
            id=credit["id"],
            priority=credit["priority"],
            effective_from=midnight(credit["effectiveFrom"]),
            effective_until=credit["effectiveUntil"] and midnight(credit["effectiveUntil"]),
            created_at=midnight(made.associated) + timedelta(hours=credit["createdAt"]),
            left=credit["left"],
            applicable=tuple(credit["applicableEntityIds"]),
        )
        for credit in made.credits
    ]
