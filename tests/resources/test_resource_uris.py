"""Which URIs name something, and what is said of those that do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from billing_mcp.errors import Unavailable
from billing_mcp.resources.addresses import Address, parsed, uri
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach
from resources.shelf import INTERNAL_ERROR, refused, text

pytestmark = pytest.mark.anyio


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_any_id_that_is_no_path_comes_back_out_of_its_uri(name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    expected = None if {".", ".."} & set(parts) else Address("accounts", name, {"page": name})
    assert parsed(uri("accounts", name, {"page": name})) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        "billing://accounts/../customers",
        "billing://accounts/%2e%2e%2fcustomers",
        "billing://accounts/..%5Csecrets",
        "billing://accounts/a/b",
        "billing://accounts/%ff",
        "billing://accounts/a#b",
        "billing:///accounts",
        "billing://",
        f"billing://accounts/{'a' * 4000}",
    ],
)
async def test_a_path_that_leads_elsewhere_names_nothing(client: Client, wrong: str) -> None:
    assert (await refused(client, wrong)).startswith("There is no resource ")


async def test_an_unknown_uri_is_answered_with_the_nearest_template(client: Client) -> None:
    sentence = await refused(client, "billing://acounts/acme-prod")
    assert sentence == (
        'There is no resource "billing://acounts/acme-prod". There are billing://accounts/{id}.'
    )
    far = await refused(client, "billing://weather/today")
    assert "billing://invoices/{id}, " in far
    assert await refused(client, "billing://accounts") == (
        "billing://accounts needs more: billing://accounts/{id}"
    )


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            "billing://accounts/acme-prd",
            (
                'There is no account "acme-prd". Near ones: acme-prod. '
                "list-accounts shows those there are."
            ),
        ),
        (
            "billing://event-schemas/computee",
            (
                'There is no event schema "computee". Near ones: compute. '
                "list-event-schemas, through run-read-tool, shows those there are."
            ),
        ),
        (
            "billing://guides/tiers-and-volume",
            (
                'There is no guide "tiers-and-volume". Near ones: tiered-and-volume. '
                "billing://guides shows those there are."
            ),
        ),
        (
            "billing://schemas/priceplan",
            (
                'There is no schema "priceplan". Near ones: price-plan, rate-plan, '
                "price-plan-override. billing://schemas shows those there are."
            ),
        ),
        (
            "billing://invoices/nothing-like-it",
            'There is no invoice "nothing-like-it". list-invoices shows those there are.',
        ),
        # Longer than an id may be, and of characters that none has.
        (
            f"billing://accounts/{'x' * 60}",
            f'There is no account "{"x" * 60}". list-accounts shows those there are.',
        ),
        (
            "billing://event-schemas/comp%2Bute",
            (
                'There is no event schema "comp+ute". Near ones: compute. '
                "list-event-schemas, through run-read-tool, shows those there are."
            ),
        ),
    ],
)
async def test_an_id_that_is_not_there_names_near_ones(
    client: Client, wrong: str, sentence: str
) -> None:
    assert await refused(client, wrong) == sentence


async def test_a_name_in_the_place_of_an_id_leads_to_the_id(client: Client) -> None:
    plans = (await client.call_tool("list-price-plans", {})).structured_content
    assert plans is not None
    ids = {plan["name"]: plan["id"] for plan in plans["data"]}
    assert f"Near ones: {ids['Scale']}. " in await refused(client, "billing://price-plans/scale")
    sentence = await refused(client, "billing://accounts/Acme")
    assert "Near ones: acme-prod, acme-staging. " in sentence


async def test_a_part_that_a_resource_does_not_have_is_refused(client: Client) -> None:
    account = "billing://accounts/acme-prod"
    only = "There is no such page of it; it has only one."
    for page in ("2", "0", "-1", "x", "", "1.0", "99999999999999999999", "²"):
        assert await refused(client, f"{account}?page={page}") == only
    assert await refused(client, f"{account}?verbose=1") == (
        'There is no part "verbose" of it. What may stand after the ?: page.'
    )
    assert await refused(client, "billing://guides/credits?page=1") == (
        'There is no part "page" of it. What may stand after the ?: none.'
    )
    assert await text(client, f"{account}?page=1") == await text(client, account)


async def test_the_scheme_and_the_collection_may_be_written_large(client: Client) -> None:
    shown = await text(client, "BILLING://Guides/credits")
    assert shown.startswith("# Credits\n")


async def test_trouble_at_the_vendor_is_told_in_the_sentence_of_the_tool(
    server: BillingServer, client: Client
) -> None:
    attach(server, Recorder(Says({"message": "down"}, 503)))
    sentence = await refused(client, "billing://invoices/inv.1", INTERNAL_ERROR)
    assert sentence.startswith("Togai answered HTTP 503")
    assert Unavailable.kind not in sentence


async def test_a_crash_says_nothing_of_its_inside(server: BillingServer, client: Client) -> None:
    # A schedule that is no object: nothing the vendor's API description allows.
    plan = {"id": "pp.1", "name": "Odd", "pricingSchedule": [{"pricePlanDetails": ["secret"]}]}
    attach(server, Recorder(Says(plan)))
    assert await refused(client, "billing://price-plans/pp.1", INTERNAL_ERROR) == (
        "Reading billing://price-plans/pp.1 broke inside this server; its log has the details."
    )
