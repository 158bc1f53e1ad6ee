"""The failures of a call: their kinds, their one sentence, and text of others made safe."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_mcp import errors
from billing_mcp.results import Envelope, failure

KINDS = {
    errors.InvalidRequest: ("invalid-request", 400),
    errors.NotFound: ("not-found", 404),
    errors.Conflict: ("conflict", 409),
    errors.NotPermitted: ("not-permitted", 403),
    errors.RateLimited: ("rate-limited", 429),
    errors.Unavailable: ("unavailable", 503),
    errors.OutcomeUnknown: ("outcome-unknown", 504),
    errors.NotConfigured: ("not-configured", 501),
    errors.ApprovalRequired: ("approval-required", 202),
}


def test_every_kind_of_error_is_known_here() -> None:
    assert set(errors.BillingError.__subclasses__()) == set(KINDS)


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_error_has_its_kind_its_status_and_only_the_facts_it_knows(
    kind: type[errors.BillingError],
) -> None:
    name, status = KINDS[kind]
    outcome = failure(kind("It broke."), Envelope("live"))
    assert outcome.is_error
    assert outcome.status == status
    assert outcome.text == "It broke."
    assert outcome.structured == {
        "error": {"kind": name, "message": "It broke."},
        "environment": "live",
    }


def test_an_error_that_knows_more_says_more() -> None:
    error = errors.RateLimited(
        "Too busy.", field="events", retry_after_seconds=0, next_step="Come back."
    )
    outcome = failure(error, Envelope("sandbox", "an-operation"))
    assert outcome.text == "Too busy. Come back."
    assert outcome.structured["error"] == {
        "kind": "rate-limited",
        "message": "Too busy.",
        "field": "events",
        "retryAfterSeconds": 0,
        "next": "Come back.",
        "operationId": "an-operation",
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("  two\r\nlines\t ", "two lines"),
        ("a\x00\x1b[31mb\x7fc\x9bd", "a [31mb c d"),
        ("left\u202eright\u2066in\u2069", "left right in"),
        ("a\u2028b\u2029c\ufeffd\u200be", "a b c d e"),
        ("half \ud83d a pair", "half   a pair"),
        ("Zoë 😀 東京", "Zoë 😀 東京"),
        ("", ""),
    ],
)
def test_text_of_others_becomes_one_line_without_anything_hidden(text: str, line: str) -> None:
    assert errors.one_line(text) == line


def test_long_text_of_others_is_cut() -> None:
    assert errors.one_line("x" * 501) == "x" * 499 + "…"
    assert errors.one_line("x" * 500) == "x" * 500
    assert errors.one_line("x" * 10_000_000, 60) == "x" * 59 + "…"


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_one_line_is_never_longer_than_asked_for_and_always_printable(text: str, most: int) -> None:
    line = errors.one_line(text, most)
    assert len(line) <= most
    assert not {unicodedata.category(letter) for letter in line} & {"Cc", "Zl", "Zp", "Cs"}
