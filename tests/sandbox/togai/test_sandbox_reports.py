"""Reports of the emulated Togai, and the files they are in."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox.asking import Asker
from sandbox.togai import world


def written(ask: Asker) -> list[Any]:
    """The reports of a company with one final invoice of 2 dollars."""
    world.account(ask)
    world.schema(ask)
    card = {"usageMeterId": world.meter(ask), **world.RATED}
    world.associate(ask, world.plan(ask, usageRateCards=[card]))
    ask.done("POST", "/ingest", {"event": world.event("e1", "8")})
    ask.control("POST", "/clock", {"now": "2026-12-05T00:00:00Z"})
    ask.control("POST", "/jobs/write-reports")
    reports: list[Any] = ask.done("GET", "/reports")["data"]
    return reports


def followed(ask: Asker, link: str) -> Any:
    """What a link answers, asked without a key."""
    parts = urlsplit(link)
    return ask.raw("GET", f"{parts.path}?{parts.query}", headers={})


def test_a_company_has_no_reports_until_they_are_written(ask: Asker) -> None:
    assert ask.done("GET", "/reports") == {"data": [], "nextToken": None}


def test_reports_are_of_the_organisation_and_of_each_account_with_invoices(ask: Asker) -> None:
    names = {row["name"]: row.get("account_id") for row in written(ask)}
    assert names == {
        "invoices-2026-12-05.csv": None,
        "invoices-main-2026-12-05.csv": "main",
    }

    (everybodys,) = ask.done("GET", "/reports", fetchFor="ORGANIZATION")["data"]
    assert (everybodys["status"], everybodys["type"]) == ("COMPLETED", "CUSTOM")
    (own,) = ask.done("GET", "/reports", fetchFor="ACCOUNTS", account_id="main")["data"]
    assert own["account_id"] == "main"
    assert ask.done("GET", "/reports", fetchFor="ACCOUNTS", account_id="other")["data"] == []
    assert len(ask.done("GET", "/reports", _search="MAIN")["data"]) == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"fetchFor": "ME"}, "fetchFor must be one of ALL, ORGANIZATION, ACCOUNTS"),
        ({"account_id": "main"}, "account_id goes with fetchFor=ACCOUNTS"),
    ],
)
def test_a_list_of_reports_that_makes_no_sense_is_refused(
    ask: Asker, query: dict[str, str], message: str
) -> None:
    answer = ask.togai("GET", "/reports", **query)

    assert (answer.status, answer.message) == (400, message)


def test_a_token_leads_on_through_the_same_reports(ask: Asker) -> None:
    written(ask)
    ask.control("POST", "/jobs/write-reports")

    first = ask.done("GET", "/reports", fetchFor="ACCOUNTS", pageSize="1")
    second = ask.done("GET", "/reports", nextToken=first["nextToken"])

    found = [*first["data"], *second["data"]]
    assert len({row["id"] for row in found}) == 2
    assert {row["account_id"] for row in found} == {"main"}


def test_a_file_is_a_redirect_to_a_link_that_needs_no_key(ask: Asker) -> None:
    (report,) = (row for row in written(ask) if "account_id" in row)

    answer = ask.raw("GET", f"/togai/files/{report['fileId']}")
    content = followed(ask, answer.headers["location"])

    assert (answer.status_code, answer.content) == (302, b"")
    assert content.headers["content-type"] == "text/csv; charset=utf-8"
    head, row = content.text.splitlines()
    assert head == "id,owner_id,status,invoice_date,due_date,currency,total"
    assert row.split(",")[1:3] == ["main", "DUE"]
    assert row.split(",")[-2:] == ["USD", "2.00"]


def test_a_link_ends_after_an_hour_or_as_asked_and_cannot_be_changed(ask: Asker) -> None:
    file_id = written(ask)[0]["fileId"]
    link = ask.done("GET", f"/files/{file_id}/download_url")["downloadUrl"]
    short = ask.done("GET", f"/files/{file_id}/download_url", expiry="60")["downloadUrl"]

    ask.control("POST", "/clock", {"advance": "PT59M"})
    assert followed(ask, link).status_code == 200
    assert followed(ask, short).status_code == 403
    assert followed(ask, short.replace("00%3A01", "09%3A01")).status_code == 403
    ask.control("POST", "/clock", {"advance": "PT1M"})
    assert followed(ask, link).status_code == 403


@pytest.mark.parametrize("expiry", ["0", "1.5", "604801", "-1", "9" * 30])
def test_a_link_for_a_senseless_time_is_refused(ask: Asker, expiry: str) -> None:
    file_id = written(ask)[0]["fileId"]

    answer = ask.togai("GET", f"/files/{file_id}/download_url", expiry=expiry)

    assert answer.status == 400
    assert answer.message == "expiry must be a whole number of seconds from 1 to 604800"


def test_a_file_that_is_not_there_is_404(ask: Asker) -> None:
    for path in ("/files/file.0.0", "/files/file.0.0/download_url"):
        answer = ask.togai("GET", path)
        assert (answer.status, answer.message) == (404, "File file.0.0 not found")
