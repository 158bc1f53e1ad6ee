"""The sandbox on a real loopback port, for the vendors' own clients."""

import queue
from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal

from billing_mcp.sandbox import Sandbox, SandboxSettings, open_sandbox
from billing_mcp.sandbox.serve import serve
from oracle.togai_clients import Togai, sdk


@pytest.fixture(scope="session")
def served_sandbox() -> Iterator[tuple[Sandbox, str]]:
    """One sandbox for all tests of the session, and its address."""
    sandbox = open_sandbox(SandboxSettings(demo=False))
    opened: queue.Queue[int] = queue.Queue()
    with start_blocking_portal() as portal:
        serving = portal.start_task_soon(serve, sandbox, "127.0.0.1", 0, opened.put)
        yield sandbox, f"http://127.0.0.1:{opened.get(timeout=10)}"
        serving.cancel()
    sandbox.close()


@pytest.fixture
def empty_sandbox(served_sandbox: tuple[Sandbox, str]) -> Sandbox:
    """The served sandbox, emptied for this test."""
    sandbox, _ = served_sandbox
    sandbox.backend.reset(demo=False)
    return sandbox


@pytest.fixture
def sandbox_url(served_sandbox: tuple[Sandbox, str], empty_sandbox: Sandbox) -> str:
    """The address of an empty sandbox; the vendors are under /togai and /suger."""
    return served_sandbox[1]


@pytest.fixture
def togai(sandbox_url: str, empty_sandbox: Sandbox) -> Iterator[Togai]:
    configuration = sdk.Configuration(host=f"{sandbox_url}/togai", access_token="any")
    with sdk.ApiClient(configuration) as client:
        yield Togai(
            accounts=sdk.AccountsApi(client),
            add_ons=sdk.AddOnsApi(client),
            credits=sdk.CreditsApi(client),
            customers=sdk.CustomersApi(client),
            entitlements=sdk.EntitlementsApi(client),
            ingestion=sdk.EventIngestionApi(client),
            management=sdk.EventManagementApi(client),
            features=sdk.FeatureApi(client),
            invoices=sdk.InvoicesApi(client),
            licences=sdk.LicensesApi(client),
            plans=sdk.PricePlansApi(client),
            plans_v2=sdk.PricePlanV2Api(client),
            pricing_rules=sdk.PricingRulesApi(client),
            experiments=sdk.PriceExperimentationApi(client),
            schemas=sdk.EventSchemasApi(client),
            meters=sdk.UsageMetersApi(client),
            sandbox=empty_sandbox,
        )
