"""The guides: their form, the names in them, and every figure, computed by what it speaks of."""

import re
from collections.abc import Callable, Mapping

import pytest

from billing_mcp import tools
from billing_mcp.guard.policy_file import Verdict
from docs import guide_errors, guide_invoices
from docs.guide_credits import credits_figures
from docs.guide_cycles import pricing_cycles
from docs.guide_errors import error_figures
from docs.guide_features import entitlements_and_feature_credits
from docs.guide_invoices import invoice_figures
from docs.guide_marketplace import marketplace_metering
from docs.guide_safe_writes import safe_writes
from docs.guide_slabs import Figures, commitments_and_true_up, packages, tiered_and_volume
from docs.guide_text import FOLDER, TOPICS, Guide, read

COMPUTED: Mapping[str, Callable[[Guide], Figures]] = {
    "commitments-and-true-up": commitments_and_true_up,
    "credits": credits_figures,
    "entitlements-and-feature-credits": entitlements_and_feature_credits,
    "errors": error_figures,
    "invoices": invoice_figures,
    "marketplace-metering": marketplace_metering,
    "packages": packages,
    "pricing-cycles": pricing_cycles,
    "safe-writes": safe_writes,
    "tiered-and-volume": tiered_and_volume,
}
LARGEST_TOKENS = 5000
IN_BACKTICKS = re.compile(r"`([^`\n]+)`")
SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted(FOLDER.parent.rglob("*"))
    if path.suffix in (".py", ".sql", ".json")
)


@pytest.fixture(params=TOPICS)
def guide(request: pytest.FixtureRequest) -> Guide:
    topic: str = request.param
    return read(topic)


def test_every_figure_of_a_guide_is_the_computed_one_in_its_place(guide: Guide) -> None:
    computed = COMPUTED[guide.topic](guide)
    written = {heading: section.figures for heading, section in guide.sections.items()}
    assert {heading: figures for heading, figures in written.items() if figures} == computed


def test_a_rate_that_a_sentence_repeats_is_in_the_table_of_its_section(guide: Guide) -> None:
    for section in guide.sections.values():
        repeated = set(re.findall(r"(?:\u00d7|packages at|package at) (\d[\d.]*\d)", section.text))
        cells = {cell for table in section.tables for row in table for cell in row.values()}
        assert repeated <= cells, section.heading


def test_every_guide_has_computed_figures_and_every_computation_a_guide() -> None:
    assert sorted(COMPUTED) == TOPICS


def test_a_guide_begins_with_its_title_and_the_one_question_it_answers(guide: Guide) -> None:
    title, question = guide.paragraphs[:2]
    assert re.fullmatch(r"# [A-Z][^\n]+", title)
    assert re.fullmatch(r"[A-Z][^\n.!?]+\?", question)


def test_a_guide_is_short_enough_to_be_read_whole(guide: Guide) -> None:
    assert len(guide.text.encode()) / 4 <= LARGEST_TOKENS


def test_a_guide_says_what_its_words_mean_what_is_misread_and_where_to_look(guide: Guide) -> None:
    headings = list(guide.sections)
    assert headings[-2:] == ["Often misunderstood", "Where to look"]
    assert headings[1] in ("Terms", "How a failure looks")
    assert "*Documented* below means" in guide[""].text


def test_every_tool_that_a_guide_names_exists(guide: Guide) -> None:
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", guide.text))
    words = set(guide_errors.kinds()) | {verdict.word for verdict in Verdict}
    assert named - words <= set(tools.MODULES)
    assert named & set(tools.MODULES)


def test_every_guide_that_a_guide_points_to_exists(guide: Guide) -> None:
    pointed = set(re.findall(r"billing://guides/([a-z-]+)", guide.text))
    assert pointed <= set(TOPICS) - {guide.topic}


def test_every_word_of_the_vendors_in_a_guide_is_known_to_the_code(guide: Guide) -> None:
    words = {word for quoted in IN_BACKTICKS.findall(guide.text) for word in quoted.split()}
    theirs = {word for word in words if re.fullmatch(r"[A-Z_]{3,}|[a-z]+[A-Z]\w*", word)}
    assert {word for word in theirs if not re.search(rf"\b{word}\b", SOURCE)} == set()


def test_the_guide_to_errors_knows_every_kind_of_error() -> None:
    (rows,) = read("errors")["Kinds"].tables
    assert {row["kind"] for row in rows} == set(guide_errors.kinds())


def test_the_guide_to_errors_names_the_writes_that_may_be_repeated() -> None:
    _, keyed, *_ = read("errors")["What may be repeated"].text.strip().split("These are")
    named = set(re.findall(r"`([a-z-]+)`", keyed.split("\n")[0]))
    assert named == guide_errors.writes_with_a_key()


def test_the_guide_to_errors_explains_every_status_an_event_can_end_in() -> None:
    (rows,) = read("errors")["Accepted is not done"].tables
    known = set(re.findall(r'"(INGESTION_(?:FAILED|COMPLETED_)\w*)"', SOURCE))
    assert {row["status"] for row in rows} == known


def test_the_lines_of_the_guide_to_invoices_are_those_of_an_invoice() -> None:
    guide = read("invoices")
    with guide_invoices.billed(guide[guide_invoices.WORKED]) as billed:
        tree = billed.month["revenueInfo"]
    assert guide_invoices.types_shown(guide) == guide_invoices.types_billed(tree)
