"""Reads a guide as its tests need it: sections, the tables in them, and the figures in bold."""

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import billing_mcp
from billing_mcp import money

FOLDER = Path(billing_mcp.__file__).parent / "guides"
TOPICS = sorted(path.stem for path in FOLDER.glob("*.md"))

Rows = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Section:
    """The text below a heading. What a test calculates with is read from it."""

    heading: str
    text: str

    @property
    def figures(self) -> list[str]:
        """What is in bold, in reading order."""
        return re.findall(r"\*\*(.+?)\*\*", self.text)

    @property
    def tables(self) -> list[Rows]:
        """The rows of each table by the names of its columns."""
        found = []
        for block in re.findall(r"(?:^\|.*\n?)+", self.text, re.MULTILINE):
            header, _, *rows = [_cells(line) for line in block.splitlines()]
            found.append([dict(zip(header, row, strict=True)) for row in rows])
        return found

    @property
    def inputs(self) -> dict[str, str]:
        """The table of one input a row."""
        (rows,) = [table for table in self.tables if list(table[0]) == ["input", "value"]]
        return {row["input"]: row["value"] for row in rows}

    def stated(self, pattern: str) -> tuple[str, ...]:
        """What the text states where the pattern has its groups."""
        match = re.search(pattern, self.text)
        assert match is not None, f"{self.heading} does not say {pattern}"
        return match.groups()


@dataclass(frozen=True, slots=True)
class Guide:
    topic: str
    text: str

    @property
    def paragraphs(self) -> list[str]:
        return self.text.split("\n\n")

    @property
    def sections(self) -> dict[str, Section]:
        """By heading; what stands before the first heading is the section without a name."""
        begin, *parts = re.split(r"^## ", self.text, flags=re.MULTILINE)
        named = [Section(*part.split("\n", 1)) for part in parts]
        return {"": Section("", begin)} | {section.heading: section for section in named}

    def __getitem__(self, heading: str) -> Section:
        return self.sections[heading]


def read(topic: str) -> Guide:
    return Guide(topic, (FOLDER / f"{topic}.md").read_text(encoding="utf-8"))


def usd(amount: Decimal | int) -> str:
    """An amount as the guides write it."""
    return f"USD {money.plain(money.at_scale(Decimal(amount), 'USD'))}"


def short(number: Decimal | int) -> str:
    """A quantity without zeros at its end."""
    return money.plain(Decimal(number).normalize())


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("**", "") for cell in line.strip().strip("|").split("|")]
