"""The lines of an invoice: each explains its own amount and holds the lines it is the sum of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from billing_mcp import money
from billing_mcp.rating.exact_numbers import as_decimal, total


@dataclass(frozen=True, slots=True)
class Line:
    """`type` is one of the vendor's `InvoiceLineItem.type`.

    The amount of a line without children is its exact amount rounded once, by `money.rounded`;
    that of a line with children is the sum of theirs. `clamp` is `minimumRate` or `maximumRate`
    where that bound decided the amount. `source` is the id of what the line is about: a usage
    meter, an add-on, a feature, a credit.
    """

    type: str
    description: str
    exact: Decimal
    amount: Decimal
    quantity: Decimal | None = None
    rate: Decimal | None = None
    slab_order: int | None = None
    clamp: str | None = None
    source: str | None = None
    children: tuple["Line", ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    def walk(self) -> Iterator["Line"]:
        """This line and every line below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


def leaf(
    kind: str,
    description: str,
    exact: Fraction,
    currency: str,
    *,
    quantity: Fraction | None = None,
    rate: Decimal | None = None,
    slab_order: int | None = None,
    clamp: str | None = None,
    source: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Line:
    """A line without children. Here, and nowhere else in this package, an amount is rounded."""
    written = as_decimal(exact)
    return Line(
        kind,
        description,
        written,
        money.rounded(written, currency),
        None if quantity is None else as_decimal(quantity),
        rate,
        slab_order,
        clamp,
        source,
        (),
        metadata or {},
    )


def parent(
    kind: str,
    description: str,
    children: Sequence[Line],
    currency: str,
    *,
    quantity: Fraction | None = None,
    clamp: str | None = None,
    source: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Line:
    """A line that is the sum of its children; without any it is zero."""
    nothing = money.rounded(Decimal(0), currency)
    return Line(
        kind,
        description,
        total(child.exact for child in children),
        total((nothing, *(child.amount for child in children))),
        None if quantity is None else as_decimal(quantity),
        None,
        None,
        clamp,
        source,
        tuple(children),
        metadata or {},
    )


def amount_of(lines: Sequence[Line]) -> Decimal:
    """The sum of the rounded amounts."""
    return total(line.amount for line in lines)
