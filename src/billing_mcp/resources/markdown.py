"""Text of a resource: other people's words quoted and harmless, amounts, times, table rows."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from billing_mcp import results

# A host may render what it reads, so text of customers must be no link, picture or table cell.
_MARKUP = re.compile(r"[\[\]<>`|*]")
_BARE = re.compile(r"[\w.@:+/#$%-]+")
_MIDNIGHT = re.compile(r"(\d{4}-\d{2}-\d{2})T00:00(?::00(?:\.0+)?)?Z")
_WHOLE_SECONDS = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\.0+Z")

# How the vendor writes an end that is open.
_OPEN_END = "9999-"


def quoted(value: Any) -> str:
    """Data as text of one line: bare when it is one plain word, else in quotes."""
    text = results.visible(results.shown(value))
    return text if _BARE.fullmatch(text) else _MARKUP.sub(r"\\\g<0>", text)


def clipped(value: Any, limit: int) -> str:
    """Data that is only shown so that one row can be told from another."""
    if isinstance(value, str) and len(value) > limit:
        value = value[: limit - 1] + "…"
    return quoted(value)


def amount(value: Any, currency: Any) -> str:
    """An amount or a rate as the tools give it, its currency beside it; nothing for no amount."""
    if value is None:
        return ""
    return f"{quoted(value)} {quoted(currency)}" if currency else quoted(value)


def moment(value: Any) -> str:
    """A UTC time in as few characters as keep it exact: midnight is shown as its day."""
    text = quoted(value)
    return _WHOLE_SECONDS.sub(r"\1Z", _MIDNIGHT.sub(r"\1", text))


def span(start: Any, end: Any) -> str:
    """A period; the vendor's ends are exclusive."""
    if end is None or str(end).startswith(_OPEN_END):
        return f"from {moment(start)} on, without end (UTC)"
    return f"from {moment(start)} until {moment(end)}, end excluded (UTC)"


def facts(pairs: Iterable[tuple[str, str | None]]) -> list[str]:
    """A list of facts, those that are not known left out."""
    return [f"- {name}: {text}" for name, text in pairs if text]


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def header(columns: Iterable[str]) -> tuple[str, str]:
    names = list(columns)
    return row(names), row("---" for _ in names)


def mapping_rows(values: Mapping[str, Any]) -> list[str]:
    """One row for each entry of a map that customers or vendors fill as they like."""
    return [row((quoted(key), quoted(value))) for key, value in values.items()]
