"""A sandbox with one buyer and one entitlement on each marketplace."""

from collections.abc import Iterator

import pytest

from billing_mcp.sandbox import SandboxSettings, open_sandbox
from billing_mcp.sandbox.suger.buyers import insert_buyer
from sandbox.suger.wire import Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    """At 2026-11-20T12:00:00Z: buyers buyer-aws, buyer-azure, buyer-gcp, each with one
    active entitlement on-aws, on-azure, on-gcp of the dimensions api_calls and storage_gb.
    """
    sandbox = open_sandbox(SandboxSettings(demo=False))
    wire = Wire(sandbox)
    with sandbox.backend.transaction() as call:
        for partner in ("AWS", "AZURE", "GCP"):
            name = partner.lower()
            info = {"awsBuyer": {"awsAccountID": "000000000001"}} if partner == "AWS" else {}
            insert_buyer(
                call,
                id=f"buyer-{name}",
                partner=partner,
                external_id=f"customer-{name}",
                name=f"Buyer on {partner}",
                info=info,
                contact_ids=[f"contact-{name}"],
            )
    for name in ("aws", "azure", "gcp"):
        wire.entitle(f"on-{name}", f"buyer-{name}")
    yield wire
    sandbox.close()
