"""How the sandbox's clock stands, moves and reads durations."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from billing_mcp.sandbox import SandboxSettings, clock, open_sandbox
from sandbox.asking import Asker

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_the_clock_stands_at_its_start_until_it_is_moved(ask: Asker) -> None:
    assert ask.control("GET", "/clock") == {"now": "2026-11-20T12:00:00Z"}
    assert ask.control("GET", "/clock") == {"now": "2026-11-20T12:00:00Z"}


def test_the_settings_can_start_the_clock_elsewhere() -> None:
    ask = Asker(open_sandbox(SandboxSettings(demo=False, now=datetime(2027, 3, 1, tzinfo=UTC))))

    assert ask.control("GET", "/clock") == {"now": "2027-03-01T00:00:00Z"}


def test_the_clock_is_set_to_a_later_time(ask: Asker) -> None:
    moved = ask.control("POST", "/clock", {"now": "2027-01-01T01:00:00+01:00"})

    assert moved == {"now": "2027-01-01T00:00:00Z", "ran": []}
    assert ask.control("GET", "/clock") == {"now": "2027-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"now": "2026-11-20T11:59:59Z"}, "stands at 2026-11-20T12:00:00Z and only moves forward"),
        ({"now": "2026-11-21"}, "now must be an RFC 3339 time"),
        ({"now": "2026-11-21T00:00:00"}, "now must be an RFC 3339 time"),
        ({"advance": "1 day"}, "advance: '1 day' is not an ISO-8601 duration"),
        ({"advance": "P"}, "is not an ISO-8601 duration"),
        ({"advance": "P1DT"}, "is not an ISO-8601 duration"),
        ({"advance": "P9999Y"}, "at most ten years at a time"),
        ({"advance": "P10Y1D"}, "at most ten years at a time"),
        ({"advance": "P1D", "now": "2027-01-01T00:00:00Z"}, 'give {"now": "<time>"} or'),
        ({}, 'give {"now": "<time>"} or'),
    ],
)
def test_a_wish_the_clock_cannot_grant_answers_400_and_changes_nothing(
    ask: Asker, body: dict[str, str], message: str
) -> None:
    answer = ask.at("POST", "/control/clock", body)

    assert answer.status == 400
    assert message in answer.message
    assert ask.control("GET", "/clock") == {"now": "2026-11-20T12:00:00Z"}


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        (NOON, "P1D", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        (NOON, "PT6H", datetime(2026, 11, 20, 18, tzinfo=UTC)),
        (NOON, "P2W", datetime(2026, 12, 4, 12, tzinfo=UTC)),
        (NOON, "P1Y2M3DT4H5M6S", datetime(2028, 1, 23, 16, 5, 6, tzinfo=UTC)),
        (datetime(2027, 1, 31, tzinfo=UTC), "P1M", datetime(2027, 2, 28, tzinfo=UTC)),
        (datetime(2028, 1, 31, tzinfo=UTC), "P1M", datetime(2028, 2, 29, tzinfo=UTC)),
        (datetime(2026, 12, 31, tzinfo=UTC), "P2M", datetime(2027, 2, 28, tzinfo=UTC)),
    ],
)
def test_durations_count_months_by_the_calendar(
    start: datetime, duration: str, end: datetime
) -> None:
    assert clock.after(start, duration) == end


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T12:00:00Z", NOON),
        ("2026-11-20T12:00:00+0000", NOON),
        ("2026-11-20t17:30:00.000+05:30", NOON),
        ("2026-11-20T12:00:00.123456789Z", NOON + timedelta(microseconds=123456)),
    ],
)
def test_times_are_read_in_every_form_the_sdks_send(text: str, moment: datetime) -> None:
    assert clock.read(text) == moment


@pytest.mark.parametrize(
    "text", ["", "2026-11-20", "2026-13-01T00:00:00Z", "0001-01-01T00:00+23:00"]
)
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        clock.read(text)


def test_written_times_sort_as_the_times_do() -> None:
    moments = [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        NOON,
        datetime(2026, 11, 20, 13, tzinfo=timezone(timedelta(minutes=30))),
        clock.OPEN_END,
    ]

    written = [clock.written(moment) for moment in moments]

    assert written == sorted(written)
    assert written[2:4] == ["2026-11-20T12:00:00.000Z", "2026-11-20T12:30:00.000Z"]
    assert {len(text) for text in written} == {24}
