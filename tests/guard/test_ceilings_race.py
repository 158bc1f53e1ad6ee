"""64 clients at once, on one operation and on one ceiling, through one server: one effect, and
never a cent above the ceiling, whatever the vendor does meanwhile."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import pytest
from mcp import Client
from mcp.types import CallToolResult

from answers import connected
from billing_mcp import approvals
from billing_mcp.config import Settings
from guard.guarded import Guarded, guarded

pytestmark = pytest.mark.anyio

CLIENTS = 64
SESSIONS = 8
GRANT = {"accountId": "harbor-main", "creditAmount": "100", "effectiveFrom": "2026-11-20"}
OPERATION = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"
A_DAY = Decimal(500)

Ask = Callable[[int], Mapping[str, Any]]


@dataclass(slots=True)
class Crowd:
    """Many clients of one server. The session of any of them ends with those of all."""

    at: Guarded
    sessions: list[Client]

    async def at_once(self, ask: Ask, times: int = CLIENTS) -> list[CallToolResult]:
        """What each of many was answered who all ask before the first is."""
        answers: list[CallToolResult] = []

        async def one(client: Client, number: int) -> None:
            answers.append(await client.call_tool("grant-credit", dict(ask(number))))

        async with anyio.create_task_group() as group:
            for number in range(times):
                group.start_soon(one, self.sessions[number % SESSIONS], number)
        return answers

    @property
    def granted(self) -> Decimal:
        """What the accounts of the customer really have, as the vendor keeps it."""
        rows = self.at.world.sandbox.backend.db.execute(
            "select amount from credits where customer_id = 'harbor-labs'"
        )
        return sum((Decimal(row["amount"]) for row in rows), Decimal(0))

    async def spent(self) -> Decimal:
        """What the ledger says that the customer was given today."""
        gate = await self.at.gate()
        day = self.at.time.now.date()
        found = await gate.ledger.spent(gate.partition, "harbor-labs", "", "USD", day)
        return found.customer


@pytest.fixture(params=["memory", "file"])
async def crowd(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Crowd]:
    """Its ledger is in memory, or in a file beside where the sandbox's data would be."""
    data = None if request.param == "memory" else tmp_path / "company"
    async with guarded(Settings(sandbox_data=data)) as at, AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(
                connected(at.server, "modern" if number % 2 else "legacy")
            )
            for number in range(SESSIONS)
        ]
        yield Crowd(at, sessions)


# What does not depend on where the ledger is.
in_memory = pytest.mark.parametrize("crowd", ["memory"], indirect=True)


def kinds(answers: list[CallToolResult]) -> Counter[str]:
    found: Counter[str] = Counter()
    for answer in answers:
        content = answer.structured_content
        assert content is not None
        if answer.is_error:
            found[content["error"]["kind"]] += 1
        else:
            found["replayed" if content.get("replayed") else "done"] += 1
    return found


def numbered(number: int) -> str:
    return str(UUID(int=number + 1, version=4))


async def test_of_64_clients_with_one_id_one_has_an_effect_and_all_its_answer(crowd: Crowd) -> None:
    answers = await crowd.at_once(lambda _: GRANT | {"operationId": OPERATION})
    assert kinds(answers) == {"done": 1, "replayed": CLIENTS - 1}
    ids = {content["id"] for answer in answers if (content := answer.structured_content)}
    assert len(ids) == 1
    assert len(crowd.at.effects) == 1


@in_memory
async def test_of_64_clients_with_one_id_and_other_amounts_one_has_an_effect(crowd: Crowd) -> None:
    def ask(number: int) -> dict[str, Any]:
        return GRANT | {"operationId": OPERATION, "creditAmount": str(number + 1)}

    answers = await crowd.at_once(ask)
    assert kinds(answers) == {"done": 1, "conflict": CLIENTS - 1}
    assert len(crowd.at.effects) == 1


async def test_of_64_grants_of_100_at_once_five_are_done(crowd: Crowd) -> None:
    answers = await crowd.at_once(lambda number: GRANT | {"operationId": numbered(number)})
    assert kinds(answers) == {"done": 5, "approval-required": CLIENTS - 5}
    assert crowd.granted == A_DAY
    assert await crowd.spent() == A_DAY


@in_memory
async def test_two_accounts_of_one_customer_race_for_one_ceiling(crowd: Crowd) -> None:
    def ask(number: int) -> dict[str, Any]:
        account = "harbor-main" if number % 2 else "harbor-test"
        return GRANT | {"operationId": numbered(number), "accountId": account}

    answers = await crowd.at_once(ask)
    assert kinds(answers) == {"done": 5, "approval-required": CLIENTS - 5}
    assert crowd.granted == A_DAY


@in_memory
async def test_grants_of_every_size_never_sum_to_more_than_the_ceiling(crowd: Crowd) -> None:
    """1 to 64 dollars, 2,080 in all; what was done is what the ledger says was spent."""

    def ask(number: int) -> dict[str, Any]:
        return GRANT | {"operationId": numbered(number), "creditAmount": str(number + 1)}

    answers = await crowd.at_once(ask)
    assert crowd.granted <= A_DAY
    assert crowd.granted == await crowd.spent()
    # Every one that was turned away would have passed it.
    assert kinds(answers)["done"] >= A_DAY // 64


