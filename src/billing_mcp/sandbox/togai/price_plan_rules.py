"""What the details of a price plan must look like, and how they are completed for storing."""

from typing import Any

from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.togai import rate_card_rules

INTERVALS = ("WEEKLY", "MONTHLY", "QUARTERLY", "HALF_YEARLY", "ANNUALLY")
# How many months an interval has; a start is named by its month within them.
MONTHS = {"MONTHLY": 1, "QUARTERLY": 3, "HALF_YEARLY": 6, "ANNUALLY": 12}
_DAYS_OF_WEEK = 7
_DAYS_OF_MONTH = 31
_LONGEST_GRACE_DAYS = 366

# The kinds of card by the name of their list, and what checks one of them.
CARDS = {
    "usageRateCards": rate_card_rules.usage,
    "fixedFeeRateCards": rate_card_rules.fixed_fee,
    "licenseRateCards": rate_card_rules.license_,
    "billingEntitlementRateCards": rate_card_rules.billing_entitlement,
    "creditGrantRateCards": rate_card_rules.credit_grant,
    "entitlementOverageRateCards": rate_card_rules.entitlement_overage,
}
OVERRIDDEN = ("pricingCycleConfig", "supportedCurrencies", "minimumCommitment", *CARDS)
_CREATED = (*OVERRIDDEN, "deferredRevenue", "allow_ongoing_cycle_updates")
# Kinds of card that a plan with deferred revenue must not have (documented).
_NOT_DEFERRED = (
    *("creditGrantRateCards", "billingEntitlementRateCards"),
    "entitlementOverageRateCards",
)


def details(request: Call, body: Any, plan_type: str, at: str) -> dict[str, Any]:
    """The details of a new plan, with offsets and card names filled in. Refuses with 400."""
    given = call.closed(body, _CREATED, at)
    for name in ("deferredRevenue", "allow_ongoing_cycle_updates"):
        call.flag(given, name, default=False, at=at)
    if plan_type == "BILLING" and "pricingCycleConfig" not in given:
        raise Refusal(400, f"{at}pricingCycleConfig is required for a plan of type BILLING")
    read = _parts(request, given, currencies(given, at), at)
    check_deferred(given, at)
    return dict(given) | read


def override(request: Call, body: Any, plan_details: dict[str, Any], at: str) -> dict[str, Any]:
    """An account's own version of a plan's details: only the parts that differ."""
    given = call.closed(body, OVERRIDDEN, at)
    known = currencies(given if "supportedCurrencies" in given else plan_details, at)
    return dict(given) | _parts(request, given, known, at)


def currencies(given: dict[str, Any], at: str) -> list[str]:
    """The currencies a plan has rates in: at least one, each an ISO 4217 code."""
    named = [
        call.text({"": item}, "", pattern="[A-Z]{3}", at=f"{at}supportedCurrencies[{index}]")
        for index, item in enumerate(call.listed(given, "supportedCurrencies", minimum=1, at=at))
    ]
    if len(set(named)) < len(named):
        raise Refusal(400, f"{at}supportedCurrencies must not name a currency twice")
    return named


def shown(details: dict[str, Any]) -> dict[str, Any]:
    """The details as the first generation has them, where a commitment is no card with a name."""
    if "minimumCommitment" not in details:
        return details
    commitment = details["minimumCommitment"]
    kept = {name: commitment[name] for name in ("displayName", "rateValues")}
    return {**details, "minimumCommitment": kept}


