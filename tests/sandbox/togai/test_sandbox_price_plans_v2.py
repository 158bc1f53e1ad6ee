"""Price plans of the second generation: drafts, versions, rate cards, errors, finalizing."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.plans_v2 import (
    HEADER,
    cards,
    change,
    create,
    delete,
    errors,
    fee_card,
    finalize,
    get,
    header,
    operate,
    published,
    usage_card,
    versions,
)
from sandbox.togai.test_sandbox_price_plans import COMMITMENT, full
from sandbox.togai.world import CYCLE, meter, plan, schema


def test_a_plan_begins_as_a_draft_without_cards(ask: Asker) -> None:
    made = ask.done(
        "POST",
        "/v2/price_plans",
        HEADER | {"description": "For teams", "allowOngoingCycleUpdates": True},
    )

    assert (made["version"], made["status"], made["description"]) == (1, "DRAFT", "For teams")
    assert made["pricingCycleConfig"]["startOffset"] == {"dayOffset": "1", "monthOffset": "NIL"}
    assert (made["allowOngoingCycleUpdates"], "deferredRevenue" in made) == (True, False)
    assert cards(ask, made["id"]) == []
    assert ask.done("GET", "/v2/price_plans")["data"] == [made]
    assert ask.done("GET", f"/price_plans/{made['id']}")["status"] == "DRAFT"
    taken = ask.togai("POST", "/v2/price_plans", HEADER)
    assert (taken.status, taken.message) == (
        400,
        f"name: price plan {made['id']} is called Growth already",
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "GIFT"}, "type must be one of BILLING, PURCHASE"),
        ({"supportedCurrencies": []}, "supportedCurrencies must have at least 1 items"),
        ({"name": "n" * 51}, "name must have at most 50 characters"),
        ({"pricingCycleConfig": {"interval": "MONTHLY"}}, "pricingCycleConfig.gracePeriod is requ"),
        ({"pricePlanDetails": {}}, "pricePlanDetails is not a field here"),
    ],
)
def test_a_malformed_header_is_refused(ask: Asker, fields: Any, message: str) -> None:
    answer = ask.togai("POST", "/v2/price_plans", HEADER | fields)

    assert answer.status == 400
    assert answer.message.startswith(message)


def test_operations_make_change_and_drop_cards_in_their_order(ask: Asker) -> None:
    schema(ask)
    plan_id = header(ask)
    calls = meter(ask)
    made = operate(
        ask,
        plan_id,
        create("calls", usage_card(calls)),
        create("fee", fee_card("10")),
        create("old", fee_card("5")),
        change("fee", fee_card("12.50")),
        delete("old"),
    )

    assert [(card["name"], card["type"]) for card in made] == [
        ("calls", "USAGE"),
        ("fee", "FIXED_FEE"),
    ]
    assert cards(ask, plan_id) == made
    fee = made[1]
    assert (fee["billableId"], fee["currencies"], fee["pricePlanId"]) == (
        "platform",
        ["USD"],
        plan_id,
    )
    assert (fee["referenceId"], fee["referenceType"]) == (
        get(ask, plan_id)["referenceId"],
        "PRICE_PLAN",
    )
    assert fee["rateCardDetails"]["fixedFeeRateCard"]["rateValues"][0]["rate"] == Decimal("12.50")


def test_a_minimum_commitment_is_a_card_with_a_name_and_only_one(ask: Asker) -> None:
    plan_id = header(ask)
    card = {
        "billableId": "commit",
        "type": "MINIMUM_COMMITMENT",
        "invoiceTiming": "IN_ARREARS",
        "rateCardDetails": {"minimumCommitmentRateCard": COMMITMENT},
    }
    (made,) = operate(ask, plan_id, create("floor", card))
    again = ask.togai(
        "POST", f"/v2/price_plans/{plan_id}/rate_cards", {"operations": [create("other", card)]}
    )
    finalize(ask, plan_id)

    assert (made["name"], made["billableId"], made["displayName"]) == (
        "floor",
        "commit",
        "Commitment",
    )
    assert made["rateCardDetails"] == {"minimumCommitmentRateCard": COMMITMENT}
    assert again.message.endswith("the plan has a minimum commitment already")
    details = ask.done("GET", f"/price_plans/{plan_id}")["pricingSchedule"][0]["pricePlanDetails"]
    assert details["minimumCommitment"] == COMMITMENT
    operate(ask, plan_id, delete("floor"))
    assert cards(ask, plan_id) == []


CALLS = {"usageMeterId": "um.other"}


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([], "operations must have at least 1 items"),
        ([delete("none")], "operations[0].rateCardName: there is no rate card none"),
        ([change("none", fee_card("1"))], "operations[0].rateCardName: there is no rate card none"),
        (
            [create("fee", fee_card("1")), create("fee", fee_card("1"))],
            "operations[1].rateCardName: fee is the name of another card",
        ),
        ([{"actionType": "DELETE", "rateCardName": "fee", "rateCard": {}}], "operations[0].rateCa"),
        ([create("fee", fee_card("1", "LATER"))], "operations[0].rateCard.invoiceTiming must be"),
        (
            [create("fee", fee_card("1", name="other"))],
            "operations[0].rateCard.rateCardDetails.fixedFeeRateCard.name is not fee",
        ),
        (
            [create("fee", fee_card("1") | {"billableId": "else"})],
            "operations[0].rateCard.rateCardDetails.fixedFeeRateCard.id is not else",
        ),
        (
            [create("fee", fee_card("1") | {"type": "USAGE"})],
            "operations[0].rateCard.rateCardDetails.fixedFeeRateCard is not a field here",
        ),
        (
            [create("calls", usage_card("um.none"))],
            "operations[0].rateCard.rateCardDetails.usageRateCard.usageMeterId: there is no",
        ),
        (
            [create("calls", usage_card("um.none") | {"invoiceTiming": "IN_ADVANCE"})],
            "operations[0].rateCard.invoiceTiming of a card of type USAGE is IN_ARREARS",
        ),
    ],
)
def test_malformed_operations_are_refused_and_none_is_kept(
    ask: Asker, operations: list[Any], message: str
) -> None:
    plan_id = header(ask)

    answer = ask.togai("POST", f"/v2/price_plans/{plan_id}/rate_cards", {"operations": operations})

    assert answer.status == 400
    assert answer.message.startswith(message)
    assert cards(ask, plan_id) == []


def test_a_card_does_not_change_its_type(ask: Asker) -> None:
    schema(ask)
    plan_id = header(ask)
    operate(ask, plan_id, create("fee", fee_card("1")))
    body = {"operations": [change("fee", usage_card(meter(ask)))]}

    answer = ask.togai("POST", f"/v2/price_plans/{plan_id}/rate_cards", body)

    assert answer.message == "operations[0].rateCard.type: fee is a card of type FIXED_FEE"


def test_every_kind_of_card_of_the_first_generation_is_a_card_of_the_second(ask: Asker) -> None:
    made = ask.done("POST", "/price_plans", full(ask))

    found = cards(ask, made["id"])

    assert [card["type"] for card in found] == [
        *("USAGE", "FIXED_FEE", "LICENSE", "BILLING_ENTITLEMENT", "CREDIT_GRANT"),
        *("ENTITLEMENT_OVERAGE", "MINIMUM_COMMITMENT"),
    ]
    assert [card["currencies"] for card in found] == [["USD"]] * 7
    again = header(ask)
    copies = [
        create(
            card["name"],
            {name: card[name] for name in ("billableId", "type", "displayName", "invoiceTiming")}
            | {"rateCardDetails": card["rateCardDetails"]},
        )
        for card in found
        if card["displayName"] != card["name"]
    ]
    operate(ask, again, *copies)
    assert errors(ask, again) == []


def test_pages_of_cards_follow_one_another(ask: Asker) -> None:
    plan_id = header(ask)
    operate(ask, plan_id, *(create(f"fee {n}", fee_card("1")) for n in range(5)))
    path = f"/v2/price_plans/{plan_id}/rate_cards"

    first = ask.done("GET", path, pageSize=2)
    second = ask.done("GET", path, nextToken=first["nextToken"])
    third = ask.done("GET", path, nextToken=second["nextToken"])

    pages = [[card["name"][-1] for card in page["data"]] for page in (first, second, third)]
    assert (pages, third["nextToken"]) == ([["0", "1"], ["2", "3"], ["4"]], None)
    assert ask.togai("GET", path, nextToken="eA==").status == 400


def test_a_draft_with_errors_cannot_be_finalized_until_they_are_mended(ask: Asker) -> None:
    made = ask.done(
        "POST",
        "/v2/price_plans",
        {"name": "Euro", "type": "BILLING", "supportedCurrencies": ["USD", "EUR"]},
    )
    plan_id = made["id"]
    operate(ask, plan_id, create("fee", fee_card("1")))

    listed = ask.done("GET", f"/v2/price_plans/{plan_id}/errors")["data"]
    refused = ask.togai("POST", f"/v2/price_plans/{plan_id}/finalize", {})
    by_v1 = ask.togai("POST", f"/price_plans/{plan_id}/activate", {"currencies": ["USD"]})

    assert [(row["entityType"], row["entityId"]) for row in listed] == [
        ("PRICE_PLAN", plan_id),
        ("RATE_CARD", "fee"),
    ]
    assert {row["referenceId"] for row in listed} == {made["referenceId"]}
    assert listed[1]["errorMessage"] == (
        "rateValues must name each of the supportedCurrencies once: USD, EUR"
    )
    assert refused.status == by_v1.status == 400
    assert "has 2 errors; the first is in" in refused.message
    mended = {"supportedCurrencies": ["USD"], "pricingCycleConfig": CYCLE}
    ask.done("PATCH", f"/v2/price_plans/{plan_id}", mended)
    assert errors(ask, plan_id) == []
    finalize(ask, plan_id)
    assert get(ask, plan_id)["status"] == "ACTIVE"


def test_deferred_revenue_and_rules_without_a_card_are_errors(ask: Asker) -> None:
    plan_id = header(ask, deferredRevenue=True)
    operate(ask, plan_id, create("fee", fee_card("10", "IN_ADVANCE")))
    rule = {
        "name": "Twice",
        "order": 1,
        "computation": '{"*": [{"var": "revenue.ff.platform"}, 2]}',
        "action": {"type": "ADD"},
    }
    ask.done("PUT", f"/v2/price_plans/{plan_id}/pricing_rules", {"pricingRules": [rule]})

    assert errors(ask, plan_id) == [
        (
            "PRICE_PLAN",
            "fixedFeeRateCards[0].invoiceTiming cannot be IN_ADVANCE with deferredRevenue",
        )
    ]
    plain = header(ask, name="Plain")
    operate(ask, plain, create("fee", fee_card("10", "IN_ADVANCE")))
    ask.done("PUT", f"/v2/price_plans/{plain}/pricing_rules", {"pricingRules": [rule]})
    assert errors(ask, plain) == [
        (
            "PRICING_RULE",
            "revenue.ff.platform is not the variable of a card that is invoiced IN_ARREARS",
        )
    ]


def test_an_active_plan_is_changed_by_a_draft_that_counts_once_it_is_finalized(ask: Asker) -> None:
    plan_id = published(ask, "49")
    operate(ask, plan_id, change("fee", fee_card("59")))
    ask.done("PATCH", f"/v2/price_plans/{plan_id}", {"description": "Dearer"})

    assert versions(ask, plan_id) == [(2, "DRAFT"), (1, "ACTIVE")]
    assert get(ask, plan_id)["version"] == get(ask, plan_id, version="LATEST")["version"] == 2
    assert get(ask, plan_id, version="ACTIVE")["version"] == 1
    assert "description" not in get(ask, plan_id, version="1")
    assert ask.done("GET", f"/price_plans/{plan_id}")["pricingSchedule"][0]["version"] == 1
    finalize(ask, plan_id)

    assert versions(ask, plan_id) == [(2, "ACTIVE"), (1, "ACTIVE")]
    assert get(ask, plan_id, version="ACTIVE")["description"] == "Dearer"
    assert ask.done("GET", f"/price_plans/{plan_id}", version="1")["id"] == plan_id
    assert ask.togai("GET", f"/v2/price_plans/{plan_id}", version="3").status == 404
    first = ask.done("GET", f"/v2/price_plans/{plan_id}/versions", pageSize=1)
    rest = ask.done("GET", f"/v2/price_plans/{plan_id}/versions", nextToken=first["nextToken"])
    assert [first["data"][0]["version"], rest["data"][0]["version"]] == [2, 1]


def test_a_discarded_draft_leaves_what_was_active_or_nothing(ask: Asker) -> None:
    plan_id, never = published(ask), header(ask, name="Never")
    operate(ask, plan_id, delete("fee"))

    for one in (plan_id, never):
        assert ask.done("DELETE", f"/v2/price_plans/{one}/discard") == {"success": True}

    assert versions(ask, plan_id) == [(1, "ACTIVE")]
    assert [card["name"] for card in cards(ask, plan_id)] == ["fee"]
    assert ask.togai("GET", f"/v2/price_plans/{never}").status == 404
    again = ask.togai("DELETE", f"/v2/price_plans/{plan_id}/discard")
    assert (again.status, again.message) == (400, f"Price plan {plan_id} has no draft")
    assert ask.togai("POST", f"/v2/price_plans/{plan_id}/finalize", {}).status == 400


def test_an_archived_plan_is_not_there_for_the_second_generation(ask: Asker) -> None:
    plan_id = published(ask)
    ask.done("DELETE", f"/price_plans/{plan_id}")

    assert ask.togai("GET", f"/v2/price_plans/{plan_id}").status == 404
    assert ask.done("GET", "/v2/price_plans")["data"] == []
    assert published(ask) != plan_id


def test_the_first_generation_waits_for_a_draft_of_the_second(ask: Asker) -> None:
    plan_id = published(ask)
    operate(ask, plan_id, change("fee", fee_card("59")))

    answer = ask.togai("PATCH", f"/price_plans/{plan_id}", {"description": "Mine"})

    assert answer.message == (
        f"Price plan {plan_id} has a draft: finalize or discard that one first"
    )


def test_a_meter_of_an_older_version_cannot_be_deleted(ask: Asker) -> None:
    schema(ask)
    calls = meter(ask)
    plan_id = plan(
        ask,
        usageRateCards=[
            {
                "usageMeterId": calls,
                **usage_card(calls)["rateCardDetails"]["usageRateCard"],
            }
        ],
    )
    ask.done("PATCH", f"/price_plans/{plan_id}", {"pricePlanDetails": {"usageRateCards": []}})

    answer = ask.togai("DELETE", f"/usage_meters/{calls}")

    assert answer.message == f"Usage meter {calls} is priced by the plan Plan"
