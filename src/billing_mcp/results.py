"""What a call answers: the models results are read with, the envelope, and text that stands alone.

Shapes are those of design §2.4: a single thing at the root in the vendor's field names; a list as
`data`, `count`, `hasMore` and where to go on. Decimals leave as strings, amounts of money at their
currency's scale. Text of customers stays in data fields, quoted.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from billing_mcp import errors, money
from billing_mcp.credentials import Environment

Detail = Literal["concise", "full"]
Exact = Annotated[Decimal, WithJsonSchema({"type": "string"})]
"""A number of a result: read exactly, shown as a string."""

# 25,000 tokens at four bytes each: more than that is paged (design §2.4).
ANSWER_LIMIT_BYTES = 100_000

_TOKEN = re.compile(r"[\w.@:+/#$%-]+")

# What JSON leaves as it is, but a reader may take for the end of a line or another order of words.
_INVISIBLE = re.compile(r"[\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class Result(BaseModel):
    """A thing the vendor answers with: the fields we promise are declared, others pass through.

    `concise` names what a list shows of it (dots go into nested fields), `ordinary` the values it
    leaves out there because nearly every row has them (the tool's description says so). `amounts`
    names the fields that are money in the currency that `currency()` gives, `secret` those that are
    shown once and kept nowhere.
    """

    model_config = ConfigDict(extra="allow")

    concise: ClassVar[tuple[str, ...]] = ()
    ordinary: ClassVar[Mapping[str, frozenset[str]]] = {}
    amounts: ClassVar[frozenset[str]] = frozenset()
    secret: ClassVar[frozenset[str]] = frozenset()
    long: ClassVar[bool] = False

    def currency(self) -> str | None:
        return None


Row = TypeVar("Row", bound=Result)


class Page(Result, Generic[Row]):
    """Rows of a list. `note` says what a reader must know about the whole of it."""

    # A Go server such as Suger's may write an empty list as null.
    data: Annotated[list[Row], BeforeValidator(lambda rows: [] if rows is None else rows)] = Field(
        default_factory=list,
        validation_alias=AliasChoices("data", "events", "usageRecordGroups", "usageRecordReports"),
    )
    note: str | None = None

    def more(self) -> dict[str, Any]:
        """How to ask for the rows after these; empty on the last page."""
        return {}

    def cut(self, rows: int, arguments: Mapping[str, Any], owner: str) -> Self:
        """The page shortened to its first rows, with the way to the others if there is one.

        `owner` is the tenant whose page it is.
        """
        _ = arguments, owner
        note = f"Only the first {rows} of {len(self.data)} rows fit; the vendor does not page them."
        return self.model_copy(update={"data": self.data[:rows], "note": note})


class TokenPage(Page[Row], Generic[Row]):
    """A page that Togai continues by a token.

    A page too large to answer with is cut, and continued by a token of ours: `~rows~token`, the
    rows already shown of the page that the vendor's token leads to. A first page has none; there
    the fingerprint of the arguments and of the tenant stands, because they alone lead to that page.
    """

    nextToken: str | None = None

    def more(self) -> dict[str, Any]:
        return {"nextToken": self.nextToken} if self.nextToken else {}

    def cut(self, rows: int, arguments: Mapping[str, Any], owner: str) -> Self:
        skipped, token = resumed(arguments, owner)
        resume = f"~{skipped + rows}~{token or _fingerprint(arguments, owner)}"
        return self.model_copy(update={"data": self.data[:rows], "nextToken": resume})

    def after(self, skipped: int) -> Self:
        return self.model_copy(update={"data": self.data[skipped:]}) if skipped else self


class OffsetPage(Page[Row], Generic[Row]):
    """A page that Suger continues by an offset."""

    nextOffset: int | None = None

    def more(self) -> dict[str, Any]:
        return {"nextOffset": self.nextOffset} if self.nextOffset else {}

    def cut(self, rows: int, arguments: Mapping[str, Any], owner: str) -> Self:
        _ = owner
        offset = (arguments.get("offset") or 0) + rows
        return self.model_copy(update={"data": self.data[:rows], "nextOffset": offset})


def resumed(arguments: Mapping[str, Any], owner: str) -> tuple[int, str | None]:
    """Take a `nextToken` apart: rows to leave out, and the vendor's token for that page.

    Raises `InvalidRequest` for a token of ours that no page gave, or gave for other arguments or
    to another tenant. The vendor's own is bound to the tenant by the key that it is sent with.
    """
    token = arguments.get("nextToken")
    if token is None or not token.startswith("~"):
        return 0, token
    match = re.fullmatch(r"~(\d{1,4})~(.+)", token)
    if match is None:
        raise errors.InvalidRequest(
            "nextToken is not one that a page gave.",
            field="nextToken",
            next_step="Give the nextToken of the page before unchanged, or leave it out.",
        )
    if not match[2].startswith(_OF_ARGUMENTS):
        return int(match[1]), match[2]
    if match[2] != _fingerprint(arguments, owner):
        raise errors.InvalidRequest(
            "nextToken is of a list with other arguments.",
            field="nextToken",
            next_step="Repeat the arguments of the page that gave it, or leave nextToken out.",
        )
    return int(match[1]), None


# No token of the vendor begins so: they are base64.
_OF_ARGUMENTS = "="


def _fingerprint(arguments: Mapping[str, Any], owner: str) -> str:
    meant = {name: str(arguments[name]) for name in sorted(arguments) if name != "nextToken"}
    return _OF_ARGUMENTS + hashlib.sha256(compact([owner, meant]).encode()).hexdigest()[:12]


class Reserved(BaseModel):
    """Root keys that are ours in every result."""

    environment: Environment
    operationId: str | None = None
    replayed: bool | None = None
    plan: dict[str, Any] | None = None
    count: int | None = None
    hasMore: bool | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to, for any door: MCP, REST or another tool."""

    structured: dict[str, Any]
    text: str
    status: int = 200
    secret: frozenset[str] = frozenset()  # members that are kept nowhere

    @property
    def is_error(self) -> bool:
        # A write that waits for a plan or a person is a success of HTTP, but nothing was done.
        return self.status >= 400 or self.status == errors.ApprovalRequired.status

    def without_secrets(self) -> "Outcome":
        """What may be kept of it."""
        if not self.secret:
            return self
        kept = {
            name: "[secret]" if name in self.secret else value
            for name, value in self.structured.items()
        }
        return Outcome(kept, visible("\n".join(_lines(kept))), self.status)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What surrounds a result: where it is from and, for a write, which operation it was."""

    environment: Environment
    operation_id: str | None = None
    replayed: bool = False

    def head(self) -> dict[str, Any]:
        head: dict[str, Any] = {"environment": self.environment}
        if self.operation_id is not None:
            head["operationId"] = self.operation_id
            if self.replayed:
                head["replayed"] = True
        return head


def success(
    result: Result,
    detail: Detail,
    envelope: Envelope,
    arguments: Mapping[str, Any],
    owner: str,
    *,
    whole: bool = False,
) -> Outcome:
    """`whole` leaves a single thing as large as it is, for a reader that pages it itself."""
    if isinstance(result, Page):
        return _listed(result, detail, envelope, arguments, owner)
    found = values(result)
    if result.long and detail == "concise":
        found = pick(found, result.concise)
    # The head first for a reader, and last because what it says is ours and not the vendor's.
    head = envelope.head()
    structured = head | (found if whole else _bounded(found)) | head
    text = visible("\n".join(_lines(structured)))
    return Outcome(structured, text, secret=result.secret)


def failure(error: errors.BillingError, envelope: Envelope) -> Outcome:
    wire = error.wire()
    if envelope.operation_id is not None:
        wire["operationId"] = envelope.operation_id
    structured = {"error": wire, "environment": envelope.environment}
    return Outcome(structured, error.sentence(), error.status)


def _listed(
    page: Page[Any],
    detail: Detail,
    envelope: Envelope,
    arguments: Mapping[str, Any],
    owner: str,
) -> Outcome:
    rows = [values(row) for row in page.data]
    concise: Sequence[str] = ()
    if page.data and detail == "concise":
        kind = type(page.data[0])
        concise = kind.concise
        rows = [pick(row, concise, kind.ordinary) for row in rows] if concise else rows
    kept = _that_fit(rows)
    is_cut = kept < len(rows)
    if is_cut:
        page, rows = page.cut(kept, arguments, owner), rows[:kept]
    if kept == 1:
        rows = [_bounded(row) for row in rows]
    more = page.more()
    has_more = is_cut or bool(more)
    structured = envelope.head() | {"data": rows, "count": len(rows), "hasMore": has_more} | more
    if page.note:
        structured["note"] = page.note
    return Outcome(structured, visible("\n".join(_table(structured, concise))))


def _that_fit(rows: Sequence[Any]) -> int:
    """How many rows stay within the limit; at least one, so that paging always moves on."""
    if len(compact(rows).encode()) <= ANSWER_LIMIT_BYTES:
        return len(rows)
    size = 0
    for position, row in enumerate(rows):
        size += len(compact(row).encode())
        if size > ANSWER_LIMIT_BYTES and position:
            return position
    return len(rows)


def _bounded(structured: dict[str, Any]) -> dict[str, Any]:
    """A single thing without those of its fields that no model's context has room for."""
    sizes = {name: len(compact(value).encode()) for name, value in structured.items()}
    omitted = []
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if sum(sizes.values()) <= ANSWER_LIMIT_BYTES:
            break
        omitted.append(name)
        del sizes[name]
    if not omitted:
        return structured
    kept = {name: value for name, value in structured.items() if name in sizes}
    return kept | {"omitted": sorted(omitted)}


def values(model: BaseModel) -> dict[str, Any]:
    """A model as JSON values: nothing null, every `Decimal` a string."""
    currency = model.currency() if isinstance(model, Result) else None
    amounts = model.amounts if isinstance(model, Result) else frozenset()
    return {
        name: as_json(value, currency if name in amounts else None)
        for name, value in model
        if value is not None
    }


def as_json(value: Any, currency: str | None = None) -> Any:
    """A value for an answer: a `Decimal` as text, at the scale of its currency if one is given."""
    if isinstance(value, Decimal):
        return money.plain(money.at_scale(value, currency) if currency else value)
    if isinstance(value, BaseModel):
        return values(value)
    if isinstance(value, dict):
        return {name: as_json(item, None) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [as_json(item, None) for item in value]
    return value


def pick(
    row: Mapping[str, Any],
    paths: Sequence[str],
    ordinary: Mapping[str, frozenset[str]] | None = None,
) -> dict[str, Any]:
    """The fields at `paths`, nested as they were, without those that have an ordinary value."""
    picked: dict[str, Any] = {}
    for path in paths:
        found = at(row, path)
        if found is None or (ordinary and path in ordinary and found in ordinary[path]):
            continue
        *parents, name = path.split(".")
        place = picked
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = found
    return picked


def at(row: Mapping[str, Any], path: str) -> Any:
    found: Any = row
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def shown(value: Any) -> str:
    """A value as text: bare when it cannot be mistaken for anything else, quoted otherwise."""
    if isinstance(value, str) and _TOKEN.fullmatch(value):
        return value
    return "" if value is None else compact(value)


def visible(text: str) -> str:
    """Text whose invisible characters are written out, as JSON may write them."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _lines(structured: Mapping[str, Any]) -> Iterator[str]:
    for name, value in structured.items():
        yield f"{shown(name)}: {shown(value)}"


def _table(structured: Mapping[str, Any], concise: Sequence[str]) -> Iterator[str]:
    rows = structured["data"]
    head = [f"{len(rows)} rows" if len(rows) != 1 else "1 row", str(structured["environment"])]
    head.extend(
        f"more: the same call with {argument}={structured[name]}"
        for name, argument in (("nextToken", "nextToken"), ("nextOffset", "offset"))
        if name in structured
    )
    yield " · ".join(head)
    if "operationId" in structured:
        yield f"operationId: {structured['operationId']}"
    if "note" in structured:
        yield structured["note"]
    if not concise:
        yield from (compact(row) for row in rows)
        return
    columns = [path for path in concise if any(at(row, path) is not None for row in rows)]
    yield "|".join(path.rsplit(".", 1)[-1] for path in columns)
    for row in rows:
        yield "|".join(shown(at(row, path)) for path in columns)
