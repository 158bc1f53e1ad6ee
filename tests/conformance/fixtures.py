"""What the conformance suite asks of any server by fixed name: plain tools, resources, prompts."""

import base64
import json

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    AudioContent,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

# One transparent pixel, and a sound of no samples: the smallest files of their kinds.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4"
    "nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
)
SILENCE = base64.b64encode(
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"
    b"\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x00\x00\x00\x00"
).decode()
SUBSCRIBABLE = "test://watched-resource"


def add_to(server: MCPServer[None]) -> None:
    """Register the fixtures that answer at once."""
    for tool in (
        test_image_content,
        test_audio_content,
        test_embedded_resource,
        test_multiple_content_types,
        test_tool_with_logging,
    ):
        server.add_tool(tool)
    server.resource("test://static-text", mime_type="text/plain")(static_text)
    server.resource("test://static-binary", mime_type="image/png")(static_binary)
    server.resource("test://template/{id}/data", mime_type="application/json")(by_id)
    server.resource(SUBSCRIBABLE, mime_type="text/plain")(watched)
    for prompt in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
    ):
        server.prompt()(prompt)


def _image() -> ImageContent:
    return ImageContent(type="image", data=PIXEL, mime_type="image/png")


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    resource = TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return EmbeddedResource(type="resource", resource=resource)


def test_image_content() -> list[ImageContent]:
    """Answer with an image."""
    return [_image()]


def test_audio_content() -> list[AudioContent]:
    """Answer with a sound."""
    return [AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")]


def test_embedded_resource() -> list[EmbeddedResource]:
    """Answer with a resource inside the content."""
    return [_embedded("test://embedded-resource", "text/plain", "A resource inside a result.")]


def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """Answer with a text, an image and a resource."""
    return [
        TextContent(type="text", text="Three kinds of content:"),
        _image(),
        _embedded("test://mixed-content-resource", "application/json", '{"mixed":true}'),
    ]


async def test_tool_with_logging(context: Context[None]) -> str:
    """Send three log messages before the answer."""
    for step in ("started", "half done", "finished"):
        await context.info(f"The tool has {step}.")
    return "Three messages were sent."


def static_text() -> str:
    """A text that never changes."""
    return "A text that never changes."


def static_binary() -> bytes:
    """Bytes that never change."""
    return base64.b64decode(PIXEL)


def by_id(id: str) -> str:  # noqa: A002  the template's parameter, as the suite names it
    """What the template makes of an id."""
    return json.dumps({"id": id})


def watched() -> str:
    """A resource that a client may subscribe to."""
    return "Nothing has changed yet."


def test_simple_prompt() -> list[UserMessage]:
    """A prompt without arguments."""
    return [UserMessage("A prompt without arguments.")]


def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    """A prompt that repeats its two arguments."""
    return [UserMessage(f"The arguments are {arg1!r} and {arg2!r}.")]


def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
    """A prompt that carries a resource."""
    return [
        UserMessage(_embedded(resourceUri, "text/plain", "A resource inside a prompt.")),
        UserMessage("Read the resource above."),
    ]


def test_prompt_with_image() -> list[UserMessage]:
    """A prompt that carries an image."""
    return [UserMessage(_image()), UserMessage("Look at the image above.")]
