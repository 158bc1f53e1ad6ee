"""One request as a handler sees it, its answer or refusal, and the readers of its body."""

import hashlib
import re
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from billing_mcp.sandbox import clock
from billing_mcp.sandbox.store import Connection

T = TypeVar("T")

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Nothing(Enum):
    """Marks of absence that differ from JSON's null."""

    ABSENT = auto()
    REQUIRED = auto()


ABSENT: Final = Nothing.ABSENT
REQUIRED: Final = Nothing.REQUIRED
RequiredT = Literal[Nothing.REQUIRED]


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """How a sandbox starts and which of the vendors' undocumented answers it gives."""

    data: Path | None = None  # None: in memory
    now: datetime | None = None  # None: `clock.START`
    demo: bool = True  # start with the demo company, unless the data file exists
    quotas: bool = False  # Togai's quotas per second and per organisation
    # A second credit request with the same idempotencyKey: the first credit again, or 400.
    repeated_credit_key: Literal["original", "refuse"] = "original"
    batch_limit: int = 500  # events in one POST /ingestBatch; an older page of Togai says 1000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and where the sandbox is from there."""

    credential: str = ""  # the token or key, whatever it is
    address: str = "http://sandbox"  # without the vendor's prefix


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `body` is JSON with Decimals, or the bytes of a file."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """The vendor says no: nothing of the request is kept, the message is the answer."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Call:
    """One request inside its open transaction."""

    db: Connection
    now: datetime  # the sandbox's time, UTC
    settings: SandboxSettings
    path: Mapping[str, str] = field(default_factory=dict)  # percent-decoded
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = ABSENT  # as `money.from_json` reads it
    caller: Caller = field(default_factory=Caller)

    @property
    def stamp(self) -> str:
        """The sandbox's time as it is stored and sent."""
        return clock.written(self.now)

    def new_id(self, prefix: str) -> str:
        """A Togai id such as `cred.1kZd7Yd3Q0a.Xb2fG`."""
        letters = self._letters(16)
        return f"{prefix}.{letters[:11]}.{letters[11:]}"

    def new_short_id(self) -> str:
        """A Suger id: nine base62 characters."""
        return self._letters(9)

    def new_uuid(self) -> str:
        return str(uuid.UUID(bytes=self._digest()[:16], version=4))

    def effect(self, kind: str, id: str, key: str | None = None) -> None:  # noqa: A002 - the control's own field name
        """Record that something was applied; it is forgotten if the transaction is not kept."""
        self.db.execute(
            "insert into effects (kind, id, key, time) values (?, ?, ?, ?)",
            (kind, id, key, self.stamp),
        )

    def _letters(self, length: int) -> str:
        number = int.from_bytes(self._digest())
        letters = ""
        for _ in range(length):
            number, index = divmod(number, len(_BASE62))
            letters += _BASE62[index]
        return letters

    def _digest(self) -> bytes:
        row = self.db.execute("update sequence set last = last + 1 returning last").fetchone()
        return hashlib.sha256(f"sandbox {row['last']}".encode()).digest()


Handler = Callable[[Call], Reply]


class Resource:
    """The operations of one resource, as a list that the app builds its route table from."""

    def __init__(self) -> None:
        self.routes: list[tuple[str, str, Handler]] = []

    def route(self, method: str, path: str) -> Callable[[Handler], Handler]:
        """Record a handler under the vendor's method and path template."""

        def record(handler: Handler) -> Handler:
            self.routes.append((method, path, handler))
            return handler

        return record


# Readers. Each takes the object, the field's name, and `at`: where the object is in the body,
# such as "creditRequests[0].", because a refusal names the whole path. A field that may be left
# out has a `default`, which is given back as it is; null is never the same as left out.


def fields(body: Any, at: str = "") -> dict[str, Any]:
    """The body, or a part of it, as a JSON object. Refuses anything else."""
    if not isinstance(body, dict):
        place = at.rstrip(".") or "the body"
        raise Refusal(400, f"{place} must be a JSON object")
    return body


def closed(body: Any, names: Collection[str], at: str = "") -> dict[str, Any]:
    """The body, or a part of it, as a JSON object that has no other fields than these."""
    for name in fields(body, at):
        if name not in names:
            raise Refusal(400, f"{at}{name} is not a field here; there are {', '.join(names)}")
    return fields(body, at)


