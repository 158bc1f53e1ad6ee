"""What every ledger does with an operation from its claim to its end, on each database."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from billing_mcp.guard.ledger import (
    Claimed,
    Exceeded,
    HoldLost,
    IllegalTransition,
    Lapsed,
    Mismatch,
    Replay,
    Running,
)
from billing_mcp.guard.operations import (
    Filters,
    Partition,
    Settlement,
    Spend,
    Spent,
    State,
)
from billing_mcp.guard.stored_ledger import StoredLedger
from guard.ledgers import ACME, LEASE, NOON, ONE, TODAY, Clock, Database, a_day, grant, key

pytestmark = pytest.mark.anyio

COMMITTED = Settlement(State.COMMITTED, {"id": "credit-7", "amount": Decimal("50.00")}, "done")
REJECTED = Settlement(State.REJECTED, {"error": {"kind": "invalid-request"}}, "refused")
UNKNOWN = Settlement(State.UNKNOWN)


async def claimed(ledger: StoredLedger, *arguments: Any, **more: Any) -> Claimed:
    answer = await ledger.claim(grant(*arguments, **more), LEASE)
    assert isinstance(answer, Claimed), answer
    return answer


async def settled(
    ledger: StoredLedger, settlement: Settlement, *arguments: Any, **more: Any
) -> None:
    operation = (await claimed(ledger, *arguments, **more)).operation
    await ledger.sent(operation.hold)
    await ledger.settle(operation.hold, settlement)


async def spent(ledger: StoredLedger) -> Spent:
    return await ledger.spent(ACME, "cust-1", "support", "USD", TODAY)


async def test_a_new_id_is_claimed_and_kept_with_all_that_was_asked(ledger: StoredLedger) -> None:
    answer = await claimed(ledger, client="desk 1.0", purpose="an outage", rule="roles.support")
    found = await ledger.get(key())
    assert found == answer.operation
    assert found.state is State.CLAIMED
    assert (found.principal, found.client, found.role) == ("agent", "desk 1.0", "support")
    assert (found.purpose, found.rule, found.customer) == ("an outage", "roles.support", "cust-1")
    assert (found.amount, found.currency, found.day) == (Decimal(50), "USD", TODAY)
    assert found.arguments == {"accountId": "acc-1", "amount": 50}
    assert (found.created_at, found.lease_until) == (NOON, NOON + LEASE)


async def test_an_outcome_comes_back_as_it_was_recorded(ledger: StoredLedger) -> None:
    operation = (await claimed(ledger)).operation
    await ledger.sent(operation.hold)
    await ledger.settle(operation.hold, replace(COMMITTED, vendor_request_ids=("req-1", "req-2")))
    answer = await ledger.claim(grant(), LEASE)
    assert isinstance(answer, Replay)
    assert answer.operation.outcome == {"id": "credit-7", "amount": Decimal("50.00")}
    assert str(answer.operation.outcome["amount"]) == "50.00"
    assert answer.operation.vendor_request_ids == ("req-1", "req-2")
    assert answer.operation.state is State.COMMITTED


async def test_a_second_caller_of_a_running_id_is_told_to_wait(ledger: StoredLedger) -> None:
    await claimed(ledger)
    assert isinstance(await ledger.claim(grant(), LEASE), Running)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"arguments": {"accountId": "acc-2", "amount": Decimal(50)}}, "arguments"),
        ({"tool": "revoke-credit"}, "tool"),
        ({"principal": "somebody else"}, "principal"),
    ],
)
async def test_an_id_of_another_call_is_refused(
    ledger: StoredLedger, other: dict[str, Any], why: str
) -> None:
    await settled(ledger, COMMITTED)
    answer = await ledger.claim(grant(**other), LEASE)
    assert isinstance(answer, Mismatch)
    assert answer.why == why


async def test_one_id_is_an_operation_of_its_own_in_every_tenant_and_environment(
    ledger: StoredLedger,
) -> None:
    for partition in (ACME, Partition("acme", "live"), Partition("other", "sandbox")):
        await claimed(ledger, partition=partition)
    assert await spent(ledger) == Spent(Decimal(50), Decimal(50))


async def test_a_lease_that_ended_is_taken_over_and_its_holder_moves_nothing_any_more(
    ledger: StoredLedger, clock: Clock
) -> None:
    first = (await claimed(ledger)).operation
    await ledger.sent(first.hold)
    clock.pass_(LEASE - timedelta(microseconds=1))
    assert isinstance(await ledger.claim(grant(), LEASE), Running)
    clock.pass_(timedelta(microseconds=1))
    answer = await ledger.claim(grant(), LEASE)
    assert isinstance(answer, Lapsed)
    assert answer.operation.state is State.SENT
    with pytest.raises(HoldLost):
        await ledger.settle(first.hold, REJECTED)
    with pytest.raises(HoldLost):
        await ledger.sent(first.hold)
    with pytest.raises(HoldLost):
        await ledger.extend(first.hold, LEASE)
    settled = await ledger.settle(answer.operation.hold, COMMITTED)
    assert settled.state is State.COMMITTED


async def test_nothing_is_sent_under_a_lease_that_has_ended(
    ledger: StoredLedger, clock: Clock
) -> None:
    operation = (await claimed(ledger)).operation
    clock.pass_(LEASE)
    with pytest.raises(HoldLost):
        await ledger.sent(operation.hold)


async def test_an_extended_lease_lasts_from_now(ledger: StoredLedger, clock: Clock) -> None:
    operation = (await claimed(ledger)).operation
    clock.pass_(timedelta(seconds=59))
    await ledger.extend(operation.hold, LEASE)
    clock.pass_(timedelta(seconds=59))
    assert isinstance(await ledger.claim(grant(), LEASE), Running)


async def test_a_late_outcome_of_a_lease_that_nobody_took_over_is_kept(
    ledger: StoredLedger, clock: Clock
) -> None:
    operation = (await claimed(ledger)).operation
    await ledger.sent(operation.hold)
    clock.pass_(10 * LEASE)
    assert (await ledger.settle(operation.hold, COMMITTED)).state is State.COMMITTED


async def test_recovery_takes_over_what_is_open_and_held_by_nobody(
    ledger: StoredLedger, clock: Clock
) -> None:
    ids = [str(UUID(int=number)) for number in range(4)]
    await settled(ledger, COMMITTED, ids[0])
    await settled(ledger, UNKNOWN, ids[1])
    clock.pass_(timedelta(seconds=1))
    await claimed(ledger, ids[2])
    clock.pass_(LEASE - timedelta(seconds=1))
    await claimed(ledger, ids[3])
    clock.pass_(timedelta(seconds=1))
    assert [found.id for found in await ledger.expired_leases(ACME)] == ids[1:3]
    assert isinstance(await ledger.take_over(key(ids[1]), LEASE), Lapsed)
    assert [found.id for found in await ledger.expired_leases(ACME)] == [ids[2]]
    assert await ledger.take_over(key(ids[0]), LEASE) is None
    assert await ledger.take_over(key(ids[1]), LEASE) is None
    assert await ledger.take_over(key(ids[3]), LEASE) is None
    assert await ledger.take_over(key(str(UUID(int=9))), LEASE) is None


async def test_an_unknown_outcome_is_handed_to_one_caller_and_can_be_decided(
    ledger: StoredLedger,
) -> None:
    await settled(ledger, UNKNOWN)
    answer = await ledger.claim(grant(), LEASE)
    assert isinstance(answer, Lapsed)
    assert answer.operation.state is State.UNKNOWN
    assert isinstance(await ledger.claim(grant(), LEASE), Running)
    await ledger.settle(answer.operation.hold, COMMITTED)
    assert isinstance(await ledger.claim(grant(), LEASE), Replay)


async def test_a_decided_operation_is_settled_once(ledger: StoredLedger) -> None:
    operation = (await claimed(ledger)).operation
    await ledger.sent(operation.hold)
    await ledger.settle(operation.hold, COMMITTED)
    with pytest.raises(HoldLost):
        await ledger.settle(operation.hold, REJECTED)


async def test_an_unknown_outcome_is_not_settled_without_a_new_lease(ledger: StoredLedger) -> None:
    operation = (await claimed(ledger)).operation
    await ledger.sent(operation.hold)
    await ledger.settle(operation.hold, UNKNOWN)
    with pytest.raises(HoldLost):
        await ledger.settle(operation.hold, REJECTED)


@pytest.mark.parametrize("state", [State.COMMITTED, State.PARTIAL, State.UNKNOWN])
async def test_what_was_never_sent_can_only_be_rejected(ledger: StoredLedger, state: State) -> None:
    operation = (await claimed(ledger)).operation
    with pytest.raises(IllegalTransition):
        await ledger.settle(operation.hold, Settlement(state))
    assert (await ledger.settle(operation.hold, REJECTED)).state is State.REJECTED


async def test_a_rejection_is_replayed_unless_it_may_pass_next_time(ledger: StoredLedger) -> None:
    await settled(ledger, REJECTED)
    assert isinstance(await ledger.claim(grant(), LEASE), Replay)
    other = str(UUID(int=2))
    await settled(ledger, replace(REJECTED, retryable=True), other)
    again = await claimed(ledger, other)
    assert again.operation.attempt == 2
    assert again.operation.sent_at is None
    assert await spent(ledger) == Spent(Decimal(50), Decimal(50))


async def test_a_ceiling_is_reached_exactly_and_not_passed(ledger: StoredLedger) -> None:
    ceiling = a_day("100")
    await claimed(ledger, str(UUID(int=1)), "99.99", ceiling)
    passed = await ledger.claim(grant(str(UUID(int=2)), "0.02", ceiling), LEASE)
    assert passed == Exceeded(ceiling, Spent(Decimal("99.99"), Decimal("99.99")))
    assert await ledger.get(key(str(UUID(int=2)))) is None
    await claimed(ledger, str(UUID(int=2)), "0.01", ceiling)


async def test_sums_are_of_one_customer_role_currency_and_day(ledger: StoredLedger) -> None:
    await claimed(ledger, str(UUID(int=1)))
    await claimed(ledger, str(UUID(int=2)), "7", customer="cust-2")
    both = a_day("57", "role")
    passed = await ledger.claim(grant(str(UUID(int=3)), "0.01", both), LEASE)
    assert passed == Exceeded(both, Spent(Decimal(50), Decimal(57)))
    yesterday = TODAY - timedelta(days=1)
    for nobody in (
        await ledger.spent(ACME, "cust-1", "finance", "EUR", TODAY),
        await ledger.spent(ACME, "cust-1", "support", "USD", yesterday),
    ):
        assert nobody == Spent(Decimal(0), Decimal(0))
    finance = await ledger.spent(ACME, "cust-1", "finance", "USD", TODAY)
    assert finance == Spent(Decimal(50), Decimal(0))


async def test_only_a_rejection_gives_back_what_was_reserved(ledger: StoredLedger) -> None:
    for number, settlement in enumerate((COMMITTED, Settlement(State.PARTIAL), UNKNOWN, REJECTED)):
        await settled(ledger, settlement, str(UUID(int=number)), "10")
    assert await spent(ledger) == Spent(Decimal(30), Decimal(30))
    unknown = await ledger.take_over(key(str(UUID(int=2))), LEASE)
    assert unknown is not None
    await ledger.settle(unknown.operation.hold, REJECTED)
    assert await spent(ledger) == Spent(Decimal(20), Decimal(20))


async def test_amounts_of_any_length_are_added_to_the_last_digit(ledger: StoredLedger) -> None:
    long = "1" + "0" * 40 + ".000000000000000000001"
    await claimed(ledger, str(UUID(int=1)), long)
    await claimed(ledger, str(UUID(int=2)), "0.000000000000000000002")
    assert (await spent(ledger)).role == Decimal("1" + "0" * 40 + ".000000000000000000003")
    operation = await ledger.get(key(str(UUID(int=1))))
    assert operation is not None
    await ledger.settle(operation.hold, REJECTED)
    assert (await spent(ledger)).role == Decimal("0.000000000000000000002")


def test_nobody_makes_room_under_a_ceiling_with_a_negative_amount() -> None:
    for amount in ("-1", "NaN", "Infinity"):
        with pytest.raises(ValueError, match="zero or more"):
            Spend(Decimal(amount), "USD", TODAY, "support")


async def test_what_the_vendor_had_before_is_kept_with_what_was_sent_last(
    ledger: StoredLedger, clock: Clock
) -> None:
    first = (await claimed(ledger)).operation
    await ledger.sent(first.hold, {"jobs": ["job-1"], "left": Decimal("1.50")})
    found = await ledger.get(key())
    assert found is not None
    assert found.baseline == {"jobs": ["job-1"], "left": Decimal("1.50")}
    await ledger.settle(first.hold, replace(REJECTED, retryable=True))
    again = (await claimed(ledger)).operation
    assert again.baseline is None
    await ledger.sent(again.hold, ["job-2"])
    await ledger.settle(again.hold, COMMITTED)
    clock.pass_(timedelta(days=30))
    assert await ledger.purge(clock.now) == 1
    emptied = await ledger.get(key())
    assert emptied is not None
    assert emptied.baseline is None
    (verdict,) = await ledger.verify()
    assert verdict.findings == ()


@pytest.mark.parametrize(
    "text", ["nul \x00", "half \ud800", "über", "quote ' \" \\", "line\nend", "%s ? ?"]
)
async def test_any_text_of_a_caller_is_kept_and_found_again(
    ledger: StoredLedger, text: str
) -> None:
    new = grant(customer=text, principal=text, client=text, purpose=text, arguments={"note": text})
    answer = await ledger.claim(new, LEASE)
    assert isinstance(answer, Claimed)
    await ledger.sent(answer.operation.hold)
    await ledger.settle(answer.operation.hold, Settlement(State.COMMITTED, {text: [text]}, text))
    listing = await ledger.list(ACME, Filters(whose=text, principal=text))
    assert [found.id for found in listing.operations] == [ONE]
    assert isinstance(await ledger.claim(new, LEASE), Replay)
    assert (await ledger.spent(ACME, text, "support", "USD", TODAY)).customer == 50
    (verdict,) = await ledger.verify()
    assert verdict.findings == ()


async def test_operations_are_listed_newest_first_page_by_page(
    ledger: StoredLedger, clock: Clock
) -> None:
    ids = [str(UUID(int=number)) for number in range(7)]
    for number, operation_id in enumerate(ids):
        await claimed(ledger, operation_id)
        if number % 2:  # two at a time share their moment
            clock.pass_(timedelta(seconds=1))
    seen: list[str] = []
    after = None
    for _ in range(4):
        page = await ledger.list(ACME, Filters(), size=2, after=after)
        seen += [found.id for found in page.operations]
        after = page.next
    assert after is None
    assert seen == ids[::-1]


async def test_a_list_keeps_to_its_filters(ledger: StoredLedger, clock: Clock) -> None:
    ids = [str(UUID(int=number)) for number in range(4)]
    await settled(ledger, COMMITTED, ids[0])
    clock.pass_(timedelta(hours=1))
    await claimed(ledger, ids[1], customer="cust-2", target="acc-2")
    await claimed(ledger, ids[2], tool="void-invoice", principal="other")
    await claimed(ledger, ids[3], partition=Partition("other", "sandbox"))
    later = NOON + timedelta(hours=1)
    for filters, expected in (
        (Filters(), {0, 1, 2}),
        (Filters(states=frozenset({State.CLAIMED})), {1, 2}),
        (Filters(states=frozenset({State.CLAIMED, State.COMMITTED})), {0, 1, 2}),
        (Filters(whose="cust-2"), {1}),
        (Filters(whose="acc-2"), {1}),
        (Filters(tool="grant-credit"), {0, 1}),
        (Filters(principal="other"), {2}),
        (Filters(fingerprint=grant(ids[0]).fingerprint), {0, 1}),
        (Filters(since=later), {1, 2}),
        (Filters(until=later), {0}),
        (Filters(tool="grant-credit", since=later, whose="cust-1"), set()),
    ):
        found = {row.id for row in (await ledger.list(ACME, filters)).operations}
        assert found == {ids[number] for number in expected}, filters


@pytest.mark.parametrize("after", ["", "~", "x~1", "1" * 30 + "~1", "12"])
async def test_a_place_that_no_page_gave_is_refused(ledger: StoredLedger, after: str) -> None:
    with pytest.raises(ValueError, match="not a place"):
        await ledger.list(ACME, Filters(), after=after)


async def test_retention_empties_what_is_decided_and_its_id_never_runs_again(
    ledger: StoredLedger, clock: Clock
) -> None:
    ids = [str(UUID(int=number)) for number in range(4)]
    for operation_id, settlement in zip(ids, (COMMITTED, UNKNOWN, REJECTED), strict=False):
        await settled(ledger, settlement, operation_id, client="desk", purpose="why")
    clock.pass_(timedelta(days=30))
    await settled(ledger, COMMITTED, ids[3])
    assert await ledger.purge(clock.now - timedelta(days=1)) == 2
    assert await ledger.purge(clock.now - timedelta(days=1)) == 0
    emptied = await ledger.get(key(ids[0]))
    assert emptied is not None
    assert (emptied.outcome, emptied.arguments, emptied.client) == (None, {}, None)
    assert emptied.forgotten_at == clock.now
    unknown, recent = await ledger.get(key(ids[1])), await ledger.get(key(ids[3]))
    assert unknown is not None
    assert recent is not None
    assert unknown.arguments == recent.arguments == {"accountId": "acc-1", "amount": 50}
    assert isinstance(await ledger.claim(grant(ids[0]), LEASE), Replay)
    assert isinstance(await ledger.claim(grant(ids[2]), LEASE), Replay)
    (verdict,) = await ledger.verify()
    assert verdict.findings == ()


async def test_what_one_ledger_wrote_another_on_the_same_database_reads(
    database: Database,
) -> None:
    first = await database.open()
    await settled(first, COMMITTED)
    second = await database.open()
    assert isinstance(await second.claim(grant(), LEASE), Replay)
    assert (await spent(second)).role == Decimal(50)
    assert await second.heads() == await first.heads()
