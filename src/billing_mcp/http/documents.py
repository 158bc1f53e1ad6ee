"""What /v1 shows of itself without a token: the OpenAPI document, the page, the problem types."""

from functools import cached_property
from typing import Any

from anyio import to_thread
from starlette.responses import Response

from billing_mcp.catalog import Catalog
from billing_mcp.http import docs_page, problems
from billing_mcp.http.openapi import document
from billing_mcp.http.problems import SECURITY_HEADERS
from billing_mcp.results import compact

OPENAPI = "/v1/openapi.json"
DOCS = "/v1/docs"

# They change only when the server is started anew; a browser may ask again after a while.
_FRESH = {**SECURITY_HEADERS, "cache-control": "public, max-age=300"}


class Documents:
    """Made when they are first asked for: that takes the models of every tool there is."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def at(self, path: str) -> Response | None:
        """The document at a path; None when there is none."""
        if path == OPENAPI:
            text = await to_thread.run_sync(lambda: self._openapi)
            return Response(text, 200, _FRESH, "application/json")
        if path == DOCS:
            page, policy = await to_thread.run_sync(lambda: self._page)
            headers = {**_FRESH, "content-security-policy": policy}
            return Response(page, 200, headers, "text/html")
        if path.startswith(problems.PATH):
            explained = problems.explanation(path.removeprefix(problems.PATH))
            if explained is not None:
                return Response(explained, 200, _FRESH, "text/plain")
        return None

    @cached_property
    def _document(self) -> dict[str, Any]:
        return document(self._catalog)

    @cached_property
    def _openapi(self) -> str:
        return compact(self._document)

    @cached_property
    def _page(self) -> tuple[str, str]:
        return docs_page.rendered(self._document)
