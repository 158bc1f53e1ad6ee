"""The versions of price plans: which one counts, which is drafted, and how one is published."""

from collections.abc import Mapping
from typing import Any

from billing_mcp.sandbox import store
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai.columns import packed, unpacked

# Every version with its plan. `status` is the plan's, `schedule_id` the reference of the version.
SELECT = (
    "select p.id, p.name, p.type, p.status, p.version as counting, v.version,"
    " v.status as version_status, v.reference_id as schedule_id, v.description, v.details,"
    " v.active_currencies, v.pricing_rules, v.created_at, v.updated_at"
    " from price_plans p join price_plan_versions v on v.price_plan_id = p.id"
)
# Of each plan the version that counts.
COUNTING = f"{SELECT} where v.version = p.version"
# Of each plan the latest version, which may be a draft that does not count yet.
_NEWEST = "(select max(version) from price_plan_versions where price_plan_id = p.id)"
LATEST = f"{SELECT} where v.version = {_NEWEST}"


def existing(request: Call, price_plan_id: str) -> Row:
    """The plan, archived or not, in the version that counts. Refuses with 404."""
    row: Row | None = request.db.execute(f"{COUNTING} and p.id = ?", (price_plan_id,)).fetchone()
    if row is None:
        raise Refusal(404, f"Price plan {price_plan_id} not found")
    return row


def active(db: Connection, price_plan_id: str) -> Row | None:
    """The plan in the version that new associations get, if it is active."""
    row: Row | None = db.execute(
        f"{COUNTING} and p.id = ? and p.status = 'ACTIVE'", (price_plan_id,)
    ).fetchone()
    return row


def latest(request: Call, price_plan_id: str) -> Row:
    """The plan in its latest version: the draft if there is one. Refuses with 404."""
    row: Row | None = request.db.execute(f"{LATEST} and p.id = ?", (price_plan_id,)).fetchone()
    if row is None:
        raise Refusal(404, f"Price plan {price_plan_id} not found")
    return row


def numbered(request: Call, price_plan_id: str, version: str) -> Row:
    """The plan in the version of this number, as the query names it. Refuses with 404."""
    existing(request, price_plan_id)
    row: Row | None = request.db.execute(
        f"{SELECT} where p.id = ? and cast(v.version as text) = ?", (price_plan_id, version)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Price plan {price_plan_id} has no version {version}")
    return row


def refuse_taken_name(request: Call, name: str) -> None:
    """Ours: the name of a plan is unique until it is archived."""
    other = request.db.execute(
        "select id from price_plans where name = ? and status <> 'ARCHIVED'", (name,)
    ).fetchone()
    if other:
        raise Refusal(400, f"name: price plan {other['id']} is called {name} already")


def drafted(request: Call, name: str, plan_type: str, **content: Any) -> dict[str, Any]:
    """A new plan as one row of `SELECT`, not stored yet. `content`: description, details, rules."""
    return {
        "id": request.new_id("pp"),
        "schedule_id": request.new_id("sch"),
        "name": name,
        "type": plan_type,
        "status": "DRAFT",
        "version_status": "DRAFT",
        "version": 1,
        "description": content["description"],
        "details": packed(content["details"]),
        "active_currencies": "[]",
        "pricing_rules": packed(content["rules"]),
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }


def keep_new(request: Call, row: Mapping[str, Any]) -> None:
    """Store a plan that was `drafted`."""
    plan = {name: row[name] for name in ("id", "name", "type", "status", "version")}
    store.insert(request.db, "price_plans", plan)
    _insert(request, row, 1, "DRAFT")
    request.effect("price-plan", row["id"])


def change(request: Call, row: Row, **columns: Any) -> None:
    """Set columns of a version; lists and objects are packed."""
    changes = {
        name: value if isinstance(value, str | None) else packed(value)
        for name, value in columns.items()
    }
    store.update(
        request.db,
        "price_plan_versions",
        changes | {"updated_at": request.stamp},
        price_plan_id=row["id"],
        version=row["version"],
    )


def open_draft(request: Call, price_plan_id: str) -> Row:
    """The draft of a plan, begun as a copy of its active version if there is none.

    Refuses with 404, and with 400 for a plan that is archived.
    """
    row = latest(request, price_plan_id)
    if row["status"] == "ARCHIVED":
        raise Refusal(400, f"Price plan {price_plan_id} is archived")
    if row["version_status"] == "ACTIVE":
        copy = dict(row) | {"schedule_id": request.new_id("sch"), "active_currencies": "[]"}
        _insert(request, copy, row["version"] + 1, "DRAFT")
    return latest(request, price_plan_id)


def publish(request: Call, draft: Row, currencies: list[str]) -> Row:
    """Make a draft the version that counts, active in these currencies."""
    change(request, draft, status="ACTIVE", active_currencies=currencies)
    store.update(
        request.db, "price_plans", {"status": "ACTIVE", "version": draft["version"]}, id=draft["id"]
    )
    request.effect("price-plan-active", draft["id"])
    return existing(request, draft["id"])


def discard(request: Call, draft: Row) -> None:
    """Drop a draft; a plan that never was active goes with it."""
    request.db.execute(
        "delete from price_plan_versions where price_plan_id = ? and version = ?",
        (draft["id"], draft["version"]),
    )
    if draft["status"] == "DRAFT":
        request.db.execute("delete from price_plans where id = ?", (draft["id"],))
    request.effect("price-plan-discarded", draft["id"])


def details(row: Row) -> dict[str, Any]:
    """The details as they are stored."""
    found: dict[str, Any] = unpacked(row, "details")
    return found


def supported(row: Row) -> list[str]:
    """The currencies that the version has rates in."""
    found: list[str] = details(row)["supportedCurrencies"]
    return found


def _insert(request: Call, row: Mapping[str, Any], version: int, status: str) -> None:
    columns = {
        "price_plan_id": row["id"],
        "version": version,
        "reference_id": row["schedule_id"],
        "status": status,
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    same = ("description", "details", "active_currencies", "pricing_rules")
    store.insert(request.db, "price_plan_versions", columns | {name: row[name] for name in same})
