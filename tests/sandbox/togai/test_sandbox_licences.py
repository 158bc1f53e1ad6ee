"""Licence updates: what is held from when on, and what is refused or passed over."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world


def licence(ask: Asker, kind: str = "LICENSE") -> str:
    """The id of an add-on; the account main is there afterwards."""
    world.account(ask)
    made: str = ask.done("POST", "/addons", {"name": "Seats", "type": kind})["id"]
    return made


def body_of(licence_id: str, quantity: Any, kind: str = "ABSOLUTE", **fields: Any) -> Any:
    body = {"licenseId": licence_id, "accountId": "main", "updateType": kind}
    return body | {"quantity": quantity} | fields


def update(
    ask: Asker, licence_id: str, quantity: Any, kind: str = "ABSOLUTE", **fields: Any
) -> Any:
    return ask.done("POST", "/license_updates", body_of(licence_id, quantity, kind, **fields))


def held(ask: Asker, licence_id: str) -> list[tuple[str, Any]]:
    """Day and quantity of every update, latest first."""
    rows = ask.done("GET", "/license_updates", licenseId=licence_id)["data"]
    return [(row["effectiveFrom"][:10], row["quantity"]) for row in rows]


def limited(licence_id: str, most: int) -> dict[str, Any]:
    config = {"maxQuantity": most, "maxQuantityBreachAction": "DO_NOTHING"}
    return {"id": licence_id, "enableProration": False, "config": config, **world.RATED}


def test_an_update_says_what_is_held_after_it(ask: Asker) -> None:
    seats = licence(ask)
    first = update(ask, seats, 10, metadata={"order": "A-1"})

    assert first == {
        "licenseId": seats,
        "accountId": "main",
        "quantity": 10,
        "effectiveFrom": "2026-11-20T12:00:00.000Z",
        "metadata": {"order": "A-1"},
        "createdAt": "2026-11-20T12:00:00.000Z",
    }
    assert update(ask, seats, Decimal("2.5"), "RELATIVE")["quantity"] == Decimal("12.5")
    assert update(ask, seats, -12, "RELATIVE")["quantity"] == Decimal("0.5")
    assert update(ask, seats, 7)["quantity"] == 7


def test_an_update_that_comes_late_changes_what_relative_ones_after_it_led_to(
    ask: Asker,
) -> None:
    seats = licence(ask)
    update(ask, seats, 10, effectiveFrom="2026-11-02T00:00:00Z")
    update(ask, seats, 3, "RELATIVE", effectiveFrom="2026-11-06T00:00:00Z")
    update(ask, seats, 20, effectiveFrom="2026-11-08T00:00:00Z")
    update(ask, seats, 1, "RELATIVE", effectiveFrom="2026-11-10T00:00:00Z")

    # 10, then 10 - 4 = 6, then 6 + 3 = 9, then 20 whatever was before, then 21.
    assert update(ask, seats, -4, "RELATIVE", effectiveFrom="2026-11-04T00:00:00Z")["quantity"] == 6
    days = [("2026-11-10", 21), ("2026-11-08", 20), ("2026-11-06", 9)]
    assert held(ask, seats) == [*days, ("2026-11-04", 6), ("2026-11-02", 10)]


def test_nothing_below_zero_can_be_held_then_or_later(ask: Asker) -> None:
    seats = licence(ask)
    update(ask, seats, 5, effectiveFrom="2026-11-02T00:00:00Z")
    update(ask, seats, -4, "RELATIVE", effectiveFrom="2026-11-06T00:00:00Z")

    for fields in ({}, {"effectiveFrom": "2026-11-04T00:00:00Z"}):
        refused = ask.togai("POST", "/license_updates", body_of(seats, -2, "RELATIVE", **fields))
        assert refused.status == 400
        assert refused.message.startswith("quantity: the account would hold -1 at")
    assert held(ask, seats) == [("2026-11-06", 1), ("2026-11-02", 5)]


def test_a_repeated_key_gives_back_the_update_and_changes_nothing(ask: Asker) -> None:
    seats = licence(ask)
    first = update(ask, seats, 10, idempotencyKey="order-1")

    assert update(ask, seats, 3, "RELATIVE", idempotencyKey="order-1") == first
    assert update(ask, seats, 3, "RELATIVE", idempotencyKey="order-2")["quantity"] == 13
    assert [effect["key"] for effect in ask.effects("licence-update")] == ["order-1", "order-2"]


def test_a_change_to_more_than_the_plan_allows_is_not_made(ask: Asker) -> None:
    seats = licence(ask)
    world.associate(ask, world.plan(ask, licenseRateCards=[limited(seats, 10)]))

    assert update(ask, seats, 10, effectiveFrom="2026-11-20T00:00:00Z")["quantity"] == 10
    assert update(ask, seats, 1, "RELATIVE")["quantity"] == 10
    # It would lead above the maximum on the 20th: 8 + 3.
    update(ask, seats, 8)
    update(ask, seats, 3, "RELATIVE", effectiveFrom="2026-11-25T00:00:00Z")
    assert held(ask, seats) == [("2026-11-20", 8), ("2026-11-20", 10)]
    # Before the plan there is no limit.
    assert update(ask, seats, 11, effectiveFrom="2026-10-20T00:00:00Z")["quantity"] == 11


def test_a_cycle_whose_grace_has_ended_cannot_be_changed(ask: Asker) -> None:
    seats = licence(ask)
    card = {"id": seats, "enableProration": False, **world.RATED}
    world.associate(ask, world.plan(ask, licenseRateCards=[card]), start="2026-10-01")

    for moment in ("2026-10-31T23:00:00Z", "2026-09-01T00:00:00Z"):
        body = body_of(seats, 5, effectiveFrom=moment)
        refused = ask.togai("POST", "/license_updates", body)
        # October's cycle ended on November 1st, its grace three days later.
        shown = "2026-11-04T00:00:00.000Z"
        expected = f"effectiveFrom: the grace period of that cycle ended at {shown}"
        assert (refused.status, refused.message) == (400, expected)
    assert update(ask, seats, 5, effectiveFrom="2026-11-01T00:00:00Z")["quantity"] == 5


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"licenseId": "addon.0"}, "licenseId"),
        ({"accountId": "nobody"}, "accountId"),
        ({"updateType": "ADD"}, "updateType"),
        ({"quantity": "5"}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"effectiveFrom": "2026-11-20"}, "effectiveFrom"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"metadata": {"order": 5}}, "metadata"),
        ({"price": 5}, "price"),
    ],
)
def test_a_malformed_licence_update_is_refused(
    ask: Asker, fields: dict[str, Any], path: str
) -> None:
    seats = licence(ask)
    answer = ask.togai("POST", "/license_updates", body_of(seats, 5) | fields)

    assert answer.status == 400
    assert answer.message.startswith(path)


@pytest.mark.parametrize("kind", ["FIXED_FEE", "NAMED_LICENSE"])
def test_only_plain_licences_are_updated(ask: Asker, kind: str) -> None:
    other = licence(ask, kind)
    answer = ask.togai("POST", "/license_updates", body_of(other, 5))

    assert (answer.status, answer.message) == (
        400,
        f"licenseId: add-on {other} is of type {kind}",
    )


def test_updates_are_listed_by_account_licence_and_time(ask: Asker) -> None:
    seats = licence(ask)
    desks = ask.done("POST", "/addons", {"name": "Desks", "type": "LICENSE"})["id"]
    world.account(ask, "other")
    update(ask, seats, 1, effectiveFrom="2026-11-20T00:00:00Z")
    update(ask, desks, 2, effectiveFrom="2026-11-21T00:00:00Z")
    update(ask, seats, 3, effectiveFrom="2026-11-20T00:00:00Z", accountId="other")

    def listed(**query: str) -> list[Any]:
        return [row["quantity"] for row in ask.done("GET", "/license_updates", **query)["data"]]

    assert listed() == [2, 1, 3]
    assert listed(account_id="main") == [2, 1]
    assert listed(licenseId=seats) == [1, 3]
    assert listed(effectiveFrom="2026-11-21T05:30:00+05:30") == [2]
    page = ask.done("GET", "/license_updates", pageSize=2, effectiveFrom="2026-11-20T00:00:00Z")
    assert ([row["quantity"] for row in page["data"]], page["nextToken"]) == ([1, 3], None)
    assert ask.togai("GET", "/license_updates", pageSize=51).status == 400
    assert ask.togai("GET", "/license_updates", effectiveFrom="today").status == 400


def test_the_metadata_of_an_update_is_replaced_and_nothing_else(ask: Asker) -> None:
    seats = licence(ask)
    made = update(ask, seats, 5, metadata={"order": "A-1"})
    body = {"accountId": "main", "effectiveFrom": made["effectiveFrom"], "metadata": {"po": "7"}}

    assert ask.done("PATCH", f"/license_updates/{seats}", body) == made | {"metadata": {"po": "7"}}
    # The vendor's own client sends the template as the path.
    again = ask.done("PATCH", "/license_updates/%7Blicense_id%7D", body, licenseId=seats)
    assert again["metadata"] == {"po": "7"}
    other = body | {"effectiveFrom": "2026-11-19T00:00:00Z"}
    assert ask.togai("PATCH", f"/license_updates/{seats}", other).status == 400


def lines_of(invoice: Any, kind: str) -> list[Any]:
    """The lines of a type, wherever they are in the invoice."""
    found, rest = [], [invoice["revenueInfo"]]
    while rest:
        line = rest.pop(0)
        found += [line] if line["type"] == kind else []
        rest += line["lineItems"]
    return found


def test_licences_are_billed_by_the_days_they_were_held(ask: Asker) -> None:
    seats = licence(ask)
    card = {"id": seats, "enableProration": True, **world.RATED}
    world.associate(ask, world.plan(ask, licenseRateCards=[card]))
    update(ask, seats, 12, effectiveFrom="2026-11-01T00:00:00Z")
    update(ask, seats, 6, "RELATIVE", effectiveFrom="2026-11-21T15:00:00Z")

    (invoice,) = ask.done("GET", "/invoices", owner_id="main")["data"]
    # 20 days of 12 and 10 of 18: 420 / 30 = 14 seats at 0.25.
    assert invoice["totalAmount"] == Decimal("3.50")
    shown = ask.done("GET", f"/invoices/{invoice['id']}")
    (line,) = lines_of(shown, "LICENSE_RATE_CARD_AMOUNT")
    assert (line["id"], line["quantity"]) == (seats, 14)
    # Taken back on the 26th: 20 days of 12, 5 of 18, 5 of 0, 330 / 30 = 11 seats.
    update(ask, seats, 0, effectiveFrom="2026-11-26T00:00:00Z")
    assert ask.done("GET", f"/invoices/{invoice['id']}")["totalAmount"] == Decimal("2.75")


def named(
    ask: Asker, licence_id: str, event_id: str, name: str, action: str = "1", **fields: Any
) -> str:
    """Add a name to a licence or remove it; the status of the event."""
    body = {
        "schemaName": "togai-named-license",
        "id": event_id,
        "timestamp": "2026-11-20T08:00:00Z",
        "accountId": "main",
        "attributes": [{"name": "action", "value": action}],
        "dimensions": {"license_id": licence_id, "name": name},
    }
    ask.done("POST", "/ingest", {"event": body | fields})
    return world.status_of(ask, event_id)


INVALID = "INGESTION_FAILED_INVALID_NAMED_LICENSE_EVENT"
NOT_METERED = "INGESTION_COMPLETED_EVENT_NOT_METERED"
METERED = "INGESTION_COMPLETED_EVENT_METERED"


def test_events_say_who_holds_a_named_licence(ask: Asker) -> None:
    users = licence(ask, "NAMED_LICENSE")
    assert named(ask, users, "e1", "ann") == NOT_METERED
    assert named(ask, users, "e2", "bob", timestamp="2026-11-20T09:00:00Z") == NOT_METERED
    assert named(ask, users, "e3", "ann", "-1", timestamp="2026-11-20T10:00:00Z") == NOT_METERED
    assert named(ask, users, "e4", "ann", timestamp="2026-11-20T11:00:00Z") == NOT_METERED

    rows = ask.done("GET", "/named_license_updates")["data"]
    assert sorted(
        (row["name"], row["effectiveFrom"], row.get("effectiveUntil")) for row in rows
    ) == [
        ("ann", "2026-11-20T08:00:00.000Z", "2026-11-20T10:00:00.000Z"),
        ("ann", "2026-11-20T11:00:00.000Z", None),
        ("bob", "2026-11-20T09:00:00.000Z", None),
    ]
    assert {(row["licenseId"], row["accountId"]) for row in rows} == {(users, "main")}


def test_named_licences_are_billed_by_their_distinct_names(ask: Asker) -> None:
    users = licence(ask, "NAMED_LICENSE")
    card = {"id": users, "type": "NAMED_LICENSE", "enableProration": False, **world.RATED}
    world.associate(ask, world.plan(ask, licenseRateCards=[card]))
    for number, name in enumerate(["ann", "bob", "cid"]):
        assert named(ask, users, f"e{number}", name) == METERED
    named(ask, users, "gone", "ann", "-1", timestamp="2026-11-20T09:00:00Z")

    # Not prorated: the highest number of any day, three at 0.25, cut to cents.
    (invoice,) = ask.done("GET", "/invoices", owner_id="main")["data"]
    assert invoice["totalAmount"] == Decimal("0.75")


def test_a_named_licence_event_that_makes_no_sense_fails(ask: Asker) -> None:
    users = licence(ask, "NAMED_LICENSE")
    seats = ask.done("POST", "/addons", {"name": "Desks", "type": "LICENSE"})["id"]
    named(ask, users, "e1", "ann")

    assert named(ask, users, "twice", "ann", timestamp="2026-11-20T09:00:00Z") == INVALID
    assert named(ask, users, "before", "ann", timestamp="2026-11-19T09:00:00Z") == INVALID
    assert named(ask, users, "unheld", "bob", "-1") == INVALID
    assert named(ask, users, "too early", "ann", "-1", timestamp="2026-11-19T09:00:00Z") == INVALID
    assert named(ask, users, "two", "bob", "2") == INVALID
    assert named(ask, users, "nothing", "bob", attributes=[]) == INVALID
    assert named(ask, users, "long", "b" * 51) == INVALID
    assert named(ask, users, "no name", "bob", dimensions={"license_id": users}) == INVALID
    assert named(ask, seats, "plain", "bob") == INVALID
    assert named(ask, users, "e1", "bob") == "INGESTION_FAILED_DUPLICATE_EVENT"
    assert len(ask.done("GET", "/named_license_updates")["data"]) == 1


def test_no_more_names_than_the_plan_allows_hold_a_licence(ask: Asker) -> None:
    users = licence(ask, "NAMED_LICENSE")
    world.associate(ask, world.plan(ask, licenseRateCards=[limited(users, 1)]))
    assert named(ask, users, "e1", "ann", timestamp="2026-11-10T00:00:00Z") == METERED

    assert named(ask, users, "e2", "bob", timestamp="2026-11-12T00:00:00Z") == INVALID
    # Before ann as well: bob would still hold it when she begins.
    assert named(ask, users, "e3", "bob", timestamp="2026-11-08T00:00:00Z") == INVALID
    assert named(ask, users, "e4", "ann", "-1", timestamp="2026-11-14T00:00:00Z") == METERED
    assert named(ask, users, "e5", "bob", timestamp="2026-11-14T00:00:00Z") == METERED


def test_a_named_licence_of_a_closed_cycle_stays_as_it_was(ask: Asker) -> None:
    users = licence(ask, "NAMED_LICENSE")
    card = {"id": users, "enableProration": False, **world.RATED}
    world.associate(ask, world.plan(ask, licenseRateCards=[card]), start="2026-10-01")

    assert named(ask, users, "late", "ann", timestamp="2026-10-31T00:00:00Z") == INVALID
    assert named(ask, users, "in time", "ann", timestamp="2026-11-01T00:00:00Z") == METERED


def test_what_is_held_when_a_plan_begins_is_billed_even_above_its_maximum(ask: Asker) -> None:
    seats = licence(ask)
    update(ask, seats, 30, effectiveFrom="2026-10-20T00:00:00Z")

    world.associate(ask, world.plan(ask, licenseRateCards=[limited(seats, 20)]))

    (invoice,) = ask.done("GET", "/invoices", owner_id="main")["data"]
    # 30 x 0.25; more than 20 can only not be asked for any more.
    assert invoice["totalAmount"] == Decimal("7.50")
    assert update(ask, seats, 31)["quantity"] == 30


def test_a_plan_can_go_from_an_account_with_events_about_named_licences(ask: Asker) -> None:
    users = licence(ask, "NAMED_LICENSE")
    card = {"id": users, "type": "NAMED_LICENSE", "enableProration": False, **world.RATED}
    world.associate(ask, world.plan(ask, licenseRateCards=[card]))
    named(ask, users, "e1", "ann")
    period = {"effectiveFrom": "2026-11-15", "effectiveUntil": "9999-01-01"}

    ask.done("POST", "/accounts/main/price_plans", {"mode": "DISASSOCIATE", **period})

    assert world.status_of(ask, "e1") == METERED
    # Ann holds it from the 20th on, when the plan is no longer there.
    (invoice,) = ask.done("GET", "/invoices", owner_id="main")["data"]
    assert (invoice["endDate"][:10], invoice["totalAmount"]) == ("2026-11-15", 0)
