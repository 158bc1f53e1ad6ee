"""Arguments on their way out: path, query and body in the vendor's spelling."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from billing_mcp import errors, money


def path(template: str, at: Mapping[str, str]) -> str:
    """Fill a path template; a value can never become another path."""

    def segment(match: re.Match[str]) -> str:
        value = at[match[1]]
        if value in ("", ".", ".."):
            raise errors.InvalidRequest(
                f"{json.dumps(value)} cannot be an id.",
                next_step="Give the id as the vendor shows it.",
            )
        return quote(value, safe="")

    return re.sub(r"\{(\w+)\}", segment, template)


def query(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: _query_text(value) for name, value in values.items() if value is not None}


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return money.plain(value)
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def utc_text(time: datetime) -> str:
    """A UTC time as RFC 3339 with `Z`, milliseconds only when there are any."""
    precision = "milliseconds" if time.microsecond else "seconds"
    return time.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def given(model: BaseModel) -> dict[str, Any]:
    """An argument model as the vendor's JSON: what the caller gave, dates as text."""
    return {name: json_value(value) for name, value in model if name in model.model_fields_set}


def json_value(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return given(value)
    if isinstance(value, dict):
        return {name: json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return value


def present(**fields: Any) -> dict[str, Any]:
    """A body of the fields that have a value: what the caller left out is not sent as null."""
    return {name: json_value(value) for name, value in fields.items() if value is not None}
