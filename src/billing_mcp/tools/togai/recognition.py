"""How a write whose answer was lost is recognised in what the vendor has, and whom it concerns."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from billing_mcp.declarations import Applied, NotApplied, Stake, Undecided, Verdict
from billing_mcp.errors import Conflict
from billing_mcp.results import Result, values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.upstream import Togai


class Done(Result):
    """All that the vendor answers to many writes."""

    success: bool


class Named(Result):
    """What has an id that the vendor gave and a name that the caller chose."""

    id: str
    name: str


Thing = TypeVar("Thing", bound=Named)
DONE = Applied(Done(success=True))


async def by_name(
    found: AsyncIterator[Thing], asked: Mapping[str, Any], noun: str, shown_by: str
) -> Verdict:
    """What is new is recognised by its name and all that was asked of it.

    `found` are all that there are; the vendor's names are unique among those it shows.
    """
    same_name = [thing async for thing in found if thing.name == asked["name"]]
    if not same_name:
        return NotApplied()
    fitting = [thing for thing in same_name if holds(values(thing), asked)]
    if len(same_name) == len(fitting) == 1:
        return Applied(fitting[0])
    ids = ", ".join(thing.id for thing in same_name)
    return Undecided(
        f"there is a {noun} of that name ({ids}), but not one that is surely of this call; "
        f"{shown_by} shows it"
    )


async def require_free_name(
    found: AsyncIterator[Thing], name: str, noun: str, shown_by: str
) -> None:
    """Raises `Conflict` when one of those there are has the name."""
    async for thing in found:
        if thing.name == name:
            raise Conflict(
                f"There is a {noun} of that name already, {wording.identified(thing.id)}.",
                field="name",
                next_step=f"Choose another name; {shown_by} shows the one there is.",
            )


def require_same(togai: Togai, found: Result, wanted: Mapping[str, Any], noun: str) -> None:
    """What the vendor answers to a key that it knows already must not pass for what is asked now.

    Raises `Conflict`.
    """
    if togai.operation_given and not holds(values(found), wanted):
        raise Conflict(
            f"operationId {togai.operation_id} was already used for another {noun}; nothing was "
            "done now.",
            field="operationId",
            next_step=f"Leave operationId out for a new {noun}.",
        )


def in_force(found: Result, wanted: Any) -> Verdict:
    """Whether a thing is as a change would have made it."""
    return Applied(found) if holds(values(found), wanted) else NotApplied()


def changed(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Which of the fields that are given are not so already."""
    return [
        name
        for name, value in wanted.items()
        if value is not None and not holds(before.get(name), value)
    ]


async def nobody(_: Any, __: Mapping[str, Any]) -> Stake:
    """It concerns no customer: a draft, or what plans are made of."""
    return Stake(frozenset())


async def anybody(_: Any, __: Mapping[str, Any]) -> Stake:
    """Whoever has the plan: the vendor does not list the accounts of one."""
    return Stake(None)
