"""The table of contents: toolset → module → tools, in reading order. It imports none of them.

A module belongs to a resource, and its tools may be in several toolsets: those of the seeds' three
servers, and beside them the toolset of the resource itself.
"""

from billing_mcp.credentials import Vendor

TOGAI = "billing_mcp.tools.togai"
SUGER = "billing_mcp.tools.suger"
LEDGER = "billing_mcp.tools.ledger"

TOOLSETS: dict[str, dict[str, tuple[str, ...]]] = {
    "togai-billing": {
        f"{TOGAI}.customers": ("list-customers", "get-customer", "create-customer"),
        f"{TOGAI}.accounts": ("list-accounts", "create-account"),
        f"{TOGAI}.events": ("ingest-events",),
        f"{TOGAI}.usage_meters": ("list-usage-meters",),
        f"{TOGAI}.price_plans": ("list-price-plans", "create-price-plan"),
        f"{TOGAI}.invoices": ("list-invoices",),
        f"{TOGAI}.credits": ("list-credits", "grant-credit"),
    },
    "togai-entitlements": {
        f"{TOGAI}.entitlements": (
            "get-entitlements-account",
            "get-entitlement-value-account",
            "check-entitlement-value-account",
        ),
        f"{TOGAI}.feature_credits": (
            "get-feature-credits-balance",
            "list-feature-credits-entries-feature",
            "update-feature-credits-entry",
            "void-feature-credits-entry-feature",
        ),
        f"{TOGAI}.entitled_events": ("ingest-event-if-user-is",),
    },
    "suger-metering": {
        f"{SUGER}.usage_record_groups": (
            "list-usagerecordgroups",
            "report-usagerecordgroup",
            "batch-validate-usagerecordgroups",
            "batch-report-usagerecordgroups",
            "retry-usagerecordgroup",
            "delete-usagerecordgroup",
        ),
        f"{SUGER}.usage_record_reports": ("list-usagerecordreports",),
        f"{SUGER}.billable_metrics": (
            "list-billable-metrics",
            "get-billable-metric",
            "create-billable-metric",
            "update-billable-metric",
        ),
        f"{SUGER}.metering_config": (
            "get-usage-metering-config-info",
            "update-usage-metering-config-info",
        ),
    },
    "search": {"billing_mcp.tools.search": ("search-tools", "run-read-tool", "run-write-tool")},
    "ledger": {LEDGER: ("get-operation", "list-operations")},
    "togai-accounts": {f"{TOGAI}.accounts": ("get-account",)},
    "togai-event-schemas": {
        f"{TOGAI}.event_schemas": ("list-event-schemas", "get-event-schema"),
    },
    "togai-features": {f"{TOGAI}.features": ("list-features", "get-feature")},
    "togai-price-plans": {f"{TOGAI}.price_plans": ("get-price-plan",)},
    "togai-invoices": {f"{TOGAI}.invoices": ("get-invoice",)},
}

CORE = ("togai-billing", "togai-entitlements", "suger-metering")
GROUPS: dict[str, tuple[str, ...]] = {
    "core": CORE,
    "default": (*CORE, "search", "ledger"),
    "all": tuple(TOOLSETS),
}

MODULES: dict[str, str] = {
    name: module
    for modules in TOOLSETS.values()
    for module, names in modules.items()
    for name in names
}
"""Tool → the module that declares it."""
TOOLSET_OF: dict[str, str] = {
    name: toolset
    for toolset, modules in TOOLSETS.items()
    for names in modules.values()
    for name in names
}


def vendor_of(name: str) -> Vendor | None:
    """The vendor a tool talks to; None for tools that talk to none themselves."""
    module = MODULES[name]
    return "suger" if module.startswith(SUGER) else "togai" if module.startswith(TOGAI) else None
