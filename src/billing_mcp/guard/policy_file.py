"""The policy's file: what may stand in it, and what is wrong with a file that cannot be used.

A file has the table `everyone` and a table for each role, all of the same shape. What they leave
out stays as it is without a file; `policy.example.toml` shows every key.
"""

import calendar
import hashlib
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import IntEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from billing_mcp import money, tools
from billing_mcp.credentials import SettingsError
from billing_mcp.errors import one_line
from billing_mcp.validation import model_at, nearest

Model = TypeVar("Model", bound=BaseModel)

OTHER = "other"
# Far above any ceiling that means something, and short enough to print.
LARGEST_CEILING = Decimal(10) ** 15
# Of a month's 28 days a window has to leave some, or it is not a window.
LONGEST_MONTHLY_FREEZE = 27
MISTAKES_SHOWN = 5


class Verdict(IntEnum):
    """What a call needs before it may run. The greater is the stricter."""

    ALLOWED = 0
    PLAN = 1
    APPROVAL = 2
    TWO_APPROVALS = 3
    REFUSED = 4

    @property
    def word(self) -> str:
        """As the file and the audit spell it."""
        return self.name.lower().replace("_", "-")

    @property
    def approvals(self) -> int:
        """How many people have to approve; each of them another, and none of them the asker."""
        return {Verdict.APPROVAL: 1, Verdict.TWO_APPROVALS: 2}.get(self, 0)


def _verdict(given: object) -> Verdict:
    for verdict in Verdict:
        if given is verdict or given == verdict.word:
            return verdict
    raise ValueError(f"one of {', '.join(verdict.word for verdict in Verdict)}")


def _limit(given: object) -> Decimal:
    if not isinstance(given, str | int | Decimal):
        raise ValueError('an amount such as "12.50"')  # noqa: TRY004  pydantic reads ValueError
    limit = money.exact(given)
    if not 0 <= limit <= LARGEST_CEILING:
        raise ValueError(f"an amount from 0 to {money.plain(LARGEST_CEILING)}")
    return limit


def _currency(given: object) -> str:
    text = str(given)
    if text != OTHER and not (len(text) == 3 and text.isascii() and text.isupper()):
        raise ValueError(f"a currency of three capital letters, or {OTHER} for those not named")
    return text


def _members(word: str) -> Iterator[str]:
    for toolset in tools.GROUPS.get(word, (word,)):
        for names in tools.TOOLSETS.get(toolset, {}).values():
            yield from names


def _word(given: object) -> str:
    known = [*tools.MODULES, *tools.TOOLSETS, *tools.GROUPS]
    if isinstance(given, str) and given in known:
        return given
    near = nearest(str(given), known, 2)
    hint = f"did you mean {' or '.join(near)}?" if near else "`billing-mcp tools` lists them"
    raise ValueError(f"a tool or a toolset, not {one_line(str(given), 60)!r}; {hint}")


def _listed(given: object) -> object:
    # TOML has lists; what is read is kept where nobody can add to it.
    return tuple(given) if isinstance(given, list) else given


