"""Togai's reports: what was written of invoices, for the organisation and for each account.

The vendor has no operation that makes one; here a job of the control does.
"""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.jobs import Job
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai import files
from billing_mcp.sandbox.togai.columns import present
from billing_mcp.sandbox.togai.paging import Listing, asked, page

resource = Resource()

_SCOPES = {
    "ALL": (),
    "ORGANIZATION": ("account_id is null",),
    "ACCOUNTS": ("account_id is not null",),
}
_COLUMNS = ("id", "owner_id", "status", "invoice_date", "due_date", "currency", "total")


@resource.route("GET", "/reports")
def list_reports(request: Call) -> Reply:
    query = asked(request)
    scope = call.one_of(query, "fetchFor", tuple(_SCOPES), default="ALL")
    if "account_id" in query and scope != "ACCOUNTS":
        raise Refusal(400, "account_id goes with fetchFor=ACCOUNTS")
    where = " where " + _SCOPES[scope][0] if _SCOPES[scope] else ""
    listing = Listing(
        select=f"select * from reports{where}",  # noqa: S608 - our own texts
        unique="id",
        filters={"account_id": "account_id = ?"},
        searched=("id", "name", "file_id", "account_id"),
    )
    found = page(request, listing, None, "fetchFor")
    return Reply({"data": [render(row) for row in found.rows], "nextToken": found.next_token})


def _write(request: Call) -> Reply:
    """A report of all invoices that are no drafts, and one for each account that has some."""
    rows = request.db.execute(
        "select i.*, a.id as account_id from invoices i left join accounts a on a.id = i.owner_id"
        " where i.status <> 'DRAFT' order by i.invoice_date, i.id"
    ).fetchall()
    accounts = sorted({row["account_id"] for row in rows if row["account_id"] is not None})
    day = request.now.date().isoformat()
    made = [_insert(request, f"invoices-{day}.csv", None, rows)]
    for account_id in accounts:
        theirs = [row for row in rows if row["account_id"] == account_id]
        made.append(_insert(request, f"invoices-{account_id}-{day}.csv", account_id, theirs))
    return Reply({"reports": made})


def _never(_: Connection, __: datetime) -> datetime | None:
    """Only the control writes reports."""
    return None


WRITE = Job("write-reports", _never, _write)


def _insert(request: Call, name: str, account_id: str | None, invoices: Iterable[Row]) -> str:
    columns = {
        "id": request.new_id("report"),
        "name": name,
        "account_id": account_id,
        "file_id": files.keep(request, name, _table(invoices)),
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    store.insert(request.db, "reports", columns)
    request.effect("report", str(columns["id"]))
    return str(columns["id"])


def _table(invoices: Iterable[Row]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for row in invoices:
        total = money.from_minor_units(int(row["total_minor"]), row["currency"])
        table.writerow([*(row[name] for name in _COLUMNS[:-1]), money.plain(total)])
    return text.getvalue()


def render(row: Row) -> dict[str, Any]:
    return present(
        id=row["id"],
        name=row["name"],
        account_id=row["account_id"],
        status="COMPLETED",
        fileId=row["file_id"],
        createdAt=row["created_at"],
        updatedAt=row["updated_at"],
        type="CUSTOM",
    )
