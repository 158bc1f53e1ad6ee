"""Proposals of a purchase (deprecated by the vendor): nothing is bought until one is approved."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import (
    ANY_WRITE,
    CREATE,
    READ,
    Applied,
    Effect,
    NotApplied,
    Stake,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import AccountId, Day, Name, NextToken
from billing_mcp.results import TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai import purchases, recognition
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.tools.togai.purchases import (
    AssociationParts,
    CardQuantities,
    Expiry,
    PaymentMode,
    PlanId,
    Price,
    Purchase,
    PurchaseParts,
    PurchaseType,
    Quantity,
    TopUp,
)
from billing_mcp.upstream import Togai

toolset = Toolset("togai-purchases")

ROUTE = "GET /accounts/{account_id}/purchase_proposals"
_ONE = "GET /purchase_proposals/{purchase_proposal_id}"
ProposalId = Annotated[
    Name, Field(min_length=1, max_length=512, description="From list-account-proposals")
]


class Proposal(Purchase):
    concise: ClassVar = (
        "id",
        "type",
        "status",
        "paymentMode",
        "pricePlanId",
        "pricePlanName",
        "expiryDate",
        "createdAt",
    )

    paymentMode: str | None = None
    proposalResponseDate: str | None = None
    comment: str | None = None


@toolset.tool(READ, ROUTE, title="List the proposals of an account")
async def list_account_proposals(
    togai: Togai, accountId: AccountId, nextToken: NextToken = None
) -> TokenPage[Proposal]:
    """List what was proposed to an account, and its answers. Deprecated by Togai."""
    at = {"account_id": accountId}
    return await togai.fetch(TokenPage[Proposal], at=at, query={"nextToken": nextToken})


@toolset.tool(READ, _ONE)
async def get_proposal(togai: Togai, purchaseProposalId: ProposalId) -> Proposal:
    """Show one proposal: what, at which price, its status. Deprecated by Togai."""
    return await togai.fetch(Proposal, at={"purchase_proposal_id": purchaseProposalId})


async def _proposed(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    return await purchases.by_key(
        togai, ROUTE, asked["accountId"], Proposal, "list-account-proposals"
    )


async def _would_propose(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    what, read = await purchases.told(togai, asked)
    paid = "before it is given" if asked["paymentMode"] == "PREPAID" else "after it is given"
    return Effect(
        f"Proposes {what}, to be paid {paid}. Nothing is bought until update-proposal-status "
        "approves it.",
        None,
        {"type": asked["type"], "status": "PROPOSAL_ACTIVE"},
        "update-proposal-status with DECLINE.",
        read,
    )


@toolset.tool(
    CREATE,
    "POST /accounts/{account_id}/purchase_proposals",
    title="Propose a purchase",
    write=Write(
        find_out="list-account-proposals shows whether it is there",
        reconcile=_proposed,
        preview=_would_propose,
        stake=stake_of_account(),
        key="idempotencyKey",
        target="accountId",
        amount="topupAmount",
    ),
    short_form=purchases.SHORT_FORM,
)
async def create_proposal(
    togai: Togai,
    accountId: AccountId,
    type: PurchaseType,  # noqa: A002 - the vendor's name
    paymentMode: PaymentMode,
    pricePlanId: PlanId = None,
    quantity: Quantity = None,
    rateCardQuantities: CardQuantities = None,
    purchasePlanOverride: PurchaseParts = None,
    associationOverride: AssociationParts = None,
    topupAmount: TopUp = None,
    purchaseAmount: Price = None,
    effectiveFrom: Annotated[Day | None, Field(description="Default: today")] = None,
    effectiveUntil: Day | None = None,
    expiryDate: Expiry = None,
) -> Proposal:
    """Propose a purchase to an account; update-proposal-status answers it. Deprecated by Togai
    without a successor."""
    asked = {
        "type": type,
        "paymentMode": paymentMode,
        "pricePlanId": pricePlanId,
        "quantity": quantity,
        "rateCardQuantities": rateCardQuantities,
        "purchasePlanOverride": purchasePlanOverride,
        "associationOverride": associationOverride,
        "topupAmount": topupAmount,
        "purchaseAmount": purchaseAmount,
        "effectiveFrom": effectiveFrom,
        "effectiveUntil": effectiveUntil,
        "expiryDate": expiryDate,
    }
    purchases.require_terms(asked)
    body = purchases.terms(togai, asked)
    made = await togai.fetch(Proposal, at={"account_id": accountId}, body=body)
    same = purchases.same_terms(accountId, body)
    recognition.require_same(togai, made, same, "proposal")
    return made


_ANSWERED = {"APPROVE": "PROPOSAL_APPROVED", "DECLINE": "PROPOSAL_DECLINED"}


async def _proposal(togai: Togai, asked: Mapping[str, Any]) -> Proposal:
    at = {"purchase_proposal_id": asked["purchaseProposalId"]}
    return await togai.fetch(Proposal, route=_ONE, at=at)


async def _answered(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    proposal = await _proposal(togai, asked)
    return Applied(proposal) if proposal.status == _ANSWERED[asked["status"]] else NotApplied()


async def _would_answer(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    proposal = await _proposal(togai, asked)
    called = f"proposal {wording.identified(proposal.id)} ({proposal.type})"
    if proposal.status != "PROPOSAL_ACTIVE":
        raise errors.Conflict(
            f"The {called} is {proposal.status} and waits for no answer.",
            field="purchaseProposalId",
            next_step="list-account-proposals shows which are PROPOSAL_ACTIVE.",
        )
    whose = "its account"
    if proposal.accountId is not None:
        _, whose = await owned_account(togai, proposal.accountId)
    sentence = f"Declines {called} of {whose}. Nothing is bought."
    if asked["status"] == "APPROVE":
        price = "what it costs"
        if proposal.price is not None and proposal.invoiceCurrency is not None:
            price = wording.amount(proposal.price, proposal.invoiceCurrency)
        given = "once that is paid" if proposal.paymentMode == "PREPAID" else "at once"
        sentence = f"Approves {called} of {whose}: invoices {price} and gives it {given}."
    return Effect(
        sentence,
        {"status": proposal.status},
        {"status": _ANSWERED[asked["status"]]},
        None,
        {"status": proposal.status, "price": proposal.price},
    )


async def _stake(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    proposal = await _proposal(togai, asked)
    if proposal.accountId is None:
        return Stake(None)
    return await stake_of_account()(togai, {"accountId": proposal.accountId})


@toolset.tool(
    ANY_WRITE,
    "POST /purchase_proposals/{purchase_proposal_id}/update_status",
    title="Approve or decline a proposal",
    write=Write(
        find_out="get-proposal shows its status",
        reconcile=_answered,
        preview=_would_answer,
        stake=_stake,
        target="purchaseProposalId",
    ),
)
async def update_proposal_status(
    togai: Togai, purchaseProposalId: ProposalId, status: Literal["APPROVE", "DECLINE"]
) -> Proposal:
    """Approve a proposal, which buys and invoices it, or decline it. This cannot be undone.
    Deprecated by Togai."""
    at = {"purchase_proposal_id": purchaseProposalId}
    return await togai.fetch(Proposal, at=at, body={"status": status})
