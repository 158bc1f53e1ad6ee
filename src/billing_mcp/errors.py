"""Every anticipated failure of a call, each with the sentence a model or a person reads.

    BillingError
    ├── InvalidRequest      invalid-request    400   the arguments, or what the vendor says of them
    ├── NotFound            not-found          404
    ├── Conflict            conflict           409   the id is taken, the state forbids it
    ├── NotPermitted        not-permitted      403
    ├── RateLimited         rate-limited       429   carries retryAfterSeconds when known
    ├── Unavailable         unavailable        503   nothing was changed; try again later
    ├── OutcomeUnknown      outcome-unknown    504   a write may or may not have been applied
    ├── NotConfigured       not-configured     501   a key, an organisation or a feature is missing
    └── ApprovalRequired    approval-required  202   nothing was sent; a plan of it waits

A message says what happened and then what to do next, naming a tool where one helps. Anything else
that is raised is a crash: it is logged, and its text stays on the server.
"""

import re
from typing import Any, ClassVar

# Everything a terminal or a model could take for something else than text of one line, and halves
# of surrogate pairs, which cannot be sent.
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]+"
)
UPSTREAM_TEXT_LIMIT = 500


class BillingError(Exception):
    """An anticipated failure. `kind` and `status` are what MCP and REST callers see.

    `partly` marks a write that was refused or cut off when some of its items had been done.
    """

    kind: ClassVar[str]
    status: ClassVar[int]
    partly: bool = False

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        retry_after_seconds: int | None = None,
        next_step: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after_seconds = retry_after_seconds
        self.next_step = next_step

    def sentence(self) -> str:
        """What happened, then what to do next."""
        return f"{self.message} {self.next_step}" if self.next_step else self.message

    def wire(self) -> dict[str, Any]:
        """The `error` object of design §2.4, without the operation id, which the door adds."""
        facts = {
            "kind": self.kind,
            "message": self.message,
            "field": self.field,
            "retryAfterSeconds": self.retry_after_seconds,
            "next": self.next_step,
        }
        return {name: value for name, value in facts.items() if value is not None}


class InvalidRequest(BillingError):
    kind = "invalid-request"
    status = 400


class NotFound(BillingError):
    kind = "not-found"
    status = 404


class Conflict(BillingError):
    kind = "conflict"
    status = 409


class NotPermitted(BillingError):
    kind = "not-permitted"
    status = 403


class RateLimited(BillingError):
    kind = "rate-limited"
    status = 429


class Unavailable(BillingError):
    kind = "unavailable"
    status = 503


class OutcomeUnknown(BillingError):
    kind = "outcome-unknown"
    status = 504


class NotConfigured(BillingError):
    kind = "not-configured"
    status = 501


class ApprovalRequired(BillingError):
    kind = "approval-required"
    status = 202


def one_line(text: str, limit: int = UPSTREAM_TEXT_LIMIT) -> str:
    """Text of somebody else, made safe to quote: no control characters, one line, cut."""
    clean = _CONTROL.sub(" ", text[: limit * 4]).strip()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
