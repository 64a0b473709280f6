"""How `ilab data show` prints what the judges of a run made of the user's own examples."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import click

from ilab.cli import output, sample_view


def print_judges(judges: Mapping[str, Mapping[str, Any]], *, width: int, cases: int) -> None:
    """A line for each judge and threshold, the judges with a note, and some cases that each of them got wrong."""
    if not judges:
        return
    click.echo("judges, and which shares they keep of your examples, right and made wrong:")
    rows = [row for name, judge in judges.items() for row in _rows(name, judge)]
    output.print_table(["Judge", "AUC", "Pairs", "Threshold", "Right", "Wrong", "Filters"], rows)
    for name, judge in judges.items():
        if judge["note"]:
            click.echo("\n".join(textwrap.wrap(f"{name}: {judge['note']}", width)))
    for name, judge in judges.items():
        if judge["missed"] and cases:
            click.echo(f"{name} is wrong about {len(judge['missed'])} of {judge['right'] + judge['wrong']} cases:")
        for case in judge["missed"][:cases]:
            told = sample_view.printable(f"{case['question']} -> {case['answer']}")
            click.echo(f"  {case['wrong'] or 'right':<12} {textwrap.shorten(told, width - 15, placeholder='...')}")


def _rows(name: str, judge: Mapping[str, Any]) -> Iterator[list[str]]:
    auc = "-" if judge["auc"] is None else f"{judge['auc']:.2f}"
    filters = "yes" if judge["filters"] else "no"
    for used in judge["thresholds"] or [{"options": {}, "right_kept": None, "wrong_kept": None}]:
        yield [
            name,
            auc,
            output.number(judge["pairs"]),
            _threshold(used["options"]),
            _percent(used["right_kept"]),
            _percent(used["wrong_kept"]),
            filters,
        ]


def _threshold(options: Mapping[str, Any]) -> str:
    """`>= 0.1`, `YES`; empty for the judge's own."""
    told = [f">= {options[name]}" for name in ("min_gain", "min") if name in options]
    told += [{True: "YES", False: "NO"}.get(one, str(one)) for one in options.get("keep", ())]
    return ", ".join(told)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
