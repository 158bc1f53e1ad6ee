"""Durations by the calendar, up to the day the vendor writes for an open end."""

import pytest

from billing_mcp.rating.calendar_days import after
from rating.worked import at


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-01-31", "P1M", "2026-02-28"),
        ("2028-01-31", "P1M", "2028-02-29"),
        ("2028-02-29", "P1Y", "2029-02-28"),
        ("2026-11-30", "P3M", "2027-02-28"),
        ("2026-01-01", "P2W", "2026-01-15"),
        ("2026-01-01", "P1DT36H", "2026-01-03T12:00:00"),
        ("2026-01-01", "PT90M30S", "2026-01-01T01:30:30"),
        # Months first, and days from there: 28 February + 1 day
        ("2026-01-31", "P1M1D", "2026-03-01"),
        ("2026-01-01", "P8000Y", "9999-01-01"),
        ("9000-01-01", "P99999W", "9999-01-01"),
        ("9998-12-31", "P1D", "9999-01-01"),
        ("9998-12-31", "P2D", "9999-01-01"),
    ],
)
def test_a_duration_ends_by_the_calendar(start: str, duration: str, end: str) -> None:
    assert after(at(start), duration) == at(end)


@pytest.mark.parametrize("duration", ["", "P", "PT", "1D", "P1.5D", "-P1D", "P1D2M", "P1H"])
def test_what_is_not_a_duration_is_refused(duration: str) -> None:
    with pytest.raises(ValueError, match="ISO-8601"):
        after(at("2026-01-01"), duration)
