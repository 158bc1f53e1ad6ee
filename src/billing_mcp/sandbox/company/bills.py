"""The demo company's invoices: each computed from its account's usage, plan and credits.

They are stored rows; these few price models are all that the demo's plans need.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox import clock
from billing_mcp.sandbox.company import granted, usage
from billing_mcp.sandbox.company.books import Books
from billing_mcp.sandbox.company.customers import CUSTOMERS, Account
from billing_mcp.sandbox.togai import credits as togai_credits
from billing_mcp.sandbox.togai.invoices import NewInvoice, insert_invoice

_ZERO = Decimal(0)
# The plans count events until the third day after a month has ended.
_GRACE_DAY = 4
_PAYDAY = 12
# Who has paid which month by the twelfth of the month after; the others still owe it.
_OWED = {10: ("acme-prod", "acme-staging", "helios-main", "finch-live", "sakura-tokyo")}

Line = dict[str, Any]


def final_at(month: int) -> datetime:
    """When a month's invoices become final: the end of the month and of its grace period."""
    return datetime(2026, month + 1, _GRACE_DAY, tzinfo=UTC)


def paid_at(month: int) -> datetime:
    return datetime(2026, month + 1, _PAYDAY, 10, tzinfo=UTC)


def finalise(books: Books, month: int) -> None:
    for account in _accounts():
        _Bill(books, account, month, _end(month)).store("DUE")


def draft(books: Books, moment: datetime) -> None:
    """The invoices that still run at a moment: of its month, and of one within its grace."""
    for month in (8, 9, 10, 11):
        if datetime(2026, month, 1, tzinfo=UTC) <= moment < final_at(month):
            until = min(usage.counted_until(moment), _end(month))
            for account in _accounts():
                _Bill(books, account, month, until).store("DRAFT")


def pay(books: Books, month: int) -> None:
    """Invoices are paid, except for those that are still owed."""
    for account in _accounts():
        if account.id not in _OWED.get(month, ()):
            with books.call() as call:
                call.db.execute(
                    "update invoices set status = 'PAID', paid_minor = total_minor, updated_at = ?"
                    " where owner_id = ? and start_date = ? and status = 'DUE'",
                    (call.stamp, account.id, clock.written(datetime(2026, month, 1, tzinfo=UTC))),
                )


def _end(month: int) -> date:
    return date(2026, month + 1, 1)


def _accounts() -> list[Account]:
    return [account for customer in CUSTOMERS for account in customer.accounts]


def line(
    kind: str, description: str, value: Decimal, lines: list[Line] | None = None, **more: Any
) -> Line:
    """A line of an invoice, as the vendor shows it."""
    return {
        "description": description,
        "type": kind,
        "value": value,
        **more,
        "lineItems": lines or [],
    }


def _over(kind: str, description: str, lines: list[Line]) -> Line:
    return line(kind, description, sum((entry["value"] for entry in lines), _ZERO), lines)


