"""What is wrong with a call's arguments, told so that the next call is right."""

import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ValidationError

from billing_mcp import errors

SHOWN_PROBLEMS = 6
_SHOWN_VALUE = 60

_SENTENCES = {
    "missing": "is required",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be above {gt}",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "literal_error": "must be one of {expected}",
    "wrong": "must be {message}",
}


def invalid_arguments(
    tool: str,
    model: type[BaseModel],
    error: ValidationError,
    shapes: Mapping[str, str] | None = None,
) -> errors.InvalidRequest:
    """One error for all that is wrong with the arguments.

    `shapes` has the one-line form of each part of an argument that is published in short form; the
    error shows those of the parts that are wrong.
    """
    problems = list(_problems(tool, model, error))
    shown = "; ".join(problem for _, problem in problems[:SHOWN_PROBLEMS])
    more = len(problems) - SHOWN_PROBLEMS
    rest = f"; and {more} more" if more > 0 else ""
    advice = ["Nothing was sent. Correct this and call again."]
    for part, shape in (shapes or {}).items():
        if any(where.startswith(part) for where, _ in problems):
            advice.append(f"Shape of {part}: {shape}")
    sentence = f"{shown}{rest}"
    return errors.InvalidRequest(
        sentence if sentence.endswith("?") else f"{sentence}.",
        field=problems[0][0] or None,
        next_step=" ".join(advice),
    )


def _problems(
    tool: str, model: type[BaseModel], error: ValidationError
) -> Iterator[tuple[str, str]]:
    for detail in error.errors(include_url=False, include_input=True):
        unknown = detail["type"] == "extra_forbidden"
        # The name of an unknown argument is the caller's, whatever it looks like.
        own = detail["loc"][-1:] if unknown else ()
        above = detail["loc"][: len(detail["loc"]) - len(own)]
        loc = [*(part for part in above if not _is_branch(part)), *own]
        where = path_text(loc)
        if unknown:
            yield where, _unknown(tool, model, loc)
            continue
        template = _sentence(detail["type"], detail["input"])
        if template is None:
            sentence = detail["msg"][:1].lower() + detail["msg"][1:]
        else:
            sentence = template.format_map(detail.get("ctx", {}))
        # What a check of several fields says is about their values, not about "an object".
        whole = detail["type"] == "wrong" and isinstance(detail["input"], dict | list | BaseModel)
        given = "" if whole or detail["type"] == "missing" else _given(detail["input"])
        yield where, f"{where or 'the arguments'} {sentence}{given}"


def _sentence(kind: str, given: object) -> str | None:
    """Pydantic counts the characters of a text that a validator has seen as items."""
    if kind in ("too_short", "too_long") and isinstance(given, str):
        kind = f"string_{kind}"
    return _SENTENCES.get(kind)


def _is_branch(part: str | int) -> bool:
    """Whether a location names a branch of a union or a validator instead of a field."""
    return isinstance(part, str) and ("[" in part or "(" in part)


def path_text(loc: Sequence[str | int]) -> str:
    """`body.records[2].key`, as a person would write it; cut where a caller wrote a long name."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{errors.one_line(part, _SHOWN_VALUE)}"
    return text.removeprefix(".")


def _given(value: object) -> str:
    if isinstance(value, str):
        return f' (got "{errors.one_line(value, _SHOWN_VALUE)}")' if value else " (got empty text)"
    if isinstance(value, bool):
        return f" (got {str(value).lower()})"
    if isinstance(value, int | float):
        return f" (got {errors.one_line(repr(value), _SHOWN_VALUE)})"
    names = {type(None): "null", list: "a list", dict: "an object"}
    return f" (got {names[type(value)]})" if type(value) in names else ""


def _unknown(tool: str, model: type[BaseModel], loc: Sequence[str | int]) -> str:
    owner = model_at(model, loc[:-1])
    known = [] if owner is None else list(owner.model_fields)
    wrong = str(loc[-1])
    for name, field in owner.model_fields.items() if owner else ():
        if (
            isinstance(field.validation_alias, AliasChoices)
            and wrong in field.validation_alias.choices
        ):
            return f"{wrong} is another name of {name}, which is given too; give one of them"
    where = path_text(loc[:-1])
    place = f"{tool} has no argument" if not where else f"{where} has no field"
    near = nearest(wrong, known)
    hint = f"; did you mean {near[0]}?" if near else ""
    takes = f"; it takes {', '.join(known)}" if known else "; it takes no arguments"
    return f'{place} "{errors.one_line(wrong, _SHOWN_VALUE)}"{hint}{takes if not near else ""}'


def nearest(wrong: str, known: Sequence[str], count: int = 1) -> list[str]:
    """The known names that are closest to a wrong one, whatever their case and separators."""

    def plain(name: str) -> str:
        return name.replace("_", "").replace("-", "").lower()

    by_plain = {plain(name): name for name in known}
    found = difflib.get_close_matches(plain(wrong[:100]), by_plain, n=count, cutoff=0.6)
    return [by_plain[name] for name in found]


def model_at(model: type[BaseModel], loc: Sequence[str | int]) -> type[BaseModel] | None:
    """The model that the fields at `loc` belong to, through lists, maps and optional values."""
    annotation: Any = model
    for part in loc:
        owner = _model_in(annotation)
        if isinstance(part, int):
            annotation = _item(annotation)
        elif owner is not None and part in owner.model_fields:
            annotation = owner.model_fields[part].annotation
        else:
            annotation = _item(annotation)
    return _model_in(annotation)


def _branches(annotation: Any) -> Iterator[Any]:
    """An annotation without its wrappers: each member of a union, without `Annotated`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _branches(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for branch in get_args(annotation):
            yield from _branches(branch)
    else:
        yield annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for branch in _branches(annotation):
        if isinstance(branch, type) and issubclass(branch, BaseModel):
            return branch
    return None


def _item(annotation: Any) -> Any:
    for branch in _branches(annotation):
        origin = get_origin(branch)
        if origin is not None and issubclass(origin, Mapping | list | tuple):
            return get_args(branch)[-1]
    return None
