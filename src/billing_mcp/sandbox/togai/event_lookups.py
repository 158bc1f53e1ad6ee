"""What events are judged by, read once for all the events of a request.

Taking events in changes none of it: schemas, meters, features, plans, who an account is and which
of its schedules run. What it does change (credits, names that hold licences, the ids that were
used) is never kept here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from billing_mcp.sandbox import clock
from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import account_aliases, features
from billing_mcp.sandbox.togai.columns import unpacked
from billing_mcp.sandbox.togai.feature_uses import Late
from billing_mcp.sandbox.togai.running import Schedules
from billing_mcp.sandbox.togai.usage_sums import Additions

# Documented: an id is remembered for 45 days. Ours: from the event's arrival.
_REMEMBERED = timedelta(days=45)


@dataclass(frozen=True, slots=True)
class Schema:
    """An active event schema."""

    version: int
    id_template: str | None
    units: Mapping[str, str | None]  # the default unit of each attribute
    enrichments: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Lookups:
    """One request's events look things up here, and add up here what they count for.

    Whoever makes one calls `keep` after the last event.
    """

    request: Call
    stamp: str = field(init=False)  # when these events arrive
    remembered_since: str = field(init=False)  # ids of events before it are free again
    additions: Additions = field(default_factory=Additions)
    late: Late = field(default_factory=Late)
    _schemas: dict[str, Schema | None] = field(default_factory=dict)
    _accounts: dict[str, Row | None] = field(default_factory=dict)
    _customers: dict[str, Row] = field(default_factory=dict)
    _schedules: dict[str, Schedules] = field(default_factory=dict)
    _meters: dict[str, list[Row]] = field(default_factory=dict)
    _features: dict[str, Row | None] = field(default_factory=dict)
    _price_plans: dict[str, Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stamp = self.request.stamp
        self.remembered_since = clock.written(self.request.now - _REMEMBERED)

    def keep(self) -> None:
        """Write down what the events came to."""
        self.late.share_out(self.request)
        self.additions.keep(self.request)

    def schema(self, name: str) -> Schema | None:
        """The active schema of a name."""
        if name not in self._schemas:
            row = self.request.db.execute(
                "select * from event_schemas where name = ? and status = 'ACTIVE'", (name,)
            ).fetchone()
            self._schemas[name] = None if row is None else _read(row)
        return self._schemas[name]

    def account(self, reference: str, stamp: str) -> Row | None:
        """The account that has this id, or this alias at the moment."""
        if reference not in self._accounts:
            self._accounts[reference] = self.request.db.execute(
                "select * from accounts where id = ?", (reference,)
            ).fetchone()
        # An alias may be another account's at another moment; an id is always the same one's.
        return self._accounts[reference] or account_aliases.account_named(
            self.request, reference, stamp
        )

    def customer(self, customer_id: str) -> Row:
        if customer_id not in self._customers:
            self._customers[customer_id] = self.request.db.execute(
                "select id, name from customers where id = ?", (customer_id,)
            ).fetchone()
        return self._customers[customer_id]

    def schedules(self, account_id: str) -> Schedules:
        if account_id not in self._schedules:
            self._schedules[account_id] = Schedules(self.request.db, account_id)
        return self._schedules[account_id]

    def meters(self, schema_name: str) -> list[Row]:
        """The active meters of a schema."""
        if schema_name not in self._meters:
            self._meters[schema_name] = self.request.db.execute(
                "select * from usage_meters where event_schema_name = ? and status = 'ACTIVE'"
                " order by id",
                (schema_name,),
            ).fetchall()
        return self._meters[schema_name]

    def feature(self, schema_name: str) -> Row | None:
        """The association of the feature that a schema's events feed, if there is one."""
        if schema_name not in self._features:
            self._features[schema_name] = features.of_schema(self.request, schema_name)
        return self._features[schema_name]

    def price_plan(self, price_plan_id: str) -> Row:
        if price_plan_id not in self._price_plans:
            self._price_plans[price_plan_id] = self.request.db.execute(
                "select id, name from price_plans where id = ?", (price_plan_id,)
            ).fetchone()
        return self._price_plans[price_plan_id]


def _read(row: Row) -> Schema:
    units = {entry["name"]: entry.get("defaultUnit") for entry in unpacked(row, "attributes")}
    enrichments = unpacked(row, "enrichments")
    return Schema(row["version"], row["event_id_template"], units, enrichments)
