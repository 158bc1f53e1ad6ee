"""Pictures of a company tell a write that was done once from none and from two."""

import pytest
from mcp.types import CallToolResult

from answers import facts
from faults.company_states import copied, differences, furnished, picture, the_company
from world import OPERATION
from write_tools import WRITES

pytestmark = pytest.mark.anyio

OTHER = "0b8c6a52-7d3c-4f0e-8a43-5d1f0c9b2e11"
# What they ask for is there already when they are done again; the vendor says so and does nothing.
SAME_AGAIN = frozenset(
    {
        *("delete-customer", "delete-account", "delete-addon", "archive-price-plan"),
        *("activate-event-schema", "deactivate-event-schema", "delete-event-schema"),
        *("activate-usage-meter", "deactivate-usage-meter", "delete-usage-meter"),
        *("update-invoice", "update-invoice-payment-status", "update-incident-status"),
        "ingest-event",  # whose event brings its own id
    }
)


def test_two_companies_made_alike_give_the_same_picture() -> None:
    one, other = (company.world.sandbox.backend.db for company in (the_company(), furnished()))
    assert differences(picture(one), picture(other)) == []


@pytest.mark.long
async def test_every_write_done_once_gives_one_picture_and_done_twice_another() -> None:
    unseen, unequal, same_again = [], {}, set()
    other = furnished()
    async with copied() as at:
        before = at.picture()
        for tool in WRITES:
            call = at.company.calls[tool]
            await at.begin_again(other)
            facts(await at.call(tool, call | {"operationId": OPERATION}))
            theirs = at.picture()
            await at.begin_again()
            facts(await at.call(tool, call | {"operationId": OPERATION}))
            once = at.picture()
            if once == before:
                unseen.append(tool)
            if once != theirs:
                unequal[tool] = differences(once, theirs)
            again = await at.call(tool, call | {"operationId": OTHER})
            assert isinstance(again, CallToolResult)
            if again.is_error:
                # What the vendor refused has left nothing.
                assert differences(once, at.picture()) == []
            elif at.picture() == once:
                same_again.add(tool)
    assert unseen == []
    assert unequal == {}
    assert same_again == SAME_AGAIN
