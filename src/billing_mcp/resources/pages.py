"""A document cut into pages that a model's context has room for, at the ends of lines and rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mcp.server.mcpserver.exceptions import ResourceNotFoundError

from billing_mcp.resources.addresses import Address
from billing_mcp.resources.markdown import header

# 5,000 tokens at four bytes each.
PAGE_BYTES = 20_000

# A line that is longer than this is cut; no field of the vendors is nearly as long.
_LINE_BYTES = 6_000


@dataclass(frozen=True, slots=True)
class Section:
    """Facts, then a table or a list. Heading and columns are repeated where a page goes on."""

    heading: str | None = None
    facts: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """`more` is where the vendor goes on with a list, shown at the end of the last page."""

    title: str
    environment: str
    sections: Sequence[Section] = field(default_factory=tuple)
    more: str | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """Lines that stay together, and what they are when they begin a page."""

    lines: tuple[str, ...]
    first: tuple[str, ...]


def rendered(document: Document, address: Address) -> str:
    """The page of a document that an address names.

    Raises `ResourceNotFoundError` for a page that it does not have.
    """
    pages = list(_packed(document, address))
    asked = address.query.get("page", "1")
    # Text of digits only, so that nothing else is ever counted with.
    number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 6 else 0
    if not 1 <= number <= len(pages):
        raise ResourceNotFoundError(
            f"There is no such page of it; its pages are 1 to {len(pages)}."
            if len(pages) > 1
            else "There is no such page of it; it has only one."
        )
    top = _top(document, number, len(pages))
    bottom = _bottom(document, address, number, len(pages))
    return "\n".join([*top, *pages[number - 1], *bottom]) + "\n"


def _packed(document: Document, address: Address) -> Iterator[list[str]]:
    # Page numbers of four digits, so that what stands around a page is never longer than counted.
    around = _size([*_top(document, 1000, 9999), *_bottom(document, address, 1000, 9999)])
    if document.more:
        around += len(document.more.encode()) + 1
    room = PAGE_BYTES - around
    page: list[str] = []
    filled = 0
    for section in document.sections:
        for piece in _pieces(section):
            added = piece.lines
            if page and filled + _size(added) > room:
                yield page
                page, filled, added = [], 0, ("", *piece.first)
            page.extend(added)
            filled += _size(added)
    yield page


def _pieces(section: Section) -> Iterator[_Piece]:
    """Each line with the heading or table head that has to precede it, once on every page."""
    again = ("", f"{section.heading} (continued)", "") if section.heading else ("",)
    head: tuple[str, ...] = ("", section.heading, "") if section.heading else ()
    for line in map(_bounded, section.facts):
        yield _Piece((*head, line), (*(head or again)[1:], line))
        head = ()
    columns = header(section.columns) if section.columns else ()
    gap = () if section.heading and not section.facts else ("",)
    for position, line in enumerate(map(_bounded, section.rows)):
        if position == 0:
            yield _Piece((*head, *gap, *columns, line), (*(head or again)[1:], *columns, line))
        else:
            yield _Piece((line,), (*again[1:], *columns, line))


def _bounded(line: str) -> str:
    encoded = line.encode()
    if len(encoded) <= _LINE_BYTES:
        return line
    return encoded[:_LINE_BYTES].decode(errors="ignore") + "…"


def _top(document: Document, number: int, pages: int) -> list[str]:
    which = f", page {number} of {pages}" if pages > 1 else ""
    return [_bounded(f"# {document.title}{which}"), "", f"- environment: {document.environment}"]


def _bottom(document: Document, address: Address, number: int, pages: int) -> list[str]:
    if number < pages:
        return ["", f"Page {number} of {pages}. Next: {address.at(page=str(number + 1))}"]
    lines = [document.more] if document.more else []
    if pages > 1:
        lines.insert(0, f"Page {number} of {pages}, the last.")
    return ["", *lines] if lines else []


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
