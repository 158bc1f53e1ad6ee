"""The lines of rating, as the vendor's invoices show them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.lines import Line
from billing_mcp.sandbox.togai.columns import present


def wire(line: Line) -> dict[str, Any]:
    """A line with all below it. What the vendor has no field for is in its metadata."""
    metadata: dict[str, str] = dict(line.metadata)
    if line.slab_order is not None:
        metadata["slabOrder"] = str(line.slab_order)
    if not line.children and line.exact != line.amount:
        metadata["exactAmount"] = money.plain(line.exact)
    return present(
        id=line.source,
        description=line.description,
        type=line.type,
        value=line.amount,
        quantity=line.quantity,
        valuePerQuantity=line.rate,
        metadata=metadata or None,
        lineItems=[wire(child) for child in line.children],
    )


def usage_lines(usage: Mapping[str, Decimal], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """What each priced meter counted; `names` are the cards' by the usage meter's id."""
    return [
        {
            "id": meter_id,
            "description": name,
            "type": "USAGE_METER_USAGE",
            "value": usage.get(meter_id, Decimal(0)),
            "lineItems": [],
        }
        for meter_id, name in names.items()
    ]
