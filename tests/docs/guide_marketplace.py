"""The figures of the guide on marketplace metering: by the sandbox's job and the rating engine."""

from decimal import Decimal
from typing import Any

from billing_mcp.rating.marketplace import (
    Destination,
    Metric,
    aggregate,
    at_list_price,
    draw,
)
from docs.guide_slabs import Figures
from docs.guide_text import Guide, Rows, Section, short, usd
from sandbox.suger.wire import Wire, fresh_wire

PARTNERS = ("aws", "azure", "gcp")


def marketplace_metering(guide: Guide) -> Figures:
    commit = guide["A commit is used up first"]
    metrics = guide["Billable metrics"]
    return {
        "Whole numbers on AWS": _whole_numbers(guide["Whole numbers on AWS"].tables[0]),
        "What marketplaces refuse": _refusals(guide["What marketplaces refuse"].tables[0]),
        "Dimension mapping": [_mapped(row) for row in guide["Dimension mapping"].tables[0]],
        commit.heading: _committed(commit),
        metrics.heading: _aggregated(metrics),
    }


def _latest(wire: Wire, partner: str) -> Any:
    return wire.reports(entitlementId=f"on-{partner}")[0]["info"]


def _whole_numbers(rows: Rows) -> list[str]:
    found = []
    with fresh_wire() as wire:
        for row in rows:
            for partner in PARTNERS:
                wire.report(f"on-{partner}", records={"api_calls": Decimal(row["used"])})
            wire.advance("PT1H")
            aws, azure, gcp = (_latest(wire, partner) for partner in PARTNERS)
            assert azure["reportedRecords"] == gcp["reportedRecords"]
            figures = aws["reportedRecords"], aws["newDecimalParts"], azure["reportedRecords"]
            found += [short(figure["api_calls"]) for figure in figures]
    return found


def _refusals(rows: Rows) -> list[str]:
    with fresh_wire() as wire:
        for partner in PARTNERS:
            wire.report(f"on-{partner}", records={"api_calls": 1})
        wire.run_job({"refuse": [f"on-{partner}" for partner in PARTNERS]})
        aws, azure, gcp = (_latest(wire, partner) for partner in PARTNERS)
    answers = {
        "AWS": aws["awsMeteringResponse"]["results"][0]["status"],
        "AZURE": azure["azureMeteringResponse"]["result"][0]["status"],
        "GCP": str(gcp["gcpMeteringResponse"]["reportErrors"][0]["status"]["code"]),
    }
    return [answers[row["partner"]] for row in rows]


def _mapped(row: dict[str, str]) -> str:
    destination = Destination("units", row["mappingMode"], Decimal(row["multiplier"]))
    reported = Decimal(row["reported"])
    return short(destination.quantity(reported, reported, {"units": Decimal(row["unit price"])}))


def _committed(section: Section) -> list[str]:
    (rows,) = section.tables
    (left,) = section.stated(r"([\d.]+) USD of a commit are left")

    def column(name: str) -> dict[str, Decimal]:
        return {row["dimension"]: Decimal(row[name]) for row in rows}

    prices = column("unit price")
    drawn = draw(column("used"), prices, Decimal(left))
    listed = at_list_price(drawn.beyond, prices, column("list price"))
    table = [
        short(quantities[key])
        for key in drawn.covered
        for quantities in (drawn.covered, drawn.beyond, listed)
    ]
    worth = [usd(drawn.covered[key] * prices[key]) for key in drawn.covered]
    return [*table, *worth, usd(drawn.amount)]


def _aggregated(section: Section) -> list[str]:
    records, figures = section.tables
    name, value, group_by = section.stated(r"filter (\w+) IS (\w+) and grouped by (\w+)")
    condition = {"name": name, "operation": "IS", "value": value, "valueType": "STRING"}
    given = [
        {
            "quantity": Decimal(row["quantity"]),
            "properties": {name: row[name] for name in ("region", "os", "user")},
        }
        for row in records
    ]
    # Aggregation takes the records in the order of their time.
    assert [row["time"] for row in records] == sorted(row["time"] for row in records)
    found = []
    for row in figures:
        aggregation, *unique_on = row["aggregationType"].split(" of ")
        info: dict[str, Any] = {
            "filterGroups": [{"filters": [condition]}],
            "groupBys": [group_by],
        }
        if unique_on:
            info["propertyUniqueOn"] = unique_on[0]
        metric = Metric("metric", "Metric", aggregation, info)
        by_group = {each.group: each.quantity for each in aggregate(metric, given, {})}
        assert set(by_group) == set(row) - {"aggregationType"}
        found += [short(by_group[group]) for group in row if group != "aggregationType"]
    return found
