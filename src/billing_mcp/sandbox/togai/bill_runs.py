"""Togai's bill runs: jobs that make invoices final which wait for somebody to do so.

Ours: computed drafts go on by themselves when their grace ends, so that what waits is custom
drafts whose period is over and that were not told to advance by themselves.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.togai import custom_invoices, invoices, jobs

resource = Resource()

_ELIGIBLE = (
    "select * from invoices where status = 'DRAFT' and type = 'CUSTOM'"
    " and end_date <= (select moment from clock where name = 'now')"
)
_LISTING = replace(invoices.LISTING, select=_ELIGIBLE)


@resource.route("GET", "/invoices/bill_runs")
def list_invoices_for_bill_run(request: Call) -> Reply:
    return invoices.listed(request, _LISTING)


@resource.route("POST", "/invoices/bill_runs")
def create_bill_run(request: Call) -> Reply:
    confirm = call.one_of(request.query, "require_confirmation", ("true", "false"), default="false")
    rows = request.db.execute(f"{_ELIGIBLE} order by end_date, id").fetchall()
    eligible = [row["id"] for row in rows]
    jobs.start(request, "BILL_RUN", {}, eligible, metadata={}, confirm=confirm == "true")
    return Reply({"success": True})


@jobs.does("BILL_RUN")
def _finalise(request: Call, _: dict[str, Any], invoice_id: str) -> Mapping[str, str]:
    """Whatever happened while the job waited: only what still waits is made final."""
    row = request.db.execute(
        f"select 1 from ({_ELIGIBLE}) where id = ?",  # noqa: S608 - our own text
        (invoice_id,),
    ).fetchone()
    if row is None:
        raise Refusal(400, f"Invoice {invoice_id} does not wait for a bill run any more")
    custom_invoices.finalise(request, invoice_id)
    return {"status": invoices.existing(request, invoice_id)["status"]}
