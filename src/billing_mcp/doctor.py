"""`billing-mcp doctor`: are settings, credentials and vendors as they should be, and if not, what
to do next."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio

from billing_mcp.catalog import Catalog
from billing_mcp.config import VARIABLES, Settings
from billing_mcp.credentials import SettingsError, Vendor
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
    served = Catalog(settings).served
    yield (
        bool(served),
        f"{len(served)} tools are served"
        if served
        else ("no tool is served: look at --toolsets, --exclude-tools and the vendor keys"),
    )
    if settings.tenant.sandboxed:
        yield True, "no vendor key is set: both vendors are the embedded sandbox, data is invented"
    tenant = Tenant(settings.tenant, settings)
    try:
        if settings.tenant.sandboxed:
            _ = tenant.sandbox
    except SettingsError as error:
        yield False, str(error)
        return
    try:
        for vendor in PROBES:
            if settings.tenant.has(vendor):
                yield await _probe(vendor, settings, tenant)
            else:
                yield True, f"{VENDOR_NAMES[vendor]}: no key, so its tools are absent"
    finally:
        await tenant.close()


async def _probe(vendor: Vendor, settings: Settings, tenant: Tenant) -> tuple[bool, str]:
    # The probe must work whatever toolsets are served, so it has a catalogue of its own.
    catalog = Catalog(Settings(tenants=settings.tenants, toolsets=("all",)))
    name, arguments = PROBES[vendor]
    outcome = await catalog.invoke(name, arguments, Caller(tenant))
    # As the vendor itself says: a sandbox on a port looks live until it has answered.
    where = f"{VENDOR_NAMES[vendor]} ({outcome.structured['environment']})"
    return not outcome.is_error, f"{where}: {outcome.text if outcome.is_error else 'answers'}"
