"""The steps that a life is made of, and how often each is taken."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from life import by_hand, entitled, events, inverse, money_in, plans, reads
from life.company import Company, Picks

Step = Callable[[Company, Picks], Awaitable[None]]


async def open_account(company: Company, picks: Picks) -> None:
    await company.open_account(picks.of(("fourth", "main")))


async def pass_days(company: Company, picks: Picks) -> None:
    company.move_to(company.now + timedelta(days=picks.of((1, 3, 8)), hours=picks.of((0, 13))))


async def pass_month(company: Company, picks: Picks) -> None:
    """To the 1st, the 4th (when a month's grace ends), or the middle of the next month."""
    first = (company.now.replace(day=1) + timedelta(days=32)).replace(day=picks.of((4, 1, 15)))
    company.move_to(first.replace(hour=0, minute=0, second=0, microsecond=0))


STEPS: Mapping[str, tuple[int, Step]] = {
    "ingest": (5, events.ingest),
    "ingest batch": (2, events.ingest_batch),
    "ask first": (2, events.ask_first),
    "correct": (3, events.correct),
    "undo": (1, events.undo),
    "switch meter": (1, events.switch_meter),
    "grant": (2, money_in.grant),
    "void credit": (1, money_in.void_credit),
    "top up": (2, money_in.top_up),
    "switch wallet": (1, money_in.switch_wallet),
    "pay": (2, money_in.pay),
    "open account": (1, open_account),
    "associate": (2, plans.associate),
    "leave": (1, plans.leave),
    "edit at once": (1, plans.edit_at_once),
    "draft": (1, plans.draft),
    "finalize": (1, plans.finalize),
    "change plan": (1, plans.change_plan),
    "redraft plan": (1, plans.redraft_plan),
    "migrate": (1, plans.migrate),
    "settle job": (1, plans.settle_job),
    "write": (2, by_hand.write),
    "settle": (2, by_hand.settle),
    "say paid": (1, by_hand.say_paid),
    "rewrite": (1, by_hand.rewrite),
    "delete": (1, by_hand.delete),
    "charge": (1, by_hand.charge),
    "bill run": (1, by_hand.bill_run),
    "group": (1, by_hand.group),
    "change seats": (2, entitled.change_seats),
    "name admin": (2, entitled.name_admin),
    "change entry": (1, entitled.change_entry),
    "buy": (2, entitled.buy),
    "answer proposal": (1, entitled.answer_proposal),
    "look": (1, reads.look),
    "ingest and undo": (1, inverse.ingest_and_undo),
    "pass days": (3, pass_days),
    "pass month": (2, pass_month),
}
