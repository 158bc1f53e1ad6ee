"""What `doctor` asks of a server for others: is it safe to start, and can its callers get in."""

import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from billing_mcp.config import Settings, hosting_trouble
from billing_mcp.credentials import SettingsError
from billing_mcp.http import api_keys
from billing_mcp.http.auth import Authentication
from billing_mcp.http.hosts import security_of
from billing_mcp.http.signing_keys import Clock, SigningKeys, Unfetched

Finding = tuple[bool, str]
"""Whether it is well, and a sentence that says what to do when it is not."""

_READABLE_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH


async def findings(
    settings: Settings,
    *,
    authentication: Callable[[Settings], Authentication] = Authentication,
    now: Clock = time.time,
) -> AsyncIterator[Finding]:
    """Nothing for a server that only its own machine can reach."""
    if (trouble := hosting_trouble(settings)) is not None:
        yield False, trouble
        return
    if settings.public_url is not None:
        yield _name(settings, settings.public_url)
    if settings.api_keys is not None:
        for finding in _keys(settings, now):
            yield finding
    if settings.auth_issuer is not None:
        # The file of API keys has been looked at, and its trouble is not the issuer's.
        keys = authentication(replace(settings, api_keys=None)).signing_keys
        assert keys is not None
        yield await _issuer(settings, settings.auth_issuer, keys)


def _name(settings: Settings, public_url: str) -> Finding:
    url = urlsplit(public_url)
    host = url.netloc.lower()
    allowed = security_of(settings).allowed_hosts
    if host in allowed or (url.port is not None and f"{host.rpartition(':')[0]}:*" in allowed):
        return True, f"callers reach it as {host}"
    return False, (
        f"callers who reach it as {host} are refused (421): add {host} to BILLING_MCP_ALLOWED_HOSTS"
    )


def _keys(settings: Settings, now: Clock) -> Iterator[Finding]:
    path = settings.api_keys
    assert path is not None
    try:
        keys = api_keys.read(path)
        shown = path.stat().st_mode & _READABLE_BY_OTHERS
    except (SettingsError, OSError) as error:
        yield False, str(error)
        return
    if shown:
        yield False, f"others can read {path}, the file of API keys: chmod 600 it"
    names = {tenant.name for tenant in settings.tenants}
    for key in keys:
        if key.tenant is None and len(names) > 1:
            yield (
                False,
                (
                    f"the API key {key.name} names no tenant and opens nothing: billing-mcp keys "
                    f"revoke {key.name}, then keys add it with --tenant"
                ),
            )
        elif key.tenant is not None and key.tenant not in names:
            said = f"the API key {key.name} is for {key.tenant}, and there is no such tenant: "
            also = f"name it in BILLING_MCP_TENANTS, or billing-mcp keys revoke {key.name}"
            yield False, said + also
    valid = [key for key in keys if key.expires is None or key.expires.timestamp() > now()]
    if not valid:
        there = "all API keys have expired" if keys else "there is no API key"
        yield False, f"{there} in {path}: make one with billing-mcp keys add NAME"
    else:
        yield True, f"{len(valid)} of {len(keys)} API keys are valid"


async def _issuer(settings: Settings, issuer: str, keys: SigningKeys) -> Finding:
    try:
        await keys.renew()
    except Unfetched as error:
        setting = "AUTH_ISSUER" if settings.auth_jwks_url is None else "AUTH_JWKS_URL"
        return False, (
            f"no token can be verified: {error}. Check BILLING_MCP_{setting} letter by letter, and "
            f"that this machine reaches it"
        )
    fitting = keys.fitting(settings.auth_algorithms)
    if not fitting:
        return False, (
            f"{issuer} publishes no key for {', '.join(settings.auth_algorithms)}: set "
            "BILLING_MCP_AUTH_ALGORITHMS to what it signs its tokens with"
        )
    return True, f"tokens of {issuer} can be verified ({', '.join(fitting)})"
