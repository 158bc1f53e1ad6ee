"""Faults put on the way of the vendors' answers: what they are, and which one fires."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from billing_mcp.sandbox import call

# These answer before the handler runs, so that nothing of the request is applied.
BEFORE = ("status", "reset-before", "garbage")
# These spoil the answer after the handler's transaction is kept: the effect is there.
AFTER = ("reset-after", "delay", "truncate")
MODES = (*BEFORE, *AFTER)

_FIELDS = ("method", "path", "mode", "status", "retryAfter", "seconds", "probability", "seed")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_LONGEST_DELAY_S = 3600
_DRAWS = 1_000_000


@dataclass(slots=True)
class Fault:
    """One fault. It counts what it lets pass at first and how often it has fired since, and draws
    from a generator of its own."""

    mode: str
    method: str | None
    path: str
    status: int
    retry_after: int | None
    delay_s: Decimal
    probability: Decimal
    seed: int
    skip: int
    times: int | None
    passed: int
    fired: int
    random: Random

    def fires(self, method: str, path: str) -> bool:
        """Whether it strikes this request; if so, that is counted."""
        if self.method not in (None, method) or not fnmatchcase(path, self.path):
            return False
        if self.passed < self.skip:
            self.passed += 1
            return False
        if self.times is not None and self.fired >= self.times:
            return False
        if Decimal(self.random.randrange(_DRAWS)) >= self.probability * _DRAWS:
            return False
        self.fired += 1
        return True


class Faults:
    """The list of faults, in the order in which they are tried."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def replace(self, body: Any) -> None:
        """Take over the control's list. Refuses a malformed one and keeps the old."""
        if not isinstance(body, list):
            raise call.Refusal(400, "the body must be a list of faults")
        self._faults = [_read(item, f"[{index}].") for index, item in enumerate(body)]

    def clear(self) -> None:
        self._faults = []

    def strike(self, method: str, path: str) -> Fault | None:
        """The first fault that fires on this request. The path includes the vendor's prefix."""
        return next((fault for fault in self._faults if fault.fires(method, path)), None)

    def shown(self) -> list[dict[str, Any]]:
        """The list as the control shows it, with how often each one fired."""
        return [_shown(fault) for fault in self._faults]


def _read(item: Any, at: str) -> Fault:
    entry = call.fields(item, at)
    for name in entry:
        if name not in (*_FIELDS, "skip", "times"):
            raise call.Refusal(400, f"{at}{name} is not a field of a fault")
    seed = call.whole(entry, "seed", minimum=0, maximum=2**63, default=0, at=at)
    return Fault(
        mode=call.one_of(entry, "mode", MODES, at=at),
        method=call.one_of(entry, "method", _METHODS, default=None, at=at),
        path=call.text(entry, "path", minimum=1, default="*", at=at),
        status=call.whole(entry, "status", minimum=400, maximum=599, default=500, at=at),
        retry_after=call.whole(
            entry, "retryAfter", minimum=0, maximum=_LONGEST_DELAY_S, default=None, at=at
        ),
        delay_s=call.number(
            entry, "seconds", minimum=0, maximum=_LONGEST_DELAY_S, default=Decimal(1), at=at
        ),
        probability=call.number(
            entry, "probability", minimum=0, maximum=1, default=Decimal(1), at=at
        ),
        seed=seed,
        skip=call.whole(entry, "skip", minimum=0, maximum=2**31, default=0, at=at),
        times=call.whole(entry, "times", minimum=0, maximum=2**31, default=None, at=at),
        passed=0,
        fired=0,
        random=Random(seed),  # noqa: S311 - which requests fail must be repeatable, not secret
    )


def _shown(fault: Fault) -> dict[str, Any]:
    entry: Mapping[str, Any] = {
        "mode": fault.mode,
        "method": fault.method,
        "path": fault.path,
        "status": fault.status if fault.mode == "status" else None,
        "retryAfter": fault.retry_after,
        "seconds": fault.delay_s if fault.mode == "delay" else None,
        "probability": fault.probability,
        "seed": fault.seed,
        "skip": fault.skip or None,
        "times": fault.times,
        "fired": fault.fired,
    }
    return {name: value for name, value in entry.items() if value is not None}
