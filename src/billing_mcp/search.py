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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources

from billing_mcp.spelling import Spelling

# What a match is worth: of the word itself, of a thing by another name, of two neighbours, of what
# an id is of, of a word in a name or title (where it says more than among the everyday words).
WORD, THING, PAIR, ID, TITLE = 1.0, 1.0, 0.6, 1.0, 2
CORRECTED = 0.7
# By what an operation gains that does what is asked for, one that reads when somebody asks or
# writes when somebody orders, and one all of whose title is asked for.
ACT, KIND, SUBJECT = 1.3, 1.3, 1.3
# BM25: how soon a repeated word says nothing new, how far a long text is held against an operation.
SATURATION, LENGTH = 1.5, 0.4
LONGEST_QUERY = 60

_LOOKS = frozenset({"=list", "=get", "=validate", "=simulate"})
_GENERATION = re.compile(r"v[12]")
# What stands between two phrases.
END = ";"
_PARTS = re.compile(r"v[12]\b|[a-z]+|\d+|;")
_COMPOUND = re.compile(r"\b([a-z]{3,})(?:-[a-z]+)+\b")
# What somebody does not mean: "the draft, not the live one".
_CONTRAST = re.compile(
    r"(?<=[,;(-])\s*(?:and |but )?"
    r"(?:not|no|never|without|instead of|rather than|(?:i )?don'?t|nothing|nobody)\b[^.,;:!?)]*"
)
_LETTERS, _DIGIT = re.compile(r"[a-z]+"), re.compile(r"\d")
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
        self._things: Phrases = {}
        self._acts: Phrases = {}
        self.stop, self.opening, self.fillers = set[str](), set[str](), set[str]()
        self.act_words = set[str]()
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
                if row["kind"] == "act":
                    self.act_words.update(stems)
                phrases.setdefault(stems[0], []).append((stems, f"={row['concept']}"))
        for phrases in (self._things, self._acts):
            for found in phrases.values():
                found.sort(key=lambda phrase: -len(phrase[0]))

    def vocabulary(self) -> set[str]:
        """Every stem that means something; the words of the acts are no typing errors either."""
        things = {stem for found in self._things.values() for stems, _ in found for stem in stems}
        return things | {_stem(word) for word in self.act_words | self.opening | self.fillers}

    def things(self, stems: list[str]) -> list[str]:
        return _meant(stems, self._things)

    def acts(self, words: list[str]) -> frozenset[str]:
        return frozenset(_meant(words, self._acts))


def _meant(stems: list[str], phrases: Phrases) -> list[str]:
    """What words stand for; a price plan is a plan, and no price."""
    meant: list[str] = []
    after = 0
    for start, stem in enumerate(stems):
        if start < after or stem not in phrases:
            continue
        longest = 1
        second = stems[start + 1] if start + 1 < len(stems) else END
        for phrase, concept in phrases[stem]:
            size = len(phrase)
            if size < longest:
                break
            if size == 1 or (phrase[1] == second and stems[start : start + size] == phrase):
                longest = size
                meant.append(concept)
        after = start + longest
    return meant


