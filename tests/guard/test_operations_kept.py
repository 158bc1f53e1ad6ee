"""What makes two calls the same call, and what the ledger keeps of one."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, SecretStr

from billing_mcp.guard.arguments import canonical, fingerprint, minimised, plainest, storable
from billing_mcp.guard.operations import Key, Partition, Settlement, State, added

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"


class Body(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str
    note: str | None = None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"amount": Decimal("12.50")}, {"amount": Decimal("12.5")}),
        ({"amount": Decimal("1E+2")}, {"amount": 100}),
        ({"amount": Decimal("-0.00")}, {"amount": 0}),
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
        ({"at": NOON}, {"at": NOON.astimezone(timezone(timedelta(hours=5)))}),
        ({"colour": Colour.RED}, {"colour": "red"}),
        ({"ids": (1, 2)}, {"ids": [1, 2]}),
        ({"body": Body(name="x")}, {"body": {"name": "x"}}),
        (
            {"body": Body.model_validate({"name": "x", "more": 1})},
            {"body": {"name": "x", "more": 1}},
        ),
        ({"a": 1, "operationId": "x", "dryRun": True, "detail": "full"}, {"a": 1}),
    ],
)
def test_one_meaning_has_one_fingerprint(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert fingerprint("grant-credit", one) == fingerprint("grant-credit", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"amount": Decimal("12.50")}, {"amount": Decimal("12.51")}),
        ({"amount": Decimal(1)}, {"amount": "1"}),
        ({"name": None}, {}),
        ({"ids": [1, 2]}, {"ids": [2, 1]}),
        ({"flag": True}, {"flag": 1}),
        ({"body": Body(name="x", note=None)}, {"body": Body(name="x")}),
        ({"a": {"b": 1}}, {"a": {"b": {"b": 1}}}),
        ({"key": SecretStr("one")}, {"key": SecretStr("two")}),
        ({"big": Decimal("1" * 60 + ".1")}, {"big": Decimal("1" * 60 + ".2")}),
    ],
)
def test_another_meaning_has_another_fingerprint(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert fingerprint("grant-credit", one) != fingerprint("grant-credit", other)


def test_another_tool_has_another_fingerprint() -> None:
    assert fingerprint("grant-credit", {}) != fingerprint("void-invoice", {})


def test_a_float_is_no_argument_and_no_part_of_a_record() -> None:
    for value in (1.5, [1.5], {"a": {"b": 1.5}}):
        with pytest.raises(TypeError):
            plainest(value)
        with pytest.raises(TypeError):
            canonical(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_canonical_json_says_what_any_reader_reads(value: Any) -> None:
    assert json.loads(canonical(value)) == json.loads(json.dumps(stored(value)))


@given(st.dictionaries(st.text(), st.integers()), st.randoms())
def test_the_order_of_members_does_not_matter(value: dict[str, int], chance: Any) -> None:
    shuffled = list(value.items())
    chance.shuffle(shuffled)
    assert canonical(dict(shuffled)) == canonical(value)


def stored(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(name): stored(item) for name, item in value.items()}
    return [stored(item) for item in value] if isinstance(value, list) else value


def test_secrets_and_personal_data_are_not_kept() -> None:
    arguments = {
        "operationId": "x",
        "customerId": "cust-1",
        "name": "Acme",
        "amount": Decimal("12.50"),
        "primaryEmail": "billing@acme.example",
        "invoiceEmails": ["a@acme.example", "b@acme.example"],
        "address": {"line1": "1 High Street", "phoneNumber": "555"},
        "apiKey": "key-1",
        "token": SecretStr("hidden"),
        "body": Body.model_validate({"name": "Ask cfo@acme.example, please", "password": "p"}),
        "idempotencyKey": "grant-1",
        "settings": {"note": None, "phone": ""},
    }
    assert minimised(arguments) == {
        "customerId": "cust-1",
        "name": "Acme",
        "amount": Decimal("12.5"),
        "primaryEmail": "[personal]",
        "invoiceEmails": "[personal]",
        "address": "[personal]",
        "apiKey": "[secret]",
        "token": "[secret]",
        "body": {"name": "Ask [e-mail], please", "password": "[secret]"},
        "idempotencyKey": "grant-1",
        "settings": {"note": None, "phone": ""},
    }


def test_every_item_of_a_list_is_kept_for_whoever_has_to_find_out() -> None:
    events = [{"id": f"event-{number}"} for number in range(2000)]
    assert minimised({"events": events}) == {"events": events}


def test_a_key_has_one_spelling() -> None:
    spelt = Key.of("acme", "live", "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}")
    assert spelt == Key(Partition("acme", "live"), "6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    assert spelt == Key.of("acme", "live", UUID("6ba7b8109dad11d180b400c04fd430c8"))
    with pytest.raises(ValueError, match="badly formed"):
        Key.of("acme", "live", "not an id")


def test_amounts_are_added_without_a_rounding() -> None:
    assert added(Decimal("1e30"), Decimal("1e-30")) == Decimal(
        "1" + "0" * 30 + "." + "0" * 29 + "1"
    )


def test_a_settlement_is_an_end_and_only_a_rejection_may_be_tried_again() -> None:
    for state in (State.CLAIMED, State.SENT, State.PLANNED):
        with pytest.raises(ValueError, match="not what a write comes to"):
            Settlement(state)
    with pytest.raises(ValueError, match="only a rejection"):
        Settlement(State.COMMITTED, retryable=True)
