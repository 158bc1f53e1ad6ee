"""What the JSON faces read of a request before they know what it asks for."""

from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from billing_mcp import errors, money
from billing_mcp.http.problems import SECURITY_HEADERS, problem


class UnsupportedMediaType(Exception):
    """The body cannot be read for what its headers say of it."""

    def response(self) -> Response:
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        return problem("unsupported-media-type", str(self), headers=headers)


def sent_path(request: Request) -> str:
    """The path as it was sent, percent-encoded.

    A router that decodes it first takes the `%2F` of an id for the end of a segment.
    """
    raw = request.scope.get("raw_path")
    if raw is None:  # ASGI lets a server leave it out
        return quote(request.scope["path"])
    return str(raw.decode("latin-1")).partition("?")[0]


def refused_method(request: Request, methods: tuple[str, ...]) -> Response | None:
    """The answer to OPTIONS, or to a method that the path does not have."""
    allowed = [*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"]
    if request.method in allowed and request.method != "OPTIONS":
        return None
    headers = {"allow": ", ".join(allowed)}
    if request.method == "OPTIONS":
        return Response(b"", 204, {**SECURITY_HEADERS, **headers})
    return problem(
        "method-not-allowed",
        f"This path has no method {errors.one_line(request.method, 20)}.",
        headers=headers,
        next=f"It has {headers['allow']}.",
    )


def json_in(request: Request, raw: bytes) -> Any:
    """The JSON of a body that is not empty, its numbers exact.

    Raises `InvalidRequest` and `UnsupportedMediaType`.
    """
    _require_json(request)
    try:
        return money.from_json(raw.decode())
    except ValueError as error:
        raise errors.InvalidRequest(
            f"The body is not JSON in UTF-8: {errors.one_line(str(error), 100)}.",
            next_step="Nothing was sent. Correct this and call again.",
        ) from error


def _require_json(request: Request) -> None:
    given = request.headers.get("content-type", "")
    kind, _, parameters = given.partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        shown = f"is {errors.one_line(given, 60)}" if given else "is missing"
        raise UnsupportedMediaType(f"Content-Type {shown}; send application/json.")
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        shown = errors.one_line(coding, 30)
        raise UnsupportedMediaType(f"Content-Encoding is {shown}; send the body as it is.")
