"""What is read as a message, and the answer to what is not."""

import pytest
from mcp.types import JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from billing_mcp.json_rpc import NotAMessageError, message_in


def refusal(raw: bytes) -> tuple[int, str]:
    with pytest.raises(NotAMessageError) as refused:
        message_in(raw)
    answer = refused.value.answer
    assert answer.id is None
    return answer.error.code, answer.error.message


def test_requests_notifications_and_responses_are_messages() -> None:
    request = message_in(b'{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"a":1}}\r\n')
    assert request == JSONRPCRequest(jsonrpc="2.0", id=7, method="tools/list", params={"a": 1})
    told = message_in(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    assert told == JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")
    answer = message_in(b'{"jsonrpc":"2.0","id":"a","result":{}}')
    assert answer == JSONRPCResponse(jsonrpc="2.0", id="a", result={})


def test_what_cannot_be_read_is_a_parse_error_that_says_where() -> None:
    code, message = refusal(b'{"jsonrpc":"2.0",')
    assert code == -32700
    assert message == "Not JSON in UTF-8: EOF while parsing a value at line 1 column 17"


def test_bytes_that_are_not_utf_8_are_refused_and_never_replaced() -> None:
    latin = '{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"Müller"}}'.encode("latin-1")
    assert refusal(latin)[0] == -32700


@pytest.mark.parametrize(("depth", "readable"), [(190, True), (1_000, False), (100_000, False)])
def test_what_is_nested_too_deeply_is_a_parse_error(depth: int, readable: bool) -> None:
    deep = b"[" * depth + b"]" * depth
    raw = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":%b}}' % deep
    if readable:
        assert isinstance(message_in(raw), JSONRPCRequest)
    else:
        assert refusal(raw)[0] == -32700


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
        b"5",
        b'{"id":1,"method":"ping"}',
        b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}',
    ],
)
def test_json_that_is_no_message_is_an_invalid_request(raw: bytes) -> None:
    assert refusal(raw)[0] == -32600


@pytest.mark.parametrize("id_", [b"null", b"1.5", b"true", b"[]", b"{}"])
def test_a_request_with_a_wrong_id_is_refused_and_not_taken_for_a_notification(id_: bytes) -> None:
    code, message = refusal(b'{"jsonrpc":"2.0","id":%b,"method":"tools/list"}' % id_)
    assert code == -32600
    assert '"id" a text or a whole number' in message
