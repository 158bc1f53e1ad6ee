"""The usage metering config: per partner, what happens to usage before it is reported."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from billing_mcp.declarations import (
    READ,
    UPDATE,
    Applied,
    Effect,
    NotApplied,
    Stake,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import Body, Name, OrgId, Positive, wrong
from billing_mcp.results import Exact, Result, values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.suger.usage_records import PLAIN_TEXT
from billing_mcp.upstream import Suger

toolset = Toolset("suger-metering")

# The vendor adds partners (24 in one document, 26 in the next), so their form is checked and
# their name is not.
Partner = Annotated[
    Name,
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
    Field(pattern="^[A-Z_]{2,20}$"),
]
Dimension = Annotated[Name, Field(min_length=1, max_length=255), PLAIN_TEXT]


class MappedDimension(Body):
    dimensionKey: Dimension
    mappingMode: Literal["", "QUANTITY", "AMOUNT"] | None = None
    convertionMultiplier: Annotated[Positive, PLAIN_TEXT] | None = None


Destinations = Annotated[list[MappedDimension], Field(min_length=1)]


class PartnerUsageMeteringConfig(Body):
    partner: Partner
    enableDimensionMapping: bool | None = None
    # Deprecated by the vendor: taken, so that a config that was read can be sent back, but not
    # published.
    dimensionMapping: SkipJsonSchema[dict[Name, MappedDimension] | None] = None
    dimensionMappingV2: dict[Name, Destinations] | None = None
    enableBillableDimension: bool | None = None
    enableCommitWithAdditionalUsageMetering: bool | None = None
    enableCommitWithAdditionalUsageAtListPrice: bool | None = None


class NewUsageMeteringConfig(Body):
    partnerUsageMeteringConfigs: Annotated[list[PartnerUsageMeteringConfig], Field(max_length=50)]

    @model_validator(mode="after")
    def _each_partner_once(self) -> Self:
        partners = [config.partner for config in self.partnerUsageMeteringConfigs]
        if len(set(partners)) < len(partners):
            raise wrong("one config for each partner, none twice")
        return self


class DimensionMapping(Result):
    dimensionKey: str | None = None
    mappingMode: str | None = None
    convertionMultiplier: Exact | None = None


class PartnerConfig(Result):
    partner: str
    enableDimensionMapping: bool | None = None
    dimensionMapping: dict[str, DimensionMapping] | None = None
    dimensionMappingV2: dict[str, list[DimensionMapping]] | None = None
    enableBillableDimension: bool | None = None
    enableCommitWithAdditionalUsageMetering: bool | None = None
    enableCommitWithAdditionalUsageAtListPrice: bool | None = None


class UsageMeteringConfig(Result):
    partnerUsageMeteringConfigs: list[PartnerConfig] | None = None


CONFIG_ROUTE = "GET /org/{orgId}/usageMeteringConfigInfo"


@toolset.tool(READ, CONFIG_ROUTE)
async def get_usage_metering_config_info(suger: Suger, orgId: OrgId = None) -> UsageMeteringConfig:
    """Show how usage is mapped and metered per marketplace."""
    return await suger.fetch(UsageMeteringConfig, at={"orgId": suger.org(orgId)})


async def _in_force(suger: Suger, asked: Mapping[str, Any]) -> Verdict:
    config = await _present(suger, suger.org(asked.get("orgId")))
    found = _by_partner(config)
    wanted = {one["partner"]: _said(one) for one in asked["body"]["partnerUsageMeteringConfigs"]}
    there = found.keys() == wanted.keys() and holds(found, wanted)
    return Applied(config) if there else NotApplied()


async def _present(suger: Suger, org: str) -> UsageMeteringConfig:
    return await suger.fetch(UsageMeteringConfig, route=CONFIG_ROUTE, at={"orgId": org})


def _by_partner(config: UsageMeteringConfig) -> dict[str, dict[str, Any]]:
    return {one.partner: values(one) for one in config.partnerUsageMeteringConfigs or ()}


async def _would_replace(suger: Suger, asked: Mapping[str, Any]) -> Effect:
    org = suger.org(asked["orgId"])
    body: NewUsageMeteringConfig = asked["body"]
    found = _by_partner(await _present(suger, org))
    wanted = {
        one.partner: one.model_dump(exclude_none=True) for one in body.partnerUsageMeteringConfigs
    }
    told = [
        *(f"{wording.identified(name)} is added" for name in wanted if name not in found),
        *(f"{wording.identified(name)} is gone" for name in found if name not in wanted),
    ]
    for name in wanted.keys() & found.keys():
        changed = _changed(found[name], wanted[name])
        if changed:
            told.append(f"{wording.identified(name)} has another {wording.listed(changed)}")
    before = {"partnerUsageMeteringConfigs": list(found.values())}
    return Effect(
        f"Replaces the whole usage metering config of organisation {wording.identified(org)}, "
        "which says how all usage is billed: "
        f"{'; '.join(sorted(told)) or 'nothing changes by it'}.",
        before,
        {"partnerUsageMeteringConfigs": list(wanted.values())},
        "update-usage-metering-config-info with the config as it was before.",
        before,
    )


def _changed(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The members that differ. What is off or empty is the same as what is not there."""
    names = sorted(found.keys() | wanted.keys())
    return [
        name
        for name in names
        if (found.get(name) or wanted.get(name))
        and not _equal(found.get(name), _said(wanted.get(name)))
    ]


def _equal(found: Any, wanted: Any) -> bool:
    """`holds`, and nothing is there beside it but what the vendor fills in by itself."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return found.keys() - wanted.keys() <= {"mappingMode"} and all(
            _equal(found.get(name), value) for name, value in wanted.items()
        )
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_equal, found, wanted))
    return wanted is not None and holds(found, wanted)


async def _stake(_: Suger, __: Mapping[str, Any]) -> Stake:
    """The config is the organisation's: it is about everybody, and nobody in particular."""
    return Stake(frozenset())


def _said(node: Any) -> Any:
    """A config without empty texts: the vendor reads an empty mode as its default, and says so."""
    if isinstance(node, Mapping):
        return {name: _said(value) for name, value in node.items() if value != ""}
    return [_said(item) for item in node] if isinstance(node, list) else node


@toolset.tool(
    UPDATE,
    "PATCH /org/{orgId}/usageMeteringConfigInfo",
    write=Write(
        find_out="get-usage-metering-config-info shows which config is in force",
        reconcile=_in_force,
        preview=_would_replace,
        stake=_stake,
        target="body",
    ),
)
async def update_usage_metering_config_info(
    suger: Suger, body: NewUsageMeteringConfig, orgId: OrgId = None
) -> UsageMeteringConfig:
    """Replace the whole config. Read it with get-usage-metering-config-info first: what is left out
    is gone."""
    return await suger.fetch(
        UsageMeteringConfig,
        at={"orgId": suger.org(orgId)},
        body=body.model_dump(exclude_none=True),
    )
