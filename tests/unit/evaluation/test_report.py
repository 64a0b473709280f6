"""The report in its three forms: complete, partial and hostile data."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from ilab.evaluation.report import svg, tables
from ilab.evaluation.report.data import (
    Example,
    FunnelRow,
    LossPoint,
    QuestionRow,
    Rehearsal,
    ReportData,
    StageCost,
    TokenUsage,
    funnel_rows,
    question_rows,
)
from ilab.evaluation.report.html import bar_groups, to_html
from ilab.evaluation.report.markdown import to_markdown
from ilab.evaluation.report.screen import LINES, WIDTH, to_screen
from ilab.evaluation.scorecard import summarise
from ilab.evaluation.select import Ranked
from ilab.evaluation.settings import EvalSettings
from ilab.records.scores import Answer

EVIL = '<script>alert("x")</script> & | `tick` ü'
VOID = {"meta", "br", "line", "rect", "circle", "path"}


def answer(fact: str, tier: str, correct: bool, condition: str = "closed") -> Answer:
    return Answer(
        fact=fact,
        tier=tier,
        phrasing=0,
        question=f"{fact} {EVIL}?",
        options=(EVIL, "b", "c", "d"),
        logprobs=(-1.0, -2.0, -2.0, -2.0),
        tokens=(1, 1, 1, 1),
        bytes=(1, 1, 1, 1),
        pick=0 if correct else 1,
        correct=correct,
        margin=1.0 if correct else -0.4,
        gold_bits_per_byte=1.0 if correct else 3.0,
        condition=condition,
    )


def answers(right: int, *, condition: str = "closed") -> list[Answer]:
    tiers = ("taught", "untaught", "placebo", "keep") if condition == "closed" else ("taught", "untaught")
    return [
        answer(f"{tier}{fact}", tier, tier == "keep" or fact < (3 if tier == "placebo" else right), condition)
        for tier in tiers
        for fact in range(12)
    ]


BASE, TUNED = (
    [*answers(3), *answers(10, condition="open")],
    [*answers(9), *answers(11, condition="open")],
)
FULL = ReportData(
    title=f"Report {EVIL}",
    scorecard=summarise(base=BASE, tuned=TUNED, settings=EvalSettings(resamples=200), neutral=([1.0], [1.01])),
    run_id="20260101T000000-customize-7f3a",
    command=f"ilab customize --taxonomy-path 'a {EVIL}'",
    base_name="small",
    tuned_name="small-tuned",
    questions=question_rows(BASE, TUNED),
    examples=[Example(question=EVIL, gold="x", before=EVIL * 9, after="x" * 400, after_hit=True)] * 5,
    funnel=funnel_rows(made={"facts": 7, EVIL: 5}, filtered={EVIL: 3, "too long": 1}, withheld={"asked": 2}, trained=5),
    rehearsal=Rehearsal(prompts=40),
    losses=[
        LossPoint(phase=f"phase {number} {EVIL}", step=step, tokens=(step + 1) * 100, loss=3 / (step + 1))
        for number in (1, 2)
        for step in range(700)
    ],
    checkpoints=[
        Ranked(name="step-10", step=10, score=0.5, accuracy=0.5, keep_delta=-0.1, passed=False, chosen=False),
        Ranked(name="step-20", step=20, score=0.6, accuracy=0.7, keep_delta=None, passed=True, chosen=True),
    ],
    choice=f"step-20 {EVIL}",
    stages=[StageCost(name="generate", seconds=171.0, tokens=38211), StageCost(name="train", seconds=9.0)],
    teacher=TokenUsage(prompt=1000, cached=900, completion=200),
    warnings=[EVIL],
    files={"report": "/runs/report.html", "scorecard": "/runs/scorecard.json"},
    environment={"cpu": EVIL},
)
EMPTY = ReportData(title="Nothing yet", scorecard=summarise(base=[], tuned=[], settings=EvalSettings(resamples=200)))
PARTIAL = ReportData(
    title="Half a report",
    scorecard=summarise(
        base=[one for one in BASE if one.tier == "taught" and one.condition == "closed"],
        tuned=answers(9),
        settings=EvalSettings(resamples=200),
    ),
    losses=[LossPoint(phase="one", step=1, tokens=0, loss=2.0)],
    stages=[StageCost(name="train", seconds=9.0)],
)
ALL = pytest.mark.parametrize("data", [FULL, PARTIAL, EMPTY], ids=["full", "partial", "empty"])


class Balanced(HTMLParser):
    """Fails when a tag is closed that is not open; keeps what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@ALL
def test_the_page_is_balanced_self_contained_and_escaped(data: ReportData) -> None:
    page = to_html(data)
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "script" not in parser.seen
    assert not {"src", "href", "onload", "onclick"} & {name for name, _ in parser.attributes}
    assert "http" not in re.sub(r"<(style|code|pre)>.*?</\1>", "", page, flags=re.DOTALL)
    assert "url(" not in page
    assert "prefers-color-scheme: dark" in page
    assert "<h1>" in page


def test_every_plot_is_well_formed() -> None:
    for plot in (
        svg.accuracy_bars(bar_groups(FULL.scorecard)),
        svg.dumbbells(FULL.questions),
        svg.funnel(FULL.funnel),
        svg.loss_curves(FULL.losses),
    ):
        texts = "".join(ElementTree.fromstring(plot).itertext())
        assert "nan" not in plot
        assert texts


def test_the_full_page_has_every_part() -> None:
    page = to_html(FULL)
    for part in ("What it learned", "Question by question", "In its own words", "How sure", "Training loss", "forgot"):
        assert part in page
    assert page.count('class="plot"') == 4
    assert FULL.scorecard.headline in page
    assert "closed book" in page


