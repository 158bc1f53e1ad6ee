"""The controls: jobs, effects, reset."""

from typing import Any

import pytest

from sandbox.asking import Asker

CUSTOMER = {
    "id": "acme",
    "name": "Acme",
    "primaryEmail": "billing@acme.example",
    "address": {},
    "account": {"id": "main", "name": "Main"},
}


def grant(ask: Asker, key: str, until: str) -> None:
    wish = {
        "accountId": "main",
        "purpose": "PROMOTION",
        "effectiveFrom": "2026-11-20",
        "effectiveUntil": until,
        "creditAmount": 5,
        "priority": 1,
        "idempotencyKey": key,
    }
    ask.done("POST", "/credits", {"creditRequests": [wish]})


def test_what_falls_due_on_the_way_is_done_in_order_of_time(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)
    grant(ask, "later", "2026-12-24")
    grant(ask, "sooner", "2026-12-01")
    grant(ask, "after", "2027-06-01")

    moved = ask.control("POST", "/clock", {"advance": "P2M"})

    assert moved["ran"] == [
        {"job": "expire-credits", "time": "2026-12-01T00:00:00Z"},
        {"job": "expire-credits", "time": "2026-12-24T00:00:00Z"},
    ]
    expired = ask.effects("credit-expired")
    assert [entry["time"] for entry in expired] == [
        "2026-12-01T00:00:00.000Z",
        "2026-12-24T00:00:00.000Z",
    ]


def test_a_job_can_be_run_by_its_name(ask: Asker) -> None:
    assert ask.control("POST", "/jobs/expire-credits") == {"expired": 0}


def test_an_unknown_job_answers_404_and_names_those_there_are(ask: Asker) -> None:
    answer = ask.at("POST", "/control/jobs/expire-everything")

    assert answer.status == 404
    assert "expire-credits" in answer.message
    assert "marketplace-report" in answer.message


def test_an_unknown_control_answers_404_and_names_those_there_are(ask: Asker) -> None:
    answer = ask.at("DELETE", "/control/clock")

    assert answer.status == 404
    assert "GET and POST clock" in answer.message


def test_effects_tell_what_was_applied_with_its_key(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)
    grant(ask, "promotion-1", "2027-01-01")
    grant(ask, "promotion-1", "2027-01-01")
    (credit,) = ask.done("GET", "/credits")["data"]

    entry = {
        "kind": "credit",
        "id": credit["id"],
        "key": "promotion-1",
        "time": "2026-11-20T12:00:00.000Z",
    }
    assert ask.effects("credit") == [entry]
    assert ask.control("GET", "/effects", key="promotion-1", id=credit["id"])["effects"] == [entry]
    assert ask.effects("nothing") == []


@pytest.mark.parametrize(
    ("method", "path", "body", "known"),
    [
        ("GET", "/effects?knd=credit", None, "kind, id, key"),
        ("POST", "/reset", {"dem": False}, "demo"),
        ("POST", "/jobs/marketplace-report", {"refused": []}, "refuse"),
    ],
)
def test_a_misspelt_wish_is_refused_and_not_passed_over(
    ask: Asker, method: str, path: str, body: Any, known: str
) -> None:
    ask.done("POST", "/customers", CUSTOMER)

    answer = ask.at(method, f"/control{path}", body)

    assert answer.status == 400
    assert answer.message.endswith(f"is not a field here; there are {known}")
    assert len(ask.done("GET", "/customers")["data"]) == 1


def test_a_reset_empties_everything_and_puts_the_clock_back(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)
    ask.control("POST", "/clock", {"advance": "P1Y"})
    ask.control("PUT", "/faults", [{"mode": "status"}])

    assert ask.control("POST", "/reset", {"demo": False}) == {"now": "2026-11-20T12:00:00Z"}

    assert ask.control("GET", "/clock") == {"now": "2026-11-20T12:00:00Z"}
    assert ask.control("GET", "/faults") == []
    assert ask.done("GET", "/customers")["data"] == []
    assert ask.control("GET", "/effects") == {"effects": []}


def test_a_reset_brings_the_demo_company_unless_it_is_not_wanted(ask: Asker) -> None:
    ask.control("POST", "/reset")

    assert ask.done("GET", "/customers")["data"]
    assert ask.control("GET", "/clock") == {"now": "2026-11-20T12:00:00Z"}


def test_a_malformed_reset_changes_nothing(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)

    assert ask.at("POST", "/control/reset", {"demo": "no"}).status == 400
    assert ask.done("GET", "/customers/acme")["id"] == "acme"


def test_settings_can_be_changed_while_it_runs(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)
    assert ask.control("GET", "/settings") == {
        "quotas": False,
        "repeatedCreditKey": "original",
        "batchLimit": 500,
    }
    grant(ask, "once", "2027-01-01")
    grant(ask, "once", "2027-01-01")

    ask.control("PUT", "/settings", {"repeatedCreditKey": "refuse", "batchLimit": 1})

    refused = ask.togai(
        "POST",
        "/credits",
        {
            "creditRequests": [
                {
                    "accountId": "main",
                    "purpose": "PROMOTION",
                    "effectiveFrom": "2026-11-20",
                    "creditAmount": 5,
                    "priority": 1,
                    "idempotencyKey": "once",
                }
            ]
        },
    )
    event: dict[str, object] = {
        "schemaName": "s",
        "timestamp": "2026-11-20T00:00:00Z",
        "accountId": "main",
    }
    events = [{**event, "id": name, "attributes": [], "dimensions": {}} for name in ("a", "b")]
    assert refused.status == 400
    assert ask.togai("POST", "/ingestBatch", {"events": events}).status == 400
    assert ask.togai("POST", "/ingestBatch", {"events": events[:1]}).status == 202


def test_a_setting_that_does_not_exist_or_has_no_such_value_is_refused(ask: Asker) -> None:
    assert ask.at("PUT", "/control/settings", {"quota": True}).status == 400
    assert ask.at("PUT", "/control/settings", {"repeatedCreditKey": "ignore"}).status == 400
    assert ask.at("PUT", "/control/settings", {"batchLimit": 1001}).status == 400
