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
    "togai-customers": {
        f"{TOGAI}.customer_changes": (
            "update-customer",
            "delete-customer",
            "create-customer-contact",
        ),
    },
    "togai-accounts": {
        f"{TOGAI}.accounts": ("get-account",),
        f"{TOGAI}.account_changes": ("update-account", "delete-account"),
    },
    "togai-aliases": {
        f"{TOGAI}.account_aliases": (
            "list-account-aliases",
            "add-account-aliases",
            "remove-account-aliases",
        ),
        f"{TOGAI}.aliases": ("list-aliases", "get-alias", "create-aliases", "delete-alias"),
    },
    "togai-settings": {
        f"{TOGAI}.settings": (
            "list-settings",
            "get-setting",
            "create-setting",
            "update-setting",
        ),
    },
    "togai-files": {
        f"{TOGAI}.files": ("list-reports", "get-file", "get-file-download-url"),
    },
    "togai-access": {
        f"{TOGAI}.access_tokens": ("create-access-token", "create-portal-token"),
    },
    "togai-event-schemas": {
        f"{TOGAI}.event_schemas": ("list-event-schemas", "get-event-schema"),
        f"{TOGAI}.event_schema_changes": (
            "list-event-schema-versions",
            "create-event-schema",
            "update-event-schema",
            "activate-event-schema",
            "deactivate-event-schema",
            "delete-event-schema",
        ),
    },
    "togai-features": {
        f"{TOGAI}.features": ("list-features", "get-feature"),
        f"{TOGAI}.feature_changes": ("create-feature", "update-feature"),
    },
    "togai-usage-meters": {
        f"{TOGAI}.usage_meter_changes": (
            "get-usage-meter",
            "create-usage-meter",
            "update-usage-meter",
            "activate-usage-meter",
            "deactivate-usage-meter",
            "delete-usage-meter",
        ),
    },
    "togai-events": {
        f"{TOGAI}.event_lookups": ("list-events", "get-event"),
        f"{TOGAI}.event_ingestion": ("ingest-event",),
        f"{TOGAI}.event_corrections": ("correct-events", "undo-events"),
    },
    "togai-addons": {
        f"{TOGAI}.add_ons": (
            "list-addons",
            "create-addon",
            "get-addon",
            "update-addon",
            "delete-addon",
        ),
    },
    "togai-price-plans": {
        f"{TOGAI}.price_plans": ("get-price-plan",),
        f"{TOGAI}.price_plans_v2": (
            "list-price-plans-v2",
            "get-price-plan-v2",
            "list-price-plan-versions",
            "list-price-plan-errors",
            "create-price-plan-v2",
            "update-price-plan-v2",
        ),
        f"{TOGAI}.price_plan_cards": (
            "list-price-plan-rate-cards",
            "edit-price-plan-rate-cards",
        ),
        f"{TOGAI}.pricing_rules": (
            "list-price-plan-pricing-rules",
            "set-price-plan-pricing-rules",
            "list-pricing-rules-v1",
        ),
        f"{TOGAI}.price_plan_drafts": ("finalize-price-plan", "discard-price-plan"),
        f"{TOGAI}.price_plan_changes": (
            "update-price-plan",
            "activate-price-plan",
            "archive-price-plan",
        ),
        f"{TOGAI}.price_plan_currencies": (
            "add-price-plan-currencies",
            "remove-price-plan-currency",
        ),
        f"{TOGAI}.migrations": ("migrate-price-plan-v1", "migrate-price-plan-v2"),
    },
    "togai-metrics": {
        f"{TOGAI}.metrics": ("query-metrics",),
        f"{TOGAI}.revenue": ("calculate-revenue-v2", "calculate-revenue-v1"),
    },
    "togai-alerts": {
        f"{TOGAI}.alerts": (
            "list-alert-templates",
            "get-alert-template",
            "list-alerts",
            "create-alert",
            "update-alert",
        ),
        f"{TOGAI}.incidents": ("list-incidents", "get-incident", "update-incident-status"),
    },
    "togai-pricing-schedules": {
        f"{TOGAI}.account_schedules": (
            "list-account-schedules",
            "edit-account-schedules",
            "finalize-account-schedules",
            "discard-account-schedules",
        ),
        f"{TOGAI}.schedule_cards": (
            "list-schedule-rate-cards",
            "edit-schedule-rate-cards",
            "list-schedule-pricing-rules",
            "set-schedule-pricing-rules",
            "list-schedule-errors",
        ),
        f"{TOGAI}.pricing_schedules": (
            "list-pricing-schedules-v1",
            "edit-schedules-v1",
            "set-account-price-plan-v1",
        ),
    },
    "togai-purchases": {
        f"{TOGAI}.purchases": ("list-account-purchases", "get-purchase", "create-purchase"),
        f"{TOGAI}.proposals": (
            "list-account-proposals",
            "get-proposal",
            "create-proposal",
            "update-proposal-status",
        ),
    },
    "togai-jobs": {
        f"{TOGAI}.jobs": (
            "list-jobs",
            "get-job",
            "list-job-entries",
            "confirm-job",
            "reject-job",
        ),
        f"{TOGAI}.migrations": (
            "list-migrations",
            "get-migration-status",
            "migrate-price-plan-accounts",
        ),
    },
    "togai-licenses": {
        f"{TOGAI}.licences": (
            "list-license-updates",
            "add-license-update",
            "update-license-update",
            "list-named-license-updates",
        ),
    },
    "togai-invoices": {
        f"{TOGAI}.invoices": ("get-invoice",),
        f"{TOGAI}.invoice_rule_logs": ("list-pricing-rule-logs",),
        f"{TOGAI}.custom_invoices": ("create-custom-invoice", "delete-custom-invoice"),
        f"{TOGAI}.invoice_changes": ("update-invoice",),
        f"{TOGAI}.invoice_charges": ("set-invoice-charges", "set-upcoming-charges"),
        f"{TOGAI}.bill_runs": ("list-bill-run-invoices", "create-bill-run"),
    },
    "togai-invoice-groups": {
        f"{TOGAI}.invoice_groups": (
            "list-invoice-groups",
            "get-invoice-group",
            "create-invoice-group",
            "add-invoice-group-accounts",
            "remove-invoice-group-accounts",
        ),
    },
    "togai-payments": {
        f"{TOGAI}.payments": ("list-payments", "get-payment", "create-payments"),
        f"{TOGAI}.payment_status": ("update-invoice-payment-status",),
    },
    "togai-wallet": {
        f"{TOGAI}.wallets": (
            "get-wallet-balance",
            "list-wallet-entries",
            "update-wallet",
            "top-up-wallet",
        ),
    },
    "togai-credits": {
        f"{TOGAI}.single_credits": ("get-credit", "get-credit-balance", "void-credit"),
    },
}