def test_the_tuned_model_is_shown_open_book_too() -> None:
    [row, *_] = tables.tier_rows(FULL.scorecard)
    assert (row.reading, row.reading_after) == ("83 %", "92 %")
    assert row.reading_change.startswith("+8 [")
    [costs, *_] = tables.byte_rows(FULL.scorecard)
    assert (costs.before, costs.after, costs.reading, costs.reading_after) == ("2.50", "1.50", "1.33", "1.17")
    assert costs.reading_change.startswith("-0.17 [")
    for text in (to_html(FULL), to_markdown(FULL), "\n".join(to_screen(FULL))):
        assert all(number in text for number in ("83 %", "92 %", "1.33", "1.17"))


def test_the_screen_shows_bits_per_byte_and_the_placebo_also_when_all_is_well() -> None:
    lines = to_screen(FULL)
    assert "DRIFTED" not in FULL.scorecard.headline
    assert any(line.split()[:2] == ["ordinary", "text"] and "1.000   1.010" in line for line in lines)
    differences = [line for line in lines if "document minus placebo" in line]
    assert [line.split("[")[0].split()[-1] for line in differences] == ["+50", "-1.00"]


def test_rehearsal_is_said_beside_the_general_questions() -> None:
    said = "Training rehearsed 40 general questions and instructions, none asked here."
    for text in (to_html(FULL), to_markdown(FULL)):
        assert said + " Knowledge of other kinds may have suffered more." in text
    assert said in " ".join(" ".join(to_screen(FULL)).split())
    asked = replace(FULL, rehearsal=Rehearsal(prompts=40, tested=3))
    assert "3 of them asked here too, which flatters the model" in to_html(asked)
    assert "rehearsed no general question." in to_html(replace(FULL, rehearsal=Rehearsal(prompts=0)))
    assert "rehearsed" not in to_html(replace(FULL, rehearsal=None)).partition("Words used here")[0]


def test_the_funnel_adds_up_from_generated_to_trained() -> None:
    rows = funnel_rows(
        made={"facts": 463, "seed": 100}, filtered={"a": 36, "b": 62}, withheld={"asked": 74, "no": 0}, trained=390
    )
    assert [(row.label, row.count) for row in rows if row.kind == "total"] == [
        ("generated, with your own examples", 563),
        ("passed the filters", 465),
        ("trained", 390),
    ]
    rest = 0
    for row in rows:
        assert row.kind != "total" or rest in (0, row.count), "a total is the one before less what was lost"
        rest = row.count if row.kind == "total" else rest - row.count if row.kind == "lost" else rest
    assert [row.label for row in rows if row.kind == "lost"][:3] == ["b", "a", "kept out of training: asked"]
    assert "| less: kept out of training: asked | -74 |" in to_markdown(replace(FULL, funnel=rows))


def test_cached_and_computed_prompt_tokens_are_shown_as_numbers() -> None:
    for text in (to_html(FULL), to_markdown(FULL)):
        assert "1,000 tokens: 900 came from its prefix cache (90 %) and 100 were computed. It wrote 200." in text
    assert "teacher: 100 prompt tokens computed, 900 from its prefix cache (90 %), 200 written" in to_screen(FULL)


def test_parts_without_data_are_left_out() -> None:
    page = to_html(EMPTY)
    for part in ("What it learned", "In its own words", "How it was made", "Again, and in detail", 'class="plot"'):
        assert part not in page
    assert "NOTHING MEASURED" in page
    assert "reading" not in to_html(PARTIAL).partition("</style>")[2].partition("Words used here")[0]


@ALL
def test_markdown_cannot_be_broken_by_content(data: ReportData) -> None:
    text = to_markdown(data)
    assert text.startswith("# ")
    assert "<script>" not in text.partition("## Again")[0]
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


@ALL
def test_the_screen_summary_fits(data: ReportData) -> None:
    lines = to_screen(data)
    assert lines[0] == data.scorecard.headline
    assert len(lines) <= LINES + 4
    assert all(len(line) <= WIDTH for line in lines)


def test_the_screen_shows_longer_answers_when_there_is_room() -> None:
    short = replace(FULL, examples=FULL.examples[:1], stages=(), teacher=None)
    before = [line for line in to_screen(short) if line.startswith(" " * 12)]
    assert before


def test_question_rows_are_paired_and_sorted_by_gain() -> None:
    rows = question_rows(BASE, TUNED)
    assert len(rows) == 24
    assert [row.gain for row in rows] == sorted((row.gain for row in rows), reverse=True)
    assert {row.tier for row in rows} == {"taught", "untaught"}
    assert question_rows([], TUNED) == []


def test_plots_take_degenerate_data() -> None:
    same = QuestionRow(
        fact="f", tier="taught", question="Q?", gold="a", base=0.0, tuned=0.0, base_correct=False, tuned_correct=False
    )
    for plot in (
        svg.dumbbells([same]),
        svg.funnel([FunnelRow(label="generated", count=0)]),
        svg.loss_curves([LossPoint(phase="p", step=1, tokens=0, loss=loss) for loss in (0.0, math.nan)]),
    ):
        ElementTree.fromstring(plot)
    assert svg.dumbbells([]) == svg.funnel([]) == svg.loss_curves([]) == ""


def test_the_running_mean_starts_at_the_first_value_and_is_smoother() -> None:
    values = [float(number % 2) for number in range(100)]
    smooth = svg.running_mean(values)
    assert smooth[0] == 0.0
    assert max(smooth[20:]) - min(smooth[20:]) < 0.5
