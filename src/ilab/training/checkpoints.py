"""Checkpoints on disk: complete model folders that any engine can load. DONE.json is written last.

    <out>/checkpoints/step-000400/   config.json, tokenizer and template of the base model, model.safetensors, DONE.json

A checkpoint is built in a hidden folder and renamed, so a folder named `step-*` is always whole.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ilab.base import atomic
from ilab.errors import TrainingError

SCHEMA_VERSION = 1
_WEIGHTS = (".safetensors", ".bin", ".gguf", ".pt", ".pth", ".h5", ".msgpack", ".onnx")
_NOT_COPIED = ("MODEL.json", "DONE.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A trained model folder. `name` counts the samples seen, as in `samples_1945`.

    `epoch` counts from 1, `tokens` are those seen so far, `loss` is the mean over the trained tokens since the
    checkpoint before, in nats; `validation_loss` that of documents which are not trained, None without such.
    """

    path: Path
    name: str
    step: int
    epoch: int
    samples: int
    tokens: int
    loss: float
    validation_loss: float | None = None


def name_of(checkpoint: Path) -> str:
    """The name of a checkpoint folder, `samples_N`. Raises `TrainingError` when the folder is not complete."""
    return f"samples_{_record(checkpoint)['samples']}"


def read(checkpoint: Path) -> Checkpoint:
    """A checkpoint out of its folder. Raises `TrainingError` when the folder is not complete."""
    row = _record(checkpoint)
    return Checkpoint(
        path=checkpoint,
        name=name_of(checkpoint),
        step=row["step"],
        epoch=row["epoch"],
        samples=row["samples"],
        tokens=row["tokens"],
        loss=row["loss"],
        validation_loss=row.get("validation_loss"),
    )


def find(out: Path) -> list[Checkpoint]:
    """Every complete checkpoint of a training, in the order of its steps."""
    folders = sorted((out / "checkpoints").glob("step-*"))
    return [read(folder) for folder in folders if (folder / "DONE.json").exists()]


def folder_of(out: Path, step: int) -> Path:
    """Where the checkpoint after `step` lies."""
    return out / "checkpoints" / f"step-{step:06d}"


def write(out: Path, row: Checkpoint, *, base: Path, weights: Callable[[Path], str], dtype: str = "float32") -> None:
    """Write one checkpoint; does nothing when it is there already.

    `weights` writes the tensors to the path that it is given, syncs them and returns their digest; `dtype` is their
    number format. Everything else is copied from the model folder `base`.
    """
    target = folder_of(out, row.step)
    if (target / "DONE.json").exists():
        return
    building = target.with_name(f".{target.name}.tmp")
    with atomic.disk_errors(target):
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        try:
            _copy_companions(base, building)
            _write_config(base, building, dtype)
            digest = weights(building / "model.safetensors")
            known = {key: value for key, value in asdict(row).items() if key != "path"}
            atomic.write_json(building / "DONE.json", {"schema_version": SCHEMA_VERSION, "digest": digest, **known})
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        building.rename(target)
        atomic.sync_folder(target.parent)


def remove_unfinished(out: Path) -> None:
    """Remove what a crash left of checkpoints that were being built."""
    for folder in (out / "checkpoints").glob(".step-*.tmp"):
        shutil.rmtree(folder)


def _copy_companions(base: Path, folder: Path) -> None:
    """Copy the tokenizer, template, generation settings and licence of `base`."""
    for file in sorted(base.iterdir()):
        weights = file.name.endswith(_WEIGHTS) or file.name.endswith(".index.json")
        if file.is_file() and not weights and file.name not in _NOT_COPIED and not file.name.startswith("."):
            shutil.copyfile(file, folder / file.name)
            with (folder / file.name).open("rb") as copy:
                os.fsync(copy.fileno())


def _write_config(base: Path, folder: Path, dtype: str) -> None:
    """The configuration of `base`, telling the number format of our weights."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config.pop("torch_dtype", None)
    config.pop("quantization_config", None)
    atomic.write_json(folder / "config.json", config | {"dtype": dtype})


def _record(checkpoint: Path) -> dict[str, Any]:
    path = checkpoint / "DONE.json"
    try:
        row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(f"{checkpoint} is not a complete checkpoint: DONE.json is missing") from error
    if row.get("schema_version", 0) > SCHEMA_VERSION:
        raise TrainingError(f"{checkpoint} was written by a newer ilab", hint="update ilab to read it")
    return row
