"""The sandbox's own controls under /control: clock, jobs, faults, effects and reset."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from billing_mcp.sandbox import call, clock
from billing_mcp.sandbox.backend import Backend
from billing_mcp.sandbox.call import ABSENT, Refusal, Reply, SandboxSettings
from billing_mcp.sandbox.faults import Faults
from billing_mcp.sandbox.routes import Segments
from billing_mcp.sandbox.togai import files

_EFFECTS_SHOWN = 10_000
REPEATED_KEYS = ("original", "refuse")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to /control; the segments are what follows that prefix."""

    method: str
    segments: Segments
    query: Mapping[str, str]
    body: Any


def answer(backend: Backend, faults: Faults, request: Request) -> Reply:
    """Do what a request to /control asks for. Raises `Refusal`."""
    body = request.body
    match (request.method, *request.segments):
        case ("GET", "clock"):
            return Reply({"now": clock.shown(backend.now())})
        case ("POST", "clock"):
            return _move_clock(backend, body)
        case ("POST", "jobs", name):
            return backend.run_job(name, body)
        case ("GET" | "PUT" | "DELETE", "faults"):
            return _set_faults(faults, request)
        case ("GET", "effects"):
            return _effects(backend, request.query)
        case ("GET", "files", file_id):
            # Where the vendor's links to files lead, which need no key.
            with backend.transaction({"file_id": file_id}, request.query) as asked:
                return files.download(asked)
        case ("GET", "settings"):
            return Reply(_shown(backend.settings))
        case ("PUT", "settings"):
            backend.settings = _changed(backend.settings, body)
            return Reply(_shown(backend.settings))
        case ("POST", "reset"):
            return _reset(backend, faults, body)
    raise Refusal(
        404, f"no such control: {request.method} /{'/'.join(request.segments)}; {_CONTROLS}"
    )


_CONTROLS = (
    "there are GET and POST clock, POST jobs/{name}, GET, PUT and DELETE faults,"
    " GET effects, GET files/{id}, GET and PUT settings, POST reset"
)


def _move_clock(backend: Backend, body: Any) -> Reply:
    wish = call.fields(body)
    if set(wish) not in ({"now"}, {"advance"}):
        raise Refusal(400, 'give {"now": "<time>"} or {"advance": "<duration>"}')
    if "now" in wish:
        moment = call.timestamp(wish, "now")
    else:
        try:
            moment = clock.after(backend.now(), call.text(wish, "advance"))
        except ValueError as error:
            raise Refusal(400, f"advance: {error}") from error
    ran = backend.advance_to(moment)
    return Reply({"now": clock.shown(backend.now()), "ran": ran})


def _effects(backend: Backend, query: Mapping[str, str]) -> Reply:
    sql = "select kind, id, key, time from effects"
    conditions = list(call.closed(dict(query), ("kind", "id", "key")))
    if conditions:
        sql += " where " + " and ".join(f"{name} = ?" for name in conditions)
    rows = backend.db.execute(
        f"{sql} order by number limit ?", (*(query[name] for name in conditions), _EFFECTS_SHOWN)
    )
    return Reply({"effects": [dict(row) for row in rows]})


def _set_faults(faults: Faults, request: Request) -> Reply:
    if request.method == "PUT":
        faults.replace(request.body)
    elif request.method == "DELETE":
        faults.clear()
    return Reply(faults.shown())


def _shown(settings: SandboxSettings) -> dict[str, Any]:
    return {
        "quotas": settings.quotas,
        "repeatedCreditKey": settings.repeated_credit_key,
        "batchLimit": settings.batch_limit,
    }


def _changed(settings: SandboxSettings, body: Any) -> SandboxSettings:
    """Where the vendors' behaviour is optional or unknown, it can be chosen while running."""
    wish = call.closed(body, tuple(_shown(settings)))
    repeated = call.one_of(
        wish, "repeatedCreditKey", REPEATED_KEYS, default=settings.repeated_credit_key
    )
    return replace(
        settings,
        quotas=call.flag(wish, "quotas", default=settings.quotas),
        repeated_credit_key="refuse" if repeated == "refuse" else "original",
        batch_limit=call.whole(
            wish, "batchLimit", minimum=1, maximum=1000, default=settings.batch_limit
        ),
    )


def _reset(backend: Backend, faults: Faults, body: Any) -> Reply:
    wish = {} if body is ABSENT else call.closed(body, ("demo",))
    demo = call.flag(wish, "demo", default=True)
    backend.reset(demo=demo)
    faults.clear()
    return Reply({"now": clock.shown(backend.now())})
