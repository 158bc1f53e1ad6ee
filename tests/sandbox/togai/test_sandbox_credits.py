"""Credits of the emulated Togai: granting, repeating, balance, ends."""

from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.sandbox import SandboxSettings, open_sandbox
from billing_mcp.sandbox.togai import credit_ledger
from sandbox.asking import Asker
from sandbox.togai.world import RATED, account, associate, event, meter, plan, schema

WISH = {
    "accountId": "main",
    "purpose": "PROMOTION",
    "effectiveFrom": "2026-11-20",
    "effectiveUntil": "2027-01-01",
    "creditAmount": Decimal("50.25"),
    "priority": 1,
}


def grant(ask: Asker, **changes: Any) -> Any:
    (credit,) = ask.done("POST", "/credits", {"creditRequests": [WISH | changes]})["credits"]
    return credit


def balance(ask: Asker) -> dict[str, Any]:
    found: dict[str, Any] = ask.done("GET", "/accounts/main/credit_balance")
    return found


def transactions(ask: Asker, credit_id: str) -> list[tuple[str, Any]]:
    rows = ask.done("GET", f"/credits/{credit_id}")["transactions"]
    return [(row["transactionType"], row["amount"]) for row in rows]


def test_a_granted_credit_is_active_in_the_accounts_currency(ask: Asker) -> None:
    account(ask, invoiceCurrency="JPY")

    credit = grant(ask, applicableEntityIds=["um.1"], grantorId="support", idempotencyKey="key-1")

    assert credit.pop("id").startswith("cred.")
    assert credit == WISH | {
        "applicableEntityIds": ["um.1"],
        "grantorId": "support",
        "idempotencyKey": "key-1",
        "customerId": "acme",
        "status": "ACTIVE",
        "creditUnit": "JPY",
        "holdAmount": 0,
        "consumedAmount": 0,
        "createdAt": "2026-11-20T12:00:00.000Z",
        "updatedAt": "2026-11-20T12:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accountId": "none"}, "creditRequests[0].accountId: there is no account none"),
        ({"creditAmount": 0}, "creditRequests[0].creditAmount must be greater than 0"),
        ({"creditAmount": "5"}, "creditRequests[0].creditAmount must be a number"),
        ({"creditAmount": True}, "creditRequests[0].creditAmount must be a number"),
        ({"priority": 1.5}, "creditRequests[0].priority must be a whole number"),
        ({"effectiveFrom": "2026-11-20T00:00:00Z"}, "creditRequests[0].effectiveFrom must be a d"),
        ({"effectiveUntil": "2026-11-20"}, "creditRequests[0].effectiveUntil must be later than"),
        (
            {"effectiveFrom": "2026-01-01", "effectiveUntil": "2026-11-20"},
            "creditRequests[0].effectiveUntil must be in the future",
        ),
        ({"effectiveTo": "2027-01-01"}, "creditRequests[0].effectiveTo is not a field here"),
        ({"applicableEntityIds": [1]}, "creditRequests[0].applicableEntityIds[0] must be a str"),
    ],
)
def test_a_malformed_credit_is_refused(ask: Asker, change: dict[str, Any], message: str) -> None:
    account(ask)
    wish = {
        name: Decimal(repr(value)) if isinstance(value, float) else value
        for name, value in (WISH | change).items()
    }

    answer = ask.togai("POST", "/credits", {"creditRequests": [wish]})

    assert answer.status == 400
    assert answer.message.startswith(message)


@pytest.mark.parametrize("missing", ["accountId", "purpose", "effectiveFrom", "priority"])
def test_a_credit_without_a_required_field_is_refused(ask: Asker, missing: str) -> None:
    account(ask)
    wish = {name: value for name, value in WISH.items() if name != missing}

    answer = ask.togai("POST", "/credits", {"creditRequests": [wish]})

    assert answer.message == f"creditRequests[0].{missing} is required"


def test_of_several_credits_all_are_granted_or_none(ask: Asker) -> None:
    account(ask)

    refused = ask.togai("POST", "/credits", {"creditRequests": [WISH, WISH | {"priority": -1}]})

    assert refused.message.startswith("creditRequests[1].priority")
    assert ask.done("GET", "/credits")["data"] == []
    assert ask.effects("credit") == []


def test_a_repeated_key_gives_back_the_original_credit(ask: Asker) -> None:
    account(ask)

    first = grant(ask, idempotencyKey="key-1")
    second = grant(ask, idempotencyKey="key-1", creditAmount=99)

    assert second == first
    assert len(ask.effects("credit")) == 1


def test_a_repeated_key_is_refused_when_the_settings_say_so() -> None:
    settings = SandboxSettings(demo=False, repeated_credit_key="refuse")
    ask = Asker(open_sandbox(settings))
    account(ask)
    credit = grant(ask, idempotencyKey="key-1")

    answer = ask.togai("POST", "/credits", {"creditRequests": [WISH | {"idempotencyKey": "key-1"}]})

    assert (answer.status, answer.message) == (
        400,
        f"creditRequests[0].idempotencyKey was used for credit {credit['id']} already",
    )
    assert len(ask.effects("credit")) == 1


