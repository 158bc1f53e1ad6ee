"""What happens inside, told to whoever watches: calls of tools, and requests to the vendors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

OK = "ok"
CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool that has ended.

    `outcome` is `ok`, the kind of its error, or `cancelled` when nobody waited for it any more.
    `tool` is never a name that a caller made up: such a tool is called `unknown`.
    """

    tool: str
    tenant: str
    principal: str
    client: str | None
    operation_id: str | None
    outcome: str
    seconds: float


class Observer(Protocol):
    """Told of everything as it happens, inside the call: it must neither wait nor fail."""

    def call_began(self, tool: str) -> None: ...

    def call_ended(self, call: Call) -> None: ...

    def vendor_asked(self, vendor: str, outcome: str) -> None:
        """One request went out. Its outcome is the class of the status (`2xx`, `5xx`),
        `unreachable`, `broken` or, when the call's deadline or its caller ended it, `cancelled`."""
        ...

    def vendor_asked_again(self, vendor: str) -> None:
        """A request is about to be repeated; that is told as a request as well."""
        ...


class Nobody:
    """Watches nothing: what a server over stdio has."""

    def call_began(self, tool: str) -> None:
        pass

    def call_ended(self, call: Call) -> None:
        pass

    def vendor_asked(self, vendor: str, outcome: str) -> None:
        pass

    def vendor_asked_again(self, vendor: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Several:
    """Tells each of several observers, in order."""

    observers: Sequence[Observer]

    def call_began(self, tool: str) -> None:
        for observer in self.observers:
            observer.call_began(tool)

    def call_ended(self, call: Call) -> None:
        for observer in self.observers:
            observer.call_ended(call)

    def vendor_asked(self, vendor: str, outcome: str) -> None:
        for observer in self.observers:
            observer.vendor_asked(vendor, outcome)

    def vendor_asked_again(self, vendor: str) -> None:
        for observer in self.observers:
            observer.vendor_asked_again(vendor)
