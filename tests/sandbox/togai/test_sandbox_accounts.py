"""Accounts of the emulated Togai, and their aliases."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.world import CUSTOMER, account, associate, plan


def test_a_new_account_is_answered_with_201_and_the_organisations_currency(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)

    answer = ask.togai(
        "POST", "/accounts", {"id": "main", "name": "Acme main", "customerId": "acme"}
    )

    for generated in ("togaiAccountId", "togaiCustomerId"):
        assert answer.body.pop(generated)
    assert answer.status == 201
    assert answer.body == {
        "id": "main",
        "name": "Acme main",
        "customerId": "acme",
        "invoiceCurrency": "USD",
        "aliases": [],
        "netTermDays": 0,
        "status": "ACTIVE",
        "settings": [],
        "metadata": {},
        "tags": [],
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"customerId": "none"}, "customerId: there is no active customer none"),
        ({"invoiceCurrency": "usd"}, "invoiceCurrency must match [A-Z]{3}"),
        ({"netTermDays": -1}, "netTermDays must be a whole number from 0 to 3650"),
        ({"status": "ARCHIVED"}, "status must be one of ACTIVE, DRAFT"),
        ({"metadata": {"a": 1}}, "metadata.a must be a string"),
        ({"tags": [1]}, "tags[0] must be a string"),
        ({"aliases": ["ab"]}, "aliases[0] must have at least 3 characters"),
        ({"aliases": ["abc"] * 2}, "The alias abc is taken by account main"),
        ({"aliases": [f"alias-{i}" for i in range(11)]}, "Account main has 10 aliases already"),
        (
            {"billingInformation": {"emailRecipients": ["x" * 321]}},
            "billingInformation.emailRecipients[0] must have at most 320 characters",
        ),
    ],
)
def test_a_malformed_account_is_refused_by_the_path_of_its_field(
    ask: Asker, change: dict[str, Any], message: str
) -> None:
    ask.done("POST", "/customers", CUSTOMER)
    body = {"id": "main", "name": "Acme main", "customerId": "acme"} | change

    answer = ask.togai("POST", "/accounts", body)

    assert answer.status == 400
    assert answer.message.startswith(message)


def test_a_taken_account_id_is_refused_with_400(ask: Asker) -> None:
    account(ask)

    answer = ask.togai("POST", "/accounts", {"id": "main", "name": "Again", "customerId": "acme"})

    assert (answer.status, answer.message) == (400, "id: Account with id main exists already")


def test_an_archived_customer_gets_no_account(ask: Asker) -> None:
    ask.done("POST", "/customers", CUSTOMER)
    ask.done("DELETE", "/customers/acme")

    answer = ask.togai("POST", "/accounts", {"id": "main", "name": "Main", "customerId": "acme"})

    assert answer.message == "customerId: there is no active customer acme"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["euros", "main"]),
        ({"account_id": "main"}, ["main"]),
        ({"customer_id": "acme"}, ["euros", "main"]),
        ({"status": "DRAFT"}, ["euros"]),
        ({"invoice_currency": "EUR"}, ["euros"]),
        ({"customer_id": "acme", "status": "ACTIVE"}, ["main"]),
        ({"_search": "EURO"}, ["euros"]),
        ({"_sort": "-account_id"}, ["main", "euros"]),
    ],
)
def test_accounts_are_listed_by_the_documented_filters(
    ask: Asker, query: dict[str, str], found: list[str]
) -> None:
    account(ask)
    account(ask, "euros", invoiceCurrency="EUR", status="DRAFT")

    assert [row["id"] for row in ask.done("GET", "/accounts", **query)["data"]] == found


def test_filters_that_are_not_documented_together_are_refused(ask: Asker) -> None:
    answer = ask.togai("GET", "/accounts", customer_id="acme", invoice_currency="USD")

    assert (answer.status, answer.message) == (
        400,
        "these filters cannot be combined: customer_id, invoice_currency",
    )


def test_the_currency_of_an_account_in_use_cannot_change(ask: Asker) -> None:
    account(ask)
    assert ask.done("PATCH", "/accounts/main", {"invoiceCurrency": "USD"})["id"] == "main"
    associate(ask, plan(ask))

    answer = ask.togai("PATCH", "/accounts/main", {"invoiceCurrency": "EUR"})

    assert answer.message == "invoiceCurrency cannot change: the account has price plans"


def test_a_deleted_account_is_archived_and_takes_no_more_changes(ask: Asker) -> None:
    account(ask)

    assert ask.done("DELETE", "/accounts/main") == {"success": True}
    assert ask.done("DELETE", "/accounts/main") == {"success": True}

    assert len(ask.effects("account-delete")) == 1
    assert ask.done("GET", "/accounts")["data"] == []
    assert ask.done("GET", "/accounts/main")["status"] == "ARCHIVED"
    assert ask.togai("PATCH", "/accounts/main", {"name": "New"}).status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/account_aliases")],
)
def test_an_account_that_is_not_there_is_404(ask: Asker, method: str, path: str) -> None:
    answer = ask.togai(method, f"/accounts/none{path}", {} if method == "PATCH" else None)

    assert (answer.status, answer.message) == (404, "Account none not found")


def test_an_alias_belongs_to_one_account_at_a_time(ask: Asker) -> None:
    account(ask)
    account(ask, "other")
    until = {"value": "shared", "effectiveUntil": "2026-12-01T00:00:00Z"}
    since = {"value": "shared", "effectiveFrom": "2026-12-01T00:00:00Z"}
    ask.done("POST", "/accounts/main/add_aliases", {"accountAliases": [until]})

    overlapping = ask.togai("POST", "/accounts/other/add_aliases", {"aliases": ["shared"]})
    later = ask.togai("POST", "/accounts/other/add_aliases", {"accountAliases": [since]})

    assert (overlapping.status, overlapping.message) == (
        400,
        "The alias shared is taken by account main",
    )
    assert later.status == 200
    assert later.body["aliases"] == []
    shown = ask.done("GET", "/accounts/other", effectiveOn="2026-12-01T00:00:00Z")
    assert shown["aliases"] == [{"alias": "shared"}]


def test_the_id_of_an_account_cannot_be_another_ones_alias(ask: Asker) -> None:
    account(ask, aliases=["acme-prod"])

    as_alias = ask.togai("POST", "/accounts/main/add_aliases", {"aliases": ["main"]})
    body = {"id": "acme-prod", "name": "Prod", "customerId": "acme"}
    as_id = ask.togai("POST", "/accounts", body)

    assert as_alias.message == "The alias main is taken by account main"
    assert as_id.message == "id: acme-prod is an alias of another account"


def test_an_alias_is_removed_at_once_or_ended_at_a_time(ask: Asker) -> None:
    account(ask, aliases=["now", "soon"])
    rows = ask.done("GET", "/accounts/main/account_aliases")["data"]
    soon = {"id": rows[1]["id"], "from": "2026-12-01T00:00:00Z"}

    body = {"aliases": ["now"], "accountAliases": [soon]}
    left = ask.done("POST", "/accounts/main/remove_aliases", body)

    assert left["aliases"] == [{"alias": "soon"}]
    (row,) = ask.done("GET", "/accounts/main/account_aliases")["data"]
    assert (row["value"], row["effectiveUntil"]) == ("soon", "2026-12-01T00:00:00.000Z")
    unknown = ask.togai("POST", "/accounts/main/remove_aliases", {"aliases": ["now"]})
    assert unknown.message == "Account main has no alias now"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "give aliases or accountAliases"),
        ({"aliases": []}, "aliases must have at least 1 items"),
        ({"accountAliases": [{}]}, "accountAliases[0].value is required"),
        (
            {
                "accountAliases": [
                    {
                        "value": "eu",
                        "effectiveFrom": "2026-12-01T00:00:00Z",
                        "effectiveUntil": "2026-12-01T00:00:00Z",
                    }
                ]
            },
            "accountAliases[0].effectiveUntil must be later than effectiveFrom",
        ),
    ],
)
def test_malformed_aliases_are_refused(ask: Asker, body: dict[str, Any], message: str) -> None:
    account(ask)

    assert ask.togai("POST", "/accounts/main/add_aliases", body).message == message
