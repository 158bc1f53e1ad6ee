"""Every write tool, its process killed with SIGKILL while it reads what the write goes by, before
the vendor heard of the write, before the vendor's answer came, and after ours: its successor ends
it, and it is done once."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
import pytest

from billing_mcp.guard.operations import State
from faults.company_states import Company, differences, the_company
from faults.forking import forks
from faults.killed_writes import Stage, Story
from faults.undecidable import UNDECIDABLE, is_lost_for_good
from faults.watched_vendor import Moment, Vendor, served_copies
from write_tools import WRITES

# One that the vendor dedupes, one that is looked up by a mark, and one by what was there before.
FEW = ("create-purchase", "create-payments", "create-bill-run")
GROUPS = 6
# More would only wait for each other.
AT_ONCE = 3


@pytest.mark.parametrize(
    "tools",
    [
        pytest.param(FEW, id="few"),
        *(
            pytest.param(WRITES[number::GROUPS], id=f"group-{number}", marks=pytest.mark.long)
            for number in range(GROUPS)
        ),
    ],
)
def test_a_write_whose_process_is_killed_is_ended_by_the_next_and_done_once(
    tools: Sequence[str], tmp_path: Path
) -> None:
    company = the_company()
    with served_copies(company.image) as vendor, tempfile.TemporaryFile() as log:
        wrongs = anyio.run(_all_wrongs, vendor, company, tools, tmp_path, log.fileno())
        log.seek(0)
        logged = log.read().decode()
    assert wrongs == {}
    assert "Traceback" not in logged


async def _all_wrongs(
    vendor: Vendor, company: Company, tools: Sequence[str], folder: Path, log: int
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def one(stage: Stage, tool: str) -> None:
        async with limiter:
            if wrongs := await _wrongs(stage, company, tool):
                found[tool] = wrongs

    async with forks(log) as processes, anyio.create_task_group() as tasks:
        stage = Stage(vendor, processes, folder)
        for tool in tools:
            tasks.start_soon(one, stage, tool)
    return found


async def _wrongs(stage: Stage, company: Company, tool: str) -> list[str]:
    """What is not as it must be, with the moment at which the process was killed."""
    arguments = company.calls[tool]
    once = await stage.story(tool, arguments, None)
    wrongs = [f"answered: {wrong}" for wrong in _of_an_answered_one(once)]
    for moment in _moments(once.writing):
        story = await stage.story(tool, arguments, moment)
        wrongs += [f"{moment}: {wrong}" for wrong in _of_a_struck_one(tool, story, once)]
        was_done = moment.when == "after" and moment.request in once.writing
        if was_done and tool in UNDECIDABLE and story.kind == "ok":
            wrongs.append("it is found again, so that it is not one of UNDECIDABLE")
    return wrongs


def _moments(writing: Sequence[int]) -> Iterator[Moment]:
    for request in writing:
        if request - 1 not in (-1, *writing):
            # While it reads what the write goes by: claimed, and nothing sent.
            yield Moment(request - 1, "after")
        yield Moment(request, "before")
        yield Moment(request, "after")


def _of_an_answered_one(story: Story) -> list[str]:
    """The client had its answer: the next process gives it again and does nothing."""
    wrongs = _of_the_ledger(story, State.COMMITTED)
    if story.first is None or "error" in story.first:
        return [*wrongs, f"it was answered {story.first}"]
    if not story.writing:
        wrongs.append("the vendor kept nothing of it")
    # What opens doors is not kept.
    kept = {name: "[secret]" if name == "token" else value for name, value in story.first.items()}
    if story.answers != [{**kept, "replayed": True}]:
        wrongs.append(f"after {story.first} came {story.answers}")
    return [*wrongs, *differences(story.left, story.picture)]


def _of_a_struck_one(tool: str, story: Story, once: Story) -> list[str]:
    if story.first is not None:
        return [f"it was answered {story.first}"]
    if is_lost_for_good(tool, story.answers[-1]):
        # What the dead process has done is there, and nothing else.
        return [*_of_the_ledger(story, State.UNKNOWN), *differences(story.left, story.picture)]
    wrongs = _of_the_ledger(story, State.COMMITTED)
    if story.kind != "ok":
        wrongs.append(f"it was not ended: {story.answers}")
    return [*wrongs, *differences(once.picture, story.picture)]


def _of_the_ledger(story: Story, state: State) -> list[str]:
    wrong = [] if story.states == [state] else [f"the ledger says {story.states}"]
    return wrong + story.findings
