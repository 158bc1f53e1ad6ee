"""What account steady owes, worked out anew: its plan never changes and it is on nothing else."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from life.books import Books, of_type, worth
from life.catalogue import ANSWERS_GRANTED, CALL_RATES, FEES, OVERAGE_RATE
from life.company import Company, amount
from life.events import moment_of
from life.model import NONE, Model

CENT = Decimal("0.01")
ACCOUNT = "steady"
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def check_steady(books: Books, company: Company) -> None:
    months = []
    for invoice in books.invoices.values():
        if invoice["ownerId"] == ACCOUNT and invoice["invoiceType"] == "STANDARD":
            start, end = moment_of(invoice["startDate"]), moment_of(invoice["endDate"])
            months.append(start)
            calls, answers = (
                _units(company.model, schema, start, end) for schema in ("api_calls", "answers")
            )
            seats = 3 * _most_seats(company.model, start, end)
            over = max(answers - ANSWERS_GRANTED, NONE)
            parts = {
                "USAGE_RATE_CARD_AMOUNT": _cut(calls * CALL_RATES["Basic"]),
                "FIXED_FEE_RATE_CARD_AMOUNT": FEES["Basic"],
                "BILLING_ENTITLEMENT_RATE_CARD_AMOUNT": _cut(ANSWERS_GRANTED / 10),
                "ENTITLEMENT_OVERAGE_RATE_CARD_AMOUNT": _cut(over * OVERAGE_RATE),
            }
            for kind, owed in parts.items():
                assert worth(invoice, kind) == owed, (kind, owed, invoice)
            charged = {
                line["id"]: amount(line["value"])
                for line in of_type(invoice, "LICENSE_RATE_CARD_AMOUNT")
            }
            assert charged[company.add_ons["Seats"]] == _cut(seats), (seats, invoice)
            owed = sum(parts.values(), charged[company.add_ons["Admins"]]) + _cut(seats)
            assert worth(invoice, "GROSS_AMOUNT") == owed, (owed, invoice)
    assert sorted(months) == _months_since(company.now)
    _check_feature(books, company.model)


def _check_feature(books: Books, model: Model) -> None:
    """Every answer was taken from what a month grants, or was beyond it."""
    given = sum(
        one.units
        for one in model.arrivals(ACCOUNT)
        if one.counted and one.schema == "answers" and one.moment >= BEGAN
    )
    assert sum(amount(row["used"]) for row in books.accounts[ACCOUNT].granted) == given


def _units(model: Model, schema: str, start: datetime, end: datetime) -> Decimal:
    return sum(
        (
            one.units
            for one in model.arrivals(ACCOUNT)
            if one.measured and one.schema == schema and start <= one.moment < end
        ),
        NONE,
    )


def _most_seats(model: Model, start: datetime, end: datetime) -> Decimal:
    """The most that is held on a day. On the day of a change, what was held before counts not."""
    days: dict[datetime, list[Decimal]] = {}
    for moment, held in model.held_seats(ACCOUNT):
        days.setdefault(moment.replace(hour=0, minute=0, second=0, microsecond=0), []).append(held)
    before = [changes[-1] for day, changes in sorted(days.items()) if day < start]
    within = [max(changes) for day, changes in days.items() if start <= day < end]
    # What was held before lasts for days of the month, unless it changed on its first.
    if before and start not in days:
        within.append(before[-1])
    within += [
        changes[-1]
        for day, changes in days.items()
        if start <= day < end
        and day + timedelta(days=1) < end
        and day + timedelta(days=1) not in days
    ]
    return max(within, default=NONE)


def _cut(exact: Decimal) -> Decimal:
    return exact.quantize(CENT, rounding=ROUND_DOWN)


def _months_since(now: datetime) -> list[datetime]:
    months, month = [], BEGAN
    while month <= now:
        months.append(month)
        month = (month + timedelta(days=32)).replace(day=1)
    return months
