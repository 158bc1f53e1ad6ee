"""Finding the tool that a person's own words mean: an index of every vendor operation, offline.

`operations.csv` says in everyday words what each operation is for, `concepts.csv` which words mean
the same here: the names of a thing, and the ways to say that something be done. Both are read at
the first search. A query is compared with each operation by BM25 over stems, pairs of neighbours
and things; then those that do what is asked for (show, create, remove, ...) come before those that
do something else to the same thing. A word nobody knows is taken for the nearest one that is known.
"""

import csv
import functools
import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

from billing_mcp import tools

# What a match is worth: of the word itself, of a thing by another name, of two neighbours, of what
# an id is of, of a word in a name or title (where it says more than among the everyday words).
WORD, THING, PAIR, ID, TITLE = 1.0, 1.0, 0.6, 1.0, 2
CORRECTED = 0.7
# By what an operation gains that does what is asked for, and one that reads when somebody asks or
# writes when somebody orders.
ACT, KIND = 1.2, 1.35
# BM25: how soon a repeated word says nothing new, how far a long text is held against an operation.
SATURATION, LENGTH = 1.5, 0.4
LONGEST_QUERY = 60

_LOOKS = frozenset({"=list", "=get", "=validate", "=simulate"})
_GENERATION = re.compile(r"v[12]")
_SNAKE = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
_PARAMETER = re.compile(r"{(\w+?)(?:_id|Id)?(?:_str)?}")

