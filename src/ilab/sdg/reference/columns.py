"""Blocks that work on the columns of one row, without a teacher. Each returns the rows that one row becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ilab.sdg.reference import values

Columns = dict[str, Any]
Options = Mapping[str, Any]


class Unfit(Exception):
    """The row cannot go on; the message says why."""


def get(columns: Columns, name: str) -> Any:
    """The value of a column. Raises `Unfit` where there is none."""
    if columns.get(name) is None:
        raise Unfit(f"there is no column `{name}`")
    return columns[name]


def keep_by_value(columns: Columns, options: Options) -> list[Columns]:
    """FilterByValueBlock. A value that cannot be read is told apart from one that does not pass."""
    name, wanted = options["filter_column"], options["filter_value"]
    choices = wanted if isinstance(wanted, list) else [wanted]
    said = get(columns, name)
    to = options["convert_dtype"] or _kind(choices, said, options["operation"])
    value = values.convert(said, to)
    if value is None:
        value = values.convert(options["default_value"], to) if options["default_value"] is not None else None
    if value is None:
        raise Unfit(f"no {_NAMES[to]} can be read in `{name}`")
    if not any(_passes(value, choice, options["operation"], to) for choice in choices):
        raise Unfit(f"`{name}` is not {_WORDS[options['operation']]} {' or '.join(map(str, choices))}")
    return [{**columns, name: value}]


def _kind(choices: list[Any], said: Any, operation: str) -> str:
    """Numbers compare with numbers, even where the file does not say so."""
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in choices)
    return "float" if numbers and isinstance(said, str) and operation != "contains" else ""


def _passes(value: Any, choice: Any, operation: str, to: str) -> bool:
    if to:
        choice = values.convert(choice, to)
    elif isinstance(value, str) and operation in ("eq", "ne"):
        return values.same(value, str(choice)) == (operation == "eq")
    elif isinstance(value, str) != isinstance(choice, str):
        value, choice = str(value), str(choice)
    return choice is not None and bool(values.OPERATIONS[operation](value, choice))


_NAMES = {"int": "number", "float": "number", "bool": "yes or no", "": "value"}
_WORDS = {
    "eq": "equal to",
    "ne": "other than",
    "gt": "greater than",
    "ge": "at least",
    "lt": "less than",
    "le": "at most",
    "contains": "a text with",
}


def populate(columns: Columns, options: Options) -> list[Columns]:
    """SamplePopulatorBlock: the entries of the file that the column names."""
    value = get(columns, options["column"])
    name = values.choose(value, options["entries"])
    if name is None:
        raise Unfit(f"`{options['column']}` names none of {', '.join(options['entries'])}")
    return [{**columns, **options["entries"][name]}]


def select(columns: Columns, options: Options) -> list[Columns]:
    """SelectorBlock: copy the column that the choice stands for."""
    choices = options["choice_map"]
    name = values.choose(get(columns, options["choice_col"]), choices)
    if name is None:
        raise Unfit(f"`{options['choice_col']}` chooses none of {', '.join(choices)}")
    return [{**columns, options["output_col"]: get(columns, choices[name])}]


def combine(columns: Columns, options: Options) -> list[Columns]:
    """CombineColumnsBlock: several columns joined to one text."""
    parts = [str(get(columns, name)) for name in options["columns"]]
    return [{**columns, options["output_col"]: options["separator"].join(parts)}]


def flatten(columns: Columns, options: Options) -> list[Columns]:
    """FlattenColumnsBlock: one row for each of the columns, with its name and its value."""
    names = options["var_cols"]
    rest = {name: value for name, value in columns.items() if name not in names}
    return [{**rest, options["var_name"]: name, options["value_name"]: get(columns, name)} for name in names]


def duplicate(columns: Columns, options: Options) -> list[Columns]:
    """DuplicateColumnsBlock."""
    return [{**columns, **{new: get(columns, old) for old, new in options["columns_map"].items()}}]


def rename(columns: Columns, options: Options) -> list[Columns]:
    """RenameColumnsBlock; all at the same time."""
    names = options["columns_map"]
    kept = {name: value for name, value in columns.items() if name not in names}
    return [{**kept, **{new: get(columns, old) for old, new in names.items()}}]


BLOCKS: dict[str, Callable[[Columns, Options], list[Columns]]] = {
    "FilterByValueBlock": keep_by_value,
    "SamplePopulatorBlock": populate,
    "SelectorBlock": select,
    "CombineColumnsBlock": combine,
    "FlattenColumnsBlock": flatten,
    "DuplicateColumnsBlock": duplicate,
    "RenameColumnsBlock": rename,
}
"""Type of block -> what it makes of the columns of a row."""
