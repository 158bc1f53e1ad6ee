"""Columns that hold JSON: written and read with exact numbers."""

from collections.abc import Mapping
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox.store import Row


def packed(value: Any) -> str:
    """A list or object as the text of a column."""
    return money.to_json(value).decode()


def unpacked(row: Row | Mapping[str, Any], column: str) -> Any:
    """What a column of JSON holds; None when the column is null."""
    return None if row[column] is None else money.from_json(row[column])


def present(**wire: Any) -> dict[str, Any]:
    """The fields that have a value: Togai leaves the others out."""
    return {name: value for name, value in wire.items() if value is not None}
