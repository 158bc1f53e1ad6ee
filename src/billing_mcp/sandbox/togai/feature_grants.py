"""Where feature credits come from and how they end: plans, purchases, and the passing of time."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating import entitlement_card
from billing_mcp.rating.cards import Entitlement
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call, Reply
from billing_mcp.sandbox.jobs import Job
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai import feature_uses
from billing_mcp.sandbox.togai.running import Running


def grant_cycle(request: Call, running: Running) -> None:
    """Give what a plan grants in a cycle that begins. PREPAID cards wait until they are paid."""
    for card in running.plan.entitlements:
        if card.timing != "PREPAID":
            _grant_card(request, running, card)
    for overage in running.plan.overages:
        entry = _entry(running, overage.feature_id, "OVERAGE")
        _insert(request, entry, overage.maximum)


def grant_prepaid(request: Call, running: Running) -> None:
    """The invoice of a cycle's fees in advance is paid: give what waited for it."""
    for card in running.plan.entitlements:
        if card.timing == "PREPAID":
            _grant_card(request, running, card)


def _grant_card(request: Call, running: Running, card: Entitlement) -> None:
    ends_with = clock.read(running.schedule["end_date"])
    # A card may grant in several portions, and several cards the same feature; the vendor's id has
    # no place for that.
    known = request.db.execute(
        "select count(*) from feature_entries"
        " where account_id = ? and feature_id = ? and id like ? || '%$PRICE_PLAN'",
        (
            running.account_id,
            card.feature_id,
            f"{running.schedule_id}#{running.cycle.start.date()}",
        ),
    ).fetchone()[0]
    for number, granted in enumerate(entitlement_card.granted(card, running.cycle), known + 1):
        portion = f".{number}" if number > 1 else ""
        start, end = granted.effective_from, min(granted.effective_until, ends_with)
        entry = _entry(running, card.feature_id, "PRICE_PLAN", portion) | {
            "effective_from": clock.written(start),
            "effective_until": clock.written(max(start, end)),
        }
        _insert(request, entry, granted.amount)


def entry_id(running: Running, source: str, portion: str = "") -> str:
    """The vendor's form of an id for what a cycle grants."""
    return f"{running.schedule_id}#{running.cycle.start.date()}{portion}${source}"


def _entry(running: Running, feature_id: str, source: str, portion: str = "") -> dict[str, Any]:
    return {
        "id": entry_id(running, source, portion),
        "account_id": running.account_id,
        "feature_id": feature_id,
        "source": source,
        "effective_from": clock.written(running.cycle.start),
        "effective_until": clock.written(running.cycle.end),
    }


def grant_purchase(
    request: Call,
    purchase: Row,
    card: dict[str, Any],
    quantity: Decimal,
    number: int,
) -> int:
    """Give what one card of a purchased plan grants, so many times; the next entry's number."""
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
        limit = Decimal(config["featureCreditLimit"])
        _insert(request, entry, WIDE.multiply(limit, quantity))
        number += 1
    return number


def _insert(request: Call, entry: dict[str, Any], granted: Decimal | None) -> None:
    """`granted` is None for overage without a limit."""
    over = entry["effective_until"] <= request.stamp
    rest = {
        "status": "EXPIRED" if over else "ACTIVE",
        "granted": None if granted is None else money.plain(granted),
        "used": "0",
    }
    store.insert(request.db, "feature_entries", entry | rest)
    # Ours: what is granted for a time that has begun pays for events of that time, too.
    time = entry["effective_from"], entry["effective_until"]
    feature_uses.share_out(request, entry["account_id"], entry["feature_id"], *time)
    request.effect("feature-credits", entry["id"])


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
    for row in rows:
        time = row["effective_from"], row["effective_until"]
        feature_uses.share_out(request, row["account_id"], row["feature_id"], *time)


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
