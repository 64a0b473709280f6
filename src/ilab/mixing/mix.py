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
from ilab.mixing import formats
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


def general_pairs(limit: int) -> list[KeepPair]:
    """The shipped general questions with short answers, at most `limit`."""
    text = resources.files("ilab.mixing").joinpath("data/general.yaml").read_text(encoding="utf-8")
    rows = yaml.safe_load(text)["pairs"][:limit]
    return [KeepPair(prompt=str(row["question"]), answer=str(row["answer"])) for row in rows]


def mix(
    samples: Sequence[Sample],
    chunks: Sequence[Chunk],
    *,
    statements: Sequence[tuple[str, str]],
    keep: Sequence[KeepPair],
    general: Sequence[KeepPair] = (),
    settings: MixSettings,
    out: Path,
) -> MixSummary:
    """Write `phase1.jsonl` and `phase2.jsonl` below `out`.

    Phase 1: every chunk as text, sentences (`statements`: text and chunk id), questions of knowledge leaves, half of
    the general instructions (`keep`, answered by the untrained model), and the `general` questions. Phase 2: questions
    of skill leaves, the other half, and a replay of phase 1. A phase without anything of its own to learn gets an empty
    file.
    """
    prompt = settings.system_prompt
    asked = [sample for sample in samples if sample.kind == seeds.KNOWLEDGE]
    knowledge = conversations(asked, settings)
    skills = [formats.question_row(s, system_prompt=prompt) for s in samples if s.kind != seeds.KNOWLEDGE]
    instructions = [formats.keep_row([pair], system_prompt=prompt) for pair in keep]
    size = settings.questions_per_row
    rehearsed = [
        formats.keep_row(general[start : start + size], system_prompt=prompt) for start in range(0, len(general), size)
    ]
    documents = [formats.document_row(chunk) for chunk in chunks]
    sentences = [formats.text_row(text, metadata={"kind": "sentence", "chunk": chunk}) for text, chunk in statements]
    texts = documents * settings.document_repeats + sentences * settings.statement_repeats
    first = texts + knowledge + instructions[::2] + rehearsed
    replay = _draw(conversations(asked, settings.model_copy(update={"question_repeats": 1})), settings)
    second = skills + instructions[1::2] + rehearsed[1::2] + (replay + documents if skills or replay else [])
    return MixSummary(
        phase1=_write(out / "phase1.jsonl", first if texts or knowledge else [], settings.seed),
        phase2=_write(out / "phase2.jsonl", second if skills else [], settings.seed + 1),
    )


def conversations(samples: Sequence[Sample], settings: MixSettings) -> list[TrainRow]:
    """Knowledge questions as rows, `questions_per_row` to a conversation, regrouped for every repeat.

    Neighbours are drawn at random over the whole leaf set, so that the turns of a conversation seldom touch one fact.
    """
    size = settings.questions_per_row
    rows = []
    for repeat in range(settings.question_repeats):
        order = list(samples)
        random.Random(f"{settings.seed}:{repeat}").shuffle(order)
        for start in range(0, len(order), size):
            group = order[start : start + size]
            rows.append(
                formats.conversation_row(group, system_prompt=settings.system_prompt)
                if size > 1
                else formats.question_row(group[0], system_prompt=settings.system_prompt)
            )
    return rows


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
