"""Log lines on stderr: as JSON with the request they belong to, or plain, never with a secret."""

import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretBytes, SecretStr

from billing_mcp.config import Settings
from billing_mcp.telemetry import Call, Nobody

logger = logging.getLogger(__name__)

PLAIN = "%(levelname)s %(name)s: %(message)s"
REDACTED = "[redacted]"

# What follows the name of a scheme, a JSON Web Token, and an API key of this server.
_SHAPES = re.compile(
    r"\b((?i:bearer) +|(?:Key|Basic|Token) +(?=\S{16}))[\w.~+/=-]{8,}"
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
    r"|\bbmk_[\w-]+"
)
# A shorter value stands in too many innocent words.
_SHORTEST_SECRET = 6


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What all log lines of a request over HTTP have in common."""

    request_id: str
    trace_id: str | None = None


current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)


class Redaction:
    """Takes secrets out of what is about to be written: by type, by value and by shape."""

    def __init__(self, secrets: Iterable[str] = (), types: Iterable[type] = ()) -> None:
        self._types = (SecretStr, SecretBytes, *types)
        known = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        longest_first = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return _SHAPES.sub(lambda match: (match[1] or "") + REDACTED, text)

    def value(self, value: Any) -> Any:
        """An argument of a log line as it may be shown; a number stays one."""
        if isinstance(value, self._types):
            return f"[redacted {type(value).__name__}]"
        return value

    def message(self, record: logging.LogRecord) -> str:
        arguments: Any = record.args
        if isinstance(arguments, Mapping):
            arguments = {name: self.value(value) for name, value in arguments.items()}
        elif arguments:
            arguments = tuple(self.value(value) for value in arguments)
        text = str(self.value(record.msg))
        return self.text(text % arguments if arguments else text)


class PlainLines(logging.Formatter):
    """Lines for a person, as a desktop client keeps them."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__(PLAIN)
        self._redaction = redaction

    # Here and not in a filter, which would change the record for everybody else's handlers too.
    def format(self, record: logging.LogRecord) -> str:
        text = f"{record.levelname} {record.name}: {self._redaction.message(record)}"
        if record.exc_info:
            text = f"{text}\n{self._redaction.text(self.formatException(record.exc_info))}"
        return text


class JsonLines(logging.Formatter):
    """One object a line. `extra={"facts": {…}}` of a log call become fields of it."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._redaction.message(record),
        }
        if (request := current_request.get()) is not None:
            line["requestId"] = request.request_id
            if request.trace_id is not None:
                line["traceId"] = request.trace_id
        for name, value in getattr(record, "facts", {}).items():
            if value is not None:
                shown = self._redaction.value(value)
                line[name] = shown if isinstance(shown, int | float) else self._safe(shown)
        if record.exc_info:
            line["exception"] = self._redaction.text(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))

    def _safe(self, value: object) -> str:
        return self._redaction.text(str(value))


class CallLog(Nobody):
    """Writes a line for each call: who called what, for which tenant, and how it ended."""

    def call_ended(self, call: Call) -> None:
        # Somebody has to look at a write of which nobody knows whether it was applied.
        level = logging.WARNING if call.outcome == "outcome-unknown" else logging.INFO
        if not logger.isEnabledFor(level):
            return
        facts = {
            "tool": call.tool,
            "outcome": call.outcome,
            "tenant": call.tenant,
            "principal": call.principal,
            "client": call.client,
            "operationId": call.operation_id,
            "durationMs": milliseconds(call.seconds),
        }
        logger.log(level, "call", extra={"facts": facts})


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


def secrets_of(settings: Settings) -> list[str]:
    """The vendors' credentials, with and without the scheme before them."""
    found = []
    for tenant in settings.tenants:
        for credential in (tenant.togai, tenant.suger):
            if credential is not None:
                value = credential.authorization.get_secret_value()
                found += [value, value.split(" ", 1)[-1].strip()]
    return found


def configure(
    settings: Settings, *, as_json: bool = False, secret_types: Iterable[type] = ()
) -> None:
    """Send everything that is logged in this process to stderr, libraries' lines as well."""
    redaction = Redaction(secrets_of(settings), secret_types)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(redaction) if as_json else PlainLines(redaction))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
