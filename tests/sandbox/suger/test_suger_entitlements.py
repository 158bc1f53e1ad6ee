"""Buyers and entitlements, which the marketplaces announce and the API only shows."""

from decimal import Decimal

import pytest

from sandbox.suger.wire import Wire


def ids(found: list[dict[str, str]]) -> list[str]:
    return [item["id"] for item in found]


def test_a_buyer_is_shown_as_its_marketplace_knows_it(wire: Wire) -> None:
    assert wire.ask("GET", "/buyer/buyer-aws").body == {
        "id": "buyer-aws",
        "organizationID": "sandbox",
        "partner": "AWS",
        "externalID": "customer-aws",
        "name": "Buyer on AWS",
        "description": "",
        "contactIds": ["contact-aws"],
        "info": {"awsBuyer": {"awsAccountID": "000000000001"}},
        "creationTime": "2026-11-20T12:00:00.000Z",
        "lastUpdateTime": "2026-11-20T12:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["buyer-gcp", "buyer-azure", "buyer-aws"]),
        ({"partner": "AZURE"}, ["buyer-azure"]),
        ({"contactId": "contact-gcp"}, ["buyer-gcp"]),
        ({"contactId": "contact"}, []),
        ({"awsAccountId": "000000000001"}, ["buyer-aws"]),
        ({"limit": 1, "offset": 1}, ["buyer-azure"]),
    ],
)
def test_buyers_are_listed_newest_first_and_filtered(
    wire: Wire, query: dict[str, str], found: list[str]
) -> None:
    assert ids(wire.ask("GET", "/buyer", **query).body) == found


@pytest.mark.parametrize("path", ["/buyer/nobody", "/entitlement/nothing"])
def test_what_does_not_exist_is_not_found(wire: Wire, path: str) -> None:
    answer = wire.ask("GET", path)
    assert answer.status == 404
    assert answer.body.endswith("not found")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["on-gcp", "on-azure", "on-aws"]),
        ({"partner": "GCP"}, ["on-gcp"]),
        ({"productId": "prod-1"}, ["on-gcp", "on-azure", "on-aws"]),
        ({"productId": "prod-2"}, []),
        ({"offerId": "offer-1"}, []),
        ({"buyerId": "buyer-azure"}, ["on-azure"]),
        ({"externalId": "external-on-aws"}, ["on-aws"]),
        ({"buyerAccountId": "000000000001"}, ["on-aws"]),
        ({"awsAccountId": "000000000001"}, ["on-aws"]),
        ({"limit": 2}, ["on-gcp", "on-azure"]),
    ],
)
def test_entitlements_are_listed_newest_first_and_filtered(
    wire: Wire, query: dict[str, str], found: list[str]
) -> None:
    assert ids(wire.ask("GET", "/entitlement", **query).body) == found


@pytest.mark.parametrize(
    ("path", "name"), [("/entitlement", "hubspotDealId"), ("/buyer", "emailDomain")]
)
def test_a_filter_the_sandbox_cannot_apply_is_not_passed_over(
    wire: Wire, path: str, name: str
) -> None:
    answer = wire.ask("GET", path, **{name: "1"})
    assert (answer.status, answer.body) == (501, f"not imitated by the sandbox: the filter {name}")


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": "x"},
        {"limit": ""},
        {"offset": -1},
        {"offset": 2**31},
        {"offset": "000000000000" + "9" * 20},
    ],
)
@pytest.mark.parametrize("path", ["/buyer", "/entitlement", "/usageRecordGroup"])
def test_a_page_outside_its_bounds_is_refused(wire: Wire, path: str, query: dict[str, int]) -> None:
    assert wire.ask("GET", path, **query).status == 400


def test_an_entitlement_shows_how_much_of_each_dimension_was_reported(wire: Wire) -> None:
    wire.report("on-gcp", records={"api_calls": 7})
    wire.run_job()
    wire.report("on-gcp", records={"api_calls": Decimal("0.5")})
    wire.run_job()
    wire.report("on-gcp", records={"api_calls": 100})  # not reported yet: not counted
    body = wire.ask("GET", "/entitlement/on-gcp").body
    assert body["status"] == "ACTIVE"
    assert body["buyerID"] == "buyer-gcp"
    assert body["externalBuyerID"] == "customer-gcp"
    nothing = {"reportedCount": 0, "includedCount": 0, "creditCount": 0}
    assert [(d["key"], d["rate"], d["usageCount"]) for d in body["info"]["dimensions"]] == [
        ("api_calls", Decimal("0.01"), nothing | {"reportedCount": Decimal("7.5")}),
        ("storage_gb", Decimal("0.5"), nothing),
    ]


def test_the_list_of_entitlements_shows_no_usage_counts(wire: Wire) -> None:
    [entitlement] = wire.ask("GET", "/entitlement", partner="GCP").body
    assert all("usageCount" not in d for d in entitlement["info"]["dimensions"])
