"""The tools keep the names, hints and arguments of the seeds, and the vendors' own routes."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from billing_mcp import tools
from billing_mcp.catalog import Catalog, shipped_schemas
from billing_mcp.config import Settings
from billing_mcp.declarations import Declaration
from billing_mcp.tools import vendor_of

CONTRACT = json.loads((Path(__file__).parent / "contract.json").read_text(encoding="utf-8"))
SEED_TOOLS: dict[str, dict[str, Any]] = {
    tool["name"]: tool for capability in CONTRACT["capabilities"] for tool in capability["tools"]
}
# Seed 000 has these as operations, not as tools.
ADDED = {"create-account", "list-credits"}
# Seed 001 forgot the path parameters of its tools.
FORGOTTEN = {"account_id": "accountId", "feature_id": "featureId", "entry_id": "entryId"}

ACCOUNT = "/accounts/{account_id}"
FEATURE = f"{ACCOUNT}/features/{{feature_id}}"
ORG = "/org/{orgId}"
# The vendors' operations, from their published API descriptions: tool → operation, route.
VENDOR_OPERATIONS = {
    "list-customers": ("getCustomers", "GET /customers"),
    "get-customer": ("getCustomer", "GET /customers/{customer_id}"),
    "create-customer": ("createCustomer", "POST /customers"),
    "list-accounts": ("getAccounts", "GET /accounts"),
    "create-account": ("createAccount", "POST /accounts"),
    "ingest-events": ("ingestBatch", "POST /ingestBatch"),
    "list-usage-meters": ("getUsageMetersForEventSchema", "GET /usage_meters"),
    "list-price-plans": ("getPricePlans", "GET /price_plans"),
    "create-price-plan": ("createPricePlan", "POST /price_plans"),
    "list-invoices": ("listInvoices", "GET /invoices"),
    "list-credits": ("listCredits", "GET /credits"),
    "grant-credit": ("createCredit", "POST /credits"),
    "get-entitlements-account": ("getEntitlements", f"GET {ACCOUNT}/entitlements"),
    "get-entitlement-value-account": (
        "getEntitlementValue",
        f"GET {ACCOUNT}/entitlements/{{feature_id}}",
    ),
    "check-entitlement-value-account": (
        "validateEntitlementValue",
        f"POST {ACCOUNT}/entitlements/{{feature_id}}",
    ),
    "get-feature-credits-balance": ("getFeatureCredits", f"GET {FEATURE}"),
    "list-feature-credits-entries-feature": ("listFeatureCreditEntries", f"GET {FEATURE}/entries"),
    "update-feature-credits-entry": (
        "UpdateFeatureCreditEntry",
        f"PATCH {FEATURE}/entries/{{entry_id}}",
    ),
    "void-feature-credits-entry-feature": (
        "VoidFeatureCreditEntry",
        f"POST {FEATURE}/entries/{{entry_id}}/void",
    ),
    "ingest-event-if-user-is": ("ingestEntitledEvent", "POST /entitled"),
    "list-usagerecordgroups": ("ListUsageRecordGroups", f"GET {ORG}/usageRecordGroup"),
    "report-usagerecordgroup": (
        "ReportUsageRecordGroup",
        f"POST {ORG}/entitlement/{{entitlementId}}/usageRecordGroup",
    ),
    "batch-validate-usagerecordgroups": (
        "BatchValidateUsageRecordGroups",
        f"POST {ORG}/batchValidateUsageRecordGroups",
    ),
    "batch-report-usagerecordgroups": (
        "BatchReportUsageRecordGroups",
        f"POST {ORG}/batchCreateUsageRecordGroups",
    ),
    "retry-usagerecordgroup": (
        "RetryUsageRecordGroup",
        f"POST {ORG}/usageRecordGroup/{{usageRecordGroupId}}/retry",
    ),
    "delete-usagerecordgroup": (
        "DeleteUsageRecordGroup",
        f"DELETE {ORG}/usageRecordGroup/{{usageRecordGroupId}}",
    ),
    "list-usagerecordreports": ("ListUsageRecordReports", f"GET {ORG}/usageRecordReport"),
    "list-billable-metrics": ("ListBillableMetrics", f"GET {ORG}/billableMetric"),
    "get-billable-metric": ("GetBillableMetric", f"GET {ORG}/billableMetric/{{billableMetricId}}"),
    "create-billable-metric": ("CreateBillableMetric", f"POST {ORG}/billableMetric"),
    "update-billable-metric": (
        "UpdateBillableMetric",
        f"PATCH {ORG}/billableMetric/{{billableMetricId}}",
    ),
    "get-usage-metering-config-info": (
        "GetUsageMeteringConfigInfo",
        f"GET {ORG}/usageMeteringConfigInfo",
    ),
    "update-usage-metering-config-info": (
        "UpdateUsageMeteringConfigInfo",
        f"PATCH {ORG}/usageMeteringConfigInfo",
    ),
}
SANDBOX = resources.files("billing_mcp.sandbox")


def declaration(name: str) -> Declaration:
    return Catalog(Settings()).built(name).declaration


def test_the_seeds_have_31_tools_and_the_server_those_and_two_more() -> None:
    assert len(SEED_TOOLS) == 31
    core = Catalog(Settings(toolsets=("core",))).served
    assert set(core) == set(SEED_TOOLS) | ADDED
    assert len(core) == 33


def test_the_three_core_toolsets_are_the_three_servers_of_the_seeds() -> None:
    for capability in CONTRACT["capabilities"]:
        namespace = capability["namespace"]
        toolset = "togai-billing" if namespace == "togai" else namespace
        served = {name for name, owner in tools.TOOLSET_OF.items() if owner == toolset}
        assert served - ADDED == {tool["name"] for tool in capability["tools"]}


@pytest.mark.parametrize("name", SEED_TOOLS)
def test_a_hint_of_the_seeds_is_the_hint_that_is_sent(name: str) -> None:
    sent = shipped_schemas()[name]["annotations"]
    for hint, value in SEED_TOOLS[name]["hints"].items():
        assert sent[f"{hint}Hint"] is value, hint


@pytest.mark.parametrize("name", [*SEED_TOOLS, *sorted(ADDED)])
def test_all_four_hints_are_sent_and_no_world_is_open(name: str) -> None:
    sent = shipped_schemas()[name]["annotations"]
    assert set(sent) == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
    assert all(isinstance(value, bool) for value in sent.values())
    assert sent["openWorldHint"] is False


@pytest.mark.parametrize("name", SEED_TOOLS)
def test_every_argument_of_the_seeds_is_an_argument_of_the_tool(name: str) -> None:
    published = set(shipped_schemas()[name]["inputSchema"]["properties"])
    assert set(SEED_TOOLS[name]["arguments"]) <= published


@pytest.mark.parametrize("name", SEED_TOOLS)
def test_a_path_parameter_that_the_seeds_forgot_is_a_required_argument(name: str) -> None:
    schema = shipped_schemas()[name]["inputSchema"]
    for parameter, argument in FORGOTTEN.items():
        if f"{{{parameter}}}" in SEED_TOOLS[name]["path"]:
            assert argument in schema["required"]


@pytest.mark.parametrize("name", SEED_TOOLS)
def test_only_what_the_seeds_or_the_vendor_require_is_required(name: str) -> None:
    """A caller of the seeds gives the seeds' arguments and must not be refused for want of more."""
    forgotten = {
        argument
        for parameter, argument in FORGOTTEN.items()
        if f"{{{parameter}}}" in SEED_TOOLS[name]["path"]
    }
    # The seed has no field for the plan's content, without which the vendor takes no plan.
    vendor = {"pricePlanDetails"} if name == "create-price-plan" else set()
    required = set(shipped_schemas()[name]["inputSchema"].get("required", ()))
    assert required <= set(SEED_TOOLS[name]["arguments"]) | forgotten | vendor


