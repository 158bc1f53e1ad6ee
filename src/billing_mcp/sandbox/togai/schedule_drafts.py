"""Drafts of an account's pricing schedules: edits are kept and shown, then done or forgotten.

A draft is the schedules as they were when it was begun and the edits since. What it would lead to
is computed from these alone, so that the ids it shows are those that finalizing makes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import associations
from billing_mcp.sandbox.togai.associations import Period
from billing_mcp.sandbox.togai.columns import packed, unpacked
from billing_mcp.sandbox.togai.running import Schedule

# Moves with the clock; it says nothing about what an account is billed by.
_PASSING = "next_cycle_at"
OVERRIDES = ("details_override", "rules_override")


@dataclass(slots=True)
class Draft:
    """The schedules of an account as they are, the edits, and the schedules after them."""

    account_id: str
    base: list[dict[str, Any]]
    edits: list[dict[str, Any]]
    schedules: list[dict[str, Any]]

    @classmethod
    def of(cls, account_id: str, base: list[dict[str, Any]], edits: list[dict[str, Any]]) -> Self:
        draft = cls(account_id, base, [], [dict(row) for row in base])
        for edit in edits:
            draft.add(edit)
        return draft

    def add(self, edit: dict[str, Any]) -> None:
        """Apply one of the edits below, and keep it."""
        match edit["do"]:
            case "associate":
                self.schedules.append(dict(edit["schedule"]))
            case "cut":
                self._cut(edit)
            case "override":
                changed = self.schedule(edit["id"])
                changed |= {name: edit[name] for name in OVERRIDES}
            case "merge":
                self.schedules.remove(self.schedule(edit["id"]))
                self.schedule(edit["into"])["end_date"] = edit["end"]
        self.edits.append(edit)
        self.schedules.sort(key=lambda one: (one["start_date"], one["id"]))

    def schedule(self, schedule_id: str) -> dict[str, Any]:
        """Raises `LookupError` where the draft has no such schedule."""
        for one in self.schedules:
            if one["id"] == schedule_id:
                return one
        raise LookupError(schedule_id)

    def _cut(self, edit: dict[str, Any]) -> None:
        for one in list(self.schedules):
            if one["id"] not in edit["rests"]:
                continue
            rest_id = edit["rests"][one["id"]]
            if rest_id is not None:
                self.schedules.append(associations.rest_behind(one, edit["end"], rest_id))
            if one["start_date"] < edit["start"]:
                one["end_date"] = edit["start"]
            else:
                self.schedules.remove(one)

    def added(self) -> list[dict[str, Any]]:
        """The schedules that nothing of the present ones is left in."""
        made = {edit["schedule"]["id"] for edit in self.edits if edit["do"] == "associate"}
        return [one for one in self.schedules if one["id"] in made]

    def overridden(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """The present schedules that stay and are billed otherwise then: before, and after."""
        before = {row["id"]: row for row in self.base}
        return [
            (before[one["id"]], one)
            for one in self.schedules
            if one["id"] in before and not _alike(before[one["id"]], one)
        ]


def _alike(one: Schedule, other: Schedule) -> bool:
    return all(one[name] == other[name] for name in OVERRIDES)


def mergeable(one: Schedule, following: Schedule) -> bool:
    """Whether a schedule goes on with the plan of another one from its end, the same in all."""
    same = ("price_plan_id", "price_plan_version", *OVERRIDES)
    return bool(
        one["end_date"] == following["start_date"]
        and all(one[name] == following[name] for name in same)
    )


def find(request: Call, account_id: str) -> Draft | None:
    row: Row | None = request.db.execute(
        "select * from schedule_drafts where account_id = ?", (account_id,)
    ).fetchone()
    if row is None:
        return None
    return Draft.of(account_id, unpacked(row, "base"), unpacked(row, "edits"))


def existing(request: Call, account_id: str) -> Draft:
    """Refuses with 400."""
    draft = find(request, account_id)
    if draft is None:
        raise Refusal(400, f"Account {account_id} has no draft of its schedules")
    return draft


def opened(request: Call, account_id: str) -> Draft:
    """The draft of an account, begun from its schedules if there is none."""
    return find(request, account_id) or Draft.of(account_id, _present(request, account_id), [])


def keep(request: Call, draft: Draft) -> None:
    columns = {
        "account_id": draft.account_id,
        "base": packed(draft.base),
        "edits": packed(draft.edits),
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    request.db.execute(
        "insert into schedule_drafts (account_id, base, edits, created_at, updated_at)"
        " values (:account_id, :base, :edits, :created_at, :updated_at) on conflict do update"
        " set edits = excluded.edits, updated_at = excluded.updated_at",
        columns,
    )
    request.effect("schedules-draft", draft.account_id)


def forget(request: Call, account_id: str) -> None:
    request.db.execute("delete from schedule_drafts where account_id = ?", (account_id,))


def of_schedule(request: Call, schedule_id: str) -> Draft | None:
    """The draft that has a schedule of this id, if there is one."""
    rows = request.db.execute("select * from schedule_drafts").fetchall()
    for row in rows:
        draft = Draft.of(row["account_id"], unpacked(row, "base"), unpacked(row, "edits"))
        if any(one["id"] == schedule_id for one in draft.schedules):
            return draft
    return None


def outdated(request: Call, draft: Draft) -> bool:
    """Whether the schedules were changed otherwise since the draft was begun."""
    return draft.base != _present(request, draft.account_id)


def _present(request: Call, account_id: str) -> list[dict[str, Any]]:
    rows = associations.of_account(request, account_id)
    return [dict(row) | {_PASSING: None} for row in rows]


def associate(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """The edit that adds a schedule."""
    return {"do": "associate", "schedule": dict(schedule)}


def cut(request: Call, schedules: Sequence[Schedule], period: Period) -> dict[str, Any]:
    """The edit that takes a period out of these schedules."""
    rests = {
        one["id"]: request.new_id("sch") if period.end < one["end_date"] else None
        for one in schedules
    }
    return {"do": "cut", "start": period.start, "end": period.end, "rests": rests}


def override(schedule: Mapping[str, Any], **columns: str | None) -> dict[str, Any]:
    """The edit that bills a schedule by other details or rules."""
    kept = {name: schedule[name] for name in OVERRIDES}
    return {"do": "override", "id": schedule["id"], **kept, **columns}


def merge(schedule: Schedule, following: Schedule) -> dict[str, Any]:
    """The edit that makes two schedules one."""
    return {
        "do": "merge",
        "id": following["id"],
        "into": schedule["id"],
        "end": following["end_date"],
    }
