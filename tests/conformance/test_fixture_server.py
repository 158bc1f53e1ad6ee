"""The server that the conformance suite judges is ours, and the suite's fixtures are beside it."""

import pytest
from mcp import Client

from answers import connected, facts, failure
from billing_mcp.config import Settings
from conformance.app import OURS, FixtureServer

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("era", ["modern", "legacy"])


@ERAS
async def test_our_tools_are_listed_first_and_answer_through_our_door(era: str) -> None:
    async with connected(FixtureServer(Settings()), era) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        assert listed[0] == "list-customers"
        assert {"test_image_content", *OURS} <= set(listed)
        assert facts(await client.call_tool("list-customers", {}))["environment"] == "sandbox"
        unknown = failure(await client.call_tool("test_no_such_thing", {}))
        assert unknown["kind"] == "not-found"


@ERAS
async def test_the_fixtures_that_are_our_tools_succeed_and_fail_as_ours_do(era: str) -> None:
    async with connected(FixtureServer(Settings()), era) as client:
        assert len(facts(await client.call_tool("test_simple_text", {}))["data"]) == 2
        failed = failure(await client.call_tool("test_error_handling", {}))
        assert (failed["kind"], failed["field"]) == ("not-found", "customerId")


async def test_each_batch_of_a_long_write_is_told_of() -> None:
    told: list[tuple[float, float | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    async with Client(FixtureServer(Settings())) as client:
        await client.call_tool("test_tool_with_progress", {}, progress_callback=hear)
    assert told == [(500, 1500), (1000, 1500), (1500, 1500)]


@ERAS
async def test_resources_and_prompts_of_the_suite_are_served_by_our_overrides(era: str) -> None:
    async with connected(FixtureServer(Settings()), era) as client:
        (content,) = (await client.read_resource("test://template/41/data")).contents
        assert content.model_dump()["text"] == '{"id": "41"}'
        prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        assert prompt.messages[0].content.model_dump()["text"] == "The arguments are 'a' and 'b'."
