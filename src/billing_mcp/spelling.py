"""Taking a word nobody knows for the known one that somebody meant to type."""

from collections import defaultdict
from collections.abc import Callable, Iterable

# Words of fewer letters are not corrected, those of fewer than LONG not for a wrong letter, those
# of fewer than VERY_LONG not for two errors.
SHORTEST, LONG, VERY_LONG = 4, 6, 8
LEAST, ONE, TWO, TOO_MANY = 1, 2, 3, 9
_FARTHEST = 2


class Spelling:
    """The words there are, by the letter they begin with, which typing errors mostly spare."""

    def __init__(self, words: Iterable[str], use: Callable[[str], int]) -> None:
        """`use` says how often a word is used: of two that are as near the commoner is taken."""
        self._words = frozenset(words)
        self._use = use
        self._alike: dict[tuple[str, int], list[str]] = defaultdict(list)
        for word in sorted(self._words):
            self._alike[word[0], len(word)].append(word)

    def __contains__(self, word: str) -> bool:
        return word in self._words

    def correct(self, word: str) -> str:
        """The known word that this one is a typing error of; the word itself if there is none."""
        if word in self._words or len(word) < SHORTEST:
            return word
        near = [
            (slips, -self._use(known), known)
            for length in range(len(word) - _FARTHEST, len(word) + _FARTHEST + 1)
            for known in self._alike.get((word[0], length), ())
            if (slips := _slips(word, known)) < TOO_MANY
        ]
        return min(near)[-1] if near else word


def _slips(one: str, two: str) -> int:
    """How far two words that begin alike are from being one and the same; `TOO_MANY` for too far.

    A letter doubled or single by mistake and two that changed places are the least of errors. A
    short word with one letter changed is mostly another word, and so is a longer one with two.
    """
    start = 0
    while start < min(len(one), len(two)) and one[start] == two[start]:
        start += 1
    before, one, two = one[start - 1], one[start:], two[start:]
    short, long = sorted((one, two), key=len)
    if len(short) == len(long):
        if one[:2] == two[1::-1] and one[2:] == two[2:]:
            return LEAST
        if one[1:] == two[1:]:
            return ONE if start + len(one) >= LONG else TOO_MANY
    elif long[1:] == short:
        return LEAST if long[0] == before else ONE
    if start + len(short) < VERY_LONG or _distance(one, two) > _FARTHEST:
        return TOO_MANY
    return TWO


def _distance(one: str, two: str) -> int:
    """How many letters have to be put in, taken out, replaced or swapped with their neighbour."""
    older: list[int] = []
    last = list(range(len(two) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, other in enumerate(two, 1):
            cost = min(last[column] + 1, now[-1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == two[column - 2] and other == one[row - 2]:
                cost = min(cost, older[column - 2] + 1)
            now.append(cost)
        older, last = last, now
    return last[-1]
