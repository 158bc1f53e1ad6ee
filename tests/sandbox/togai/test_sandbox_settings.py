"""Settings of the emulated Togai: of the organisation, of a customer, of an account."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world

SETTING = {
    "id": "discount",
    "value": "5",
    "entityType": "ORGANIZATION",
    "entityId": "sandbox",
    "namespace": "USER",
    "name": "Discount",
    "dataType": "NUMERIC",
}
FULL_ID = "setting.USER.discount.ORGANIZATION.sandbox"


def test_a_setting_is_created_read_and_changed_under_its_full_id(ask: Asker) -> None:
    made = ask.togai("POST", "/settings", SETTING)
    assert (made.status, made.body) == (201, SETTING)
    assert ask.done("GET", f"/settings/{FULL_ID}") == SETTING

    changed = ask.togai("PATCH", f"/settings/{FULL_ID}", {"value": "7.5"})

    assert (changed.status, changed.body) == (201, SETTING | {"value": "7.5"})
    assert ask.done("GET", f"/settings/{FULL_ID}")["value"] == "7.5"
    missing = ask.togai("GET", "/settings/setting.USER.none.ACCOUNT.main")
    assert (missing.status, missing.message) == (
        404,
        "Setting setting.USER.none.ACCOUNT.main not found",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "a.b"}, "id must match"),
        ({"value": 5}, "value must be a string"),
        ({"value": "five"}, "value is not NUMERIC"),
        ({"dataType": "JSON", "value": "{"}, "value is not JSON"),
        ({"dataType": "JSON_LOGIC", "value": '{"eval": 1}'}, "value is not JSON_LOGIC"),
        ({"dataType": "TEXT"}, "dataType must be one of STRING, NUMERIC, JSON, JSON_LOGIC"),
        ({"entityType": "PLAN"}, "entityType must be one of ORGANIZATION, CUSTOMER, ACCOUNT"),
        ({"entityId": "elsewhere"}, "entityId: the organisation here is sandbox"),
        ({"entityType": "ACCOUNT"}, "entityId: there is no account sandbox"),
        ({"entityType": "CUSTOMER", "entityId": "none"}, "entityId: there is no customer none"),
    ],
)
def test_a_malformed_setting_is_refused(ask: Asker, change: dict[str, Any], message: str) -> None:
    answer = ask.togai("POST", "/settings", SETTING | change)

    assert answer.status == 400
    assert answer.message.startswith(message)


def test_a_setting_is_there_once_and_keeps_to_its_type(ask: Asker) -> None:
    ask.done("POST", "/settings", SETTING)

    again = ask.togai("POST", "/settings", SETTING)
    wrong = ask.togai("PATCH", f"/settings/{FULL_ID}", {"value": "much"})
    text = ask.togai("PATCH", f"/settings/{FULL_ID}", {"value": "much", "dataType": "STRING"})

    assert (again.status, again.message) == (400, f"Setting {FULL_ID} exists already")
    assert (wrong.status, wrong.message[:20]) == (400, "value is not NUMERIC")
    assert (text.body["value"], text.body["dataType"]) == ("much", "STRING")


def test_settings_of_new_customers_and_accounts_are_settings_like_others(ask: Asker) -> None:
    own = {name: value for name, value in SETTING.items() if not name.startswith("entity")}
    made = ask.done("POST", "/customers", world.CUSTOMER | {"settings": [own]})
    assert made["settings"] == [own]
    world.account(ask, settings=[own | {"value": "9"}])

    listed = ask.done("GET", "/settings", entity_type="ACCOUNT", entity_id="main")["data"]
    assert [row["value"] for row in listed] == ["9"]
    assert len(ask.done("GET", "/settings", setting_id="discount", namespace="USER")["data"]) == 2

    ask.done("PATCH", "/settings/setting.USER.discount.ACCOUNT.main", {"value": "10"})
    assert ask.done("GET", "/accounts/main")["settings"] == [own | {"value": "10"}]
