"""Forward, loss, step, log: the loop and nothing else.

Every step is a function of the weights, the moments and its number. The gradient of a step is that of the sum of its
token losses divided by the number of its trained tokens, however the rows are divided into packed rows.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ilab.base import hardware, jsonl
from ilab.errors import TrainingError
from ilab.training import checkpoints, torch_adapter, torch_attention, torch_files, torch_state, torch_vocabulary
from ilab.training import plan as planning
from ilab.training.checkpoints import Checkpoint
from ilab.training.families import Family
from ilab.training.plan import Step, TrainPlan
from ilab.training.settings import TrainSettings
from ilab.training.token_table import UNTRAINED, TokenTable
from ilab.training.torch_attention import Segment

_MOST_SHARE = 0.02
"""Saving the state may take at most this share of the time."""
_LOOKED_AT = 256
"""Validation rows that are packed together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Rows side by side, ready for the network.

    `ids` are (1, tokens), `inputs` the other arguments of the model; `targets` (labels) are the tokens to predict at
    the positions `index`, and `weights` says how many rows want each of them.
    """

    ids: torch.Tensor
    inputs: dict[str, Any]
    index: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor


def pack(table: TokenTable, families: Sequence[Family], device: torch.device) -> Packed:
    """Put families of rows side by side, each common beginning once and before what its rows have of their own.

    A row ends before its last trained token: that one is only predicted. A label in a common beginning counts once for
    each row; its last position predicts a token for each of them.
    """
    ids: list[int] = []
    positions: list[int] = []
    wanted: Counter[tuple[int, int]] = Counter()
    segments: list[Segment] = []
    for family in families:
        first = len(ids)
        head, _ = table.row(family.rows[0])
        ids += head[: family.prefix]
        positions += range(family.prefix)
        if family.prefix:
            segments.append(Segment(1, family.prefix))
        for row in family.rows:
            tokens, labels = table.row(row)
            width = table.width(row)
            moved = len(ids) - family.prefix
            for place, label in enumerate(labels[1 : width + 1]):
                if label != UNTRAINED:
                    wanted[(first if place < family.prefix else moved) + place, label] += 1
            ids += tokens[family.prefix : width]
            positions += range(family.prefix, width)
            if width > family.prefix:
                segments.append(Segment(1, width - family.prefix, first, family.prefix))
    index, targets = (torch.tensor(column).to(device) for column in zip(*wanted, strict=True))
    inputs = {
        "position_ids": torch.tensor([positions]).to(device),
        "use_cache": False,
        "segments": torch_attention.group(segments),
    }
    weights = torch.tensor(list(wanted.values()), dtype=torch.float32).to(device)
    return Packed(ids=torch.tensor([ids]).to(device), inputs=inputs, index=index, targets=targets, weights=weights)


def add_gradients(model: Any, table: TokenTable, step: Step, settings: TrainSettings) -> tuple[float, int]:
    """Add the gradients of one step to the model's; returns the mean loss in nats and the number of trained tokens."""
    trained = sum(table.trained(row) for row in step.rows)
    total = 0.0
    for families in planning.packed_rows(step, table, settings):
        loss = _loss(model, pack(table, families, model.device), 1 / trained, settings)
        loss.backward()
        total += loss.item()
    return total, trained


def loss_on(model: Any, table: TokenTable, settings: TrainSettings) -> float:
    """The mean loss in nats over the trained tokens of all rows; no weight, gradient or random state changes."""
    was_training = model.training
    model.eval()
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(table), _LOOKED_AT):
            rows = tuple(range(start, min(start + _LOOKED_AT, len(table))))
            for families in planning.packed_rows(Step(epoch=0, rows=rows), table, settings):
                total += _loss(model, pack(table, families, model.device), 1.0, settings).item()
    model.train(was_training)
    return total / table.trained_tokens


