"""Togai's alert templates: the kinds of alerts there are, and what each of them measures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE, as_decimal, total
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.togai import (
    accounts,
    credit_ledger,
    drafts,
    entitlements,
    usage_sums,
    wallet_ledger,
)
from billing_mcp.sandbox.togai.paging import page_of_list
from billing_mcp.sandbox.togai.running import running_at

resource = Resource()

_CREATED = "2024-12-01T00:00:00.000Z"
_A_DAY_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure and what it counts: a currency, "percent", or "units"."""

    value: Decimal
    unit: str


# `entities` are the ids that an alert names, by the entity; None: there is nothing to measure.
Measure = Callable[[Call, Mapping[str, str]], Measured | None]


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of alert. It fires at its threshold and above, or below it."""

    id: str
    name: str
    description: str
    entities: Sequence[str]
    measure: Measure
    fires_below: bool

    def is_breached(self, measured: Measured, threshold: Decimal) -> bool:
        if self.fires_below:
            return measured.value < threshold
        return measured.value >= threshold


def _credit_balance(request: Call, entities: Mapping[str, str]) -> Measured:
    account = accounts.existing(request, entities["account"])
    drafts.settle(request, account["id"])
    rows = request.db.execute(
        "select * from credits where account_id = ? and status = 'ACTIVE' and effective_from <= ?",
        (account["id"], request.stamp[:10]),
    ).fetchall()
    left = total(credit_ledger.remaining(row) for row in rows)
    held = total(Decimal(row["held"]) for row in rows)
    return Measured(WIDE.subtract(left, held), account["invoice_currency"])


def _wallet_balance(request: Call, entities: Mapping[str, str]) -> Measured:
    drafts.settle(request, entities["account"])
    wallet = wallet_ledger.of_account(request, entities["account"])
    shown = wallet_ledger.render(wallet, wallet_ledger.holds(request, wallet))
    return Measured(shown["balance"], wallet.currency)


def _usage(request: Call, entities: Mapping[str, str]) -> Measured:
    running = running_at(request.db, entities["account"], request.now)
    sums = [usage_sums.of_cycle(request.db, one.schedule_id, one.cycle.number) for one in running]
    return Measured(total(units.get(entities["usageMeter"], Decimal(0)) for units in sums), "units")


def _spend(request: Call, entities: Mapping[str, str]) -> Measured:
    account = accounts.existing(request, entities["account"])
    drafts.settle(request, account["id"])
    rows = request.db.execute(
        "select total_minor from invoices where owner_id = ? and schedule_id is not null"
        " and status = 'DRAFT' and start_date <= ? and end_date > ?",
        (account["id"], request.stamp, request.stamp),
    )
    minor = sum(int(row["total_minor"]) for row in rows)
    currency = account["invoice_currency"]
    return Measured(money.from_minor_units(minor, currency), currency)


def _feature_credits(request: Call, entities: Mapping[str, str]) -> Measured | None:
    entries = entitlements.in_effect(
        request, entities["account"], entities["feature"], request.stamp
    )
    granted = total(Decimal(row["granted"]) for row in entries if row["source"] != "OVERAGE")
    if not granted:
        return None
    used = total(Decimal(row["used"]) for row in entries)
    return Measured(as_decimal(Fraction(used) * 100 / Fraction(granted)), "percent")


# Ours: which templates the vendor has is not known.
TEMPLATES = {
    template.id: template
    for template in (
        Template(
            "alert_template.credit-balance",
            "Credit balance is low",
            "The credit of an account that nothing holds is below the threshold",
            ("account",),
            _credit_balance,
            fires_below=True,
        ),
        Template(
            "alert_template.wallet-balance",
            "Wallet balance is low",
            "The balance of an account's wallet is below the threshold",
            ("account",),
            _wallet_balance,
            fires_below=True,
        ),
        Template(
            "alert_template.usage",
            "Usage is high",
            "What a usage meter counted for an account in the running cycle reached the threshold",
            ("account", "usageMeter"),
            _usage,
            fires_below=False,
        ),
        Template(
            "alert_template.spend",
            "Spend is high",
            "The running invoices of an account reached the threshold, in its currency",
            ("account",),
            _spend,
            fires_below=False,
        ),
        Template(
            "alert_template.feature-credits",
            "Feature credits run out",
            "Of an account's feature credits so many percent are used",
            ("account", "feature"),
            _feature_credits,
            fires_below=False,
        ),
    )
}


@resource.route("GET", "/alert_templates")
def list_alert_templates(request: Call) -> Reply:
    rows, token = page_of_list(request, tuple(TEMPLATES.values()))
    return Reply({"data": [_render(template) for template in rows], "nextToken": token})


@resource.route("GET", "/alert_templates/{alert_template_id}")
def get_alert_template(request: Call) -> Reply:
    template_id = request.path["alert_template_id"]
    if template_id not in TEMPLATES:
        raise Refusal(404, f"Alert template {template_id} not found")
    return Reply(_render(TEMPLATES[template_id]))


def _render(template: Template) -> dict[str, Any]:
    named = {name: _with("id", "string") for name in template.entities}
    return {
        "id": template.id,
        "name": template.name,
        "description": template.description,
        "interval": _A_DAY_MINUTES,
        "entityType": template.entities[-1],
        "entitySchema": _schema(named),
        "ownerType": "contact",
        "ownerSchema": _schema({"contact": _with("email", "string")}),
        "parametersSchema": _schema({"threshold": _with("value", "number")}),
        "createdAt": _CREATED,
    }


def _schema(properties: Mapping[str, Any]) -> str:
    """The JSON schema of a map of objects, as text."""
    whole = {"type": "object", "properties": properties, "required": list(properties)}
    return money.to_json(whole).decode()


def _with(name: str, kind: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
