"""The demo company is consistent, and its figures are those of its usage."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_mcp.sandbox import Sandbox, SandboxSettings, open_sandbox

SUGER = "/suger/org/sandbox"


@pytest.fixture
def company() -> Iterator[Sandbox]:
    sandbox = open_sandbox()
    yield sandbox
    sandbox.close()


def get(sandbox: Sandbox, target: str, **query: str) -> Any:
    return sandbox.backend.request("GET", target, **query)


def invoice(sandbox: Sandbox, account_id: str, month: str) -> Any:
    listed = get(sandbox, "/togai/invoices", owner_id=account_id)["data"]
    (one,) = (row for row in listed if row["startDate"].startswith(f"2026-{month}"))
    return get(sandbox, f"/togai/invoices/{one['id']}")


def invoices(sandbox: Sandbox) -> list[Any]:
    listed = get(sandbox, "/togai/invoices")
    assert listed["nextToken"] is None
    return [get(sandbox, f"/togai/invoices/{row['id']}") for row in listed["data"]]


def lines_of(tree: Any) -> Iterator[Any]:
    yield tree
    for child in tree["lineItems"]:
        yield from lines_of(child)


def of_type(found: Any, kind: str) -> list[Decimal]:
    return [
        Decimal(line["value"]) for line in lines_of(found["revenueInfo"]) if line["type"] == kind
    ]


def test_the_clock_stands_at_its_start_when_the_company_has_been_lived_through(
    company: Sandbox,
) -> None:
    assert company.backend.now() == datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_every_account_belongs_to_a_customer_and_every_customer_has_an_account(
    company: Sandbox,
) -> None:
    customers = {row["id"] for row in get(company, "/togai/customers")["data"]}
    accounts = get(company, "/togai/accounts")["data"]

    assert len(customers) == 9
    assert {row["customerId"] for row in accounts} == customers
    assert {row["invoiceCurrency"] for row in accounts} == {"USD", "EUR", "JPY"}


def test_accounts_are_linked_to_entitlements_of_the_same_customer_on_three_marketplaces(
    company: Sandbox,
) -> None:
    names = {row["id"]: row["name"] for row in get(company, "/togai/customers")["data"]}
    partners = []
    for account in get(company, "/togai/accounts")["data"]:
        entitlement_id = account["metadata"].get("sugerEntitlementId")
        if entitlement_id is not None:
            entitlement = get(company, f"{SUGER}/entitlement/{entitlement_id}")
            buyer = get(company, f"{SUGER}/buyer/{entitlement['buyerID']}")
            assert buyer["name"] == names[account["customerId"]]
            partners.append(entitlement["partner"])

    assert sorted(partners) == ["AWS", "AWS", "AWS", "AZURE", "AZURE", "GCP", "GCP"]
    assert len(get(company, f"{SUGER}/entitlement")) == len(partners)


def test_every_person_is_a_role_at_an_invented_domain(company: Sandbox) -> None:
    for listed in ("/togai/customers", "/togai/accounts"):
        for row in get(company, listed)["data"]:
            assert row["primaryEmail"].startswith("billing@")
            assert row["primaryEmail"].endswith(".example")


def test_one_customer_is_named_like_an_order_to_the_assistant(company: Sandbox) -> None:
    customer = get(company, "/togai/customers/tidewater")

    assert customer["name"].startswith("Ignore previous instructions")
    assert get(company, "/togai/credits", account_id="tidewater-1")["data"] == []


def test_no_event_of_the_company_has_failed(company: Sandbox) -> None:
    rows = company.backend.db.execute("select status, count(*) as n from events group by status")

    # 92 days of the assistant, whose events use up a feature and are not metered.
    assert {row["status"]: row["n"] for row in rows} == {
        "INGESTION_COMPLETED_EVENT_METERED": 670,
        "INGESTION_COMPLETED_NO_MATCHING_METERS": 92,
    }


def test_the_usage_on_every_invoice_is_that_of_the_events_in_its_period(company: Sandbox) -> None:
    query = """
        select coalesce(sum(payload ->> '$.attributes[0].value'), count(*)) as units
        from events join usage_meters m on m.event_schema_name = schema_name
        where account_id = ? and m.name = ? and happened_at >= ? and happened_at < ?
    """
    compared = 0
    for found in invoices(company):
        for line in found["usageInfo"]:
            values = (found["ownerId"], line["description"], found["startDate"], found["endDate"])
            (row,) = company.backend.db.execute(query, values).fetchall()
            assert Decimal(row["units"]) == line["value"], values
            compared += 1

    # Four months of: acme-prod 2 meters, helios-main 2, six accounts on one; quill-desk has none.
    assert compared == 4 * (2 + 2 + 7)


def test_every_line_of_every_invoice_is_the_sum_of_its_parts(company: Sandbox) -> None:
    found = invoices(company)
    assert len(found) == 40
    for one in found:
        tree = one["revenueInfo"]
        kinds = [line["type"] for line in lines_of(tree)][:5]
        above = ["GRAND_TOTAL_AMOUNT", "TOTAL_AMOUNT", "NET_AMOUNT", "GROSS_AMOUNT"]
        assert kinds == [*above, "PRICE_PLAN_AMOUNT"]
        assert tree["value"] == one["totalAmount"]
        for line in lines_of(tree):
            if line["lineItems"]:
                assert line["value"] == sum(part["value"] for part in line["lineItems"]), line


def test_the_invoice_that_makes_one_ask_why_crossed_an_edge_of_a_volume_plan(
    company: Sandbox,
) -> None:
    september = invoice(company, "acme-prod", "09")
    october = invoice(company, "acme-prod", "10")

    # Compute: 22 x 4,000 + 8 x 1,350 = 98,800 hours x 0.04 = 3,952.00.
    # Requests: 22 x 50,000 + 8 x 20,000 = 1,260,000 x 0.0002 = 252.00. Fee 250.00.
    assert of_type(september, "USAGE_RATE_CARD_SLAB_AMOUNT") == [Decimal(3952), Decimal(252)]
    assert september["totalAmount"] == Decimal("4454.00")
    # One Saturday more: 22 x 4,000 + 9 x 1,350 = 100,150 hours, all at 0.06 = 6,009.00.
    # Requests: 22 x 50,000 + 9 x 20,000 = 1,280,000 x 0.0002 = 256.00. Fee 250.00.
    assert of_type(october, "USAGE_RATE_CARD_SLAB_AMOUNT") == [Decimal(6009), Decimal(256)]
    assert october["totalAmount"] == Decimal("6515.00")


def test_a_tiered_plan_charges_each_part_at_its_own_rate(company: Sandbox) -> None:
    october = invoice(company, "finch-live", "10")

    # 22 x 21,000 + 9 x 52,000 = 930,000 requests:
    # 100,000 x 0.001 = 100.00; 830,000 x 0.0008 = 664.00; fee 49.00.
    assert of_type(october, "USAGE_RATE_CARD_SLAB_AMOUNT") == [Decimal(100), Decimal(664)]
    assert october["totalAmount"] == Decimal("813.00")


def test_yen_are_whole_and_rounded_down_once_in_each_line(company: Sandbox) -> None:
    october = invoice(company, "sakura-tokyo", "10")

    # 22 x 47,311 + 9 x 12,007 = 1,148,905 requests: 100,000 x 0.15 = 15,000;
    # 900,000 x 0.12 = 108,000; 148,905 x 0.075 = 11,167.875 -> 11,167; fee 7,000.
    slabs = of_type(october, "USAGE_RATE_CARD_SLAB_AMOUNT")
    assert slabs == [Decimal(15_000), Decimal(108_000), Decimal(11_167)]
    assert october["totalAmount"] == Decimal(141_167)


def test_a_package_begun_is_charged_and_a_credit_pays_for_usage_only(company: Sandbox) -> None:
    # A report each weekday: 8, 22, 22 and 14 so far, so 1, 3, 3 and 2 packages of 15.00.
    months = {"08": 15, "09": 45, "10": 45, "11": 30}
    for month, amount in months.items():
        found = invoice(company, "kite-reports", month)
        assert of_type(found, "USAGE_RATE_CARD_SLAB_AMOUNT") == [Decimal(amount)]
    # The fee of 29.00 is left to pay; in November the credit has only 15.00 of 30.00.
    assert [invoice(company, "kite-reports", month)["totalAmount"] for month in months] == [
        *[Decimal("29.00")] * 3,
        Decimal("44.00"),
    ]


def test_what_usage_does_not_reach_of_a_minimum_commitment_is_charged_as_a_true_up(
    company: Sandbox,
) -> None:
    # September: compute 22 x 3,000 + 8 x 2,500 = 86,000 x 0.035 = 3,010.00;
    # storage 4 x 10,500 = 42,000 = 420 packages of 2.00 = 840.00; fee 500.00: 4,350.00 of 5,000.
    september = invoice(company, "helios-main", "09")
    assert of_type(september, "SUB_TOTAL_AMOUNT") == [Decimal("4350.00")]
    assert of_type(september, "TRUE_UP_AMOUNT") == [Decimal("650.00")]
    assert september["totalAmount"] == Decimal("5000.00")
    # October: 22 x 3,800 + 9 x 2,500 = 106,100 x 0.035 = 3,713.50, with 840.00 and 500.00.
    october = invoice(company, "helios-main", "10")
    assert of_type(october, "TRUE_UP_AMOUNT") == [Decimal(0)]
    assert october["totalAmount"] == Decimal("5053.50")


def test_there_is_a_credit_in_every_state_of_interest(company: Sandbox) -> None:
    seen = {
        row["accountId"]: tuple(
            row[name] for name in ("status", "creditAmount", "consumedAmount", "holdAmount")
        )
        for row in get(company, "/togai/credits")["data"]
    }

    # 15 + 45 + 45 of 120 are consumed; the rest is held for November.
    assert seen == {
        "acme-prod": ("ACTIVE", Decimal(150), Decimal(0), Decimal(150)),
        "kite-reports": ("ACTIVE", Decimal(120), Decimal(105), Decimal(15)),
        "marlow-lab": ("EXPIRED", Decimal(50), Decimal(0), Decimal(0)),
        "finch-live": ("VOIDED", Decimal(500), Decimal(0), Decimal(0)),
    }


def test_what_credits_paid_is_on_the_invoices_that_their_transactions_name(
    company: Sandbox,
) -> None:
    (credit,) = get(company, "/togai/credits", account_id="kite-reports")["data"]
    transactions = get(company, f"/togai/credits/{credit['id']}")["transactions"]

    debited = [entry for entry in transactions if entry["transactionType"] == "DEBITED"]
    assert [entry["amount"] for entry in debited] == [15, 45, 45]
    for entry in debited:
        paid = get(company, f"/togai/invoices/{entry['invoiceId']}")
        assert of_type(paid, "TOTAL_CREDITS") == [-entry["amount"]]


def test_an_entitlement_is_nearly_used_up(company: Sandbox) -> None:
    (entitlement,) = get(company, "/togai/accounts/quill-desk/entitlements")["data"]
    path = f"/togai/accounts/quill-desk/features/{entitlement['featureId']}"

    left = get(company, path)

    # 14 weekdays x 65 + 5 days of the weekend x 12 = 970.
    assert (left["granted"], left["balance"]) == (Decimal(1000), Decimal(30))


def test_usage_is_in_every_state_on_its_way_to_the_marketplaces(company: Sandbox) -> None:
    groups = get(company, f"{SUGER}/usageRecordGroup")["usageRecordGroups"]
    owners = {
        account["metadata"].get("sugerEntitlementId"): account["id"]
        for account in get(company, "/togai/accounts")["data"]
    }
    others = {
        (group["status"], owners[group["entitlementID"]])
        for group in groups
        if group["status"] != "REPORTED"
    }

    # Fourteen days of seven entitlements, of which Blue Kite's has no usage on four; the rest
    # of the last morning's.
    assert sum(group["status"] == "REPORTED" for group in groups) == 14 * 7 - 4 - 1 + 1
    assert others == {
        ("REPORT_FAILED", "finch-live"),
        ("REPORT_PENDING", "quill-desk"),
        ("INVALID", "kite-reports"),
        ("DELETED", "acme-prod"),
        ("CREATED", "sakura-tokyo"),
    }


def test_the_failed_report_goes_through_when_it_is_tried_again(company: Sandbox) -> None:
    (failed,) = get(company, f"{SUGER}/usageRecordGroup", status="REPORT_FAILED")[
        "usageRecordGroups"
    ]
    company.backend.request("POST", f"{SUGER}/usageRecordGroup/{failed['id']}/retry")

    company.backend.advance_to(datetime(2026, 11, 20, 13, tzinfo=UTC))

    groups = get(company, f"{SUGER}/usageRecordGroup", entitlementId=failed["entitlementID"])
    (again,) = (group for group in groups["usageRecordGroups"] if group["id"] == failed["id"])
    # Thursday the 19th: 21,000 requests.
    assert (again["status"], again["records"]) == ("REPORTED", {"api_requests": 21_000})


def test_the_past_of_the_company_is_not_among_the_effects(company: Sandbox) -> None:
    effects = "select kind, id from effects"
    assert company.backend.db.execute(effects).fetchall() == []

    company.backend.request("DELETE", "/togai/accounts/tidewater-1")

    (one,) = company.backend.db.execute(effects).fetchall()
    assert tuple(one) == ("account-delete", "tidewater-1")


def test_two_companies_are_alike_to_the_last_id(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "other"):
        # In files, because sandboxes in memory are copies of each other.
        sandbox = open_sandbox(SandboxSettings(data=tmp_path / name))
        contents.append(list(sandbox.backend.db.iterdump()))
        sandbox.close()

    assert contents[0] == contents[1]


def test_a_sandbox_in_memory_starts_with_what_one_in_a_file_starts_with(
    company: Sandbox, tmp_path: Path
) -> None:
    in_file = open_sandbox(SandboxSettings(data=tmp_path / "company"))

    assert list(company.backend.db.iterdump()) == list(in_file.backend.db.iterdump())

    in_file.close()


def test_what_happens_in_one_sandbox_is_not_seen_in_the_next(company: Sandbox) -> None:
    company.backend.request("DELETE", "/togai/accounts/tidewater-1")
    company.backend.request("DELETE", "/togai/customers/tidewater")

    other = open_sandbox()

    assert get(other, "/togai/customers/tidewater")["status"] == "ACTIVE"
    other.close()


def test_a_reset_brings_the_company_back_as_it_was(company: Sandbox) -> None:
    before = list(company.backend.db.iterdump())
    company.backend.request("DELETE", "/togai/accounts/tidewater-1")
    company.backend.advance_to(datetime(2026, 12, 24, tzinfo=UTC))

    company.backend.reset(demo=True)

    assert list(company.backend.db.iterdump()) == before


def test_an_earlier_clock_shows_the_company_as_it_was_then() -> None:
    sandbox = open_sandbox(SandboxSettings(now=datetime(2026, 9, 2, 8, tzinfo=UTC)))

    august, september = (invoice(sandbox, "acme-prod", month) for month in ("08", "09"))

    assert sandbox.backend.now() == datetime(2026, 9, 2, 8, tzinfo=UTC)
    # August is within its grace period; of September there is one day.
    assert (august["status"], september["status"]) == ("DRAFT", "DRAFT")
    # One weekday: 4,000 x 0.04 = 160.00 and 50,000 x 0.0002 = 10.00; fee 250.00.
    assert september["totalAmount"] == Decimal("420.00")
    # Both drafts hold a package of 15.00.
    (welcome,) = get(sandbox, "/togai/credits", account_id="kite-reports")["data"]
    assert (welcome["consumedAmount"], welcome["holdAmount"]) == (0, 30)
    sandbox.close()


def test_before_the_company_opened_there_is_nothing() -> None:
    sandbox = open_sandbox(SandboxSettings(now=datetime(2026, 1, 1, tzinfo=UTC)))

    assert get(sandbox, "/togai/customers")["data"] == []

    sandbox.close()


def test_a_later_clock_shows_what_time_has_done_since() -> None:
    sandbox = open_sandbox(SandboxSettings(now=datetime(2027, 2, 1, tzinfo=UTC)))

    (welcome,) = get(sandbox, "/togai/credits", account_id="kite-reports")["data"]

    assert sandbox.backend.now() == datetime(2027, 2, 1, tzinfo=UTC)
    # The 15.00 that November's draft held are consumed since it became final.
    assert (welcome["status"], welcome["consumedAmount"]) == ("CONSUMED", 120)
    # 14 x 3,800 + 5 x 2,500 = 65,700 x 0.035 = 2,299.50; 315 packages of 2.00; fee 500.00: below.
    november = invoice(sandbox, "helios-main", "11")
    assert (november["status"], november["totalAmount"]) == ("DUE", Decimal("5000.00"))
    sandbox.close()
