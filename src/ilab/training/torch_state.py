"""The state that a broken training goes on from: weights, AdamW moments and counters.

    <out>/state/a/   tensors.safetensors, STATE.json        two places that take turns: one is whole at any moment
    <out>/state/b/   tensors.safetensors, STATE.json

A place loses its STATE.json before it is overwritten and gets a new one last. The random state is not kept: the seed of
every step follows from its number.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ilab.base import atomic
from ilab.training import torch_files

_PLACES = ("a", "b")


@dataclass(slots=True, kw_only=True)
class Counters:
    """How far a training is. `loss` is summed over the `trained` tokens since the last checkpoint; `seconds` counts
    the time in steps, saves left out.
    """

    step: int = 0
    samples: int = 0
    tokens: int = 0
    loss: float = 0.0
    trained: int = 0
    seconds: float = 0.0


def tensors_of(model: Any, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Every tensor that the next step depends on and training changes, by name; tied weights once."""
    found: dict[str, torch.Tensor] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        state = optimizer.state[parameter]
        found |= {
            f"weight.{name}": parameter,
            f"exp_avg.{name}": state["exp_avg"],
            f"exp_avg_sq.{name}": state["exp_avg_sq"],
            f"step.{name}": state["step"],
        }
    return found


def save(folder: Path, tensors: Mapping[str, torch.Tensor], counters: Counters, *, key: str) -> None:
    """Save the state beside the newest one. Raises `MissingDisk` and keeps the newest one when the disk is full."""
    newest = _newest(folder, key)
    place = next(folder / name for name in _PLACES if newest is None or folder / name != newest[0])
    with atomic.disk_errors(folder):
        place.mkdir(parents=True, exist_ok=True)
        (place / "STATE.json").unlink(missing_ok=True)
        atomic.sync_folder(place)
        try:
            torch_files.write(place / "tensors.safetensors", tensors)
        except OSError:
            shutil.rmtree(place)
            raise
        atomic.write_json(place / "STATE.json", {"key": key, **asdict(counters)})
        atomic.sync_folder(folder)


def load(folder: Path, tensors: Mapping[str, torch.Tensor], *, key: str) -> Counters | None:
    """Fill `tensors` from the newest state saved under `key`; None when there is none."""
    newest = _newest(folder, key)
    if newest is None:
        return None
    torch_files.read_into(newest[0] / "tensors.safetensors", tensors)
    return newest[1]


def _newest(folder: Path, key: str) -> tuple[Path, Counters] | None:
    found = []
    for place in (folder / name for name in _PLACES):
        path = place / "STATE.json"
        row = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if row.pop("key", None) == key:
            found.append((place, Counters(**row)))
    return max(found, key=lambda pair: pair[1].step, default=None)
