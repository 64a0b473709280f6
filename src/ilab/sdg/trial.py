"""Trial: how well a judge tells right cases from wrong ones.

    AUC = share of pairs (a right case, a wrong case) in which the right one has the higher score; a tie counts half

Likelihoods see what an answer says and not where it ends, nor whether it says "not": for `ground` only swapped answers
and changed numbers decide, and what it makes of the others is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ilab.records.seeds import Seed
from ilab.sdg import judge_cases as wrong
from ilab.sdg.blocks.base import Tools, run_block
from ilab.sdg.judge_cases import Case
from ilab.sdg.row import Box, Row, Usage

GROUND, JUDGE, PREFER = "ground", "judge", "prefer"
"""The blocks that judge."""
_LEAST = 4
"""Fewest right cases, and fewest wrong ones, that say anything about a judge."""
_MOST_UNREAD = 0.5
"""Share of the cases without a verdict from which on a judge says nothing."""

_PROBE = 3
"""Cases that come first: where none of them gets a verdict, the others are spared."""

_FACTS = (wrong.SWAPPED, wrong.NUMBER, wrong.NEGATED, wrong.TRUNCATED)
_TRIED: dict[str, tuple[str, ...]] = {
    GROUND: _FACTS,
    "judge_faithful": _FACTS,
    "judge_grounded_pair": _FACTS,
    "judge_relevant": (wrong.ELSEWHERE,),
    "judge_self_contained": (wrong.POINTING, wrong.PRONOUN),
    "judge_instruction": (wrong.BEYOND, wrong.CUT),
    "judge_pair": (wrong.ELSEWHERE, wrong.TRUNCATED),
    "judge_choice": (wrong.ELSEWHERE, wrong.TRUNCATED),
}
"""Judge -> what its wrong cases are."""
_DECIDING = {GROUND: (wrong.SWAPPED, wrong.NUMBER)}
"""Judge -> those of them that decide whether it filters; without an entry all do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A judge in a flow: its name, its block with the options, and the kinds of leaf whose rows it sees."""

    name: str
    block: str
    options: dict[str, Any]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a judge made of its cases.

    `auc` over `pairs` pairs decides; it is None where there are too few cases. `by_kind` has the same for each kind of
    wrong case, and the share that the flow's first use of the judge keeps. `thresholds` tells, for each use, the shares
    that it keeps of right cases, and of the wrong ones that decide. `missed` are the cases that the first gets wrong,
    and `usage` is what the teacher spent on them.
    """

    name: str
    right: int
    wrong: int
    unread: int
    auc: float | None
    pairs: int
    decided_by: list[str]
    by_kind: dict[str, dict[str, Any]]
    thresholds: list[dict[str, Any]]
    missed: list[dict[str, Any]]
    usage: dict[str, int]

    def note(self, least: float) -> str:
        """Why the judge filters untested, or does not filter; empty when all is well."""
        if self.unread > _MOST_UNREAD * (self.right + self.wrong + self.unread):
            return f"{self.unread} of its verdicts on {self.right + self.wrong + self.unread} cases could not be read"
        if self.auc is None:
            return f"too few of the examples fit it ({self.right} right cases, {self.wrong} wrong ones)"
        if self.auc < least:
            return f"it cannot tell right from wrong: AUC {self.auc:.2f} over {self.pairs} pairs, below {least:.2f}"
        return ""

    def filters(self, least: float) -> bool:
        """Whether its verdicts count; a judge that could not be tried is believed."""
        if self.unread > _MOST_UNREAD * (self.right + self.wrong + self.unread):
            return False
        return self.auc is None or self.auc >= least


def auc(right: Sequence[float], wrong_ones: Sequence[float]) -> float | None:
    """Share of pairs in which the right one is higher, a tie counting half; None without a pair."""
    pairs = [(good > bad) + 0.5 * (good == bad) for good in right for bad in wrong_ones]
    return sum(pairs) / len(pairs) if pairs else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """A case with its score (None: no verdict), and whether each use keeps it."""

    case: Case
    score: float | None
    kept: tuple[bool, ...]


def cases_of(use: Use, seeds: Sequence[Seed]) -> list[Case]:
    """The cases for a judge; none for one of which nothing is known."""
    own = [seed for seed in seeds if seed.kind in use.kinds]
    kinds = _TRIED.get(use.name, ())
    return wrong.revisions(own, kinds) if use.block == PREFER else wrong.cases(own, kinds) if kinds else []


