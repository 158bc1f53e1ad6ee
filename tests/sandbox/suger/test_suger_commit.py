"""Usage that is paid by a commit before any of it reaches the marketplace."""

from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.rating.marketplace import at_list_price, draw
from sandbox.suger.wire import DIMENSIONS, Wire

PRICES = {"a": Decimal(2), "b": Decimal("0.5"), "c": Decimal(3)}


@pytest.mark.parametrize(
    ("quantities", "left", "covered", "used"),
    [
        # 3 * 2 = 6 of 10
        ({"a": 3}, 10, {"a": 3}, 6),
        # 5 * 2 = 10 of 10: to the edge
        ({"a": 5}, 10, {"a": 5}, 10),
        # 6 * 2 = 12 of 10: five units, one is beyond
        ({"a": 6}, 10, {"a": 5}, 10),
        # a: 4 * 2 = 8; b: 10 * 0.5 = 5, of which 2 are left: 4 units
        ({"b": 10, "a": 4}, 10, {"a": 4, "b": 4}, 10),
        # nothing left
        ({"a": 1}, 0, {"a": 0}, 0),
        # 1 / 3 of a unit, cut to 12 places
        ({"c": 1}, 1, {"c": Decimal("0.333333333333")}, 1),
        # no price: it cannot use the commit
        ({"z": 5}, 10, {"z": 0}, 0),
    ],
)
def test_the_commit_pays_dimension_by_dimension_until_it_is_used_up(
    quantities: dict[str, Any], left: int, covered: dict[str, Any], used: int
) -> None:
    exact = {key: Decimal(quantity) for key, quantity in quantities.items()}
    drawn = draw(exact, PRICES, Decimal(left))
    assert drawn.covered == covered
    assert drawn.beyond == {key: exact[key] - covered[key] for key in exact}
    assert drawn.amount == used


def test_at_list_price_the_quantity_carries_the_difference() -> None:
    # 10 units listed at 3, agreed at 2: 30 / 2 = 15 units; without a list price nothing changes.
    quantities = {"a": Decimal(10), "b": Decimal(10)}
    assert at_list_price(quantities, PRICES, {"a": Decimal(3)}) == {"a": 15, "b": 10}


def committed(wire: Wire, **config: bool) -> None:
    """The entitlement `committed` on Google: a commit of 5, api_calls 0.01 (listed 0.02)."""
    wire.entitle(
        "committed",
        "buyer-gcp",
        info={"dimensions": DIMENSIONS, "commitAmount": 5},
        list_prices={"api_calls": Decimal("0.02")},
    )
    wire.configure(partner="GCP", **config)


def used(wire: Wire, calls: int) -> Any:
    wire.report("committed", records={"api_calls": calls})
    wire.run_job()
    return wire.reports()[0]["info"]


def test_usage_reaches_the_marketplace_only_after_the_commit(wire: Wire) -> None:
    committed(wire, enableCommitWithAdditionalUsageMetering=True)
    first = used(wire, 300)  # 3 of 5
    assert first["reportedRecords"] == {}
    assert first["includedRecords"] == {"api_calls": 300}
    assert first["message"] == "nothing to send to the marketplace"
    assert "gcpMeteringRequest" not in first
    figures = ("commitAmount", "usedCommitAmount", "usedCommitAmountIncrement")
    assert [first[name] for name in figures] == [5, 0, 3]
    second = used(wire, 300)  # 2 of the 2 that are left, 100 calls beyond
    assert second["includedRecords"] == {"api_calls": 200}
    assert second["reportedRecords"] == {"api_calls": 100}
    assert [second[name] for name in figures] == [5, 3, 2]
    third = used(wire, 7)
    assert third["reportedRecords"] == {"api_calls": 7}
    assert [third[name] for name in figures] == [5, 5, 0]
    [calls, _] = wire.ask("GET", "/entitlement/committed").body["info"]["dimensions"]
    assert calls["usageCount"] == {"reportedCount": 107, "includedCount": 500, "creditCount": 0}


def test_on_aws_what_the_commit_paid_leaves_no_fraction_to_carry(wire: Wire) -> None:
    wire.entitle(
        "committed", "buyer-aws", info={"dimensions": DIMENSIONS, "commitAmount": Decimal("0.02")}
    )
    wire.configure(partner="AWS", enableCommitWithAdditionalUsageMetering=True)
    first = used(wire, 2)  # 0.02: the whole commit
    assert (first["reportedRecords"], first["newDecimalParts"]) == ({}, {})
    second = used(wire, 3)
    assert second["reportedRecords"] == {"api_calls": 3}
    assert second["decimalParts"] == {"api_calls": 0}


def test_a_refused_report_uses_none_of_the_commit(wire: Wire) -> None:
    committed(wire, enableCommitWithAdditionalUsageMetering=True)
    wire.report("committed", id="a", records={"api_calls": 600})
    wire.run_job({"refuse": ["committed"]})
    failed = wire.reports()[0]["info"]
    assert failed["status"] == "FAILED"
    assert "usedCommitAmountIncrement" not in failed
    wire.ask("POST", "/usageRecordGroup/a/retry")
    wire.run_job()
    info = wire.reports()[0]["info"]
    assert (info["usedCommitAmount"], info["usedCommitAmountIncrement"]) == (0, 5)
    assert info["reportedRecords"] == {"api_calls": 100}


def test_additional_usage_is_metered_at_the_list_price_if_so_configured(wire: Wire) -> None:
    committed(
        wire,
        enableCommitWithAdditionalUsageMetering=True,
        enableCommitWithAdditionalUsageAtListPrice=True,
    )
    info = used(wire, 600)
    # 500 calls use the commit up; 100 at 0.02 are as much as 200 at 0.01.
    assert info["recordsToReportBeforeAdjustmentAtListPrice"] == {"api_calls": 100}
    assert info["reportedRecords"] == {"api_calls": 200}
    assert info["dimensionUnitListPrice"] == {"api_calls": Decimal("0.02")}


@pytest.mark.parametrize("config", [{}, {"enableCommitWithAdditionalUsageAtListPrice": True}])
def test_without_the_setting_all_usage_is_reported_whatever_the_commit(
    wire: Wire, config: dict[str, bool]
) -> None:
    committed(wire, **config)
    info = used(wire, 300)
    assert info["reportedRecords"] == {"api_calls": 300}
    assert "commitAmount" not in info
