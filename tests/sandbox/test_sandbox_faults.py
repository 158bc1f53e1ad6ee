"""Faults: which requests they strike, and what the client then sees, over a real socket too."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import pytest

from billing_mcp.sandbox import SandboxSettings, open_sandbox
from billing_mcp.sandbox.serve import serve
from sandbox.asking import KEY, Asker

CUSTOMER = {"id": "acme", "name": "Acme", "primaryEmail": "billing@acme.example", "address": {}}


def test_a_status_fault_answers_instead_of_the_operation(ask: Asker) -> None:
    fault = {"mode": "status", "status": 429, "retryAfter": 7}
    ask.control("PUT", "/faults", [fault])

    answer = ask.togai("POST", "/customers", CUSTOMER)
    suger = ask.at("GET", "/suger/org/sandbox/buyer")
    ask.control("DELETE", "/faults")

    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert answer.message == "a fault of the sandbox answers 429"
    assert (suger.status, suger.body) == (429, "a fault of the sandbox answers 429")
    assert ask.togai("GET", "/customers/acme").status == 404


def test_garbage_is_html_with_status_200_and_nothing_is_applied(ask: Asker) -> None:
    ask.control("PUT", "/faults", [{"mode": "garbage"}])

    response = ask.raw("POST", "/togai/customers", b"{}")

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["x-sandbox"] == "billing-mcp"
    assert response.text.startswith("<!doctype html>")


def test_a_truncated_answer_is_cut_in_its_middle_and_the_effect_is_there(ask: Asker) -> None:
    whole = ask.raw("GET", "/togai/customers").content
    ask.control("PUT", "/faults", [{"mode": "truncate", "times": 2}])

    cut = ask.raw("GET", "/togai/customers").content
    ask.raw("POST", "/togai/customers", httpx2.Request("POST", "http://x", json=CUSTOMER).content)

    assert cut == whole[: len(whole) // 2]
    assert [entry["id"] for entry in ask.effects("customer")] == ["acme"]


def test_a_delayed_answer_comes_whole_and_late(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[Any] = []

    async def sleep(seconds: Any) -> None:
        slept.append(seconds)

    monkeypatch.setattr("billing_mcp.sandbox.app.anyio.sleep", sleep)
    ask.control("PUT", "/faults", [{"mode": "delay", "seconds": 2, "path": "/togai/*"}])

    assert ask.done("POST", "/customers", CUSTOMER)["id"] == "acme"
    assert slept == [2]


@pytest.mark.parametrize(
    ("fault", "struck"),
    [
        ({"method": "GET"}, [True, True, False]),
        ({"method": "POST"}, [False, False, True]),
        ({"path": "/togai/customers"}, [False, True, True]),
        ({"path": "/togai/c*"}, [True, True, True]),
        ({"path": "/suger/*"}, [False, False, False]),
        ({"times": 2}, [True, True, False]),
        ({"times": 0}, [False, False, False]),
        ({"probability": 0}, [False, False, False]),
        ({"skip": 1}, [False, True, True]),
        ({"skip": 1, "times": 1}, [False, True, False]),
        ({"skip": 1, "method": "GET"}, [False, True, False]),
        ({"skip": 3}, [False, False, False]),
    ],
)
def test_a_fault_strikes_by_method_path_count_and_probability(
    ask: Asker, fault: dict[str, Any], struck: list[bool]
) -> None:
    ask.control("PUT", "/faults", [{"mode": "status", "status": 503} | fault])

    answers = [
        ask.togai("GET", "/credits"),
        ask.togai("GET", "/customers"),
        ask.togai("POST", "/customers", {}),
    ]

    assert [answer.status == 503 for answer in answers] == struck
    assert ask.control("GET", "/faults")[0]["fired"] == sum(struck)


def test_a_seed_decides_which_requests_are_struck(ask: Asker) -> None:
    def run(seed: int) -> list[int]:
        fault = {"mode": "status", "probability": Decimal("0.5"), "seed": seed}
        ask.control("PUT", "/faults", [fault])
        return [ask.togai("GET", "/customers").status for _ in range(20)]

    first = run(1)

    assert run(1) == first
    assert run(2) != first
    assert set(first) == {200, 500}


def test_the_first_fault_that_fires_wins_and_the_next_takes_over_when_it_is_spent(
    ask: Asker,
) -> None:
    faults = [
        {"mode": "status", "status": 500, "times": 1},
        {"mode": "status", "status": 503, "times": 1},
    ]
    ask.control("PUT", "/faults", faults)

    statuses = [ask.togai("GET", "/customers").status for _ in range(3)]

    assert statuses == [500, 503, 200]


def test_faults_leave_the_controls_alone(ask: Asker) -> None:
    ask.control("PUT", "/faults", [{"mode": "status"}])

    assert ask.control("GET", "/clock") == {"now": "2026-11-20T12:00:00Z"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "the body must be a list of faults"),
        ([{}], "[0].mode is required"),
        ([{"mode": "flood"}], "[0].mode must be one of status, reset-before"),
        ([{"mode": "status"}, {"mode": "delay", "seconds": "1"}], "[1].seconds must be a number"),
        ([{"mode": "status", "probability": 2}], "[0].probability must be at most 1"),
        ([{"mode": "status", "status": 200}], "[0].status must be a whole number from 400"),
        ([{"mode": "status", "prob": 1}], "[0].prob is not a field of a fault"),
    ],
)
def test_a_malformed_fault_is_refused_and_the_old_ones_stay(
    ask: Asker, body: Any, message: str
) -> None:
    ask.control("PUT", "/faults", [{"mode": "status", "status": 418}])

    answer = ask.at("PUT", "/control/faults", body)

    assert answer.status == 400
    assert answer.message.startswith(message)
    assert ask.togai("GET", "/customers").status == 418


@pytest.mark.parametrize(("mode", "applied"), [("reset-before", []), ("reset-after", ["acme"])])
def test_embedded_a_reset_is_the_error_a_transport_would_raise(
    ask: Asker, mode: str, applied: list[str]
) -> None:
    ask.control("PUT", "/faults", [{"mode": mode}])

    with pytest.raises(ConnectionResetError):
        ask.togai("POST", "/customers", CUSTOMER)

    assert [entry["id"] for entry in ask.effects("customer")] == applied


@contextmanager
def _raises_no_answer() -> Iterator[None]:
    with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):
        yield


@pytest.mark.parametrize(("mode", "applied"), [("reset-before", []), ("reset-after", ["acme"])])
def test_over_a_socket_a_reset_is_a_connection_that_breaks_without_an_answer(
    mode: str, applied: list[str]
) -> None:
    sandbox = open_sandbox(SandboxSettings(demo=False))

    async def exercise() -> list[str]:
        ports: list[int] = []
        async with anyio.create_task_group() as group:
            group.start_soon(serve, sandbox, "127.0.0.1", 0, ports.append)
            while not ports:
                await anyio.lowlevel.checkpoint()
            url = f"http://127.0.0.1:{ports[0]}"
            async with httpx2.AsyncClient(base_url=url, headers=KEY) as client:
                await client.put("/control/faults", json=[{"mode": mode, "times": 1}])
                with _raises_no_answer():
                    await client.post("/togai/customers", json=CUSTOMER)
                shown = (await client.get("/control/effects?kind=customer")).json()
                assert (await client.get("/togai/customers")).status_code == 200
            group.cancel_scope.cancel()
        return [entry["id"] for entry in shown["effects"]]

    assert anyio.run(exercise) == applied


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_the_sandbox_refuses_to_serve_beyond_loopback(host: str) -> None:
    sandbox = open_sandbox(SandboxSettings(demo=False))

    with pytest.raises(ValueError, match="loopback only"):
        anyio.run(serve, sandbox, host, 0, None)