def try_judge(uses: Sequence[Use], cases: Sequence[Case], tools: Tools) -> Trial:
    """What a judge makes of its cases, in each way in which it is used."""
    usage = Usage()
    name = uses[0].name
    right = sum(not case.wrong for case in cases)
    enough = right >= _LEAST and len(cases) - right >= _LEAST
    outcomes = _tried(uses, cases[:_PROBE], tools, usage) if enough else []
    if any(one.score is not None for one in outcomes):
        outcomes += _tried(uses, cases[_PROBE:], tools, usage)
    read = [one for one in outcomes if one.score is not None]
    good = [one.score for one in read if not one.case.wrong and one.score is not None]
    bad: dict[str, list[float]] = {kind: [] for kind in _TRIED.get(name, ())}
    for one in read:
        if one.case.wrong and one.score is not None:
            bad[one.case.wrong].append(one.score)
    deciding = [kind for kind in _DECIDING.get(name, tuple(bad)) if bad.get(kind)]
    against = [score for kind in deciding for score in bad[kind]]
    certain = len(good) >= _LEAST and len(against) >= _LEAST
    return Trial(
        name=name,
        right=len(good) if enough else right,
        wrong=sum(map(len, bad.values())) if enough else len(cases) - right,
        unread=len(outcomes) - len(read),
        auc=_rounded(auc(good, against)) if certain else None,
        pairs=len(good) * len(against),
        decided_by=deciding,
        by_kind={
            kind: {"auc": _rounded(auc(good, scores)), "cases": len(scores), "kept": _share(_kept(read, 0, [kind]))}
            for kind, scores in bad.items()
            if scores
        },
        thresholds=[_threshold(use, number, read, deciding) for number, use in enumerate(uses)] if read else [],
        missed=[_missed(one) for one in read if one.kept[0] == bool(one.case.wrong)],
        usage=usage.to_json(),
    )


def _tried(uses: Sequence[Use], cases: Sequence[Case], tools: Tools, usage: Usage) -> list[_Outcome]:
    """What every use makes of the cases."""
    rows = [{**case.row, "case": number} for number, case in enumerate(cases)]
    scores: list[dict[int, float]] = []
    kept: list[set[int]] = []
    if uses[0].block == GROUND:  # one look gives the gains; thresholds differ only in what they make of them
        box = Box(usage=usage)
        found = run_block(GROUND, rows, box, tools, min_gain=float("-inf"))
        gains = {row["case"]: float(row["scores"]["grounding_gain"]) for row in found}
        kept = [{n for n, gain in gains.items() if gain >= float(use.options.get("min_gain", 0.0))} for use in uses]
        scores = [gains]
    for use in uses if not scores else ():
        judged, stay = _prefer(rows, use, tools, usage) if use.block == PREFER else _judge(rows, use, tools, usage)
        scores.append(judged)
        kept.append(stay)
    return [
        _Outcome(case=case, score=scores[0].get(number), kept=tuple(number in stay for stay in kept))
        for number, case in enumerate(cases)
    ]


def _judge(rows: list[Row], use: Use, tools: Tools, usage: Usage) -> tuple[dict[int, float], set[int]]:
    box = Box(usage=usage)
    kept = run_block(use.block, [dict(row) for row in rows], box, tools, **use.options)
    scores = {
        row["case"]: row["scores"][use.name] for row in [*kept, *box.rejected] if use.name in row.get("scores", {})
    }
    return scores, {row["case"] for row in kept}


def _prefer(rows: list[Row], use: Use, tools: Tools, usage: Usage) -> tuple[dict[int, float], set[int]]:
    """The score is 1 where the revision is preferred; the rows are those of `judge_cases.revisions`."""
    done = run_block(use.block, [dict(row) for row in rows], Box(usage=usage), tools, **use.options)
    scores = {row["case"]: float(row["chosen"] == "revision") for row in done}
    return scores, {case for case, score in scores.items() if score}


def _threshold(use: Use, number: int, read: Sequence[_Outcome], deciding: Sequence[str]) -> dict[str, Any]:
    told = {key: value for key, value in use.options.items() if key in ("min_gain", "keep", "min", "votes")}
    good, bad = _kept(read, number, [""]), _kept(read, number, deciding)
    return {"options": told, "right_kept": _share(good), "wrong_kept": _share(bad)}


def _kept(read: Sequence[_Outcome], number: int, kinds: Sequence[str]) -> list[bool]:
    """Which cases of these kinds (the empty one: right ones) use `number` keeps."""
    return [one.kept[number] for one in read if one.case.wrong in kinds]


def _share(kept: Sequence[bool]) -> float | None:
    return round(sum(kept) / len(kept), 3) if kept else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _missed(one: _Outcome) -> dict[str, Any]:
    row = one.case.row
    return {"wrong": one.case.wrong, "score": one.score, "question": row["question"], "answer": row["answer"]}
