"""Charges beside the plan, and bill runs."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world
from sandbox.togai.billed import amounts, credit, fee, invoices, lines, priced, send, until
from sandbox.togai.written import read, used, write

SETUP = {"name": "Set-up", "value": "100"}
VISITS = {"name": "Visits", "rate": Decimal("12.5"), "quantity": 3}


def running(ask: Asker) -> Any:
    (invoice,) = [row for row in invoices(ask) if row["status"] == "DRAFT"]
    return invoice


def set_of_invoice(ask: Asker, *items: Any) -> Any:
    path = f"/invoices/{running(ask)['id']}/miscellaneous_charges"
    return ask.done("PUT", path, {"items": list(items)})["data"]


def set_upcoming(ask: Asker, *items: Any) -> Any:
    path = "/accounts/main/miscellaneous_charges"
    return ask.done("PUT", path, {"items": list(items)})["data"]


def test_charges_of_a_running_invoice_are_on_it_and_replaced_as_a_whole(ask: Asker) -> None:
    priced(ask)
    send(ask, "e1", "8")

    answer = set_of_invoice(ask, SETUP, VISITS | {"considerForRevenue": True})

    assert answer == [SETUP, VISITS | {"considerForRevenue": True, "value": "37.5"}]
    invoice = running(ask)
    assert invoice["totalAmount"] == Decimal("139.50")
    assert amounts(invoice, "TOTAL_MISCELLANEOUS_CHARGES") == [Decimal("137.50")]
    assert amounts(invoice, "MISCELLANEOUS_CHARGE") == [100, Decimal("37.50")]
    visits = [line for line in lines(invoice["revenueInfo"]) if line["description"] == "Visits"]
    assert (visits[0]["quantity"], visits[0]["valuePerQuantity"]) == (3, Decimal("12.5"))

    set_of_invoice(ask, SETUP | {"value": "1"})
    assert running(ask)["totalAmount"] == 3
    assert set_of_invoice(ask) == []
    assert running(ask)["totalAmount"] == 2


def test_a_charge_may_be_logic_over_the_lines_of_its_invoice(ask: Asker) -> None:
    priced(ask, fixedFeeRateCards=[fee("8")])
    logic = '{"*": [{"var": "platform"}, 0.125]}'
    nowhere = {"name": "Nothing", "value": '{"+": [{"var": "um.0"}, 1]}'}
    negative = {"name": "Less", "value": '{"-": [{"var": "platform"}]}'}

    set_of_invoice(ask, {"name": "Levy", "value": logic}, nowhere, negative)

    invoice = running(ask)
    assert amounts(invoice, "MISCELLANEOUS_CHARGE") == [1, 0, 0]
    said = [
        line.get("metadata")
        for line in lines(invoice["revenueInfo"])
        if line["type"] == "MISCELLANEOUS_CHARGE"
    ]
    assert said[0] is None
    assert [sorted(metadata) for metadata in said[1:]] == [["error"], ["error"]]


def test_no_credit_pays_a_charge_beside_the_plan(ask: Asker) -> None:
    priced(ask)
    send(ask, "e1", "8")
    given = credit(ask, "50")

    set_of_invoice(ask, SETUP)

    assert running(ask)["totalAmount"] == 100
    assert used(ask, given)[0] == 2


def test_charges_of_the_upcoming_invoice_are_on_the_one_that_is_final_first(ask: Asker) -> None:
    priced(ask)
    set_of_invoice(ask, VISITS)
    set_upcoming(ask, SETUP)
    assert running(ask)["totalAmount"] == Decimal("137.50")

    until(ask, "2026-12-01T00:00:00Z")
    # December runs beside November, which still waits for its grace to end.
    assert sorted(row["totalAmount"] for row in invoices(ask)) == [0, Decimal("137.50")]
    until(ask, "2026-12-04T00:00:00Z")
    final, draft = sorted(invoices(ask), key=lambda row: str(row["startDate"]))
    assert (final["status"], final["totalAmount"]) == ("DUE", Decimal("137.50"))
    assert (draft["status"], draft["totalAmount"]) == ("DRAFT", 0)


def test_charges_of_an_account_without_an_invoice_wait_for_one(ask: Asker) -> None:
    world.account(ask)
    set_upcoming(ask, SETUP)
    world.schema(ask)
    cards = [{"usageMeterId": world.meter(ask), **world.RATED}]
    world.associate(ask, world.plan(ask, usageRateCards=cards))

    assert running(ask)["totalAmount"] == 100


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"value": "1"}, "items[0].name is required"),
        ({"name": "Fee"}, "items[0].value is required, or rate and quantity"),
        ({"name": "Fee", "rate": 1}, "items[0].quantity and rate go together"),
        (
            {"name": "Fee", "rate": 1, "quantity": 1, "value": "1"},
            "items[0].value goes without rate and quantity",
        ),
        ({"name": "Fee", "value": 1}, "items[0].value must be a string"),
        ({"name": "Fee", "value": "-1"}, "items[0].value: a charge is from 0 to"),
        ({"name": "Fee", "value": "a lot"}, "items[0].value: it is not JSON"),
        ({"name": "Fee", "value": '{"eval": "1"}'}, "items[0].value: the operator eval"),
        ({"name": "Fee", "rate": 10**7, "quantity": 10**6}, "items[0].quantity: a charge is"),
        ({"name": "Fee", "rate": -1, "quantity": 1}, "items[0].rate must be at least 0"),
        ({"name": "Fee", "value": "1", "tax": 1}, "items[0].tax is not a field here"),
    ],
)
def test_a_charge_that_makes_no_sense_is_refused(
    ask: Asker, item: dict[str, Any], message: str
) -> None:
    world.account(ask)
    answer = ask.togai("PUT", "/accounts/main/miscellaneous_charges", {"items": [item]})

    assert answer.status == 400
    assert answer.message.startswith(message)


def test_two_charges_of_one_name_are_refused(ask: Asker) -> None:
    world.account(ask)
    answer = ask.togai("PUT", "/accounts/main/miscellaneous_charges", {"items": [SETUP, SETUP]})

    assert answer.message == "items[1].name is that of another charge: Set-up"


def test_only_a_computed_draft_takes_charges(ask: Asker) -> None:
    world.account(ask)
    for invoice in (write(ask), write(ask, status="DUE")):
        path = f"/invoices/{invoice['id']}/miscellaneous_charges"
        answer = ask.togai("PUT", path, {"items": [SETUP]})
        assert answer.status == 400
        assert answer.message.endswith("only STANDARD in DRAFT takes charges")
    for path in ("/invoices/inv.0", "/accounts/none"):
        assert ask.togai("PUT", f"{path}/miscellaneous_charges", {"items": []}).status == 404


def waiting(ask: Asker) -> list[str]:
    return [row["id"] for row in ask.done("GET", "/invoices/bill_runs")["data"]]


def test_a_bill_run_makes_written_drafts_final_whose_period_is_over(ask: Asker) -> None:
    priced(ask)
    over = {"endDate": "2026-11-20T00:00:00Z"}
    due, nothing = write(ask, **over), write(ask, {"value": 0}, **over)
    later, final = write(ask), write(ask, status="DUE", **over)
    assert sorted(waiting(ask)) == sorted([due["id"], nothing["id"]])
    assert ask.done("GET", "/invoices/bill_runs", owner_id="none")["data"] == []

    assert ask.done("POST", "/invoices/bill_runs") == {"success": True}

    assert waiting(ask) == []
    statuses = [read(ask, row)["status"] for row in (due, nothing, later, final)]
    assert statuses == ["DUE", "PAID", "DRAFT", "DUE"]
    (job,) = ask.done("GET", "/jobs")["data"]
    assert (job["type"], job["status"]) == ("BILL_RUN", "COMPLETED")


def test_a_bill_run_may_wait_to_be_confirmed(ask: Asker) -> None:
    world.account(ask)
    over = {"endDate": "2026-11-20T00:00:00Z"}
    one, two = write(ask, **over), write(ask, **over)

    ask.done("POST", "/invoices/bill_runs", require_confirmation="true")
    assert sorted(waiting(ask)) == sorted([one["id"], two["id"]])
    ask.done("PATCH", f"/invoices/{two['id']}", {"status": "PAID"})
    (job,) = ask.done("GET", "/jobs")["data"]
    ask.done("POST", f"/jobs/{job['id']}/confirm")

    assert [read(ask, row)["status"] for row in (one, two)] == ["DUE", "PAID"]
    entries = ask.done("GET", f"/jobs/{job['id']}/entries")["data"]
    found = {row["entityId"]: row["status"] for row in entries}
    assert found == {one["id"]: "COMPLETED", two["id"]: "FAILED"}
    assert ask.togai("POST", "/invoices/bill_runs", require_confirmation="later").status == 400
