"""A tool's shape: the closed model of its arguments and the schemas that are published for it."""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, create_model

from billing_mcp import money
from billing_mcp.declarations import Declaration
from billing_mcp.params import OperationId
from billing_mcp.results import Detail, Outcome, Page, Reserved, Result

DETAIL = (Annotated[Detail, Field()], "concise")
OPERATION_ID = (
    Annotated[OperationId | None, Field(description="Same id: done only once")],
    None,
)
# What a plan is the instructions say once for all.
DRY_RUN = (bool, False)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is needed to call a tool and to publish it."""

    handle: Any  # the vendor's class of `upstream`, or `Door`
    arguments: type[BaseModel]
    input_schema: dict[str, Any]
    result: type[Result | Outcome]
    writes: bool
    decoded: frozenset[str]

    @property
    def output_schema(self) -> dict[str, Any]:
        """Made when it is asked for: a call needs none, and it costs more than all the rest."""
        return _output_schema(self.result, writes=self.writes)

    def validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments for the function. Raises pydantic's `ValidationError`.

        A list or object that arrives as JSON text is decoded first: some clients send it so. Only
        where text is not allowed, so nothing that is text is ever touched.
        """
        given = {
            name: _decoded(value) if name in self.decoded else value
            for name, value in arguments.items()
        }
        model = self.arguments.model_validate(given)
        return {name: getattr(model, name) for name in type(model).model_fields}


def shape_of(declaration: Declaration) -> Shape:
    """Build the models and schemas of a declared tool from its function's signature."""
    return _shape(declaration.function, writes=declaration.write is not None)


@cache
def _shape(function: Callable[..., Awaitable[Any]], *, writes: bool) -> Shape:
    """Kept: it is the same for every server of a process."""
    signature = inspect.signature(function)
    first, *parameters = signature.parameters.values()
    fields: dict[str, Any] = {
        parameter.name: (
            parameter.annotation,
            ... if parameter.default is inspect.Parameter.empty else parameter.default,
        )
        for parameter in parameters
    }
    if writes:
        fields["dryRun"] = DRY_RUN
        fields["operationId"] = OPERATION_ID
    if _has_detail(signature.return_annotation):
        fields["detail"] = DETAIL
    arguments = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
    schema = clean(arguments.model_json_schema())
    schema["additionalProperties"] = False
    return Shape(
        handle=first.annotation,
        arguments=arguments,
        input_schema=schema,
        result=signature.return_annotation,
        writes=writes,
        decoded=frozenset(
            name
            for name, property_ in schema.get("properties", {}).items()
            if property_.get("type") in ("array", "object") or "$ref" in property_
        ),
    )


def published(declaration: Declaration) -> dict[str, Any]:
    """The tool as `tools/list` shows it and as the shipped schema file keeps it."""
    shape = shape_of(declaration)
    return {
        "name": declaration.name,
        "title": declaration.title,
        "description": declaration.description,
        "inputSchema": shape.input_schema,
        "outputSchema": shape.output_schema,
        "annotations": {f"{hint}Hint": value for hint, value in declaration.hints.facts().items()},
    }


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return money.from_json(value)
    except ValueError:
        return value


def _has_detail(result: Any) -> bool:
    if result is Outcome:
        return False
    return bool(result.long or (issubclass(result, Page) and _row_of(result).concise))


def _row_of(page: type[Page[Any]]) -> type[Result]:
    row: type[Result] = get_args(page.model_fields["data"].annotation)[0]
    return row


def _output_schema(result: type[Result | Outcome], *, writes: bool) -> dict[str, Any]:
    """Describes the fields, requires only what is always there, and is open (design §2.4).

    Of a tool that runs another, the answer is that of the other: nothing more is known. A write may
    answer with its plan, which has no rows.
    """
    if not issubclass(result, Result):
        result = Result
    schema = _without_required(clean(result.model_json_schema(mode="serialization")))
    reserved = clean(Reserved.model_json_schema())["properties"]
    listed = issubclass(result, Page)
    names = ("environment", "count", "hasMore") if listed else ("environment",)
    properties = {name: reserved[name] for name in names} | schema.get("properties", {})
    return {
        "type": "object",
        "properties": properties,
        "required": ["environment", "data"] if listed and not writes else ["environment"],
        **({"$defs": schema["$defs"]} if schema.get("$defs") else {}),
    }


def _without_required(node: Any, *, names: bool = False) -> Any:
    """A concise answer leaves fields out, so a client must not insist on them."""
    if isinstance(node, list):
        return [_without_required(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_required(value, names=key == "properties")
        for key, value in node.items()
        if names or key != "required"
    }


def clean(schema: dict[str, Any]) -> dict[str, Any]:
    """A pydantic schema without what only costs a model's context.

    Titles go, `anyOf` of something and null becomes that something, `default: null` goes, and a
    definition that is used once stands where it is used.
    """
    definitions = schema.pop("$defs", {})
    cleaned: dict[str, Any] = _cleaned(schema)
    cleaned_definitions = {name: _cleaned(definition) for name, definition in definitions.items()}
    return _inlined(cleaned, cleaned_definitions)


def _cleaned(node: Any, *, names: bool = False) -> Any:
    """`names` says that the keys of this object are property names and not keywords."""
    if isinstance(node, list):
        return [_cleaned(item) for item in node]
    if not isinstance(node, dict):
        return node
    if names:
        return {name: _cleaned(item) for name, item in node.items()}
    out: dict[str, Any] = {}
    for key, value in node.items():
        if key == "title" or (key == "default" and value is None):
            continue
        if key == "additionalProperties" and isinstance(value, bool):
            continue
        out[key] = _cleaned(value, names=key == "properties")
    branches = out.get("anyOf")
    if branches and {"type": "null"} in branches:
        branches = [branch for branch in branches if branch != {"type": "null"}]
        if len(branches) == 1:
            del out["anyOf"]
            return {**branches[0], **out}
        out["anyOf"] = branches
    return out


def _inlined(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Put each definition that is used exactly once in its place; keep the others in `$defs`."""
    while True:
        uses = list(_references([schema, definitions]))
        once = {name for name in definitions if uses.count(name) == 1}
        if not once:
            break
        name = min(once)
        definition = definitions.pop(name)
        schema = _replaced(schema, name, definition)
        definitions = _replaced(definitions, name, definition)
    used = set(_references([schema, definitions]))
    kept = {name: definitions[name] for name in definitions if name in used}
    return {**schema, "$defs": kept} if kept else schema


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference.rsplit("/", 1)[-1]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def _replaced(node: Any, name: str, definition: Any) -> Any:
    if isinstance(node, list):
        return [_replaced(item, name, definition) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("$ref") == f"#/$defs/{name}":
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return {**definition, **rest}
    return {key: _replaced(value, name, definition) for key, value in node.items()}
