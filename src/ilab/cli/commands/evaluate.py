"""`ilab model evaluate`: compare a model with its base on questions about a document."""

from __future__ import annotations

import click

from ilab.cli import job as jobs
from ilab.cli import output
from ilab.cli.options import load_config, open_run, run_options, set_option, settings_flags


@click.command("evaluate")
@click.option("--benchmark", type=click.Choice(["knowledge"]), required=True, help="What to measure.")
@click.option("--model", required=True, help="The model to judge: a name in the store, a folder or a file.")
@settings_flags(
    {
        "--base-model": "models.student",
        "--questions": "evaluation.questions",
        "--placebo": "evaluation.placebo",
        "--keepset": "evaluation.keepset",
    }
)
@set_option
@run_options
@click.pass_context
def evaluate(ctx: click.Context, benchmark: str, model: str, run: str, detached: bool, as_json: bool) -> None:
    """Runs the evaluation process on the model.

    `knowledge` asks both models the questions of --questions from memory, and general questions that must not be
    forgotten, and says in words what was learned and what was lost.
    """
    del benchmark, run, detached
    from ilab.base import lazy
    from ilab.evaluation.report import screen
    from ilab.evaluation.report.data import ReportData
    from ilab.pipeline import knowledge

    lazy.check("torch", "transformers", "safetensors", "gguf", feature="exact likelihoods", extra="train")
    loaded = load_config(ctx)
    job = jobs.of(loaded)
    inputs = {"model": model, **jobs.file_inputs(loaded)}
    knowledge.proof_of(job)
    jobs.check_models(job, job.models.student, model)
    folder = open_run(ctx, "evaluate", loaded=loaded, rooms=("models", "evaluation", "serving"), inputs=inputs)
    output.tell(f"run {folder.id}")
    with folder.working():
        card = knowledge.evaluate(folder, job, model=model)
        folder.finish({"headline": card.headline, "scorecard": "scorecard.json"})
    if as_json:
        output.print_json(card.to_json())
        return
    data = ReportData(title=f"What {model} knows", scorecard=card, base_name=job.models.student, tuned_name=model)
    click.echo("# KNOWLEDGE EVALUATION REPORT\n")
    click.echo(f"## BASE MODEL\n{job.models.student}\n\n## MODEL\n{model}\n")
    for line in screen.to_screen(data):
        click.echo(line)
