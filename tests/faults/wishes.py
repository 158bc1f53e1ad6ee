"""Writes that can be asked for without end, each on something of its own, and how often the vendor
has done each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from billing_mcp.sandbox import Sandbox
from calls.payments import LINES, PERIOD, REFERENCE, opened
from calls.schedules import active
from good_calls import PLAN, event
from world import World

_NOW = "2026-11-20T11:00:00Z"


@dataclass(frozen=True, slots=True)
class Wish:
    """A write that a client wants done, and how many effects it has when it is.

    `counted` says what there is at the vendor for each time it was done, as the end of a query;
    `mark` is its argument, None where that is the operation's id.
    """

    tool: str
    arguments: Mapping[str, Any]
    effects: int = 1
    counted: str = ""
    mark: str | None = None

    def done(self, sandbox: Sandbox, operation_id: str) -> int:
        """How often the vendor did it, in those things."""
        query = f"select count(*) from {self.counted}"
        counted = sandbox.backend.db.execute(query, (self.mark or operation_id,)).fetchone()
        return int(counted[0])


@dataclass(frozen=True, slots=True)
class Stock:
    """Ids of what the wishes are about, beside the company of `world`."""

    # Without money, so that nothing of a purchase is paid at once.
    buyer: str
    bundle: str
    licence: str
    named_licence: str


def stocked(world: World) -> Stock:
    def add_on(name: str, kind: str) -> str:
        made: str = world.ask("POST", "/togai/addons", {"name": name, "type": kind})["id"]
        return made

    return Stock(
        opened(world, "buyer"),
        active(world, "Bundle", "PURCHASE"),
        add_on("Seats held", "LICENSE"),
        add_on("Named seats", "NAMED_LICENSE"),
    )


class Wishes:
    """Every kind of them, by the number that makes one its own."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self.kinds: tuple[Callable[[int], Wish], ...] = (
            *(_customer, _account, _credit, _events, _plan, _usage, _batch, _metric),
            *(_invoice, _payment, _top_up, _alert, _add_on, _setting),
            *(self._purchase, self._proposal, self._licence, self._named_licence),
        )

    def __call__(self, number: int) -> Wish:
        return self.kinds[number % len(self.kinds)](number)

    def _purchase(self, number: int) -> Wish:
        return Wish(
            "create-purchase",
            self._bought(number),
            counted="purchases where proposed = 0 and quantity = ?",
            mark=str(number),
        )

    def _proposal(self, number: int) -> Wish:
        terms = {"type": "ENTITLEMENT_GRANT", "paymentMode": "POSTPAID"}
        return Wish(
            "create-proposal",
            self._bought(number) | terms,
            counted="purchases where proposed = 1 and quantity = ?",
            mark=str(number),
        )

    def _bought(self, number: int) -> dict[str, Any]:
        stock = self._stock
        return {"accountId": stock.buyer, "pricePlanId": stock.bundle, "quantity": number}

    def _licence(self, number: int) -> Wish:
        body = {
            "accountId": "harbor-main",
            "licenseId": self._stock.licence,
            "quantity": "1",
            "updateType": "RELATIVE",
            "metadata": {"ticket": f"T-{number}"},
        }
        return Wish(
            "add-license-update",
            body,
            counted="licence_updates where metadata ->> 'ticket' = ?",
            mark=f"T-{number}",
        )

    def _named_licence(self, number: int) -> Wish:
        holder = {"license_id": self._stock.named_licence, "name": f"clerk-{number}"}
        body = {
            "schemaName": "togai-named-license",
            "timestamp": _NOW,
            "accountId": "harbor-main",
            "attributes": [{"name": "action", "value": "1"}],
            "dimensions": holder,
        }
        return Wish(
            "ingest-event",
            {"event": body},
            counted="named_licences where name = ?",
            mark=holder["name"],
        )


def _customer(number: int) -> Wish:
    email = f"billing@c{number}.example"
    body = {"id": f"c-{number}", "name": f"Customer {number}", "primaryEmail": email}
    counted = "effects where kind = 'customer' and id = ?"
    return Wish("create-customer", body, counted=counted, mark=body["id"])


