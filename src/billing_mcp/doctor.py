"""`billing-mcp doctor`: are settings, credentials and vendors as they should be, and if not, what
to do next."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import anyio

from billing_mcp.catalog import Catalog
from billing_mcp.config import VARIABLES, Settings
from billing_mcp.credentials import SettingsError, TenantSettings, Vendor
from billing_mcp.http import checkup
from billing_mcp.tenants import VENDOR_NAMES, Caller, Tenant

# One cheap read for each vendor: it needs the network, the key and the right to read.
PROBES: dict[Vendor, tuple[str, dict[str, int]]] = {
    "togai": ("list-customers", {"pageSize": 1}),
    "suger": ("get-usage-metering-config-info", {}),
}


def examine(settings: Settings) -> int:
    """Print what was found; 0 when all is well, 1 when something needs attention."""
    return anyio.run(_examine, settings)


async def _examine(settings: Settings) -> int:
    trouble = False
    async with aclosing(findings(settings)) as found:
        async for well, sentence in found:
            print(f"{'ok     ' if well else 'trouble'}  {sentence}")  # noqa: T201  its purpose
            trouble |= not well
    return 1 if trouble else 0


async def findings(settings: Settings) -> AsyncGenerator[tuple[bool, str], None]:
    """What is well and what is not, each as a sentence that says what to do."""
    changed = [variable for variable in VARIABLES if variable.attribute in settings.origins]
    for variable in changed:
        yield True, f"{settings.origins[variable.attribute]}: {variable.meaning}"
    async for finding in checkup.findings(settings):
        yield finding
    # The server asks this module only for its probes, and many a server never has a policy.
    from billing_mcp import guard_checkup  # noqa: PLC0415

    for finding in guard_checkup.of_policy(settings):
        yield finding
    catalog = Catalog(settings)
    for tenant in settings.tenants:
        guarded = Tenant(tenant, settings)
        try:
            for well, sentence in guard_checkup.of_rules(guarded):
                yield well, _named(sentence, settings, tenant)
            async for well, sentence in guard_checkup.of_ledgers(guarded):
                yield well, _named(sentence, settings, tenant)
        finally:
            await guarded.close()
        # Whatever a tenant may use, doctor has to be able to ask its vendors.
        asking = replace(tenant, toolsets=None, tools=(), exclude_tools=(), rules=None)
        without_policy = replace(settings, policy=None)
        async for well, sentence in _of_tenant(catalog, Tenant(asking, without_policy)):
            yield well, _named(sentence, settings, tenant)


async def _of_tenant(catalog: Catalog, tenant: Tenant) -> AsyncGenerator[tuple[bool, str], None]:
    served = catalog.selected(tenant.settings)
    yield (
        bool(served),
        f"{len(served)} tools are served"
        if served
        else ("no tool is served: look at --toolsets, --exclude-tools and the vendor keys"),
    )
    if tenant.settings.sandboxed:
        yield True, "no vendor key is set: both vendors are the embedded sandbox, data is invented"
    try:
        if tenant.settings.sandboxed:
            _ = tenant.sandbox
    except SettingsError as error:
        yield False, str(error)
        return
    try:
        for vendor in PROBES:
            if tenant.settings.has(vendor):
                yield await _probe(vendor, tenant)
            else:
                yield True, f"{VENDOR_NAMES[vendor]}: no key, so its tools are absent"
    finally:
        await tenant.close()


def _named(sentence: str, settings: Settings, tenant: TenantSettings) -> str:
    """A sentence about one tenant of a file, with the names that its settings have there."""
    if settings.tenants_file is None:
        return sentence
    where = f"tenants.{tenant.name}"
    for name in ("TOGAI_API_KEY", "SUGER_API_KEY", "SUGER_ORG_ID"):
        sentence = sentence.replace(name, f"{where}.{name.lower()}")
    return f"{where}: {sentence}"


async def _probe(vendor: Vendor, tenant: Tenant) -> tuple[bool, str]:
    # The probe must work whatever toolsets are served, so it has a catalogue of its own.
    catalog = Catalog(Settings(tenants=(tenant.settings,), toolsets=("all",)))
    name, arguments = PROBES[vendor]
    outcome = await catalog.invoke(name, arguments, Caller(tenant, role=catalog.settings.role))
    # As the vendor itself says: a sandbox on a port looks live until it has answered.
    where = f"{VENDOR_NAMES[vendor]} ({outcome.structured['environment']})"
    return not outcome.is_error, f"{where}: {outcome.text if outcome.is_error else 'answers'}"
