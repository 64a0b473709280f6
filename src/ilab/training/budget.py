"""Memory and disk that a training needs, estimated from file headers, and the refusal before hours are lost."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilab.base import hardware
from ilab.errors import MissingDisk, MissingHardware, MissingModel
from ilab.training.plan import TrainPlan

HEAD_ROWS = 512
"""Positions that go through the output layer at once; bounds the memory for logits (positions x vocabulary)."""
_PROGRAM = 600 * 2**20
"""Bytes that the libraries take by themselves."""
_MOST_HEADER = 100 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The sizes of a model that decide what training it costs."""

    parameters: int
    layers: int
    hidden: int
    intermediate: int
    vocabulary: int


def read_shape(folder: Path) -> ModelShape:
    """The shape of a safetensors folder, from config.json and the headers of its weights. Raises `MissingModel`."""
    names: dict[str, int] = {}
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.safetensors")):
            names.update(_tensor_sizes(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MissingModel(f"{folder} is not a readable model folder: {error}") from error
    if not names:
        raise MissingModel(f"{folder} has no safetensors weights", hint="training needs a safetensors model folder")
    if config.get("tie_word_embeddings"):
        names.pop("lm_head.weight", None)
    text = config.get("text_config", config)
    hidden = int(text.get("hidden_size", 0))
    return ModelShape(
        parameters=sum(names.values()),
        layers=int(text.get("num_hidden_layers", 0)),
        hidden=hidden,
        intermediate=int(text.get("intermediate_size") or 4 * hidden),
        vocabulary=int(text.get("vocab_size", 0)),
    )


def memory_needed(shape: ModelShape, *, widest: int, lora_rank: int = 0) -> int:
    """Bytes that fine-tuning in fp32 needs at its peak, with `widest` tokens computed at once.

    Weights take 4 bytes a parameter; gradients and two AdamW moments 12 more where it is trained. A layer keeps about
    16 hidden and 4 intermediate vectors a token for the way back.
    """
    activations = 4 * widest * shape.layers * (16 * shape.hidden + 4 * shape.intermediate)
    logits = 4 * 2 * min(widest, HEAD_ROWS) * shape.vocabulary
    trained = _adapter_parameters(shape, lora_rank) if lora_rank else shape.parameters
    return 4 * shape.parameters + 12 * trained + activations + logits + _PROGRAM


def _adapter_parameters(shape: ModelShape, rank: int) -> int:
    """Parameters of adapters at the seven matrices of every layer, at most."""
    return shape.layers * rank * (8 * shape.hidden + 3 * (shape.hidden + shape.intermediate))


def disk_needed(shape: ModelShape, *, checkpoints: int, lora_rank: int = 0) -> int:
    """Bytes that the checkpoints take, and the two copies of the state that a broken training resumes from."""
    trained = _adapter_parameters(shape, lora_rank) if lora_rank else shape.parameters
    return shape.parameters * 4 * checkpoints + 2 * trained * 12


def check(plan: TrainPlan, shape: ModelShape) -> None:
    """Raise `MissingHardware` or `MissingDisk` when the plan does not fit this machine."""
    memory = memory_needed(shape, widest=plan.widest, lora_rank=plan.train.lora_rank)
    if plan.device == "cuda":
        place, there = "the GPU has", max((gpu.memory for gpu in hardware.gpus()), default=0)
    else:
        place, there = "this machine has free", hardware.memory()[1]
    if 0 < there < memory:
        raise MissingHardware(
            f"training {plan.model} needs about {_gigabytes(memory)} of memory; {place} {_gigabytes(there)}",
            hint=f"lower training.max_batch_len (now {plan.train.max_batch_len}), train adapters (training.lora_rank), "
            "stop other programs, or train a smaller model",
        )
    present = sum(file.stat().st_size for file in plan.folder.rglob("*") if file.is_file())
    disk = max(0, disk_needed(shape, checkpoints=len(plan.saves), lora_rank=plan.train.lora_rank) - present)
    free = hardware.free_disk(plan.folder)
    if free < disk:
        raise MissingDisk(
            f"training writes about {_gigabytes(disk)} below {plan.folder}; free are {_gigabytes(free)}",
            hint="lower training.checkpoints_per_phase, or free some space (`ilab run prune` removes old runs)",
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _tensor_sizes(path: Path) -> dict[str, int]:
    """Numbers of elements by tensor name, from the header of a safetensors file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _MOST_HEADER:
            raise ValueError(f"{path.name} is not a safetensors file")
        header = json.loads(file.read(length))
    return {name: math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
