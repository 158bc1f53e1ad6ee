"""One call of one tool: its binding, its validated arguments, and its answer in the envelope."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from billing_mcp import errors, results, tools
from billing_mcp.credentials import Environment, Vendor
from billing_mcp.declarations import Declaration, Effect, Stake, Undecided, Verdict, Write
from billing_mcp.guard.arguments import whole
from billing_mcp.guard.runs import Performed
from billing_mcp.params import FOUND_BY, uuid_of
from billing_mcp.results import Detail, Envelope, Outcome
from billing_mcp.shapes import Shape
from billing_mcp.tenants import Caller, Tenant
from billing_mcp.upstream import Binding, look_first
from billing_mcp.validation import invalid_arguments

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Built:
    """A tool that can be called."""

    declaration: Declaration
    shape: Shape

    @property
    def vendor(self) -> Vendor | None:
        return tools.vendor_of(self.declaration.name)

    def binding(self, tenant: Tenant, operation_id: str = "") -> Binding:
        """What a vendor's handle knows of a call of this tool."""
        write = self.declaration.write
        return Binding(
            tool=self.declaration.name,
            route=self.declaration.route or "",
            writes=write is not None,
            dedupes=write is not None and write.key is not None,
            find_out=None if write is None else write.find_out,
            operation_id=operation_id,
            org_id=tenant.settings.organisation,
        )

    def handle(self, tenant: Tenant, binding: Binding) -> Any:
        """The vendor for one call. Raises `NotConfigured` when the tenant has no key for it."""
        vendor = self.vendor
        assert vendor is not None
        return self.shape.handle(tenant.connection(vendor), binding)


@dataclass(slots=True)
class Question:
    """A write that was once asked for, and how to ask the vendor what became of it."""

    built: Built
    tenant: Tenant
    binding: Binding
    detail: Detail = field(default="concise", init=False)
    given: dict[str, Any] = field(default_factory=dict, init=False)
    whole: bool = False

    async def ask(self, kept: Mapping[str, Any], baseline: Any) -> Verdict:
        """Only reads are sent, whatever the tool is. Raises our errors."""
        write = self.built.declaration.write
        if write is None:
            return Undecided("this version of the server does not write by that tool")
        binding = self._reading()
        binding.baseline = baseline
        verdict = await write.reconcile(self.built.handle(self.tenant, binding), kept)
        self.binding.environment = binding.environment
        return verdict

    def _reading(self) -> Binding:
        """What a handle knows that is only read with, for the sake of this write."""
        binding = self.built.binding(self.tenant, self.binding.operation_id)
        binding.writes = False
        return binding

    def answered(self, answer: Any) -> Outcome:
        if isinstance(answer, Outcome):
            return answer
        return results.success(
            answer,
            self.detail,
            self._envelope(),
            self.given,
            self.tenant.name,
            whole=self.whole,
        )

    def failed(self, error: errors.BillingError) -> Outcome:
        return results.failure(error, self._envelope())

    def _envelope(self) -> Envelope:
        binding = self.binding
        environment: Environment = binding.environment or self.tenant.environment(self.built.vendor)
        return Envelope(environment, binding.operation_id or None, binding.replayed)