def _parts(request: Call, given: dict[str, Any], known: list[str], at: str) -> dict[str, Any]:
    read: dict[str, Any] = {}
    if "pricingCycleConfig" in given:
        place = f"{at}pricingCycleConfig."
        read["pricingCycleConfig"] = cycle(given["pricingCycleConfig"], place)
    if "minimumCommitment" in given:
        place = f"{at}minimumCommitment."
        rate_card_rules.minimum_commitment(given["minimumCommitment"], known, place)
    names: set[str] = set()
    for kind, check in CARDS.items():
        if kind not in given:
            continue
        cards = []
        for index, card in enumerate(call.listed(given, kind, maximum=50, at=at)):
            place = f"{at}{kind}[{index}]."
            check(request, card, known, place)
            # The vendor makes up the identifier of a card that has none.
            name = card.get("name") or request.new_id("card")
            if name in names:
                raise Refusal(400, f"{place}name: {name} is the name of another card")
            names.add(name)
            cards.append({**card, "name": name})
        read[kind] = cards
    refuse_two_overages_of_a_feature(given, at)
    return read


def refuse_two_overages_of_a_feature(given: dict[str, Any], at: str) -> None:
    """Ours: a feature's overage is one entry a cycle, with one limit and one price."""
    seen = set()
    for index, card in enumerate(given.get("entitlementOverageRateCards", [])):
        if card["featureId"] in seen:
            place = f"{at}entitlementOverageRateCards[{index}].featureId"
            raise Refusal(400, f"{place}: {card['featureId']} has an overage card already")
        seen.add(card["featureId"])


def cycle(body: Any, at: str) -> dict[str, Any]:
    """A pricing cycle, with its offset filled in."""
    fields = ("interval", "startOffset", "gracePeriod", "anniversaryCycle")
    given = call.closed(body, fields, at)
    interval = call.one_of(given, "interval", INTERVALS, at=at)
    grace = call.whole(given, "gracePeriod", minimum=0, maximum=_LONGEST_GRACE_DAYS, at=at)
    anniversary = call.flag(given, "anniversaryCycle", default=False, at=at)
    # Ours: without an offset a cycle starts on the first day of its first month.
    first = "NIL" if interval in ("WEEKLY", "MONTHLY") else "FIRST"
    offset = {"dayOffset": "1", "monthOffset": first}
    if "startOffset" in given:
        place = f"{at}startOffset."
        read = call.closed(given["startOffset"], ("dayOffset", "monthOffset"), place)
        last_day = _DAYS_OF_WEEK if interval == "WEEKLY" else _DAYS_OF_MONTH
        day = _numbered(read, "dayOffset", last_day, ("LAST",), place)
        offset = {"dayOffset": day, "monthOffset": _month_offset(read, interval, place)}
    return {
        "interval": interval,
        "startOffset": offset,
        "gracePeriod": grace,
        "anniversaryCycle": anniversary,
    }


def _month_offset(offset: dict[str, Any], interval: str, at: str) -> str:
    if interval in ("WEEKLY", "MONTHLY"):
        return call.one_of(offset, "monthOffset", ("NIL",), default="NIL", at=at)
    return _numbered(offset, "monthOffset", MONTHS[interval], ("FIRST", "LAST"), at)


def _numbered(offset: dict[str, Any], name: str, last: int, words: tuple[str, ...], at: str) -> str:
    value = call.text(offset, name, at=at)
    if value not in words and value not in {str(number) for number in range(1, last + 1)}:
        choices = f'"1" to "{last}" or {" or ".join(words)}'
        raise Refusal(400, f"{at}{name} must be {choices} for this interval")
    return value


def check_deferred(given: dict[str, Any], at: str) -> None:
    """Refuse what a plan with deferred revenue cannot have."""
    if not given.get("deferredRevenue"):
        return
    for kind in _NOT_DEFERRED:
        if given.get(kind):
            raise Refusal(400, f"{at}{kind} cannot be in a plan with deferredRevenue")
    for kind in ("fixedFeeRateCards", "licenseRateCards"):
        for index, card in enumerate(given.get(kind, [])):
            if card.get("invoiceTiming") == "IN_ADVANCE":
                place = f"{at}{kind}[{index}].invoiceTiming"
                raise Refusal(400, f"{place} cannot be IN_ADVANCE with deferredRevenue")
