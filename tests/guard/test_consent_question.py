"""The question as text: what is more than a person reads is left out, and that it is, is said."""

from typing import Any

import pytest

from answers import failure
from billing_mcp import consent
from billing_mcp.config import Settings
from billing_mcp.guard.ledger import LedgerUnavailable
from billing_mcp.guard.stored_ledger import StoredLedger
from billing_mcp.results import Outcome
from billing_mcp.server import BillingServer
from guard.guarded import guarded
from guard.people import APPROVES, GRANT, Person

OPERATION = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"


def question(**plan: Any) -> list[str]:
    """The lines that tell of a plan, without those around them."""
    told = {"tool": "grant-credit", "effect": "Does it.", "why": "So it is.", "needs": "approval"}
    structured = {
        "error": {"kind": "approval-required", "message": "It waits.", "operationId": OPERATION},
        "environment": "sandbox",
        "plan": {**told, "undo": "Undo it.", "expiresAt": "2026-11-22T12:00:00Z", **plan},
    }
    caller = BillingServer(Settings()).caller()
    lines = consent._question(Outcome(structured, "", 202), caller).splitlines()
    return lines[3 : lines.index("To undo it: Undo it.")]


def test_only_what_would_change_is_shown_and_nested_values_by_their_path() -> None:
    before = {"status": "DRAFT", "name": "Old name", "limits": {"calls": "5", "seats": "1"}}
    after = {"status": "VOID", "name": "Old name", "limits": {"calls": "6", "seats": "1"}}
    assert question(before=before, after=after) == [
        "- status: DRAFT → VOID",
        "- limits.calls: 5 → 6",
    ]


def test_what_comes_and_what_goes_has_no_other_side() -> None:
    assert question(after={"name": "New name"}) == ['- name: (none) → "New name"']
    assert question(before={"name": "Old name"}) == ['- name: "Old name" → (none)']
    assert question(before={"a": ["1"]}, after={"a": ["1", "2"]}) == ['- a: ["1"] → ["1","2"]']


def test_names_that_others_wrote_are_quoted_as_their_values_are() -> None:
    assert question(after={"by\nus": "a\nb"}) == ['- "by\\nus": (none) → "a\\nb"']


def test_of_many_changes_the_first_are_shown_and_the_others_counted() -> None:
    lines = question(after={f"n{number}": "1" for number in range(43)})
    assert len(lines) == 41
    assert lines[-1] == "- and 3 more; get-operation shows the whole plan"


def test_a_long_value_is_cut_and_said_to_be() -> None:
    (line,) = question(after={"note": "x" * 301})
    assert line == f"- note: (none) → {'x' * 300}… (cut)"
    assert question(after={"note": "x" * 300}) == [f"- note: (none) → {'x' * 300}"]


def test_of_many_affected_the_first_are_named_and_the_others_counted() -> None:
    names = [f"c{number}" for number in range(22)]
    assert question(affects=names) == [f"Affected: {', '.join(names[:20])} and 2 more"]
    assert question(affects=names[:20]) == [f"Affected: {', '.join(names[:20])}"]


def test_an_amount_whose_currency_nobody_knows_is_called_so() -> None:
    assert question(amount="7") == ["Amount: 7 (of no known currency)"]


@pytest.mark.anyio
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_person_is_not_asked_about_a_plan_that_can_no_longer_be_read(
    era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any) -> None:
        raise LedgerUnavailable("disk I/O error")

    person = Person.who(APPROVES)
    async with guarded(era=era, elicitation_callback=person) as at:
        monkeypatch.setattr(StoredLedger, "get", gone)
        error = failure(await at.call("grant-credit", GRANT))
        assert at.effects == []
    assert error["kind"] == "unavailable"
    assert "disk I/O error" in error["message"]
    assert person.questions == []
