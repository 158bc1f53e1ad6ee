"""The judge of the sandbox's answers: it knows the vendors' documents and sees what differs."""

from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.sandbox import SandboxSettings, open_sandbox
from facts import checking

GOOD = {
    "id": "alert.1",
    "version": 1,
    "status": "ACTIVE",
    "alertTemplateId": "template",
    "interval": 60,
    "parameters": {"threshold": {"value": Decimal("7.5")}},
    "createdAt": "2026-11-20T12:00:00.000Z",
}

# What neither document describes: Togai's older ones say no more than that these are there.
UNDESCRIBED = {
    "togai": [
        "DELETE /events",
        "GET /migrations",
        "POST /migrations/price_plan",
        "GET /migrations/{migration_id}",
        "POST /invoices/{invoice_id}/payments",
    ],
    "suger": [],
}


def wrong(**changes: Any) -> list[str]:
    """What is wrong with an alert that is changed so; None takes a field away."""
    body = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    found = checking.of("togai").wrong("POST /alerts", 200, body)
    return [text.removeprefix("POST /alerts 200") for text in found]


def test_an_answer_as_documented_is_right() -> None:
    assert wrong() == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"id": ...}, ".id is missing"),
        ({"id": 5}, ".id is 5, not of type string"),
        ({"version": Decimal("1.5")}, ".version is Decimal('1.5'), not of type integer"),
        ({"version": True}, ".version is True, not of type integer"),
        ({"status": "PAUSED"}, ".status is 'PAUSED', not one of ACTIVE, INACTIVE"),
        ({"description": None}, ".description is null"),
        ({"parameters": {"threshold": 5}}, ".parameters.threshold is 5, not of type object"),
        ({"owner": "us"}, ".owner is not a field that the vendor documents"),
    ],
)
def test_an_answer_that_differs_is_told_by_its_place(changes: dict[str, Any], text: str) -> None:
    assert wrong(**changes) == [text]


def test_a_status_that_is_no_error_has_to_be_documented() -> None:
    facts = checking.of("togai")

    assert facts.wrong("POST /alerts", 201, GOOD) == ["POST /alerts does not document 201"]
    assert facts.wrong("POST /metrics", 404, {"message": "no"}) == []
    assert facts.wrong("POST /metrics", 404, {"text": "no"}) != []
    assert facts.wrong("GET /alerts", 200, {"data": [], "nextToken": None}) == []
    assert facts.wrong("GET /alerts", 200, {"data": [GOOD | {"id": 1}]}) == [
        "GET /alerts 200.data[0].id is 1, not of type string"
    ]


@pytest.mark.parametrize("vendor", ["togai", "suger"])
def test_of_every_imitated_operation_there_are_facts(vendor: str) -> None:
    sandbox = open_sandbox(SandboxSettings(demo=False))
    imitated = sandbox.backend.tables[vendor].imitated()
    sandbox.close()

    assert [one for one in imitated if one not in checking.of(vendor).operations] == [
        one for one in imitated if one in UNDESCRIBED[vendor]
    ]
