"""Togai's rate cards, second generation: shown from a plan's details, changed by operations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.togai import price_plan_rules, rate_card_rules
from billing_mcp.sandbox.togai.columns import present

_MOST_OPERATIONS = 100
_MOST_CARDS = 50
_COMMITMENT = "minimumCommitment"


@dataclass(frozen=True, slots=True)
class _Kind:
    """Where cards of a type are in a plan's details, in an operation, and what they price."""

    listed: str
    field: str
    key: str
    timed: bool = True  # whether the card itself says when it is invoiced


_KINDS = {
    "USAGE": _Kind("usageRateCards", "usageRateCard", "usageMeterId", timed=False),
    "FIXED_FEE": _Kind("fixedFeeRateCards", "fixedFeeRateCard", "id"),
    "LICENSE": _Kind("licenseRateCards", "licenseRateCard", "id"),
    "BILLING_ENTITLEMENT": _Kind(
        "billingEntitlementRateCards", "billingEntitlementRateCard", "featureId"
    ),
    "CREDIT_GRANT": _Kind("creditGrantRateCards", "creditGrantRateCard", "id"),
    "ENTITLEMENT_OVERAGE": _Kind(
        "entitlementOverageRateCards", "entitlementOverageRateCard", "featureId", timed=False
    ),
    "MINIMUM_COMMITMENT": _Kind(
        _COMMITMENT, "minimumCommitmentRateCard", "billableId", timed=False
    ),
}
_TIMINGS = ("IN_ADVANCE", "IN_ARREARS", "PREPAID")


