"""Which checkpoint? Decided on the selection part of the questions only; the report part never comes here.

    score    = mean over facts of (accuracy + gold share) / 2, minus penalty x lost keep-set accuracy
    gate     keep-set accuracy not more than a margin below the base model's
    choice   the earliest checkpoint (fewest steps) whose score is within `selection_slack` standard errors of the best

The gold share moves with every question where accuracy moves in jumps, so together they rank checkpoints more steadily.
The standard error is that of the paired difference to the best: all candidates answered the same facts. Preferring the
earlier of two equal checkpoints costs nothing and forgets less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from ilab.evaluation.contrast import gold_share
from ilab.evaluation.scorecard import paired
from ilab.evaluation.settings import EvalSettings
from ilab.evaluation.statistics import standard_error
from ilab.evaluation.wording import percent, points
from ilab.records.scores import Answer

_SAME = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A checkpoint as the selection part sees it.

    `per_fact` holds its score a fact (0 to 1); `keep_delta` is the change of keep-set accuracy against the base model,
    None when there is no keep-set.
    """

    name: str
    step: int
    per_fact: tuple[tuple[str, float], ...]
    accuracy: float
    keep_delta: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A candidate with its score and whether it passed the gate."""

    name: str
    step: int
    score: float
    accuracy: float
    keep_delta: float | None
    passed: bool
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chosen checkpoint, why, and all candidates in order of their steps."""

    name: str
    reason: str
    passed: bool
    table: tuple[Ranked, ...]

    def to_json(self) -> dict[str, Any]:
        """The choice as JSON."""
        return asdict(self)


def candidate(
    name: str, step: int, answers: Sequence[Answer], *, base_keep: Sequence[Answer] = (), keep: Sequence[Answer] = ()
) -> Candidate:
    """A candidate from its closed-book answers on the selection part of the document and of the keep-set."""
    scores: dict[str, list[float]] = defaultdict(list)
    for answer in answers:
        scores[answer.fact].append((float(answer.correct) + gold_share(answer)) / 2)
    deltas = paired(base_keep, keep, tier="keep")
    return Candidate(
        name=name,
        step=step,
        per_fact=tuple((fact, fmean(values)) for fact, values in sorted(scores.items())),
        accuracy=fmean(float(answer.correct) for answer in answers),
        keep_delta=fmean(deltas) if deltas else None,
    )


def choose(candidates: Sequence[Candidate], *, settings: EvalSettings) -> Choice:
    """The checkpoint to keep. Raises ValueError without candidates.

    When none passes the gate, the one that forgot least is taken (the earlier one of equals), and the reason says so.
    """
    if not candidates:
        raise ValueError("nothing to choose from")
    ordered = sorted(candidates, key=lambda one: (one.step, one.name))
    passing = [one for one in ordered if _passes(one, settings)]
    if not passing:
        chosen = max(ordered, key=lambda one: one.keep_delta or 0.0)
        reason = (
            f"every checkpoint lost more than {100 * settings.selection_keep_margin:g} points on the keep-set; "
            f"{chosen.name} lost least ({points(chosen.keep_delta or 0.0, decimals=1)} points)"
        )
        return Choice(name=chosen.name, reason=reason, passed=False, table=_table(ordered, chosen, settings))
    best = max(passing, key=lambda one: _score(one, settings))
    chosen = next(one for one in passing if _close(one, best, settings))
    if chosen is best:
        reason = f"{best.name} has the best score ({percent(best.accuracy)} of the selection questions right)"
    else:
        reason = (
            f"{chosen.name} is the earliest within {settings.selection_slack:g} standard error of the best, "
            f"{best.name} ({percent(chosen.accuracy)} against {percent(best.accuracy)} of the selection questions)"
        )
    if len(passing) < len(ordered):
        reason += f"; {len(ordered) - len(passing)} of {len(ordered)} forgot too much"
    return Choice(name=chosen.name, reason=reason, passed=True, table=_table(ordered, chosen, settings))


def _passes(one: Candidate, settings: EvalSettings) -> bool:
    return one.keep_delta is None or one.keep_delta >= -settings.selection_keep_margin - _SAME


def _score(one: Candidate, settings: EvalSettings) -> float:
    lost = max(0.0, -(one.keep_delta or 0.0))
    return fmean(value for _, value in one.per_fact) - settings.forgetting_penalty * lost


def _close(one: Candidate, best: Candidate, settings: EvalSettings) -> bool:
    mine = dict(one.per_fact)
    differences = [value - mine[fact] for fact, value in best.per_fact if fact in mine]
    slack = settings.selection_slack * standard_error(differences)
    return _score(best, settings) - _score(one, settings) <= slack + _SAME


def _table(ordered: Sequence[Candidate], chosen: Candidate, settings: EvalSettings) -> tuple[Ranked, ...]:
    return tuple(
        Ranked(
            name=one.name,
            step=one.step,
            score=_score(one, settings),
            accuracy=one.accuracy,
            keep_delta=one.keep_delta,
            passed=_passes(one, settings),
            chosen=one is chosen,
        )
        for one in ordered
    )