def text(
    body: Mapping[str, Any],
    name: str,
    *,
    minimum: int = 0,
    maximum: int | None = None,
    pattern: str | None = None,
    default: T | RequiredT = REQUIRED,
    at: str = "",
) -> str | T:
    """A text of `minimum` to `maximum` characters that matches `pattern` entirely."""
    if name not in body:
        return _left_out(name, default, at)
    value = body[name]
    if not isinstance(value, str):
        raise Refusal(400, f"{at}{name} must be a string")
    if len(value) < minimum:
        raise Refusal(400, f"{at}{name} must have at least {minimum} characters")
    if maximum is not None and len(value) > maximum:
        raise Refusal(400, f"{at}{name} must have at most {maximum} characters")
    if pattern is not None and not re.fullmatch(pattern, value):
        raise Refusal(400, f"{at}{name} must match {pattern}")
    return value


def one_of(
    body: Mapping[str, Any],
    name: str,
    options: Collection[str],
    *,
    default: T | RequiredT = REQUIRED,
    at: str = "",
) -> str | T:
    """One of the vendor's enum values."""
    if name not in body:
        return _left_out(name, default, at)
    value = body[name]
    if not isinstance(value, str) or value not in options:
        raise Refusal(400, f"{at}{name} must be one of {', '.join(options)}")
    return value


def number(
    body: Mapping[str, Any],
    name: str,
    *,
    minimum: Decimal | int | None = None,
    maximum: Decimal | int | None = None,
    above: Decimal | int | None = None,
    default: T | RequiredT = REQUIRED,
    at: str = "",
) -> Decimal | T:
    """An exact JSON number; `above` is an exclusive minimum."""
    if name not in body:
        return _left_out(name, default, at)
    value = body[name]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refusal(400, f"{at}{name} must be a number")
    exact = Decimal(value)
    if minimum is not None and exact < minimum:
        raise Refusal(400, f"{at}{name} must be at least {minimum}")
    if above is not None and exact <= above:
        raise Refusal(400, f"{at}{name} must be greater than {above}")
    if maximum is not None and exact > maximum:
        raise Refusal(400, f"{at}{name} must be at most {maximum}")
    return exact


def whole(
    body: Mapping[str, Any],
    name: str,
    *,
    minimum: int,
    maximum: int,
    default: T | RequiredT = REQUIRED,
    at: str = "",
) -> int | T:
    """A whole JSON number; `5.0` counts as one."""
    if name not in body:
        return _left_out(name, default, at)
    value = body[name]
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
        raise Refusal(400, f"{at}{name} must be a whole number from {minimum} to {maximum}")
    return value


def flag(
    body: Mapping[str, Any],
    name: str,
    *,
    default: T | RequiredT = REQUIRED,
    at: str = "",
) -> bool | T:
    """True or false."""
    if name not in body:
        return _left_out(name, default, at)
    value = body[name]
    if not isinstance(value, bool):
        raise Refusal(400, f"{at}{name} must be true or false")
    return value


def timestamp(
    body: Mapping[str, Any],
    name: str,
    *,
    default: T | RequiredT = REQUIRED,
    at: str = "",
) -> datetime | T:
    """An RFC 3339 time, in UTC."""
    if name not in body:
        return _left_out(name, default, at)
    value = body[name]
    try:
        return clock.read(value if isinstance(value, str) else "")
    except ValueError as error:
        message = f"{at}{name} must be an RFC 3339 time such as 2026-11-20T12:00:00Z"
        raise Refusal(400, message) from error


def day(
    body: Mapping[str, Any],
    name: str,
    *,
    default: T | RequiredT = REQUIRED,
    at: str = "",
) -> date | T:
    """A date as YYYY-MM-DD."""
    if name not in body:
        return _left_out(name, default, at)
    value = body[name]
    try:
        return clock.read_day(value if isinstance(value, str) else "")
    except ValueError as error:
        raise Refusal(400, f"{at}{name} must be a date as YYYY-MM-DD") from error


def listed(
    body: Mapping[str, Any],
    name: str,
    *,
    minimum: int = 0,
    maximum: int | None = None,
    default: T | RequiredT = REQUIRED,
    at: str = "",
) -> list[Any] | T:
    """A JSON array of `minimum` to `maximum` items, which the caller reads one by one."""
    if name not in body:
        return _left_out(name, default, at)
    value = body[name]
    if not isinstance(value, list):
        raise Refusal(400, f"{at}{name} must be a list")
    if len(value) < minimum:
        raise Refusal(400, f"{at}{name} must have at least {minimum} items")
    if maximum is not None and len(value) > maximum:
        raise Refusal(400, f"{at}{name} must have at most {maximum} items")
    return value


def mapping(
    body: Mapping[str, Any],
    name: str,
    *,
    default: T | RequiredT = REQUIRED,
    at: str = "",
) -> dict[str, Any] | T:
    """A JSON object, which the caller reads field by field."""
    if name not in body:
        return _left_out(name, default, at)
    return fields(body[name], f"{at}{name}")


def _left_out(name: str, default: T | RequiredT, at: str) -> T:
    if default is REQUIRED:
        raise Refusal(400, f"{at}{name} is required")
    return default
