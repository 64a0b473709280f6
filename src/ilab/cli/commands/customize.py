"""`ilab customize`: the whole job in one run."""

from __future__ import annotations

import click

from ilab.cli import job as jobs
from ilab.cli import output
from ilab.cli.options import load_config, open_run, run_options, set_option, settings_flags


@click.command("customize")
@click.option("--name", default="tuned", show_default=True, help="Name of the tuned model in the store.")
@settings_flags(
    {
        "--taxonomy-path": "taxonomy.path",
        "--taxonomy-base": "taxonomy.base",
        "--questions": "evaluation.questions",
        "--placebo": "evaluation.placebo",
        "--teacher": "models.teacher",
        "--teacher-endpoint": "models.teacher_endpoint",
        "--teacher-model": "models.teacher_model",
        "--student": "models.student",
        "--judge": "models.judge",
        "--pipeline": "sdg.flow",
        "--sdg-scale-factor": "sdg.scale_factor",
    }
)
@set_option
@run_options
@click.pass_context
def customize(ctx: click.Context, name: str, run: str, detached: bool, as_json: bool) -> None:
    """Teach a model your documents: the whole job in one run.

    Reads and checks the taxonomy, fetches the documents, generates questions and answers with the teacher, trains the
    student in two phases, picks the best checkpoint, proves what it learned and forgot, and keeps the model in the
    store. Run the same command again to go on after an interruption; what is finished is not done twice.
    """
    del run, detached
    from ilab.base import lazy
    from ilab.pipeline import customize as pipeline
    from ilab.pipeline import report

    loaded = load_config(ctx)
    lazy.check("torch", "transformers", "safetensors", "gguf", feature="training", extra="train")
    # with a teacher elsewhere too: student and tuned model answer through llama.cpp
    lazy.check("xllamacpp", feature="the embedded engine", extra="serve")
    job = jobs.of(loaded, name=name)
    inputs = {"name": name, **jobs.inputs_of(loaded)}
    models = job.models
    jobs.check_models(job, models.student, models.judge, *([] if models.teacher_endpoint else [models.teacher]))
    folder = open_run(ctx, "customize", loaded=loaded, rooms=jobs.ROOMS, inputs=inputs)
    output.tell(f"run {folder.id}")
    with folder.working():
        outcome = pipeline.customize(folder, job)
    if as_json:
        output.print_json(folder.result())
        return
    for line in report.lines(outcome.report):
        click.echo(line)
    click.echo("")
    click.echo(f"report   {folder.folder / 'report.html'}")
    click.echo(f"model    {outcome.model.name}   (ilab model chat --model {outcome.model.name})")