@dataclass(frozen=True, slots=True)
class _Bill:
    """One account's month."""

    books: Books
    account: Account
    month: int
    until: date  # usage is counted up to but without this day

    @property
    def start(self) -> date:
        return date(2026, self.month, 1)

    @property
    def end(self) -> date:
        return _end(self.month)

    def store(self, status: str) -> None:
        """Compute the invoice, keep it, and let credits pay their part of it."""
        plan_id = self.books.plans[self.account.plan]
        plan = self.books.ask("GET", f"/togai/price_plans/{plan_id}")
        details = plan["pricingSchedule"][0]["pricePlanDetails"]
        cards = self._cards(details)
        gross = self._gross(plan["name"], details, [card for _, card in cards])
        amounts: dict[str, Decimal] = {}
        for entity, card in cards:
            amounts[entity] = amounts.get(entity, _ZERO) + card["value"]
        paid = granted.usable(self.books, self.account, amounts, self.start, self.end)
        with self.books.call() as call:
            new = NewInvoice(
                account_id=self.account.id,
                price_plan_id=plan_id,
                start=self.start,
                end=self.end,
                status=status,
                lines=_total(gross, paid),
                usage=self._usage(details),
            )
            invoice_id = insert_invoice(call, new)
            for credit_id, amount in paid:
                if status == "DRAFT":
                    granted.hold(self.books, credit_id, amount)
                else:
                    togai_credits.debit(call, credit_id, amount, invoice_id)

    def _cards(self, details: dict[str, Any]) -> list[tuple[str, Line]]:
        """The line of each rate card, and the id of the usage meter that it prices, if any."""
        cards = []
        for card in details.get("usageRateCards", []):
            slabs = self._slabs(
                card, self._used(card["usageMeterId"]), "USAGE_RATE_CARD_SLAB_AMOUNT"
            )
            one = _over("USAGE_RATE_CARD_AMOUNT", card["displayName"], slabs)
            cards.append((card["usageMeterId"], one))
        for card in details.get("billingEntitlementRateCards", []):
            (slab,) = self._rates(card)
            amount = money.rounded(Decimal(slab["rate"]), self.account.currency)
            kind = "BILLING_ENTITLEMENT_RATE_CARD_AMOUNT"
            cards.append(("", line(kind, card["displayName"], amount)))
        for card in details.get("fixedFeeRateCards", []):
            rate = _in(card["rateValues"], self.account.currency)["rate"]
            amount = money.rounded(Decimal(rate), self.account.currency)
            cards.append(("", line("FIXED_FEE_RATE_CARD_AMOUNT", card["displayName"], amount)))
        return cards

    def _used(self, meter_id: str) -> int:
        (schema,) = (name for name, known in self.books.meters.items() if known == meter_id)
        return usage.used(self.account.id, schema, self.start, self.until)

    def _rates(self, card: dict[str, Any]) -> list[dict[str, Any]]:
        rates: list[dict[str, Any]] = _in(card["rateValues"], self.account.currency)["slabRates"]
        return rates

    def _slabs(self, card: dict[str, Any], units: int, kind: str) -> list[Line]:
        """What each slab charges: TIERED for its own part, VOLUME the last reached for all."""
        slabs, rates = card["ratePlan"]["slabs"], self._rates(card)
        ends = [slab["startAfter"] for slab in slabs[1:]] + [units]
        parts = [
            max(min(units, end) - slab["startAfter"], 0)
            for slab, end in zip(slabs, ends, strict=True)
        ]
        if card["ratePlan"]["pricingModel"] == "VOLUME":
            reached = max((n for n, part in enumerate(parts) if part), default=0)
            parts = [units if n == reached else 0 for n in range(len(slabs))]
        return [
            self._slab(slab, Decimal(rate["rate"]), Decimal(part), kind)
            for slab, rate, part in zip(slabs, rates, parts, strict=True)
            if part
        ]

    def _slab(self, slab: dict[str, Any], rate: Decimal, units: Decimal, kind: str) -> Line:
        charged, noun = units, "units"
        if slab["priceType"] == "PACKAGE":
            size = Decimal(slab["slabConfig"]["packageSize"])
            charged, noun = (units / size).to_integral_value(ROUND_CEILING), f"packages of {size}"
        return line(
            kind,
            f"Slab {slab['order']}: {charged} {noun} at {money.plain(rate)}",
            money.rounded(charged * rate, self.account.currency),
            quantity=charged,
            valuePerQuantity=rate,
            metadata={"usage": money.plain(units), "slabOrder": str(slab["order"])},
        )

    def _gross(self, name: str, details: dict[str, Any], cards: list[Line]) -> Line:
        subtotal = _over("SUB_TOTAL_AMOUNT", "Subtotal", cards)
        parts = [subtotal]
        if "minimumCommitment" in details:
            commitment = details["minimumCommitment"]
            agreed = Decimal(_in(commitment["rateValues"], self.account.currency)["rate"])
            short = money.rounded(max(agreed - subtotal["value"], _ZERO), self.account.currency)
            about = f"{commitment['displayName']} of {agreed}: not reached by {short}"
            parts += [line("TRUE_UP_AMOUNT", about, short)] if short else []
        return _over("GROSS_AMOUNT", "Gross amount", [_over("PRICE_PLAN_AMOUNT", name, parts)])

    def _usage(self, details: dict[str, Any]) -> list[Line]:
        return [
            line(
                "USAGE_METER_USAGE", card["displayName"], Decimal(self._used(card["usageMeterId"]))
            )
            for card in details.get("usageRateCards", [])
        ]


def _in(rate_values: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    (value,) = (value for value in rate_values if value["currency"] == currency)
    return value


def _total(gross: Line, paid: list[tuple[str, Decimal]]) -> Line:
    """The tree above the gross amount; credits are lines below zero."""
    parts = [gross]
    if paid:
        lines = [
            line("SUB_CREDITS", credit_id, -amount, id=credit_id) for credit_id, amount in paid
        ]
        parts.append(_over("TOTAL_CREDITS", "Credits", lines))
    net = _over("NET_AMOUNT", "Net amount", parts)
    total = _over("TOTAL_AMOUNT", "Total", [net])
    return _over("GRAND_TOTAL_AMOUNT", "Grand total", [total])
