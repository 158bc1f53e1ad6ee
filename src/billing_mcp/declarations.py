"""How a tool is declared: hints, route, facts of a write, and the toolset that records it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True, slots=True)
class Applied:
    """The write is there. `answer` is what the tool would have answered, as it is now."""

    answer: Any


@dataclass(frozen=True, slots=True)
class NotApplied:
    """The write is not there: it was never done, or something has undone or replaced it since."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """The vendor offers no way to tell. `look_at` says where a person may look and for what;
    `next_step` what to do, where that is not to ask again later."""

    look_at: str
    retry_after_s: int | None = None
    next_step: str | None = None


Verdict = Applied | NotApplied | Undecided
Reconcile = Callable[[Any, Mapping[str, Any]], Awaitable[Verdict]]
"""Finds out by reading what became of a write whose answer was lost.

It is given the vendor's handle, which knows the operation id and the baseline, and the arguments as
JSON values and Decimals: those that the ledger keeps, without secrets and personal data, or all of
them where the caller has come again with the call. It never writes. Raises our errors when the
vendor cannot be read.
"""


Baseline = Callable[[Any, Mapping[str, Any]], Awaitable[Any]]
"""Reads what the vendor has just before a write is sent, so that `reconcile` can tell the write's
trace from what was there: as little as that takes, in JSON, for the ledger keeps it.

It is given the vendor's handle and the validated arguments; None says that nothing there would
help. It never writes. Raises our errors: then nothing is sent.
"""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a write would do, found out by reading: what its plan says of it.

    `sentence` says it in our words; texts that others wrote stand in it quoted, on one line.
    `before` and `after` are the same things as they are and as they would be, as JSON values and
    Decimals (None: not there). `undo` says what takes it back, None that nothing does. What
    `provided` says must still be so when the plan is committed, or the plan is void: put there
    what would make the effect another one, not all that may change.
    """

    sentence: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    undo: str | None = None
    provided: Mapping[str, Any] = field(default_factory=dict)


Preview = Callable[[Any, Mapping[str, Any]], Awaitable[Effect]]
"""Finds out by reading what a write would do to the vendor's present state.

It is given the vendor's handle and the validated arguments. It never writes. Raises our errors for
what the vendor would refuse as far as reading shows: no such thing, a state that forbids it.
"""


@dataclass(frozen=True, slots=True)
class Stake:
    """Whom a write affects and what an amount in it is: what a policy has to know of it.

    `customers` are the ids of customers and accounts, empty when it is about none in particular,
    None when they cannot be found out. `customer` is whose day an amount counts for.
    """

    customers: frozenset[str] | None
    customer: str | None = None
    currency: str | None = None


FindStake = Callable[[Any, Mapping[str, Any]], Awaitable[Stake]]
"""Finds out by reading, from the handle and the validated arguments. It may depend on nothing but
the arguments that name the target, because the answer is kept for a while."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What calling a tool may do to the world; all four hints are always sent."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool = False

    def facts(self) -> dict[str, bool]:
        return {
            "readOnly": self.read_only,
            "destructive": self.destructive,
            "idempotent": self.idempotent,
            "openWorld": self.open_world,
        }


READ = Hints(read_only=True, destructive=False, idempotent=True)
CHECK = Hints(read_only=True, destructive=False, idempotent=False)
CREATE = Hints(read_only=False, destructive=False, idempotent=False)
UPDATE = Hints(read_only=False, destructive=False, idempotent=True)
DELETE = Hints(read_only=False, destructive=True, idempotent=True)
ANY_WRITE = Hints(read_only=False, destructive=True, idempotent=False)


@dataclass(frozen=True, slots=True)
class Write:
    """Facts of a write that retries, the guard and reconciliation go by.

    `key` is the vendor's field that dedupes it (None: one attempt, never repeated), `target` the
    argument that says who is affected and `amount` the one that is money given to them; `stake`
    finds out whose and of which currency. `find_out` is what to do when an answer was lost and
    `reconcile` how this server does it, with the `baseline` if that takes one; `preview` finds out
    what it would do. `own_id` finds the operation id in the arguments where a caller may bring the
    vendor's key there; `is_partial` says of a result that some of its items were not done.
    """

    find_out: str
    reconcile: Reconcile
    preview: Preview
    stake: FindStake
    baseline: Baseline | None = None
    key: str | None = None
    target: str | None = None
    amount: str | None = None
    own_id: Callable[[Mapping[str, Any]], str | None] | None = None
    is_partial: Callable[[Any], bool] | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """A tool as it was declared."""

    name: str
    title: str
    function: Callable[..., Awaitable[Any]]
    hints: Hints
    route: str | None
    write: Write | None
    short_form: Mapping[str, str] | None

    @property
    def description(self) -> str:
        """The function's docstring: the text a model reads, its line breaks removed."""
        return " ".join((self.function.__doc__ or "").split())


@dataclass(frozen=True, slots=True)
class Toolset:
    """Records the tools of a module under the name of their toolset."""

    name: str
    declarations: dict[str, Declaration] = field(default_factory=dict)

    def tool(
        self,
        hints: Hints,
        route: str | None = None,
        *,
        title: str | None = None,
        write: Write | None = None,
        short_form: Mapping[str, str] | None = None,
    ) -> Callable[[Function], Function]:
        """Record a tool and hand its function back unchanged.

        `route` is the vendor's operation ("GET /customers/{customer_id}"); a tool that runs other
        tools has none. `short_form` is for an
        argument that is published open and validated in full: for each part of it the one-line
        shape that an error about that part shows.
        """

        def declare(function: Function) -> Function:
            name = function.__name__.replace("_", "-")
            self.declarations[name] = Declaration(
                name,
                title or name.replace("-", " ").capitalize(),
                function,
                hints,
                route,
                write,
                short_form,
            )
            return function

        return declare
