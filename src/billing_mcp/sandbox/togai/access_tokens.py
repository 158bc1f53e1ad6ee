"""Togai's tokens: a short-lived one for the API, and one for a customer's portal.

They have the form of a JWT without a signature, so that nobody takes them for a key of anything.
"""

import base64
import binascii
from datetime import timedelta
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.togai import customers, settings

resource = Resource()

_FIELDS = ("customerId", "accountIds", "allAccountsAccess", "expiry")
_LIFETIME = timedelta(hours=24)
_MOST_ACCOUNTS = 5
# Ours: what asks for a token may live as long, and nothing longer may be asked for.
_LONGEST_S = 86_400
_PARTS = 3


@resource.route("POST", "/authenticate")
def authenticate(request: Call) -> Reply:
    """A new token for an API key; a token, asked with one."""
    if _claims(request.caller.credential) is not None:
        return Reply({"token": request.caller.credential})
    return Reply({"token": _token(request, _LIFETIME, sub=settings.ORGANISATION)})


@resource.route("POST", "/portal/token")
def create_portal_token(request: Call) -> Reply:
    body = call.closed(request.body, _FIELDS)
    customer_id = call.text(body, "customerId", minimum=1)
    if customers.existing(request, customer_id)["status"] == "ARCHIVED":
        raise Refusal(400, f"customerId: customer {customer_id} is archived")
    account_ids = _accounts(request, body, customer_id)
    seconds = call.whole(body, "expiry", minimum=1, maximum=_LONGEST_S, default=_LONGEST_S)
    request.effect("portal-token", customer_id)
    token = _token(
        request,
        timedelta(seconds=seconds),
        sub=customer_id,
        accounts=account_ids,
        jti=request.new_uuid(),
    )
    return Reply({"token": token})


def _accounts(request: Call, body: dict[str, Any], customer_id: str) -> list[str]:
    """The accounts that are named, or all of the customer. Ours: one of both, never both."""
    everything = call.flag(body, "allAccountsAccess", default=False)
    asked = call.listed(body, "accountIds", maximum=_MOST_ACCOUNTS, default=[])
    if everything == bool(asked):
        raise Refusal(400, "give either accountIds or allAccountsAccess")
    rows = request.db.execute(
        "select id from accounts where customer_id = ? and status <> 'ARCHIVED' order by id",
        (customer_id,),
    )
    theirs = [row["id"] for row in rows]
    for index, account_id in enumerate(asked):
        if account_id not in theirs:
            raise Refusal(
                400, f"accountIds[{index}]: customer {customer_id} has no account {account_id}"
            )
    return theirs if everything else asked


def _token(request: Call, lifetime: timedelta, **claims: Any) -> str:
    times = {
        "iat": int(request.now.timestamp()),
        "exp": int((request.now + lifetime).timestamp()),
    }
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims | times)}."


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(money.to_json(content)).rstrip(b"=").decode()


def _claims(token: str) -> Any:
    """What a token of this form says, or None when it is something else, such as an API key."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        return None
    try:
        return money.from_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return None
