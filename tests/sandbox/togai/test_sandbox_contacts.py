"""Contacts of the emulated Togai's customers."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.world import CUSTOMER

CONTACT = {"name": "Accounts payable", "email": "payable@acme.example"}


def create(ask: Asker, **fields: Any) -> Any:
    return ask.togai("POST", "/customers/acme/contacts", CONTACT | fields)


def test_a_contact_has_a_username_and_no_access_unless_it_is_given_any(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)

    made = create(ask, preferredUsername="payable", phone="+1234071628")

    assert made.status == 201
    assert len(made.body.pop("username")) == 36
    assert made.body == CONTACT | {
        "preferredUsername": "payable",
        "phone": "+1234071628",
        "loginAccess": False,
        "verified": False,
        "createdBy": "api",
        "createdAt": "2026-11-20T12:00:00.000Z",
    }


def test_a_password_is_neither_answered_nor_kept(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)

    made = create(ask, password="correct horse", loginAccess=True, verified=True)

    assert (made.body["loginAccess"], made.body["verified"]) == (True, True)
    assert "password" not in made.body
    assert "correct horse" not in "\n".join(ask.sandbox.backend.db.iterdump())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "n" * 51}, "name must have at most 50 characters"),
        ({"email": "nobody"}, "email must match"),
        ({"preferredUsername": "a!"}, "preferredUsername must match"),
        ({"phone": "1" * 21}, "phone must have at most 20 characters"),
        ({"verified": "yes"}, "verified must be true or false"),
        ({"title": "Dr"}, "title is not a field here"),
    ],
)
def test_a_malformed_contact_is_refused(ask: Asker, change: dict[str, Any], message: str) -> None:
    ask.done("POST", "/customers", CUSTOMER)

    answer = create(ask, **change)

    assert answer.status == 400
    assert answer.message.startswith(message)


def test_a_customer_has_an_address_once_and_names_are_everybodys(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)
    create(ask, preferredUsername="payable")

    again = create(ask)
    other = create(ask, email="other@acme.example", preferredUsername="payable")

    assert again.message == "email: customer acme has a contact with it already"
    assert other.message == "preferredUsername: payable is taken"
    assert (again.status, other.status) == (400, 400)


def test_only_a_customer_that_is_there_and_not_archived_gets_a_contact(ask: Asker) -> None:
    missing = create(ask)
    ask.done("POST", "/customers", CUSTOMER)
    ask.done("DELETE", "/customers/acme")

    assert (missing.status, missing.message) == (404, "Customer acme not found")
    assert (create(ask).status, create(ask).message) == (400, "Customer acme is archived")
