"""`ilab data`: generate, list."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from ilab.cli import job as jobs
from ilab.cli import output
from ilab.cli.options import json_option, load_config, open_run, paths, run_options, set_option, settings_flags

_ROOMS = ("models", "taxonomy", "documents", "sdg", "mixing", "evaluation", "serving")


@click.command("generate")
@settings_flags(
    {
        "--taxonomy-path": "taxonomy.path",
        "--taxonomy-base": "taxonomy.base",
        "--model": "models.teacher",
        "--endpoint-url": "models.teacher_endpoint",
        "--api-key": "models.teacher_api_key",
        "--pipeline": "sdg.flow",
        "--sdg-scale-factor": "sdg.scale_factor",
        "--num-cpus": "sdg.workers",
    }
)
@click.option("--output-dir", type=click.Path(path_type=Path), help="Where the training files go.")
@set_option
@run_options
@click.pass_context
def generate(ctx: click.Context, output_dir: Path | None, run: str, detached: bool, as_json: bool) -> None:
    """Runs the synthetic data generation (SDG) process and writes training files."""
    del run, detached
    from ilab.pipeline import datasets

    loaded = load_config(ctx)
    job = jobs.of(loaded)
    inputs = jobs.inputs_of(loaded)
    folder = open_run(ctx, "generate", loaded=loaded, rooms=_ROOMS, inputs=inputs)
    models = job.models
    output.tell(
        f"Generating synthetic data using '{job.sdg.flow}' pipeline, '{models.teacher}' model, "
        f"'{job.taxonomy_path}' taxonomy, against {models.teacher_endpoint or 'an own'} server"
    )
    began = time.monotonic()
    with folder.working():
        files = datasets.make(folder, job, output_dir or loaded.paths.datasets)
        folder.finish({"files": [str(file) for file in files]})
    if as_json:
        output.print_json(folder.result())
        return
    for file in files:
        click.echo(f"Mixed Dataset saved to {file}")
    output.tell(f"Generation took {time.monotonic() - began:.2f}s")


@click.command("list")
@click.option("--dataset-dirs", multiple=True, type=click.Path(path_type=Path), help="Look here instead.")
@json_option
def list_datasets(dataset_dirs: tuple[Path, ...], as_json: bool) -> None:
    """Lists the training files in the datasets folder."""
    from ilab.pipeline import datasets

    found = [one for folder in dataset_dirs or (paths().datasets,) for one in datasets.listed(folder)]
    if as_json:
        output.print_json([asdict(one) for one in found])
    elif found:
        rows = [[one.name, one.model, one.created.replace("T", " ")[:19], output.size(one.size)] for one in found]
        output.print_table(["Dataset", "Model", "Created At", "File size"], rows)
    else:
        output.tell("there are no datasets yet; `ilab data generate` makes some")
