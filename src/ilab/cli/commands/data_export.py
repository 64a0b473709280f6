"""`ilab data export`."""

from __future__ import annotations

from pathlib import Path

import click

from ilab.cli import output
from ilab.cli.options import json_option, paths

_FORMS = ("messages", "sharegpt", "alpaca", "parquet")


@click.command("export")
@click.argument("data", metavar="FILE|RUN")
@click.option("--format", "form", type=click.Choice(_FORMS), required=True, help="The form of the rows.")
@click.option(
    "--output", "out", type=click.Path(path_type=Path), required=True, metavar="PATH", help="The file to write."
)
@click.option(
    "--part",
    type=click.Choice(["samples", "phase1", "phase2"]),
    default="samples",
    show_default=True,
    help="What of a run is written: the generated samples, or the training rows of a phase.",
)
@click.option(
    "--card", is_flag=True, help="Also write README.md beside it: counts, licences, where the rows come from."
)
@click.option("-f", "--force", is_flag=True, help="Replace files that are there.")
@json_option
def export(data: str, form: str, out: Path, part: str, card: bool, force: bool, as_json: bool) -> None:
    """Writes data as messages, ShareGPT, Alpaca or Parquet.

    FILE is a file of JSON lines in one of these forms; RUN is the beginning or the end of a run's id, or `last`.
    Samples that were rejected in `ilab data review` are left out, and edited answers are written as edited. Parquet
    needs a package that is not installed by default.
    """
    from ilab.base import atomic
    from ilab.mixing import card as cards
    from ilab.mixing import exports
    from ilab.pipeline import data_card, data_files

    readme = out.with_name("README.md")
    exports.check(out, form=form, force=force)
    if card:
        exports.check(readme, form="messages", force=force)
    found = data_files.find(data, paths().runs, part=part)
    tally = data_card.Tally()
    written = exports.export(tally.passing(found.items()), out, form=form)
    files = [out]
    if card:
        facts = data_card.facts(found.run, tally, file=out.name, form=form, rows=written.rows)
        atomic.write_text(readme, cards.to_markdown(facts))
        files.append(readme)
    if as_json:
        output.print_json({"files": files, "rows": written.rows, "left_out": written.left_out})
        return
    click.echo(f"{written.rows:,} rows written to {out}")
    if card:
        click.echo(f"card written to {readme}")
    if written.left_out:
        output.tell(f"{written.left_out:,} rows were left out: {form} has no place for text to read or for such turns")