# First stem → the phrases that begin with it, the longest first, and what each means.
Phrases = dict[str, list[tuple[list[str], str]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of `operations.csv`: an operation of a vendor, or a tool composed of several.

    A composed tool has neither method nor path. `words` are phrases with semicolons between them.
    """

    name: str
    title: str
    toolset: str
    kind: str
    method: str
    path: str
    words: str

    @property
    def reads(self) -> bool:
        return self.kind == "read"

    @property
    def exists(self) -> bool:
        """Whether there is a tool for it yet."""
        return self.name in tools.MODULES


@functools.cache
def operations() -> Mapping[str, Operation]:
    """Every operation by the name of its tool."""
    return {row["name"]: Operation(**row) for row in _rows("operations.csv")}


def find(query: str) -> list[Operation]:
    """The operations that have something to do with the query, the best first."""
    named = operations().get(re.sub(r"[^a-z0-9]+", "-", query.lower()))
    if named is None:
        return _index().find(query)
    return [named, *(other for other in _index().find(named.title) if other != named)]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as the index sees it; `reads` is None where nobody can tell asking from ordering."""

    features: Mapping[str, float]
    acts: frozenset[str]
    reads: bool | None


class Concepts:
    """Which words mean the same: the names of each thing, and the ways to say what to do.

    `stop` are words that say nothing, `opening` those that a question or a wish to be shown
    something begins with, `fillers` what may stand before them.
    """

    def __init__(self, rows: Iterable[Mapping[str, str]]) -> None:
        self._things: Phrases = defaultdict(list)
        self._acts: Phrases = defaultdict(list)
        self.stop, self.opening, self.fillers = set[str](), set[str](), set[str]()
        single = {"stop": self.stop, "opening": self.opening, "filler": self.fillers}
        for row in rows:
            if row["kind"] in single:
                single[row["kind"]].update(row["words"].split("; "))
                continue
            phrases = self._acts if row["kind"] == "act" else self._things
            # An act is matched as it is written: who writes "reports" or "metering" names a thing.
            parts = _plain if row["kind"] == "act" else stems_of
            for phrase in row["words"].split(";"):
                stems = parts(phrase)
                phrases[stems[0]].append((stems, f"={row['concept']}"))
        for phrases in (self._things, self._acts):
            for found in phrases.values():
                found.sort(key=lambda phrase: -len(phrase[0]))

    def vocabulary(self) -> set[str]:
        return {stem for found in self._things.values() for stems, _ in found for stem in stems}

    def things(self, stems: list[str]) -> list[str]:
        return sorted(_meant(stems, self._things))

    def acts(self, text: str) -> frozenset[str]:
        return frozenset(_meant(_plain(text), self._acts))


def _meant(stems: list[str], phrases: Phrases) -> set[str]:
    """What words stand for; a price plan is a plan, and no price."""
    meant: set[str] = set()
    start = 0
    while start < len(stems):
        longest = 1
        for phrase, concept in phrases.get(stems[start], ()):
            if len(phrase) < longest:
                break
            if stems[start : start + len(phrase)] == phrase:
                longest = len(phrase)
                meant.add(concept)
        start += longest
    return meant


class Index:
    """What is known of the operations' words, and how rare each of them is."""

    def __init__(self, known: Iterable[Operation], concepts: Concepts) -> None:
        self._operations = list(known)
        self._concepts = concepts
        # The verb of a name is its first word.
        self._acts = [
            concepts.acts(each.name.removeprefix("batch-").split("-")[0])
            for each in self._operations
        ]
        self._worth = _bm25([self._text(operation) for operation in self._operations])
        self._vocabulary = concepts.vocabulary() | set(filter(str.isalpha, self._worth))
        self._alike: dict[tuple[str, int], list[str]] = defaultdict(list)
        for stem in sorted(self._vocabulary):
            self._alike[stem[0], len(stem)].append(stem)

    def find(self, query: str) -> list[Operation]:
        asked = self._asked(query)
        scores: dict[int, float] = defaultdict(float)
        for feature, weight in asked.features.items():
            for position, worth in self._worth.get(feature, ()):
                scores[position] += weight * worth
        for position in scores:
            if asked.acts & self._acts[position]:
                scores[position] *= ACT
            if asked.reads is self._operations[position].reads:
                scores[position] *= KIND
        ranked = sorted(scores, key=lambda position: (-scores[position], position))
        return [self._operations[position] for position in ranked]

    def _text(self, operation: Operation) -> Counter[str]:
        """What an operation is known by, and how often."""
        text: Counter[str] = Counter()
        for phrase in operation.words.split(";"):
            text.update(self._features(stems_of(phrase)))
        for phrase in (operation.name, operation.title):
            text.update(dict.fromkeys(self._features(stems_of(phrase)), TITLE // 2))
        for parameter in _PARAMETER.findall(operation.path):
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", parameter)
            text.update(self._ids([*stems_of(words), "#"]))
        return text

    def _asked(self, query: str) -> Asked:
        stems, corrected = [], set()
        for stem in stems_of(query)[:LONGEST_QUERY]:
            stems.append(self._known(stem))
            if stems[-1] != stem:
                corrected.add(stems[-1])
        features = {
            feature: _weight(feature) * (CORRECTED if feature in corrected else 1)
            for feature in self._features(stems)
        }
        acts = self._concepts.acts(query)
        # With the id of a thing at hand nobody wants the list of them; accounts and customers are
        # mostly whose things are asked for.
        if any(f[-1] == "#" and f not in ("=account #", "=customer #") for f in features):
            acts = acts - {"=list"} | {"=get"}
        elif self._of_several(query):
            acts = acts - {"=get"} | {"=list"}
        reads = True if self._wants_to_see(query) else False if acts - _LOOKS else None
        return Asked(features, acts, reads)

    def _wants_to_see(self, query: str) -> bool:
        """Whether a sentence begins as a question does, or as a wish to be shown something."""
        for sentence in re.split(r"[.?!:;,](?:\s|$)|\s-\s", query.lower()):
            words = _plain(sentence)
            if words[:2] == ["give", "me"]:
                return True
            first = next((word for word in words if word not in self._concepts.fillers), "")
            if first in self._concepts.opening or self._known(first) in self._concepts.opening:
                return True
        return False

    def _of_several(self, query: str) -> bool:
        """Whether a thing is named in the plural."""
        words = re.findall(r"[a-z]+[^su]s\b", query.lower())
        return any(self._concepts.things(stems_of(word)) for word in words)

    def _features(self, stems: list[str]) -> Iterator[str]:
        """The words that say something, the pairs they form, the things they mean, ids of what."""
        telling = [stem for stem in stems if stem not in self._concepts.stop and stem != "#"]
        yield from telling
        yield from (f"{one} {two}" for one, two in itertools.pairwise(telling))
        yield from self._concepts.things(stems)
        if "#" in stems:
            yield from self._ids(stems)

    def _ids(self, stems: list[str]) -> set[str]:
        """For each id in a text what the words before it say that it is of: `=invoice #`."""
        return {
            f"{thing} #"
            for end, stem in enumerate(stems)
            if stem == "#"
            for thing in self._concepts.things(stems[max(0, end - 2) : end])
        }

    def _known(self, stem: str) -> str:
        """The known stem that a typing error away is this one; the stem itself if there is none."""
        if stem in self._vocabulary or stem in self._concepts.stop or len(stem) < 4:
            return stem
        for length in (len(stem), len(stem) + 1, len(stem) - 1):
            for known in self._alike.get((stem[0], length), ()):
                if _one_slip(stem, known):
                    return known
        return stem


def _weight(feature: str) -> float:
    if feature[-1] == "#":
        return ID
    return THING if feature[0] == "=" else PAIR if " " in feature else WORD


def _bm25(texts: list[Counter[str]]) -> dict[str, list[tuple[int, float]]]:
    """Feature → the texts it is in, each with what a match of it is worth."""
    sizes = [text.total() for text in texts]
    usual = sum(sizes) / len(sizes)
    within: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for position, text in enumerate(texts):
        damped = SATURATION * (1 - LENGTH + LENGTH * sizes[position] / usual)
        for feature, count in text.items():
            within[feature].append((position, count * (SATURATION + 1) / (count + damped)))
    rarity = [
        math.log(1 + (len(texts) - found + 0.5) / (found + 0.5)) for found in range(len(texts) + 1)
    ]
    return {
        feature: [(position, worth * rarity[len(found)]) for position, worth in found]
        for feature, found in within.items()
    }


def _plain(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower().replace("'", ""))


def stems_of(text: str) -> list[str]:
    """The stems of a text's words; for an id or a name in snake_case a `#`.

    Of an id such as inv.4bX the kind stays as well.
    """
    text = _SNAKE.sub(" 0 ", text).lower().replace("'s", "").replace("'", "")
    if not re.search(r"\d", text):
        return [_stem(word) for word in re.findall(r"[a-z]+", text)]
    stems = []
    for chunk in re.findall(r"[\w.@]+", text):
        word = chunk.strip(".")
        if _GENERATION.fullmatch(word):
            stems.append(word)
        elif re.search(r"\d", word):
            kind = re.match(r"([a-z_]{2,})\.", word)
            stems += [_stem(part) for part in kind[1].split("_") if part] if kind else []
            stems.append("#")
        else:
            stems += [_stem(part) for part in re.findall(r"[a-z]+", word)]
    return stems


@functools.lru_cache(maxsize=8192)
def _stem(word: str) -> str:
    """The word without the endings of number and tense; enough for texts as short as these."""
    if len(word) < 4:
        return word
    if word[-1] == "s" and not word.endswith(("ss", "us", "is", "ias")):
        if word.endswith("ies"):
            word = word[:-3] + "y"
        else:
            word = word[: -2 if word.endswith(("sses", "ches", "xes", "iases")) else -1]
    if word == "setting":
        return word
    for ending in ("ing", "ed"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= 3 and re.search("[aeiouy]", rest):
            word = rest[:-1] if rest[-1] == rest[-2] and rest[-1] not in "lsz" else rest
            break
    if len(word) > 3 and word[-1] == "e":
        word = word[:-1]
    if len(word) > 3 and word[-1] == "y":
        word = word[:-1] + "i"
    return word


def _one_slip(one: str, two: str) -> bool:
    """Whether one letter is wrong, missing or too many, or two neighbours have changed places."""
    start = 0
    while start < min(len(one), len(two)) and one[start] == two[start]:
        start += 1
    one, two = one[start:], two[start:]
    if len(one) == len(two):
        return one[1:] == two[1:] or (one[:2] == two[1::-1] and one[2:] == two[2:])
    return one[1:] == two if len(one) > len(two) else one == two[1:]


@functools.cache
def _index() -> Index:
    return Index(operations().values(), Concepts(_rows("concepts.csv")))


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("billing_mcp").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
