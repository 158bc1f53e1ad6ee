"""What a revenue calculator is told to rate: given in the request, or looked up of an account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.licence import LicenceChange
from billing_mcp.sandbox import call, clock
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.togai import accounts, event_usage, licence_history
from billing_mcp.sandbox.togai.feature_grants import entry_id
from billing_mcp.sandbox.togai.running import Running, running_at

_LOOKUPS = ("CUSTOM", "LOOKUP_RANGE", "LOOKUP_CYCLE")
_MOST_ENTRIES = 1000
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Period:
    """Of an account, from start until before end."""

    account_id: str
    start: datetime
    end: datetime


def running(request: Call, account_id: str, moment: datetime, at: str) -> Running:
    """The account's oldest plan that runs then, in its cycle. Refuses with 400 (ours)."""
    accounts.existing(request, account_id)
    found = running_at(request.db, account_id, moment)
    if not found:
        raise Refusal(400, f"{at}: no price plan of {account_id} runs at {clock.written(moment)}")
    return found[0]


def period(request: Call, config: Mapping[str, Any], at: str) -> Period | None:
    """What `lookupRange` or `lookupCycle` means; None where the mode is CUSTOM."""
    mode = call.one_of(config, "mode", _LOOKUPS, at=at)
    if mode == "LOOKUP_RANGE":
        place = f"{at}lookupRange."
        names = ("start", "end", "accountId")
        given = call.closed(call.mapping(config, "lookupRange", at=at), names, place)
        start = call.timestamp(given, "start", at=place)
        end = call.timestamp(given, "end", at=place)
        if end <= start:
            raise Refusal(400, f"{place}end must be later than start")
        account_id = call.text(given, "accountId", minimum=1, at=place)
        accounts.existing(request, account_id)
        return Period(account_id, start, end)
    if mode == "LOOKUP_CYCLE":
        place = f"{at}lookupCycle."
        fields = ("cycleEffectiveOn", "accountId")
        given = call.closed(call.mapping(config, "lookupCycle", at=at), fields, place)
        moment = call.timestamp(given, "cycleEffectiveOn", default=request.now, at=place)
        account_id = call.text(given, "accountId", minimum=1, at=place)
        cycle = running(request, account_id, moment, f"{place}accountId").cycle
        return Period(account_id, cycle.start, cycle.end)
    return None


def usage(request: Call, config: Mapping[str, Any], looked_up: Period | None) -> dict[str, Decimal]:
    """Units by usage meter."""
    if looked_up is not None:
        return event_usage.between(request.db, looked_up.account_id, looked_up.start, looked_up.end)
    given = call.mapping(config, "usageMap", default={}, at="usageConfig.")
    return {name: call.number(given, name, minimum=0, at="usageConfig.usageMap.") for name in given}


def licences(
    request: Call, config: Mapping[str, Any], looked_up: Period | None, ids: list[str]
) -> dict[str, list[LicenceChange]]:
    """Every change of the plain licences by add-on; looked up, of the named ones too."""
    if looked_up is not None:
        return _histories(request, looked_up, ids)
    at = "licenseEntriesConfig."
    entries = call.listed(config, "custom", maximum=_MOST_ENTRIES, default=[], at=at)
    found: dict[str, list[LicenceChange]] = {}
    for index, item in enumerate(entries):
        place = f"{at}custom[{index}]."
        given = call.closed(item, ("licenseId", "quantity", "effectiveFrom"), place)
        licence_id = call.text(given, "licenseId", minimum=1, at=place)
        quantity = call.whole(given, "quantity", minimum=0, maximum=_LARGEST, at=place)
        moment = call.timestamp(given, "effectiveFrom", at=place)
        change = LicenceChange(moment.astimezone(UTC).date(), Decimal(quantity))
        found.setdefault(licence_id, []).append(change)
    return {
        one: sorted(changes, key=lambda change: change.effective) for one, changes in found.items()
    }