def test_the_other_name_of_the_seeds_for_the_end_of_a_credit_is_taken() -> None:
    (operation,) = (
        capability["operations"]["grant-credit"]
        for capability in CONTRACT["capabilities"]
        if "grant-credit" in capability["operations"]
    )
    assert "effectiveTo" in operation["body"]
    arguments = (
        Catalog(Settings())
        .built("grant-credit")
        .shape.validate(
            {
                "accountId": "a",
                "creditAmount": "1",
                "effectiveFrom": "2026-11-20",
                "effectiveTo": "2026-12-31",
            }
        )
    )
    assert arguments["effectiveUntil"].isoformat() == "2026-12-31"


@pytest.mark.parametrize(("name", "operation"), VENDOR_OPERATIONS.items())
def test_the_declared_route_is_the_vendors_operation(name: str, operation: tuple[str, str]) -> None:
    assert declaration(name).route == operation[1]


@pytest.mark.parametrize(("name", "operation"), VENDOR_OPERATIONS.items())
def test_the_sandbox_lists_the_same_operation_among_the_vendors(
    name: str, operation: tuple[str, str]
) -> None:
    listed = SANDBOX / str(vendor_of(name)) / "operations.txt"
    assert operation[1] in listed.read_text(encoding="utf-8").splitlines()


def test_the_operation_is_the_one_the_seeds_name_where_they_name_the_vendors() -> None:
    for name, tool in SEED_TOOLS.items():
        if tool["operation"] != name:
            assert VENDOR_OPERATIONS[name][0].lower() == tool["operation"]


def test_no_tool_of_the_core_is_without_its_operation_in_this_table() -> None:
    assert set(VENDOR_OPERATIONS) == set(Catalog(Settings(toolsets=("core",))).served)
