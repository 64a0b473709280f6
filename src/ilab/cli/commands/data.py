"""`ilab data`: generate, list."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ilab.base import git
from ilab.cli import job as jobs
from ilab.cli import output
from ilab.cli.options import json_option, load_config, open_run, paths, run_options, screen, set_option, settings_flags

if TYPE_CHECKING:
    from ilab.pipeline.generation_plan import Plan
    from ilab.pipeline.job import Job, Models

_ROOMS = ("models", "taxonomy", "documents", "sdg", "mixing", "evaluation", "serving")


@click.command("generate")
@settings_flags(
    {
        "--taxonomy-path": "taxonomy.path",
        "--taxonomy-base": "taxonomy.base",
        "--model": "models.teacher",
        "--endpoint-url": "models.teacher_endpoint",
        "--teacher-model": "models.teacher_model",
        "--api-key": "models.teacher_api_key",
        "--tls-ca": "models.teacher_tls_ca",
        "--tls-insecure": "models.teacher_tls_insecure",
        "--tls-client-cert": "models.teacher_tls_client_cert",
        "--tls-client-key": "models.teacher_tls_client_key",
        "--tls-client-passwd": "models.teacher_tls_client_password",
        "--questions": "evaluation.questions",
        "--pipeline": "sdg.flow",
        "--sdg-scale-factor": "sdg.scale_factor",
        "--num-cpus": "sdg.workers",
        "--replay": "sdg.replay",
    }
)
@click.option("--output-dir", type=click.Path(path_type=Path), help="Where the training files go.")
@click.option("--plan", is_flag=True, help="Tell what would be asked, cost and made, and make nothing.")
@click.option(
    "--pilot/--no-pilot",
    default=True,
    help="With --plan: ask for three units of each path, to know tokens, time and samples.  [default: pilot]",
)
@set_option
@run_options
@click.pass_context
def generate(
    ctx: click.Context, output_dir: Path | None, plan: bool, pilot: bool, run: str, detached: bool, as_json: bool
) -> None:
    """Runs the synthetic data generation (SDG) process and writes training files.

    Some facts are kept out of the training files, so that what a model learned can be told: those that --questions
    marks as untaught, else a share of the generated ones, which are then written to a questions file for
    `ilab model train` and `ilab model evaluate`.

    With --plan, taxonomy and documents are read, calls are counted, and a pilot is asked whose answers are kept in the
    journal: a run that follows does not ask for them again. Nothing else is kept.
    """
    from ilab.pipeline import datasets

    if plan and (detached or run):
        raise click.UsageError(f"--plan and {'--detached' if detached else '--run'} do not go together")
    if not pilot and not plan:
        raise click.UsageError("--no-pilot goes with --plan")
    loaded = load_config(ctx)
    job = jobs.of(loaded)
    inputs = jobs.inputs_of(loaded)
    models = job.models
    jobs.check_models(job, models.judge, *([] if models.teacher_endpoint else [models.teacher]))
    if plan:
        _plan(ctx, job, pilot=pilot, as_json=as_json)
        return
    folder = open_run(ctx, "generate", loaded=loaded, rooms=_ROOMS, inputs=inputs)
    output.tell(
        f"Generating synthetic data using '{job.sdg.flow}' pipeline, {_teacher(models)}, "
        f"'{job.taxonomy_path}' taxonomy, against {_server(job)} server"
    )
    began = time.monotonic()
    with folder.working():
        made = datasets.make(folder, job, output_dir or loaded.paths.datasets)
        questions = str(made.questions) if made.questions else None
        recipes = [str(recipe) for recipe in made.recipes]
        folder.finish({"files": [str(file) for file in made.files], "questions": questions, "recipes": recipes})
    if as_json:
        output.print_json(folder.result())
        return
    for file in made.files:
        click.echo(f"Mixed Dataset saved to {file}")
    for recipe in recipes:
        click.echo(f"Recipe saved to {recipe}")
    if questions:
        click.echo(f"Questions about held-out facts saved to {questions}")
    output.tell(f"Generation took {time.monotonic() - began:.2f}s")


def _plan(ctx: click.Context, job: Job, *, pilot: bool, as_json: bool) -> None:
    """Print what generation would come to: what can be counted at once, the rest when the pilot is done."""
    from ilab.cli import plan_view
    from ilab.pipeline import generation_plan

    view = screen(ctx)

    def counted(found: Plan) -> None:
        view.close()
        if not as_json:
            _echo(plan_view.counted(found))

    made = generation_plan.make(job, pilot=pilot, listener=view, counted=counted)
    view.close()
    if as_json:
        output.print_json(made.to_json())
    else:
        _echo(plan_view.expected(made))


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _teacher(models: Models) -> str:
    if not models.teacher_endpoint:
        return f"'{models.teacher}' model"
    return f"'{models.teacher_model}' model" if models.teacher_model else "the server's only model"


def _server(job: Job) -> str:
    if job.sdg.replay:
        return "no"
    given = job.models.teacher_endpoint
    return ", ".join(git.without_credentials(url.strip()) for url in given.split(",")) if given else "an own"


@click.command("list")
@click.option("--dataset-dirs", multiple=True, type=click.Path(path_type=Path), help="Look here instead.")
@json_option
def list_datasets(dataset_dirs: tuple[Path, ...], as_json: bool) -> None:
    """Lists the training files in the datasets folder and in runs.

    `ilab data generate` publishes into the folder; `ilab customize` keeps its files in the run.
    """
    from ilab.pipeline import datasets

    roots = dataset_dirs or (paths().datasets,)
    found = [one for root in roots for one in datasets.listed(root)]
    in_runs = [] if dataset_dirs else datasets.of_runs(paths().runs)
    if as_json:
        output.print_json([asdict(one) for one in [*found, *in_runs]])
    elif not found and not in_runs:
        output.tell("there are no datasets yet; `ilab data generate` makes some")
    else:
        shown = [*found, *in_runs]
        rows = [[one.name, one.model, one.created.replace("T", " ")[:19], output.size(one.size)] for one in shown]
        output.print_table(["Dataset", "Model", "Created At", "File size"], rows)
        places = [*(roots if found else ()), *((paths().runs,) if in_runs else ())]
        output.tell(f"in {', '.join(map(str, places))}")
