"""JSON Schemas of the tools as an OpenAPI document holds them: in full, shared parts named once."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from billing_mcp.calls import Built

_WHERE = "#/components/schemas/"


class Components:
    """The schemas that others refer to, each under one name however many tools have it."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}
        self._originals: dict[str, Any] = {}

    def adopt(self, schema: Mapping[str, Any], owner: str) -> dict[str, Any]:
        """A schema whose `$defs` have moved here. `owner` tells two of one name apart."""
        own = dict(schema)
        definitions: dict[str, Any] = own.pop("$defs", {})
        names = {name: self._name(name, part, owner) for name, part in definitions.items()}
        for name, definition in definitions.items():
            self.schemas[names[name]] = _pointing(definition, names)
        return dict(_pointing(own, names))

    def _name(self, name: str, definition: Any, owner: str) -> str:
        same = self._originals.setdefault(name, definition) == definition
        return name if same else owner + name


def arguments_schema(built: Built) -> dict[str, Any]:
    """The arguments of a tool as its models take them.

    Parts that models of language see in short form are in full here, and what may be null says so.
    """
    model = built.shape.arguments
    schema: dict[str, Any] = _tidy(model.model_json_schema())
    for name in built.declaration.short_form or ():
        field = model.model_fields.get(name)
        if field is not None and isinstance(field.annotation, type):
            assert issubclass(field.annotation, BaseModel)
            whole = _tidy(field.annotation.model_json_schema())
            schema.setdefault("$defs", {}).update(whole.pop("$defs", {}))
            schema["properties"][name] = whole
    return schema


def without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without its branch for null, which a path, a query or a header cannot carry."""
    branches = [branch for branch in schema.get("anyOf", ()) if branch != {"type": "null"}]
    if len(branches) != 1:
        return dict(schema)
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**branches[0], **rest}


def _tidy(node: Any, *, names: bool = False) -> Any:
    """Without the titles and the null defaults, which say nothing.

    `names` says that the keys of this object are property names and not keywords.
    """
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _tidy(value, names=key in ("properties", "$defs") and not names)
        for key, value in node.items()
        if names or not (key == "title" or (key == "default" and value is None))
    }


def _pointing(node: Any, names: Mapping[str, str]) -> Any:
    """References to `$defs` turned to the components of the document."""
    if isinstance(node, list):
        return [_pointing(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        own = reference.removeprefix("#/$defs/")
        return {**node, "$ref": _WHERE + names[own]}
    return {key: _pointing(value, names) for key, value in node.items()}
