"""Guides: each file of the package is a resource, with its title and its question."""

from pathlib import Path

import pytest
from mcp import Client

import billing_mcp
from resources.shelf import contents, text

pytestmark = pytest.mark.anyio

FILES = sorted((Path(billing_mcp.__file__).parent / "guides").glob("*.md"))


async def test_each_guide_is_read_as_it_was_written(client: Client) -> None:
    index = await text(client, "billing://guides")
    listed = {one.uri: one for one in (await client.list_resources()).resources}
    assert len(FILES) >= 9
    for file in FILES:
        uri = f"billing://guides/{file.stem}"
        written = file.read_text(encoding="utf-8")
        content = await contents(client, uri)
        assert content.text == written
        assert content.mime_type == "text/markdown"
        title, question = written.split("\n\n")[:2]
        assert f"# {listed[uri].title}" == title
        assert listed[uri].description == question
        assert f"- {uri}: {listed[uri].title}. {question}\n" in index
