"""What the events of each cycle add up to, and which accounts' drafts no longer show it."""

from dataclasses import dataclass, field
from decimal import Decimal

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.store import Connection


def add(
    request: Call, schedule_id: str, cycle_number: int, usage_meter_id: str, units: Decimal
) -> None:
    """Add the units of an event, or take them back with a minus."""
    key = (schedule_id, cycle_number, usage_meter_id)
    row = request.db.execute(
        "select units from cycle_usage"
        " where schedule_id = ? and cycle_number = ? and usage_meter_id = ?",
        key,
    ).fetchone()
    before = Decimal(0) if row is None else Decimal(row["units"])
    request.db.execute(
        "insert into cycle_usage (schedule_id, cycle_number, usage_meter_id, units)"
        " values (?, ?, ?, ?) on conflict do update set units = excluded.units",
        (*key, money.plain(WIDE.add(before, units))),
    )


@dataclass(slots=True)
class Additions:
    """What the events of a request add up to, before it is kept with one write for each sum."""

    _units: dict[tuple[str, int, str], Decimal] = field(default_factory=dict)
    _accounts: set[str] = field(default_factory=set)

    def add(self, schedule_id: str, cycle_number: int, usage_meter_id: str, units: Decimal) -> None:
        key = (schedule_id, cycle_number, usage_meter_id)
        self._units[key] = WIDE.add(self._units.get(key, Decimal(0)), units)

    def mark_stale(self, account_id: str) -> None:
        self._accounts.add(account_id)

    def keep(self, request: Call) -> None:
        for (schedule_id, cycle_number, usage_meter_id), units in self._units.items():
            add(request, schedule_id, cycle_number, usage_meter_id, units)
        for account_id in sorted(self._accounts):
            mark_stale(request, account_id)
        self._units.clear()
        self._accounts.clear()


def of_cycle(db: Connection, schedule_id: str, cycle_number: int) -> dict[str, Decimal]:
    """Units by usage meter."""
    rows = db.execute(
        "select usage_meter_id, units from cycle_usage where schedule_id = ? and cycle_number = ?",
        (schedule_id, cycle_number),
    )
    return {row["usage_meter_id"]: Decimal(row["units"]) for row in rows}


def mark_stale(request: Call, account_id: str) -> None:
    """Something that the account's drafts depend on has changed; they are computed when read."""
    request.db.execute(
        "insert or ignore into stale_accounts (account_id) values (?)", (account_id,)
    )
