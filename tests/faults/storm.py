"""A storm of writes of every kind through a faulty vendor, told by its seed: what was claimed and
what was really done, call by call."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from billing_mcp.sandbox import store
from faults.undecidable import is_lost_for_good
from faults.wishes import Wish, Wishes, stocked
from good_calls import event
from guard.guarded import Guarded

# Each strikes this share of all requests, reads included; together three of ten.
SHARE = Decimal("0.035")
FAULTS: tuple[Mapping[str, Any], ...] = (
    {"mode": "reset-before"},
    {"mode": "reset-after"},
    {"mode": "truncate"},
    {"mode": "garbage"},
    {"mode": "status", "status": 429, "retryAfter": 1},
    {"mode": "status", "status": 429, "retryAfter": 3600},
    {"mode": "status", "status": 500},
    {"mode": "status", "status": 502},
)
# Each costs a call its whole time, so there are fewer of them.
STALL: Mapping[str, Any] = {"mode": "delay", "seconds": 3600}
STALLED_SHARE = Decimal("0.004")
TRIES = 40
PASSING = frozenset({"outcome-unknown", "unavailable", "rate-limited"})


@dataclass(slots=True)
class Tally:
    """What went wrong, each with the call it went wrong in, and how the others ended."""

    doubled: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    undecided: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)


async def storm(at: Guarded, calls: int, seed: int) -> Tally:
    """Make this many writes one after the other, each repeated with its id as the errors say."""
    random = Random(seed)
    wishes = _Kinds(at, random)
    tally = Tally()
    for number in range(calls):
        at.mend()
        wish = wishes.next(number)
        at.world.sandbox.faults.replace(
            [
                {**fault, "probability": share, "seed": random.randrange(2**32)}
                for fault, share in [*((fault, SHARE) for fault in FAULTS), (STALL, STALLED_SHARE)]
            ]
        )
        await _pursue(at, wish, str(UUID(int=random.getrandbits(128), version=4)), tally)
    return tally


async def _pursue(at: Guarded, wish: Wish, operation_id: str, tally: Tally) -> None:
    before = _effects(at)
    name = f"{wish.tool} {operation_id}"
    for _ in range(TRIES):
        result = await at.call(wish.tool, {**wish.arguments, "operationId": operation_id})
        assert result.structured_content is not None
        done = _effects(at) - before
        if done > wish.effects:
            tally.doubled.append(name)
            return
        kind = result.structured_content["error"]["kind"] if result.is_error else "ok"
        tally.answers[kind] += 1
        if kind == "ok":
            tally.ends["done"] += 1
            if done < wish.effects:
                tally.lost.append(name)
            return
        if kind != "outcome-unknown" and done:
            tally.denied.append(f"{name}: {result.structured_content['error']['message']}")
            return
        if kind not in PASSING:
            tally.ends[kind] += 1
            return
        if is_lost_for_good(wish.tool, result.structured_content):
            break
        at.time.pass_by()
    tally.undecided[wish.tool] += 1


def _effects(at: Guarded) -> int:
    """How many the vendors have had so far; their rows are numbered and never deleted."""
    db = at.world.sandbox.backend.db
    return int(db.execute("select coalesce(max(number), 0) from effects").fetchone()[0])


class _Kinds:
    """Writes of every kind in turn, each on something of its own."""

    def __init__(self, at: Guarded, random: Random) -> None:
        self._at = at
        self._random = random
        self._kinds: tuple[Callable[[int], Wish], ...] = (
            *Wishes(stocked(at.world)).kinds,
            *(self._entry_update, self._entry_void, self._entitled_event),
            *(self._retry, self._delete, self._metric_update, self._config),
        )
        self._entry(0, "1000000")

    def next(self, number: int) -> Wish:
        return self._kinds[number % len(self._kinds)](number)

    def _entry_update(self, number: int) -> Wish:
        body = {"granted": str(1_000_001 + number)}
        return Wish("update-feature-credits-entry", {**self._entry(0), "body": body})

    def _entry_void(self, number: int) -> Wish:
        return Wish("void-feature-credits-entry-feature", self._entry(number, "1"))

    def _entitled_event(self, _number: int) -> Wish:
        one = event(attributes=[{"name": "answers", "value": "1"}])
        return Wish("ingest-event-if-user-is", {"body": {"event": one}})

    def _retry(self, number: int) -> Wish:
        group = self._group(number)
        self._at.world.sandbox.backend.db.execute(
            "update suger_usage_record_groups set status = 'REPORT_FAILED' where id = ?", (group,)
        )
        return Wish("retry-usagerecordgroup", {"usageRecordGroupId": group})

    def _delete(self, number: int) -> Wish:
        return Wish("delete-usagerecordgroup", {"usageRecordGroupId": self._group(number)})

    def _metric_update(self, number: int) -> Wish:
        arguments = {"billableMetricId": "nodes", "body": {"description": f"Version {number}"}}
        return Wish("update-billable-metric", arguments)

    def _config(self, number: int) -> Wish:
        mapping = {f"key-{number}": [{"dimensionKey": "api_calls", "mappingMode": ""}]}
        partner = {"partner": "AWS", "dimensionMappingV2": mapping}
        body = {"partnerUsageMeteringConfigs": [partner]}
        return Wish("update-usage-metering-config-info", {"body": body})

    def _entry(self, number: int, granted: str | None = None) -> dict[str, str]:
        """An entry of feature credits; made when `granted` says how much it grants."""
        world = self._at.world
        entry = {
            "id": f"storm#{number}$PURCHASE",
            "account_id": "harbor-main",
            "feature_id": world.answers,
        }
        if granted is not None:
            period = {"effective_from": "2026-11-01", "effective_until": "2027-11-01"}
            rest = {"source": "ENTITLEMENT", "status": "ACTIVE", "used": "0"}
            row = {**entry, **period, **rest, "granted": granted}
            store.insert(world.sandbox.backend.db, "feature_entries", row)
        return {
            "accountId": "harbor-main",
            "featureId": world.answers,
            "entryId": entry["id"],
        }

    def _group(self, number: int) -> str:
        group = str(UUID(int=self._random.getrandbits(128), version=4))
        body = {
            "id": group,
            "organizationID": "sandbox",
            "entitlementID": "on-aws",
            "records": {"api_calls": number + 1},
        }
        self._at.world.ask("POST", "/suger/org/sandbox/entitlement/on-aws/usageRecordGroup", body)
        return group
