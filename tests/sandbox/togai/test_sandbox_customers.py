"""Customers of the emulated Togai, and what its lists have in common."""

import base64
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.world import CUSTOMER, account


def customers(ask: Asker, number: int) -> None:
    for index in range(number):
        ask.done("POST", "/customers", CUSTOMER | {"id": f"c{index:03}", "name": f"Name {index}"})


def test_a_new_customer_is_answered_with_201_and_everything_it_was_given(ask: Asker) -> None:
    setting = {
        "id": "s1",
        "value": "18",
        "namespace": "tax",
        "name": "rate",
        "dataType": "NUMERIC",
    }

    answer = ask.togai("POST", "/customers", CUSTOMER | {"settings": [setting]})

    internal_id = answer.body.pop("togaiCustomerId")
    assert answer.status == 201
    assert answer.body == {
        **CUSTOMER,
        "billingAddress": "1 Launch Road, Chennai",
        "settings": [setting],
    }
    assert internal_id.startswith("cust.")


def test_a_customer_can_come_with_its_first_account(ask: Asker) -> None:
    body = CUSTOMER | {"account": {"id": "main", "name": "Main", "netTermDays": 15}}

    made = ask.done("POST", "/customers", body)

    assert made["account"]["customerId"] == "acme"
    assert ask.done("GET", "/accounts/main")["netTermDays"] == 15


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": None}, "id must be a string"),
        ({"id": ""}, "id must have at least 1 characters"),
        ({"id": "x" * 51}, "id must have at most 50 characters"),
        ({"name": "ab"}, "name must have at least 3 characters"),
        ({"name": "x" * 256}, "name must have at most 255 characters"),
        ({"primaryEmail": "x" * 321}, "primaryEmail must have at most 320 characters"),
        ({"address": "Chennai"}, "address must be a JSON object"),
        ({"address": {"town": "X"}}, "address.town is not a field here"),
        ({"address": {"city": 7}}, "address.city must be a string"),
        ({"settings": [{}] * 11}, "settings must have at most 10 items"),
        ({"settings": [{"id": "s"}]}, "settings[0].value is required"),
        ({"nickname": "A"}, "nickname is not a field here"),
        ({"account": {"id": "main"}}, "account.name is required"),
    ],
)
def test_a_malformed_customer_is_refused_by_the_path_of_its_field(
    ask: Asker, change: dict[str, Any], message: str
) -> None:
    answer = ask.togai("POST", "/customers", CUSTOMER | change)

    assert answer.status == 400
    assert answer.message.startswith(message)


@pytest.mark.parametrize("missing", ["id", "name", "primaryEmail", "address"])
def test_a_customer_without_a_required_field_is_refused(ask: Asker, missing: str) -> None:
    body = {name: value for name, value in CUSTOMER.items() if name != missing}

    assert ask.togai("POST", "/customers", body).message == f"{missing} is required"


def test_a_taken_id_is_refused_with_400_even_when_its_customer_is_archived(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)
    ask.done("DELETE", "/customers/acme")

    answer = ask.togai("POST", "/customers", CUSTOMER)

    assert (answer.status, answer.message) == (400, "Customer with id acme exists already")


def test_an_update_changes_what_it_names_and_nothing_else(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)
    ask.control("POST", "/clock", {"advance": "PT1H"})

    updated = ask.done("PATCH", "/customers/acme", {"address": {"city": "Oslo"}})

    assert (updated["name"], updated["address"]) == ("Acme Rockets", {"city": "Oslo"})
    assert updated["createdAt"] == "2026-11-20T12:00:00.000Z"
    assert updated["updatedAt"] == "2026-11-20T13:00:00.000Z"


def test_a_deleted_customer_is_archived_still_readable_and_out_of_the_lists(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)

    assert ask.done("DELETE", "/customers/acme") == {"success": True}
    assert ask.done("DELETE", "/customers/acme") == {"success": True}

    assert len(ask.effects("customer-delete")) == 1
    assert ask.done("GET", "/customers/acme")["status"] == "ARCHIVED"
    assert ask.done("GET", "/customers")["data"] == []
    archived = ask.done("GET", "/customers", status="ARCHIVED")["data"]
    assert [row["id"] for row in archived] == ["acme"]
    assert ask.togai("PATCH", "/customers/acme", {"name": "Acme"}).status == 400


