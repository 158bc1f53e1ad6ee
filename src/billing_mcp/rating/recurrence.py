"""In which cycles of an association a card is charged, granted or billed."""

from billing_mcp.rating.cards import Recurrence


def due(recurrence: Recurrence, number: int, *, one_time: bool = False) -> bool:
    """Recurring: in the cycles offset, offset + interval, …; one-time: in cycle offset alone."""
    past = number - recurrence.offset
    return past == 0 if one_time else past >= 0 and past % recurrence.interval == 0


def window(recurrence: Recurrence, number: int) -> range | None:
    """The cycles that are billed together in a cycle: those since the last one that billed.

    None in a cycle that does not bill.
    """
    if not due(recurrence, number):
        return None
    first = 0 if number == recurrence.offset else number - recurrence.interval + 1
    return range(first, number + 1)


def open_window(recurrence: Recurrence, number: int) -> range:
    """The cycles whose bill a cycle ends or carries on: with it as the last one, if it were."""
    past = number - recurrence.offset
    if past <= 0:
        return range(number + 1)
    return range(number - (past - 1) % recurrence.interval, number + 1)
