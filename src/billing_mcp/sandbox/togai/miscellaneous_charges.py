"""Togai's miscellaneous charges: what somebody adds to an invoice that still runs."""

from typing import Any

from billing_mcp import money
from billing_mcp.rating.miscellaneous_charges import LARGEST, NotACharge, read_charge
from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.togai import accounts, charge_lists, invoices, usage_sums

resource = Resource()

_CHARGE = ("name", "rate", "quantity", "value", "considerForRevenue")
# Ours; as many lines as the vendor allows below another.
_MOST_CHARGES = 50
_LONGEST_NAME = 255
_LONGEST_LOGIC = 10_000


@resource.route("PUT", "/invoices/{invoice_id}/miscellaneous_charges")
def manage_charges_in_invoice(request: Call) -> Reply:
    row = invoices.existing(request, request.path["invoice_id"])
    if row["type"] != "STANDARD" or row["status"] != "DRAFT":
        kind = f"{row['type']} and {row['status']}"
        raise Refusal(400, f"Invoice {row['id']} is {kind}; only STANDARD in DRAFT takes charges")
    return _set(request, row["id"], row["owner_id"])


@resource.route("PUT", "/accounts/{account_id}/miscellaneous_charges")
def manage_charges_in_account(request: Call) -> Reply:
    account = accounts.existing(request, request.path["account_id"])
    if account["status"] == "ARCHIVED":
        raise Refusal(400, f"Account {account['id']} is archived")
    return _set(request, account["id"], account["id"])


def _set(request: Call, owner_id: str, account_id: str) -> Reply:
    """The list takes the place of the one before (ours), so that an empty one takes it away."""
    body = call.closed(request.body, ("items",))
    items = call.listed(body, "items", maximum=_MOST_CHARGES)
    for index, item in enumerate(items):
        _check(item, f"items[{index}].")
        if item["name"] in [other["name"] for other in items[:index]]:
            raise Refusal(400, f"items[{index}].name is that of another charge: {item['name']}")
    charge_lists.keep(request, owner_id, items)
    usage_sums.mark_stale(request, account_id)
    request.effect("miscellaneous-charges", owner_id)
    return Reply({"data": [_render(item) for item in items]})


def _check(item: Any, at: str) -> None:
    given = call.closed(item, _CHARGE, at)
    call.text(given, "name", minimum=1, maximum=_LONGEST_NAME, at=at)
    for name in ("rate", "quantity"):
        call.number(given, name, minimum=0, maximum=LARGEST, default=None, at=at)
    call.text(given, "value", minimum=1, maximum=_LONGEST_LOGIC, default=None, at=at)
    call.flag(given, "considerForRevenue", default=False, at=at)
    try:
        read_charge(given)
    except NotACharge as error:
        raise Refusal(400, f"{at}{error}") from error


def _render(item: dict[str, Any]) -> dict[str, Any]:
    """As it was sent; the value of a rate and a quantity is calculated, as documented."""
    if "value" in item:
        return item
    return item | {"value": money.plain(read_charge(item).amount({}))}
