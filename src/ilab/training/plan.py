"""What a training will do, worked out before it starts: order, steps, learning rates, save points. Imports no torch.

Everything is a pure function of the settings, the row lengths and a step counter, so that a broken training goes on
from a step number alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ilab.training import families
from ilab.training.families import Family
from ilab.training.settings import PhaseSettings, TrainSettings
from ilab.training.token_table import TokenTable

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One optimizer step: the epoch counts from 0, `rows` are positions in the token table."""

    epoch: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """A training as written to plan.json: everything that its process needs to know.

    `key` stands for model, rows and settings: work is taken up again only under the same key. `tokens` are those of all
    rows in all epochs, `saves` the step numbers (from 1) after which a checkpoint is written; `widest` is the largest
    number of tokens computed at once.
    """

    key: str
    model: str
    out: str
    settings: dict[str, Any]
    phase: dict[str, Any]
    rows: int
    tokens: int
    trained_tokens: int
    steps: int
    saves: list[int]
    widest: int
    device: str
    threads: int
    schema_version: int = SCHEMA_VERSION

    @property
    def folder(self) -> Path:
        """Where the training writes."""
        return Path(self.out)

    @property
    def train(self) -> TrainSettings:
        """The settings of all phases."""
        return TrainSettings.model_validate(self.settings)

    @property
    def own(self) -> PhaseSettings:
        """The settings of this phase."""
        return PhaseSettings.model_validate(self.phase)

    def to_json(self) -> dict[str, Any]:
        """The plan as it stands in plan.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> TrainPlan:
        """The plan out of plan.json."""
        return cls(**row)


def epoch_order(seed: int, epoch: int, count: int) -> list[int]:
    """The order of `count` rows in an epoch; depends on nothing but its arguments."""
    order = list(range(count))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return order


def batches(
    lengths: Sequence[int], order: Sequence[int], *, samples: int = 0, tokens: int = 0
) -> list[tuple[int, ...]]:
    """Cut `order` into batches, keeping the order; every row is in exactly one.

    With `samples` each batch has so many rows (the last one may have fewer). Otherwise the epoch is cut into the fewest
    batches with about `tokens` tokens or less, all of about the same size, so that no step is small.
    """
    if samples:
        return [tuple(order[start : start + samples]) for start in range(0, len(order), samples)]
    total = sum(lengths[row] for row in order)
    count = math.ceil(total / tokens)
    cut: list[list[int]] = [[] for _ in range(count)]
    before = 0
    for row in order:
        cut[int((before + lengths[row] / 2) * count / total)].append(row)
        before += lengths[row]
    return [tuple(rows) for rows in cut if rows]


def all_steps(lengths: Sequence[int], settings: TrainSettings, phase: PhaseSettings) -> list[Step]:
    """Every optimizer step of a phase in order."""
    samples = phase.effective_batch_size or settings.effective_batch_size
    steps = []
    for epoch in range(phase.num_epochs):
        order = epoch_order(settings.seed, epoch, len(lengths))
        cut = batches(lengths, order, samples=samples, tokens=settings.batch_tokens)
        steps += [Step(epoch=epoch, rows=rows) for rows in cut]
    return steps


def micro_batches(members: Sequence[Family], limit: int) -> list[list[Family]]:
    """Divide the families of a step into packed rows of at most `limit` computed tokens (a wider one stands alone).

    First fit, widest first. Inside a packed row equal widths stand side by side, for batched attention.
    """
    packed: list[list[Family]] = []
    room: list[int] = []
    for family in sorted(members, key=lambda one: (one.width, one.rows), reverse=True):
        place = next((place for place, free in enumerate(room) if free >= family.width), None)
        if place is None:
            packed.append([])
            room.append(limit)
            place = len(room) - 1
        packed[place].append(family)
        room[place] -= family.width
    return packed


def learning_rate(step: int, total: int, settings: TrainSettings, *, peak: float) -> float:
    """The learning rate of `step` (from 0) of `total`: linear warm-up, then the schedule down to its minimum."""
    warmup = min(settings.warmup_steps, total // 2)
    if step < warmup:
        return peak * (step + 1) / warmup
    if settings.schedule == "constant":
        return peak
    course = (step - warmup) / max(1, total - 1 - warmup)
    least = settings.min_lr_ratio
    return peak * (least + (1 - least) * (1 + math.cos(math.pi * course)) / 2)


def save_points(steps: Sequence[Step], settings: TrainSettings, phase: PhaseSettings) -> list[int]:
    """Step numbers (from 1) after which a checkpoint is written: ascending, and always the last."""
    every = phase.save_samples or settings.save_samples
    if not every:
        count = min(settings.checkpoints_per_phase, len(steps))
        return [round(len(steps) * (number + 1) / count) for number in range(count)]
    found = []
    seen = 0
    for number, step in enumerate(steps, start=1):
        before, seen = seen, seen + len(step.rows)
        if seen // every > before // every or number == len(steps):
            found.append(number)
    return found


def widest(steps: Sequence[Step], table: TokenTable, settings: TrainSettings) -> int:
    """The largest number of tokens computed at once, or a little more: what rows have in common is not looked for."""
    largest = max(sum(map(table.width, step.rows)) for step in steps)
    longest = max(map(table.width, range(len(table))))
    return min(largest, max(longest, settings.max_batch_len))


def packed_rows(step: Step, table: TokenTable, settings: TrainSettings) -> list[list[Family]]:
    """The rows of `step` as they are computed together."""
    limit = settings.max_batch_len
    # what is left out at random differs from row to row, so it cannot be computed once
    if settings.share_prefixes and not (settings.lora_rank and settings.lora_dropout):
        found = families.find(step.rows, [table.computed(row) for row in step.rows], limit=limit)
    else:
        found = families.singles(step.rows, [table.width(row) for row in step.rows])
    return micro_batches(found, limit)
