"""What tests of the revenue calculators share: a question, and its answer."""

from typing import Any

from sandbox.asking import Asker
from sandbox.togai.world import CYCLE

TIERS = {
    "ratePlan": {
        "pricingModel": "TIERED",
        "slabs": [
            {"order": 1, "startAfter": 0, "priceType": "PER_UNIT"},
            {
                "order": 2,
                "startAfter": 100,
                "priceType": "PACKAGE",
                "slabConfig": {"packageSize": "10"},
            },
        ],
    },
    "rateValues": [
        {
            "currency": "USD",
            "slabRates": [
                {"order": 1, "rate": 2, "slabRateConfig": {"maximumRate": "150"}},
                {"order": 2, "rate": 15},
            ],
        }
    ],
}


def asked(**parts: Any) -> dict[str, Any]:
    """A request about nothing used, in dollars."""
    return {
        "currencyConfig": {"mode": "CUSTOM", "currency": "USD"},
        "usageConfig": {"mode": "CUSTOM"},
        "licenseEntriesConfig": {"mode": "CUSTOM"},
        **parts,
    }


def custom(**details: Any) -> dict[str, Any]:
    shown = {"supportedCurrencies": ["USD"], "pricingCycleConfig": CYCLE} | details
    return {"mode": "CUSTOM", "pricePlanDetails": shown}


def revenue(ask: Asker, generation: str = "", **parts: Any) -> Any:
    return ask.done("POST", f"{generation}/revenue_calculator", asked(**parts))
