"""What is to be done before price plans are associated: licences are granted."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import contact, licence_updates

# The vendor documents `config` as a map of texts and no more; the names are those of an update.
_CONFIG = ("licenseId", "quantity", "updateType", "effectiveFrom", "idempotencyKey")
_NUMBER = r"-?[0-9]{1,15}(\.[0-9]{1,15})?"
_MOST_ACTIONS = 10


def run(request: Call, account: Row, body: Mapping[str, Any]) -> None:
    """Do the `preActions` of a body in their order. Ours: a quantity is added to what is held."""
    actions = call.listed(body, "preActions", maximum=_MOST_ACTIONS, default=[])
    for index, item in enumerate(actions):
        place = f"preActions[{index}]."
        given = call.closed(item, ("type", "config"), place)
        call.one_of(given, "type", ("GRANT_LICENSE",), at=place)
        call.mapping(given, "config", at=place)
        config = contact.text_map(given, "config", place)
        at = f"{place}config."
        call.closed(config, _CONFIG, at)
        quantity = Decimal(call.text(config, "quantity", pattern=_NUMBER, at=at))
        update = {"updateType": "RELATIVE", **config, "accountId": account["id"]}
        licence_updates.add(request, {**update, "quantity": quantity}, at)
