"""What a call asks for, in one form: its fingerprint, its seal, and what the ledger keeps of it."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID

from pydantic import BaseModel, SecretStr

from billing_mcp import money

# Arguments that say how to answer or which operation it is, not what is to be done.
NOT_OF_THE_EFFECT = frozenset({"operationId", "dryRun", "detail"})


def fingerprint(tool: str, arguments: Mapping[str, Any]) -> str:
    """The same for the same tool and the same meaning of its arguments, whatever their spelling.

    `12.50` and `12.5`, two orders of members, two zones of one moment are the same. A null is not
    the same as nothing: in an update it may mean to clear a field.
    """
    meant = {name: arguments[name] for name in arguments if name not in NOT_OF_THE_EFFECT}
    return digest({"tool": tool, "arguments": plainest(meant)})


def seal_of(
    fingerprint: str, principal: str, expires_at: datetime, agreed: Mapping[str, Any]
) -> str:
    """What a plan row is sealed with: what is done, for whom, until when, and what people are
    shown of it before they agree, as JSON values and Decimals."""
    return digest(
        {
            "fingerprint": fingerprint,
            "principal": principal,
            "expires": plainest(expires_at),
            "agreed": agreed,
        }
    )


def digest(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def canonical(value: Any) -> bytes:
    """JSON of JSON values and Decimals with sorted members; equal values have equal bytes.

    Texts are made storable. Raises `TypeError` for anything else, a float among them.
    """
    return _text(value).encode()


def _text(value: Any) -> str:
    # One pass, and the commonest types first: it is most of what a ledger adds to a write.
    kind = type(value)
    if kind is str:
        return encode_basestring(storable(value))
    if value is None:
        return "null"
    if kind is int:
        return int.__repr__(value)
    if kind is dict:
        members = [f"{_text(str(name))}:{_text(value[name])}" for name in sorted(value)]
        return f"{{{','.join(members)}}}"
    if kind is list or kind is tuple:
        return f"[{','.join([_text(item) for item in value])}]"
    if isinstance(value, Mapping):
        return _text(dict(value))
    return money.to_json(value).decode()


def plainest(value: Any) -> Any:
    """A validated argument as JSON values: one form for every value. Numbers lose trailing zeros.

    Raises `TypeError` for anything that no argument is, a float among them.
    """
    if isinstance(value, Mapping):
        return {storable(str(name)): plainest(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plainest(item) for item in value]
    if isinstance(value, BaseModel):
        return {name: plainest(item) for name, item in _members(value).items()}
    if isinstance(value, SecretStr):
        return plainest(value.get_secret_value())
    return _plainest_scalar(value.value if isinstance(value, Enum) else value)


def _plainest_scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Decimal):
        return _shortest(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no argument's type")


def _members(model: BaseModel) -> dict[str, Any]:
    """What was given of a model; a default that nobody gave is not part of the call."""
    given = model.model_fields_set | set(model.model_extra or {})
    return {name: getattr(model, name) for name in given}


def _shortest(number: Decimal) -> Decimal:
    """Without trailing zeros and without a minus before zero; every other digit stays."""
    text = money.plain(number)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return Decimal(0) if number == 0 else Decimal(text)


def storable(text: str) -> str:
    """Text that every database keeps as it is: PostgreSQL has no NUL, UTF-8 no half surrogates."""
    if text.isascii():
        return json.dumps(text)[1:-1] if "\x00" in text else text
    is_whole = not _UNSTORABLE.search(text)
    return text if is_whole else json.dumps(text)[1:-1]


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_EMAIL = re.compile(r"[^\s@<>\"',;:]+@[^\s@<>\"',;:]+")
_SECRET_NAMES = re.compile(
    r"(pass(word|phrase)?|secret|(api|private|access)_?key|authori[sz]ation|credentials?"
    r"|(access|auth|refresh|bearer)_?token|iban|(card|account|routing|tax)_?number)$",
    re.IGNORECASE,
)
_PERSONAL_NAMES = re.compile(
    r"e?mail|phone|fax|address|street|^line_?[0-9]$|postal|^zip|birth|(first|last|sur)_?name",
    re.IGNORECASE,
)


def whole(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """As `minimised`, with all that is in them: for whoever has the call itself. Never kept."""
    return {
        name: plainest(value) for name, value in arguments.items() if name not in NOT_OF_THE_EFFECT
    }


def minimised(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of arguments: no secret, no e-mail address, no postal address.

    Which members those are goes by their names, and e-mail addresses by their form wherever they
    stand. Ids, amounts and names of companies stay: they are what an operation is found by. Lists
    keep every item, because reconciliation asks for each of them.
    """
    kept = {name: arguments[name] for name in arguments if name not in NOT_OF_THE_EFFECT}
    return {name: _without(name, _hidden(value)) for name, value in kept.items()}


def _hidden(value: Any) -> Any:
    """Plainest values, but for secrets by their type, which are gone."""
    if isinstance(value, SecretStr):
        return "[secret]"
    if isinstance(value, BaseModel):
        return {name: _hidden(item) for name, item in _members(value).items()}
    if isinstance(value, Mapping):
        return {storable(str(name)): _hidden(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(item) for item in value]
    return plainest(value)


def _without(name: str, value: Any) -> Any:
    if value is None or value == "":
        return value
    if _SECRET_NAMES.search(name):
        return "[secret]"
    if _PERSONAL_NAMES.search(name):
        return "[personal]"
    if isinstance(value, dict):
        return {inner: _without(inner, item) for inner, item in value.items()}
    if isinstance(value, list):
        return [_without(name, item) for item in value]
    return _EMAIL.sub("[e-mail]", value) if isinstance(value, str) else value
