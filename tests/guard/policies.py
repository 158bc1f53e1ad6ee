"""Policies from their text, and calls to be judged by them."""

import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing_mcp.guard.policy import Amount, Ask, Policy
from billing_mcp.guard.policy_file import File

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)


def policy_of(text: str) -> Policy:
    """The policy of a file with this text."""
    return Policy(
        "policy.toml", "f" * 64, File.model_validate(tomllib.loads(text, parse_float=Decimal))
    )


def money(value: str, currency: str | None = "USD", **more: Any) -> Amount:
    """An amount that counts for Acme; `customer` and `role_spent` are what was spent today."""
    return Amount(
        Decimal(value),
        currency,
        more.get("whose", "acme"),
        Decimal(more.get("customer", "0")),
        Decimal(more.get("role_spent", "0")),
    )


def grant(value: str = "10", currency: str | None = "USD", **more: Any) -> Ask:
    """A credit for Acme that support grants at noon, unless `more` says otherwise."""
    amount = {name: more.pop(name) for name in ("whose", "customer", "role_spent") if name in more}
    facts: dict[str, Any] = {
        "tool": "grant-credit",
        "customers": frozenset({"acme"}),
        "amount": money(value, currency, **amount),
        "purpose": "Goodwill",
    }
    return write(**{**facts, **more})


def write(tool: str = "create-customer", **more: Any) -> Ask:
    """A write of support without an amount, for nobody in particular."""
    facts: dict[str, Any] = {
        "reads": False,
        "destructive": False,
        "role": "support",
        "principal": "ann@support.example",
        "now": NOON,
    }
    return Ask(tool, **{**facts, **more})


def read(tool: str = "list-credits", **more: Any) -> Ask:
    return write(tool, **{"reads": True, **more})
