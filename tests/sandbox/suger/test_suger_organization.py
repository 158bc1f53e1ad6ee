"""What holds for every path of Suger's."""

import pytest

from sandbox.suger.wire import Wire


def test_another_organization_than_the_sandbox_s_is_not_found(wire: Wire) -> None:
    answer = wire.at("GET", "/suger/org/acme/buyer")
    assert answer.status == 404
    assert answer.body.startswith("organization acme not found")


@pytest.mark.parametrize("header", [{}, {"Authorization": "Key "}, {"Authorization": "secret"}])
def test_a_request_without_a_key_is_refused_with_a_json_string(
    wire: Wire, header: dict[str, str]
) -> None:
    response = wire.raw("GET", "/suger/org/sandbox/buyer", b"", header)
    assert response.status_code == 401
    assert isinstance(response.json(), str)
    assert response.headers["x-sandbox"]


@pytest.mark.parametrize("key", ["Key anything", "Bearer token"])
def test_any_key_will_do(wire: Wire, key: str) -> None:
    response = wire.raw("GET", "/suger/org/sandbox/buyer", b"", {"Authorization": key})
    assert response.status_code == 200


def test_an_operation_of_the_vendor_s_that_is_not_imitated_answers_501_by_name(wire: Wire) -> None:
    answer = wire.ask("POST", "/buyer", {"name": "Somebody"})
    assert (answer.status, answer.body) == (
        501,
        "not imitated by the sandbox: POST /org/{orgId}/buyer",
    )


def test_a_path_that_is_not_the_vendor_s_is_not_found(wire: Wire) -> None:
    assert wire.ask("GET", "/usageRecordGroups").status == 404
