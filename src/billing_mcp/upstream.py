"""One call to a vendor: its deadline, its retries, exact numbers both ways, errors of ours.

`Togai` and `Suger` are what a tool gets: a connection bound to one call of one tool.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import anyio
from pydantic import TypeAdapter, ValidationError

from billing_mcp import errors, money, vendor_errors, wire
from billing_mcp.connection import Broken, Connection, Exchange, Unreachable
from billing_mcp.credentials import Environment
from billing_mcp.telemetry import CANCELLED

RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
ATTEMPTS = 8
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
LONGEST_RETRY_AFTER_S = 60
# Neither vendor documents one; these are what the gateways before such APIs send.
REQUEST_ID_HEADERS = ("x-request-id", "x-amzn-requestid", "x-correlation-id")
REQUEST_IDS_KEPT = 20

T = TypeVar("T")
Progress = Callable[[int, int, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor said. `attempts` > 1 means that an earlier try may have been applied."""

    status: int
    body: Any
    attempts: int = 1
    location: str | None = None  # where a redirect leads; it is never followed


@dataclass(slots=True)
class Binding:
    """What the door knows of the call that a handle belongs to."""

    tool: str
    route: str
    writes: bool = False
    dedupes: bool = False
    find_out: str | None = None
    operation_id: str = ""
    operation_given: bool = False
    org_id: str | None = None
    progress: Progress | None = None
    environment: Environment | None = None
    sent: bool = False
    replayed: bool = False
    # Awaited before a request that may change something leaves; what it raises keeps it here.
    before_sending: Callable[[], Awaitable[None]] | None = None
    # An earlier try of this operation may have been applied.
    tried_before: bool = False
    baseline: Any = None
    request_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Failure:
    """One failed attempt: what to raise if it was the last, and whether it may be repeated."""

    error: errors.BillingError
    repeatable: bool
    ambiguous: bool
    retry_after_s: int | None = None


