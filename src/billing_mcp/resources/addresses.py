"""What a `billing://` URI names: a collection, one thing in it, and which page of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from billing_mcp.resources import SCHEME

_SHAPE = re.compile(
    r"billing://(?P<collection>[a-z-]{1,40})(?:/(?P<name>[^/?#]*))?(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE,
)

# Longer than any URI that we write: an id of 50 characters, a token of 600, all percent-encoded.
_LONGEST_URI = 4000


@dataclass(frozen=True, slots=True)
class Address:
    """A URI taken apart, its parts decoded. `name` is None for the collection itself."""

    collection: str
    name: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)

    def at(self, **query: str) -> str:
        """The URI of another part of the same thing."""
        return uri(self.collection, self.name, {**self.query, **query})


def uri(collection: str, name: str | None = None, query: Mapping[str, str] | None = None) -> str:
    """The URI of a thing, whatever characters its id has."""
    path = collection if name is None else f"{collection}/{quote(name, safe='')}"
    asked = "&".join(f"{key}={quote(value, safe='')}" for key, value in (query or {}).items())
    return f"{SCHEME}{path}?{asked}" if asked else f"{SCHEME}{path}"


def parsed(text: str) -> Address | None:
    """The address that a URI is; None for one that can name nothing here."""
    match = _SHAPE.fullmatch(text) if len(text) <= _LONGEST_URI else None
    if match is None:
        return None
    try:
        name = unquote(match["name"] or "", errors="strict")
        query = {
            key: unquote(value, errors="strict")
            for key, _, value in (part.partition("=") for part in _parts(match["query"]))
        }
    except UnicodeDecodeError:
        return None
    if any(part in (".", "..") for part in re.split(r"[/\\]", name)):
        return None
    return Address(match["collection"].lower(), name or None, query)


def _parts(query: str | None) -> list[str]:
    return [part for part in (query or "").split("&") if part]
