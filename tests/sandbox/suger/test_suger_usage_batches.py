"""Batches of usage record groups: reported all or nothing, or only validated."""

from typing import Any

import pytest

from sandbox.suger.wire import Wire

BATCH = "/batchCreateUsageRecordGroups"
VALIDATE = "/batchValidateUsageRecordGroups"


def new(entitlement_id: str = "on-aws", **group: Any) -> dict[str, Any]:
    return {"entitlementID": entitlement_id, "records": {"api_calls": 1}} | group


def test_a_batch_is_reported_in_its_order(wire: Wire) -> None:
    answer = wire.ask("POST", BATCH, [new("on-gcp"), new("on-aws"), new("on-gcp")])
    assert answer.status == 200
    assert [group["entitlementID"] for group in answer.body] == ["on-gcp", "on-aws", "on-gcp"]
    assert [group["serialID"] for group in answer.body] == [1, 2, 3]


def test_one_bad_group_refuses_the_whole_batch_by_its_index(wire: Wire) -> None:
    answer = wire.ask("POST", BATCH, [new(), new(), new(records={"api_calls": 0})])
    assert (answer.status, answer.body) == (
        400,
        "usage record group [2]: all the quantity of usage records are zero",
    )
    assert wire.groups() == []


def test_a_batch_for_an_unknown_entitlement_is_a_bad_request(wire: Wire) -> None:
    answer = wire.ask("POST", BATCH, [new("nothing")])
    assert (answer.status, answer.body) == (
        400,
        "usage record group [0]: entitlement nothing not found",
    )


@pytest.mark.parametrize("path", [BATCH, VALIDATE])
@pytest.mark.parametrize("body", [{}, [], [new()] * 1001])
def test_a_batch_is_a_list_of_1_to_1000(wire: Wire, path: str, body: Any) -> None:
    answer = wire.ask("POST", path, body)
    assert answer.status == 400
    assert answer.body.startswith("the body must be a list of 1 to 1000")


def test_a_batch_of_1000_is_taken(wire: Wire) -> None:
    assert wire.ask("POST", VALIDATE, [new()] * 1000).status == 200


@pytest.mark.parametrize("path", [BATCH, VALIDATE])
def test_a_malformed_group_in_a_batch_is_a_bad_request(wire: Wire, path: str) -> None:
    answer = wire.ask("POST", path, [new(), {"records": {"api_calls": 1}}])
    assert (answer.status, answer.body) == (400, "[1].entitlementID is required")


def test_a_valid_batch_is_answered_with_an_empty_string_and_keeps_nothing(wire: Wire) -> None:
    answer = wire.ask("POST", VALIDATE, [new(), new("on-gcp")])
    assert (answer.status, answer.body) == (200, "")
    assert wire.groups() == []


def test_an_invalid_batch_is_a_500_that_names_the_first_bad_group(wire: Wire) -> None:
    batch = [new(), new(records={"x": 1}), new(records={"y": 1})]
    answer = wire.ask("POST", VALIDATE, batch)
    problem = "x is not a usage dimension of entitlement on-aws"
    assert answer.status == 500
    assert answer.body == f"validation failed for usage record group [1]: {problem}"
