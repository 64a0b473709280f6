"""What training was given, counted from its files: how many generated questions came through, what was rehearsed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ilab.base import jsonl
from ilab.evaluation.questions import Fact
from ilab.evaluation.report.data import FunnelRow, Rehearsal, funnel_rows
from ilab.mixing.formats import question_row
from ilab.records.samples import Sample

_ORIGINS = {
    "seed": "your own examples",
    "facts": "facts, asked by rule",
    "sentences": "sentences, asked by the teacher",
    "pairs": "written by the teacher",
    "variations": "skill variations by the teacher",
}


def funnel(generated: Path, mixed: Path) -> list[FunnelRow]:
    """From generated to trained, out of the folders of generation and mixing."""
    counts = json.loads((generated / "funnel.json").read_text(encoding="utf-8"))
    by_origin = {origin: sum(reasons.values()) for origin, reasons in counts["rejected_by_path"].items()}
    made = Counter(counts["kept"]) + Counter(by_origin)
    held = list(jsonl.read(mixed / "heldout.jsonl"))
    return funnel_rows(
        made={_ORIGINS.get(origin, origin or "others"): count for origin, count in made.most_common()},
        filtered=counts["rejected"],
        withheld=Counter(str(row["reason"]) for row in held),
        trained=_trained(generated, mixed, {str(row["id"]) for row in held}),
    )


def rehearsal(mixed: Path, keepset: Iterable[Fact]) -> Rehearsal:
    """What training repeats against forgetting, and how much of it the keep-set asks: the user's may not be ours."""
    repeated = {_plain(question) for question in _asked(mixed)[1]}
    tested = {_plain(question) for fact in keepset for question in fact.questions}
    return Rehearsal(prompts=len(repeated), tested=len(repeated & tested))


def _trained(generated: Path, mixed: Path, held: set[str]) -> int:
    """How many samples stand in a training file, alone or as a turn of a conversation."""
    asked = _asked(mixed)[0]
    samples = (Sample.from_json(row) for row in jsonl.read(generated / "samples.jsonl"))
    return sum(
        sample.id not in held and not asked.isdisjoint((sample.question, question_row(sample).messages[0].content))
        for sample in samples
    )


def _asked(mixed: Path) -> tuple[set[str], set[str]]:
    """What users say in the training files: (about the documents and skills, for rehearsal)."""
    own: set[str] = set()
    general: set[str] = set()
    for name in ("phase1.jsonl", "phase2.jsonl"):
        for row in jsonl.read(mixed / name):
            turns = [turn["content"] for turn in row["messages"] if turn["role"] == "user"]
            (general if json.loads(row["metadata"]).get("kind") == "keep" else own).update(turns)
    return own, general


def _plain(text: str) -> str:
    """What makes two questions the same: words, whatever their case and the marks between them."""
    return " ".join(re.findall(r"\w+", text.casefold()))
