"""A process that works on a ledger: in a race with others, or until it is killed.

    python tests/guard/ledger_worker.py race sqlite|postgres PLACE TASKS
    python tests/guard/ledger_worker.py crash sqlite|postgres PLACE ROUNDS SEED

`race` waits for a line, then says in JSON what its tasks were answered. `crash` forks writers and
kills each at a moment that the seed decides, looks at what they left, and says what it found.
"""

import importlib
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import anyio

from billing_mcp.guard.ledger import Claimed, Lapsed
from billing_mcp.guard.operations import Filters, Operation, Settlement, State
from billing_mcp.guard.stored_ledger import StoredLedger
from guard.ledgers import ACME, LEASE, NOON, TODAY, Clock, Database, a_day, grant, key

# Nobody is sent away because the machine is slow and hundreds are before him.
LONGER_THAN_ALL_TOGETHER = timedelta(minutes=5)
LIMIT = "100"
AMOUNT = "7"
MOST_LINES = 8
LOOK_EVERY = 20


async def race(kind: str, place: str, tasks: int) -> None:
    ledger = await Database(kind, place).open(LONGER_THAN_ALL_TOGETHER)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await anyio.to_thread.run_sync(sys.stdin.readline)
    answers: Counter[str] = Counter()

    async def one_id() -> None:
        # It spends nothing, so that the ceiling is the others' alone.
        free = grant(amount=None)
        answers[f"one id {type(await ledger.claim(free, LEASE)).__name__}"] += 1

    async def one_ceiling(number: int) -> None:
        operation_id = str(UUID(int=(os.getpid() << 32) + number))
        new = grant(operation_id, AMOUNT, a_day(LIMIT, "role"), customer=None)
        answers[f"ceiling {type(await ledger.claim(new, LEASE)).__name__}"] += 1

    async with anyio.create_task_group() as group:
        for number in range(tasks):
            group.start_soon(one_id)
            group.start_soon(one_ceiling, number)
    await ledger.close()
    sys.stdout.write(json.dumps(answers) + "\n")


def crash(kind: str, place: str, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    # What every process would load for itself; nothing of it starts a thread.
    importlib.import_module(f"billing_mcp.guard.{kind}_ledger")
    anyio.run(anyio.lowlevel.checkpoint)
    acknowledged: dict[str, str] = {}
    seen = 0
    for number in range(1, rounds + 1):
        clock = Clock(NOON + number * 2 * LEASE)
        acknowledged.update(_killed(kind, place, clock, chance))
        # No later round mends what a killed writer left, so that not each has to be looked at.
        if number % LOOK_EVERY == 0 or number == rounds:
            finding = _in_a_process(partial(_examined, kind, place, clock, acknowledged))
            if finding:
                sys.stdout.write(f"round {number}: {finding}\n")
                return
            seen += len(acknowledged)
            acknowledged = {}
    sys.stdout.write(f"sound {seen}\n")


def _killed(kind: str, place: str, clock: Clock, chance: random.Random) -> dict[str, str]:
    """A writer, killed after some lines of its; what it had been told was durable."""
    lines, pause_s = chance.randrange(MOST_LINES), chance.random() / 500
    seed = chance.getrandbits(32)
    read, write = os.pipe()
    writer = os.fork()
    if writer == 0:
        os.close(read)
        anyio.run(_write, Database(kind, place, clock), write, random.Random(seed))
        os._exit(1)
    os.close(write)
    with os.fdopen(read) as said:
        steps = [said.readline() for _ in range(lines)]
        # Into the middle of a transaction; the moment is the machine's, the rest is the seed's.
        signal.setitimer(signal.ITIMER_REAL, pause_s + 1e-6)
        signal.sigwait({signal.SIGALRM})
        os.kill(writer, signal.SIGKILL)
        _, status = os.waitpid(writer, 0)
        assert os.WIFSIGNALED(status), status
        steps += said.readlines()
    return dict(line.split() for line in steps)


async def _write(database: Database, said: int, chance: random.Random) -> None:
    """Take over what a killed writer left, then write for ever, saying every durable step."""
    ledger = await database.open()
    for left in await ledger.expired_leases(ACME):
        taken = await ledger.take_over(left.key, LEASE)
        assert isinstance(taken, Lapsed)
        await _settled(ledger, taken.operation, said, chance)
    while True:
        answer = await ledger.claim(grant(str(UUID(int=chance.getrandbits(128)))), LEASE)
        assert isinstance(answer, Claimed)
        _say(said, answer.operation)
        _say(said, await ledger.sent(answer.operation.hold))
        await _settled(ledger, answer.operation, said, chance)


async def _settled(
    ledger: StoredLedger, operation: Operation, said: int, chance: random.Random
) -> None:
    ends = [State.REJECTED] if operation.state is State.CLAIMED and operation.attempt > 1 else []
    end = chance.choice(ends or [State.COMMITTED, State.REJECTED, State.PARTIAL, State.UNKNOWN])
    _say(said, await ledger.settle(operation.hold, Settlement(end, {"end": str(end)})))


def _say(said: int, operation: Operation) -> None:
    os.write(said, f"{operation.id} {operation.state}\n".encode())


async def _examined(kind: str, place: str, clock: Clock, acknowledged: dict[str, str]) -> str:
    """What is wrong with the ledger; nothing is the empty text."""
    ledger = await Database(kind, place, clock).open()
    findings = [finding for verdict in await ledger.verify() for finding in verdict.findings]
    reserved = Decimal(0)
    after = None
    while True:
        page = await ledger.list(ACME, Filters(), size=500, after=after)
        for row in page.operations:
            if row.state is not State.REJECTED:
                reserved += row.amount or 0
        if (after := page.next) is None:
            break
    spent = await ledger.spent(ACME, "cust-1", "support", "USD", TODAY)
    if (spent.role, spent.customer) != (reserved, reserved):
        findings.append(f"{spent} is not {reserved}")
    order = [str(state) for state in (State.CLAIMED, State.SENT, State.UNKNOWN)]
    for operation_id, state in acknowledged.items():
        found = await ledger.get(key(operation_id))
        if found is None:
            findings.append(f"{operation_id} was {state} and is gone")
        elif state not in order and found.state != state:
            findings.append(f"{operation_id} was {state} and is {found.state}")
        elif str(found.state) in order and order.index(found.state) < order.index(state):
            findings.append(f"{operation_id} was {state} and is {found.state} again")
    await ledger.close()
    return "; ".join(findings)


def _in_a_process(work: Callable[[], Coroutine[Any, Any, str]]) -> str:
    """In a process of its own, so that the one that forks never has a thread."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.write(write, anyio.run(work).encode()[:4000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        finding = said.read()
    _, status = os.waitpid(child, 0)
    return finding if status == 0 else finding or f"the examination broke ({status})"


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    if sys.argv[1] == "race":
        anyio.run(race, sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        crash(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
