"""Custom invoices and credits of the account main, as tests of either need them."""

from typing import Any

from sandbox.asking import Asker

PERIOD = {"startDate": "2026-11-01T00:00:00Z", "endDate": "2026-12-01T00:00:00Z"}


def body_of(*items: Any, **fields: Any) -> dict[str, Any]:
    lines: list[Any] = list(items) or [{"description": "Workshop", "value": 100}]
    return {"accountId": "main", "status": "DRAFT", "lineItems": lines, **PERIOD, **fields}


def write(ask: Asker, *items: Any, **fields: Any) -> Any:
    """A custom invoice of the account main."""
    answer = ask.togai("POST", "/invoices", body_of(*items, **fields))
    assert answer.status == 201, answer.body
    return answer.body


def read(ask: Asker, invoice: Any) -> Any:
    return ask.done("GET", f"/invoices/{invoice['id']}")


def credit(ask: Asker, amount: Any, **fields: Any) -> str:
    item = {
        "accountId": "main",
        "purpose": "Welcome",
        "effectiveFrom": "2026-11-01",
        "creditAmount": amount,
        "priority": 1,
    }
    made = ask.done("POST", "/credits", {"creditRequests": [item | fields]})
    credit_id: str = made["credits"][0]["id"]
    return credit_id


def used(ask: Asker, credit_id: str) -> tuple[Any, Any, str]:
    """Held, consumed, status."""
    shown = ask.done("GET", f"/credits/{credit_id}")
    return shown["holdAmount"], shown["consumedAmount"], shown["status"]
