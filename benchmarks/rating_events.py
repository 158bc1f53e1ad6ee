"""Events into the sandbox until their invoices are final: time and memory by number of events.

    python benchmarks/rating_events.py [SIZES…]

Three months of events of 200 accounts on a tiered, a volume and a package plan go through
POST /ingestBatch, 500 at a time, into a sandbox with a data file in a temporary folder; the app is
called without a network. Each size has a process of its own. Only the time within the sandbox
counts, and the invoices must add up to what a second, plain calculation makes of the same events.
"""

import asyncio
import json
import math
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox import Sandbox, SandboxSettings, open_sandbox

SIZES = (10_000, 100_000, 1_000_000)
ACCOUNTS = 200
BATCH = 500
LISTINGS = 20
BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
MONTHS = (7, 8, 9)
CYCLE = {"interval": "MONTHLY", "gracePeriod": 3}
# Where slabs start, and the rate of each. An account has 17 events a month of the smallest size
# and 1,700 of the largest, each of 0.25 to 50 units: the upper slabs are reached too.
STARTS = (Decimal(0), Decimal(300), Decimal(3_000), Decimal(30_000))
RATES = (Decimal("0.0513"), Decimal("0.0407"), Decimal("0.0311"), Decimal("0.0209"))
PACKAGE = Decimal(40)
PLANS = (("TIERED", "PER_UNIT"), ("VOLUME", "PER_UNIT"), ("TIERED", "PACKAGE"))
CENT = Decimal("0.01")
TEST_REGION = "test"  # the meter's matcher lets these events pass by


@dataclass(slots=True)
class Meter:
    """The sandbox, and the seconds that were spent in it."""

    sandbox: Sandbox
    seconds: float = 0

    async def ask(self, method: str, target: str, body: Any = None) -> Any:
        """The JSON of an answer that must be a success."""
        path, _, query = target.partition("?")
        content = b"" if body is None else money.to_json(body)
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"authorization", b"Bearer benchmark")],
        }
        begun = time.perf_counter()
        await self.sandbox(scope, receive, send)
        self.seconds += time.perf_counter() - begun
        answer = money.from_json(sent[1]["body"])
        if sent[0]["status"] not in (200, 201, 202):
            raise RuntimeError(f"{method} {target}: {sent[0]['status']} {answer}")
        return answer


