"""What is a JSON-RPC message of MCP and what is not, by one rule for both transports."""

from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError
from pydantic_core import from_json


class NotAMessageError(Exception):
    """Carries the answer that JSON-RPC prescribes: -32700 or -32600, with the id null."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.answer = JSONRPCError(
            jsonrpc="2.0", id=None, error=ErrorData(code=code, message=message)
        )


def message_in(raw: bytes) -> JSONRPCMessage:
    """Read the one message that the bytes of a line, or of a body, are.

    Raises `NotAMessageError`. Bytes that are not UTF-8 are refused and not replaced: the text may
    be a customer's name on its way to be stored. So is what a parser may limit (RFC 8259, 9):
    nesting beyond 200 levels and whole numbers beyond 4,300 digits.
    """
    try:
        decoded = from_json(raw)
    except ValueError as error:
        raise NotAMessageError(PARSE_ERROR, f"Not JSON in UTF-8: {error}") from None
    try:
        message = jsonrpc_message_adapter.validate_python(decoded, by_name=False)
    except ValidationError:
        raise _no_message() from None
    if isinstance(message, JSONRPCNotification) and "id" in decoded:
        # The model of a notification passes over an `id` that the model of a request refuses, and
        # whoever sent it would wait for its answer for ever.
        raise _no_message()
    return message


def _no_message() -> NotAMessageError:
    return NotAMessageError(
        INVALID_REQUEST,
        'Not one JSON-RPC message: "jsonrpc" is "2.0", "method" a text, "params" an object, '
        '"id" a text or a whole number; several messages in one list are not taken',
    )
