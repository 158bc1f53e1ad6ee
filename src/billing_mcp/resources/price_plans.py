"""`billing://price-plans` and one of them: its versions, pricing cycle and rate cards as tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from billing_mcp.resources.addresses import Address, uri
from billing_mcp.resources.markdown import clipped, facts, quoted, row, span
from billing_mcp.resources.pages import Document, Section, rendered
from billing_mcp.resources.rate_cards import KINDS, sections_of
from billing_mcp.resources.reading import Content, Reader, Wanted

PRICE_PLAN = Wanted("price plan", "price-plan", "pricePlanId", "list-price-plans")
_ROWS = 50
_SHOWN_OF_DESCRIPTION = 90
_TOLD = frozenset(
    {"supportedCurrencies", "activeCurrencies", "pricingCycleConfig", "type", "deferredRevenue"}
)


async def read(address: Address, reader: Reader) -> Content:
    text = await (_all(address, reader) if address.name is None else _one(address, reader))
    return Content(text, "text/markdown")


async def _all(address: Address, reader: Reader) -> str:
    arguments: dict[str, Any] = {"pageSize": _ROWS}
    if "nextToken" in address.query:
        arguments["nextToken"] = address.query["nextToken"]
    page = await reader.rows("list-price-plans", arguments)
    plans = [row(_summary(plan)) for plan in page["data"]]
    columns = ("price plan", "status", "currencies", "cycle", "description", "resource")
    following = (
        f"- how to read rates: {uri('guides', 'tiered-and-volume')}",
        f"- draw up a new one: `create-price-plan`, its JSON Schema {uri('schemas', 'price-plan')}",
        "- the plan an account is on: named on its invoices (`list-invoices`)",
    )
    sections = (
        Section(None, () if plans else ("There are none.",), columns, plans),
        Section("## Where to go next", rows=following),
    )
    more = None
    if "nextToken" in page:
        link = uri(address.collection, None, {"nextToken": page["nextToken"]})
        more = f"There are more price plans: {link}"
    return rendered(Document("Price plans", page["environment"], sections, more), address)


def _summary(plan: Mapping[str, Any]) -> tuple[str, ...]:
    details = plan.get("pricePlanDetails") or {}
    return (
        clipped(plan["name"], 50),
        " ".join(quoted(plan.get(name)) for name in ("type", "status") if name in plan),
        " ".join(map(quoted, details.get("supportedCurrencies") or ())),
        quoted((details.get("pricingCycleConfig") or {}).get("interval")),
        clipped(plan.get("description"), _SHOWN_OF_DESCRIPTION),
        uri("price-plans", plan["id"]),
    )


async def _one(address: Address, reader: Reader) -> str:
    others = {}
    if "version" in address.query:
        others["version"] = address.query["version"]
    plan = await reader.one("get-price-plan", PRICE_PLAN, address.name or "", **others)
    described = facts(
        (
            ("type", quoted(plan.get("type"))),
            ("status", _status(plan.get("status"))),
            ("description", quoted(plan.get("description"))),
        )
    )
    sections = [Section(facts=described)]
    for schedule in _versions(plan):
        sections.extend(_version(schedule))
    sections.append(Section("## Where to go next", rows=_following(plan)))
    title = f"{quoted(plan['name'])} (price plan {quoted(plan['id'])})"
    return rendered(Document(title, plan["environment"], sections), address)


def _status(status: Any) -> str:
    charges = ": it charges nobody yet" if status == "DRAFT" else ""
    return quoted(status) + charges


def _versions(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What holds when. A plan that lists no schedule has its details at the root."""
    schedules: list[Mapping[str, Any]] = plan.get("pricingSchedule") or []
    return schedules or [{"pricePlanDetails": plan.get("pricePlanDetails"), **plan}]


def _version(schedule: Mapping[str, Any]) -> Iterator[Section]:
    details = schedule.get("pricePlanDetails") or {}
    period = span(schedule["startDate"], schedule.get("endDate")) if "startDate" in schedule else ""
    rules = schedule.get("pricingRules") or ()
    untold = [name for name in details if name not in _TOLD and name not in KINDS]
    described = facts(
        (
            ("in effect", period),
            ("currencies", " ".join(map(quoted, details.get("supportedCurrencies") or ()))),
            ("active in", " ".join(map(quoted, details.get("activeCurrencies") or ()))),
            ("pricing cycle", _cycle(details.get("pricingCycleConfig") or {})),
            ("deferred revenue", "yes" if details.get("deferredRevenue") else None),
            ("pricing rules", f"{len(rules)}; `get-price-plan` shows them" if rules else None),
            ("overridden for an account", "yes" if schedule.get("isOverriden") else None),
            ("also has", f"{', '.join(map(quoted, untold))}" if untold else None),
        )
    )
    version = quoted(schedule.get("version", "as it is"))
    yield Section(f"## Version {version}", described or ["Nothing is known of it."])
    yield from sections_of(details)


def _cycle(cycle: Mapping[str, Any]) -> str | None:
    if not cycle:
        return None
    parts = [quoted(cycle.get("interval"))]
    offset = cycle.get("startOffset")
    if cycle.get("anniversaryCycle"):
        parts.append("begins on the day the account was put on the plan")
    elif offset:
        begins = f"begins on day {quoted(offset.get('dayOffset'))}"
        month = offset.get("monthOffset")
        parts.append(begins if month in (None, "NIL") else f"{begins} of month {quoted(month)}")
    if cycle.get("gracePeriod") is not None:
        parts.append(f"late events are taken for {quoted(cycle['gracePeriod'])} more days")
    return f"{', '.join(parts)} ({uri('guides', 'pricing-cycles')})"


def _following(plan: Mapping[str, Any]) -> list[str]:
    with_it = f"with pricePlanId {quoted(plan['id'])}"
    following = [
        f"- the rates as data: `get-price-plan` {with_it}",
        f"- what was billed by it: `list-invoices` {with_it} and an accountId",
    ]
    versions = [schedule.get("version") for schedule in plan.get("pricingSchedule") or ()]
    earlier = [n for n in versions if isinstance(n, int)]
    if earlier and max(earlier) > 1:
        link = uri("price-plans", plan["id"], {"version": str(max(earlier) - 1)})
        following.append(f"- an earlier version: {link}")
    return following
