"""What Togai's client calls deprecated is deprecated here, and nothing else but what it dropped."""

import re

from billing_mcp import tools
from billing_mcp.catalog import Catalog
from billing_mcp.config import Settings
from oracle.togai_clients import sdk
from oracle.vendor_clients import operations

# Operations of the older documents that the newer client no longer has, each with a successor.
DROPPED = {
    *("undo-events", "update-invoice-payment-status"),
    *("list-migrations", "get-migration-status", "migrate-price-plan-accounts"),
}
# The second generation's edits do what these two did.
OVERTAKEN = {"add-price-plan-currencies", "remove-price-plan-currency"}


def anonymous(route: str) -> str:
    """The client names path parameters otherwise than the documents."""
    return re.sub(r"{\w+}", "{}", route)


def test_a_tool_is_deprecated_exactly_if_the_vendor_says_so_or_has_dropped_its_operation() -> None:
    catalog = Catalog(Settings())
    routes = {
        anonymous(catalog.built(name).declaration.route or ""): name
        for name in tools.MODULES
        if tools.vendor_of(name) == "togai"
    }
    in_client = {routes[anonymous(each.route)]: each for each in operations(sdk)}
    said = {
        name
        for name, each in in_client.items()
        if (getattr(getattr(sdk, each.api), each.name).__doc__ or "").startswith("(DEPRECATED)")
    }
    assert len(said) == 19
    assert not DROPPED & in_client.keys()
    assert said | DROPPED | OVERTAKEN == tools.SUPERSEDED.keys()
