"""A word nobody knows is taken for the known one that was meant, or left alone."""

import pytest

from billing_mcp.spelling import Spelling

KNOWN = ["account", "amount", "credit", "entitlement", "good", "invoice", "meter", "start"]
SPELLING = Spelling(KNOWN, lambda word: {"account": 9, "amount": 2}.get(word, 1))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("invioce", "invoice"),  # neighbours have changed places
        ("invvoice", "invoice"),  # a letter is doubled
        ("acount", "account"),  # a doubled letter is single, which is likelier than a wrong one
        ("metr", "meter"),  # a letter is missing
        ("metear", "meter"),  # one too many
        ("crefit", "credit"),  # a wrong letter in a long word
        ("entitelmant", "entitlement"),  # two errors in a very long one
    ],
)
def test_a_slip_is_taken_for_the_word_that_differs_least(written: str, meant: str) -> None:
    assert SPELLING.correct(written) == meant


@pytest.mark.parametrize(
    "word",
    [
        "stark",  # a name, one letter from start
        "gold",  # an English word, one letter from good
        "cerdtt",  # two errors in a short word
        "entxxxement",  # three errors
        "acc",  # too short to tell
        "xccount",  # people get the first letter right
        "credit",
    ],
)
def test_what_is_another_word_stays_as_it_is(word: str) -> None:
    assert SPELLING.correct(word) == word


def test_of_two_words_as_near_the_commoner_is_taken() -> None:
    assert Spelling(["planter", "planted"], {"planter": 1, "planted": 2}.__getitem__).correct(
        "plante"
    ) == ("planted")
