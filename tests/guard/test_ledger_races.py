"""Many at once on one id and one ceiling, and writers killed in the middle, on real databases."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import anyio
import pytest

from billing_mcp.guard.ledger import Claimed, Exceeded, Lapsed, Running
from billing_mcp.guard.operations import Filters, Settlement, Spent, State
from billing_mcp.guard.sqlite_ledger import SqliteLedger
from guard.ledgers import ACME, LEASE, TODAY, Clock, Database, a_day, grant, key
from processes import environment

pytestmark = pytest.mark.anyio

WORKER = Path(__file__).with_name("ledger_worker.py")
TESTS = WORKER.parents[1]
PATIENCE_S = 600
MEMORY_DISK = "/dev/shm"
HAS_MEMORY_DISK = Path(MEMORY_DISK).is_dir()


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(WORKER), *(str(argument) for argument in arguments)]


def with_tests() -> dict[str, str]:
    before = os.environ.get("PYTHONPATH")
    return environment(PYTHONPATH=f"{TESTS}{os.pathsep}{before}" if before else str(TESTS))


def race(database: Database, processes: int, tasks: int) -> Counter[str]:
    """All processes are ready before the first is let go."""
    racing = [
        subprocess.Popen(
            command("race", database.kind, database.place, tasks),
            env=with_tests(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(processes)
    ]
    answers: Counter[str] = Counter()
    try:
        for process in racing:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in racing:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in racing:
            said, _ = process.communicate(timeout=PATIENCE_S)
            answers.update(json.loads(said))
    finally:
        for process in racing:
            process.kill()
            process.communicate()
    return answers


def crash(kind: str, place: str, rounds: int) -> None:
    done = subprocess.run(
        command("crash", kind, place, rounds, 20261120),
        env=with_tests(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout.startswith("sound "), done
    assert int(done.stdout.split()[1]) > rounds


async def test_of_64_tasks_with_one_id_one_claims_it(database: Database) -> None:
    ledger, other = await database.open(), await database.open()
    answers: Counter[type] = Counter()

    async def claim(number: int) -> None:
        answers[type(await (ledger, other)[number % 2].claim(grant(), LEASE))] += 1

    async with anyio.create_task_group() as tasks:
        for number in range(64):
            tasks.start_soon(claim, number)
    assert answers == {Claimed: 1, Running: 63}


async def test_of_64_tasks_at_one_ceiling_as_many_pass_as_fit(database: Database) -> None:
    ledger, other = await database.open(), await database.open()
    answers: Counter[type] = Counter()

    async def claim(number: int) -> None:
        new = grant(str(UUID(int=number)), "7", a_day("100"))
        answers[type(await (ledger, other)[number % 2].claim(new, LEASE))] += 1

    async with anyio.create_task_group() as tasks:
        for number in range(64):
            tasks.start_soon(claim, number)
    assert answers == {Claimed: 14, Exceeded: 50}
    spent = await ledger.spent(ACME, "cust-1", "support", "USD", TODAY)
    assert spent == Spent(Decimal(98), Decimal(98))


async def test_of_64_who_take_over_a_dead_claim_one_does(database: Database, clock: Clock) -> None:
    ledger = await database.open()
    await ledger.claim(grant(), LEASE)
    clock.pass_(LEASE)
    answers: Counter[type] = Counter()

    async def claim() -> None:
        answers[type(await ledger.claim(grant(), LEASE))] += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(64):
            tasks.start_soon(claim)
    assert answers == {Lapsed: 1, Running: 63}


async def test_a_cancelled_claim_is_a_whole_one_or_none(database: Database) -> None:
    ledger = await database.open()
    for number in range(20):
        new = grant(str(UUID(int=number)))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ledger.claim, new, LEASE)
            for _ in range(number):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    claimed = (await ledger.list(ACME, Filters())).operations
    spent = await ledger.spent(ACME, "cust-1", "support", "USD", TODAY)
    assert spent.role == 50 * len(claimed)
    (verdict,) = await ledger.verify()
    assert verdict.findings == ()
    assert verdict.records == len(claimed)
    answer = await ledger.claim(grant(str(UUID(int=99))), LEASE)
    assert isinstance(answer, Claimed)


@pytest.mark.parametrize(
    ("processes", "tasks"), [(2, 32), pytest.param(8, 64, marks=pytest.mark.long)]
)
async def test_processes_on_one_database_claim_one_id_once_and_stay_below_one_ceiling(
    lasting_database: Database, processes: int, tasks: int
) -> None:
    ledger = await lasting_database.open()
    answers = await anyio.to_thread.run_sync(race, lasting_database, processes, tasks)
    all_of = processes * tasks
    assert answers["one id Claimed"] == 1
    assert answers["one id Running"] == all_of - 1
    # 14 times 7 are 98 of 100.
    assert answers["ceiling Claimed"] == 14
    assert answers["ceiling Exceeded"] == all_of - 14
    spent = await ledger.spent(ACME, None, "support", "USD", TODAY)
    assert spent.role == 98
    (verdict,) = await ledger.verify()
    assert verdict.findings == ()


@pytest.mark.parametrize("rounds", [30, pytest.param(500, marks=pytest.mark.long)])
async def test_a_writer_killed_at_any_moment_leaves_whole_rows_and_a_sound_audit(
    lasting_database: Database, rounds: int
) -> None:
    if lasting_database.kind == "sqlite" and HAS_MEMORY_DISK:
        # What was written survives a process wherever it is; only a dead machine needs a disk.
        with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder:
            await anyio.to_thread.run_sync(crash, "sqlite", f"{folder}/ledger.db", rounds)
    else:
        await anyio.to_thread.run_sync(crash, lasting_database.kind, lasting_database.place, rounds)


async def test_an_acknowledged_outcome_survives_the_ledger_being_opened_anew(
    lasting_database: Database,
) -> None:
    first = await lasting_database.open()
    answer = await first.claim(grant(), LEASE)
    assert isinstance(answer, Claimed)
    await first.sent(answer.operation.hold)
    await first.settle(answer.operation.hold, Settlement(State.COMMITTED, {"id": "c"}))
    await first.close()
    found = await (await lasting_database.open()).get(key())
    assert found is not None
    assert found.outcome == {"id": "c"}


async def test_those_who_open_a_new_ledger_at_once_all_have_it(tmp_path: Path) -> None:
    # SQLite sends away whoever asks for its log at the same moment; it takes some files to meet.
    async def opened(path: Path) -> None:
        ledger = await SqliteLedger.open(path)
        await ledger.close()

    for number in range(20):
        async with anyio.create_task_group() as all_at_once:
            for _ in range(4):
                all_at_once.start_soon(opened, tmp_path / f"{number}.ledger")
