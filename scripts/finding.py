"""How well a person's words find the tool: figures of both parts of the questions.

    python scripts/finding.py [--unseen]

Without `--unseen` only the questions to tune on are asked, and those are shown whose first answer
is wrong. With it there are the figures of both parts and no question; the README beside the
questions says when to use it.
"""

import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from billing_mcp import search

QUESTIONS = Path(__file__).parents[1] / "tests" / "search" / "questions.csv"


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    text: str
    right: frozenset[str]


def questions(part: str) -> list[Question]:
    """The questions of one part; those of the other are dropped as they are read."""
    with QUESTIONS.open(encoding="utf-8", newline="") as file:
        return [
            Question(row["id"], row["question"], frozenset(row["operation"].split(" | ")))
            for row in csv.DictReader(file)
            if row["part"] == part
        ]


def place(question: Question) -> int:
    """Where the first right operation stands among what is found, from 1; 0 for nowhere."""
    for position, found in enumerate(search.find(question.text), 1):
        if f"{found.method} {found.path}" in question.right:
            return position
    return 0


def figures(part: str) -> str:
    places = [place(question) for question in questions(part)]
    first = sum(1 for found in places if found == 1)
    third = sum(1 for found in places if 1 <= found <= 3)
    count = len(places)
    return f"{part}: {count} questions, first {first / count:.1%}, in three {third / count:.1%}"


def misses() -> Iterator[str]:
    for question in questions("tuning"):
        found = place(question)
        if found != 1:
            names = ", ".join(each.name for each in search.find(question.text)[:3])
            yield f"{found or '-':>3} {question.id} {question.text}\n        {names}"


if __name__ == "__main__":
    start = time.perf_counter()
    search.find("warm")
    built = time.perf_counter()
    print(figures("tuning"))
    asked = (time.perf_counter() - built) / len(questions("tuning"))
    print(f"built in {(built - start) * 1000:.0f} ms, {asked * 1000:.2f} ms a question")
    if "--unseen" in sys.argv[1:]:
        print(figures("unseen"))
    else:
        print("\n".join(misses()))
