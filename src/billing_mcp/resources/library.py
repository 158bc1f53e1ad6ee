"""The collections of `billing://`: which there are for a caller, and the way to each of them."""

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mcp import MCPError
from mcp.server import CacheHint
from mcp.server.mcpserver.exceptions import (
    ResourceError,
    ResourceNotFoundError,
    UnexpectedResourceError,
)
from mcp.types import Resource, ResourceTemplate

from billing_mcp import resources
from billing_mcp.catalog import Catalog
from billing_mcp.completions import Completions
from billing_mcp.errors import one_line
from billing_mcp.resources import SCHEME
from billing_mcp.resources.addresses import Address, parsed, uri
from billing_mcp.resources.guides import guides
from billing_mcp.resources.reading import Content, Reader
from billing_mcp.resources.schemas import schemas
from billing_mcp.tenants import Caller
from billing_mcp.validation import nearest

_MARKDOWN = "text/markdown"
_JSON_SCHEMA = "application/schema+json"

# What ships with the server is the same for everybody until it is started anew.
_SHIPPED = CacheHint(ttl_ms=3_600_000, scope="public")
_OF_TENANT = CacheHint(ttl_ms=3_600_000, scope="private")
_LIVE = CacheHint(ttl_ms=30_000, scope="private")


@dataclass(frozen=True, slots=True)
class Collection:
    """A part of `billing://`. `tool` is what it is read with, None where nothing live is read.

    A collection whose `parameter` is None has one resource only.
    """

    module: str
    title: str
    description: str
    mime_type: str = _MARKDOWN
    parameter: str | None = None
    kind: str | None = None  # of `Completions`
    tool: str | None = None
    asks: frozenset[str] = frozenset({"page"})
    listed: str | None = None  # what the URI without a name shows, if it shows anything
    listing_tool: str | None = None
    listing_asks: frozenset[str] = frozenset()


COLLECTIONS = {
    "price-plans": Collection(
        "price_plans",
        "Price plan",
        "Rate cards with every tier and currency, pricing cycle, versions",
        parameter="id",
        kind="price-plan",
        tool="get-price-plan",
        asks=frozenset({"page", "version"}),
        listed="All price plans with their currencies and cycles",
        listing_tool="list-price-plans",
        listing_asks=frozenset({"page", "nextToken"}),
    ),
    "event-schemas": Collection(
        "event_schemas",
        "Event schema",
        "Attributes and dimensions of events, and the usage meters that count them",
        parameter="name",
        kind="event-schema",
        tool="get-event-schema",
        asks=frozenset({"page", "version"}),
    ),
    "features": Collection(
        "features",
        "Feature",
        "What accounts are entitled to, and the events that use it up",
        parameter="id",
        kind="feature",
        tool="get-feature",
    ),
    "accounts": Collection(
        "accounts",
        "Account",
        "Customer, currency, aliases and settings of what is billed",
        parameter="id",
        kind="account",
        tool="get-account",
    ),
    "invoices": Collection(
        "invoices",
        "Invoice",
        "What is owed and why: the tree of lines, credits applied, period, due date",
        parameter="id",
        kind="invoice",
        tool="get-invoice",
    ),
    "schemas": Collection(
        "schemas",
        "JSON Schema",
        "Full JSON Schema of what a tool writes",
        mime_type=_JSON_SCHEMA,
        parameter="name",
        kind="schema",
        asks=frozenset(),
        listed="The JSON Schemas there are",
    ),
    "guides": Collection(
        "guides",
        "Guide",
        "How prices, credits, invoices and metering work, with worked numbers",
        parameter="topic",
        kind="guide",
        asks=frozenset(),
        listed="The guides there are",
    ),
}


