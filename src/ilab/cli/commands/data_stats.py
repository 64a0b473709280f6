"""`ilab data stats`."""

from __future__ import annotations

import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ilab.cli import output, sample_view
from ilab.cli.options import json_option, paths

if TYPE_CHECKING:
    from ilab.pipeline.data_figures import Figure, Figures

_LABEL, _VALUE, _WIDEST = 31, 9, 100


@click.command("stats")
@click.argument("data", metavar="FILE|RUN", default="last")
@click.option(
    "--part",
    type=click.Choice(["samples", "phase1", "phase2"]),
    default="samples",
    show_default=True,
    help="What of a run is measured: the generated samples, or the training rows of a phase.",
)
@click.option(
    "--against",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Questions that must not be trained: a questions file or JSON lines; may be repeated.",
)
@json_option
def stats(data: str, part: str, against: tuple[Path, ...], as_json: bool) -> None:
    """Measures data: truth, variety, repeats, leaks, coverage.

    FILE is a file of JSON lines: samples, messages, ShareGPT or Alpaca. RUN is the beginning or the end of a run's id,
    or `last`. No model and no network is used. Whether answers are true and the document is covered can be told for the
    samples of a run only, because there the text is known.
    """
    from ilab.pipeline import data_figures, data_files

    found = data_files.find(data, paths().runs, part=part)
    figures = data_figures.measure(found, against=against)
    if as_json:
        output.print_json({"file": str(found.path), "run": found.run.id if found.run else None} | figures.to_json())
    else:
        _print(figures)


def _print(figures: Figures) -> None:
    width = min(_WIDEST, shutil.get_terminal_size().columns)
    for number, group in enumerate(figures.groups):
        heading = output.style(group.title, stream=sys.stdout, bold=True)
        click.echo(("\n" if number else "") + heading + (f" ({group.note})" if group.note else ""))
        for figure in group.figures:
            _print_figure(figure, width)
            for example in figures.examples.get(f"{group.name}.{figure.key}", ()):
                click.echo("    - " + textwrap.shorten(sample_view.printable(example), width - 6, placeholder="..."))


def _print_figure(figure: Figure, width: int) -> None:
    first, *rest = textwrap.wrap(figure.meaning, width - _LABEL - _VALUE - 5) or [""]
    click.echo(f"  {figure.label:<{_LABEL}}{shown(figure):>{_VALUE}}  {first}")
    for line in rest:
        click.echo(" " * (_LABEL + _VALUE + 4) + line)


def shown(figure: Figure) -> str:
    """The value as a person reads it."""
    if figure.unit == "share":
        share = 100 * figure.value
        return "<0.1 %" if 0 < share < 0.05 else ">99.9 %" if 99.95 <= share < 100 else f"{share:.1f} %"
    return f"{figure.value:,.2f}" if figure.unit in ("bits", "index") else f"{figure.value:,.0f}"
