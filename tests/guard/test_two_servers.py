"""Two real servers on one ledger, in a file and in PostgreSQL: 64 clients get one effect between
them where they name one operation, and never pass a ceiling together."""

from collections import Counter
from pathlib import Path
from uuid import UUID

import anyio
import pytest

from billing_mcp.sandbox import Sandbox
from faults.killing import Write, served
from faults.wishes import Wish
from guard.ledgers import Database
from processes import served_sandbox
from world import furnish

pytestmark = pytest.mark.anyio

SERVERS = 2
CLIENTS = 64
# Longer than all of them together take, so that nobody is sent away to come again.
CALL_S = 300
# The role is everybody's: one ceiling for all accounts, that nobody may approve to pass.
POLICY = """
[everyone.ceilings]
per_role_day = { other = "100" }
"""


def granted(amount: str, number: int) -> Write:
    arguments = {
        "accountId": "harbor-main",
        "creditAmount": amount,
        "effectiveFrom": "2026-11-20",
    }
    return Write(Wish("grant-credit", arguments), str(UUID(int=number, version=4)))


async def asked_at_once(vendor: str, ledger: str, policy: Path, calls: list[Write]) -> None:
    """Half of the calls to each server, all in flight together."""
    each = len(calls) // SERVERS
    async with (
        served(vendor, ledger, policy, call_s=CALL_S) as one,
        served(vendor, ledger, policy, call_s=CALL_S) as other,
        anyio.create_task_group() as clients,
    ):
        clients.start_soon(one.call, calls[:each])
        clients.start_soon(other.call, calls[each:])


def credits_in(sandbox: Sandbox) -> int:
    db = sandbox.backend.db
    counted = db.execute("select count(*) from effects where kind = 'credit'").fetchone()
    return int(counted[0])


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY, encoding="utf-8")
    return path


async def test_64_clients_of_two_servers_with_one_id_have_one_effect_and_one_answer(
    lasting_database: Database, policy: Path
) -> None:
    calls = [granted("7", 1) for _ in range(CLIENTS)]
    with served_sandbox() as (sandbox, vendor):
        furnish(sandbox)
        before = credits_in(sandbox)
        await asked_at_once(vendor, lasting_database.place, policy, calls)
        assert credits_in(sandbox) == before + 1
    assert Counter(call.kind for call in calls) == {"ok": CLIENTS}
    assert len({call.answers[0]["id"] for call in calls}) == 1
    assert sum(bool(call.answers[0].get("replayed")) for call in calls) == CLIENTS - 1


async def test_64_clients_of_two_servers_never_pass_a_ceiling_together(
    lasting_database: Database, policy: Path
) -> None:
    calls = [granted("7", number) for number in range(CLIENTS)]
    with served_sandbox() as (sandbox, vendor):
        furnish(sandbox)
        before = credits_in(sandbox)
        await asked_at_once(vendor, lasting_database.place, policy, calls)
        # 14 times 7 are 98 of 100.
        assert credits_in(sandbox) == before + 14
    assert Counter(call.kind for call in calls) == {"ok": 14, "not-permitted": CLIENTS - 14}
