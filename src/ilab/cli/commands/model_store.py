"""`ilab model`: list, download, remove."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ilab.base.report import ListReporter
from ilab.cli import model_choice, output, report
from ilab.cli.options import json_option, load_config, paths, screen, set_option
from ilab.errors import IlabError, MissingModel, UserFileError
from ilab.models import embedded, refs
from ilab.models.store import ModelStore, StoredModel

_COLUMNS = ("Model Name", "Last Modified", "Size", "Absolute path")


@click.command("list")
@click.option(
    "--model-dirs",
    "folders",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Look into this store instead; may be repeated.",
)
@json_option
def list_models(folders: tuple[Path, ...], as_json: bool) -> None:
    """Lists the models in the store.

    A model that cannot be read is told on standard error with the reason.
    """
    roots = [folder.absolute() for folder in folders] or [paths().models]
    said = ListReporter()
    found = [model for root in roots for model in ModelStore(root).list(report=said)]
    if as_json:
        output.print_json([_facts(model) for model in found])
    elif found:
        _print_table(found, roots)
    elif not said.events:
        where = ", ".join(map(str, roots))
        output.tell(f"there are no models in {where}; `ilab model download` fetches the embedded one")
    for event in said.events:
        report.warn(event["message"])


def _print_table(models: Sequence[StoredModel], roots: Sequence[Path]) -> None:
    """The table; on a terminal too narrow for the paths, the folders they begin with are told instead."""
    rows = [[model.name, _modified(model), output.size(model.record.size), str(model.folder)] for model in models]
    text = output.table(_COLUMNS, rows)
    narrow = output.is_terminal(sys.stdout) and text.index("\n") > shutil.get_terminal_size().columns
    if not narrow:
        click.echo(text)
        return
    output.print_table(_COLUMNS[:-1], [row[:-1] for row in rows])
    output.tell(f"in {', '.join(map(str, roots))}")


def _modified(model: StoredModel) -> str:
    """When the model was completed, in local time."""
    try:
        when = datetime.fromisoformat(model.record.created).astimezone()
    except ValueError:
        when = datetime.fromtimestamp(model.folder.stat().st_mtime).astimezone()
    return when.strftime("%Y-%m-%d %H:%M:%S")


def _facts(model: StoredModel) -> dict[str, Any]:
    record = model.record
    return {
        "name": model.name,
        "modified": record.created,
        "size": record.size,
        "path": str(model.folder),
        "formats": {kind: entry.model_dump() for kind, entry in record.formats.items()},
        "digest": record.digest,
        "provenance": record.provenance,
    }


@click.command("download")
@click.option(
    "-rp",
    "--repository",
    "repositories",
    multiple=True,
    metavar="REFERENCE",
    help=f"Model to fetch, such as {embedded.EMBEDDED}; may be repeated.  [default: the setting store.embedded]",
)
@click.option(
    "-rl",
    "--release",
    "releases",
    multiple=True,
    metavar="VERSION",
    help="Version of a model whose reference has none, or `latest`; one for all, or one for each.",
)
@set_option
@json_option
@click.pass_context
def download(ctx: click.Context, repositories: tuple[str, ...], releases: tuple[str, ...], as_json: bool) -> None:
    """Downloads the model(s).

    A model is put into the store when all of it is there and its checksum is right; one that is there already is
    checked and fetched again only when it is damaged.
    """
    loaded = load_config(ctx)
    store = ModelStore(loaded.paths.models)
    wanted = _with_releases(repositories or (loaded.config.store.embedded,), releases)
    references = [embedded.fetchable(name, release=release) for name, release in wanted]
    found = []
    with model_choice.showing(screen(ctx), "download") as say:
        for reference in references:
            model = embedded.ensure(
                store,
                str(reference),
                cache=loaded.paths.downloads,
                report=say,
                timeout=loaded.config.store.fetch_timeout,
                verify=True,
            )
            found.append(model.name)
    models = [model for model in store.list() if model.name in found]
    if as_json:
        output.print_json([_facts(model) for model in models])
    else:
        _print_table(models, [store.root])


def _with_releases(names: Sequence[str], releases: Sequence[str]) -> list[tuple[str, str]]:
    """Each name with its release. A different number of both would leave some without being told."""
    if len(releases) not in (0, 1, len(names)):
        raise click.UsageError(f"{len(releases)} releases for {len(names)} models; give one for all, or one for each")
    given = list(releases) * len(names) if len(releases) == 1 else list(releases) or [""] * len(names)
    return list(zip(names, given, strict=True))


@click.command("remove")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def remove(names: tuple[str, ...], force: bool) -> None:
    """Removes models from the store.

    A damaged model can be removed by its full name.
    """
    store = ModelStore(paths().models)
    for name in names:
        full = _full_name(store, name)
        if not force and not click.confirm(f"Are you sure you want to remove the model '{full}'?", err=True):
            raise IlabError("nothing was removed" if name == names[0] else f"{full} was not removed")
        output.tell(f"removed {store.remove(full)}")


def _full_name(store: ModelStore, name: str) -> str:
    """The full name of a model in the store, so that the question names what will go."""
    full = refs.full_name(name)
    try:
        found = store.find(name)
    except UserFileError:
        return full  # damaged, which is no reason to keep it
    if not found.path.is_relative_to(store.root):
        raise MissingModel(f"there is no model {name!r} in {store.root}", hint="`ilab model list` shows the models")
    return found.name
