"""Where feature credits come from and how they end: plans, purchases, and the passing of time."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call, Reply
from billing_mcp.sandbox.jobs import Job
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai.running import Running, cycles_until, running

_GRANTING = (
    "select s.* from pricing_schedules s join price_plans p on p.id = s.price_plan_id"
    " where (p.details ->> '$.billingEntitlementRateCards' is not null"
    " or p.details ->> '$.entitlementOverageRateCards' is not null"
    " or s.details_override is not null)"
)


def grant_what_is_due(request: Call, schedule_id: str | None = None) -> int:
    """Give what the plans grant for their present cycles, once; answers how many entries."""
    rows = request.db.execute(
        _GRANTING + " and s.start_date <= ? and ? < s.end_date and s.id = coalesce(?, s.id)",
        (request.stamp, request.stamp, schedule_id),
    ).fetchall()
    return sum(_grant_cycle(request, row) for row in rows)


def _grant_cycle(request: Call, schedule: Row) -> int:
    cycles = list(cycles_until(request.db, schedule, request.now))
    present, number = cycles[-1], len(cycles) - 1
    prefix = f"{schedule['id']}#{present.cycle.start.date()}"
    known = request.db.execute(
        "select 1 from feature_entries where account_id = ? and id like ? || '%'",
        (schedule["account_id"], prefix),
    ).fetchone()
    if known:
        return 0
    granted = 0
    for card in present.details.get("billingEntitlementRateCards", []):
        recurrence = card.get("recurrenceConfig", {})
        offset, interval = recurrence.get("offset", 0), recurrence.get("interval", 1)
        if number >= offset and (number - offset) % interval == 0:
            granted += _grant_card(request, present, card, prefix)
    for card in present.details.get("entitlementOverageRateCards", []):
        limit = card.get("maxQuantity")
        entry = _entry(present, card, f"{prefix}$OVERAGE", "OVERAGE")
        granted += _insert(request, entry, None if limit is None else Decimal(limit))
    return granted


def _grant_card(request: Call, present: Running, card: dict[str, Any], prefix: str) -> int:
    for index, config in enumerate(card["featureConfigs"]):
        # One card may grant in several portions; the vendor's id has no place for that.
        portion = f".{index + 1}" if index else ""
        entry = _entry(present, card, f"{prefix}{portion}$PRICE_PLAN", "PRICE_PLAN")
        start = clock.after(present.cycle.start, config.get("effectiveFrom", "P0D"))
        end = clock.after(present.cycle.start, config["effectiveUntil"])
        ends_with = clock.read(present.schedule["end_date"])
        entry |= {
            "effective_from": clock.written(start),
            "effective_until": clock.written(max(start, min(end, ends_with))),
        }
        _insert(request, entry, Decimal(config["featureCreditLimit"]))
    return len(card["featureConfigs"])


def _entry(present: Running, card: dict[str, Any], entry_id: str, source: str) -> dict[str, Any]:
    return {
        "id": entry_id,
        "account_id": present.schedule["account_id"],
        "feature_id": card["featureId"],
        "source": source,
        "effective_from": clock.written(present.cycle.start),
        "effective_until": clock.written(present.cycle.end),
    }


def grant_purchase(
    request: Call, purchase: dict[str, Any], card: dict[str, Any], number: int
) -> int:
    """Give what one card of a purchased plan grants; answers the number of the next entry."""
    start = clock.read(purchase["effective_from"])
    for config in card["featureConfigs"]:
        end = clock.after(start, config["effectiveUntil"])
        if purchase["effective_until"] is not None:
            end = min(end, clock.read(purchase["effective_until"]))
        entry = {
            "id": f"{purchase['id']}#{number}$PURCHASE",
            "account_id": purchase["account_id"],
            "feature_id": card["featureId"],
            "source": "ENTITLEMENT",
            "effective_from": clock.written(clock.after(start, config.get("effectiveFrom", "P0D"))),
            "effective_until": clock.written(end),
        }
        _insert(request, entry, Decimal(config["featureCreditLimit"]) * purchase["quantity"])
        number += 1
    return number


def _insert(request: Call, entry: dict[str, Any], granted: Decimal | None) -> int:
    """`granted` is None for overage without a limit."""
    over = entry["effective_until"] <= request.stamp
    rest = {
        "status": "EXPIRED" if over else "ACTIVE",
        "granted": None if granted is None else money.plain(granted),
        "used": "0",
    }
    store.insert(request.db, "feature_entries", entry | rest)
    request.effect("feature-credits", entry["id"])
    return 1


def end_at(request: Call, schedule_id: str, moment: str) -> None:
    """The plan goes at this moment, and what it granted goes with it."""
    rows = request.db.execute(
        "select * from feature_entries where id like ? || '#%' and status = 'ACTIVE'"
        " and effective_until > ?",
        (schedule_id, moment),
    ).fetchall()
    for row in rows:
        changes = {"effective_until": max(moment, row["effective_from"])}
        if row["effective_from"] >= moment:
            changes["status"] = "VOIDED"
        elif moment <= request.stamp:
            changes["status"] = "EXPIRED"
        store.update(request.db, "feature_entries", changes, number=row["number"])


def _next_grant(db: Connection, moment: datetime) -> datetime | None:
    """The next start of a cycle, or of a schedule, that may grant something."""
    stamp = clock.written(moment)
    rows = db.execute(_GRANTING + " and s.end_date > ?", (stamp,)).fetchall()
    starts = []
    for row in rows:
        start = clock.read(row["start_date"])
        if start > moment:
            starts.append(start)
        else:
            cycle = running(db, row, moment).cycle
            if clock.written(cycle.end) < row["end_date"]:
                starts.append(cycle.end)
    return min(starts, default=None)


def _grant(request: Call) -> Reply:
    return Reply({"granted": grant_what_is_due(request)})


def _next_expiry(db: Connection, moment: datetime) -> datetime | None:
    row = db.execute(
        "select min(effective_until) as at from feature_entries"
        " where status = 'ACTIVE' and effective_until > ?",
        (clock.written(moment),),
    ).fetchone()
    return None if row["at"] is None else clock.read(row["at"])


def _expire(request: Call) -> Reply:
    cursor = request.db.execute(
        "update feature_entries set status = 'EXPIRED'"
        " where status = 'ACTIVE' and effective_until <= ?",
        (request.stamp,),
    )
    return Reply({"expired": cursor.rowcount})


EXPIRE = Job("expire-feature-credits", _next_expiry, _expire)
GRANT = Job("grant-feature-credits", _next_grant, _grant)
