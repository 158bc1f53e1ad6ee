"""The oracle forgets none of the vendors' operations: each is driven, and each can be refused."""

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest
import suger_sdk_python
from suger_sdk_python.exceptions import ApiException as SugerException
from togai_client.exceptions import ApiException

from facts import checking
from oracle.togai_clients import sdk
from oracle.vendor_clients import Operation, operations, some_arguments

HERE = Path(__file__).parent
TOGAI = operations(sdk)
# The client is newer than the documents, and has two operations that they have not.
SUGER = [
    one
    for one in operations(suger_sdk_python)
    if one.api == "MeteringApi" and one.route in checking.of("suger").operations
]

# The helpers of these tests that expect an operation to fail.
REFUSALS = ("refused", "raises")


def driven() -> set[str]:
    """The methods that this folder's tests and their helpers call, or hand on to be called, where
    they are to succeed."""
    names: set[str] = set()
    for path in HERE.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        failing = {id(node) for refusal in _refusals(tree) for node in ast.walk(refusal)}
        names |= {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and id(node) not in failing
        }
    return names


def _refusals(tree: ast.AST) -> list[ast.AST]:
    """The calls of `refused`, and the bodies of `with pytest.raises`."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _named(node.func) in REFUSALS:
            found.append(node)
        if isinstance(node, ast.With) and any(
            isinstance(item.context_expr, ast.Call) and _named(item.context_expr.func) in REFUSALS
            for item in node.items
        ):
            found += node.body
    return found


def _named(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


DRIVEN = driven()


def ids(operation: Operation) -> str:
    return operation.name


def test_the_clients_have_as_many_operations_as_their_vendors_document() -> None:
    assert len(TOGAI) == 151
    assert len({one.name for one in TOGAI}) == 151
    assert len(SUGER) == 13


@pytest.mark.parametrize("operation", [*TOGAI, *SUGER], ids=ids)
def test_every_operation_of_the_vendors_clients_is_driven_to_success(operation: Operation) -> None:
    assert operation.name in DRIVEN, f"no oracle test drives {operation.route}"


@pytest.mark.parametrize("operation", TOGAI, ids=ids)
def test_every_operation_of_togai_is_refused_without_a_key(
    operation: Operation, sandbox_url: str
) -> None:
    """401 is the error that Togai documents of nearly all its operations."""
    configuration = sdk.Configuration(host=f"{sandbox_url}/togai")
    with sdk.ApiClient(configuration) as client:
        method = getattr(getattr(sdk, operation.api)(client), operation.name)
        with pytest.raises(ApiException) as refusal:
            method(**some_arguments(method))
    assert refusal.value.status == 401
    assert refusal.value.body is not None
    error = sdk.ErrorResponse.from_json(refusal.value.body)
    assert error.message.startswith("Unauthorized")


@pytest.mark.parametrize("operation", SUGER, ids=ids)
def test_every_operation_of_suger_is_refused_without_a_key(
    operation: Operation, sandbox_url: str
) -> None:
    configuration = suger_sdk_python.Configuration(host=f"{sandbox_url}/suger")
    with suger_sdk_python.ApiClient(configuration) as client:
        method = getattr(suger_sdk_python.MeteringApi(client), operation.name)
        with pytest.raises(SugerException) as refusal:
            method(**some_arguments(method))
    assert refusal.value.status == 401


def test_what_is_only_refused_is_not_taken_for_driven() -> None:
    tree = ast.parse(
        inspect.cleandoc("""
        refused(404, togai.alerts.get_incident, "none")
        with pytest.raises(ApiException):
            togai.alerts.list_alerts()
        togai.alerts.get_alert_templates()
        """)
    )
    failing: set[Any] = {
        node.attr
        for refusal in _refusals(tree)
        for node in ast.walk(refusal)
        if isinstance(node, ast.Attribute)
    }
    assert {"get_incident", "list_alerts"} <= failing
    assert "get_alert_templates" not in failing