class Handle:
    """A vendor as one call of a tool sees it."""

    vendor: ClassVar[str]
    key_setting: ClassVar[str]

    def __init__(
        self, connection: Connection, binding: Binding, timeout_s: float | None = None
    ) -> None:
        self._connection = connection
        self._binding = binding
        self._timeout_s = connection.timeout_s if timeout_s is None else timeout_s
        self._deadline = anyio.current_time() + self._timeout_s
        binding.environment = connection.environment

    @property
    def tool(self) -> str:
        return self._binding.tool

    @property
    def operation_id(self) -> str:
        """The UUID of this write, the same on every try: what the vendor dedupes by."""
        return self._binding.operation_id

    @property
    def operation_given(self) -> bool:
        """Whether the caller brought the operation id, so that this may be a repeated call."""
        return self._binding.operation_given

    @property
    def tried_before(self) -> bool:
        """Whether an earlier call of this operation may have been applied."""
        return self._binding.tried_before

    @property
    def baseline(self) -> Any:
        """What the vendor had before this write was sent, as far as the tool has it kept."""
        return self._binding.baseline

    def mark_replayed(self) -> None:
        """Say that this write had been done before and that its recorded outcome is the answer."""
        self._binding.replayed = True

    async def progress(self, done: int, total: int, message: str) -> None:
        """Tell the caller how far a long call is, and start the deadline of the next step."""
        self._deadline = anyio.current_time() + self._timeout_s
        if self._binding.progress is not None:
            await self._binding.progress(done, total, message)

    async def fetch(
        self,
        model: type[T],
        *,
        at: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        route: str | None = None,
    ) -> T:
        """One vendor call by the tool's declared route, its answer read as `model`."""
        return self.read(model, await self.send(at=at, query=query, body=body, route=route))

    def read(self, model: type[T], answer: Answer) -> T:
        """Read an answer as `model`.

        Raises `Unavailable`, or `OutcomeUnknown` after a write, when a field has the wrong type:
        the vendor accepted the call, but what it answered is not what its contract says.
        """
        try:
            return _adapter(model).validate_python(answer.body)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "the whole answer"
            cause = (
                f"{self.vendor} answered, but not by its contract ({errors.one_line(where, 80)})"
            )
            raise self._lost(cause) from error

    def refusal(self, answer: Answer, retry_after: int | None = None) -> errors.BillingError:
        """The error of ours that the vendor's refusal means."""
        secret = self._connection.credential.authorization.get_secret_value()
        words = vendor_errors.said(answer.body, secret)
        return vendor_errors.of_status(
            self.vendor, self.key_setting, answer.status, words, retry_after
        )

    async def send(
        self,
        *,
        at: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        route: str | None = None,
        accept: tuple[int, ...] = (),
    ) -> Answer:
        """Send a request and retry it as its nature allows, within the deadline of the call.

        Statuses in `accept` are answers like a success, for tools that can read them. Everything
        else raises one of our errors.
        """
        method, template = (route or self._binding.route).split(" ", 1)
        request = _Request(
            method,
            wire.path(template, at or {}),
            wire.query(query) if query else None,
            None if body is None else money.to_json(body),
            accept,
        )
        reads = method == "GET" or not self._binding.writes
        if not reads and self._binding.before_sending is not None:
            await self._binding.before_sending()
        attempt = _Attempts(reads=reads, repeatable=reads or self._binding.dedupes)
        with anyio.CancelScope(deadline=self._deadline) as scope:
            return await self._attempts(request, attempt)
        assert scope.cancelled_caught
        seconds = f"{self._timeout_s:g} s"
        if attempt.on_the_wire or attempt.ambiguous:
            raise self._lost(f"{self.vendor} did not answer within {seconds}", reads=reads)
        if attempt.last is not None:
            raise attempt.last
        raise errors.Unavailable(
            f"{self.vendor} could not be asked within {seconds}; nothing was sent.",
            next_step="Try again in a minute.",
        )

    async def _attempts(self, request: "_Request", attempt: "_Attempts") -> Answer:
        while True:
            attempt.number += 1
            outcome = await self._once(request, attempt)
            if isinstance(outcome, Answer):
                return outcome
            attempt.last = outcome.error
            attempt.ambiguous |= outcome.ambiguous
            wait = self._wait(outcome, attempt)
            if wait is None:
                if attempt.ambiguous and not attempt.reads:
                    raise self._lost(outcome.error.message)
                raise outcome.error
            await self._connection.sleep(wait)
            self._connection.observer.vendor_asked_again(self.vendor.lower())

    def _wait(self, failure: _Failure, attempt: "_Attempts") -> float | None:
        """Seconds until the next try, or None when this failure is the last word."""
        if not (failure.repeatable and attempt.repeatable) or attempt.number >= ATTEMPTS:
            return None
        backoff = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempt.number - 1))
        wait = backoff * (1 + self._connection.jitter()) / 2
        if failure.retry_after_s is not None:
            if failure.retry_after_s > LONGEST_RETRY_AFTER_S:
                return None
            wait = max(wait, failure.retry_after_s)
        return wait if anyio.current_time() + wait < self._deadline else None

    async def _once(self, request: "_Request", attempt: "_Attempts") -> "Answer | _Failure":
        async with self._connection.limiter:
            # Stays true when the deadline cuts this short: the request may have arrived.
            attempt.on_the_wire = self._binding.sent = True
            told = CANCELLED
            try:
                exchange = await self._connection.exchange(
                    request.method, request.path, request.query, request.content
                )
                told = f"{exchange.status // 100}xx"
            except Unreachable as error:
                told = "unreachable"
                failure = _Failure(
                    errors.Unavailable(
                        f"{self.vendor} cannot be reached ({error}); nothing was sent.",
                        next_step="Check the network and the base URL with `billing-mcp doctor`.",
                    ),
                    repeatable=True,
                    ambiguous=False,
                )
            except Broken as error:
                told = "broken"
                failure = _Failure(
                    errors.Unavailable(
                        f"The connection to {self.vendor} broke ({error}).",
                        next_step="Try again in a minute.",
                    ),
                    repeatable=True,
                    ambiguous=True,
                )
            else:
                attempt.on_the_wire = False
                return self._understand(exchange, request, attempt.number)
            finally:
                self._connection.observer.vendor_asked(self.vendor.lower(), told)
            attempt.on_the_wire = False
            return failure

    def _understand(
        self, exchange: Exchange, request: "_Request", number: int
    ) -> "Answer | _Failure":
        self._connection.emulated = "x-sandbox" in exchange.headers
        self._note_request_id(exchange)
        self._binding.environment = self._connection.environment
        status = exchange.status
        body: Any = None
        readable = exchange.content is not None
        if exchange.content:
            try:
                body = money.from_json(exchange.content)
            except ValueError:
                readable = False
        if readable and (status < 300 or status in request.accept):
            return Answer(status, body, number, self._header(exchange, "location"))
        if status < 400 and exchange.content is None:
            # Asked again it would be as long.
            error = errors.Unavailable(
                f"{self.vendor} answered HTTP {status} with more than can be read.",
                next_step="Ask for less, for example with a smaller pageSize or limit.",
            )
            return _Failure(error, repeatable=False, ambiguous=True)
        if status < 400:
            garbled = f"{self.vendor} answered HTTP {status} with something that is not its JSON."
            return _Failure(
                errors.Unavailable(garbled, next_step="Try again in a minute."),
                repeatable=status < 300,
                ambiguous=True,
            )
        retry_after = _retry_after(exchange.headers.get("retry-after"))
        return _Failure(
            self.refusal(Answer(status, body), retry_after),
            # A status that a tool reads as an answer is not an outage that passes.
            repeatable=status in RETRYABLE and status not in request.accept,
            ambiguous=status in (408, 425) or (status >= 500 and status != 501),
            retry_after_s=retry_after,
        )

    def _note_request_id(self, exchange: Exchange) -> None:
        """Keep what the vendor calls this request, for whoever asks the vendor about it."""
        found = (self._header(exchange, name) for name in REQUEST_ID_HEADERS)
        request_id = next((text for text in found if text), None)
        if request_id is not None and len(self._binding.request_ids) < REQUEST_IDS_KEPT:
            self._binding.request_ids.append(errors.one_line(request_id, 100))

    def _header(self, exchange: Exchange, name: str) -> str | None:
        """A header that is shown or kept: never with our key, whatever the vendor repeats."""
        text = exchange.headers.get(name)
        secret = self._connection.credential.authorization.get_secret_value()
        return None if text is None else vendor_errors.without(secret, text)

    def _lost(self, cause: str, *, reads: bool = False) -> errors.BillingError:
        """What to raise when an answer that should be there is not."""
        binding = self._binding
        cause = cause.rstrip(".")
        if reads or not binding.writes:
            return errors.Unavailable(f"{cause}.", next_step="Try again in a minute.")
        lost = f"{cause}. Whether this write was applied is not known."
        if binding.dedupes:
            return errors.OutcomeUnknown(
                lost,
                next_step=f"Call {binding.tool} again with operationId {binding.operation_id} and "
                "the same arguments: it cannot be applied twice.",
            )
        return errors.OutcomeUnknown(lost, next_step=look_first(binding))