SECRET = frozenset({"create-access-token", "create-portal-token"})
"""What these answer opens doors: they are served only where a setting allows it."""

SUPERSEDED: dict[str, tuple[str, ...]] = {
    "list-price-plans": ("list-price-plans-v2",),
    "create-price-plan": ("create-price-plan-v2",),
    "get-price-plan": ("get-price-plan-v2", "list-price-plan-rate-cards"),
    "update-price-plan": ("edit-price-plan-rate-cards", "finalize-price-plan"),
    "activate-price-plan": ("finalize-price-plan",),
    "archive-price-plan": (),
    "add-price-plan-currencies": ("edit-price-plan-rate-cards",),
    "remove-price-plan-currency": ("update-price-plan-v2",),
    "migrate-price-plan-v1": ("migrate-price-plan-v2",),
    "migrate-price-plan-accounts": ("migrate-price-plan-v2",),
    "list-migrations": ("list-jobs",),
    "get-migration-status": ("get-job",),
    "list-pricing-rules-v1": ("list-price-plan-pricing-rules",),
    "calculate-revenue-v1": ("calculate-revenue-v2",),
    "list-pricing-schedules-v1": ("list-account-schedules",),
    "edit-schedules-v1": ("edit-account-schedules",),
    "set-account-price-plan-v1": ("edit-account-schedules",),
    "list-account-purchases": (),
    "get-purchase": (),
    "create-purchase": (),
    "list-account-proposals": (),
    "get-proposal": (),
    "create-proposal": (),
    "update-proposal-status": (),
    "undo-events": ("correct-events",),
    "update-invoice-payment-status": ("update-invoice", "create-payments"),
}
"""The tools of operations that Togai has deprecated → the tools to use instead, if there are."""

RUNNERS = {True: "run-read-tool", False: "run-write-tool"}
"""Whether a tool only reads → the tool that runs it where it is not listed."""

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
