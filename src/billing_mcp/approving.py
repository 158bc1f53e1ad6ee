"""The verbs `approvals`, `approve` and `deny`: a person's yes or no, from outside the chat."""

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import anyio

from billing_mcp import approvals, errors
from billing_mcp.config import Settings
from billing_mcp.credentials import SettingsError, TenantSettings
from billing_mcp.guard import plans
from billing_mcp.guard.operations import TERMINAL, Operation, State
from billing_mcp.listing import Row, complain, of_each_tenant, tell, tell_json
from billing_mcp.results import shown
from billing_mcp.tenants import Tenant
from billing_mcp.wire import utc_text

USAGE = (
    "Use approvals [--json], approve ID [--yes], or deny ID [--why TEXT]; where several tenants "
    "have a plan of one id, --tenant NAME says whose."
)
NONE_WAITS = "No plan waits for a person."
_HOW = "`billing-mcp approve ID` shows the whole plan and asks; `billing-mcp deny ID --why TEXT`"
_QUESTION = "approve? type yes: "


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says of an approval or a denial, as it was typed."""

    tenant: str | None = None
    why: str | None = None
    yes: bool = False


def print_waiting(settings: Settings, tenant: str | None, *, as_json: bool) -> int:
    """Print the plans that wait for people; 1 when a ledger could not be read, or none can be."""
    settings = _narrowed(settings, tenant)
    rows, well = anyio.run(of_each_tenant, settings, _waiting)
    reachable = [one for one in settings.tenants if _elsewhere(settings, one) is None]
    if as_json:
        tell_json(rows)
    elif rows or reachable:
        several = len(settings.tenants) > 1
        tell(line for row in rows for line in (*_lines(row, several=several), ""))
        tell([f"{len(rows)} waiting: {_HOW}" if rows else NONE_WAITS])
    for one in settings.tenants:
        if (sentence := _elsewhere(settings, one)) is not None:
            complain(sentence)
    return 0 if well and reachable else 1


def run(verb: str, words: Sequence[str], wanted: Wanted, settings: Settings) -> int:
    """Approve or deny; 1 when it was refused. Raises `SettingsError` for a wrong command."""
    if len(words) != 1 or (verb == "approve" and wanted.why is not None):
        raise SettingsError(USAGE)
    (operation_id,) = words
    try:
        tenant, operation = anyio.run(_located, _narrowed(settings, wanted.tenant), operation_id)
        tell(_whole(operation))
        if verb == "deny":
            _denied(settings, tenant, operation, wanted.why or "")
            return 0
        return _approved(settings, tenant, operation, yes=wanted.yes)
    except errors.BillingError as error:
        complain(error.sentence())
        return 1


def _approved(
    settings: Settings, tenant: TenantSettings, operation: Operation, *, yes: bool
) -> int:
    approvals.refuse_unproven(operation)
    # Whatever cannot be approved any more says so itself, and needs no answer first.
    waits = operation.state in {State.PLANNED, State.APPROVED}
    if waits and not yes and not _answered_yes():
        tell(["Nothing was approved; the plan still waits."])
        return 1

    async def approve(of: Tenant) -> Operation:
        return await approvals.approve(of, operation.id, whoami(), identified=False)

    row = _with(settings, tenant, approve)
    assert row.plan is not None
    until = utc_text(row.plan.expires_at)
    again = f"{row.tool} is called again with operationId {row.id} and the same arguments"
    tell([f"Approved by {row.approvals[-1].by}. It is committed when {again}, before {until}."])
    return 0


def _denied(settings: Settings, tenant: TenantSettings, operation: Operation, why: str) -> None:
    async def deny(of: Tenant) -> Operation:
        return await approvals.deny(of, operation.id, whoami(), why)

    row = _with(settings, tenant, deny)
    assert row.denial is not None
    tell([f"Denied by {row.denial.by}. It can never be committed; whoever asked is told."])


def _answered_yes() -> bool:
    """Whether the person at the terminal says yes. Raises `SettingsError` when nobody is there."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise SettingsError(
            "Nobody can be asked here, because this is no terminal. Read the plan, and give --yes "
            "to approve it."
        )
    try:
        return input(_QUESTION).strip().lower() == "yes"
    except EOFError:
        return False


