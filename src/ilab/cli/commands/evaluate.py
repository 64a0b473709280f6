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
    },
    meaning={
        "--base-model": "Model to compare with.",
        "--questions": "Questions file about the document, your own or the one that `ilab data generate` made; needed.",
    },
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
        data = knowledge.evaluate(folder, job, model=model)
        reports = ["report.md", "report.html"]
        folder.finish({"headline": data.scorecard.headline, "scorecard": "scorecard.json", "reports": reports})
    if as_json:
        output.print_json(data.scorecard.to_json())
        return
    click.echo("# KNOWLEDGE EVALUATION REPORT\n")
    click.echo(f"## BASE MODEL\n{job.models.student}\n\n## MODEL\n{model}\n")
    for line in screen.to_screen(data):
        click.echo(line)
    click.echo("")
    click.echo(f"report   {folder.folder / 'report.html'}")