def _loss(model: Any, packed: Packed, scale: float, settings: TrainSettings) -> torch.Tensor:
    """The summed loss of a packed row times `scale`."""
    with torch.autocast(model.device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
        inputs = packed.inputs | torch_vocabulary.embed(model, packed.ids)
        return torch_vocabulary.loss(
            model, inputs, index=packed.index, targets=packed.targets, weights=packed.weights * scale
        )


def make_optimizer(model: Any, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW with its moments in place; only matrices decay."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": [one for one in parameters if one.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
        ],
        betas=(settings.adam_beta1, settings.adam_beta2),
        eps=settings.adam_eps,
        fused=True,
    )
    for parameter in parameters:
        optimizer.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer


def gradient_norm(model: Any) -> float:
    """The norm of all gradients together."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    norm: float = torch.nn.utils.get_total_norm(gradients).item()
    return norm


def clipped_step(optimizer: torch.optim.AdamW, *, rate: float, shrink: float) -> None:
    """One step with the gradients divided by `shrink` if that makes them smaller; they are gone afterwards.

    The optimizer divides while it reads them, which saves a pass over all gradients.
    """
    optimizer.grad_scale = torch.tensor(max(1.0, shrink))
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def load_model(folder: Path, device: torch.device, settings: TrainSettings | None = None) -> Any:
    """The base model in fp32, with packed attention and the adapters of `settings`, checked.

    Raises `TrainingError` when it cannot be trained.
    """
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    model = model.to(device).eval()
    torch_attention.install(model)
    torch_attention.check(model)
    if settings is not None and settings.lora_rank:
        torch_adapter.add(model, settings)
    return model.train()


class Training:
    """One phase at work, from its first step or from the last saved state."""

    def __init__(self, plan: TrainPlan, *, model: Any, table: TokenTable, unseen: TokenTable | None = None) -> None:
        self.plan = plan
        self.model = model
        self.table = table
        self.unseen = unseen
        self.settings = plan.train
        self.steps = planning.all_steps(table.lengths, plan.train, plan.own)
        self.optimizer = make_optimizer(model, plan.train)
        self.tensors = torch_state.tensors_of(model, self.optimizer)
        self.counters = torch_state.load(plan.folder / "state", self.tensors, key=plan.key) or torch_state.Counters()
        checkpoints.remove_unfinished(plan.folder)
        self.metrics = plan.folder / "metrics.jsonl"
        if self.metrics.exists():
            kept = [row for row in jsonl.read(self.metrics, skip_torn=True) if row["step"] <= self.counters.step]
            jsonl.write(self.metrics, kept)
        self._saved = time.monotonic()
        self._pause = self.settings.state_every_seconds

    def run(self, stopped: Callable[[], bool]) -> bool:
        """Work to the end, or until `stopped` says so after a step; tells whether the end was reached."""
        with self.metrics.open("ab") as metrics:
            if self.unseen is not None and not metrics.tell():
                _append(metrics, {"step": 0, "validation_loss": loss_on(self.model, self.unseen, self.settings)})
            for step in self.steps[self.counters.step :]:
                row = self._step(step)
                saves = self.counters.step in self.plan.saves
                if saves and self.unseen is not None:
                    row["validation_loss"] = loss_on(self.model, self.unseen, self.settings)
                _append(metrics, row)
                if saves:
                    self._save_checkpoint(step, row.get("validation_loss"))
                if self.counters.step == len(self.steps):
                    break
                if stopped():
                    self._save_state()
                    return False
                if time.monotonic() - self._saved >= self._pause:
                    self._save_state()
        return True

    def _step(self, step: Step) -> dict[str, Any]:
        """One optimizer step; returns its row of metrics.jsonl."""
        began = time.monotonic()
        number = self.counters.step
        rate = planning.learning_rate(number, len(self.steps), self.settings, peak=self.plan.own.learning_rate)
        torch.manual_seed(self.settings.seed * 1_000_003 + number)
        loss, trained = add_gradients(self.model, self.table, step, self.settings)
        norm = gradient_norm(self.model)
        if not math.isfinite(loss + norm) or (norm == 0 and number == 0):
            raise TrainingError(
                f"step {number + 1} has loss {loss} and gradient norm {norm}: the model cannot learn from this",
                hint=f"lower the learning rate (now {self.plan.own.learning_rate}); the rows of the step are "
                f"{list(step.rows[:10])}",
            )
        clipped_step(self.optimizer, rate=rate, shrink=norm / self.settings.clip_norm)
        return self._count(step, loss=loss, trained=trained, seconds=time.monotonic() - began) | {
            "lr": rate,
            "grad_norm": norm,
        }

    def _count(self, step: Step, *, loss: float, trained: int, seconds: float) -> dict[str, Any]:
        counters = self.counters
        tokens = sum(self.table.lengths[row] for row in step.rows)
        counters.step += 1
        counters.samples += len(step.rows)
        counters.tokens += tokens
        counters.loss += loss * trained
        counters.trained += trained
        counters.seconds += seconds
        return {
            "step": counters.step,
            "epoch": step.epoch + 1,
            "samples": counters.samples,
            "tokens": counters.tokens,
            "trained_tokens": trained,
            "loss": loss,
            "tokens_per_second": round(tokens / seconds, 1),
            "seconds": round(counters.seconds, 3),
            "memory_bytes": hardware.peak_memory(),
        }

    def _save_checkpoint(self, step: Step, validation_loss: float | None) -> None:
        counters = self.counters
        row = Checkpoint(
            path=checkpoints.folder_of(self.plan.folder, counters.step),
            name=f"samples_{counters.samples}",
            step=counters.step,
            epoch=step.epoch + 1,
            samples=counters.samples,
            tokens=counters.tokens,
            loss=counters.loss / counters.trained,
            validation_loss=validation_loss,
        )
        checkpoints.write(self.plan.folder, row, base=Path(self.plan.model), weights=self._write_weights)
        counters.loss, counters.trained = 0.0, 0

    def _write_weights(self, path: Path) -> str:
        """Write the model as it is now to `path`, and the adapters beside it; returns the digest of the model."""
        if self.settings.lora_rank:
            torch_adapter.write(
                self.model, path.parent / torch_adapter.FOLDER, base=self.plan.model, settings=self.settings
            )
        return torch_files.write(path, torch_adapter.Merged(self.model), digest=True)

    def _save_state(self) -> None:
        began = time.monotonic()
        torch_state.save(self.plan.folder / "state", self.tensors, self.counters, key=self.plan.key)
        self._saved = time.monotonic()
        if self.settings.state_every_seconds:
            self._pause = max(self.settings.state_every_seconds, (self._saved - began) / _MOST_SHARE)


def _append(metrics: BinaryIO, row: Mapping[str, Any]) -> None:
    """Add one row to metrics.jsonl, where others follow it."""
    metrics.write(jsonl.dumps(row).encode() + b"\n")
    metrics.flush()
