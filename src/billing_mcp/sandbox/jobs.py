"""What a job is: work that falls due as the sandbox's time passes, or that the control starts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing_mcp.sandbox.call import Handler
from billing_mcp.sandbox.store import Connection

# The first time later than the given one at which there is something to do, or None.
NextDue = Callable[[Connection, datetime], datetime | None]


@dataclass(frozen=True, slots=True)
class Job:
    """A job of one vendor; `run` does what is due at `call.now` and answers what it did.

    `call.body` is the control's JSON body, or ABSENT when time itself started the job.
    """

    name: str
    next_due: NextDue
    run: Handler


def full_hour_after(moment: datetime) -> datetime:
    """The next full hour, strictly later."""
    return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
