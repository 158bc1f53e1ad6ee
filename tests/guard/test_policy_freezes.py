"""When a policy freezes writes: whole days in UTC, whatever zone a caller writes their time in."""

from datetime import datetime, timedelta, timezone

import pytest

from billing_mcp.guard.policy import Verdict
from guard.policies import policy_of, write

ALLOWED, APPROVAL, REFUSED = Verdict.ALLOWED, Verdict.APPROVAL, Verdict.REFUSED

FREEZES = """
[[everyone.freeze]]
reason = "month end"
last_days_of_month = 2
first_days_of_month = 1
meanwhile = "approval"
[[everyone.freeze]]
reason = "holidays"
first_day = 2026-12-24
last_day = 2026-12-26
[[everyone.freeze]]
reason = "new prices"
first_day = 2026-06-10
last_day = 2026-06-10
tools = ["create-price-plan"]
"""


@pytest.mark.parametrize(
    ("now", "tool", "verdict"),
    [
        ("2026-11-28T23:59:59.999999Z", "create-customer", ALLOWED),
        ("2026-11-29T00:00:00Z", "create-customer", APPROVAL),
        ("2026-11-30T23:59:59Z", "create-customer", APPROVAL),
        ("2026-12-01T23:59:59Z", "create-customer", APPROVAL),
        ("2026-12-02T00:00:00Z", "create-customer", ALLOWED),
        ("2026-02-26T12:00:00Z", "create-customer", ALLOWED),
        ("2026-02-27T12:00:00Z", "create-customer", APPROVAL),
        ("2028-02-27T12:00:00Z", "create-customer", ALLOWED),
        ("2028-02-28T12:00:00Z", "create-customer", APPROVAL),
        ("2028-02-29T12:00:00Z", "create-customer", APPROVAL),
        ("2100-02-27T12:00:00Z", "create-customer", APPROVAL),
        ("2026-12-29T12:00:00Z", "create-customer", ALLOWED),
        ("2026-12-30T12:00:00Z", "create-customer", APPROVAL),
        ("2026-12-23T23:59:59Z", "create-customer", ALLOWED),
        ("2026-12-24T00:00:00Z", "create-customer", REFUSED),
        ("2026-12-26T23:59:59Z", "create-customer", REFUSED),
        ("2026-12-27T00:00:00Z", "create-customer", ALLOWED),
        # The same instants as others write them: the day is the one in UTC.
        ("2026-12-24T05:29:59+05:30", "create-customer", ALLOWED),
        ("2026-12-24T05:30:00+05:30", "create-customer", REFUSED),
        ("2026-12-26T18:59:59-05:00", "create-customer", REFUSED),
        ("2026-12-26T19:00:00-05:00", "create-customer", ALLOWED),
        ("2026-06-10T12:00:00Z", "create-price-plan", REFUSED),
        ("2026-06-10T12:00:00Z", "create-customer", ALLOWED),
        ("2026-06-11T00:00:00Z", "create-price-plan", ALLOWED),
    ],
)
def test_freezes_hold_from_the_first_instant_of_their_days_in_utc_to_the_last(
    now: str, tool: str, verdict: Verdict
) -> None:
    asked = write(tool, now=datetime.fromisoformat(now))
    assert policy_of(FREEZES).decide(asked).verdict is verdict


def test_the_hours_that_summer_time_takes_and_gives_change_nothing() -> None:
    policy = policy_of(FREEZES.replace("2026-12-24", "2026-03-29").replace("12-26", "03-29"))
    # Central Europe's clocks go forward at 01:00 UTC on that day.
    winter, summer = (timezone(timedelta(hours=hours)) for hours in (1, 2))
    first = datetime(2026, 3, 29, 1, 0, tzinfo=winter)
    last = datetime(2026, 3, 30, 1, 59, 59, tzinfo=summer)
    for instant, verdict in (
        (first - timedelta(seconds=1), ALLOWED),
        (first, REFUSED),
        (last, REFUSED),
        (last + timedelta(seconds=1), APPROVAL),
    ):
        decision = policy.decide(write(now=instant))
        assert decision.verdict is verdict, instant