@dataclass(frozen=True, slots=True)
class _Request:
    """What is sent, the same at every try."""

    method: str
    path: str
    query: Mapping[str, str] | None
    content: bytes | None
    accept: tuple[int, ...]


@dataclass(slots=True)
class _Attempts:
    """How far the tries of one request have come."""

    reads: bool
    repeatable: bool
    number: int = 0
    on_the_wire: bool = False
    ambiguous: bool = False
    last: errors.BillingError | None = None


def look_first(binding: Binding) -> str:
    """What to do after a write that the vendor does not dedupe may have been applied."""
    return (
        f"Do not repeat it before you know: {binding.find_out}. Called again with operationId "
        f"{binding.operation_id} and the same arguments, {binding.tool} looks there first and is "
        "not applied twice."
    )


class Togai(Handle):
    vendor = "Togai"
    key_setting = "TOGAI_API_KEY"


class Suger(Handle):
    vendor = "Suger"
    key_setting = "SUGER_API_KEY"

    def org(self, org_id: str | None) -> str:
        """The organisation of this call: the argument, else the tenant's own.

        Raises `NotConfigured` when neither is there.
        """
        org = org_id or self._binding.org_id
        if org is None:
            raise errors.NotConfigured(
                "Which Suger organisation is meant is not known.",
                field="orgId",
                next_step="Give orgId, or set SUGER_ORG_ID for this server.",
            )
        return org


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(model: type[T]) -> TypeAdapter[T]:
    if model not in _ADAPTERS:
        _ADAPTERS[model] = TypeAdapter(model)
    return _ADAPTERS[model]


def _retry_after(text: str | None) -> int | None:
    """Seconds of a `Retry-After` header; the date form is not worth trusting a clock for."""
    return int(text) if text is not None and re.fullmatch(r"\d{1,6}", text.strip()) else None
