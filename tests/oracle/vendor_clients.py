"""What operations the vendors' clients have, read from their code, and calls with any arguments."""

import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from pydantic import BaseModel

_OTHER_FORMS = ("_with_http_info", "_without_preload_content")


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a client: `api` is its class, `route` the vendor's method and path."""

    api: str
    name: str
    route: str


def operations(sdk: Any) -> list[Operation]:
    """Every operation of a generated client."""
    return sorted(_operations(sdk), key=lambda found: (found.route.partition(" ")[2], found.route))


def _operations(sdk: Any) -> Iterator[Operation]:
    for api, kind in vars(sdk).items():
        if not (api.endswith("Api") and inspect.isclass(kind)):
            continue
        for name in vars(kind):
            if not name.startswith("_") and not name.endswith(_OTHER_FORMS):
                yield Operation(api, name, _route(getattr(kind, f"_{name}_serialize")))


def _route(serialize: Callable[..., Any]) -> str:
    source = inspect.getsource(serialize)
    method = re.search(r"method=['\"](\w+)['\"]", source)
    path = re.search(r"resource_path=['\"]([^'\"]+)['\"]", source)
    assert method is not None
    assert path is not None
    return f"{method[1]} {path[1]}"


def some_arguments(operation: Callable[..., Any]) -> dict[str, Any]:
    """A value of the right type for each argument that has to be given."""
    return {
        name: some(parameter.annotation)
        for name, parameter in inspect.signature(operation).parameters.items()
        if parameter.default is inspect.Parameter.empty
    }


def some(annotation: Any) -> Any:
    """A value of a type; a model has no values in it, which it can still be sent with."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated or origin in (typing.Union, types.UnionType):
        return some(arguments[0])
    if origin in (list, dict):
        return origin()
    if isinstance(annotation, type):
        if issubclass(annotation, BaseModel):
            return annotation.model_construct(**dict.fromkeys(annotation.model_fields))
        if issubclass(annotation, enum.Enum):
            return next(iter(annotation))
        plain = {bool: True, int: 1, float: 1, datetime: datetime(2026, 11, 20, tzinfo=UTC)}
        plain[date] = date(2026, 11, 20)
        return plain.get(annotation, "2026-11-20")
    return {}
