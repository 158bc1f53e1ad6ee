"""Steps of a life: licences, entitlements, and what is bought or proposed."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from life.company import Company, Picks
from life.events import moment_of
from life.plans import CHANGING

NAMES = ("ada", "bob")


async def change_seats(company: Company, picks: Picks) -> None:
    account_id = picks.of(company.model.accounts)
    relative, quantity = picks.of((True, False)), Decimal(picks.of((2, -1, 7, 0, 30)))
    moment = company.now - timedelta(days=picks.of((0, 1, 6, -4, 30)))
    held = company.model.held_seats(account_id)
    before = await company.rows("list-license-updates", accountId=account_id)
    answer = await company.ask(
        "add-license-update",
        accountId=account_id,
        licenseId=company.add_ons["Seats"],
        quantity=str(quantity),
        updateType="RELATIVE" if relative else "ABSOLUTE",
        effectiveFrom=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    )
    if answer is None:
        return
    after = await company.rows("list-license-updates", accountId=account_id)
    # A change to more than a plan allows is not made, and answered with what is held.
    assert len(after) - len(before) in (0, 1), answer
    if len(after) == len(before):
        known = [quantity for at, quantity in held if at <= moment]
        assert Decimal(answer["quantity"]) == (known[-1] if known else 0), answer
        return
    company.model.seats.append((account_id, moment, relative, quantity))


async def name_admin(company: Company, picks: Picks) -> None:
    """An event that gives a name a licence, or takes it."""
    account_id, name = picks.of(company.model.accounts), picks.of(NAMES)
    moment = company.now - timedelta(days=picks.of((0, 1, 5, 20)))
    action = picks.of(("1", "-1"))
    event = {
        "schemaName": "togai-named-license",
        "id": f"admin-{company.model.admin_events}",
        "timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "accountId": account_id,
        "attributes": [{"name": "action", "value": action}],
        "dimensions": {"license_id": company.add_ons["Admins"], "name": name},
    }
    company.model.admin_events += 1
    assert await company.ask("ingest-event", event=event)
    (row,) = (await company.read("get-event", eventId=event["id"]))["data"]
    if "FAILED" in row["ingestionStatus"]["status"]:
        return
    held = company.model.admins.setdefault((account_id, name), [])
    if action == "1":
        held.append([moment, None])
    else:
        assert held, event
        assert held[-1][1] is None, event
        held[-1][1] = moment


async def change_entry(company: Company, picks: Picks) -> None:
    """What was granted of the feature is changed, or void."""
    account_id = picks.of(CHANGING)
    feature: dict[str, Any] = {"accountId": account_id, "featureId": company.answers}
    rows = await company.rows("list-feature-credits-entries-feature", **feature)
    if not rows:
        return
    before = picks.of(rows[:4])
    feature["entryId"] = before["id"]
    if picks.number(3) == 0:
        answer = await company.ask("void-feature-credits-entry-feature", **feature)
        assert bool(answer) is (before["status"] == "ACTIVE"), before
        return
    body = {}
    if picks.number(2):
        until = company.now + timedelta(days=picks.of((1, 30, -1)))
        body["effectiveUntil"] = f"{until:%Y-%m-%dT%H:%M:%SZ}"
    if picks.number(2) or not body:
        body["granted"] = picks.of(("50", "3", "0"))
    answer = await company.ask("update-feature-credits-entry", **feature, body=body)
    if answer and "granted" in body:
        assert Decimal(body["granted"]) > Decimal(before["used"]), before
    if answer and "effectiveUntil" in body:
        assert moment_of(body["effectiveUntil"]) > company.now


async def buy(company: Company, picks: Picks) -> None:
    """A purchase, or a proposal of one."""
    what = picks.of(("ENTITLEMENT_GRANT", "WALLET_TOPUP", "PREPAID", "ASSOCIATION"))
    account_id = picks.of(CHANGING)
    expires = company.now + timedelta(days=picks.of((5, 40)))
    wish: dict[str, Any] = {"accountId": account_id, "type": what}
    wish["expiryDate"] = picks.of((None, f"{expires:%Y-%m-%dT%H:%M:%SZ}"))
    if what == "WALLET_TOPUP":
        wish |= {"topupAmount": "20", "purchaseAmount": picks.of((None, "18.5"))}
    elif what == "ASSOCIATION":
        wish["pricePlanId"] = company.plans[picks.of(("Extra", "Weekly"))]
    else:
        wish |= {"pricePlanId": company.plans["Bundle"], "quantity": picks.of((1, 2))}
    if picks.number(2):
        mode = picks.of(("POSTPAID", "PREPAID"))
        answer = await company.ask("create-proposal", **wish, paymentMode=mode)
    else:
        answer = await company.ask("create-purchase", **wish)
    if answer and what == "WALLET_TOPUP":
        company.model.bought_money[answer["id"]] = Decimal(20)


async def answer_proposal(company: Company, picks: Picks) -> None:
    account_id = picks.of(CHANGING)
    rows = await company.rows("list-account-proposals", accountId=account_id)
    if not rows:
        return
    before = picks.of(rows)
    status = picks.of(("APPROVE", "DECLINE"))
    answer = await company.ask(
        "update-proposal-status", purchaseProposalId=before["id"], status=status
    )
    assert answer is None or before["status"] == "PROPOSAL_ACTIVE", before
