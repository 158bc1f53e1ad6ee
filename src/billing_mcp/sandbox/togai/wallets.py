"""Togai's wallets: money that an account has paid in advance, which its invoices use up."""

from billing_mcp import money
from billing_mcp.sandbox import call, clock
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.togai import drafts, wallet_ledger
from billing_mcp.sandbox.togai.paging import page_of_list
from billing_mcp.sandbox.togai.wallet_ledger import Wallet

resource = Resource()

_STATUSES = ("ACTIVE", "INACTIVE")


@resource.route("GET", "/accounts/{account_id}/wallet")
def wallet_balance(request: Call) -> Reply:
    return _answer(request)


@resource.route("PATCH", "/accounts/{account_id}/wallet")
def update_wallet(request: Call) -> Reply:
    wallet = _usable(request)
    body = call.closed(request.body, ("effectiveFrom", "status"))
    if not body:
        raise Refusal(400, "give effectiveFrom or status")
    changes = {}
    if "status" in body:
        changes["status"] = call.one_of(body, "status", _STATUSES)
    if "effectiveFrom" in body:
        changes["effective_from"] = clock.written(call.timestamp(body, "effectiveFrom"))
    wallet_ledger.change(request, wallet, **changes)
    request.effect("wallet-update", wallet.id)
    return _answer(request)


@resource.route("POST", "/accounts/{account_id}/wallet_topup")
def top_up_wallet(request: Call) -> Reply:
    wallet = _usable(request)
    body = call.closed(request.body, ("topupAmount",))
    amount = call.number(body, "topupAmount", above=0, maximum=wallet_ledger.LARGEST)
    if wallet.status != "ACTIVE":
        raise Refusal(400, f"The wallet of account {wallet.account['id']} is {wallet.status}")
    minor = wallet_ledger.whole(amount, wallet.currency, "topupAmount")
    wallet_ledger.put_in(request, wallet.account["id"], minor, "Top-up")
    request.effect("wallet-top-up", wallet.id, money.plain(amount))
    return _answer(request)


@resource.route("GET", "/accounts/{account_id}/wallet/entries")
def wallet_entries(request: Call) -> Reply:
    wallet = _settled(request)
    listed = wallet_ledger.entries(request, wallet, wallet_ledger.holds(request, wallet))
    shown, token = page_of_list(request, listed, default_size=50, maximum_size=50)
    return Reply({"data": list(shown), "nextToken": token})


def _settled(request: Call) -> Wallet:
    wallet = wallet_ledger.of_account(request, request.path["account_id"])
    drafts.settle(request, wallet.account["id"])
    return wallet


def _usable(request: Call) -> Wallet:
    """The wallet of an account that is not archived."""
    wallet = wallet_ledger.of_account(request, request.path["account_id"])
    if wallet.account["status"] == "ARCHIVED":
        raise Refusal(400, f"Account {wallet.account['id']} is archived")
    return wallet


def _answer(request: Call) -> Reply:
    wallet = _settled(request)
    return Reply(wallet_ledger.render(wallet, wallet_ledger.holds(request, wallet)))
