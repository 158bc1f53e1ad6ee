"""Finding a tool in a person's words, and running tools that are not listed: no more is allowed."""

from typing import Annotated, Any, Literal

from pydantic import Field

from billing_mcp import search
from billing_mcp.aliases import own_name
from billing_mcp.declarations import ANY_WRITE, READ, Toolset
from billing_mcp.door import Door
from billing_mcp.errors import BillingError, NotFound, NotPermitted, one_line
from billing_mcp.params import Name
from billing_mcp.results import Outcome, Page, Result, compact
from billing_mcp.tools import RUNNERS, SUPERSEDED
from billing_mcp.validation import nearest

toolset = Toolset("search")

SEARCH = "search-tools"
# An input schema longer than this is not worth its room in an error; its arguments' names are.
LONGEST_SCHEMA = 6_000
NEAR = 3

ToolName = Annotated[Name, Field(min_length=1, max_length=100)]
Arguments = dict[str, Any]


class ToolRow(Result):
    name: str
    title: str
    toolset: str
    method: str | None = None
    path: str | None = None
    served: bool
    run: Literal["directly", "run-read-tool", "run-write-tool"]
    arguments: str | None = None
    deprecated: str | None = None


@toolset.tool(READ)
async def search_tools(
    door: Door,
    query: Annotated[Name, Field(min_length=1, max_length=500)],
    limit: Annotated[int, Field(ge=1, le=20)] = 8,
) -> Page[ToolRow]:
    """Find tools by what is to be done, in a person's own words, among all operations of Togai and
    Suger. `run` says how to call each; `arguments` names those of tools that are not listed."""
    rows: list[ToolRow] = []
    refusals: list[BillingError] = []
    for operation in search.find(query):
        if len(rows) == limit:
            break
        refusal = _refusal(door, operation)
        if refusal is None:
            rows.append(_row(door, operation))
        elif len(rows) + len(refusals) < limit:
            refusals.append(refusal)
    return Page[ToolRow](data=rows, note=_note(rows, refusals))


@toolset.tool(READ)
async def run_read_tool(door: Door, name: ToolName, arguments: Arguments | None = None) -> Outcome:
    """Run a tool that only reads, found with search-tools but not listed. Answers what that tool
    answers."""
    return await _run(door, name, arguments or {}, reads=True)


@toolset.tool(ANY_WRITE)
async def run_write_tool(door: Door, name: ToolName, arguments: Arguments | None = None) -> Outcome:
    """Run a tool that changes data, found with search-tools but not listed. Its operationId goes
    inside `arguments`. Answers what that tool answers."""
    return await _run(door, name, arguments or {}, reads=False)


async def _run(door: Door, name: str, arguments: dict[str, Any], *, reads: bool) -> Outcome:
    """Raises `BillingError` for a tool that cannot be run here or not by this runner."""
    runner = RUNNERS[reads]
    name = own_name(name)
    if name in (SEARCH, *RUNNERS.values()):
        raise NotPermitted(
            f"{runner} does not run {name}; nothing was sent.", next_step=f"Call {name} directly."
        )
    published = door.schema(name)
    if published is None:
        raise _no_tool(door, name)
    refusal = door.refusal(name)
    if refusal is not None:
        raise refusal
    if _reads(published) is not reads:
        other = RUNNERS[not reads]
        does = "changes data" if reads else "only reads"
        takes = f"Call {other} for it; its arguments: {_signature(published)}."
        raise NotPermitted(
            f"{name} {does}, so {runner} does not run it; nothing was sent.",
            next_step=takes if door.is_served(other) else None,
        )
    outcome = await door.run(name, arguments)
    return _with_schema(outcome, published) if outcome.is_error else outcome


def _with_schema(outcome: Outcome, published: dict[str, Any]) -> Outcome:
    """The error of a call that was wrong, with what would be right."""
    error = outcome.structured["error"]
    if error["kind"] != "invalid-request":
        return outcome
    schema = compact(published["inputSchema"])
    if len(schema) > LONGEST_SCHEMA:
        schema = _signature(published)
    right = f"`arguments` of {published['name']}: {schema}"
    step = f"{error['next']} {right}" if "next" in error else right
    structured = outcome.structured | {"error": error | {"next": step}}
    return Outcome(structured, f"{outcome.text} {right}", outcome.status)


def _no_tool(door: Door, name: str) -> BillingError:
    hint = " or ".join(_near(door, name))
    return NotFound(
        f'There is no tool "{one_line(name, 60)}".',
        next_step=f"Did you mean {hint}?" if hint else f"{SEARCH} finds the tools there are.",
    )


def _near(door: Door, name: str) -> list[str]:
    """The tools that a wrong name may mean, by its letters and by its words, with arguments."""
    known = search.operations()
    alike = [known[near] for near in nearest(name, list(known), NEAR)]
    meant = alike + search.find(name)[:NEAR]
    near = {each.name: each for each in meant if _refusal(door, each) is None}
    return [f"{each}({_signature(_published(door, each))})" for each in list(near)[:NEAR]]


def _published(door: Door, name: str) -> dict[str, Any]:
    """The tool of an operation; every operation that is found has one."""
    published = door.schema(name)
    assert published is not None
    return published


def _refusal(door: Door, operation: search.Operation) -> BillingError | None:
    """Why the caller cannot have a tool, neither directly nor by a runner."""
    refusal = door.refusal(operation.name)
    if refusal is not None or door.is_served(operation.name):
        return refusal
    runner = RUNNERS[_reads(_published(door, operation.name))]
    if door.is_served(runner):
        return None
    return NotPermitted(f"{operation.name} is not listed, and {runner} is not either.")


def _row(door: Door, operation: search.Operation) -> ToolRow:
    published = _published(door, operation.name)
    served = door.is_served(operation.name)
    how: Any = "directly" if served else RUNNERS[_reads(published)]
    return ToolRow(
        name=operation.name,
        title=operation.title,
        toolset=operation.toolset,
        method=operation.method or None,
        path=operation.path or None,
        served=served,
        run=how,
        arguments=None if served else _signature(published),
        deprecated=_successors(operation.name),
    )


def _successors(name: str) -> str | None:
    """What a deprecated tool's row says; a description, which says it too, is not in the row."""
    if name not in SUPERSEDED:
        return None
    return f"use {' and '.join(SUPERSEDED[name])}" if SUPERSEDED[name] else "without a successor"


def _reads(published: dict[str, Any]) -> bool:
    reads: bool = published["annotations"]["readOnlyHint"]
    return reads


def _signature(published: dict[str, Any]) -> str:
    """`accountId, pageSize?`: what must be given, then what may be."""
    schema = published["inputSchema"]
    required = schema.get("required", [])
    names = schema.get("properties", {})
    return ", ".join([*required, *(f"{name}?" for name in names if name not in required)])


def _note(rows: list[ToolRow], refusals: list[BillingError]) -> str | None:
    if refusals:
        left_out = "1 match is" if len(refusals) == 1 else f"{len(refusals)} matches are"
        return f"{left_out} left out because this server does not allow it: {refusals[0].message}"
    if not rows:
        return "Nothing found. Try other words: what it is about (invoice, credit) and what to do."
    return None
