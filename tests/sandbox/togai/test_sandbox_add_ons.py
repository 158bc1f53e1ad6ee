"""Add-ons: made, renamed, archived, and what rate cards may say of them."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world

SEAT_CARD = {"type": "LICENSE", "enableProration": False, **world.RATED}


def add_on(ask: Asker, name: str = "Seats", kind: str = "LICENSE") -> str:
    made: str = ask.done("POST", "/addons", {"name": name, "type": kind})["id"]
    return made


def refused_plan(ask: Asker, **cards: Any) -> str:
    """The message of the refusal of a plan with these cards."""
    details = {"supportedCurrencies": ["USD"], "pricingCycleConfig": world.CYCLE} | cards
    body = {"name": "Other", "type": "BILLING", "pricePlanDetails": details}
    answer = ask.togai("POST", "/price_plans", body)
    assert answer.status == 400
    return answer.message


def test_an_add_on_is_shown_by_its_billable_name_if_it_has_one(ask: Asker) -> None:
    body = {"name": "Seats", "type": "LICENSE", "billableName": "Team seats"}
    made = ask.done("POST", "/addons", body)

    assert made == {
        "id": made["id"],
        "name": "Seats",
        "type": "LICENSE",
        "billableName": "Team seats",
        "displayName": "Team seats",
        "status": "ACTIVE",
        "createdAt": "2026-11-20T12:00:00.000Z",
    }
    assert ask.done("GET", f"/addons/{made['id']}") == made
    assert ask.done("GET", f"/addons/{add_on(ask, 'Setup')}")["displayName"] == "Setup"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"type": "LICENSE"}, "name"),
        ({"name": "", "type": "LICENSE"}, "name"),
        ({"name": "n" * 256, "type": "LICENSE"}, "name"),
        ({"name": "Seats"}, "type"),
        ({"name": "Seats", "type": "USAGE"}, "type"),
        ({"name": "Seats", "type": "LICENSE", "billableName": 5}, "billableName"),
        ({"name": "Seats", "type": "LICENSE", "price": 5}, "price"),
    ],
)
def test_a_malformed_add_on_is_refused_by_the_path_of_its_field(
    ask: Asker, body: dict[str, Any], path: str
) -> None:
    answer = ask.togai("POST", "/addons", body)

    assert answer.status == 400
    assert answer.message.startswith(path)


def test_an_add_on_changes_its_names_but_not_its_type(ask: Asker) -> None:
    seats = add_on(ask)
    changed = ask.done("PATCH", f"/addons/{seats}", {"name": "Places", "billableName": "Desks"})

    assert (changed["name"], changed["displayName"]) == ("Places", "Desks")
    assert ask.togai("PATCH", f"/addons/{seats}", {"type": "FIXED_FEE"}).status == 400
    assert ask.togai("PATCH", "/addons/addon.0", {"name": "x"}).status == 404


def test_a_name_of_an_add_on_is_unique_until_it_is_archived(ask: Asker) -> None:
    first, second = add_on(ask, "Seats"), add_on(ask, "Setup")

    assert ask.togai("POST", "/addons", {"name": "Seats", "type": "LICENSE"}).status == 400
    assert ask.togai("PATCH", f"/addons/{second}", {"name": "Seats"}).status == 400
    assert ask.done("PATCH", f"/addons/{first}", {"name": "Seats"})["name"] == "Seats"
    ask.done("DELETE", f"/addons/{first}")
    assert add_on(ask, "Seats") != first


def test_a_deleted_add_on_is_archived_still_readable_and_out_of_the_list(ask: Asker) -> None:
    seats, setup = add_on(ask), add_on(ask, "Setup", "FIXED_FEE")
    for _ in range(2):
        assert ask.done("DELETE", f"/addons/{seats}") == {"success": True}

    assert ask.done("GET", f"/addons/{seats}")["status"] == "ARCHIVED"
    assert [row["id"] for row in ask.done("GET", "/addons")["data"]] == [setup]
    archived = ask.done("GET", "/addons", status="ARCHIVED")["data"]
    assert [row["id"] for row in archived] == [seats]
    assert ask.togai("PATCH", f"/addons/{seats}", {"name": "Places"}).status == 400
    assert ask.togai("GET", "/addons", status="DRAFT").status == 400
    assert len(ask.effects("add-on-delete")) == 1


def test_an_add_on_that_a_plan_names_cannot_be_deleted(ask: Asker) -> None:
    seats = add_on(ask)
    plan = world.plan(ask, licenseRateCards=[{"id": seats, **SEAT_CARD}])

    answer = ask.togai("DELETE", f"/addons/{seats}")
    assert (answer.status, answer.message) == (400, f"Add-on {seats} is in the price plan Plan")
    ask.done("DELETE", f"/price_plans/{plan}")
    assert ask.done("DELETE", f"/addons/{seats}") == {"success": True}


def test_a_card_may_name_no_add_on_but_not_one_of_another_kind(ask: Asker) -> None:
    fee, named = add_on(ask, "Setup", "FIXED_FEE"), add_on(ask, "Users", "NAMED_LICENSE")

    message = refused_plan(ask, licenseRateCards=[{"id": fee, **SEAT_CARD}])
    assert message.endswith(f"licenseRateCards[0].id: add-on {fee} is of type FIXED_FEE")
    fixed = {"enableProration": False, "rateValues": [{"currency": "USD", "rate": 5}]}
    message = refused_plan(ask, fixedFeeRateCards=[{"id": named, **fixed}])
    assert message.endswith(f"fixedFeeRateCards[0].id: add-on {named} is of type NAMED_LICENSE")
    cards = [{"id": id_, **SEAT_CARD} for id_ in (named, "unknown")]
    assert world.plan(ask, licenseRateCards=cards)
    archived = add_on(ask, "Old")
    ask.done("DELETE", f"/addons/{archived}")
    message = refused_plan(ask, licenseRateCards=[{"id": archived, **SEAT_CARD}])
    assert message.endswith(f"licenseRateCards[0].id: add-on {archived} is archived")
