"""What becomes of one write at a vendor that fails from some request on.

An ordeal is a write that is struck by a fault, and then repeated with its id, as the errors say,
until it is decided. Whatever happens, the company is as it was or as one clean write leaves it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.types import CallToolResult

from faults.company_states import Copied, Picture, differences
from world import OPERATION

OTHER = "0b8c6a52-7d3c-4f0e-8a43-5d1f0c9b2e11"
# Longest until a call gives up on a vendor that says nothing, in seconds; others take milliseconds.
PATIENCE_S = 0.2
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "reset-before": {"mode": "reset-before"},
    "reset-after": {"mode": "reset-after"},
    "truncate": {"mode": "truncate"},
    "garbage": {"mode": "garbage"},
    "429": {"mode": "status", "status": 429, "retryAfter": 3600},
    "500": {"mode": "status", "status": 500},
    "502": {"mode": "status", "status": 502},
    "stall": {"mode": "delay", "seconds": 3600},
}
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")
# No vendor is at a request for longer than this many tries look for it.
TRIES = 5
PASSING = frozenset({"outcome-unknown", "unavailable", "rate-limited"})


@dataclass(slots=True)
class End:
    """How an ordeal ended: whether the fault struck at all, the last answer's kind (`ok` for one
    that is no error), and what was told or done that must not be."""

    struck: bool = True
    kind: str = ""
    wrongs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Write:
    """A write on a copy of the company, and how that looks before it and after one clean run."""

    at: Copied
    tool: str
    before: Picture
    after: Picture

    @classmethod
    async def of(cls, at: Copied, tool: str) -> "Write":
        await at.begin_again()
        before = at.picture()
        result = await called(at, tool, OPERATION)
        assert result == ("ok", "")
        return cls(at, tool, before, at.picture())

    async def ordeal(self, name: str, **aim: Any) -> End:
        """Strike the write with a fault of `FAULTS`, aimed as the sandbox's control lets one."""
        patience = PATIENCE_S if name == "stall" else None
        return await self._pursued([{**FAULTS[name], **aim}], patience)

    async def loss(self, name: str) -> End:
        """Strike the request that writes."""
        return await self._pursued(striking_writes(name))

    async def _pursued(self, faults: list[dict[str, Any]], patience: float | None = None) -> End:
        at, end = self.at, End()
        await at.begin_again()
        at.sandbox.faults.replace(faults)
        if patience is not None:
            _set_patience(at, patience)
        for turn in range(TRIES):
            end.kind, words = await called(at, self.tool, OPERATION)
            if turn == 0:
                end.struck = any(fault["fired"] for fault in at.sandbox.faults.shown())
                at.sandbox.faults.clear()
                _set_patience(at, at.server.catalog.settings.upstream_timeout)
            self._judge(end, words)
            if end.wrongs or end.kind not in PASSING:
                break
            at.time.pass_by()
        return end

    def _judge(self, end: End, words: str) -> None:
        seen = self.at.picture()
        if seen not in (self.before, self.after):
            end.wrongs.append(f"left in between: {differences(self.after, seen)}")
        elif end.kind == "ok" and seen != self.after:
            end.wrongs.append("called done, and it is not")
        elif end.kind not in {"ok", "outcome-unknown"} and seen != self.before:
            end.wrongs.append(f"called not done, and it is: {words}")


@dataclass(frozen=True, slots=True)
class Pair:
    """A write and an equal one of somebody else: what is kept after the other's, and after that
    and ours. The effects are left out, because writing again what is there already harms nobody."""

    at: Copied
    tool: str
    other: Picture
    both: Picture

    @classmethod
    async def of(cls, at: Copied, tool: str) -> "Pair | None":
        """None for a tool whose second call is refused, or changes nothing."""
        await at.begin_again()
        await called(at, tool, OTHER)
        other = kept(at)
        kind, _ = await called(at, tool, OPERATION)
        both = kept(at)
        return None if kind != "ok" or both == other else cls(at, tool, other, both)

    async def earlier(self, name: str) -> list[str]:
        """The other's was there before ours, whose answer or request was lost."""
        await self.at.begin_again()
        await called(self.at, self.tool, OTHER)
        await self._lost(name)
        return await self._judged()

    async def meanwhile(self) -> list[str]:
        """Our request was lost, and then the other's write was done."""
        await self.at.begin_again()
        await self._lost("reset-before")
        await called(self.at, self.tool, OTHER)
        return await self._judged()

    async def _lost(self, name: str) -> None:
        self.at.sandbox.faults.replace(striking_writes(name))
        kind, _ = await called(self.at, self.tool, OPERATION)
        assert kind == "outcome-unknown"
        self.at.sandbox.faults.clear()

    async def _judged(self) -> list[str]:
        """Repeat ours until it is decided; the other's must never pass for it."""
        wrongs = []
        for _ in range(TRIES):
            self.at.time.pass_by()
            kind, words = await called(self.at, self.tool, OPERATION)
            seen = kept(self.at)
            if seen not in (self.other, self.both):
                wrongs.append(f"neither one nor two: {differences(self.both, seen)}")
            elif kind == "ok" and seen != self.both:
                wrongs.append("called done, and only the other's is")
            elif kind not in {"ok", "outcome-unknown"} and seen != self.other:
                wrongs.append(f"called not done, and it is: {words}")
            if kind not in PASSING:
                break
        return wrongs


def kept(at: Copied) -> Picture:
    """What the vendors keep, without the record of what was done to it."""
    return {name: rows for name, rows in at.picture().items() if name != "effects"}


def striking_writes(name: str) -> list[dict[str, Any]]:
    """A fault of `FAULTS` for every request that may change something."""
    return [{**FAULTS[name], "method": method} for method in _CHANGING]


async def called(at: Copied, tool: str, operation_id: str) -> tuple[str, str]:
    """One call: `ok`, or the kind of its error and what that says."""
    result = await at.call(tool, at.company.calls[tool] | {"operationId": operation_id})
    assert isinstance(result, CallToolResult)
    assert result.structured_content is not None
    if not result.is_error:
        return "ok", ""
    error = result.structured_content["error"]
    return error["kind"], error["message"]


def _set_patience(at: Copied, seconds: float) -> None:
    for vendor in ("togai", "suger"):
        at.server.tenant.connection(vendor).timeout_s = seconds
