"""Events that are ingested only if the account is entitled to what they use."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from billing_mcp import errors, money
from billing_mcp.declarations import (
    CREATE,
    Applied,
    Effect,
    NotApplied,
    Stake,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import Body
from billing_mcp.results import Result
from billing_mcp.tools import wording
from billing_mcp.tools.togai.accounts import accounts_named, owned_account, stake_in
from billing_mcp.tools.togai.event_schemas import EventSchema
from billing_mcp.tools.togai.events import (
    EVENT_BACK,
    LONGEST_LOOKED_UP_ID,
    REPEATED,
    Event,
    arrivals,
)
from billing_mcp.tools.togai.feature_credits import BALANCE_ROUTE, FeatureCredits, feature_of
from billing_mcp.upstream import Togai
from billing_mcp.wire import utc_text

toolset = Toolset("togai-entitlements")


class EntitledEvent(Body):
    event: Event


class Used(Result):
    success: bool
    eventId: str | None = None


async def _used(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    event_id = asked["body"]["event"].get("id") or togai.operation_id
    again = REPEATED.format(tool=togai.tool)
    if len(event_id) > LONGEST_LOOKED_UP_ID:
        return Undecided(f"the event's id is too long to look up; {again}")
    found = await arrivals(togai, event_id)
    if not found:
        return Undecided(f"event {event_id} was not seen, and may still be on its way; {again}")
    # A refused event is kept with its failure, and used nothing.
    if all(arrival.has_failed for arrival in found):
        return NotApplied()
    return Applied(Used(success=True, eventId=event_id))


class FeatureFed(Result):
    """Which feature the events of a schema use up, and by which of their attributes."""

    featureId: str
    attributeName: str


class FeedingSchema(EventSchema):
    featureDetails: FeatureFed | None = None  # type: ignore[assignment]  # what it is, read closer


async def _would_use(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    event: Event = asked["body"].event
    await _require_new(togai, event)
    account_id = await _account_id(togai, event)
    _, whose = await owned_account(togai, account_id)
    schema = await togai.fetch(
        FeedingSchema,
        route="GET /event_schema/{event_schema_name}",
        at={"event_schema_name": event.schemaName},
    )
    used = _units(event, schema)
    assert schema.featureDetails is not None
    feature = await feature_of(togai, schema.featureDetails.featureId)
    units = f"{money.plain(used)} of {wording.named('feature', feature.id, feature.name)}"
    sentence = (
        f"Sends an event of schema {wording.identified(event.schemaName)} that happened at "
        f"{utc_text(event.timestamp)}, which uses up {units} of {whose}"
    )
    balance = await togai.fetch(
        FeatureCredits,
        route=BALANCE_ROUTE,
        at={"account_id": account_id, "feature_id": feature.id},
    )
    before, after, told = _before_and_after(balance, used)
    return Effect(
        f"{sentence}: {told}. Togai looks at what is left at the time of the event. What "
        "it costs is not known before it is rated.",
        before,
        after,
        undo=EVENT_BACK,
    )


async def _require_new(togai: Togai, event: Event) -> None:
    """Raises `Conflict` when an event with the caller's id was counted before."""
    if event.id is None or len(event.id) > LONGEST_LOOKED_UP_ID:
        return
    if any(not arrival.has_failed for arrival in await arrivals(togai, event.id)):
        raise errors.Conflict(
            f"An event with the id {wording.identified(event.id)} was ingested before and counts "
            "once.",
            field="body.event.id",
            next_step="Give a new id for another event, or leave it out.",
        )


async def _account_id(togai: Togai, event: Event) -> str:
    """The id of the account that the event names, perhaps by an alias. Raises `NotFound`."""
    account = (await accounts_named(togai, [event.accountId]))[event.accountId]
    if account is None:
        raise errors.NotFound(
            f"There is no account {wording.identified(event.accountId)}, by id or by alias.",
            field="body.event.accountId",
            next_step="list-accounts shows those there are.",
        )
    return account.id


def _units(event: Event, schema: FeedingSchema) -> Decimal:
    """How much the event uses up. Raises `InvalidRequest` when it uses up nothing."""
    fed = schema.featureDetails
    if fed is None:
        raise errors.InvalidRequest(
            f"Events of schema {wording.identified(schema.name)} use up no feature.",
            field="body.event.schemaName",
            next_step="get-feature shows whose events do; ingest-events sends any.",
        )
    for attribute in event.attributes:
        if attribute.name == fed.attributeName:
            return Decimal(attribute.value)
    raise errors.InvalidRequest(
        f"The event lacks the attribute {wording.identified(fed.attributeName)}, which uses up "
        f"the feature {wording.identified(fed.featureId)}.",
        field="body.event.attributes",
        next_step="get-event-schema shows what its events must carry.",
    )


def _before_and_after(
    balance: FeatureCredits, used: Decimal
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """What is left of a feature now, and then; overage covers what the balance does not."""
    overage = balance.usedOverage or Decimal(0)
    before = {"balance": balance.balance, "usedOverage": overage}
    covered = min(used, balance.balance)
    beyond = money.total((used, covered.copy_negate()))
    then = money.total((overage, beyond))
    now = f"{money.plain(balance.balance)} are left now"
    if balance.overageLimit is not None and then > balance.overageLimit:
        free = money.total((balance.overageLimit, overage.copy_negate()))
        now += f", and {money.plain(free)} as overage: too few, so that Togai refuses the event"
        return before, before, f"{now} unless more was left at its time"
    left = money.total((balance.balance, covered.copy_negate()))
    now += f", {money.plain(left)} then"
    if beyond > 0:
        now += f", and {money.plain(beyond)} of it are overage"
    return before, {"balance": left, "usedOverage": then}, now


async def _stake(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    return await stake_in(togai, [asked["body"].event.accountId])


@toolset.tool(
    CREATE,
    "POST /entitled",
    title="Ingest event if the account is entitled",
    write=Write(
        find_out="repeat it with the same operationId",
        reconcile=_used,
        preview=_would_use,
        stake=_stake,
        key="id",
        target="body",
    ),
)
async def ingest_event_if_user_is(togai: Togai, body: Annotated[EntitledEvent, Field()]) -> Used:
    """Use up a feature: ingest one event if the account's balance, overage included, covers it,
    else refuse. Without id the event gets the operationId."""
    event = body.event.wire(togai.operation_id)
    answer = await togai.send(body={"event": event}, accept=(400, 409))
    if answer.status < 400:
        used = togai.read(Used, answer)
        return used.model_copy(update={"eventId": event["id"]})
    refusal = togai.refusal(answer)
    # The vendor documents 409 for an id that was ingested before. After a lost answer, or when the
    # caller repeats an operation, that is the earlier try of this very event.
    own_id = body.event.id is None
    repeated = answer.attempts > 1 or togai.tried_before or (own_id and togai.operation_given)
    if answer.status == 409 and repeated:
        togai.mark_replayed()
        return Used(success=True, eventId=event["id"])
    if answer.status == 409:
        refusal.next_step = (
            "An event with this id was ingested before and counts once; give a new id for another."
        )
    elif answer.attempts > 1:
        raise errors.OutcomeUnknown(
            f"{refusal.message} An earlier try may have been ingested.",
            next_step=f"Call {togai.tool} again with operationId {togai.operation_id} and the "
            "same event: it is counted once.",
        )
    else:
        refusal.next_step = (
            "Nothing was used. get-feature-credits-balance shows what is left of the feature."
        )
    raise refusal
