"""Errors of the REST face as RFC 9457 problem documents, and the page that explains each type."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.responses import Response

from billing_mcp.credentials import Environment
from billing_mcp.results import Outcome, compact

# Where errors are problem documents: the REST face, and what the page of approvals asks.
PREFIXES = ("/v1/", "/approvals/")
PATH = "/v1/problems/"
MEDIA_TYPE = "application/problem+json"

# Answers are somebody's billing data: nobody on the way keeps them, no page may frame them.
SECURITY_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

Kind = Literal[
    "invalid-request",
    "not-found",
    "conflict",
    "not-permitted",
    "rate-limited",
    "unavailable",
    "outcome-unknown",
    "not-configured",
    "approval-required",
]


class Problem(BaseModel):
    """A problem document: the members of RFC 9457, then those of design §2.4."""

    model_config = ConfigDict(alias_generator=to_camel)

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    title: str
    status: int
    detail: Annotated[str, Field(description="What happened")]
    kind: Kind
    field: Annotated[str | None, Field(description="The argument that is wrong")] = None
    retry_after_seconds: Annotated[int | None, Field(ge=0)] = None
    operation_id: Annotated[
        str | None,
        Field(description="Which write this was", json_schema_extra={"format": "uuid"}),
    ] = None
    next: Annotated[str | None, Field(description="What to do about it")] = None
    environment: Environment | None = None
    plan: Annotated[
        dict[str, Any] | None,
        Field(description="What the write would do, and what it needs before it may"),
    ] = None


@dataclass(frozen=True, slots=True)
class ProblemType:
    """What all problems of a type have in common."""

    status: int
    kind: Kind
    title: str
    meaning: str


TYPES: Mapping[str, ProblemType] = {
    "approval-required": ProblemType(
        202,
        "approval-required",
        "The write waits for a plan to be committed, or for people to approve it",
        "Nothing was changed. `plan` says what the write would do and what it needs. Once that is "
        "given, the same request with the plan's `operationId` as `Idempotency-Key` commits it, "
        "once. A person approves a plan at `/approvals`, with `billing-mcp approve`, or in the "
        "chat.",
    ),
    "invalid-request": ProblemType(
        400,
        "invalid-request",
        "The request is not one that can be carried out",
        "An argument is missing, misspelt or has a value that is not allowed; `field` names the "
        "first one and `next` says how it should look. Nothing was changed. The same request will "
        "fail again.",
    ),
    "unauthenticated": ProblemType(
        401,
        "not-permitted",
        "No valid token came with the request",
        "Send `Authorization: Bearer` with an access token for this server, or with an API key of "
        "it. WWW-Authenticate says where tokens come from and which scope is needed.",
    ),
    "not-permitted": ProblemType(
        403,
        "not-permitted",
        "The request is not allowed",
        "The token lacks a scope, the server or the tenant does not serve this tool, the vendor "
        "refuses it, or a page of another site asked (`Origin`). Nothing was changed.",
    ),
    "not-found": ProblemType(
        404,
        "not-found",
        "There is no such thing",
        "Either no route has this path, or the vendor knows no thing of this id; then `next` says "
        "where the ids that exist are shown.",
    ),
    "method-not-allowed": ProblemType(
        405,
        "invalid-request",
        "The path does not have this method",
        "The header Allow names the methods that it has.",
    ),
    "request-timeout": ProblemType(
        408,
        "invalid-request",
        "The body did not come in time",
        "The connection is closed. Nothing was changed. Send the request again, its body at once.",
    ),
    "conflict": ProblemType(
        409,
        "conflict",
        "The state of things forbids it",
        "An id is taken, an operation id was used for something else, or the thing is in a state "
        "that does not allow this. Nothing was changed now.",
    ),
    "content-too-large": ProblemType(
        413,
        "invalid-request",
        "The body is above 4 MB",
        "Nothing was changed. Send less in one request.",
    ),
    "unsupported-media-type": ProblemType(
        415,
        "invalid-request",
        "The body is not JSON",
        "Send JSON in UTF-8, uncompressed, with `Content-Type: application/json`.",
    ),
    "misdirected-request": ProblemType(
        421,
        "not-permitted",
        "The server does not answer to this name",
        "The header Host does not name a host that the server was told it has. Whoever runs the "
        "server can set it.",
    ),
    "rate-limited": ProblemType(
        429,
        "rate-limited",
        "Too many requests",
        "This server or the vendor takes no more calls for now. `retryAfterSeconds`, and the "
        "header Retry-After, say when to try again where that is known.",
    ),
    "internal-error": ProblemType(
        500,
        "unavailable",
        "The server failed",
        "The fault is the server's, and its log has it. Whether a write was applied is not known: "
        "look before you repeat it.",
    ),
    "not-configured": ProblemType(
        501,
        "not-configured",
        "This server is not set up for it",
        "A vendor's key or an organisation is missing. Whoever runs the server can set it.",
    ),
    "unavailable": ProblemType(
        503,
        "unavailable",
        "The vendor cannot be reached or does not answer",
        "Nothing was changed. Try again later.",
    ),
    "outcome-unknown": ProblemType(
        504,
        "outcome-unknown",
        "Whether the write was applied is not known",
        "The answer was lost after the write may have arrived. Do not simply repeat it: `next` "
        "says how to find out, and `operationId` which write it was.",
    ),
}


def speak_for(path: str) -> bool:
    """Whether the errors of a path are problem documents."""
    return f"{path}/".startswith(PREFIXES)


def problem(
    name: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **facts: Any,
) -> Response:
    """A problem of a type; `facts` are the other members of `Problem`."""
    kind = TYPES[name]
    document = Problem.model_validate(
        {
            "type": f"{PATH}{name}",
            "title": kind.title,
            "status": kind.status,
            "detail": detail,
            "kind": kind.kind,
            **facts,
        }
    )
    sent = {**SECURITY_HEADERS, **(headers or {})}
    if document.retry_after_seconds is not None:
        sent["retry-after"] = str(document.retry_after_seconds)
    text = compact(document.model_dump(by_alias=True, exclude_none=True))
    return Response(text, kind.status, sent, MEDIA_TYPE)


def of_failure(outcome: Outcome, headers: Mapping[str, str] | None = None) -> Response:
    """What the door refused or could not do, as a problem."""
    error = outcome.structured["error"]
    names = ("field", "retryAfterSeconds", "operationId", "next")
    facts = {name: error[name] for name in names if name in error}
    return problem(
        error["kind"],
        error["message"],
        headers=headers,
        **facts,
        environment=outcome.structured["environment"],
        plan=outcome.structured.get("plan"),
    )


def explanation(name: str) -> str | None:
    """The page that a problem's `type` leads to; None for a type that there is not."""
    if name not in TYPES:
        return None
    kind = TYPES[name]
    return f"{kind.title}\n\nHTTP {kind.status}, kind {kind.kind}\n\n{kind.meaning}\n"