def named_licences(
    request: Call, config: Mapping[str, Any], looked_up: Period | None, ids: list[str]
) -> dict[str, list[LicenceChange]]:
    """How many names hold each licence after each change."""
    if looked_up is not None:
        return _histories(request, looked_up, ids)
    at = "namedLicenseEntriesConfig."
    entries = call.listed(config, "custom", maximum=_MOST_ENTRIES, default=[], at=at)
    steps: dict[str, list[tuple[datetime, int]]] = {}
    for index, item in enumerate(entries):
        place = f"{at}custom[{index}]."
        fields = ("licenseId", "name", "effectiveFrom", "effectiveUntil")
        given = call.closed(item, fields, place)
        # The vendor's type of a name is a whole number.
        call.whole(given, "name", minimum=0, maximum=_LARGEST, at=place)
        start = call.timestamp(given, "effectiveFrom", at=place)
        end = call.timestamp(given, "effectiveUntil", default=None, at=place)
        moves = steps.setdefault(call.text(given, "licenseId", minimum=1, at=place), [])
        moves.append((start, 1))
        if end is not None:
            moves.append((end, -1))
    found = {}
    for licence_id, moves in steps.items():
        held, changes = 0, []
        for moment, step in sorted(moves):
            held += step
            changes.append(LicenceChange(moment.astimezone(UTC).date(), Decimal(held)))
        found[licence_id] = changes
    return found


def _histories(request: Call, looked_up: Period, ids: list[str]) -> dict[str, list[LicenceChange]]:
    histories = licence_history.histories(request.db, looked_up.account_id, ids)
    last = looked_up.end.date()
    return {
        licence_id: [change for change in changes if change.effective < last]
        for licence_id, changes in histories.items()
        if changes
    }


def overage(request: Call, config: Mapping[str, Any]) -> dict[str, Decimal]:
    """Units beyond what was granted, by feature."""
    at = "entitlementOverageConfig."
    if call.one_of(config, "mode", ("CUSTOM", "LOOKUP_CYCLE"), at=at) == "CUSTOM":
        found = {}
        entries = call.listed(config, "custom", maximum=_MOST_ENTRIES, default=[], at=at)
        for index, item in enumerate(entries):
            place = f"{at}custom[{index}]."
            given = call.closed(item, ("featureId", "quantity"), place)
            feature_id = call.text(given, "featureId", minimum=1, at=place)
            found[feature_id] = call.number(given, "quantity", minimum=0, at=place)
        return found
    place = f"{at}lookupCycle."
    fields = ("billingCycleEndDate", "accountId")
    given = call.closed(call.mapping(config, "lookupCycle", at=at), fields, place)
    end = call.timestamp(given, "billingCycleEndDate", at=place)
    account_id = call.text(given, "accountId", minimum=1, at=place)
    plan = running(request, account_id, end - timedelta(seconds=1), f"{place}accountId")
    rows = request.db.execute(
        "select feature_id, used from feature_entries where account_id = ? and id = ?",
        (account_id, entry_id(plan, "OVERAGE")),
    )
    return {row["feature_id"]: Decimal(row["used"]) for row in rows}


def proration(request: Call, config: Mapping[str, Any], cycle: Cycle) -> Cycle:
    """The part of a cycle that has gone by: from its start until the current date (ours)."""
    at = "prorationConfig."
    if call.one_of(config, "mode", ("CUSTOM", "LOOKUP_CYCLE"), at=at) == "CUSTOM":
        place = f"{at}customConfig."
        fields, name = ("cycleStartDate", "cycleEndDate", "currentDate"), "currentDate"
        given = call.closed(call.mapping(config, "customConfig", at=at), fields, place)
        start, end, current = (call.timestamp(given, field, at=place) for field in fields)
    else:
        place = f"{at}lookupCycleConfig."
        fields, name = ("currentDateTime", "cycleEffectiveOn", "accountId"), "currentDateTime"
        given = call.closed(call.mapping(config, "lookupCycleConfig", at=at), fields, place)
        current = call.timestamp(given, "currentDateTime", default=request.now, at=place)
        moment = call.timestamp(given, "cycleEffectiveOn", default=request.now, at=place)
        account_id = call.text(given, "accountId", minimum=1, at=place)
        found = running(request, account_id, moment, f"{place}accountId").cycle
        start, end = found.whole_start, found.whole_end
    start, end, current = (
        clock.midnight(one.astimezone(UTC).date()) for one in (start, end, current)
    )
    if not start <= current <= end or start == end:
        raise Refusal(400, f"{place}{name} must be within the cycle")
    return Cycle(cycle.number, start, current, start, end)
