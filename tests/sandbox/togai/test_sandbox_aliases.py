"""Aliases of the emulated Togai's organisation, beside those of accounts."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world


def create(ask: Asker, *values: str) -> Any:
    return ask.togai("POST", "/aliases", {"aliases": [{"value": value} for value in values]})


def known(ask: Asker) -> list[str]:
    return [row["value"] for row in ask.done("GET", "/aliases", pageSize="100")["data"]]


def test_aliases_are_created_together_read_listed_and_deleted(ask: Asker) -> None:
    made = create(ask, "device-1", "device/2")
    assert made.status == 201
    assert [row["value"] for row in made.body["data"]] == ["device-1", "device/2"]

    assert ask.done("GET", "/aliases/device%2F2") == {
        "value": "device/2",
        "createdAt": "2026-11-20T12:00:00.000Z",
    }
    assert ask.done("DELETE", "/aliases/device-1") == {"success": True}
    assert known(ask) == ["device/2"]
    gone = ask.togai("DELETE", "/aliases/device-1")
    assert (gone.status, gone.message) == (404, "Alias device-1 not found")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"aliases": []}, "aliases must have at least 1 items"),
        ({"aliases": [{"value": "x"}] * 101}, "aliases must have at most 100 items"),
        ({"aliases": [{"value": ""}]}, "aliases[0].value must have at least 1 characters"),
        ({"aliases": [{"value": "x" * 256}]}, "aliases[0].value must have at most 255"),
        ({"aliases": [{"value": "a"}] * 2}, "aliases[1].value: a is an alias or an account"),
        ({"aliases": [{"value": "main"}]}, "aliases[0].value: main is an alias or an account"),
        ({"aliases": [{"value": "ours"}]}, "aliases[0].value: ours is an alias or an account"),
    ],
)
def test_malformed_and_taken_aliases_are_refused_and_none_is_kept(
    ask: Asker, body: Any, message: str
) -> None:
    world.account(ask, aliases=["ours"])

    answer = ask.togai("POST", "/aliases", body)

    assert answer.status == 400
    assert answer.message.startswith(message)
    assert known(ask) == ["ours"]


def test_an_alias_of_an_account_is_listed_and_removed_only_at_the_account(ask: Asker) -> None:
    create(ask, "device-1")
    world.account(ask, aliases=["device-1"])

    refused = ask.togai("DELETE", "/aliases/device-1")
    assert (refused.status, refused.message) == (
        400,
        "Alias device-1 is of account main; remove it there first",
    )

    ask.done("POST", "/accounts/main/remove_aliases", {"aliases": ["device-1"]})
    assert known(ask) == ["device-1"]  # it was made here, and is free again
    ask.done("DELETE", "/aliases/device-1")
    assert known(ask) == []
