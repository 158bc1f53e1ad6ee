"""The gate before everything that is somebody's: no token, no way in."""

import logging
from collections.abc import Callable
from typing import Literal

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.shared.inbound import decode_header_value
from starlette.authentication import AuthCredentials
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from billing_mcp.http.auth import Authentication
from billing_mcp.http.challenges import MCP_PATH
from billing_mcp.http.problems import SECURITY_HEADERS, problem, speak_for
from billing_mcp.http.signing_keys import RETRY_S, KeysUnavailable
from billing_mcp.http.tokens import Refused
from billing_mcp.scopes import APPROVE, READ, expanded

logger = logging.getLogger(__name__)

APPROVALS_PREFIX = "/approvals/"
# What a newcomer reads before they have a token, and what watches the process. All else needs one.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/v1/openapi.json", "/v1/docs", "/approvals"})
OPEN_PREFIXES = ("/.well-known/", "/v1/problems/")
# Decides for itself what it shows to whom.
OPTIONAL_PATHS = frozenset({"/metrics"})

_SCHEME = "bearer "
_IN_QUERY = b"access_token="

NeededScope = Callable[[str], str]
"""The scope that a tool needs. Raises `KeyError` for an unknown tool."""


class _Answered(Exception):
    """The request goes no further."""

    def __init__(self, response: Response) -> None:
        self.response = response


class TokenGate:
    """Lets a request in with who sent it, as `get_access_token` of the SDK then says.

    Whether a tool may be called is decided again by the door; here a modern client learns it as
    HTTP says it (403), so that it can ask for the scope that is missing. The header is the SDK's
    to compare with the body, so it can only be trusted to refuse.
    """

    def __init__(self, app: ASGIApp, authentication: Authentication, needed: NeededScope) -> None:
        self._app = app
        self._named = AuthContextMiddleware(app)
        self._authentication = authentication
        self._challenges = authentication.challenges
        self._needed = needed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_open(scope):
            await self._app(scope, receive, send)
            return
        try:
            token = await self._token(scope)
            if token is not None:
                self._require_scope(scope, token)
        except _Answered as answered:
            await answered.response(scope, receive, send)
            return
        if token is None:
            await self._app(scope, receive, send)
            return
        # In place, as Starlette's own does: whoever stands around the gate may want to know.
        scope["user"], scope["auth"] = AuthenticatedUser(token), AuthCredentials(token.scopes)
        await self._named(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        path: str = scope["path"]
        # Of two readers one might see another path in an encoded one, so that is never open.
        raw = scope.get("raw_path")
        if raw is not None and raw.partition(b"?")[0] != path.encode():
            return False
        return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)

    async def _token(self, scope: Scope) -> AccessToken | None:
        """Whose request it is; None where nobody has to say. Raises `_Answered`."""
        path = scope["path"]
        given = _values(scope, b"authorization")
        if _IN_QUERY in scope["query_string"]:
            raise _Answered(_bad(path, "A token in the URL is not accepted, as URLs are kept."))
        if len(given) > 1:
            raise _Answered(_bad(path, "There is more than one Authorization header."))
        if not given or not given[0].lower().startswith(_SCHEME):
            if path in OPTIONAL_PATHS:
                return None
            said = "A token is needed: send Authorization: Bearer with one."
            challenge = self._challenges.missing(path, _least(path))
            raise _Answered(_refusal(path, 401, said, challenge))
        try:
            return await self._authentication.check(given[0][len(_SCHEME) :].strip())
        except Refused as refused:
            logger.info("A token is refused: %s", refused)
            said = f"The token is refused: {refused}."
            challenge = self._challenges.invalid(path, said, _least(path))
            raise _Answered(_refusal(path, 401, said, challenge)) from refused
        except KeysUnavailable as error:
            logger.info("A token cannot be verified: %s", error)
            raise _Answered(_unavailable(path, str(error))) from error

    def _require_scope(self, scope: Scope, token: AccessToken) -> None:
        path = scope["path"]
        held, needed = expanded(token.scopes), _least(path)
        if path == MCP_PATH:
            needed = self._needed_by(scope)
        if needed not in held:
            said = f"This needs a token with the scope {needed}."
            challenge = self._challenges.insufficient(path, needed)
            raise _Answered(_refusal(path, 403, said, challenge))

    def _needed_by(self, scope: Scope) -> str:
        if _values(scope, b"mcp-method") == ["tools/call"]:
            names = _values(scope, b"mcp-name")
            try:
                return self._needed(decode_header_value(names[0]) or "" if names else "")
            except KeyError:
                pass  # the door knows which names come near
        return READ


def _least(path: str) -> str:
    """The scope without which nothing at a path can be done."""
    return APPROVE if path.startswith(APPROVALS_PREFIX) else READ


def _values(scope: Scope, name: bytes) -> list[str]:
    """Every value of a header. ASGI has the names in lower case."""
    return [value.decode("latin-1") for given, value in scope["headers"] if given == name]


def _bad(path: str, said: str) -> Response:
    if speak_for(path):
        return problem("invalid-request", said, next="Send one Authorization: Bearer header.")
    body = {"error": "invalid_request", "error_description": said}
    return JSONResponse(body, 400, dict(SECURITY_HEADERS))


def _refusal(path: str, status: Literal[401, 403], said: str, challenge: str) -> Response:
    headers = {"www-authenticate": challenge}
    if speak_for(path):
        name = "unauthenticated" if status == 401 else "not-permitted"
        return problem(name, said, headers=headers)
    error = "invalid_token" if status == 401 else "insufficient_scope"
    body = {"error": error, "error_description": said}
    return JSONResponse(body, status, {**SECURITY_HEADERS, **headers})


def _unavailable(path: str, said: str) -> Response:
    """Not 401: with a new token it would be the same."""
    if speak_for(path):
        return problem("unavailable", said, retryAfterSeconds=RETRY_S)
    body = {"error": "temporarily_unavailable", "error_description": said}
    return JSONResponse(body, 503, {**SECURITY_HEADERS, "retry-after": str(RETRY_S)})
