"""Suger's usage metering config: per marketplace, what happens to usage before it is reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.marketplace import Destination
from billing_mcp.sandbox.call import (
    Call,
    Refusal,
    Reply,
    fields,
    flag,
    listed,
    mapping,
    one_of,
    text,
)
from billing_mcp.sandbox.store import Connection
from billing_mcp.sandbox.suger.organization import OrganizationResource
from billing_mcp.sandbox.suger.quantities import quantity

resource = OrganizationResource()

# The vendor's `Partner` without its empty value.
PARTNERS = (
    *("ADYEN", "ALIBABA", "ANTHROPIC", "AWS", "AWS_CHINA", "AZURE", "CHARGEBEE", "DATABRICKS"),
    *("DOCUSIGN", "GCP", "GOOGLE", "HUBSPOT", "INTUIT", "LAGO", "MARKETO", "METRONOME"),
    *("MICROSOFT", "OPENAI", "ORACLE", "ORB", "REDHAT", "SALESFORCE", "SLACK", "SNOWFLAKE"),
    *("STRIPE", "ZOHO"),
)
_FLAGS = (
    "enableDimensionMapping",
    "enableBillableDimension",
    "enableCommitWithAdditionalUsageMetering",
    "enableCommitWithAdditionalUsageAtListPrice",
)


@resource.route("GET", "/org/{orgId}/usageMeteringConfigInfo")
def get_usage_metering_config_info(call: Call) -> Reply:
    return Reply(render(call.db))


@resource.route("PATCH", "/org/{orgId}/usageMeteringConfigInfo")
def update_usage_metering_config_info(call: Call) -> Reply:
    """The list that is sent replaces the one that is kept; without a list nothing changes."""
    sent = listed(fields(call.body), "partnerUsageMeteringConfigs", default=None)
    if sent is not None:
        configs = [
            _config(item, f"partnerUsageMeteringConfigs[{index}].")
            for index, item in enumerate(sent)
        ]
        partners = [config["partner"] for config in configs]
        if len(set(partners)) < len(partners):
            raise Refusal(400, "partnerUsageMeteringConfigs must not name a partner twice")
        call.db.execute("delete from suger_metering_configs")
        call.db.executemany(
            "insert into suger_metering_configs (partner, config) values (?, ?)",
            [(config["partner"], money.to_json(config).decode()) for config in configs],
        )
        call.effect("usage-metering-config.updated", ",".join(partners))
    return Reply(render(call.db))


def _config(item: Any, at: str) -> dict[str, Any]:
    body = fields(item, at)
    read: dict[str, Any] = {"partner": one_of(body, "partner", PARTNERS, at=at)}
    read |= {name: flag(body, name, at=at) for name in _FLAGS if name in body}
    if "dimensionMapping" in body:
        sources = mapping(body, "dimensionMapping", at=at)
        read["dimensionMapping"] = {
            key: _destination(fields(sources, at), f"{at}dimensionMapping.{key}.", key)
            for key in sources
        }
    if "dimensionMappingV2" in body:
        sources = mapping(body, "dimensionMappingV2", at=at)
        read["dimensionMappingV2"] = {
            key: [
                _destination({key: value}, f"{at}dimensionMappingV2.{key}[{index}].", key)
                for index, value in enumerate(
                    listed(sources, key, minimum=1, at=f"{at}dimensionMappingV2.")
                )
            ]
            for key in sources
        }
    return read


def _destination(values: Mapping[str, Any], at: str, key: str) -> dict[str, Any]:
    body = fields(values[key], at)
    read: dict[str, Any] = {"dimensionKey": text(body, "dimensionKey", minimum=1, at=at)}
    mode = one_of(body, "mappingMode", ("", "QUANTITY", "AMOUNT"), default="QUANTITY", at=at)
    read["mappingMode"] = mode or "QUANTITY"
    if "convertionMultiplier" in body:
        multiplier = quantity(body, "convertionMultiplier", at)
        if multiplier <= 0:
            raise Refusal(400, f"{at}convertionMultiplier must be greater than 0")
        read["convertionMultiplier"] = multiplier
    return read


@dataclass(frozen=True, slots=True)
class MeteringConfig:
    """How usage for one marketplace is treated; each part is off unless the organization set it."""

    destinations: Mapping[str, Sequence[Destination]]  # empty when there is no mapping
    billable_dimensions: bool
    commit_first: bool
    at_list_price: bool

    def mapped(
        self, records: Mapping[str, Decimal], unit_prices: Mapping[str, Decimal]
    ) -> list[tuple[str, Decimal]]:
        """Records of metering API v1 after the mapping; a key without a mapping stays.

        Under the AMOUNT mode the reported number is itself an amount of money.
        """
        pairs = []
        for key, value in records.items():
            targets = self.destinations.get(key)
            if targets is None:
                pairs.append((key, value))
            else:
                pairs += [
                    (target.dimension_key, target.quantity(value, value, unit_prices))
                    for target in targets
                ]
        return pairs


def config_for(db: Connection, partner: str) -> MeteringConfig:
    """The config of a marketplace, or one with everything off."""
    row = db.execute(
        "select config from suger_metering_configs where partner = ?", (partner,)
    ).fetchone()
    config: Any = {} if row is None else money.from_json(row["config"])
    destinations: dict[str, Sequence[Destination]] = {}
    if config.get("enableDimensionMapping"):
        older = {key: [value] for key, value in config.get("dimensionMapping", {}).items()}
        # The newer field wins where both map the same key.
        both = older | config.get("dimensionMappingV2", {})
        destinations = {
            key: [_read_back(value) for value in values] for key, values in both.items()
        }
    commit_first = config.get("enableCommitWithAdditionalUsageMetering", False)
    return MeteringConfig(
        destinations=destinations,
        billable_dimensions=config.get("enableBillableDimension", False),
        commit_first=commit_first,
        at_list_price=(
            commit_first and config.get("enableCommitWithAdditionalUsageAtListPrice", False)
        ),
    )


def _read_back(value: Mapping[str, Any]) -> Destination:
    return Destination(
        dimension_key=value["dimensionKey"],
        mode=value["mappingMode"],
        multiplier=Decimal(value.get("convertionMultiplier", 1)),
    )


def render(db: Connection) -> dict[str, Any]:
    rows = db.execute("select config from suger_metering_configs order by position")
    return {"partnerUsageMeteringConfigs": [money.from_json(row["config"]) for row in rows]}
