"""ReportData: everything a report may show. Whatever is empty is left out of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ilab.evaluation.select import Ranked
from ilab.records.scores import Answer, Scorecard


@dataclass(frozen=True, slots=True, kw_only=True)
class LossPoint:
    """One training step: phase name, step within the phase, trained tokens so far, loss in nats."""

    phase: str
    step: int
    tokens: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelRow:
    """One count on the way from generated to trained questions.

    A `total` is what there is at a point; a `part` says where the total above it comes from; what was `lost` for one
    reason is missing from the next total.
    """

    label: str
    count: int
    kind: Literal["total", "part", "lost"] = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """How many general questions and instructions training repeats against forgetting.

    `tested` counts those that the keep-set asks too: 0, or the keep-set flatters the model.
    """

    prompts: int
    tested: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRow:
    """One question of the report part: the right answer's lead in nats, base and tuned, closed book."""

    fact: str
    tier: str
    question: str
    gold: str
    base: float
    tuned: float
    base_correct: bool
    tuned_correct: bool

    @property
    def gain(self) -> float:
        """Change of the lead."""
        return self.tuned - self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One question answered in words by both models."""

    question: str
    gold: str
    before: str
    after: str
    before_hit: bool = False
    after_hit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """What one stage took: wall seconds and, where it makes sense, tokens computed."""

    name: str
    seconds: float
    tokens: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens of the teacher: prompt tokens, how many of them came from the prefix cache, tokens written."""

    prompt: int
    cached: int
    completion: int

    @property
    def cached_share(self) -> float:
        """Share of prompt tokens that were not computed again."""
        return self.cached / self.prompt if self.prompt else 0.0

    @property
    def computed(self) -> int:
        """Prompt tokens that had to be computed."""
        return self.prompt - self.cached


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """The content of a report. `files` maps a label to a path or link; `environment` a name to a value."""

    title: str
    scorecard: Scorecard
    run_id: str = ""
    command: str = ""
    base_name: str = ""
    tuned_name: str = ""
    questions: Sequence[QuestionRow] = ()
    examples: Sequence[Example] = ()
    funnel: Sequence[FunnelRow] = ()
    rehearsal: Rehearsal | None = None
    losses: Sequence[LossPoint] = ()
    checkpoints: Sequence[Ranked] = ()
    choice: str = ""
    stages: Sequence[StageCost] = ()
    teacher: TokenUsage | None = None
    warnings: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def funnel_rows(
    *, made: Mapping[str, int], filtered: Mapping[str, int], withheld: Mapping[str, int], trained: int
) -> list[FunnelRow]:
    """Generated, filtered out, withheld, trained; every total is the one before it less what was lost between.

    `made` counts by origin, `filtered` and `withheld` by reason. What is left and not `trained` was not drawn.
    """
    passed = sum(made.values()) - sum(filtered.values())
    left = passed - sum(withheld.values())
    rows = [FunnelRow(label="generated, with your own examples", count=sum(made.values()))]
    rows += [FunnelRow(label=origin, count=count, kind="part") for origin, count in made.items() if count]
    rows += [*_lost("", filtered), FunnelRow(label="passed the filters", count=passed)]
    rows += _lost("kept out of training: ", withheld)
    rows += _lost("", {"not drawn: one fact in more wordings than training asks": left - trained})
    return [*rows, FunnelRow(label="trained", count=trained)]


def _lost(start: str, reasons: Mapping[str, int]) -> list[FunnelRow]:
    """Rows for what was lost, the commonest reason first."""
    ordered = sorted(reasons.items(), key=lambda pair: -pair[1])
    return [FunnelRow(label=start + reason, count=count, kind="lost") for reason, count in ordered if count]


def question_rows(base: Sequence[Answer], tuned: Sequence[Answer]) -> list[QuestionRow]:
    """Every document question that both models answered closed book, the largest gain first."""
    before = {(one.fact, one.phrasing): one for one in base if one.condition == "closed"}
    rows = [
        QuestionRow(
            fact=new.fact,
            tier=new.tier,
            question=new.question,
            gold=new.gold,
            base=before[new.fact, new.phrasing].lead,
            tuned=new.lead,
            base_correct=before[new.fact, new.phrasing].correct,
            tuned_correct=new.correct,
        )
        for new in tuned
        if new.condition == "closed" and new.tier in ("taught", "untaught") and (new.fact, new.phrasing) in before
    ]
    return sorted(rows, key=lambda row: (-row.gain, row.question))
