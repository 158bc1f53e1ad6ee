"""What the policy says of one call: whom it affects and what it moves are found out first."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_mcp.declarations import Stake
from billing_mcp.guard.ledger import Ledger, Note
from billing_mcp.guard.operations import Key, NewOperation, Partition, Spend
from billing_mcp.guard.policy import Amount, Ask, Decision, Finding, Policy, Verdict, day_of
from billing_mcp.guard.runs import Call

# How long it is taken for granted whose an account is and what currency it is billed in.
STAKE_KEPT = timedelta(minutes=1)
STAKES_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was asked of the policy, and what it said."""

    ask: Ask
    decision: Decision

    @property
    def verdict(self) -> Verdict:
        return self.decision.verdict

    @property
    def finding(self) -> Finding:
        return Finding(self.decision.verdict, self.decision.sentence, self.decision.place)

    def spend(self, given: Verdict) -> Spend | None:
        return self.decision.spend(self.ask, given)

    def stricter(self, finding: Finding) -> "Ruling":
        """The same ruling, with what only the ledger could find out: a ceiling others reached."""
        if finding.verdict <= self.verdict:
            return self
        decision = replace(
            self.decision,
            verdict=finding.verdict,
            sentence=finding.sentence,
            place=finding.place,
            reasons=(finding,),
        )
        return Ruling(self.ask, decision)

    def operation(self, key: Key, call: Call, given: Verdict) -> NewOperation:
        """The call as the ledger claims it, with what it spends."""
        return replace(
            repeated(key, call),
            purpose=self.ask.purpose,
            rule=self.decision.place,
            spend=self.spend(given),
        )


def repeated(key: Key, call: Call) -> NewOperation:
    """The call as it is compared with a row, of which the ledger knows what it spends."""
    return NewOperation.of(
        key,
        call.tool,
        call.arguments,
        call.principal,
        client=call.client,
        role=call.role,
        target=target(call),
    )


def target(call: Call) -> str | None:
    """Whom the write is for, where the arguments name one by an id."""
    named = call.arguments.get(call.write.target or "")
    return named if isinstance(named, str) else None


@dataclass(slots=True)
class Rulings:
    """Asks the policy about calls. `policy` is read when the first write needs it."""

    policy: Callable[[], Policy]
    ledger: Ledger
    partition: Partition
    now: Callable[[], datetime]
    _stakes: OrderedDict[tuple[str, str], tuple[datetime, Stake]] = field(
        default_factory=OrderedDict, init=False
    )

    async def of(self, call: Call, *, with_spent: bool = False) -> Ruling:
        """`with_spent` counts what was spent today; without it the ledger does so in the claim.

        Raises our errors when the stake cannot be found out, and `LedgerError`.
        """
        policy = self.policy()
        now = self.now()
        amount, stake = self._amount(call), Stake(frozenset())
        if amount is not None or policy.names_customers:
            stake = await self._stake(call)
        ask = Ask(
            call.tool,
            reads=False,
            destructive=call.destructive,
            role=call.role,
            principal=call.principal,
            now=now,
            customers=stake.customers,
            purpose=_text(call.arguments.get("purpose")),
        )
        if amount is not None:
            money = Amount(amount, stake.currency, stake.customer)
            if with_spent and money.currency is not None:
                spent = await self.ledger.spent(
                    self.partition,
                    money.customer,
                    call.role or "",
                    money.currency.upper(),
                    day_of(now),
                )
                money = replace(money, spent_by_customer=spent.customer, spent_by_role=spent.role)
            ask = replace(ask, amount=money)
        return Ruling(ask, policy.decide(ask))

    async def note_refusal(self, call: Call, ruling: Ruling) -> None:
        """A refusal moves no operation, so that only the audit tells of it."""
        await self._note(call, "refused", ruling.finding)

    async def note_shadow(self, call: Call, ruling: Ruling) -> None:
        """What a rule in shadow mode would have asked for."""
        if ruling.decision.shadowed is not None:
            await self._note(call, "shadowed", ruling.decision.shadowed)

    async def _note(self, call: Call, event: str, finding: Finding) -> None:
        key = Key(self.partition, call.binding.operation_id)
        asked = NewOperation.of(key, call.tool, call.arguments, call.principal)
        facts: dict[str, Any] = {
            "verdict": finding.verdict.word,
            "rule": finding.place,
            "why": finding.sentence,
            "role": call.role,
            "arguments": asked.arguments,
        }
        note = Note(self.partition, event, asked.principal, call.client, key.id, call.tool, facts)
        await self.ledger.note(note)

    @staticmethod
    def _amount(call: Call) -> Decimal | None:
        if call.write.amount is None:
            return None
        given = call.arguments[call.write.amount]
        # What a write gives may be left out, as in a purchase of something else than money.
        assert given is None or isinstance(given, Decimal)
        return given

    async def _stake(self, call: Call) -> Stake:
        named = target(call)
        # Of other writes it may lie in more than their target, and they are not as frequent.
        if named is None or call.write.amount is None:
            return await call.stake()
        now = self.now()
        kept = self._stakes.get((call.tool, named))
        # A clock that was set back must not keep it for longer.
        if kept is not None and timedelta(0) <= now - kept[0] < STAKE_KEPT:
            return kept[1]
        stake = await call.stake()
        self._stakes[call.tool, named] = (now, stake)
        if len(self._stakes) > STAKES_KEPT:
            self._stakes.popitem(last=False)
        return stake


def _text(given: object) -> str | None:
    return given if isinstance(given, str) else None
