"""Ask a model every question of a set, a batch at a time; what was answered before is not asked again.

Each scored question is appended to answers.jsonl with a key: the digest of model, condition, prompt and options. A run
that was killed goes on where it stopped, and a base model that is compared with ten checkpoints is scored once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ilab.base import digest, jsonl
from ilab.base.report import NullReporter, Reporter
from ilab.evaluation.contrast import CLOSED, OPEN, Item, Prompts, grade, items
from ilab.evaluation.questions import Fact, QuestionSet
from ilab.llm.port import TokenScore, TokenScorer
from ilab.records.scores import Answer

BATCH = 16
"""Questions scored in one call: what a kill can cost."""
_ABOUT = {"questions": "document", "placebo": "placebo", "keepset": "general"}
"""Kinds of question files as they are named in progress."""


def answer_all(
    scorer: TokenScorer,
    questions: QuestionSet,
    *,
    prompts: Prompts,
    model: str,
    out: Path,
    context_of: Callable[[Fact], str] | None = None,
    report: Reporter | None = None,
) -> list[Answer]:
    """One Answer for each phrasing, in the order of the set; new ones are appended to `out`, batch by batch.

    `model` must change whenever the weights do (a digest, or a name with one): it is part of the key. With `context_of`
    the questions are asked open book.
    """
    say = report or NullReporter()
    wanted = [(key_of(item, model), item) for item in items(questions, prompts, context_of=context_of)]
    known = read_known(out)
    missing = [(key, item) for key, item in dict(wanted).items() if key not in known]
    what = unit_name(questions, model, OPEN if context_of else CLOSED, out)
    say.progress(what, len(wanted) - len(missing), len(wanted))
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        for (key, item), scores in zip(batch, scorer.score([item.request for _, item in batch]), strict=True):
            known[key] = scores
            jsonl.append(out, {"key": key} | grade(item, scores, model=model).to_json())
        say.progress(what, len(wanted) - len(missing) + start + len(batch), len(wanted))
    graded = [grade(item, known[key], model=model) for key, item in wanted]
    place = {fact.id: number for number, fact in enumerate(questions)}
    return sorted(graded, key=lambda answer: (place[answer.fact], answer.phrasing))


def unit_name(questions: QuestionSet, model: str, condition: str, out: Path) -> str:
    """What progress calls the questions: `document questions, closed book (base)`.

    Rate and time left are measured apart for every name, so two passes must never share one. Where `out` holds other
    questions of the kind already (the selection part, asked before the report part), these are `more` of them.
    """
    ids, tiers = {fact.id for fact in questions}, {fact.tier for fact in questions}
    more = any(
        row.get("model") == model
        and row.get("condition") == condition
        and row.get("tier") in tiers
        and row.get("fact") not in ids
        for row in (jsonl.read(out, skip_torn=True) if out.exists() else ())
    )
    about = _ABOUT.get(questions.kind, questions.kind)
    return f"{'more ' if more else ''}{about} questions, {condition} book ({model})"


def key_of(item: Item, model: str) -> str:
    """What makes two questions the same question: model, condition, the whole prompt and the options."""
    request = item.request
    return digest.of_value([model, item.condition, request.prefix + request.context, request.continuations])


def read_known(path: Path) -> dict[str, list[TokenScore]]:
    """Scores by key out of an answers.jsonl; empty when there is none. A torn last line is passed over."""
    if not path.exists():
        return {}
    return {row["key"]: _scores(row) for row in jsonl.read(path, skip_torn=True) if "key" in row}


def read_answers(path: Path) -> list[Answer]:
    """Every answer of an answers.jsonl, of all models and conditions in it."""
    return [Answer.from_json(row) for row in jsonl.read(path, skip_torn=True)]


def _scores(row: dict[str, Any]) -> list[TokenScore]:
    return [
        TokenScore(logprob=logprob, tokens=tokens)
        for logprob, tokens in zip(row["logprobs"], row["tokens"], strict=True)
    ]
