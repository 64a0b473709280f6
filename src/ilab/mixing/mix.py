"""Write the training files: knowledge (phase 1), skills with replay (phase 2). The same input gives the same bytes."""

from __future__ import annotations

import json
import random
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import accumulate, pairwise
from math import ceil
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ilab.base import jsonl
from ilab.mixing import formats, on_demand, split
from ilab.mixing.formats import KeepPair
from ilab.mixing.on_demand import OnDemand
from ilab.mixing.settings import MixSettings
from ilab.records import seeds
from ilab.records.chunks import Chunk
from ilab.records.samples import AUXILIARY, Sample, TrainRow

T = TypeVar("T")


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
    statements: Iterable[tuple[Sequence[str], str]],
    keep: Sequence[KeepPair],
    settings: MixSettings,
    out: Path,
) -> MixSummary:
    """Write `phase1.jsonl` and `phase2.jsonl` below `out`.

    Phase 1: every chunk as text, sentences (`statements`: wordings that say the same, and the chunk id; each repeat
    takes the next wording), questions of knowledge leaves, summaries below their documents, and half of the general
    instructions (`keep`, answered by the untrained model). Phase 2: questions of skill leaves, the other half, and a
    replay of phase 1. A phase without anything of its own to learn gets an empty file.

    Samples and chunks are asked for more than once, and none is kept; `on_demand` has sequences that read them from
    files. The statements stand in a temporary file in `out` meanwhile.
    """
    prompt = settings.system_prompt
    asked, summaries, skilled = _sorted_out(samples)
    facts = Facts(asked, settings.seed)
    knowledge = on_demand.joined(
        conversations(on_demand.picked(asked, facts.rounds(settings)), settings),
        _each(summaries, lambda sample: formats.question_row(sample, system_prompt=prompt, unmask=True)),
    )
    skills = _each(skilled, lambda sample: formats.question_row(sample, system_prompt=prompt))
    general = [formats.keep_row(pair.prompt, pair.answer, system_prompt=prompt) for pair in keep]
    documents = _each(chunks, formats.document_row)
    once = facts.rounds(settings.model_copy(update={"wording_repeats": 1}))
    replay = _draw(conversations(on_demand.picked(asked, once), settings), settings)
    out.mkdir(parents=True, exist_ok=True)
    with on_demand.stored(statements, out) as said:
        texts = on_demand.joined(
            on_demand.repeated(documents, settings.document_repeats), _sentences(said, settings.statement_repeats)
        )
        first = on_demand.joined(texts, knowledge, general[::2])
        second = on_demand.joined(skills, general[1::2], replay, documents)
        return MixSummary(
            phase1=_write(out / "phase1.jsonl", first if texts or knowledge else [], settings.seed),
            phase2=_write(out / "phase2.jsonl", second if skills else [], settings.seed + 1),
        )


def conversations(asked: Sequence[Sample], settings: MixSettings) -> Sequence[TrainRow]:
    """Knowledge questions as rows, `questions_per_row` to a conversation, in their order (see `Facts.rounds`).

    The turns of a conversation are about different facts.
    """
    size, prompt, unmask = settings.questions_per_row, settings.system_prompt, settings.train_questions

    def row(number: int) -> TrainRow:
        group = [asked[place] for place in range(number * size, min((number + 1) * size, len(asked)))]
        if size > 1:
            return formats.conversation_row(group, system_prompt=prompt, unmask=unmask)
        return formats.question_row(group[0], system_prompt=prompt, unmask=unmask)

    return OnDemand(ceil(len(asked) / size), row)


class Facts:
    """Which samples ask for the same fact. Kept are their numbers; the wordings of a fact stand in random order."""

    def __init__(self, samples: Sequence[Sample], seed: int) -> None:
        self._seed = seed
        numbers: dict[bytes, int] = {}
        fact_of = array("q", (numbers.setdefault(split.fact_key(sample), len(numbers)) for sample in samples))
        sizes = array("q", [0]) * len(numbers)
        for fact in fact_of:
            sizes[fact] += 1
        # the samples of fact n stand in _places from _starts[n] to _starts[n + 1]
        self._starts = array("q", accumulate(sizes, initial=0))
        self._places = array("q", [0]) * len(fact_of)
        free = self._starts[:-1]
        for place, fact in enumerate(fact_of):
            self._places[free[fact]] = place
            free[fact] += 1
        for start, end in pairwise(self._starts):
            if end - start > 1:  # one alone is in order
                wordings = self._places[start:end]
                random.Random(f"{seed}:{samples[wordings[0]].id}").shuffle(wordings)
                self._places[start:end] = wordings

    def rounds(self, settings: MixSettings) -> array[int]:
        """Numbers of samples, round after round, one of each fact; in a round the facts stand in random order.

        Every fact is asked for about equally often, a fact with many wordings in more of them: what is asked for once
        is not learned, and what is asked for thirty times is learned no better.
        """
        found = array("q")
        for number in range(settings.questions_per_fact):
            asked = array(
                "q",
                (
                    self._places[start + number % (end - start)]
                    for start, end in pairwise(self._starts)
                    if number < settings.wording_repeats * (end - start)
                ),
            )
            random.Random(f"{self._seed}:{number}").shuffle(asked)
            found += asked
        return found


def _sorted_out(samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample], Sequence[Sample]]:
    """(questions of knowledge, summaries, skills)."""
    asked, summaries, skills = array("q"), array("q"), array("q")
    for place, sample in enumerate(samples):
        if sample.origin == AUXILIARY:
            summaries.append(place)
        elif sample.kind == seeds.KNOWLEDGE:
            asked.append(place)
        else:
            skills.append(place)
    return on_demand.picked(samples, asked), on_demand.picked(samples, summaries), on_demand.picked(samples, skills)


def _each(items: Sequence[T], row: Callable[[T], TrainRow]) -> Sequence[TrainRow]:
    return OnDemand(len(items), lambda place: row(items[place]))


def _sentences(said: Sequence[tuple[Sequence[str], str]], repeats: int) -> Sequence[TrainRow]:
    """All sentences, again and again; each repeat takes the next wording."""

    def row(place: int) -> TrainRow:
        repeat, number = divmod(place, len(said))
        wordings, chunk = said[number]
        return formats.text_row(wordings[repeat % len(wordings)], metadata={"kind": "sentence", "chunk": chunk})

    return OnDemand(len(said) * repeats, row)


def _draw(rows: Sequence[TrainRow], settings: MixSettings) -> Sequence[TrainRow]:
    """The replay share of `rows`, without replacement."""
    order = array("q", range(len(rows)))
    random.Random(settings.seed).shuffle(order)
    return on_demand.picked(rows, array("q", sorted(order[: round(len(rows) * settings.replay_share)])))


def _write(path: Path, rows: Sequence[TrainRow], seed: int) -> dict[str, int]:
    order = array("q", range(len(rows)))
    random.Random(seed).shuffle(order)
    kinds: Counter[str] = Counter()

    def shuffled() -> Iterator[dict[str, Any]]:
        for place in order:
            row = rows[place]
            kinds[_kind(row)] += 1
            yield row.to_json()

    jsonl.write(path, shuffled())
    return dict(sorted(kinds.items()))


def _kind(row: TrainRow) -> str:
    metadata = json.loads(row.metadata)
    return str(metadata.get("kind", "question"))
