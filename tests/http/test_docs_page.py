"""The page at /v1/docs: whole in itself, readable without its script, closed to other scripts."""

import re
import shlex

import httpx2
import pytest

from billing_mcp.config import Settings
from billing_mcp.http.docs_page import EXAMPLE_ORIGIN, rendered
from billing_mcp.http.openapi import document
from billing_mcp.http.problems import TYPES
from billing_mcp.http.routes import ROUTES, RestRoute
from billing_mcp.http.schema_rows import rows
from billing_mcp.server import BillingServer
from html_pages import Page, require_closed
from rest_asking import asking

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def text() -> str:
    return rendered(document(BillingServer(Settings()).catalog))[0]


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_needs_nothing_from_anywhere(page: Page) -> None:
    assert page.all("img") == page.all("iframe") == []
    assert all("src" not in script for script in page.all("script"))
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    for link in page.all("a"):
        assert re.match(r"#|/v1/", link["href"] or "")


async def test_only_the_pages_own_script_and_style_may_run(http: httpx2.AsyncClient) -> None:
    require_closed(await http.get("/v1/docs"))


def test_the_token_is_kept_nowhere(text: str) -> None:
    assert "Storage" not in text
    assert "cookie" not in re.sub(r"//.*", "", text)
    assert 'credentials: "omit"' in text


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_every_route_has_a_place_a_link_a_form_and_a_curl(page: Page, route: RestRoute) -> None:
    assert {"class": "operation", "id": route.operation} in page.all("details")
    assert {"href": f"#{route.operation}"} in page.all("a")
    forms = [form for form in page.all("form") if form.get("data-path") == route.path]
    assert route.method in [form["data-method"] for form in forms]
    # It does nothing without the script, which shows it.
    assert all("hidden" in form for form in forms)


def test_every_link_on_the_page_leads_to_an_element_of_it(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        href = link["href"] or ""
        assert not href.startswith("#") or href[1:] in ids
    assert {f"/v1/problems/{name}" for name in TYPES} <= {link["href"] for link in page.all("a")}


def test_every_input_has_a_label(page: Page) -> None:
    labelled = {label["for"] for label in page.all("label")}
    fields = [*page.all("input"), *page.all("textarea")]
    assert len(fields) > 32
    assert {field["id"] for field in fields} == labelled


async def test_every_curl_on_the_page_succeeds_on_the_demo_company(page: Page) -> None:
    """As a shell would take it apart; each on a company of its own."""
    assert len(page.code) == 32
    for line in page.code:
        command, *words = shlex.split(line.replace("\\\n", ""))
        assert command == "curl"
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        headers = dict(words[i + 1].split(": ", 1) for i, word in enumerate(words) if word == "-H")
        assert headers.pop("Authorization") == "Bearer $TOKEN"
        content = words[words.index("-d") + 1] if "-d" in words else None
        (url,) = [word for word in words if word.startswith(EXAMPLE_ORIGIN)]
        server = BillingServer(Settings())
        async with asking(server) as http:
            path = url.removeprefix(EXAMPLE_ORIGIN)
            answer = await http.request(method, path, content=content, headers=headers)
        await server.tenant.close()
        assert answer.status_code == 200, (line, answer.text)


def test_text_of_the_document_cannot_become_markup() -> None:
    described = document(BillingServer(Settings()).catalog)
    described["info"]["description"] = "<script>alert(1)</script> & `<b>`"
    page = rendered(described)[0]
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; <code>&lt;b&gt;</code>" in page


def test_a_schema_is_told_field_by_field_in_words() -> None:
    schema = {
        "type": "object",
        "required": ["data"],
        "properties": {
            "data": {
                "type": "array",
                "minItems": 1,
                "maxItems": 5,
                "items": {
                    "type": "object",
                    "properties": {"id": {"type": "string", "minLength": 2}},
                },
            },
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
            "state": {"enum": ["ON", "OFF"], "default": "ON", "description": "Now"},
            "part": {"anyOf": [{"$ref": "#/components/schemas/Part"}, {"type": "null"}]},
            "day": {"type": "string", "format": "date", "pattern": "^.{10}$", "maxLength": 10},
        },
    }
    told = [
        (row.name, "".join(part for part, _ in row.kind), row.required, row.about, row.rules)
        for row in rows("", schema)
    ]
    assert told == [
        ("data", "list of object", True, "", "1 to 5 items"),
        ("data[].id", "text", False, "", "at least 2 characters"),
        ("map", "map to whole number", False, "", ""),
        ("state", "ON | OFF", False, "Now", "default ON"),
        ("part", "Part or null", False, "", ""),
        ("day", "text (date)", False, "", "at most 10 characters"),
    ]
