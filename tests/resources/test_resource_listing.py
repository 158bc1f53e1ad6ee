"""What can be read is listed: indexes, schemas, guides, and templates for the rest."""

import subprocess
import sys

import pytest
from mcp import Client

from answers import connected
from billing_mcp.config import Settings, from_environ
from billing_mcp.server import BillingServer
from resources.shelf import INTERNAL_ERROR, contents, refused, text

pytestmark = pytest.mark.anyio

TEMPLATES = [
    "billing://price-plans/{id}",
    "billing://event-schemas/{name}",
    "billing://features/{id}",
    "billing://accounts/{id}",
    "billing://invoices/{id}",
    "billing://schemas/{name}",
    "billing://guides/{topic}",
]


async def listed(settings: Settings) -> tuple[list[str], list[str]]:
    """The URIs and the templates under given settings."""
    async with connected(BillingServer(settings)) as client:
        found = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
    return [resource.uri for resource in found], [one.uri_template for one in templates]


async def test_every_listed_resource_can_be_read_and_is_what_the_list_says(
    client: Client,
) -> None:
    found = (await client.list_resources()).resources
    assert 20 < len(found) <= 40
    assert len({resource.name for resource in found}) == len(found)
    assert len({resource.uri for resource in found}) == len(found)
    for resource in found:
        assert resource.name
        assert resource.title
        assert resource.description
        content = await contents(client, resource.uri)
        assert content.mime_type == resource.mime_type
        if resource.size is not None:
            assert resource.size == len(content.text.encode())


async def test_what_is_not_listed_one_by_one_has_a_template(client: Client) -> None:
    templates = (await client.list_resource_templates()).resource_templates
    assert [template.uri_template for template in templates] == TEMPLATES
    assert all(template.name and template.title and template.description for template in templates)
    assert all(template.mime_type for template in templates)


async def test_without_a_key_for_togai_only_what_needs_none_is_listed() -> None:
    uris, templates = await listed(from_environ({"SUGER_API_KEY": "key-1", "SUGER_ORG_ID": "o"}))
    assert templates == ["billing://schemas/{name}", "billing://guides/{topic}"]
    assert "billing://price-plans" not in uris
    assert "billing://schemas/price-plan" not in uris
    assert "billing://schemas/billable-metric" in uris
    assert "billing://guides/credits" in uris


async def test_without_a_key_for_suger_its_schemas_are_not_listed() -> None:
    uris, templates = await listed(from_environ({"TOGAI_API_KEY": "key-1"}))
    assert templates == TEMPLATES
    assert "billing://schemas/price-plan" in uris
    assert not [uri for uri in uris if "metric" in uri or "usage-record" in uri]


async def test_what_the_settings_forbid_is_refused_with_the_reason() -> None:
    settings = from_environ({"SUGER_API_KEY": "key-1", "SUGER_ORG_ID": "o"})
    async with connected(BillingServer(settings)) as client:
        for uri, tool in (
            ("billing://price-plans", "list-price-plans"),
            ("billing://invoices/inv.1", "get-invoice"),
        ):
            assert await refused(client, uri, INTERNAL_ERROR) == (
                f"{tool} needs Togai, and this server has no key for it. "
                "Whoever runs it can set TOGAI_API_KEY."
            )
        assert await refused(client, "billing://schemas/price-plan", INTERNAL_ERROR) == (
            "This schema is for Togai, and this server has no key for it."
        )


async def test_a_tool_that_is_excluded_takes_its_resources_with_it() -> None:
    settings = Settings(exclude_tools=("get-price-plan", "list-usage-meters"))
    uris, templates = await listed(settings)
    assert "billing://price-plans" in uris
    assert templates == TEMPLATES[1:]
    async with connected(BillingServer(settings)) as client:
        sentence = await refused(client, "billing://price-plans/pp.1", INTERNAL_ERROR)
        assert sentence == "get-price-plan is excluded on this server."
        shown = await text(client, "billing://event-schemas/compute")
    assert "Not shown: list-usage-meters is excluded on this server." in shown


async def test_a_read_only_server_reads_all_of_it() -> None:
    _, templates = await listed(Settings(read_only=True))
    assert templates == TEMPLATES


async def test_hints_say_how_long_a_resource_stays_right_and_for_whom() -> None:
    server = BillingServer(Settings())
    hints = {}
    async with connected(server) as client:
        for uri in (
            "billing://guides/credits",
            "billing://guides",
            "billing://schemas/credit",
            "billing://schemas",
            "billing://accounts/acme-prod",
            "billing://price-plans",
        ):
            result = await client.read_resource(uri)
            hints[uri] = (result.ttl_ms, result.cache_scope)
        resources = await client.list_resources()
        templates = await client.list_resource_templates()
    assert hints == {
        "billing://guides/credits": (3_600_000, "public"),
        "billing://guides": (3_600_000, "public"),
        "billing://schemas/credit": (3_600_000, "public"),
        "billing://schemas": (3_600_000, "private"),
        "billing://accounts/acme-prod": (30_000, "private"),
        "billing://price-plans": (30_000, "private"),
    }
    assert resources.cache_scope == templates.cache_scope == "private"


def test_resources_cost_nothing_at_the_start_and_listing_them_builds_no_tool() -> None:
    script = (
        "import sys\n"
        "from billing_mcp.server import BillingServer\n"
        "from billing_mcp.config import Settings\n"
        "server = BillingServer(Settings())\n"
        "late = ('billing_mcp.completions', 'billing_mcp.resources.library')\n"
        "print([n for n in late if n in sys.modules])\n"
        "server.resources.listed(server.caller())\n"
        "print([n for n in sys.modules if n.startswith('billing_mcp.tools.')])\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == ["[]", "[]"]
