"""The key that seals which question a call came to: the same in every replica that could be asked.

The newer revision of the protocol makes a call a second time with a person's answer, and a load
balancer may send that elsewhere. Only replicas with one ledger find the plan again; they have the
address of the ledger and the vendors' keys in common, which nobody else knows.
"""

import hashlib
import json
import secrets

from mcp.server.request_state import RequestStateSecurity

from billing_mcp.config import Settings

# An answer is taken for a question this long: a person may think for as long as any plan is there,
# and one who comes too late is told so by the plan. (The SDK gives them ten minutes.)
QUESTION_KEPT_S = 48 * 60 * 60

# So that the key is that of nothing else, whatever else may be derived from these secrets.
_PURPOSE = "billing-mcp: request state, 1"


def sealing(settings: Settings) -> RequestStateSecurity:
    return RequestStateSecurity(keys=[_key(settings)], ttl=QUESTION_KEPT_S)


def _key(settings: Settings) -> bytes:
    """Made of what replicas share, or by chance for a server that shares its ledger with none."""
    credentials = [
        [tenant.name, credential.base_url, credential.authorization.get_secret_value()]
        for tenant in settings.tenants
        for credential in (tenant.togai, tenant.suger)
        if credential is not None
    ]
    if settings.ledger_url is None or not credentials:
        return secrets.token_bytes(32)
    shared = [_PURPOSE, settings.ledger_url.get_secret_value(), sorted(credentials)]
    return hashlib.sha256(json.dumps(shared).encode()).digest()