Requirement = Annotated[Verdict, BeforeValidator(_verdict)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Words = Annotated[tuple[Annotated[str, BeforeValidator(_word)], ...], BeforeValidator(_listed)]
Patterns = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
Amounts = dict[
    Annotated[str, BeforeValidator(_currency)], Annotated[Decimal, BeforeValidator(_limit)]
]
Span = Literal["per_call", "per_customer_day", "per_role_day"]
SPANS: tuple[Span, ...] = ("per_call", "per_customer_day", "per_role_day")


def covers(words: Sequence[str], tool: str) -> bool:
    """Whether a list of tools and toolsets names a tool."""
    return any(word == tool or tool in _members(word) for word in words)


def matches(patterns: Sequence[str], text: str) -> bool:
    """Whether one of the patterns is the text, whatever its case; `*` and `?` stand for others."""
    # An id may hold a bracket, which would open a set of characters.
    return any(
        fnmatchcase(_folded(text), _folded(pattern).replace("[", "[[]")) for pattern in patterns
    )


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Ceilings(_Closed):
    """Amounts by currency that a call, and the calls of a UTC day together, may not go above."""

    per_call: Amounts | None = None
    per_customer_day: Amounts | None = None
    per_role_day: Amounts | None = None

    def of(self, span: Span) -> Amounts | None:
        amounts: Amounts | None = getattr(self, span)
        return amounts


class Freeze(_Closed):
    """Days, in UTC, on which writes need more than they usually do."""

    reason: Text
    first_day: date | None = None
    last_day: date | None = None
    first_days_of_month: int | None = Field(default=None, ge=1, le=LONGEST_MONTHLY_FREEZE)
    last_days_of_month: int | None = Field(default=None, ge=1, le=LONGEST_MONTHLY_FREEZE)
    tools: Words | None = None
    meanwhile: Requirement = Verdict.REFUSED

    @model_validator(mode="after")
    def _one_kind_of_window(self) -> Self:
        monthly = self.first_days_of_month is not None or self.last_days_of_month is not None
        fixed = self.first_day is not None and self.last_day is not None
        half = (self.first_day is None) != (self.last_day is None)
        if half or monthly == fixed:
            raise ValueError(
                "either first_day and last_day, or first_days_of_month, last_days_of_month or both"
            )
        first, last = self.first_day, self.last_day
        if first is not None and last is not None and first > last:
            raise ValueError("a last_day that is not before first_day")
        return self

    def holds(self, day: date) -> bool:
        if self.first_day is not None and self.last_day is not None:
            return self.first_day <= day <= self.last_day
        length = calendar.monthrange(day.year, day.month)[1]
        return day.day <= (self.first_days_of_month or 0) or day.day > length - (
            self.last_days_of_month or 0
        )


class Rules(_Closed):
    """What one table of the file says. None and empty lists say nothing, except of `allowed` and
    `purposes`, where an empty list permits nothing."""

    allowed: Words | None = None
    excluded: Words = ()
    read_only: bool = False
    purposes: Patterns | None = None
    customers_off_limits: Patterns = ()
    needs_plan: Words = ()
    needs_approval: Words = ()
    needs_two_approvals: Words = ()
    destructive: Requirement | None = None
    # Above these a call needs a plan and a person; above `ceilings` it is refused.
    without_approval: Ceilings = Ceilings()
    ceilings: Ceilings = Ceilings()
    freeze: list[Freeze] = []
    # These rules are not followed; what they would have decided is told.
    shadow: bool = False


class File(_Closed):
    everyone: Rules = Rules()
    roles: dict[Text, Rules] = {}
    shadow: bool = False


BUILT_IN = Rules(
    destructive=Verdict.APPROVAL,
    without_approval=Ceilings(
        per_call={OTHER: Decimal(100)}, per_customer_day={OTHER: Decimal(500)}
    ),
)
"""What holds without a file, and where a file says nothing. Units are those of the currency."""


def read(path: Path) -> tuple[File, str]:
    """A file's content and its SHA-256. Raises `SettingsError` naming each place that is wrong."""
    try:
        content = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise SettingsError(f"The policy {path} cannot be read: {error.strerror}.") from error
    # Windows has no such bit and reports it as set.
    if os.name == "posix" and mode & stat.S_IWOTH:
        raise SettingsError(
            f"The policy {path} can be changed by everyone on this machine. Take that right away "
            "(chmod o-w)."
        )
    try:
        tables = tomllib.loads(content.decode("utf-8-sig"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The policy {path} is not TOML: {error}.") from error
    return _checked(File, tables, f"The policy {path}"), hashlib.sha256(content).hexdigest()


def read_rules(table: Mapping[str, Any], source: str) -> Rules:
    """Rules that came from elsewhere than the file, such as a caller's own limits.

    Raises `SettingsError` that begins with `source`.
    """
    return _checked(Rules, table, source)


def _checked(model: type[Model], table: Mapping[str, Any], source: str) -> Model:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False)
        shown = "; ".join(_mistake(model, mistake) for mistake in mistakes[:MISTAKES_SHOWN])
        more = len(mistakes) - MISTAKES_SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        raise SettingsError(f"{source} is wrong at {shown}{rest}.") from None


def _mistake(model: type[BaseModel], mistake: ErrorDetails) -> str:
    """The place and what would be right, such as `roles.a.shadow: true or false`."""
    loc = [part for part in mistake["loc"] if part != "[key]"]
    place = one_line(".".join(str(part) for part in loc), 120)
    if mistake["type"] == "extra_forbidden":
        owner = model_at(model, loc[:-1])
        known = [] if owner is None else list(owner.model_fields)
        near = nearest(str(loc[-1]), known)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return f"{place}: there is no such key; {hint}"
    said = mistake["msg"].removeprefix("Value error, ")
    plainer = {
        "bool_type": "true or false, without quotes",
        "date_type": "a day such as 2026-12-24, without quotes",
        "int_type": "a whole number, without quotes",
        "list_type": "a list of tables, each begun with [[…]]",
        "tuple_type": 'a list such as ["first", "second"]',
        "dict_type": 'a table such as { USD = "100" }',
        "model_type": "a table of its own",
        "string_type": "a text in quotes",
    }
    return f"{place}: {plainer.get(mistake['type'], said)}"
