"""Fixtures that ask the client back: in the middle of a call, or by an answer that wants input."""

import json
from typing import Any

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

Asking = Context[None]
Schema = dict[str, Any]
STATE = "asked once"


def add_to(server: MCPServer[None]) -> None:
    """Register the fixtures that need something of the client."""
    for tool in (
        test_sampling,
        test_elicitation,
        test_elicitation_sep1034_defaults,
        test_elicitation_sep1330_enums,
        test_missing_capability,
        test_input_required_result_elicitation,
        test_input_required_result_sampling,
        test_input_required_result_list_roots,
        test_input_required_result_request_state,
        test_input_required_result_multiple_inputs,
        test_input_required_result_multi_round,
        test_input_required_result_tampered_state,
        test_input_required_result_capabilities,
    ):
        server.add_tool(tool)
    server.prompt()(test_input_required_result_prompt)


def _form(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _question(message: str, **properties: Schema) -> ElicitRequest:
    form = _form(**properties)
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=form))


def _sample(text: str, most_tokens: int = 100) -> CreateMessageRequest:
    said = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[said], max_tokens=most_tokens)
    )


def _answered(context: Asking, question: str, field: str) -> str | None:
    """What a form's field was filled in with; None when it was not, or not yet."""
    answer = (context.input_responses or {}).get(question)
    if not isinstance(answer, ElicitResult) or not answer.content:
        return None
    value = answer.content.get(field)
    return None if value is None else str(value)


# Asked in the middle of a call, over the connection that the call came by (handshake era). The
# request's id goes along, so that the question travels on that call's own stream.


async def _elicited(context: Asking, message: str, form: Schema) -> str:
    answer = await context.session.elicit_form(message, form, context.request_id)
    return f"The client chose to {answer.action}: {json.dumps(answer.content)}"


async def test_sampling(prompt: str, context: Asking) -> str:
    """Have the client's model answer a prompt."""
    said = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    answer = await context.session.create_message(
        [said], max_tokens=100, related_request_id=context.request_id
    )
    return f"The model answered: {answer.content}"


async def test_elicitation(message: str, context: Asking) -> str:
    """Have the client's user fill in a form."""
    text = {"type": "string"}
    return await _elicited(context, message, _form(username=text, email=text))


async def test_elicitation_sep1034_defaults(context: Asking) -> str:
    """A form in which every kind of field has a default."""
    states = ["active", "inactive", "pending"]
    form = _form(
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": states, "default": "active"},
        verified={"type": "boolean", "default": True},
    )
    return await _elicited(context, "Is this right?", form)


async def test_elicitation_sep1330_enums(context: Asking) -> str:
    """A form with each of the five ways to offer a choice."""
    values = ["first", "second", "third"]
    titled = [{"const": value, "title": value.capitalize()} for value in values]
    form = _form(
        untitledSingle={"type": "string", "enum": values},
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum={
            "type": "string",
            "enum": values,
            "enumNames": [value.capitalize() for value in values],
        },
        untitledMulti={"type": "array", "items": {"type": "string", "enum": values}},
        titledMulti={"type": "array", "items": {"anyOf": titled}},
    )
    return await _elicited(context, "Which?", form)


async def test_missing_capability(context: Asking) -> str:
    """Refuse a client that has not declared that it can sample."""
    capabilities = context.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This tool needs a client that can sample.",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return "The client can sample."


# Asked by an answer that wants input, after which the client calls again (era without sessions).


def test_input_required_result_elicitation(context: Asking) -> str | InputRequiredResult:
    """Ask for a name, then greet."""
    name = _answered(context, "user_name", "name")
    if name is None:
        question = _question("What is your name?", name={"type": "string"})
        return InputRequiredResult(input_requests={"user_name": question})
    return f"Hello, {name}!"


def test_input_required_result_sampling(context: Asking) -> str | InputRequiredResult:
    """Ask the client's model, then repeat what it said."""
    answer = (context.input_responses or {}).get("capital_question")
    if not isinstance(answer, CreateMessageResult):
        question = _sample("What is the capital of France?")
        return InputRequiredResult(input_requests={"capital_question": question})
    return f"The model answered: {answer.content}"


def test_input_required_result_list_roots(context: Asking) -> str | InputRequiredResult:
    """Ask for the client's roots, then name them."""
    answer = (context.input_responses or {}).get("client_roots")
    if not isinstance(answer, ListRootsResult):
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
    return f"The roots are {', '.join(str(root.uri) for root in answer.roots)}."


def test_input_required_result_request_state(context: Asking) -> str | InputRequiredResult:
    """Ask for a confirmation and have the client carry our state."""
    if _answered(context, "confirm", "ok") is None or context.request_state != STATE:
        question = _question("Please confirm", ok={"type": "boolean"})
        return InputRequiredResult(input_requests={"confirm": question}, request_state=STATE)
    return "state-ok: the state came back as it was sent."


def test_input_required_result_multiple_inputs(context: Asking) -> str | InputRequiredResult:
    """Ask for a name, a greeting and the roots at once."""
    requests: dict[str, InputRequest] = {
        "user_name": _question("What is your name?", name={"type": "string"}),
        "greeting": _sample("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    if not requests.keys() <= (context.input_responses or {}).keys():
        return InputRequiredResult(input_requests=requests, request_state=STATE)
    return "All three were answered."


def test_input_required_result_multi_round(context: Asking) -> str | InputRequiredResult:
    """Ask for a name, then for a colour; the state keeps the name in between."""
    name = _answered(context, "step1", "name")
    colour = _answered(context, "step2", "color")
    if context.request_state and colour is not None:
        return f"{json.loads(context.request_state)['name']} likes {colour}."
    if context.request_state and name is not None:
        question = _question("Step 2: What is your favorite color?", color={"type": "string"})
        state = json.dumps({"name": name})
        return InputRequiredResult(input_requests={"step2": question}, request_state=state)
    question = _question("Step 1: What is your name?", name={"type": "string"})
    state = json.dumps({"name": None})
    return InputRequiredResult(input_requests={"step1": question}, request_state=state)


def test_input_required_result_tampered_state(context: Asking) -> str | InputRequiredResult:
    """Send a state that only comes back to this tool when nobody has touched it."""
    if context.request_state is None:
        question = _question("Please confirm", ok={"type": "boolean"})
        return InputRequiredResult(input_requests={"confirm": question}, request_state=STATE)
    return "state-ok: the state came back as it was sent."


def test_input_required_result_capabilities(context: Asking) -> InputRequiredResult:
    """Ask only for what the client has declared that it can do."""
    capabilities = context.client_capabilities
    requests: dict[str, InputRequest] = {}
    if capabilities is not None and capabilities.sampling is not None:
        requests["sampled"] = _sample("Say hello", 50)
    if capabilities is not None and capabilities.elicitation is not None:
        requests["asked"] = _question("What is your name?", name={"type": "string"})
    return InputRequiredResult(input_requests=requests, request_state=STATE)


def test_input_required_result_prompt(
    context: Asking,
) -> list[UserMessage] | InputRequiredResult:
    """A prompt that first asks what it is about."""
    given = _answered(context, "user_context", "context")
    if given is None:
        question = _question("What context should the prompt use?", context={"type": "string"})
        return InputRequiredResult(input_requests={"user_context": question})
    return [UserMessage(f"Go by this context: {given}")]
