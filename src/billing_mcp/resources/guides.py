"""`billing://guides/{topic}`: how prices, credits, invoices and metering work, in our own words."""

from dataclasses import dataclass
from functools import cache
from importlib import resources

from billing_mcp.resources.addresses import Address, uri
from billing_mcp.resources.reading import Content, Reader, Wanted

GUIDE = Wanted("guide", "guide", "topic", uri("guides"))


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide: the first line of its file is the title, its second paragraph the description."""

    topic: str
    title: str
    description: str
    text: str


@cache
def guides() -> dict[str, Guide]:
    """All guides of the package by topic. The files are read at the first use."""
    folder = resources.files("billing_mcp").joinpath("guides")
    found = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        topic, _, ending = file.name.rpartition(".")
        if ending == "md":
            text = file.read_text(encoding="utf-8")
            title, description = text.split("\n\n", 2)[:2]
            found[topic] = Guide(topic, title.removeprefix("# ").strip(), description.strip(), text)
    return found


async def read(address: Address, reader: Reader) -> Content:
    if address.name is None:
        return Content(_index(), "text/markdown")
    guide = guides().get(address.name)
    if guide is None:
        raise await reader.missing(GUIDE, address.name)
    return Content(guide.text, "text/markdown")


def _index() -> str:
    lines = [
        f"- {uri('guides', guide.topic)}: {guide.title}. {guide.description}"
        for guide in guides().values()
    ]
    return "\n".join(["# Guides", "", *lines, ""])
