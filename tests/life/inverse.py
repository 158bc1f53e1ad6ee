"""A step of a life: what comes and is taken back leaves no trace in the books."""

from life.books import read_books
from life.company import Company, Picks
from life.events import arrived, corrected, drawn
from life.truths import differences, figures


async def ingest_and_undo(company: Company, picks: Picks) -> None:
    event = drawn(company, picks)
    taken = company.model.is_taken(event["id"], company.now)
    before = figures(await read_books(company))
    assert await company.ask("ingest-event", event=event)
    arrival = (await arrived(company, event, taken=taken))[-1]
    if arrival.counted:
        answer = await company.ask(
            "correct-events",
            action="UNDO",
            accountId=event["accountId"],
            referenceId=arrival.reference,
        )
        assert answer, company.refused
        assert [row["status"] for row in answer["data"]] == ["REVERTED"], answer
        await corrected(company, event["id"], [arrival], answer)
    after = figures(await read_books(company))
    assert after == before, (event, list(differences(before, after)))
