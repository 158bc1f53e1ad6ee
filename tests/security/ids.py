"""Every argument of every tool that names a thing which has to be there, by the schemas."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from billing_mcp import tools
from wrong_calls import SCHEMAS, Path, fields

_NAMES = re.compile(r"(?:Id|ID|Ids)$|^(?:aliases|alias|eventSchemaName|schemaName)$")
# Of nothing that a tenant has: an id of ours, whose all things are, what Togai has for everyone.
_OTHERS = frozenset({"operationId", "orgId", "alertTemplateId"})
# The caller chooses it here, like the `id` of a new customer.
_CHOSEN = ("create-aliases", "aliases")
# What no good call gives, in the company of `world`.
_MORE = {
    "billableId": "fee",
    "buyerId": "buyer-aws",
    "applicableEntityIds": "harbor-main",
    "referenceId": "wrong",
}


@dataclass(frozen=True, slots=True)
class CallWithId:
    """A good call of a tool, and where in it an id stands or may stand."""

    tool: str
    path: Path
    value: str

    @property
    def made_up(self) -> str:
        """An id of the same form that nobody has."""
        return self.value[:-1] + ("b" if self.value.endswith("a") else "a")


def ids_of(tool: str) -> list[Path]:
    """Where a tool takes ids."""
    schema = SCHEMAS[tool]["inputSchema"]
    found = []
    for path, inner, _ in fields(schema):
        name = _name_at(path)
        if name in _OTHERS or (tool, name) == _CHOSEN:
            continue
        if inner["type"] == "string" and _NAMES.search(name):
            found.append(path)
    return found


def calls_with_ids(calls: Mapping[str, dict[str, Any]]) -> Iterator[CallWithId]:
    """Each id that a good call gives, and each that stands at the root of one which does not."""
    known = dict(_MORE)
    for tool in tools.MODULES:
        for path in ids_of(tool):
            if (value := _value_at(calls[tool], path)) is not None:
                known.setdefault(_name_at(path), value)
    for tool in tools.MODULES:
        for path in ids_of(tool):
            value = _value_at(calls[tool], path)
            if value is not None:
                yield CallWithId(tool, path, value)
            elif len(path) == 1:
                yield CallWithId(tool, path, known[_name_at(path)])


def _name_at(path: Path) -> str:
    return [part for part in path if isinstance(part, str)][-1]


def _value_at(arguments: Any, path: Path) -> str | None:
    """None where the call does not go as far."""
    for part in path:
        try:
            arguments = arguments[part]
        except (KeyError, IndexError, TypeError):
            return None
    return str(arguments)