@dataclass(slots=True)
class ToolCall(Question):
    """A call on its way. Every failure of it ends in an outcome, never in an exception."""

    caller: Caller = field(kw_only=True)
    raw: Mapping[str, Any] = field(kw_only=True)
    # What a tool without a vendor works with.
    door: Any = field(kw_only=True)
    dry_run: bool = field(default=False, init=False)
    _skipped: int = field(default=0, init=False)

    @classmethod
    def of(
        cls, built: Built, raw: Mapping[str, Any], caller: Caller, door: Any, *, whole: bool
    ) -> "ToolCall":
        operation_id = ""
        if built.declaration.write is not None:
            operation_id = _operation_id(raw.get("operationId"))
        binding = built.binding(caller.tenant, operation_id)
        binding.progress = caller.progress
        return cls(built, caller.tenant, binding, whole, caller=caller, raw=raw, door=door)

    @property
    def tool(self) -> str:
        return self.built.declaration.name

    @property
    def write(self) -> Write:
        assert self.built.declaration.write is not None
        return self.built.declaration.write

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.given

    @property
    def principal(self) -> str:
        return self.caller.principal

    @property
    def client(self) -> str | None:
        return self.caller.client

    @property
    def role(self) -> str | None:
        return self.caller.role

    @property
    def destructive(self) -> bool:
        return self.built.declaration.hints.destructive

    async def ask(self, _: Mapping[str, Any], baseline: Any) -> Verdict:
        """By the call itself, which has the personal data that the ledger does not keep."""
        return await Question.ask(self, whole(self.given), baseline)

    async def stake(self) -> Stake:
        return await self.write.stake(self.built.handle(self.tenant, self._reading()), self.given)

    async def preview(self) -> Effect:
        return await self.write.preview(self.built.handle(self.tenant, self._reading()), self.given)

    async def baseline(self) -> Any:
        if self.write.baseline is None:
            return None
        handle = self.built.handle(self.tenant, self._reading())
        return await self.write.baseline(handle, self.given)

    def validate(self) -> None:
        """Raises `InvalidRequest` for all that is wrong with the arguments."""
        declaration, shape, binding = self.built.declaration, self.built.shape, self.binding
        try:
            given = shape.validate(self.raw)
        except ValidationError as error:
            raise invalid_arguments(
                declaration.name, shape.arguments, error, declaration.short_form
            ) from error
        self.detail = given.pop("detail", "concise")
        if declaration.write is not None:
            binding.operation_given = given.pop("operationId") is not None
            self.dry_run = given.pop("dryRun")
        self.given = given
        own_id = declaration.write and declaration.write.own_id
        if own_id and not binding.operation_given and (brought := own_id(given)) is not None:
            # The vendor's key that the caller brought is the operation's id.
            binding.operation_id, binding.operation_given = brought, True

    async def perform(self) -> Performed:
        try:
            result = await self._result()
            return Performed(self.answered(result), result)
        except errors.BillingError as error:
            return Performed(self.failed(error), error=error)
        # The boundary of the server: whatever went wrong inside is logged here, once, and its text
        # stays here, because only sentences that we wrote may reach a model.
        except Exception:
            logger.exception("%s crashed", self.tool)
            return self.crashed()

    async def _result(self) -> results.Result | Outcome:
        passed = dict(self.given)
        if "nextToken" in passed:
            self._skipped, passed["nextToken"] = results.resumed(self.given, self.tenant.name)
        handle = self.door
        if self.built.vendor is not None:
            handle = self.built.handle(self.tenant, self.binding)
        result = await self.built.declaration.function(handle, **passed)
        if isinstance(result, results.TokenPage):
            return result.after(self._skipped)
        assert isinstance(result, results.Result | Outcome)
        return result

    def crashed(self) -> Performed:
        """What its caller is told of a defect: nothing of its inside."""
        crash = self._crash()
        return Performed(self.failed(crash), error=crash)

    def failed(self, error: errors.BillingError) -> Outcome:
        _point_to_ids(error, self.raw)
        return results.failure(error, self._envelope())

    def _crash(self) -> errors.BillingError:
        """A crash after the request may have left is not a failure we can vouch for."""
        if self.binding.sent and self.built.declaration.write is not None:
            return errors.OutcomeUnknown(
                f"{self.tool} broke inside this server; whether the write was applied is not "
                "known.",
                next_step=look_first(self.binding),
            )
        return errors.Unavailable(
            f"{self.tool} broke inside this server.",
            next_step="This is a defect of the server, not of the arguments; its log has the "
            "details.",
        )


def _operation_id(given: object) -> str:
    """The caller's id if it is one, else a new one: an error of a write has an id as well."""
    return uuid_of(given) or str(uuid4())


def _point_to_ids(error: errors.BillingError, arguments: Mapping[str, Any]) -> None:
    """Tell which tool shows the ids, when the vendor knows no such thing."""
    if isinstance(error, errors.NotFound) and error.next_step is None:
        for name in reversed(list(arguments)):
            if name in FOUND_BY:
                error.field = name
                also = " Check orgId as well." if arguments.get("orgId") else ""
                error.next_step = f"Check {name}; {FOUND_BY[name]} shows those there are.{also}"
                return
        if arguments.get("orgId"):
            error.field = "orgId"
            error.next_step = "Check orgId; without it the organisation of this server is meant."
