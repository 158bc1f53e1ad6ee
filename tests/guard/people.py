"""A person at a client that shows forms: what they are asked, and what they answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from mcp.types import ElicitResult, ErrorData

from billing_mcp.guard.operations import Filters, Operation, State
from guard.guarded import Guarded

# Above the ceiling of 100 a call that holds without a policy.
GRANT = {"accountId": "harbor-main", "creditAmount": "150", "effectiveFrom": "2026-11-20"}


def accepts(**content: Any) -> ElicitResult:
    """The form, sent with this in it."""
    return ElicitResult(action="accept", content=content)


APPROVES = accepts(decision="approve")
DENIES = accepts(decision="deny", why="This customer has left")
DECLINES = ElicitResult(action="decline")
CANCELS = ElicitResult(action="cancel")


@dataclass(slots=True)
class Person:
    """Gives the next of their answers, and the last one for ever. `meanwhile` happens once, while
    they think."""

    answers: list[ElicitResult | ErrorData]
    meanwhile: Callable[[], Awaitable[None]] | None = None
    questions: list[str] = field(default_factory=list)
    forms: list[Any] = field(default_factory=list)

    @classmethod
    def who(cls, *answers: ElicitResult | ErrorData) -> "Person":
        return cls(list(answers))

    async def __call__(self, context: Any, params: Any) -> ElicitResult | ErrorData:
        _ = context
        self.questions.append(params.message)
        self.forms.append(params.requested_schema)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def plans(at: Guarded, *states: State) -> list[Operation]:
    """The operations that were planned, the newest first; only those in these states, if given."""
    gate = await at.gate()
    rows = (await gate.ledger.list(gate.partition, Filters())).operations
    return [row for row in rows if row.plan is not None and (not states or row.state in states)]
