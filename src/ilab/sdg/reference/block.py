"""The block `reference`: one step of a pipeline in the format of the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ilab.sdg.blocks.base import Tools
from ilab.sdg.reference import asking, columns, rows
from ilab.sdg.reference.columns import Options, Unfit
from ilab.sdg.row import Box, Row


def reference(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Do the step that `load` wrote down in `options`, then drop the columns and the repetitions that it names."""
    made = _distinct(_step(rows, box, tools, options), box, options)
    dropped = options.get("drop_columns", ())
    return [_without(row, dropped) for row in made] if dropped else made


def _without(row: Row, dropped: Sequence[str]) -> Row:
    return {**row, "columns": {name: value for name, value in row["columns"].items() if name not in dropped}}


def _step(given: list[Row], box: Box, tools: Tools, options: Options) -> list[Row]:
    kind = options["type"]
    if kind == "Rows":
        return rows.begin(given, box, tools, options)
    if kind == "Samples":
        return rows.end(given, box, tools, options)
    if kind == "Documents":
        return rows.documents(given, box, tools, options)
    if kind == "IterBlock":
        return [
            row
            for turn in range(options["times"])
            for row in _step(given, box, tools, {**options["inner"], "turn": turn})
        ]
    if kind == "SetToMajorityValueBlock":
        return _majority(given, box, options)
    if kind in asking.ASKING:
        return asking.ASKING[kind](given, box, tools, options)
    return _each(given, box, options)


def _each(given: list[Row], box: Box, options: Options) -> list[Row]:
    """A block that looks at one row at a time."""
    made = []
    for row in given:
        try:
            found = columns.BLOCKS[options["type"]](row["columns"], options)
        except Unfit as error:
            box.reject(rows.shown(row), f"{options['name']}: {error}", detail=options["name"])
            continue
        made += [_scored({**row, "columns": one}, options) for one in found]
    return made


def _scored(row: Row, options: Options) -> Row:
    """The number that a filter looked at becomes a score of the sample, under the name of the filter."""
    if options["type"] != "FilterByValueBlock":
        return row
    value = row["columns"][options["filter_column"]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return row
    return {**row, "scores": {**row.get("scores", {}), options["name"]: float(value)}}


def _majority(given: list[Row], box: Box, options: Options) -> list[Row]:
    """The commonest value of the column in all rows of a document; of equals, the first in the alphabet."""
    name = options["col_name"]
    counts: dict[tuple[str, str], Counter[str]] = {}
    fitting = []
    for row in given:
        value = row["columns"].get(name)
        if value is None:
            box.reject(rows.shown(row), f"{options['name']}: there is no column `{name}`", detail=options["name"])
            continue
        fitting.append(row)
        counts.setdefault(_document(row), Counter())[str(value)] += 1
    chosen = {place: min(votes, key=lambda one: (-votes[one], one)) for place, votes in counts.items()}
    return [{**row, "columns": {**row["columns"], name: chosen[_document(row)]}} for row in fitting]


def _document(row: Row) -> tuple[str, str]:
    return str(row["leaf"]), str(row.get("source", ""))


def _distinct(made: list[Row], box: Box, options: Options) -> list[Row]:
    """The first of the rows that have the same values in the columns that must not repeat."""
    names = options.get("drop_duplicates", ())
    if not names:
        return made
    seen: set[tuple[str, ...]] = set()
    kept = []
    for row in made:
        key = tuple(str(row["columns"].get(name)) for name in names)
        if key in seen:
            box.reject(
                rows.shown(row), f"{options['name']}: the same {' and '.join(names)} again", detail=options["name"]
            )
        else:
            seen.add(key)
            kept.append(row)
    return kept
