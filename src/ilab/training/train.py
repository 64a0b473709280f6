"""Train one phase: rows and a base model in, checkpoints out. Calling it again goes on, or returns what is there.

<out>/plan.json  dropped.jsonl  metrics.jsonl  train.log  checkpoints/  state/ (until the end)
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ilab.base import digest, hardware, jsonl, lazy
from ilab.base.report import Reporter
from ilab.errors import MissingHardware, TrainingError
from ilab.training import budget, checkpoints, launch, validation
from ilab.training import plan as planning
from ilab.training.checkpoints import Checkpoint
from ilab.training.plan import TrainPlan
from ilab.training.settings import OUTSIDE_KEY, PhaseSettings, TrainSettings
from ilab.training.token_table import TOKENS, VALIDATION, TokenTable
from ilab.training.tokenize import Dropped, RowTokenizer, tokenize_file


def train(
    *, model: Path, rows: Path, out: Path, phase: PhaseSettings, settings: TrainSettings, report: Reporter
) -> list[Checkpoint]:
    """Fine-tune the safetensors folder `model` on the training file `rows`; the last checkpoint is the end result.

    `out` belongs to this training alone. Raises `TrainingError` when it holds another one, `UserFileError` for rows
    that are wrong, `MissingHardware` or `MissingDisk` before the start when the machine is too small.
    """
    lazy.check("torch", "transformers", "tokenizers", "safetensors", feature="training", extra="train")
    if settings.lora_rank:
        lazy.check("peft", feature="training of adapters", extra="lora")
    key = _key(model, rows, phase, settings)
    before = _earlier_plan(out, key)
    if before is not None and _finished(out, before):
        shutil.rmtree(out / "state", ignore_errors=True)
        return checkpoints.find(out)
    shape = budget.read_shape(model)
    read = tokenize_file(
        rows,
        RowTokenizer.from_model(model),
        max_seq_len=settings.max_seq_len,
        name_documents=settings.validation_share > 0,
    )
    _tell_dropped(read.dropped, out, report)
    table = read.table
    if not len(table):
        raise TrainingError(f"{rows} has no row to train", hint="see dropped.jsonl beside the training log")
    if settings.validation_share:
        table, held = validation.divide(table, read.documents, share=settings.validation_share, seed=settings.seed)
        held.write(out / "state" / VALIDATION)
    table.write(out / "state" / TOKENS)
    plan = make_plan(table, model=model, out=out, key=key, phase=phase, settings=settings)
    budget.check(plan, shape)
    launch.run(plan, report)
    shutil.rmtree(out / "state")
    return checkpoints.find(out)


def make_plan(
    table: TokenTable, *, model: Path, out: Path, key: str, phase: PhaseSettings, settings: TrainSettings
) -> TrainPlan:
    """Work out the whole training. Raises `MissingHardware` when a GPU is asked for and there is none."""
    steps = planning.all_steps(table.lengths, settings, phase)
    return TrainPlan(
        key=key,
        model=str(model.resolve()),
        out=str(out.resolve()),
        settings=settings.model_dump(mode="json"),
        phase=phase.model_dump(mode="json"),
        rows=len(table),
        tokens=table.tokens * phase.num_epochs,
        trained_tokens=table.trained_tokens * phase.num_epochs,
        steps=len(steps),
        saves=planning.save_points(steps, settings, phase),
        widest=planning.widest(steps, table, settings),
        device=_device(settings),
        threads=settings.threads or hardware.usable_cores(),
    )


def _device(settings: TrainSettings) -> str:
    if settings.device == "cpu":
        return "cpu"
    there = bool(hardware.gpus())
    if settings.device == "cuda" and not there:
        raise MissingHardware("training on a GPU is asked for, and there is none", hint="set training.device to cpu")
    return "cuda" if there else "cpu"


def _key(model: Path, rows: Path, phase: PhaseSettings, settings: TrainSettings) -> str:
    """Stands for everything that decides the result."""
    outside = {name for name, field in TrainSettings.model_fields.items() if field.json_schema_extra == OUTSIDE_KEY} | {
        "phase1",
        "phase2",
    }
    return digest.of_value(
        {
            "version": planning.SCHEMA_VERSION,
            "model": digest.of_path(model),
            "rows": digest.of_file(rows),
            "phase": phase.model_dump(mode="json"),
            "settings": settings.model_dump(mode="json", exclude=outside),
        }
    )


def _earlier_plan(out: Path, key: str) -> TrainPlan | None:
    """The plan that `out` was begun with, or None. Raises `TrainingError` when it is another one."""
    path = out / "plan.json"
    if not path.exists():
        return None
    row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if row.get("key") != key:
        raise TrainingError(
            f"{out} holds a training with another model, other rows or other settings",
            hint="give an empty folder, or remove this one",
        )
    return TrainPlan.from_json(row)


def _finished(out: Path, plan: TrainPlan) -> bool:
    return (checkpoints.folder_of(out, plan.steps) / "DONE.json").exists()


def _tell_dropped(dropped: list[Dropped], out: Path, report: Reporter) -> None:
    jsonl.write(out / "dropped.jsonl", [asdict(row) for row in dropped])
    for reason in dict.fromkeys(row.reason for row in dropped):
        count = sum(1 for row in dropped if row.reason == reason)
        report.warning(f"{count} training rows are left out: {reason}")