def test_a_customer_with_accounts_cannot_be_deleted(ask: Asker) -> None:
    account(ask)

    refused = ask.togai("DELETE", "/customers/acme")
    ask.done("DELETE", "/accounts/main")

    assert (refused.status, refused.message) == (
        400,
        "Customer acme still has 1 accounts; delete them",
    )
    assert ask.done("DELETE", "/customers/acme") == {"success": True}


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_customer_that_is_not_there_is_404(ask: Asker, method: str) -> None:
    answer = ask.togai(method, "/customers/none", {} if method == "PATCH" else None)

    assert (answer.status, answer.message) == (404, "Customer none not found")


def test_a_token_leads_through_all_pages_once_and_needs_nothing_beside_it(ask: Asker) -> None:
    customers(ask, 5)

    first = ask.done("GET", "/customers", pageSize=2, _search="name")
    ask.done("POST", "/customers", CUSTOMER | {"id": "a-newcomer"})
    second = ask.done("GET", "/customers", nextToken=first["nextToken"])
    third = ask.done("GET", "/customers", nextToken=second["nextToken"])

    pages = [[row["id"] for row in page["data"]] for page in (first, second, third)]
    assert pages == [["c000", "c001"], ["c002", "c003"], ["c004"]]
    assert third["nextToken"] is None
    assert third["context"] == {"pageSize": 2, "sortOrder": "DESC"}
    assert len(first["nextToken"]) <= 500


def test_a_full_last_page_has_no_token(ask: Asker) -> None:
    customers(ask, 2)

    assert ask.done("GET", "/customers", pageSize=2)["nextToken"] is None


def test_a_page_has_twenty_rows_unless_it_is_asked_for_up_to_a_hundred(ask: Asker) -> None:
    customers(ask, 101)

    assert len(ask.done("GET", "/customers")["data"]) == 20
    assert len(ask.done("GET", "/customers", pageSize=100)["data"]) == 100


def token(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"pageSize": 0}, "pageSize must be a whole number from 1 to 100"),
        ({"pageSize": 101}, "pageSize must be a whole number from 1 to 100"),
        ({"pageSize": "ten"}, "pageSize must be a whole number from 1 to 100"),
        ({"nextToken": "?"}, "nextToken is not a token of this API"),
        ({"nextToken": token("{}")}, "nextToken is not a token of this API"),
        ({"nextToken": token('{"query":{"id":1},"after":["a","b"]}')}, "nextToken is not a token"),
        ({"nextToken": token("7" * 999)}, "nextToken is not a token of this API"),
        ({"id": "acme", "status": "ACTIVE"}, "these filters cannot be combined: id, status"),
        ({"name": "Acme"}, "name is not a query parameter of this operation"),
        ({"id": "x" * 101}, "id must have at most 100 characters"),
        ({"_sort": "name"}, "_sort must be a field, or -field for descending; fields: id"),
    ],
)
def test_a_list_parameter_that_makes_no_sense_is_refused(
    ask: Asker, query: dict[str, Any], message: str
) -> None:
    answer = ask.togai("GET", "/customers", **query)

    assert answer.status == 400
    assert answer.message.startswith(message)


def test_a_list_is_searched_without_regard_to_case_and_wildcards_mean_themselves(
    ask: Asker,
) -> None:
    ask.done("POST", "/customers", CUSTOMER | {"id": "one", "name": "100% Tea"})
    ask.done("POST", "/customers", CUSTOMER | {"id": "two", "primaryEmail": "hi@TEA.example"})

    assert [row["id"] for row in ask.done("GET", "/customers", _search="tea")["data"]] == [
        "one",
        "two",
    ]
    assert [row["id"] for row in ask.done("GET", "/customers", _search="%")["data"]] == ["one"]


def test_a_list_is_sorted_by_its_latest_change_or_as_asked(ask: Asker) -> None:
    customers(ask, 3)
    ask.control("POST", "/clock", {"advance": "PT1H"})
    ask.done("PATCH", "/customers/c001", {"name": "Changed"})

    def order(**query: str) -> list[str]:
        return [row["id"] for row in ask.done("GET", "/customers", **query)["data"]]

    assert order() == ["c001", "c000", "c002"]
    assert order(_sort="id") == ["c000", "c001", "c002"]
    assert order(_sort="-id") == ["c002", "c001", "c000"]
    assert order(_sort="updated_at") == ["c000", "c002", "c001"]


def test_a_descending_list_is_paged_without_loss(ask: Asker) -> None:
    customers(ask, 3)

    first = ask.done("GET", "/customers", _sort="-id", pageSize=2)
    second = ask.done("GET", "/customers", nextToken=first["nextToken"])

    ids = [row["id"] for page in (first, second) for row in page["data"]]
    assert ids == ["c002", "c001", "c000"]
