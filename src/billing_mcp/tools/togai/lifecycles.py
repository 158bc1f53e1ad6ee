"""What writes to a thing with a status have in common: changed, brought to a status, archived."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from billing_mcp import errors
from billing_mcp.declarations import (
    Applied,
    Effect,
    NotApplied,
    Preview,
    Reconcile,
    Undecided,
    Verdict,
)
from billing_mcp.results import Result, values
from billing_mcp.sameness import holds, is_taken_out
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition
from billing_mcp.upstream import Togai
from billing_mcp.wire import json_value

Thing = TypeVar("Thing", bound=Result)

ARCHIVED = "ARCHIVED"


def required(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A change as it is sent. Raises `InvalidRequest` when nothing is to be changed."""
    if not body:
        raise errors.InvalidRequest(
            "No field to change is given; nothing was sent.",
            next_step="Give each field that is to have another value.",
        )
    return body


@dataclass(frozen=True, slots=True)
class Kind(Generic[Thing]):
    """One kind of thing that Togai keeps: how it is found, and how a plan speaks of it.

    `find` raises `NotFound`. `argument` says which thing is meant, `shown_by` and `listed_by` are
    the tools that show it and those there are. `personal` fields never stand in a plan.
    """

    find: Callable[[Togai, Mapping[str, Any]], Awaitable[Thing]]
    called: Callable[[Thing], str]
    argument: str
    shown_by: str
    listed_by: str
    personal: frozenset[str] = frozenset()
    seen: Callable[[Thing], Mapping[str, Any]] = values  # what is compared with a change

    async def open(self, togai: Togai, asked: Mapping[str, Any]) -> tuple[Thing, str]:
        """The thing and what a plan calls it. Raises `Conflict` for one that is archived."""
        thing = await self.find(togai, asked)
        called = self.called(thing)
        if _status(thing) == ARCHIVED:
            raise self._wrong(f"The {called} is ARCHIVED, and stays so.")
        return thing, called

    def _wrong(self, sentence: str) -> errors.Conflict:
        return errors.Conflict(
            sentence, field=self.argument, next_step=f"{self.listed_by} shows those there are."
        )

    def updated(self, *fields: str) -> Reconcile:
        """Whether these fields are as a change would have made them."""

        async def reconcile(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
            thing = await self.find(togai, asked)
            wanted = {name: asked.get(name) for name in fields}
            if not holds(self.seen(thing), wanted):
                return NotApplied()
            if is_taken_out(wanted):
                return Undecided(
                    "what this server keeps of the call has no personal data to compare with; "
                    f"{self.shown_by} shows it as it is now"
                )
            return Applied(thing)

        return reconcile

    def would_change(self, *fields: str, follows: str = "") -> Preview:
        """What a change of these fields would do. `follows` ends its sentence."""

        async def preview(togai: Togai, asked: Mapping[str, Any]) -> Effect:
            wanted = {name: asked[name] for name in fields if asked[name] is not None}
            required(wanted)
            thing, called = await self.open(togai, asked)
            now = self.seen(thing)
            shown = [name for name in wanted if name not in self.personal]
            after = {name: json_value(wanted[name]) for name in shown}
            before = {name: now.get(name) for name in shown}
            told = [_told(name, before.get(name), after.get(name)) for name in wanted]
            if shown == list(wanted) and holds(now, after):
                sentence = f"Leaves the {called} as it is: it has all of this already."
            else:
                sentence = f"Changes the {called}: {'; '.join(told)}{follows}."
            restorable = shown == list(wanted) and None not in before.values()
            undo = f"{togai.tool} with what it has now." if restorable else None
            return Effect(sentence, before, after, undo, before)

        return preview

    def brought_to(self, status: str) -> Reconcile:
        """Whether it has the status."""

        async def reconcile(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
            thing = await self.find(togai, asked)
            return Applied(thing) if _status(thing) == status else NotApplied()

        return reconcile

    def would_become(
        self, status: str, follows: str, *, after: tuple[str, ...], undo: str | None = None
    ) -> Preview:
        """What a status would do, which only the statuses `after` lead to."""

        async def preview(togai: Togai, asked: Mapping[str, Any]) -> Effect:
            thing, called = await self.open(togai, asked)
            now = _status(thing)
            if now == status:
                return Effect(f"Leaves the {called} as it is: it is {status} already.")
            if now is not None and now not in after:
                raise self._wrong(f"The {called} is {wording.identified(now)}, not {after[0]}.")
            before = {"status": now}
            sentence = f"Makes the {called} {status}: {follows}."
            return Effect(sentence, before, {"status": status}, undo, before)

        return preview

    def archived(self) -> Reconcile:
        """Whether it is gone, which the vendor shows as ARCHIVED or not at all."""

        async def reconcile(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
            try:
                thing = await self.find(togai, asked)
            except errors.NotFound:
                return recognition.DONE
            return recognition.DONE if _status(thing) == ARCHIVED else NotApplied()

        return reconcile

    def would_archive(self, follows: str) -> Preview:
        """What archiving it would do; nothing takes it back."""

        async def preview(togai: Togai, asked: Mapping[str, Any]) -> Effect:
            thing, called = await self.open(togai, asked)
            before = {"status": _status(thing)}
            return Effect(
                f"Archives the {called} for good: {follows}.",
                before,
                {"status": ARCHIVED},
                provided=before,
            )

        return preview


def _status(thing: Result) -> str | None:
    found = values(thing).get("status")
    return None if found is None else str(found)


def _told(name: str, before: Any, after: Any) -> str:
    """One field of a change: short texts and numbers as they are, the rest by its name."""
    if after is None or isinstance(after, dict | list):
        return f"{'other' if name.endswith('s') and name != 'address' else 'another'} {name}"
    if before is None:
        return f"{name} {wording.value(after)}"
    return f"{name} {wording.value(after)} instead of {wording.value(before)}"