class Library:
    """The resources under given settings."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def offer_to(self, completions: Completions) -> None:
        """Let names that ship with the server be completed as ids of the vendors are."""
        completions.offer("schema", schemas)
        completions.offer("guide", lambda _: guides())

    def listed(self, caller: Caller) -> list[Resource]:
        """What is there whatever the vendors hold: indexes, schemas and guides."""
        found = [
            Resource(
                uri=uri(name),
                name=name,
                title=f"{collection.title}s",
                description=collection.listed,
                mime_type=_MARKDOWN,
            )
            for name, collection in COLLECTIONS.items()
            if collection.listed is not None and self._may(collection.listing_tool, caller)
        ]
        return [*found, *_schemas(caller), *_guides()]

    def templates(self, caller: Caller) -> list[ResourceTemplate]:
        return [
            ResourceTemplate(
                uri_template=_template(name, collection),
                name=name.removesuffix("s"),
                title=collection.title,
                description=collection.description,
                mime_type=collection.mime_type,
            )
            for name, collection in COLLECTIONS.items()
            if self._may(collection.tool, caller)
        ]

    def freshness(self, text: str) -> CacheHint:
        """How long what is read there stays right, and for whom."""
        address = parsed(text)
        if address is None or address.collection not in ("guides", "schemas"):
            return _LIVE
        # Which schemas there are depends on the vendors that the caller's tenant has.
        listing = address.collection == "schemas" and address.name is None
        return _OF_TENANT if listing else _SHIPPED

    def completed_by(self, template: str, parameter: str) -> str | None:
        """The kind of thing a parameter of a template names, for `Completions`."""
        for name, collection in COLLECTIONS.items():
            if template == _template(name, collection) and parameter == collection.parameter:
                return collection.kind
        return None

    async def read(self, text: str, caller: Caller, completions: Completions) -> Content:
        """Read one. Raises `ResourceNotFoundError` when there is none of that URI, and
        `ResourceError` when it cannot be read now or not here."""
        address = parsed(text)
        collection = COLLECTIONS.get(address.collection) if address else None
        if address is None or collection is None:
            raise ResourceNotFoundError(self._unknown(text, caller))
        if address.name is None and collection.listed is None:
            raise ResourceNotFoundError(
                f"{uri(address.collection)} needs more: {_template(address.collection, collection)}"
            )
        asks = collection.asks if address.name else collection.listing_asks
        if wrong := sorted(set(address.query) - asks):
            known = ", ".join(sorted(asks)) or "none"
            raise ResourceNotFoundError(
                f'There is no part "{one_line(wrong[0], 40)}" of it. '
                f"What may stand after the ?: {known}."
            )
        tool = collection.tool if address.name else collection.listing_tool
        if tool is not None and (refused := self._catalog.refusal(tool, caller)) is not None:
            raise ResourceError(refused.sentence())
        reader = Reader(self._catalog, completions, caller)
        module = importlib.import_module(f"{resources.__name__}.{collection.module}")
        read: Callable[[Address, Reader], Awaitable[Content]] = module.read
        try:
            return await read(address, reader)
        except (MCPError, ResourceError):
            raise
        # As the SDK does for resources of its own: logged by it, and its text stays here, because
        # only sentences that we wrote may reach a model.
        except Exception as crash:
            message = f"Reading {address.at()} broke inside this server; its log has the details."
            raise UnexpectedResourceError(message) from crash

    def _may(self, tool: str | None, caller: Caller) -> bool:
        return tool is None or self._catalog.refusal(tool, caller) is None

    def _unknown(self, text: str, caller: Caller) -> str:
        templates = [template.uri_template for template in self.templates(caller)]
        begun = text[len(SCHEME) :].split("/", maxsplit=1)[0].split("?", maxsplit=1)[0]
        near = nearest(begun, list(COLLECTIONS), 2)
        likely = [template for template in templates if template.split("/")[2] in near]
        return (
            f'There is no resource "{one_line(text, 120)}". There are '
            f"{', '.join(likely or templates)}."
        )


def _template(name: str, collection: Collection) -> str:
    return f"{SCHEME}{name}/{{{collection.parameter}}}"


def _schemas(caller: Caller) -> list[Resource]:
    return [
        Resource(
            uri=uri("schemas", name),
            name=f"{name}-schema",
            title=f"JSON Schema: {described.title}",
            description=described.description,
            mime_type=_JSON_SCHEMA,
        )
        for name, described in schemas(caller).items()
    ]


def _guides() -> list[Resource]:
    return [
        Resource(
            uri=uri("guides", guide.topic),
            name=f"{guide.topic}-guide",
            title=guide.title,
            description=guide.description,
            mime_type=_MARKDOWN,
            size=len(guide.text.encode()),
        )
        for guide in guides().values()
    ]
