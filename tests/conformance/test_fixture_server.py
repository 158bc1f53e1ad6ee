"""The server that the conformance suite judges is ours, and the suite's fixtures are beside it."""

import pytest
from mcp import Client

import hosted_asking
from answers import connected, facts, failure
from billing_mcp.config import Settings, from_environ
from billing_mcp.http.app import app
from conformance.app import OURS, FixtureServer
from conformance.callers import Kind, known
from issuer import Issuer

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


@pytest.mark.parametrize("kind", ["API key", "access token"])
async def test_the_fixtures_take_only_callers_who_show_their_token(kind: Kind) -> None:
    with known(kind) as caller:
        settings = from_environ({}, caller.settings)
        application = app(settings, FixtureServer(settings), authentication=caller.authentication)
        async with hosted_asking.client_of(application) as http:
            without = await hosted_asking.asked(http, "tools/list", {})
            shown = {"authorization": f"Bearer {caller.token}"}
            answer = await hosted_asking.asked(http, "tools/list", shown)
    assert without.status_code == 401
    names = [tool["name"] for tool in answer.json()["result"]["tools"]]
    assert {"ingest-events", "test_image_content", *OURS} <= set(names)


async def test_a_token_that_only_reads_has_the_fixtures_but_not_the_one_that_is_our_write() -> None:
    issuer = Issuer()
    application = app(
        hosted_asking.HOSTED,
        FixtureServer(hosted_asking.HOSTED),
        authentication=issuer.authentication(),
    )
    async with hosted_asking.client_of(application) as http:
        shown = hosted_asking.bearer(issuer, scope="billing:read")
        listed = await hosted_asking.asked(http, "tools/list", shown)
        names = {tool["name"] for tool in listed.json()["result"]["tools"]}
        assert {*OURS, "test_image_content"} - names == {"test_tool_with_progress"}
        image = await hosted_asking.asked(
            http, "tools/call", shown, name="test_image_content", arguments={}
        )
        assert image.json()["result"]["content"][0]["type"] == "image"
        write = await hosted_asking.asked(
            http, "tools/call", shown, name="test_tool_with_progress", arguments={}
        )
        error = write.json()["result"]["structuredContent"]["error"]
        assert (error["kind"], "billing:write" in error["message"]) == ("not-permitted", True)
