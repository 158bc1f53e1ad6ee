"""Alerts: what is watched of whom, how often, and from which templates they are made."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from billing_mcp import errors, money
from billing_mcp.declarations import (
    CREATE,
    READ,
    UPDATE,
    Applied,
    Effect,
    NotApplied,
    Stake,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import Name, NextToken, printable, wrong
from billing_mcp.results import Result, TokenPage, compact, values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.upstream import Togai
from billing_mcp.wire import present

toolset = Toolset("togai-alerts")

AlertStatus = Literal["ACTIVE", "INACTIVE"]
AlertId = Annotated[Name, Field(min_length=1, max_length=100, description="From list-alerts")]
TemplateId = Annotated[
    Name, Field(min_length=1, max_length=100, description="From list-alert-templates")
]
Minutes = Annotated[int, Field(ge=1, le=5_256_000)]
Described = Annotated[Name, Field(max_length=255)]

# Ours: deeper than this no template asks for anything.
_DEEPEST = 5


def _exact(value: Any, depth: int = 0) -> Any:
    """JSON whose shape a template says, with exact numbers and printable texts."""
    if depth > _DEEPEST:
        raise wrong(f"an object nested no deeper than {_DEEPEST}")
    if isinstance(value, dict):
        return {printable(name): _exact(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_exact(item, depth + 1) for item in value]
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float | int | Decimal) and not isinstance(value, bool):
        try:
            return money.exact(value)
        except money.NotANumber as error:
            raise wrong(str(error)) from error
    return value


def _details(schema: str) -> Any:
    """An object of objects, as the field of the template says."""
    shape = {
        "type": "object",
        "additionalProperties": {"type": "object"},
        "description": f"By the template's {schema}",
    }
    return (Field(max_length=20), AfterValidator(_exact), WithJsonSchema(shape))


EntityDetails = Annotated[dict[str, dict[str, Any]], *_details("entitySchema")]
OwnerDetails = Annotated[dict[str, dict[str, Any]], *_details("ownerSchema")]
Parameters = Annotated[dict[str, dict[str, Any]], *_details("parametersSchema")]


class AlertTemplate(Result):
    concise: ClassVar = ("id", "name", "description", "entityType", "interval")

    id: str
    name: str
    description: str | None = None
    interval: int | None = None
    entityType: str | None = None
    entitySchema: str | None = None
    ownerType: str | None = None
    ownerSchema: str | None = None
    parametersSchema: str | None = None


class Alert(Result):
    concise: ClassVar = (
        "id",
        "alertTemplateId",
        "status",
        "description",
        "entityDetails",
        "parameters",
        "interval",
    )
    ordinary: ClassVar = {"status": frozenset({"ACTIVE"})}

    id: str
    alertTemplateId: str
    status: str | None = None
    version: int | None = None
    description: str | None = None
    interval: int | None = None
    validity: int | None = None
    entityDetails: dict[str, Any] | None = None
    ownerDetails: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None


_CHANGED = ("description", "status", "interval", "validity", "parameters")
_CREATED = (*_CHANGED, "alertTemplateId", "entityDetails", "ownerDetails")
_TEMPLATE_ROUTE = "GET /alert_templates/{alert_template_id}"


@toolset.tool(READ, "GET /alert_templates")
async def list_alert_templates(
    togai: Togai, nextToken: NextToken = None
) -> TokenPage[AlertTemplate]:
    """List the kinds of alerts there are. detail=full shows what each needs to be told."""
    return await togai.fetch(TokenPage[AlertTemplate], query={"nextToken": nextToken})


@toolset.tool(READ, _TEMPLATE_ROUTE)
async def get_alert_template(togai: Togai, alertTemplateId: TemplateId) -> AlertTemplate:
    """Show one kind of alert: what it watches, and the schemas of what create-alert needs."""
    return await _template(togai, alertTemplateId)


async def _template(togai: Togai, template_id: str) -> AlertTemplate:
    at = {"alert_template_id": template_id}
    return await togai.fetch(AlertTemplate, route=_TEMPLATE_ROUTE, at=at)


@toolset.tool(READ, "GET /alerts")
async def list_alerts(togai: Togai, nextToken: NextToken = None) -> TokenPage[Alert]:
    """List alerts: what is watched and from which threshold on. Rows without status are ACTIVE."""
    return await togai.fetch(TokenPage[Alert], query={"nextToken": nextToken})


def _all(togai: Togai) -> AsyncIterator[Alert]:
    return walks.rows(togai, Alert, "GET /alerts", None)


async def alert_of(togai: Togai, alert_id: str) -> Alert:
    """The vendor has no lookup of one alert. Raises `NotFound`."""
    async for alert in _all(togai):
        if alert.id == alert_id:
            return alert
    raise errors.NotFound(
        f"There is no alert {wording.identified(alert_id)}.",
        field="alertId",
        next_step="list-alerts shows those there are.",
    )


def account_in(details: Mapping[str, Any] | None) -> str | None:
    """The account that an alert is about, if its details name one."""
    account = (details or {}).get("account")
    found = account.get("id") if isinstance(account, Mapping) else None
    return found if isinstance(found, str) and found else None


async def stake_in(togai: Togai, details: Mapping[str, Any] | None) -> Stake:
    """Whom an alert is about, as far as its details say it."""
    account_id = account_in(details)
    if account_id is not None:
        return await stake_of_account("account")(togai, {"account": account_id})
    return Stake(None) if details else Stake(frozenset())


async def _stake_of_new(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    return await stake_in(togai, asked["entityDetails"])


async def _stake_of_alert(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    return await stake_in(togai, (await alert_of(togai, asked["alertId"])).entityDetails)


async def about(togai: Togai, alert: Alert) -> str:
    """How a plan names an alert: its template, and the account that it watches."""
    template = await _template(togai, alert.alertTemplateId)
    called = f"{wording.named('alert', alert.id, template.name)}"
    return f"{called}{await _watched(togai, alert.entityDetails)}"


async def _watched(togai: Togai, details: Mapping[str, Any] | None) -> str:
    account_id = account_in(details)
    if account_id is None:
        return f" about {wording.quoted(compact(_told(details)))}" if details else ""
    return f" about {(await owned_account(togai, account_id))[1]}"


def _told(details: Any) -> Any:
    """JSON with its numbers as text, to be shown in a sentence."""
    return values(Result.model_validate({"of": details}))["of"]


async def _alike(togai: Togai, asked: Mapping[str, Any]) -> list[Alert]:
    """The alerts that are as this call makes one."""
    wanted = _told({name: asked.get(name) for name in _CREATED})
    return [alert async for alert in _all(togai) if holds(values(alert), wanted)]


async def _alike_before(togai: Togai, asked: Mapping[str, Any]) -> list[str] | None:
    try:
        return [alert.id for alert in await _alike(togai, asked)]
    except walks.MoreThanSearched:
        return None


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """A new alert that is alike is the one that was made. If somebody else made it at that very
    time, it watches the same."""
    before = frozenset(togai.baseline or ())
    new = [alert for alert in await _alike(togai, asked) if alert.id not in before]
    if not new:
        return NotApplied()
    if len(new) == 1 and togai.baseline is not None:
        return Applied(new[0])
    ids = ", ".join(alert.id for alert in new)
    return Undecided(f"these alerts are as this call would have made one: {ids}")


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    template = await _template(togai, asked["alertTemplateId"])
    wanted = {name: asked[name] for name in _CREATED if asked[name] is not None}
    async for alert in _all(togai):
        if holds(values(alert), _told(wanted)):
            raise errors.Conflict(
                f"There is such an alert already, {wording.identified(alert.id)}.",
                field="alertTemplateId",
                next_step="list-alerts shows it; update-alert changes it.",
            )
    parameters = asked["parameters"]
    tells = f" with {wording.quoted(compact(_told(parameters)))}" if parameters else ""
    return Effect(
        f"Sets up the {asked['status']} alert {wording.quoted(template.name)}"
        f"{await _watched(togai, asked['entityDetails'])}{tells}, checked at an interval of "
        f"{asked['interval']}.",
        after=wanted,
        undo="update-alert with status INACTIVE.",
    )


@toolset.tool(
    CREATE,
    "POST /alerts",
    write=Write(
        find_out="list-alerts shows whether the alert is there",
        reconcile=_created,
        baseline=_alike_before,
        preview=_would_create,
        stake=_stake_of_new,
        target="alertTemplateId",
    ),
)
async def create_alert(
    togai: Togai,
    alertTemplateId: TemplateId,
    interval: Annotated[Minutes, Field(description="Between checks, as templates give it")],
    status: AlertStatus = "ACTIVE",
    entityDetails: EntityDetails | None = None,
    parameters: Parameters | None = None,
    ownerDetails: OwnerDetails | None = None,
    validity: Annotated[Minutes | None, Field(description="Minutes; default without end")] = None,
    description: Described | None = None,
) -> Alert:
    """Set up an alert from a template, which get-alert-template explains. What it finds are
    incidents."""
    body = present(
        alertTemplateId=alertTemplateId,
        interval=interval,
        status=status,
        entityDetails=entityDetails,
        parameters=parameters,
        ownerDetails=ownerDetails,
        validity=validity,
        description=description,
    )
    return await togai.fetch(Alert, body=body)


async def _updated(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    wanted = {name: asked.get(name) for name in _CHANGED}
    return recognition.in_force(await alert_of(togai, asked["alertId"]), wanted)


async def _would_update(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    after = {name: asked[name] for name in _CHANGED if asked[name] is not None}
    _require_something(after)
    alert = await alert_of(togai, asked["alertId"])
    before = {name: values(alert).get(name) for name in after}
    told = [
        f"{name} {wording.quoted(compact(value))} becomes "
        f"{wording.quoted(compact(_told(after[name])))}"
        for name, value in before.items()
        if not holds(value, _told(after[name]))
    ]
    return Effect(
        f"Changes the {await about(togai, alert)}: {'; '.join(told) or 'nothing, it is so'}.",
        before,
        after,
        None if None in before.values() else "update-alert with the values of before.",
        before,
    )


def _require_something(fields: Mapping[str, Any]) -> None:
    if not fields:
        raise errors.InvalidRequest(
            "No change is given; nothing was sent.",
            field="status",
            next_step=f"Give one of {', '.join(_CHANGED)}.",
        )


@toolset.tool(
    UPDATE,
    "PATCH /alerts/{alert_id}",
    write=Write(
        find_out="list-alerts shows whether the change is there",
        reconcile=_updated,
        preview=_would_update,
        stake=_stake_of_alert,
        target="alertId",
    ),
)
async def update_alert(
    togai: Togai,
    alertId: AlertId,
    status: AlertStatus | None = None,
    parameters: Parameters | None = None,
    interval: Minutes | None = None,
    validity: Annotated[Minutes | None, Field(description="Minutes")] = None,
    description: Described | None = None,
) -> Alert:
    """Change an alert's threshold or interval, or mute it with status INACTIVE."""
    body = present(
        status=status,
        parameters=parameters,
        interval=interval,
        validity=validity,
        description=description,
    )
    _require_something(body)
    return await togai.fetch(Alert, at={"alert_id": alertId}, body=body)
