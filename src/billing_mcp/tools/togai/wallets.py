"""Wallets: money that an account has paid in advance, which its invoices use up."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp import errors, money
from billing_mcp.declarations import (
    CREATE,
    READ,
    UPDATE,
    Effect,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import AccountId, Instant, NextToken, Positive, SmallPageSize
from billing_mcp.results import Exact, Result, TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.upstream import Togai
from billing_mcp.wire import present, utc_text

toolset = Toolset("togai-wallet")

WALLET_ROUTE = "GET /accounts/{account_id}/wallet"
ENTRIES_ROUTE = "GET /accounts/{account_id}/wallet/entries"
PAGE = 50


class Wallet(Result):
    amounts: ClassVar = frozenset({"balance", "holdAmount"})

    id: str
    accountId: str
    customerId: str | None = None
    balance: Exact
    holdAmount: Exact | None = None
    creditUnit: str
    status: str | None = None
    effectiveFrom: str | None = None
    externalId: str | None = None
    createdAt: str | None = None
    updatedAt: str | None = None

    def currency(self) -> str:
        return self.creditUnit


class WalletEntry(Result):
    concise: ClassVar = (
        "createdAt",
        "transactionType",
        "status",
        "amount",
        "closingBalance",
        "entityId",
        "description",
    )

    id: str
    walletId: str | None = None
    transactionType: str | None = None
    status: str | None = None
    amount: Exact | None = None
    closingBalance: Exact | None = None
    entityId: str | None = None
    description: str | None = None
    createdAt: str | None = None


async def wallet_of(togai: Togai, account_id: str) -> Wallet:
    """Raises `NotFound`."""
    return await togai.fetch(Wallet, route=WALLET_ROUTE, at={"account_id": account_id})


@toolset.tool(READ, WALLET_ROUTE, title="Get the wallet of an account")
async def get_wallet_balance(togai: Togai, accountId: AccountId) -> Wallet:
    """Show the money an account has paid in advance: balance is free, holdAmount is kept for
    running invoices."""
    return await togai.fetch(Wallet, at={"account_id": accountId})


@toolset.tool(READ, ENTRIES_ROUTE)
async def list_wallet_entries(
    togai: Togai, accountId: AccountId, pageSize: SmallPageSize = None, nextToken: NextToken = None
) -> TokenPage[WalletEntry]:
    """List what went into a wallet and out of it, in its currency; entityId is the invoice or
    payment."""
    return await togai.fetch(
        TokenPage[WalletEntry],
        at={"account_id": accountId},
        query={"pageSize": pageSize, "nextToken": nextToken},
    )


async def _updated(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    wanted = {name: asked[name] for name in ("status", "effectiveFrom")}
    return recognition.in_force(await wallet_of(togai, asked["accountId"]), wanted)


def _contents(wallet: Wallet) -> str:
    free = wording.amount(wallet.balance, wallet.creditUnit)
    if not wallet.holdAmount:
        return f"which has {free} free"
    return f"which has {free} free and {wording.amount(wallet.holdAmount, wallet.creditUnit)} held"


def _require_something(status: str | None, start: object) -> None:
    if status is None and start is None:
        raise errors.InvalidRequest(
            "Neither status nor effectiveFrom is given; nothing was sent.",
            field="status",
            next_step="Give status, effectiveFrom or both.",
        )


async def _would_update(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    _require_something(asked["status"], asked["effectiveFrom"])
    _, whose = await owned_account(togai, asked["accountId"])
    wallet = await wallet_of(togai, asked["accountId"])
    after = present(status=asked["status"], effectiveFrom=asked["effectiveFrom"])
    before = {name: getattr(wallet, name) for name in after}
    told = []
    if asked["status"] == "INACTIVE":
        told.append("INACTIVE, so that it pays and holds nothing")
    elif asked["status"]:
        told.append("ACTIVE, so that it pays for invoices as they become due")
    if asked["effectiveFrom"] is not None:
        told.append(f"effective from {utc_text(asked['effectiveFrom'])}")
    return Effect(
        f"Makes the wallet of {whose}, {_contents(wallet)}, {wording.listed(told)}.",
        before,
        after,
        undo="update-wallet with the values as they were before.",
        provided=before,
    )


@toolset.tool(
    UPDATE,
    "PATCH /accounts/{account_id}/wallet",
    title="Update the wallet of an account",
    write=Write(
        find_out="get-wallet-balance shows the wallet as it is now",
        reconcile=_updated,
        preview=_would_update,
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def update_wallet(
    togai: Togai,
    accountId: AccountId,
    status: Literal["ACTIVE", "INACTIVE"] | None = None,
    effectiveFrom: Instant | None = None,
) -> Wallet:
    """Switch a wallet on or off, or set from when on it pays for invoices."""
    _require_something(status, effectiveFrom)
    return await togai.fetch(
        Wallet,
        at={"account_id": accountId},
        body=present(status=status, effectiveFrom=effectiveFrom),
    )


async def _put_in(togai: Togai, asked: Mapping[str, Any]) -> list[str]:
    """The ids of the entries that put just this amount in. Raises `MoreThanSearched`."""
    wanted = money.exact(asked["topupAmount"])
    at = {"account_id": asked["accountId"]}
    return [
        entry.id
        async for entry in walks.rows(togai, WalletEntry, ENTRIES_ROUTE, PAGE, at=at)
        if entry.transactionType == "CREDITED" and entry.amount == wanted
    ]


async def _put_in_before(togai: Togai, asked: Mapping[str, Any]) -> list[str] | None:
    try:
        return await _put_in(togai, asked)
    except walks.MoreThanSearched:
        return None


async def _topped_up(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """Entries carry no key: only that there is no new one of this amount says anything for sure."""
    before = frozenset(togai.baseline or ())
    try:
        new = [entry_id for entry_id in await _put_in(togai, asked) if entry_id not in before]
    except walks.MoreThanSearched:
        new = None
    if new == []:
        return NotApplied()
    return Undecided(
        "list-wallet-entries of the account shows what was CREDITED; whether "
        f"{money.plain(money.exact(asked['topupAmount']))} there is of this call can be told from "
        "its time only"
    )


async def _would_top_up(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    account, whose = await owned_account(togai, asked["accountId"])
    wallet = await wallet_of(togai, account.id)
    for thing, status in (("account", account.status), ("wallet", wallet.status)):
        if status in ("ARCHIVED", "INACTIVE"):
            raise errors.Conflict(
                f"Nothing can be put in the wallet of {whose}: the {thing} is {status}.",
                field="accountId",
                next_step="update-wallet makes an INACTIVE wallet ACTIVE.",
            )
    currency = wallet.creditUnit
    after = money.total((wallet.balance, asked["topupAmount"]))
    return Effect(
        f"Puts {wording.amount(asked['topupAmount'], currency)} in the wallet of {whose}. Its "
        f"balance goes from {wording.amount(wallet.balance, currency)} to "
        f"{wording.amount(after, currency)}.",
        {"balance": wallet.balance, "currency": currency},
        {"balance": after, "currency": currency},
        undo=None,
        provided={"currency": currency, "status": wallet.status},
    )


@toolset.tool(
    CREATE,
    "POST /accounts/{account_id}/wallet_topup",
    title="Top up the wallet of an account",
    write=Write(
        find_out="list-wallet-entries shows whether the money is there",
        reconcile=_topped_up,
        baseline=_put_in_before,
        preview=_would_top_up,
        stake=stake_of_account(),
        target="accountId",
        amount="topupAmount",
    ),
)
async def top_up_wallet(
    togai: Togai,
    accountId: AccountId,
    topupAmount: Annotated[Positive, Field(description="In the account's currency")],
) -> Wallet:
    """Put money in an account's wallet; its invoices use it up as they become due. To record who
    paid it and how, use create-payments instead."""
    return await togai.fetch(
        Wallet, at={"account_id": accountId}, body={"topupAmount": topupAmount}
    )
