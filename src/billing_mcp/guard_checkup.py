"""What `doctor` says of the policy and of the ledgers: what holds, what waits, what went wrong."""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from billing_mcp import approvals, errors
from billing_mcp.config import Settings
from billing_mcp.credentials import Environment, SettingsError
from billing_mcp.guard.gate import Gate
from billing_mcp.guard.ledger import LedgerError
from billing_mcp.guard.operations import OPEN, Filters
from billing_mcp.guard.policy_summary import explain
from billing_mcp.tenants import Tenant
from billing_mcp.wire import utc_text

Finding = tuple[bool, str]
"""Whether it is well, and a sentence that says what to do when it is not."""

_PAGE = 500
_NEW = "it will be made with the first write"
_ELSEWHERE = "Set BILLING_MCP_LEDGER_URL to a place that this user may write"
_MOVED = "Give the sandbox's file and the ledger beside it back to this user, or name another file"
_PATIENCE_S = 5
_SHARED = "servers on other machines can share one only in PostgreSQL (BILLING_MCP_LEDGER_URL)"


def of_policy(settings: Settings) -> Iterator[Finding]:
    """What may be written, as the policy says it; that of no tenant in particular."""
    try:
        policy = Tenant(replace(settings.tenant, rules=None), settings).policy
    except SettingsError as error:
        yield False, f"{error} Until then nothing can be written"
        return
    which, *rules = explain(policy)
    yield True, which
    for sentence in rules:
        yield True, f"policy: {sentence}"
    roles, role = sorted(policy.content.roles), settings.role
    has = f"the policy has rules for {', '.join(roles)}"
    if role is not None and not roles:
        what = "is not set" if settings.policy is None else "names no roles"
        yield True, f"BILLING_MCP_ROLE is {role}: BILLING_MCP_POLICY {what}, so it changes nothing"
    elif role is not None and role not in roles:
        yield False, f"BILLING_MCP_ROLE is {role}, which may only read: {has}. Name one of them"
    elif role is None and roles and not settings.authenticated:
        yield False, f"callers without a token may only read: {has}. Set BILLING_MCP_ROLE to one"


def of_rules(tenant: Tenant) -> Iterator[Finding]:
    """What a tenant of a file adds to the policy."""
    if tenant.settings.rules is None:
        return
    try:
        policy = tenant.policy
    except SettingsError:
        # Of the policy itself, of which more has been said than of any tenant.
        return
    for place, _ in policy.tighter:
        for sentence in explain(policy):
            if sentence.startswith(f"{place}: "):
                yield True, f"policy, in addition: {sentence.removeprefix(f'{place}: ')}"


async def of_ledgers(tenant: Tenant) -> AsyncIterator[Finding]:
    """Nothing is made: where no write was ever asked for there is only a place."""
    for environment in tenant.ledgers.environments:
        place = tenant.ledgers.place(environment)
        name = f"ledger ({environment})"
        if place is None:
            yield True, _in_memory(tenant, name)
        elif isinstance(place, Path) and not place.exists():
            yield _to_be_made(name, place)
        else:
            async for well, sentence in _kept(tenant, environment, place):
                yield well, f"{name}: {sentence}"
    if tenant.settings.sandboxed and tenant.server.ledger_url is not None:
        yield True, "ledger (sandbox): BILLING_MCP_LEDGER_URL is not used, it is for live data"


def _in_memory(tenant: Tenant, name: str) -> str:
    return (
        f"{name}: in memory, so operations and plans end with the process that made them, and "
        f"`billing-mcp approve` cannot see them; {approvals.data_setting(tenant)} keeps both in a "
        "file"
    )


def _to_be_made(name: str, place: Path) -> Finding:
    folder = place.parent
    while not folder.exists():
        folder = folder.parent
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return True, f"{name}: {place}, {_NEW}"
    return False, f"{name}: {place} cannot be made, {folder} is not writable. {_ELSEWHERE}"


async def _kept(
    tenant: Tenant, environment: Environment, place: Path | SecretStr
) -> AsyncIterator[Finding]:
    where = str(place) if isinstance(place, Path) else "PostgreSQL"
    if isinstance(place, SecretStr) and (finding := await _before_opening(place)) is not None:
        yield finding
        return
    try:
        gate = await tenant.ledgers.gate(environment)
        left = await _left_open(gate)
        waiting = len(await approvals.waiting_at(gate))
    except (errors.BillingError, LedgerError) as error:
        next_step = _ELSEWHERE if environment != "sandbox" else _MOVED
        yield False, f"{where}: {_cause(error)} Until then nothing can be written. {next_step}"
        return
    shared = f"; {_SHARED}" if isinstance(place, Path) and environment != "sandbox" else ""
    yield True, f"{where} can be written{shared}"
    if left.running:
        yield True, f"{left.running} of its writes running now"
    if left.since is not None:
        yield (
            False,
            (
                f"{left.abandoned} of its writes begun and not known to have ended, the oldest of "
                f"{utc_text(left.since)}: a server looks them up when it starts, get-operation at "
                "once; `billing-mcp operations` lists them"
            ),
        )
    if waiting:
        plans = "1 plan waits" if waiting == 1 else f"{waiting} plans wait"
        yield True, f"{plans} for a person: `billing-mcp approvals`"


@dataclass(frozen=True, slots=True)
class _Left:
    """What has begun and not ended: held by a live call, or by nobody, and since when."""

    running: int = 0
    abandoned: int = 0
    since: datetime | None = None


async def _left_open(gate: Gate) -> _Left:
    left, now = _Left(), gate.now()
    after: str | None = None
    while True:
        page = await gate.ledger.list(gate.partition, Filters(states=OPEN), _PAGE, after)
        for row in page.operations:
            if row.is_leased(now):
                left = replace(left, running=left.running + 1)
            else:
                # Newest first, so that the last is the oldest.
                left = replace(left, abandoned=left.abandoned + 1, since=row.created_at)
        if page.next is None:
            return left
        after = page.next


async def _before_opening(url: SecretStr) -> Finding | None:
    """Looks without making the tables; None when they are there, and to be looked at as any."""
    try:
        import psycopg  # noqa: PLC0415  of an extra, whose absence opening the ledger tells of
    except ImportError:
        return None
    try:
        connection = await psycopg.AsyncConnection.connect(
            url.get_secret_value(), autocommit=True, connect_timeout=_PATIENCE_S
        )
        async with connection:
            cursor = await connection.execute(
                "SELECT to_regclass('billing_ledger') IS NOT NULL,"
                " coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
            )
            row = await cursor.fetchone()
    except psycopg.Error as error:
        # What it says can name the host and the user, and hold a part of the URL.
        return False, (
            f"PostgreSQL cannot be reached, or does not let this server in ({type(error).__name__})"
            ". Until then nothing can be written. Check BILLING_MCP_LEDGER_URL, and that the "
            "database runs"
        )
    assert row is not None
    is_made, may_make = row
    if is_made:
        return None
    if may_make:
        return True, f"PostgreSQL, {_NEW}"
    return False, (
        "PostgreSQL: the tables are not there and this user may not make them. Give it CREATE on "
        "its schema, or name another in BILLING_MCP_LEDGER_URL"
    )


def _cause(error: errors.BillingError | LedgerError) -> str:
    """What is wrong with the ledger, without what that means for a call."""
    return str(error.__cause__ if isinstance(error.__cause__, LedgerError) else error)
