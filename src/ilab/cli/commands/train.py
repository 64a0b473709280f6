"""`ilab model train`: train on files that exist already."""

from __future__ import annotations

from pathlib import Path

import click

from ilab.base import digest
from ilab.cli import job as jobs
from ilab.cli import output
from ilab.cli.options import load_config, open_run, run_options, set_option, settings_flags

_ROOMS = ("models", "training", "evaluation", "serving")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("train")
@click.option(
    "--strategy",
    type=click.Choice(["lab-multiphase", "lab-skills-only"]),
    help="Train in phases (knowledge, then skills), or the skills phase only.",
)
@click.option("--phased-phase1-data", "phase1_data", type=_FILE, help="Knowledge: knowledge_train_msgs_*.jsonl.")
@click.option("--phased-phase2-data", "phase2_data", type=_FILE, help="Skills: skills_train_msgs_*.jsonl.")
@click.option("--data-path", type=_FILE, help="The training file of a single phase.")
@click.option("--name", default="", help="Also keep the best checkpoint in the store under this name, ready to chat.")
@settings_flags(
    {
        "--model-path": "models.student",
        "--phased-phase1-num-epochs, --num-epochs": "training.phase1.num_epochs",
        "--phased-phase2-num-epochs": "training.phase2.num_epochs",
        "--phased-phase1-learning-rate, --learning-rate": "training.phase1.learning_rate",
        "--phased-phase2-learning-rate": "training.phase2.learning_rate",
        "--effective-batch-size": "training.effective_batch_size",
        "--max-seq-len": "training.max_seq_len",
        "--max-batch-len": "training.max_batch_len",
        "--save-samples": "training.save_samples",
        "--device": "training.device",
        "--questions": "evaluation.questions",
    }
)
@set_option
@run_options
@click.pass_context
def train(
    ctx: click.Context,
    /,
    strategy: str | None,
    phase1_data: Path | None,
    phase2_data: Path | None,
    data_path: Path | None,
    name: str,
    **_: object,
) -> None:
    """Runs the training process on the model.

    With questions about the documents (--questions) every checkpoint is scored on half of them and the best one is
    taken; without, the last one is.
    """
    from ilab.base import lazy
    from ilab.pipeline import phased

    knowledge, skills = _files(strategy, phase1_data, phase2_data, data_path)
    lazy.check("torch", "transformers", "safetensors", "gguf", feature="training", extra="train")
    loaded = load_config(ctx)
    job = jobs.of(loaded, name=name or "trained")
    files = {str(path): digest.of_file(path) for path in (knowledge, skills) if path}
    inputs = {"files": files, "name": name, **jobs.file_inputs(loaded)}
    jobs.check_models(job, job.models.student)
    folder = open_run(ctx, "train", loaded=loaded, rooms=_ROOMS, inputs=inputs)
    output.tell(f"run {folder.id}")
    with folder.working():
        chosen = phased.train_phases(folder, job, knowledge=knowledge, skills=skills)
        kept = phased.keep(folder, job, chosen).name if name else ""
        accuracy = next((row.accuracy for row in chosen.choice.table if row.chosen), None)
        folder.finish(
            {
                "model": kept,
                "checkpoint": str(chosen.checkpoint.path),
                "score": accuracy,
                "reason": chosen.choice.reason,
            }
        )
    if ctx.params["as_json"]:
        output.print_json(folder.result())
        return
    score = "" if accuracy is None else f" with score: {accuracy}"
    click.echo(f"Training finished! Best final checkpoint: {chosen.checkpoint.name}{score}")
    click.echo(str(chosen.checkpoint.path))
    if kept:
        output.tell(f"kept as {kept}   (ilab model chat --model {kept})")


def _files(
    strategy: str | None, phase1: Path | None, phase2: Path | None, single: Path | None
) -> tuple[Path | None, Path | None]:
    """(knowledge file, skills file) that the flags ask for; usage errors name the flag that is missing."""
    if strategy == "lab-multiphase" and not (phase1 and phase2):
        missing = "--phased-phase1-data" if not phase1 else "--phased-phase2-data"
        raise click.UsageError(f"--strategy lab-multiphase needs {missing}")
    if strategy == "lab-skills-only":
        if not phase2:
            raise click.UsageError("--strategy lab-skills-only needs --phased-phase2-data")
        return None, phase2
    if single and (phase1 or phase2):
        raise click.UsageError("--data-path is for a single phase; give it alone")
    if not (single or phase1 or phase2):
        raise click.UsageError("nothing to train on: give --data-path, or --strategy lab-multiphase with its two files")
    return single or phase1, phase2
