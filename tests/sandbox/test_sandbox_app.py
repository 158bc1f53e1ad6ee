"""What is true of every request to the sandbox, whichever vendor it is for."""

from collections.abc import MutableMapping
from decimal import Decimal
from typing import Any

import anyio
import pytest

from billing_mcp import money
from billing_mcp.sandbox import SandboxSettings, open_sandbox
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.routes import RouteTable, vendor_operations
from sandbox.asking import Asker

CUSTOMER = {
    "id": "acme",
    "name": "Acme",
    "primaryEmail": "billing@acme.example",
    "address": {"city": "Chennai"},
}
MEBIBYTE = 1_048_576


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Basic abc"}, 401),
        ({"X-API-Key": " "}, 401),
        ({"Authorization": "Bearer abc"}, 200),
        ({"X-API-Key": "abc"}, 200),
    ],
)
def test_togai_wants_a_bearer_token_or_an_api_key(
    ask: Asker, headers: dict[str, str], status: int
) -> None:
    response = ask.raw("GET", "/togai/customers", headers=headers)

    assert response.status_code == status
    assert ("message" in response.json()) == (status == 401)


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("", 401), ("Key ", 401), ("abc", 401), ("Key abc", 404), ("Bearer abc", 404)],
)
def test_suger_wants_a_key_and_answers_errors_as_json_strings(
    ask: Asker, authorization: str, status: int
) -> None:
    response = ask.raw("GET", "/suger/nowhere", headers={"Authorization": authorization})

    assert response.status_code == status
    assert isinstance(response.json(), str)


def test_the_controls_need_no_key(ask: Asker) -> None:
    assert ask.raw("GET", "/control/clock", headers={}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/togai/customers", "/togai/nope", "/suger/nope", "/control/clock", "/", "/other/x"]
)
def test_every_answer_carries_the_sandboxs_header(ask: Asker, path: str) -> None:
    assert ask.raw("GET", path).headers["x-sandbox"] == "billing-mcp"


def test_an_operation_that_is_not_imitated_answers_501_and_names_it() -> None:
    table = RouteTable((), vendor_operations("togai"))

    with pytest.raises(Refusal) as refused:
        table.find("GET", ("settings", "tax"))

    assert refused.value.status == 501
    assert str(refused.value) == "not imitated by the sandbox: GET /settings/{setting_id_str}"


def test_a_method_the_path_does_not_have_answers_405_with_those_it_has(ask: Asker) -> None:
    answer = ask.togai("DELETE", "/customers")

    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


def test_a_path_the_vendor_does_not_have_answers_404(ask: Asker) -> None:
    assert ask.togai("GET", "/customers/acme/accounts").status == 404
    assert ask.togai("GET", "/customers/").status == 404
    assert ask.at("GET", "/other/customers").status == 404


def test_a_body_of_a_mebibyte_is_read_and_a_larger_one_answers_413(ask: Asker) -> None:
    largest = money.to_json(CUSTOMER).rjust(MEBIBYTE)

    assert ask.raw("POST", "/togai/customers", largest).status_code == 201
    too_large = ask.raw("POST", "/togai/customers", b" " + largest)
    assert too_large.status_code == 413
    assert too_large.json() == {"message": "the body is larger than 1048576 bytes"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"[" * 42 + b"]" * 42,
        b'{"id": NaN}',
        b"[" * 100_000,
        b'{"id": "\\ud800"}',
        b'{"id": 1e999999}',
    ],
)
def test_a_body_that_is_not_json_answers_400(ask: Asker, body: bytes) -> None:
    response = ask.raw("POST", "/togai/customers", body)

    assert response.status_code == 400
    assert response.json()["message"].startswith("the body is not JSON")


def test_a_missing_body_answers_400(ask: Asker) -> None:
    assert ask.togai("POST", "/customers").message == "the body must be a JSON object"


@pytest.mark.parametrize("target", ["/togai/customers/%ff", "/togai/customers?id=%ff"])
def test_a_path_or_query_that_is_not_utf8_answers_400(ask: Asker, target: str) -> None:
    assert ask.raw("GET", target).status_code == 400


def test_an_encoded_slash_stays_inside_its_part_of_the_path(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER | {"id": "a/b #1$"})

    assert ask.done("GET", "/customers/a%2Fb%20%231%24")["id"] == "a/b #1$"


def test_a_refused_request_leaves_nothing_of_itself(ask: Asker) -> None:
    account = {"id": "main", "name": "Main", "invoiceCurrency": "usd"}

    refused = ask.togai("POST", "/customers", CUSTOMER | {"account": account})

    assert refused.status == 400
    assert refused.message == "account.invoiceCurrency must match [A-Z]{3}"
    assert ask.togai("GET", "/customers/acme").status == 404
    assert ask.control("GET", "/effects") == {"effects": []}


def test_a_handler_that_breaks_leaves_nothing_of_itself(ask: Asker) -> None:
    def half_done(call: Call) -> None:
        call.effect("half", "1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ask.sandbox.backend.transaction() as call:
        half_done(call)

    assert ask.effects("half") == []


def test_a_number_comes_back_with_every_digit(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER | {"account": {"id": "main", "name": "Main"}})
    amount = Decimal("12345678901234567890.123456789012345678")
    wish = {
        "accountId": "main",
        "purpose": "PROMOTION",
        "effectiveFrom": "2026-11-20",
        "priority": 1,
        "creditAmount": amount,
    }

    (credit,) = ask.done("POST", "/credits", {"creditRequests": [wish]})["credits"]

    assert credit["creditAmount"] == amount


def test_two_sandboxes_make_the_same_ids_for_the_same_calls() -> None:
    first, second = (Asker(open_sandbox(SandboxSettings(demo=False))) for _ in range(2))

    made = [ask.done("POST", "/customers", CUSTOMER)["togaiCustomerId"] for ask in (first, second)]

    assert made[0] == made[1]


def test_quotas_per_second_hold_when_they_are_switched_on() -> None:
    ask = Asker(open_sandbox(SandboxSettings(demo=False, quotas=True)))

    statuses = [ask.togai("GET", "/customers").status for _ in range(11)]
    refused = ask.togai("GET", "/customers")
    ingests = [ask.togai("POST", "/ingest").status for _ in range(51)]
    ask.control("POST", "/clock", {"advance": "PT1S"})

    assert statuses == [200] * 10 + [429]
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert ingests == [400] * 50 + [429]
    assert ask.togai("GET", "/customers").status == 200


def test_quotas_of_the_organisation_hold_when_they_are_switched_on() -> None:
    ask = Asker(open_sandbox(SandboxSettings(demo=False, quotas=True)))
    for number in range(100):
        ask.sandbox.backend.request("POST", "/togai/customers", CUSTOMER | {"id": f"c{number}"})

    answer = ask.togai("POST", "/customers", CUSTOMER)

    assert answer.status == 400
    assert answer.message == "Quota exceeded: the organisation has 100 customers already"


def test_the_app_answers_the_lifespan_protocol_and_nothing_but_http() -> None:
    sandbox = open_sandbox(SandboxSettings(demo=False))
    sent: list[str] = []

    async def exercise() -> None:
        incoming = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> MutableMapping[str, Any]:
            return {"type": next(incoming)}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message["type"])

        await sandbox({"type": "lifespan"}, receive, send)
        with pytest.raises(RuntimeError, match="websocket"):
            await sandbox({"type": "websocket"}, receive, send)

    anyio.run(exercise)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
