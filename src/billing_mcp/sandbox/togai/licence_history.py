"""How many licences an account holds: every change of the quantity, in order of time."""

from collections.abc import Iterable
from decimal import Decimal

from billing_mcp.rating.licence import LicenceChange
from billing_mcp.sandbox import clock
from billing_mcp.sandbox.store import Connection


def history(db: Connection, account_id: str, licence_id: str) -> list[LicenceChange]:
    """The quantity after each change, as rating takes it. An unknown licence has no changes.

    All of them were granted: a plan that comes later with a smaller maximum bills what is held.
    """
    changes = plain(db, account_id, licence_id) or named(db, account_id, licence_id)
    return [
        LicenceChange(clock.read(moment).date(), quantity, granted=True)
        for moment, quantity in changes
    ]


def histories(
    db: Connection, account_id: str, licence_ids: Iterable[str]
) -> dict[str, list[LicenceChange]]:
    """The changes of several licences by their add-on's id."""
    return {licence_id: history(db, account_id, licence_id) for licence_id in licence_ids}


def plain(db: Connection, account_id: str, licence_id: str) -> list[tuple[str, Decimal]]:
    rows = db.execute(
        "select effective_from, quantity from licence_updates"
        " where account_id = ? and licence_id = ? order by effective_from, number",
        (account_id, licence_id),
    )
    return [(row["effective_from"], Decimal(row["quantity"])) for row in rows]


def named(db: Connection, account_id: str, licence_id: str) -> list[tuple[str, Decimal]]:
    """Each name counts one from when it is added until it is removed.

    At one instant removals come first, so that handing a licence on does not count as two.
    """
    rows = db.execute(
        "select effective_from as moment, 1 as change from named_licences"
        " where account_id = :account and licence_id = :licence"
        " union all"
        " select effective_until, -1 from named_licences"
        " where account_id = :account and licence_id = :licence and effective_until is not null"
        " order by moment, change",
        {"account": account_id, "licence": licence_id},
    )
    held = Decimal(0)
    changes = []
    for row in rows:
        held += row["change"]
        changes.append((row["moment"], held))
    return changes
