"""Words that the effects of writes are told in: texts of others quoted, amounts at their scale."""

import json
from collections.abc import Sequence
from decimal import Decimal

from billing_mcp import errors, money
from billing_mcp.results import shown

LONGEST_QUOTED = 80
MOST_LISTED = 5


def quoted(text: str) -> str:
    """Text that somebody else wrote, so that it cannot pass for ours: one line, in quotes, cut."""
    return json.dumps(errors.one_line(text, LONGEST_QUOTED), ensure_ascii=False)


def value(of: object) -> str:
    """What a field has: text as `quoted` does it, numbers and truth values as they are."""
    return quoted(of) if isinstance(of, str) else str(of).lower()


def identified(an_id: str) -> str:
    """An id: bare when it cannot be mistaken for anything else, quoted like text otherwise."""
    return shown(errors.one_line(an_id, LONGEST_QUOTED))


def named(kind: str, an_id: str, name: str | None) -> str:
    """`account harbor-main ("Harbor Labs")`."""
    called = f" ({quoted(name)})" if name else ""
    return f"{kind} {identified(an_id)}{called}"


def amount(value: Decimal, currency: str) -> str:
    """`50.00 USD`: at least the currency's decimal places, and every digit there is."""
    return f"{money.plain(money.at_scale(value, currency))} {identified(currency)}"


def counted(number: int, noun: str) -> str:
    """`1 event`, `3 events`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(items: Sequence[str]) -> str:
    """`a, b and c`, or the first few and how many others."""
    if len(items) > MOST_LISTED:
        others = len(items) - MOST_LISTED
        return f"{', '.join(items[:MOST_LISTED])} and {counted(others, 'other')}"
    if len(items) > 1:
        return f"{', '.join(items[:-1])} and {items[-1]}"
    return "".join(items)
