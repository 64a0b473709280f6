"""Write the training files: knowledge (phase 1), skills with replay (phase 2). The same input gives the same bytes."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

from ilab.base import jsonl
from ilab.mixing import formats, split
from ilab.mixing.formats import KeepPair
from ilab.mixing.settings import MixSettings
from ilab.records import seeds
from ilab.records.chunks import Chunk
from ilab.records.samples import Sample, TrainRow


@dataclass(frozen=True, slots=True, kw_only=True)
class MixSummary:
    """How many rows of each kind each phase got."""

    phase1: dict[str, int]
    phase2: dict[str, int]


def replay_prompts(limit: int) -> list[str]:
    """The shipped general instructions for replay, at most `limit`."""
    text = resources.files("ilab.mixing").joinpath("data/replay.yaml").read_text(encoding="utf-8")
    return [str(prompt) for prompt in yaml.safe_load(text)["prompts"]][:limit]


def mix(
    samples: Sequence[Sample],
    chunks: Sequence[Chunk],
    *,
    statements: Sequence[tuple[Sequence[str], str]],
    keep: Sequence[KeepPair],
    settings: MixSettings,
    out: Path,
) -> MixSummary:
    """Write `phase1.jsonl` and `phase2.jsonl` below `out`.

    Phase 1: every chunk as text, sentences (`statements`: wordings that say the same, and the
    chunk id; each repeat takes the next wording), questions of knowledge leaves, and half
    of the general instructions (`keep`, answered by the untrained model). Phase 2: questions of skill leaves, the other
    half, and a replay of phase 1. A phase without anything of its own to learn gets an empty file.
    """
    prompt = settings.system_prompt
    asked = [sample for sample in samples if sample.kind == seeds.KNOWLEDGE]
    knowledge = conversations(asked, settings)
    skills = [formats.question_row(s, system_prompt=prompt) for s in samples if s.kind != seeds.KNOWLEDGE]
    general = [formats.keep_row(pair.prompt, pair.answer, system_prompt=prompt) for pair in keep]
    documents = [formats.document_row(chunk) for chunk in chunks]
    sentences = [
        formats.text_row(wordings[repeat % len(wordings)], metadata={"kind": "sentence", "chunk": chunk})
        for repeat in range(settings.statement_repeats)
        for wordings, chunk in statements
    ]
    texts = documents * settings.document_repeats + sentences
    first = texts + knowledge + general[::2]
    replay = _draw(conversations(asked, settings.model_copy(update={"wording_repeats": 1})), settings)
    second = skills + general[1::2] + (replay + documents if skills or replay else [])
    return MixSummary(
        phase1=_write(out / "phase1.jsonl", first if texts or knowledge else [], settings.seed),
        phase2=_write(out / "phase2.jsonl", second if skills else [], settings.seed + 1),
    )


def conversations(samples: Sequence[Sample], settings: MixSettings) -> list[TrainRow]:
    """Knowledge questions as rows, `questions_per_row` to a conversation.

    Every fact is asked for about equally often, a fact with many wordings in more of them: what is asked for once is
    not learned, and what is asked for thirty times is learned no better. The turns of a conversation are about
    different facts.
    """
    size = settings.questions_per_row
    asked = rounds(samples, settings)
    rows = []
    for start in range(0, len(asked), size):
        group = asked[start : start + size]
        rows.append(
            formats.conversation_row(group, system_prompt=settings.system_prompt, unmask=settings.train_questions)
            if size > 1
            else formats.question_row(group[0], system_prompt=settings.system_prompt, unmask=settings.train_questions)
        )
    return rows


def rounds(samples: Sequence[Sample], settings: MixSettings) -> list[Sample]:
    """Round after round, one question a fact; in a round the facts stand in random order."""
    facts: dict[str, list[Sample]] = {}
    for sample in samples:
        facts.setdefault(split.fact_of(sample), []).append(sample)
    found: list[Sample] = []
    for wordings in facts.values():
        random.Random(f"{settings.seed}:{wordings[0].id}").shuffle(wordings)
    for number in range(settings.questions_per_fact):
        asked = [
            wordings[number % len(wordings)]
            for wordings in facts.values()
            if number < settings.wording_repeats * len(wordings)
        ]
        random.Random(f"{settings.seed}:{number}").shuffle(asked)
        found += asked
    return found


def _draw(rows: Sequence[TrainRow], settings: MixSettings) -> list[TrainRow]:
    """The replay share of `rows`, without replacement."""
    order = list(range(len(rows)))
    random.Random(settings.seed).shuffle(order)
    return [rows[index] for index in sorted(order[: round(len(rows) * settings.replay_share)])]


def _write(path: Path, rows: Iterable[TrainRow], seed: int) -> dict[str, int]:
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    jsonl.write(path, [row.to_json() for row in shuffled])
    return dict(sorted(Counter(_kind(row) for row in shuffled).items()))


def _kind(row: TrainRow) -> str:
    metadata = json.loads(row.metadata)
    return str(metadata.get("kind", "question"))