def each(details: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The cards of a plan's details with their types, in the order they are listed in."""
    for card_type, kind in _KINDS.items():
        found = details.get(kind.listed, [])
        for card in [found] if isinstance(found, dict) else found:
            yield card_type, card


def name_of(card: Mapping[str, Any]) -> str:
    """A card's name; the commitment of a plan of the first generation has none."""
    return str(card.get("name", _COMMITMENT))


def render(card_type: str, card: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    """A card; `reference` are the fields that say what it belongs to."""
    kind = _KINDS[card_type]
    shown = dict(card)
    if card_type == "MINIMUM_COMMITMENT":
        shown = {name: card[name] for name in ("displayName", "rateValues")}
    return present(
        billableId=card.get(kind.key, _COMMITMENT),
        type=card_type,
        displayName=card.get("displayName") or name_of(card),
        invoiceTiming=card.get("invoiceTiming") or "IN_ARREARS",
        rateCardDetails={kind.field: shown},
        tag=card.get("tag"),
        name=name_of(card),
        currencies=currencies_of(card),
        **reference,
    )


def currencies_of(card: Mapping[str, Any]) -> list[str]:
    """The currencies that a card has rates in, as far as it is well formed."""
    details = card.get("rateDetails", card)
    found = []
    for name in ("rateValues", "currencySlabRateDetails"):
        values = details.get(name, []) if isinstance(details, Mapping) else []
        for value in values if isinstance(values, list) else []:
            currency = value.get("currency") if isinstance(value, Mapping) else None
            if isinstance(currency, str) and currency not in found:
                found.append(currency)
    return found


def check(
    request: Call, card_type: str, card: dict[str, Any], currencies: list[str], at: str
) -> None:
    """Refuse a card that has not the shape of its type, or not exactly these currencies."""
    kind = _KINDS[card_type]
    if card_type == "MINIMUM_COMMITMENT":
        parts = {name: card[name] for name in ("displayName", "rateValues") if name in card}
        rate_card_rules.minimum_commitment(parts, currencies, at)
    else:
        price_plan_rules.CARDS[kind.listed](request, card, currencies, at)


def operate(request: Call, details: dict[str, Any]) -> list[str]:
    """Apply the operations of the body to the details, in their order; the names they touched.

    Refuses with 400; then the details are not to be used.
    """
    body = call.closed(request.body, ("operations",))
    operations = call.listed(body, "operations", minimum=1, maximum=_MOST_OPERATIONS)
    touched: list[str] = []
    for index, item in enumerate(operations):
        place = f"operations[{index}]."
        given = call.closed(item, ("actionType", "rateCardName", "rateCard"), place)
        action = call.one_of(given, "actionType", ("CREATE", "UPDATE", "DELETE"), at=place)
        name = call.text(given, "rateCardName", minimum=1, maximum=50, at=place)
        present_as = {name_of(card): card_type for card_type, card in each(details)}.get(name)
        if action == "CREATE" and present_as is not None:
            raise Refusal(400, f"{place}rateCardName: {name} is the name of another card")
        if action != "CREATE" and present_as is None:
            raise Refusal(400, f"{place}rateCardName: there is no rate card {name}")
        if action == "DELETE":
            if "rateCard" in given:
                raise Refusal(400, f"{place}rateCard cannot be in a DELETE")
            _put(details, str(present_as), name, None, place)
            touched = [one for one in touched if one != name]
            continue
        card_type, card = _read(request, given, name, f"{place}rateCard.")
        if present_as not in (None, card_type):
            raise Refusal(400, f"{place}rateCard.type: {name} is a card of type {present_as}")
        _put(details, card_type, name, card, place)
        touched = [*(one for one in touched if one != name), name]
    return touched


def _read(
    request: Call, operation: dict[str, Any], name: str, at: str
) -> tuple[str, dict[str, Any]]:
    """The type and the card of an operation. Of what is said twice, both must say the same."""
    fields = ("billableId", "type", "displayName", "invoiceTiming", "rateCardDetails", "tag")
    given = call.closed(call.mapping(operation, "rateCard", at=at[: -len("rateCard.")]), fields, at)
    card_type = call.one_of(given, "type", tuple(_KINDS), at=at)
    kind = _KINDS[card_type]
    billable = call.text(given, "billableId", minimum=1, maximum=50, at=at)
    call.text(given, "displayName", maximum=255, default=None, at=at)
    call.text(given, "tag", maximum=50, default=None, at=at)
    timing = call.one_of(given, "invoiceTiming", _TIMINGS, at=at)
    if not kind.timed and timing != "IN_ARREARS":
        raise Refusal(400, f"{at}invoiceTiming of a card of type {card_type} is IN_ARREARS")
    place = f"{at}rateCardDetails."
    inner = call.closed(call.mapping(given, "rateCardDetails", at=at), (kind.field,), place)
    card = dict(call.mapping(inner, kind.field, at=place))
    spot = f"{place}{kind.field}."
    said: dict[str, Any] = {one: given[one] for one in ("displayName", "tag") if one in given}
    said["name"] = name
    said[kind.key] = billable
    if kind.timed:
        said["invoiceTiming"] = timing
    for field_name, value in said.items():
        if field_name in card and card[field_name] != value:
            raise Refusal(400, f"{spot}{field_name} is not {value}, as beside the card")
    if card_type == "MINIMUM_COMMITMENT":
        call.closed(card, ("displayName", "rateValues"), spot)
    card |= said
    check(request, card_type, card, currencies_of(card), spot)
    return card_type, card


def _put(
    details: dict[str, Any], card_type: str, name: str, card: dict[str, Any] | None, at: str
) -> None:
    """Add the card, put it in the place of the one with its name, or take that one away."""
    kind = _KINDS[card_type]
    if card_type == "MINIMUM_COMMITMENT":
        if card is None:
            details.pop(_COMMITMENT)
        elif _COMMITMENT in details and name_of(details[_COMMITMENT]) != name:
            raise Refusal(400, f"{at}rateCard.type: the plan has a minimum commitment already")
        else:
            details[_COMMITMENT] = card
        return
    cards = list(details.get(kind.listed, []))
    position = next((n for n, one in enumerate(cards) if one["name"] == name), len(cards))
    cards[position : position + 1] = [] if card is None else [card]
    if len(cards) > _MOST_CARDS:
        raise Refusal(400, f"{at}rateCard: at most {_MOST_CARDS} cards of type {card_type}")
    details[kind.listed] = cards