@in_memory
@pytest.mark.parametrize(
    "fault",
    [
        {"mode": "status", "status": 429, "retryAfter": 3600},
        {"mode": "status", "status": 400},
        {"mode": "reset-before"},
        {"mode": "reset-after"},
        {"mode": "status", "status": 500},
    ],
    ids=lambda fault: str(fault.get("status", fault["mode"])),
)
async def test_what_fails_and_is_repeated_never_lets_more_through(
    crowd: Crowd, fault: dict[str, Any]
) -> None:
    """Each of 12 grants is asked for by two at once, and again when the vendor is well."""
    crowd.at.fault(
        method="POST", path="/togai/credits", **fault, probability=Decimal("0.5"), seed=6
    )

    def ask(number: int) -> dict[str, Any]:
        return GRANT | {"operationId": numbered(number % 12)}

    for _ in range(2):
        await crowd.at_once(ask, 24)
        assert crowd.granted <= A_DAY
        crowd.at.time.pass_by()
    crowd.at.mend()
    for _ in range(2):
        await crowd.at_once(ask, 24)
        crowd.at.time.pass_by()
    assert crowd.granted == await crowd.spent()
    # What the vendor refuses for good is not asked for again, and the others were planned by then.
    assert crowd.granted == A_DAY or (fault.get("status") == 400 and crowd.granted < A_DAY)


async def test_a_plan_that_64_commit_at_once_is_done_once(crowd: Crowd) -> None:
    large = GRANT | {"creditAmount": "150"}
    (told,) = await crowd.at_once(lambda _: large | {"dryRun": True}, 1)
    assert told.structured_content is not None
    operation_id = told.structured_content["operationId"]
    await approvals.approve(crowd.at.server.tenant, operation_id, "ann", identified=True)
    answers = await crowd.at_once(lambda _: large | {"operationId": operation_id})
    assert kinds(answers) == {"done": 1, "replayed": CLIENTS - 1}
    assert len(crowd.at.effects) == 1


@in_memory
async def test_plans_that_needed_nobody_race_for_one_ceiling_too(crowd: Crowd) -> None:
    """Each fitted when it was made; five of them still do when all are committed."""
    plans = await crowd.at_once(lambda _: GRANT | {"dryRun": True}, 16)
    ids = [plan.structured_content["operationId"] for plan in plans if plan.structured_content]
    assert len(set(ids)) == 16
    answers = await crowd.at_once(lambda number: GRANT | {"operationId": ids[number % 16]})
    assert crowd.granted == A_DAY
    assert set(kinds(answers)) == {"done", "replayed", "approval-required"}
    assert kinds(answers)["done"] == 5


@in_memory
async def test_midnight_in_utc_begins_a_new_day_and_not_before(crowd: Crowd) -> None:
    """It is noon: a microsecond before midnight the day is still full."""
    for passes, done in (
        (timedelta(0), 5),
        (timedelta(hours=12, microseconds=-1), 0),
        (timedelta(microseconds=1), 5),
    ):
        crowd.at.time.pass_by(passes)
        answers = await crowd.at_once(lambda _: GRANT | {"operationId": str(uuid4())}, 16)
        assert kinds(answers)["done"] == done


async def test_a_twin_of_a_call_that_was_turned_away_spends_what_it_gives(crowd: Crowd) -> None:
    """The twin looks while the first still runs, and claims when that has been refused."""
    gate: Any = await crowd.at.gate()
    ledger = gate.ledger
    sent, seen, ended = anyio.Event(), anyio.Event(), anyio.Event()
    send, read, settle = ledger.sent, ledger.get, ledger.settle

    async def tell_when_sent(*given: Any) -> Any:
        row = await send(*given)
        sent.set()
        return row

    async def read_and_wait(key: Any) -> Any:
        row = await read(key)
        if sent.is_set() and not ended.is_set():
            seen.set()
            await ended.wait()
        return row

    async def settle_when_seen(*given: Any) -> Any:
        await seen.wait()
        row = await settle(*given)
        ended.set()
        return row

    ledger.sent, ledger.get, ledger.settle = tell_when_sent, read_and_wait, settle_when_seen
    busy = {"mode": "status", "status": 429, "retryAfter": 3600, "times": 1}
    crowd.at.fault(method="POST", path="/togai/credits", **busy)
    arguments = GRANT | {"operationId": OPERATION}
    async with anyio.create_task_group() as group:
        group.start_soon(crowd.at.call, "grant-credit", arguments)
        await sent.wait()
        group.start_soon(crowd.at.call, "grant-credit", arguments)
    ledger.sent, ledger.get, ledger.settle = send, read, settle
    assert crowd.granted == await crowd.spent()
    await crowd.at_once(lambda number: GRANT | {"operationId": numbered(number)}, 8)
    assert crowd.granted == await crowd.spent() == A_DAY