def _account(number: int) -> Wish:
    body = {"id": f"a-{number}", "name": f"Account {number}", "customerId": "harbor-labs"}
    counted = "effects where kind = 'account' and id = ?"
    return Wish("create-account", body, counted=counted, mark=body["id"])


def _credit(number: int) -> Wish:
    account = ("harbor-main", "harbor-test", "mill-1")[number % 3]
    body = {"accountId": account, "creditAmount": f"{number}.50", "effectiveFrom": "2026-11-20"}
    return Wish("grant-credit", body, counted="effects where kind = 'credit' and key = ?")


def _events(number: int) -> Wish:
    count = number % 4 + 1
    return Wish(
        "ingest-events",
        {"events": [event()] * count},
        count,
        "effects where kind = 'event' and key like ? || '-%'",
    )


def _plan(number: int) -> Wish:
    name = f"Plan {number}"
    body = {"name": name, "pricePlanDetails": PLAN}
    return Wish("create-price-plan", body, counted="price_plans where name = ?", mark=name)


def _usage(number: int) -> Wish:
    body = {"records": {"api_calls": str(number)}}
    return Wish(
        "report-usagerecordgroup",
        {"entitlementId": "on-aws", "body": body},
        counted="effects where id = ?",
    )


def _batch(number: int) -> Wish:
    item = {"entitlementID": "on-aws", "records": {"api_calls": str(number)}}
    return Wish(
        "batch-report-usagerecordgroups",
        {"body": [item]},
        counted="suger_usage_record_groups where origin_records = ?",
        mark=f'{{"api_calls":{number}}}',
    )


def _metric(number: int) -> Wish:
    body = {"name": f"Metric {number}", "aggregationType": "SUM"}
    return Wish("create-billable-metric", {"body": body}, counted="effects where id = ?")


def _invoice(number: int) -> Wish:
    line = {**LINES[0], "description": f"Workshop {number}"}
    return Wish(
        "create-custom-invoice",
        {"accountId": "harbor-test", "lineItems": [line], **PERIOD},
        counted="custom_invoices where line_items ->> '$[0].description' = ?",
        mark=line["description"],
    )


def _payment(number: int) -> Wish:
    body = {
        "accountId": "harbor-test",
        "totalAmount": "5",
        "currency": "USD",
        "externalPaymentReference": REFERENCE | {"transactionNumber": f"T-{number}"},
        "lineItemRecords": [{"type": "WALLET_CREDIT"}],
    }
    counted = "effects where kind = 'payment' and key = ?"
    return Wish("create-payments", body, counted=counted, mark=f"T-{number}")


def _top_up(number: int) -> Wish:
    amount = f"{number}.25"
    return Wish(
        "top-up-wallet",
        {"accountId": "harbor-test", "topupAmount": amount},
        counted="effects where kind = 'wallet-top-up' and key = ?",
        mark=amount,
    )


def _alert(number: int) -> Wish:
    body = {
        "alertTemplateId": "alert_template.spend",
        "interval": 60,
        "entityDetails": {"account": {"id": "harbor-test"}},
        "parameters": {"threshold": {"value": 1_000_000 + number}},
        "description": f"Alert {number}",
    }
    return Wish(
        "create-alert", body, counted="alerts where description = ?", mark=f"Alert {number}"
    )


def _add_on(number: int) -> Wish:
    body = {"name": f"Add-on {number}", "type": "FIXED_FEE"}
    return Wish("create-addon", body, counted="add_ons where name = ?", mark=body["name"])


def _setting(number: int) -> Wish:
    body = {
        "id": f"limit_{number}",
        "name": "Limit",
        "namespace": "USER",
        "entityType": "ACCOUNT",
        "entityId": "harbor-main",
        "value": "1000",
        "dataType": "NUMERIC",
    }
    counted = "effects where kind = 'setting' and id = ?"
    mark = f"setting.USER.limit_{number}.ACCOUNT.harbor-main"
    return Wish("create-setting", body, counted=counted, mark=mark)