def test_the_balance_tells_available_held_and_not_yet_begun_apart(ask: Asker) -> None:
    account(ask)
    credit = grant(ask)
    grant(ask, creditAmount=8, effectiveFrom="2026-12-01", effectiveUntil="2027-06-01")
    ask.control("POST", "/clock", {"advance": "PT1H"})
    with ask.sandbox.backend.transaction() as call:
        credit_ledger.debit(call, credit["id"], Decimal("20.05"), "inv.1", "um.1")
    schema(ask)
    associate(ask, plan(ask, usageRateCards=[{"usageMeterId": meter(ask), **RATED}]))
    # 40.8 calls at 0.25 are 10.20, which the draft holds.
    ask.done("POST", "/ingest", {"event": event(calls="40.8")})

    assert balance(ask) == {
        "activeCredits": Decimal("50.25"),
        "availableBalance": Decimal("30.20"),
        "runningBalance": Decimal("20.00"),
        "inapplicableCredits": 8,
        "unit": "USD",
        "lastUpdatedAt": "2026-11-20T13:00:00.000Z",
    }
    assert transactions(ask, credit["id"]) == [
        ("CREDITED", Decimal("50.25")),
        ("DEBITED", Decimal("20.05")),
    ]


def test_the_balance_of_an_account_without_credits_is_nothing(ask: Asker) -> None:
    account(ask)

    found = balance(ask)

    assert (found["availableBalance"], found["unit"]) == (0, "USD")
    assert found["lastUpdatedAt"] == "2026-11-20T12:00:00.000Z"
    assert ask.togai("GET", "/accounts/none/credit_balance").status == 404


def test_a_credit_that_is_used_up_is_consumed_and_cannot_pay_more(ask: Asker) -> None:
    account(ask)
    credit = grant(ask)
    with ask.sandbox.backend.transaction() as call:
        credit_ledger.debit(call, credit["id"], Decimal("50.25"), "inv.1")

    assert ask.done("GET", f"/credits/{credit['id']}")["status"] == "CONSUMED"
    with (
        pytest.raises(ValueError, match=r"cannot pay 0\.01"),
        ask.sandbox.backend.transaction() as call,
    ):
        credit_ledger.debit(call, credit["id"], Decimal("0.01"), "inv.1")


def test_a_credit_expires_at_the_midnight_of_its_end_with_what_is_left(ask: Asker) -> None:
    account(ask)
    credit = grant(ask)
    with ask.sandbox.backend.transaction() as call:
        credit_ledger.debit(call, credit["id"], Decimal("0.25"), "inv.1")

    ask.control("POST", "/clock", {"now": "2026-12-31T23:59:59Z"})
    before = ask.done("GET", f"/credits/{credit['id']}")["status"]
    ask.control("POST", "/clock", {"advance": "PT1S"})

    assert before == "ACTIVE"
    assert ask.done("GET", f"/credits/{credit['id']}")["status"] == "EXPIRED"
    assert transactions(ask, credit["id"])[-1] == ("EXPIRED", Decimal("50.00"))
    assert balance(ask)["availableBalance"] == 0


def test_a_credit_without_an_end_never_expires(ask: Asker) -> None:
    account(ask)
    wish = {name: value for name, value in WISH.items() if name != "effectiveUntil"}
    (credit,) = ask.done("POST", "/credits", {"creditRequests": [wish]})["credits"]

    ask.control("POST", "/clock", {"advance": "P10Y"})

    assert "effectiveUntil" not in credit
    assert ask.done("GET", f"/credits/{credit['id']}")["status"] == "ACTIVE"


def test_only_an_active_credit_can_be_voided(ask: Asker) -> None:
    account(ask)
    credit = grant(ask)

    voided = ask.done("POST", f"/credits/{credit['id']}/void")
    again = ask.togai("POST", f"/credits/{credit['id']}/void")

    assert (voided["status"], again.status) == ("VOIDED", 400)
    assert transactions(ask, credit["id"])[-1] == ("VOIDED", Decimal("50.25"))
    assert len(ask.effects("credit-void")) == 1
    assert ask.togai("POST", "/credits/cred.0/void").status == 404
    assert ask.togai("GET", "/credits/cred.0").status == 404


def test_credits_are_listed_by_account_status_and_id(ask: Asker) -> None:
    account(ask)
    account(ask, "other")
    first, second = grant(ask), grant(ask, accountId="other")
    ask.done("POST", f"/credits/{second['id']}/void")

    def listed(**query: str) -> set[str]:
        return {row["id"] for row in ask.done("GET", "/credits", **query)["data"]}

    assert listed() == {first["id"], second["id"]}
    assert listed(account_id="main") == {first["id"]}
    assert listed(status="VOIDED") == {second["id"]}
    assert listed(id=first["id"], status="VOIDED") == set()
    assert ask.togai("GET", "/credits", status="GONE").status == 400
    assert ask.togai("GET", "/credits", pageSize=51).status == 400