class Index:
    """What is known of the operations' words, and how rare each of them is."""

    def __init__(self, known: Iterable[Operation], concepts: Concepts) -> None:
        self._operations = list(known)
        self._concepts = concepts
        # The verb of a name is its first word.
        self._acts = [
            concepts.acts([each.name.removeprefix("batch-").split("-")[0]])
            for each in self._operations
        ]
        self._within: dict[str, list[tuple[int, int]]] = defaultdict(list)
        sizes = [self._read(position, each) for position, each in enumerate(self._operations)]
        usual = sum(sizes) / len(sizes)
        self._damped = [SATURATION * (1 - LENGTH + LENGTH * size / usual) for size in sizes]
        things = [concepts.things(stems_of(each.title)) for each in self._operations]
        self._subjects = [self._shares(found) for found in things]
        words = (*filter(str.isalpha, self._within), *concepts.vocabulary())
        self._verbs = Spelling(concepts.act_words, lambda _: 0)
        self._stems = Spelling(words, lambda stem: len(self._within.get(stem, ())))

    def find(self, query: str) -> list[Operation]:
        asked = self._asked(query)
        scores: dict[int, float] = defaultdict(float)
        for feature, weight in asked.features.items():
            found = self._within.get(feature, ())
            rarity = self._rarity(feature)
            for position, count in found:
                damped = count * (SATURATION + 1) / (count + self._damped[position])
                scores[position] += weight * rarity * damped
        for position in scores:
            subject = self._subjects[position]
            share = sum(subject[thing] for thing in subject.keys() & asked.features.keys())
            scores[position] *= 1 + (SUBJECT - 1) * share
            if asked.acts & self._acts[position]:
                scores[position] *= ACT
            if asked.reads is self._operations[position].reads:
                scores[position] *= KIND
        ranked = sorted(scores, key=lambda position: (-scores[position], position))
        return [self._operations[position] for position in ranked]

    def _rarity(self, feature: str) -> float:
        found = len(self._within.get(feature, ()))
        return math.log(1 + (len(self._operations) - found + 0.5) / (found + 0.5))

    def _shares(self, things: list[str]) -> dict[str, float]:
        """How much each of these things says of the whole, from 0 to 1: the rarer the more."""
        whole = sum(map(self._rarity, things))
        return {thing: self._rarity(thing) / whole for thing in things}

    def _read(self, position: int, operation: Operation) -> int:
        """Notes what an operation is known by, and how often; returns how much that is."""
        features = self._features([_stem(part) for part in _PARTS.findall(operation.words)])
        for phrase in (operation.name, operation.title):
            features += dict.fromkeys(self._features(stems_of(phrase)))
        for parameter in _PARAMETER.findall(operation.path):
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", parameter)
            features += self._ids([*stems_of(words), "#"])
        for feature, count in Counter(features).items():
            self._within[feature].append((position, count))
        return len(features)

    def _asked(self, query: str) -> Asked:
        query = _COMPOUND.sub(self._unless_name, _CONTRAST.sub(" ", query.lower()))
        stems, corrected = [], set()
        for stem in stems_of(query)[:LONGEST_QUERY]:
            stems.append(self._known(stem))
            if stems[-1] != stem:
                corrected.add(stems[-1])
        features = {
            feature: _weight(feature) * (CORRECTED if feature in corrected else 1)
            for feature in self._features(stems)
        }
        acts = self._concepts.acts([self._spelled(word) for word in _plain(query)[:LONGEST_QUERY]])
        # With the id of a thing at hand nobody wants the list of them; accounts and customers are
        # mostly whose things are asked for.
        if any(f[-1] == "#" and f not in ("=account #", "=customer #") for f in features):
            acts = acts - {"=list"} | {"=get"}
        elif self._of_several(query):
            acts = acts - {"=get"} | {"=list"}
        reads = True if self._wants_to_see(query) else False if acts - _LOOKS else None
        return Asked(features, acts, reads)

    def _unless_name(self, compound: re.Match[str]) -> str:
        """Nothing for what begins with a word nobody knows, as "acme-old": it names a thing."""
        first = _stem(compound[1])
        return compound[0] if first in self._stems or first in self._concepts.stop else " "

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

    def _features(self, stems: list[str]) -> list[str]:
        """The words that say something, the pairs they form, the things they mean, ids of what."""
        stop = self._concepts.stop
        telling = [stem for stem in stems if stem not in stop and stem != "#"]
        pairs = [
            f"{one} {two}" for one, two in itertools.pairwise(telling) if END not in (one, two)
        ]
        ids = self._ids(stems) if "#" in stems else ()
        words = [stem for stem in telling if stem != END]
        return [*words, *pairs, *self._concepts.things(stems), *ids]

    def _ids(self, stems: list[str]) -> set[str]:
        """For each id in a text what the words before it say that it is of: `=invoice #`."""
        return {
            f"{thing} #"
            for end, stem in enumerate(stems)
            if stem == "#"
            for thing in self._concepts.things(stems[max(0, end - 2) : end])
        }

    def _spelled(self, word: str) -> str:
        """A word as the acts have it."""
        stem = _stem(word)
        known = stem in self._stems or stem in self._concepts.stop
        return word if known else self._verbs.correct(word)

    def _known(self, stem: str) -> str:
        return stem if stem in self._concepts.stop else self._stems.correct(stem)


def _weight(feature: str) -> float:
    if feature[-1] == "#":
        return ID
    return THING if feature[0] == "=" else PAIR if " " in feature else WORD


def _plain(text: str) -> list[str]:
    return _LETTERS.findall(text.lower().replace("'", ""))


def stems_of(text: str) -> list[str]:
    """The stems of a text's words; for an id or a name in snake_case a `#`.

    Of an id such as inv.4bX the kind stays as well.
    """
    if "_" in text:
        text = _SNAKE.sub(" 0 ", text)
    text = text.lower().replace("'s", "").replace("'", "")
    if not _DIGIT.search(text):
        return [_stem(word) for word in _LETTERS.findall(text)]
    stems = []
    for chunk in re.findall(r"[\w.@]+", text):
        word = chunk.strip(".")
        if _GENERATION.fullmatch(word):
            stems.append(word)
        elif re.search(r"\d", word):
            kind = re.match(r"([a-z_]{2,})[._]", word)
            stems += [_stem(part) for part in kind[1].split("_") if part] if kind else []
            stems.append("#")
        else:
            stems += [_stem(part) for part in re.findall(r"[a-z]+", word)]
    return stems


@functools.lru_cache(maxsize=8192)
def _stem(word: str) -> str:
    """The word without the endings of number and tense; enough for texts as short as these."""
    if word.isdigit():
        return "#"
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


@functools.cache
def _index() -> Index:
    return Index(operations().values(), Concepts(_rows("concepts.csv")))


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("billing_mcp").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
