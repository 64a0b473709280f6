"""`ilab data show`."""

from __future__ import annotations

import itertools
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click

from ilab.cli import judge_view, output, sample_view
from ilab.cli.options import json_option, paths

if TYPE_CHECKING:
    from ilab.pipeline.data_funnel import Generated, PathFunnel
    from ilab.records.samples import Sample
    from ilab.runs.folder import RunFolder
    from ilab.sdg.coverage import CoverageReport

_WIDEST = 100


@click.command("show")
@click.argument("run", default="last")
@click.option("--rejected", is_flag=True, help="Show rejected rows with their reasons in place of samples.")
@click.option("--limit", type=click.IntRange(0), default=3, show_default=True, metavar="N", help="How many to show.")
@json_option
def show(run: str, rejected: bool, limit: int, as_json: bool) -> None:
    """Displays what a run generated: funnel, coverage, samples.

    RUN is the beginning or the end of a run's id, or `last`. A run that is still going is shown as far as it is.
    Samples are drawn evenly over the file.
    """
    from ilab.pipeline import data_figures, data_files, data_funnel

    found = data_files.find_run(run, paths().runs)
    made = data_funnel.funnel(found)
    coverage = data_figures.coverage_of(found, data_funnel.samples(found))
    own = (sample for sample in data_funnel.samples(found) if sample.origin != data_funnel.SEED)
    kept = sum(path.kept for path in made.paths.values())
    if as_json:
        output.print_json(_facts(found, made, coverage) | _chosen_facts(found, rejected, own, kept, limit))
        return
    _print_funnel(found, made)
    judge_view.print_judges(made.judges, width=_width(), cases=limit if rejected else 0)
    _print_coverage(coverage, made.coverage.get("before"))
    if rejected:
        _print_rejected(data_funnel.rejected(found), limit)
    else:
        _print_samples(found, _evenly(own, kept, limit))


def _evenly(rows: Any, count: int, limit: int) -> list[Any]:
    """`limit` of `count` rows, as far apart as they can be."""
    if not limit:
        return []
    step = max(1, count // limit)
    return list(itertools.islice(itertools.islice(rows, 0, None, step), limit))


def _facts(run: RunFolder, made: Generated, coverage: CoverageReport) -> dict[str, Any]:
    total = coverage.total
    covered = {
        "sentences": total.sentences,
        "supported": total.supported,
        "share": total.share if coverage.chunks else None,
        "before": made.coverage.get("before"),
        "gini": coverage.gini,
        "headings": [
            {"heading": one.name, "sentences": one.sentences, "supported": one.supported, "pairs": one.pairs}
            for one in coverage.headings
        ],
    }
    return {"schema_version": 1, "run": run.id, **made.to_json(), "coverage": covered}


def _chosen_facts(run: RunFolder, rejected: bool, own: Any, kept: int, limit: int) -> dict[str, Any]:
    from ilab.pipeline import data_funnel
    from ilab.pipeline.data_places import Places

    if rejected:
        return {"rejected_rows": list(itertools.islice(data_funnel.rejected(run), limit))}
    places = Places(run)
    return {"samples": [sample_view.facts(sample, places) for sample in _evenly(own, kept, limit)]}


def _print_funnel(run: RunFolder, made: Generated) -> None:
    state = "" if made.finished else f", {made.units:,} units done so far"
    click.echo(f"run {run.id}: {made.seeds:,} examples of your own{state}")
    if not made.paths:
        click.echo("nothing is generated yet")
        return
    rows = [
        [
            path.name,
            *map(output.number, (path.calls, path.remembered, path.tokens, path.made, path.duplicates, path.kept)),
            _percent(path),
        ]
        for path in made.paths.values()
    ]
    columns = ["Path", "Calls", "Remembered", "Tokens", "Made", "Duplicates", "Kept", "Share"]
    output.print_table(columns, rows)
    for path in made.paths.values():
        _print_reasons(path)
    _print_tokens(made)
    _print_targets(made)
    if made.reviewed:
        click.echo("reviewed: " + ", ".join(f"{count:,} {name}" for name, count in made.reviewed.items()))


def _percent(path: PathFunnel) -> str:
    return f"{100 * path.kept / path.made:.0f} %" if path.made else "-"


def _print_reasons(path: PathFunnel) -> None:
    """Each reason with one row as an example."""
    width = _width()
    for number, (reason, count) in enumerate(path.rejected.most_common()):
        if not number:
            click.echo(f"rejected on path {path.name}:")
        click.echo(f"{count:>7,}  {reason}")
        if example := path.examples.get(reason):
            click.echo(f"{'':>9}{textwrap.shorten(sample_view.printable(example), width - 9, placeholder='...')}")


def _print_tokens(made: Generated) -> None:
    spent = made.tokens
    if not spent:
        return
    kept = sum(path.kept for path in made.paths.values())
    prompt = spent.get("computed", 0) + spent.get("cached", 0)
    click.echo(
        f"teacher: {spent.get('calls', 0):,} calls, {prompt:,} prompt tokens ({spent.get('cached', 0):,} cached), "
        f"{spent.get('written', 0):,} written"
    )
    if spent.get("remembered"):
        click.echo(f"         {spent['remembered']:,} more answers were remembered from earlier work")
    each = (prompt + spent.get("written", 0)) / max(1, kept)
    if kept and each:  # a server may not say how many tokens there were
        click.echo(f"         {output.number(round(each, 1))} tokens for each sample that is kept")


def _print_targets(made: Generated) -> None:
    """What each leaf should have and has; the reason where it has less."""
    if not made.targets:
        return
    short = {leaf: target for leaf, target in made.targets.items() if target["kept"] < target["target"]}
    click.echo(f"targets: {len(made.targets) - len(short):,} of {len(made.targets):,} leaves have what they should")
    for leaf, target in short.items():
        rounds = target.get("rounds", 0)
        after = f" after {rounds} more round{'s' if rounds > 1 else ''}" if rounds else ""
        click.echo(f"         {leaf}: {target['kept']:,} of {target['target']:,}{after}: {target.get('reason', '')}")


def _print_coverage(coverage: CoverageReport, before: int | None) -> None:
    if not coverage.chunks:
        return
    total = coverage.total
    click.echo(
        f"coverage: {total.supported:,} of {total.sentences:,} sentences of the documents have a question "
        f"({100 * total.share:.0f} %)"
    )
    if before is not None and before < total.supported:
        click.echo(f"          {before:,} of them had one before the gaps were filled")
    rows = [
        [
            textwrap.shorten(one.name, 50, placeholder="..."),
            f"{one.supported}/{one.sentences}",
            output.number(one.pairs),
        ]
        for one in coverage.headings
    ]
    output.print_table(["Heading", "Sentences", "Samples"], rows)


def _print_samples(run: RunFolder, samples: list[Sample]) -> None:
    from ilab.pipeline.data_places import Places

    places = Places(run)
    for sample in samples:
        click.echo("")
        for line in sample_view.lines(sample, places, width=_width()):
            click.echo(line)


def _print_rejected(rows: Any, limit: int) -> None:
    for row in itertools.islice(rows, limit):
        click.echo("")
        for name, key in (
            ("reason", "reason"),
            ("question", "question"),
            ("answer", "answer"),
            ("source", "statement"),
        ):
            if row.get(key):
                click.echo("\n".join(sample_view.field(name, str(row[key]), _width())))
        if row.get("raw"):
            click.echo("\n".join(sample_view.field("teacher", str(row["raw"]), _width())))


def _width() -> int:
    return min(_WIDEST, shutil.get_terminal_size().columns if sys.stdout.isatty() else 80)
