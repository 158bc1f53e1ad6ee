"""Purchases and proposals: what they cost, what they give, and when."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.billed import fee, invoices, until
from sandbox.togai.world import account, associate, feature, granting, plan, schema

PURCHASES = "/accounts/main/purchases"
PROPOSALS = "/accounts/main/purchase_proposals"
FLAT_80 = {"startAfter": 0, "priceType": "FLAT", "rate": 80}
PREPAID_CREDIT: dict[str, Any] = {
    "id": "prepaid",
    "type": "ONE_TIME",
    "invoiceTiming": "IN_ARREARS",
    "grantDetails": {"priority": 2, "expiryType": "CUSTOM", "expiryDuration": "P3M"},
    "rateDetails": {
        "pricingModel": "TIERED",
        "currencySlabRateDetails": [
            {"currency": "USD", "creditAmount": 100, "slabDetails": [FLAT_80]},
        ],
    },
}
TOPUP = {"type": "WALLET_TOPUP", "walletTopupDetails": {"topupAmount": 100, "purchaseAmount": 90}}


def bundle(ask: Asker, **details: Any) -> tuple[str, str]:
    """A plan to purchase: a fee of 10 and 40 calls at 0.25 each, so 20 in all; and its feature."""
    account(ask)
    schema(ask)
    calls = feature(ask)
    cards = {
        "fixedFeeRateCards": [fee("10")],
        "billingEntitlementRateCards": [granting(calls, 40, until="P1Y")],
    }
    return plan(ask, "Bundle", kind="PURCHASE", **cards | details), calls


def buy(ask: Asker, **body: Any) -> Any:
    return ask.done("POST", PURCHASES, body)


def propose(ask: Asker, **body: Any) -> Any:
    wish = {"type": "ENTITLEMENT_GRANT", "paymentMode": "POSTPAID", **body}
    return ask.done("POST", PROPOSALS, wish)


def answer(ask: Asker, proposal: Any, status: str) -> Any:
    path = f"/purchase_proposals/{proposal['id']}/update_status"
    return ask.done("POST", path, {"status": status})


def credits_of(ask: Asker, feature_id: str) -> Any:
    found = ask.togai("GET", f"/accounts/main/features/{feature_id}")
    return found.body.get("granted", 0)


def funds(ask: Asker) -> Any:
    return ask.done("GET", "/accounts/main/wallet")["balance"]


def test_a_purchase_is_invoiced_and_given_at_once(ask: Asker) -> None:
    plan_id, calls = bundle(ask)

    made = buy(ask, pricePlanId=plan_id, quantity=3)

    assert (made["price"], made["status"]) == (60, "SUCCESS")
    (invoice,) = invoices(ask)
    assert invoice["id"] == made["invoiceId"]
    assert (invoice["invoiceType"], invoice["status"]) == ("AD_HOC", "DUE")
    assert invoice["totalAmount"] == 60
    assert credits_of(ask, calls) == 120


def test_a_purchase_shows_its_plan_and_what_is_left_of_its_features(ask: Asker) -> None:
    plan_id, calls = bundle(ask)
    made = buy(ask, pricePlanId=plan_id)

    shown = ask.done("GET", f"/purchases/{made['id']}")

    assert shown["purchasePlan"]["type"] == "PURCHASE"
    assert shown["features"] == [
        {
            "id": calls,
            "name": "Calls",
            "creditsGranted": 40,
            "creditsAvailable": 40,
            "updatedAt": "2026-11-20T12:00:00.000Z",
            "effectiveFrom": "2026-11-20T00:00:00.000Z",
            "effectiveUntil": "2027-11-20T00:00:00.000Z",
        }
    ]
    assert {name: shown[name] for name in made} == made


def test_cards_are_bought_as_often_as_is_said_of_each(ask: Asker) -> None:
    plan_id, calls = bundle(ask)

    made = buy(ask, pricePlanId=plan_id, rateCardQuantities={calls: Decimal("0.5")}, quantity=2)

    assert (made["price"], credits_of(ask, calls)) == (25, 20)
    assert made["rateCardQuantities"] == {calls: Decimal("0.5")}


def test_cards_may_be_agreed_otherwise_for_one_purchase(ask: Asker) -> None:
    plan_id, calls = bundle(ask)
    override = {"fixedFeeRateCards": [fee("1")]}

    made = buy(ask, pricePlanId=plan_id, purchasePlanOverride=override)

    assert (made["price"], credits_of(ask, calls)) == (11, 40)
    assert made["purchasePlanOverride"]["fixedFeeRateCards"][0]["rateValues"][0]["rate"] == 1


def test_a_purchase_grants_credits_too(ask: Asker) -> None:
    account(ask)
    plan_id = plan(ask, kind="PURCHASE", creditGrantRateCards=[PREPAID_CREDIT])
    made = buy(ask, pricePlanId=plan_id, quantity=2)

    (credit,) = ask.done("GET", "/credits", account_id="main")["data"]
    assert (credit["creditAmount"], credit["priority"]) == (200, 2)
    assert (credit["effectiveFrom"], credit["effectiveUntil"]) == ("2026-11-20", "2027-02-20")
    assert made["price"] == 80


def test_a_prepaid_purchase_gives_once_its_invoice_is_paid(ask: Asker) -> None:
    plan_id, calls = bundle(ask)

    made = buy(ask, pricePlanId=plan_id, type="PREPAID")

    assert (made["status"], credits_of(ask, calls)) == ("PENDING", 0)
    ask.done("POST", f"/invoices/{made['invoiceId']}/payments", {"status": "PAID"})
    assert credits_of(ask, calls) == 40
    assert ask.done("GET", f"/purchases/{made['id']}")["status"] == "SUCCESS"


def test_the_wallet_pays_for_a_purchase_what_it_can(ask: Asker) -> None:
    plan_id, calls = bundle(ask)
    ask.done("POST", "/accounts/main/wallet_topup", {"topupAmount": 50})

    made = buy(ask, pricePlanId=plan_id, type="PREPAID")

    assert (credits_of(ask, calls), funds(ask)) == (40, 30)
    assert ask.done("GET", f"/invoices/{made['invoiceId']}")["status"] == "PAID"


def test_a_prepaid_purchase_that_costs_nothing_is_given_at_once(ask: Asker) -> None:
    plan_id, calls = bundle(ask)
    free = {"fixedFeeRateCards": [fee("0")]}

    made = buy(
        ask,
        pricePlanId=plan_id,
        type="PREPAID",
        purchasePlanOverride=free,
        rateCardQuantities={calls: 0},
    )

    assert (made["status"], made["price"]) == ("SUCCESS", 0)
    assert "invoiceId" not in made


def test_an_association_is_a_purchase_that_costs_nothing_by_itself(ask: Asker) -> None:
    account(ask)
    plan_id = plan(ask, fixedFeeRateCards=[fee("10")])
    override = {"fixedFeeRateCards": [fee("7")]}
    body = {"type": "ASSOCIATION", "pricePlanId": plan_id, "associationOverride": override}

    made = buy(ask, **body, effectiveFrom="2026-11-01")

    assert (made["status"], made["price"]) == ("SUCCESS", 0)
    assert made["associationOverride"]["fixedFeeRateCards"][0]["rateValues"][0]["rate"] == 7
    (schedule,) = ask.done("GET", "/accounts/main/pricing_schedules")["data"]
    assert (schedule["startDate"][:10], schedule["endDate"][:10]) == ("2026-11-01", "9999-01-01")
    (invoice,) = invoices(ask)
    assert (invoice["invoiceType"], invoice["totalAmount"]) == ("STANDARD", 7)
    again = ask.togai("POST", PURCHASES, body)
    assert (again.status, again.message[:36]) == (400, "The plan is associated in schedule s")


def test_a_wallet_is_topped_up_for_a_price_of_its_own(ask: Asker) -> None:
    account(ask)

    made = buy(ask, **TOPUP)

    assert (made["price"], made["status"], funds(ask)) == (90, "SUCCESS", 100)
    (invoice,) = invoices(ask)
    assert (invoice["totalAmount"], invoice["status"]) == (90, "DUE")


def test_money_that_is_not_paid_yet_is_not_in_the_wallet(ask: Asker) -> None:
    account(ask)
    proposal = propose(ask, **TOPUP, paymentMode="PREPAID")

    approved = answer(ask, proposal, "APPROVE")

    assert funds(ask) == 0
    ask.done("POST", f"/invoices/{approved['invoiceId']}/payments", {"status": "PAID"})
    assert funds(ask) == 100


def test_a_repeated_key_gives_back_the_purchase_or_the_proposal(ask: Asker) -> None:
    plan_id, calls = bundle(ask)
    body = {"pricePlanId": plan_id, "idempotencyKey": "order-1"}

    assert buy(ask, **body) == buy(ask, **body)
    assert credits_of(ask, calls) == 40
    proposed = body | {"idempotencyKey": "offer-1"}
    assert propose(ask, **proposed) == propose(ask, **proposed)
    crossed = ask.togai("POST", PURCHASES, proposed)
    assert crossed.status == 400
    assert crossed.message.startswith("idempotencyKey is that of proposal purchase.")


def test_a_proposal_does_nothing_until_it_is_approved(ask: Asker) -> None:
    plan_id, calls = bundle(ask)

    proposal = propose(ask, pricePlanId=plan_id)

    assert (proposal["status"], proposal["price"]) == ("PROPOSAL_ACTIVE", 20)
    assert (invoices(ask), credits_of(ask, calls)) == ([], 0)
    assert ask.done("GET", PURCHASES)["data"] == []
    assert ask.togai("GET", f"/purchases/{proposal['id']}").status == 404
    approved = answer(ask, proposal, "APPROVE")
    assert (approved["status"], credits_of(ask, calls)) == ("PROPOSAL_APPROVED", 40)
    assert approved["proposalResponseDate"] == "2026-11-20T12:00:00.000Z"
    assert ask.done("GET", f"/purchase_proposals/{proposal['id']}") == approved
    assert ask.done("GET", f"/purchases/{proposal['id']}")["status"] == "SUCCESS"
    (listed,) = ask.done("GET", PROPOSALS)["data"]
    assert (listed["id"], listed["status"]) == (proposal["id"], "PROPOSAL_APPROVED")
    assert (listed["pricePlanName"], listed["paymentMode"]) == ("Bundle", "POSTPAID")


def test_a_declined_proposal_is_never_given(ask: Asker) -> None:
    plan_id, calls = bundle(ask)
    proposal = propose(ask, pricePlanId=plan_id)

    declined = answer(ask, proposal, "DECLINE")

    assert declined["status"] == "PROPOSAL_DECLINED"
    path = f"/purchase_proposals/{proposal['id']}/update_status"
    again = ask.togai("POST", path, {"status": "APPROVE"})
    assert again.status == 400
    assert again.message == (
        f"Proposal {proposal['id']} is PROPOSAL_DECLINED; it waits for no answer"
    )
    assert (credits_of(ask, calls), ask.done("GET", PURCHASES)["data"]) == (0, [])


def test_what_is_not_answered_or_paid_in_time_is_not_bought(ask: Asker) -> None:
    plan_id, calls = bundle(ask)
    body = {"pricePlanId": plan_id, "expiryDate": "2026-12-01T00:00:00Z"}
    proposal = propose(ask, **body)
    purchase = buy(ask, **body, type="PREPAID")

    until(ask, "2026-12-02T00:00:00Z")

    shown = ask.done("GET", f"/purchase_proposals/{proposal['id']}")
    assert shown["status"] == "PROPOSAL_EXPIRED"
    assert ask.done("GET", f"/purchases/{purchase['id']}")["status"] == "FAILURE"
    assert ask.done("GET", f"/invoices/{purchase['invoiceId']}")["status"] == "VOID"
    assert credits_of(ask, calls) == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"type": "GIFT"}, "type must be one of ENTITLEMENT_GRANT"),
        ({"type": "WALLET_TOPUP"}, "walletTopupDetails is required"),
        (
            {"type": "WALLET_TOPUP", "walletTopupDetails": {"topupAmount": 0}},
            "walletTopupDetails.topupAmount must be greater than 0",
        ),
        (
            {"type": "WALLET_TOPUP", "walletTopupDetails": {"topupAmount": Decimal("0.001")}},
            "walletTopupDetails.topupAmount",
        ),
        ({"type": "ASSOCIATION"}, "pricePlanId is required"),
        ({"type": "ASSOCIATION", "quantity": 2}, "quantity has no place in a purchase of type"),
        ({"expiryDate": "2026-11-20T12:00:00Z"}, "expiryDate must be in the future"),
        ({"rateCardQuantities": {"pp": 1}, "pricePlanId": "BUNDLE"}, "rateCardQuantities.pp is"),
        ({"paymentMode": "PREPAID"}, "paymentMode is not a field here"),
        (
            {"pricePlanId": "BUNDLE", "purchasePlanOverride": {"usageRateCards": []}},
            "purchasePlanOverride.usageRateCards is not a field here",
        ),
    ],
)
def test_a_purchase_on_terms_that_make_no_sense_is_refused(
    ask: Asker, body: dict[str, Any], message: str
) -> None:
    plan_id, _ = bundle(ask)
    if body.get("pricePlanId") == "BUNDLE":
        body = body | {"pricePlanId": plan_id}

    refused = ask.togai("POST", PURCHASES, body)

    assert (refused.status, refused.message[: len(message)]) == (400, message)
    assert ask.done("GET", PURCHASES)["data"] == []


def test_a_proposal_says_its_type_and_how_it_is_paid(ask: Asker) -> None:
    account(ask)

    without = ask.togai("POST", PROPOSALS, {"paymentMode": "PREPAID"})
    unpaid = ask.togai("POST", PROPOSALS, {"type": "WALLET_TOPUP"})

    assert (without.status, without.message) == (400, "type is required")
    assert (unpaid.status, unpaid.message) == (400, "paymentMode is required")


def test_a_plan_without_rates_in_the_accounts_currency_is_not_bought(ask: Asker) -> None:
    account(ask, invoiceCurrency="EUR")
    plan_id = plan(ask, kind="PURCHASE", fixedFeeRateCards=[fee("10")])

    refused = ask.togai("POST", PURCHASES, {"pricePlanId": plan_id})

    assert (refused.status, refused.message) == (
        400,
        f"pricePlanId: {plan_id} is not active in EUR",
    )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/purchases/purchase.0", None),
        ("GET", "/purchase_proposals/purchase.0", None),
        ("POST", "/purchase_proposals/purchase.0/update_status", {"status": "APPROVE"}),
    ],
)
def test_a_purchase_or_a_proposal_that_is_not_there_is_404(
    ask: Asker, method: str, path: str, body: Any
) -> None:
    assert ask.togai(method, path, body).status == 404


def test_volume_prices_count_all_that_is_bought(ask: Asker) -> None:
    account(ask)
    schema(ask)
    calls = feature(ask)
    slabs = [
        {"order": 1, "startAfter": 0, "priceType": "PER_UNIT"},
        {"order": 2, "startAfter": 100, "priceType": "PER_UNIT"},
    ]
    rates = [{"order": 1, "rate": 1}, {"order": 2, "rate": Decimal("0.5")}]
    rated = {
        "ratePlan": {"pricingModel": "VOLUME", "slabs": slabs},
        "rateValues": [{"currency": "USD", "slabRates": rates}],
    }
    card = granting(calls, 60, until="P1Y", **rated)
    plan_id = plan(ask, kind="PURCHASE", billingEntitlementRateCards=[card])

    assert buy(ask, pricePlanId=plan_id)["price"] == 60
    assert buy(ask, pricePlanId=plan_id, quantity=2)["price"] == 60


def test_a_purchased_credit_pays_for_the_invoice_that_runs(ask: Asker) -> None:
    account(ask)
    plan_id = plan(ask, kind="PURCHASE", creditGrantRateCards=[PREPAID_CREDIT])
    associate(ask, plan(ask, "Running", fixedFeeRateCards=[fee("310")]))
    assert [one["totalAmount"] for one in invoices(ask)] == [310]

    buy(ask, pricePlanId=plan_id)

    # The 100 of the credit pay of what runs; the purchase itself is owed as it is.
    assert {one["status"]: one["totalAmount"] for one in invoices(ask)} == {"DRAFT": 210, "DUE": 80}


def test_a_prepaid_purchase_whose_invoice_is_void_fails(ask: Asker) -> None:
    plan_id, calls = bundle(ask)
    made = buy(ask, pricePlanId=plan_id, type="PREPAID")

    ask.done("PATCH", f"/invoices/{made['invoiceId']}", {"status": "VOID"})

    assert ask.done("GET", f"/purchases/{made['id']}")["status"] == "FAILURE"
    assert credits_of(ask, calls) == 0


@pytest.mark.parametrize(
    ("status", "becomes", "given"), [("PAID", "SUCCESS", 40), ("VOID", "FAILURE", 0)]
)
def test_a_prepaid_purchase_of_a_group_waits_for_the_composite_invoice(
    ask: Asker, status: str, becomes: str, given: int
) -> None:
    plan_id, calls = bundle(ask)
    group = {"name": "Together", "email": "ap@acme.example", "accountIds": ["main"], "address": {}}
    ask.done("POST", "/invoice_groups", group | {"dailyInvoiceConsolidation": True})
    made = buy(ask, pricePlanId=plan_id, type="PREPAID")
    until(ask, "2026-11-21T00:00:00Z")
    rows = ask.done("GET", "/invoices")["data"]
    (composite,) = [row["id"] for row in rows if row["invoiceType"] == "COMPOSITE"]

    ask.done("PATCH", f"/invoices/{composite}", {"status": status})

    assert ask.done("GET", f"/purchases/{made['id']}")["status"] == becomes
    assert credits_of(ask, calls) == given
