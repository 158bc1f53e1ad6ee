"""Walks through Togai's lists: every row of all their pages, within a bound."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from billing_mcp.errors import Unavailable
from billing_mcp.results import Result, TokenPage
from billing_mcp.upstream import Togai

Row = TypeVar("Row", bound=Result)

PAGES_SEARCHED = 20


class MoreThanSearched(Unavailable):
    """The list goes on beyond what is looked through."""


async def rows(
    togai: Togai,
    kind: type[Row],
    route: str,
    size: int | None,
    *,
    at: Mapping[str, str] | None = None,
    query: Mapping[str, Any] | None = None,
) -> AsyncIterator[Row]:
    """Every row, in the list's order, read in pages of `size`; None: the vendor takes no size.

    Raises `MoreThanSearched` after `PAGES_SEARCHED` pages if there are more.
    """
    asked: Mapping[str, Any] = {**(query or {}), "pageSize": size}
    for _ in range(PAGES_SEARCHED):
        page = await togai.fetch(
            TokenPage[kind],  # type: ignore[valid-type]  # pydantic makes the page at run time
            route=route,
            at=at,
            query=asked,
        )
        for row in page.data:
            yield row
        if not page.nextToken:
            return
        asked = {"nextToken": page.nextToken}
    most = f"{PAGES_SEARCHED} pages" if size is None else f"{PAGES_SEARCHED * size} rows"
    raise MoreThanSearched(f"There are more than {most} to look through.")
