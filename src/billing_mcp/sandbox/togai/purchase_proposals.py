"""Togai's proposals of a purchase (deprecated): approved they are purchases, declined nothing."""

from typing import Any

from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    accounts,
    associations,
    purchase_grants,
    purchase_terms,
    purchases,
)
from billing_mcp.sandbox.togai.columns import present
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_LISTING = Listing(
    select="select * from purchases where proposed", unique="id", order=("created_at", True)
)


@resource.route("POST", "/accounts/{account_id}/purchase_proposals")
def create_proposal(request: Call) -> Reply:
    account = associations.open_account(request)
    columns = purchase_terms.read(request, account, proposed=True)
    repeated = purchase_terms.repeated(request, columns)
    if repeated is not None:
        return Reply(_render(request, repeated))
    store.insert(request.db, "purchases", columns)
    request.effect("proposal", str(columns["id"]), columns["idempotency_key"])
    return Reply(_render(request, purchases.existing(request, str(columns["id"]))))


@resource.route("GET", "/accounts/{account_id}/purchase_proposals")
def list_proposals(request: Call) -> Reply:
    account = accounts.existing(request, request.path["account_id"])
    found = page(request, _LISTING, {"account_id = ?": account["id"]})
    return Reply(found.answer([_list_entry(request, row) for row in found.rows]))


@resource.route("GET", "/purchase_proposals/{purchase_proposal_id}")
def get_proposal(request: Call) -> Reply:
    return Reply(_render(request, _existing(request)))


@resource.route("POST", "/purchase_proposals/{purchase_proposal_id}/update_status")
def update_proposal_status(request: Call) -> Reply:
    """Ours: an answer is final."""
    row = _existing(request)
    body = call.closed(request.body, ("status",))
    answer = call.one_of(body, "status", ("APPROVE", "DECLINE"))
    if row["status"] != "PROPOSAL_ACTIVE":
        raise Refusal(400, f"Proposal {row['id']} is {_status(row)}; it waits for no answer")
    said = {"responded_at": request.stamp}
    if answer == "DECLINE":
        said |= {"status": "PROPOSAL_DECLINED", "comment": "Proposal declined"}
        purchase_grants.change(request, row["id"], **said)
        request.effect("proposal-declined", row["id"])
    else:
        said |= {"status": "PENDING", "comment": "Proposal approved"}
        purchase_grants.change(request, row["id"], **said)
        purchases.settle(request, row["id"])
    return Reply(_render(request, purchases.existing(request, row["id"])))


def _existing(request: Call) -> Row:
    proposal_id = request.path["purchase_proposal_id"]
    row = purchase_grants.existing(request, proposal_id)
    if row is None or not row["proposed"]:
        raise Refusal(404, f"Proposal {proposal_id} not found")
    return row


def _status(row: Row) -> str:
    status: str = row["status"]
    return status if status.startswith("PROPOSAL") else "PROPOSAL_APPROVED"


def _render(request: Call, row: Row) -> dict[str, Any]:
    return purchases.render(request, row) | present(
        status=_status(row),
        paymentMode=row["payment_mode"],
        proposalResponseDate=row["responded_at"],
    )


def _list_entry(request: Call, row: Row) -> dict[str, Any]:
    whole = _render(request, row)
    names = (
        *("id", "pricePlanId", "pricePlanVersion", "status", "walletTopupDetails"),
        *("idempotencyKey", "createdAt", "updatedAt", "expiryDate", "paymentMode", "type"),
    )
    kept = {name: whole[name] for name in names if name in whole}
    return kept | present(pricePlanName=purchases.plan_name(request, row))