@dataclass(slots=True)
class Expected:
    """The second method: units by account and month, then the plans' arithmetic on them."""

    units: dict[tuple[int, int], Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def total(self) -> Decimal:
        return sum(
            (charge(*PLANS[account % 3], units) for (account, _), units in self.units.items()),
            Decimal(0),
        )


def charge(model: str, price_type: str, units: Decimal) -> Decimal:
    """What a month costs. Each slab is a line of the invoice and rounded down by itself."""
    reached = [slab for slab, start in enumerate(STARTS) if units > start]
    parts = {slab: units - STARTS[slab] for slab in reached[-1:]}
    for slab in reached[:-1]:
        parts[slab] = STARTS[slab + 1] - STARTS[slab]
    if model == "VOLUME":
        parts = dict.fromkeys(reached[-1:], units)
    amount = Decimal(0)
    for slab, part in parts.items():
        packages = (part / PACKAGE).to_integral_value(ROUND_CEILING)
        count = packages if price_type == "PACKAGE" else part
        amount += (RATES[slab] * count).quantize(CENT, ROUND_DOWN)
    return amount


async def set_up(meter: Meter) -> None:
    """One schema, one usage meter, three plans, and the accounts, a third of them on each."""
    address = {"line1": "1 Launch Road", "city": "Chennai"}
    customer = {"id": "load", "name": "Load", "primaryEmail": "billing@load.example"}
    await meter.ask("POST", "/togai/customers", customer | {"address": address})
    schema = {
        "name": "calls",
        "attributes": [{"name": "units", "defaultUnit": "unit"}],
        "dimensions": [{"name": "region"}],
    }
    await meter.ask("POST", "/togai/event_schema", schema)
    await meter.ask("POST", "/togai/event_schema/calls/activate")
    logic = {
        "matcher": f'{{"!=": [{{"var": "dimensions.region"}}, "{TEST_REGION}"]}}',
        "computation": '{"var": "attributes.units"}',
        "order": 1,
    }
    usage_meter = {
        "name": "Units",
        "type": "COUNTER",
        "aggregation": "SUM",
        "eventSchemaName": "calls",
        "computations": [logic],
    }
    meter_id = (await meter.ask("POST", "/togai/usage_meters", usage_meter))["id"]
    await meter.ask("POST", f"/togai/usage_meters/{meter_id}/activate")
    plans = [await set_up_plan(meter, meter_id, number) for number in range(len(PLANS))]
    for number in range(ACCOUNTS):
        account = {"id": f"account-{number}", "name": f"Load {number}", "customerId": "load"}
        await meter.ask("POST", "/togai/accounts", account)
        wish = {
            "pricePlanId": plans[number % 3],
            "effectiveFrom": BEGIN.date().isoformat(),
            "effectiveUntil": "9999-01-01",
        }
        await meter.ask("POST", f"/togai/accounts/account-{number}/price_plans", wish)


async def set_up_plan(meter: Meter, meter_id: str, number: int) -> str:
    model, price_type = PLANS[number]
    extra = {"slabConfig": {"packageSize": money.plain(PACKAGE)}} if price_type == "PACKAGE" else {}
    slabs = [
        {"order": order, "startAfter": start, "priceType": price_type, **extra}
        for order, start in enumerate(STARTS, 1)
    ]
    rates = [{"order": order, "rate": rate} for order, rate in enumerate(RATES, 1)]
    card = {
        "usageMeterId": meter_id,
        "ratePlan": {"pricingModel": model, "slabs": slabs},
        "rateValues": [{"currency": "USD", "slabRates": rates}],
    }
    details = {
        "supportedCurrencies": ["USD"],
        "pricingCycleConfig": CYCLE,
        "usageRateCards": [card],
    }
    body = {"name": f"Plan {number}", "type": "BILLING", "pricePlanDetails": details}
    plan_id: str = (await meter.ask("POST", "/togai/price_plans", body))["id"]
    wish = {"currencies": ["USD"]}
    await meter.ask("POST", f"/togai/price_plans/{plan_id}/activate", wish)
    return plan_id


def events(size: int, month: int, expected: Expected) -> Iterator[dict[str, Any]]:
    """A month's share, in no order of time, with ids that have no order either."""
    source = random.Random(f"{size} {month}")  # noqa: S311 - the same load in every run
    share = size // 3 + (size % 3 if month == MONTHS[-1] else 0)
    start = BEGIN.replace(month=month)
    for _ in range(share):
        account = source.randrange(ACCOUNTS)
        units = Decimal(source.randint(1, 200)) / 4
        region = source.choice(("eu", "us", "us", TEST_REGION))
        if region != TEST_REGION:
            expected.units[account, month] += units
        moment = start + timedelta(milliseconds=source.randrange(30 * 86_400_000))
        yield {
            "id": f"{source.getrandbits(128):032x}",
            "schemaName": "calls",
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "accountId": f"account-{account}",
            "attributes": [{"name": "units", "value": money.plain(units)}],
            "dimensions": {"region": region},
        }


async def ingest(meter: Meter, size: int, month: int, expected: Expected) -> None:
    batch = []
    for event in events(size, month, expected):
        batch.append(event)
        if len(batch) == BATCH:
            await meter.ask("POST", "/togai/ingestBatch", {"events": batch})
            batch = []
    if batch:
        await meter.ask("POST", "/togai/ingestBatch", {"events": batch})


async def listing_ms(meter: Meter) -> float:
    """The quickest of several first pages."""
    times = []
    for _ in range(LISTINGS):
        before = meter.seconds
        await meter.ask("GET", "/togai/invoices?class=INVOICE")
        times.append(meter.seconds - before)
    return min(times) * 1000


async def invoiced(meter: Meter) -> Decimal:
    """The sum of all invoices, page by page."""
    target, amount = "/togai/invoices?class=INVOICE", Decimal(0)
    while True:
        answer = await meter.ask("GET", target)
        amount += sum((Decimal(row["totalAmount"]) for row in answer["data"]), Decimal(0))
        if not answer.get("nextToken"):
            return amount
        target = f"/togai/invoices?nextToken={answer['nextToken']}"


async def measured(size: int, folder: Path) -> dict[str, Any]:
    sandbox = open_sandbox(SandboxSettings(data=folder / "events.db", now=BEGIN, demo=False))
    meter, expected = Meter(sandbox), Expected()
    await set_up(meter)
    await listing_ms(meter)  # settles the drafts of the new accounts
    figures: dict[str, Any] = {"before": await listing_ms(meter), "ingest": 0, "close": 0}
    for month in MONTHS:
        last_day = BEGIN.replace(month=month, day=30, hour=23).isoformat()
        grace_over = BEGIN.replace(month=month + 1, day=5).isoformat()
        await meter.ask("POST", "/control/clock", {"now": last_day})
        begun = meter.seconds
        await ingest(meter, size, month, expected)
        closing = meter.seconds
        figures["ingest"] += closing - begun
        # The first listing computes all drafts; the others find them computed.
        await meter.ask("GET", "/togai/invoices?class=INVOICE")
        await meter.ask("POST", "/control/clock", {"now": grace_over})
        figures["close"] += meter.seconds - closing
    found, wanted = await invoiced(meter), expected.total()
    if found != wanted:
        raise RuntimeError(f"the invoices add up to {found}, the events to {wanted}")
    figures["after"] = await listing_ms(meter)
    figures["invoiced"] = money.plain(found)
    figures["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sandbox.close()
    return figures


def report(sizes: list[int]) -> None:
    earlier: tuple[int, float] | None = None
    for size in sizes:
        command = (sys.executable, __file__, "--one", str(size))
        child = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        figures = json.loads(child.stdout)
        seconds = figures["ingest"] + figures["close"]
        print(
            f"{size:>9,} events: {seconds:.1f} s, of which {figures['ingest']:.1f} s ingesting"
            f" ({figures['ingest'] / size * 1e6:.0f} µs an event) and {figures['close']:.1f} s"
            f" closing cycles; peak RSS {figures['rss']:.0f} MiB; first page of invoices"
            f" {figures['before']:.1f} ms before, {figures['after']:.1f} ms after;"
            f" invoiced {figures['invoiced']} USD, as expected"
        )
        if earlier is not None:
            exponent = math.log(seconds / earlier[1]) / math.log(size / earlier[0])
            print(f"{'':>9} exponent from {earlier[0]:,} events: {exponent:.2f}")
        earlier = size, seconds


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--one"]:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asyncio.run(measured(int(arguments[1]), Path(folder)))))
        return
    report([int(argument) for argument in arguments] or list(SIZES))


if __name__ == "__main__":
    main(sys.argv[1:])