def whoami() -> str:
    """The user of this process as the system knows them; the environment can say anything."""
    if sys.platform == "win32":
        return f"{TERMINAL}{os.getlogin()}"
    import pwd  # noqa: PLC0415  there is none on Windows

    number = os.getuid()
    try:
        return f"{TERMINAL}{pwd.getpwuid(number).pw_name}"
    except KeyError:
        # A container may run under a number that has no name.
        return f"{TERMINAL}uid-{number}"


def _with(
    settings: Settings, tenant: TenantSettings, act: Callable[[Tenant], Awaitable[Operation]]
) -> Operation:
    async def opened() -> Operation:
        of = Tenant(tenant, settings)
        try:
            return await act(of)
        finally:
            await of.close()

    return anyio.run(opened)


async def _waiting(tenant: Tenant) -> list[Row]:
    return [approvals.facts(operation) for operation in await approvals.pending(tenant)]


async def _located(settings: Settings, operation_id: str) -> tuple[TenantSettings, Operation]:
    """Whose it is. Raises our errors, and `SettingsError` when more than one tenant has it."""
    found: list[tuple[TenantSettings, Operation]] = []
    trouble: errors.BillingError | None = None
    for settings_of in settings.tenants:
        tenant = Tenant(settings_of, settings)
        try:
            found.append((settings_of, await approvals.find(tenant, operation_id)))
        except errors.NotFound as error:
            elsewhere = _elsewhere(settings, settings_of)
            missing = error if elsewhere is None else errors.NotFound(elsewhere)
            trouble = trouble or missing
        except errors.Unavailable as error:
            trouble = error
        finally:
            await tenant.close()
    if len(found) > 1:
        names = ", ".join(tenant.name for tenant, _ in found)
        raise SettingsError(f"{names} each have a plan of that id: say whose with --tenant NAME.")
    if not found:
        assert trouble is not None
        raise trouble
    return found[0]


def _elsewhere(settings: Settings, tenant: TenantSettings) -> str | None:
    """Where the plans of a tenant have to be approved that no other process can see."""
    of = Tenant(tenant, settings)
    if not approvals.is_out_of_reach(of.ledgers):
        return None
    return (
        "This sandbox is in memory, and so are its plans: they live and can be approved only "
        "inside the process that made them, in the chat of a client that can ask, or on the page "
        "/approvals of `billing-mcp http` with authentication. Set "
        f"{approvals.data_setting(of)} to a file, for the server and for this command, to approve "
        "them here."
    )


def _narrowed(settings: Settings, tenant: str | None) -> Settings:
    if tenant is None:
        return settings
    kept = tuple(one for one in settings.tenants if one.name == tenant)
    if not kept:
        names = ", ".join(one.name for one in settings.tenants)
        raise SettingsError(f"There is no tenant {tenant[:80]!r}. There is {names}.")
    return replace(settings, tenants=kept)


def _lines(row: Row, *, several: bool) -> list[str]:
    """One of the plans that wait, short enough to read several of."""
    whose = f"  tenant {shown(row['tenant'])}" if several else ""
    agreed = ", ".join(f"{one['by']} at {one['at']}" for one in row["approvals"])
    approved = f"{len(row['approvals'])} of {row['approvalsNeeded']}"
    money = f"{row['amount']} {row.get('currency', '')}".strip() if "amount" in row else None
    labelled = {
        "effect": row.get("effect"),
        "amount": money,
        "asked by": _asker(row),
        "why": row.get("why"),
        "rule": row.get("rule"),
        "approved": f"{approved}: {agreed}" if agreed else approved,
        "expires": row.get("expiresAt"),
    }
    head = f"{row['operationId']}  {row['tool']}  {row['environment']}{whose}"
    return [head, *(f"  {name:9} {text}" for name, text in labelled.items() if text)]


def _asker(row: Row) -> str:
    client = f" through {shown(row['client'])}" if "client" in row else ""
    role = f", role {shown(row['role'])}" if "role" in row else ", no role"
    return f"{shown(row['principal'])}{client}{role}, at {row['askedAt']}"


def _whole(operation: Operation) -> list[str]:
    """A plan as its asker was shown it, and who that was."""
    told = approvals.facts(operation)
    head = f"{operation.id}  {operation.tool}  {told['environment']}  {operation.state}"
    agreed = [f"approved by {one['by']} at {one['at']}" for one in told["approvals"]]
    return [head, f"asked by: {_asker(told)}", *agreed, *plans.lines(told["plan"]), ""]
