"""Which miscellaneous charges an invoice has: its own, and its account's if it is the upcoming one.

Ours: an account's upcoming invoice is the STANDARD draft that becomes final first.
"""

from collections.abc import Sequence
from typing import Any

from billing_mcp.rating.lines import Line
from billing_mcp.rating.miscellaneous_charges import charge_lines, read_charge
from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai.columns import packed, unpacked


def keep(request: Call, owner_id: str, items: Sequence[dict[str, Any]]) -> None:
    """Replace the charges of an invoice, or of an account's upcoming one."""
    forget(request, owner_id)
    if items:
        request.db.execute(
            "insert into miscellaneous_charges (owner_id, items) values (?, ?)",
            (owner_id, packed(list(items))),
        )


def forget(request: Call, owner_id: str) -> None:
    request.db.execute("delete from miscellaneous_charges where owner_id = ?", (owner_id,))


def kept(request: Call, owner_id: str) -> list[dict[str, Any]]:
    row = request.db.execute(
        "select items from miscellaneous_charges where owner_id = ?", (owner_id,)
    ).fetchone()
    return [] if row is None else list(unpacked(row, "items"))


def lines(request: Call, invoice: Row, cards: Sequence[Line]) -> list[Line]:
    """The lines of a draft's charges, over the lines of its cards."""
    items = kept(request, invoice["id"])
    if _is_upcoming(request, invoice):
        items += kept(request, invoice["owner_id"])
    return charge_lines([read_charge(item) for item in items], cards, invoice["currency"])


def take_over(request: Call, invoice: Row) -> None:
    """A draft becomes final: charges of the upcoming invoice are its own from now on."""
    if _is_upcoming(request, invoice) and (items := kept(request, invoice["owner_id"])):
        keep(request, invoice["id"], [*kept(request, invoice["id"]), *items])
        forget(request, invoice["owner_id"])


def _is_upcoming(request: Call, invoice: Row) -> bool:
    first = request.db.execute(
        "select id from invoices where owner_id = ? and status = 'DRAFT' and type = 'STANDARD'"
        " and final_at is not null order by final_at, start_date, id limit 1",
        (invoice["owner_id"],),
    ).fetchone()
    return first is not None and first["id"] == invoice["id"]
