"""Tokens of the emulated Togai: for its API and for a customer's portal."""

import base64
from typing import Any

import pytest

from billing_mcp import money
from sandbox.asking import Asker
from sandbox.togai import world

NOON = 1_795_176_000  # 2026-11-20T12:00:00Z
DAY_S = 86_400


def claims(token: str) -> Any:
    part = token.split(".")[1]
    return money.from_json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_an_api_key_is_traded_for_a_token_of_a_day(ask: Asker) -> None:
    token = ask.done("POST", "/authenticate")["token"]

    said = claims(token)
    assert (said["sub"], said["iat"], said["exp"]) == ("sandbox", NOON, NOON + DAY_S)


def test_a_token_is_answered_with_itself(ask: Asker) -> None:
    token = ask.done("POST", "/authenticate")["token"]

    again = ask.raw("POST", "/togai/authenticate", headers={"Authorization": f"Bearer {token}"})

    assert money.from_json(again.content) == {"token": token}


def test_a_portal_token_names_the_customer_and_its_accounts(ask: Asker) -> None:
    for account_id in ("one", "two"):
        world.account(ask, account_id)

    some = ask.done("POST", "/portal/token", {"customerId": "acme", "accountIds": ["two"]})
    body = {"customerId": "acme", "allAccountsAccess": True, "expiry": 60}
    every = ask.done("POST", "/portal/token", body)

    assert claims(some["token"])["accounts"] == ["two"]
    assert claims(some["token"])["exp"] == NOON + DAY_S
    assert (claims(every["token"])["sub"], claims(every["token"])["accounts"]) == (
        "acme",
        ["one", "two"],
    )
    assert claims(every["token"])["exp"] == NOON + 60


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"customerId": "none"}, 404, "Customer none not found"),
        ({"accountIds": []}, 400, "give either accountIds or allAccountsAccess"),
        ({"allAccountsAccess": True}, 400, "give either accountIds or allAccountsAccess"),
        ({"accountIds": ["x"]}, 400, "accountIds[0]: customer acme has no account x"),
        ({"accountIds": ["x"] * 6}, 400, "accountIds must have at most 5 items"),
        ({"expiry": 0}, 400, "expiry must be a whole number from 1 to 86400"),
    ],
)
def test_a_portal_token_that_makes_no_sense_is_refused(
    ask: Asker, change: dict[str, Any], status: int, message: str
) -> None:
    world.account(ask)
    body = {"customerId": "acme", "accountIds": ["main"]}

    answer = ask.togai("POST", "/portal/token", body | change)

    assert (answer.status, answer.message) == (status, message)


def test_an_archived_customer_gets_no_portal_token(ask: Asker) -> None:
    ask.done("POST", "/customers", world.CUSTOMER)
    ask.done("DELETE", "/customers/acme")

    answer = ask.togai("POST", "/portal/token", {"customerId": "acme", "allAccountsAccess": True})

    assert (answer.status, answer.message) == (400, "customerId: customer acme is archived")
