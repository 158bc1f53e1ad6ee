"""One call to a vendor: deadline, bounded concurrency, retries, exact numbers, errors of ours.

`Connection` is a vendor of a tenant and lives as long as the server. `Togai` and `Suger` are what a
tool gets: the same connection, bound to one call of one tool.
"""

import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import anyio
import httpx2
from pydantic import TypeAdapter, ValidationError

from billing_mcp import __version__, errors, money, vendor_errors, wire
from billing_mcp.config import Credential, Environment

RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
ATTEMPTS = 8
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
LONGEST_RETRY_AFTER_S = 60
CONNECT_TIMEOUT_S = 5
ANSWER_LIMIT_BYTES = 32 * 1024 * 1024

T = TypeVar("T")
Progress = Callable[[int, int, str], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor said. `attempts` > 1 means that an earlier try may have been applied."""

    status: int
    body: Any
    attempts: int = 1


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


@dataclass(frozen=True, slots=True)
class _Failure:
    """One failed attempt: what to raise if it was the last, and whether it may be repeated."""

    error: errors.BillingError
    repeatable: bool
    ambiguous: bool
    retry_after_s: int | None = None


@dataclass(slots=True)
class Connection:
    """A vendor of a tenant: one pool of connections, its credential and its limits.

    `application` is an embedded vendor (an ASGI app) that is called instead of the network.
    `sleep` and `jitter` (0..1) are injected so that tests need neither time nor luck.
    """

    credential: Credential
    timeout_s: float
    concurrency: int
    application: Application | None = None
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    jitter: Callable[[], float] = random.random
    _client: httpx2.AsyncClient | None = field(default=None, init=False)
    _limiter: anyio.CapacityLimiter | None = field(default=None, init=False)

    @property
    def environment(self) -> Environment:
        return "sandbox" if self.application else self.credential.environment

    @property
    def client(self) -> httpx2.AsyncClient:
        if self._client is None:
            most = self.concurrency
            self._client = httpx2.AsyncClient(
                headers={
                    "authorization": self.credential.authorization.get_secret_value(),
                    "accept": "application/json",
                    "user-agent": f"billing-mcp/{__version__}",
                },
                limits=httpx2.Limits(max_connections=most, max_keepalive_connections=most),
                # The deadline of the call bounds everything; a connection has less.
                timeout=httpx2.Timeout(self.timeout_s, connect=CONNECT_TIMEOUT_S),
                transport=self.application and httpx2.ASGITransport(self.application),
                trust_env=self.application is None,
            )
        return self._client

    @property
    def limiter(self) -> anyio.CapacityLimiter:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self.concurrency)
        return self._limiter

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


class Handle:
    """A vendor as one call of a tool sees it."""

    vendor: ClassVar[str]
    key_setting: ClassVar[str]

    def __init__(self, connection: Connection, binding: Binding) -> None:
        self._connection = connection
        self._binding = binding
        self._deadline = anyio.current_time() + connection.timeout_s
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

    def adopt(self, key: str) -> None:
        """Let the vendor's key that the caller brought be this write's operation id."""
        self._binding.operation_id, self._binding.operation_given = key, True

    def mark_replayed(self) -> None:
        """Say that this write had been done before and that its recorded outcome is the answer."""
        self._binding.replayed = True

    async def progress(self, done: int, total: int, message: str) -> None:
        """Tell the caller how far a long call is, and start the deadline of the next step."""
        self._deadline = anyio.current_time() + self._connection.timeout_s
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
        content = None if body is None else money.to_json(body)
        request = self._connection.client.build_request(
            method,
            self._connection.credential.base_url + wire.path(template, at or {}),
            params=wire.query(query or {}),
            content=content,
            headers={} if content is None else {"content-type": "application/json"},
        )
        reads = method == "GET" or not self._binding.writes
        attempt = _Attempts(reads=reads, repeatable=reads or self._binding.dedupes)
        with anyio.CancelScope(deadline=self._deadline) as scope:
            return await self._attempts(request, attempt, accept)
        assert scope.cancelled_caught
        seconds = f"{self._connection.timeout_s:g} s"
        if attempt.on_the_wire or attempt.ambiguous:
            raise self._lost(f"{self.vendor} did not answer within {seconds}", reads=reads)
        if attempt.last is not None:
            raise attempt.last
        raise errors.Unavailable(
            f"{self.vendor} could not be asked within {seconds}; nothing was sent.",
            next_step="Try again in a minute.",
        )

    async def _attempts(
        self, request: httpx2.Request, attempt: "_Attempts", accept: tuple[int, ...]
    ) -> Answer:
        while True:
            attempt.number += 1
            outcome = await self._once(request, attempt, accept)
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

    async def _once(
        self, request: httpx2.Request, attempt: "_Attempts", accept: tuple[int, ...]
    ) -> "Answer | _Failure":
        async with self._connection.limiter:
            attempt.on_the_wire = self._binding.sent = True
            try:
                response = await self._connection.client.send(request, stream=True)
                try:
                    content = await _bounded(response)
                finally:
                    await response.aclose()
            except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
                return self._unreachable(error)
            except (httpx2.TransportError, httpx2.DecodingError, OSError) as error:
                broken = f"The connection to {self.vendor} broke ({type(error).__name__})."
                return _Failure(
                    errors.Unavailable(broken, next_step="Try again in a minute."),
                    repeatable=True,
                    ambiguous=True,
                )
            finally:
                attempt.on_the_wire = False
        if "x-sandbox" in response.headers:
            self._binding.environment = "sandbox"
        return self._understand(response, content, attempt.number, accept)

    def _unreachable(self, error: Exception) -> _Failure:
        return _Failure(
            errors.Unavailable(
                f"{self.vendor} cannot be reached ({type(error).__name__}); nothing was sent.",
                next_step="Check the network and the base URL: `billing-mcp doctor` tells more.",
            ),
            repeatable=True,
            ambiguous=False,
        )

    def _understand(
        self, response: httpx2.Response, content: bytes | None, number: int, accept: tuple[int, ...]
    ) -> "Answer | _Failure":
        status = response.status_code
        body: Any = None
        readable = content is not None
        if content:
            try:
                body = money.from_json(content)
            except ValueError:
                readable = False
        if readable and (status < 300 or status in accept):
            return Answer(status, body, number)
        retry_after = _retry_after(response.headers.get("retry-after"))
        if status < 400:
            garbled = f"{self.vendor} answered HTTP {status} with something that is not its JSON."
            return _Failure(
                errors.Unavailable(garbled, next_step="Try again in a minute."),
                repeatable=status < 300,
                ambiguous=True,
            )
        return _Failure(
            self.refusal(Answer(status, body), retry_after),
            repeatable=status in RETRYABLE,
            ambiguous=status in (408, 425) or (status >= 500 and status != 501),
            retry_after_s=retry_after,
        )

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
        return errors.OutcomeUnknown(
            lost, next_step=f"Do not repeat it before you know: {binding.find_out}."
        )


@dataclass(slots=True)
class _Attempts:
    """How far the tries of one request have come."""

    reads: bool
    repeatable: bool
    number: int = 0
    on_the_wire: bool = False
    ambiguous: bool = False
    last: errors.BillingError | None = None


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


async def _bounded(response: httpx2.Response) -> bytes | None:
    """The body, or None when it is longer than any true answer."""
    pieces = []
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > ANSWER_LIMIT_BYTES:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _retry_after(text: str | None) -> int | None:
    """Seconds of a `Retry-After` header; the date form is not worth trusting a clock for."""
    return int(text) if text is not None and re.fullmatch(r"\d{1,6}", text.strip()) else None
