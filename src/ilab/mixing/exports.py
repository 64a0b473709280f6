"""Write data files for other programs: one row at a time, and the file appears whole or not at all."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ilab.base import jsonl, lazy
from ilab.errors import UserFileError
from ilab.mixing.conversations import FORMS, Item, to_messages
from ilab.mixing.output_file import output_file

PARQUET = "parquet"
FORMATS = (*FORMS, PARQUET)
_ROW_GROUP = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """How many rows were written, and how many the format cannot hold."""

    rows: int
    left_out: int


def check(path: Path, *, form: str, force: bool) -> None:
    """Raise before any work when `path` must not be written, or the format needs a package that is not here."""
    if form == PARQUET:
        lazy.check("pyarrow", feature="the Parquet format", extra="export")
    if path.is_dir():
        raise UserFileError(f"{path} is a folder", [], hint="name a file with --output")
    if path.exists() and not force:
        raise UserFileError(f"{path} exists already", [], hint="give another --output, or --force to replace it")


def export(items: Iterable[Item], path: Path, *, form: str) -> Exported:
    """Write `items` to `path` in the format `form`."""
    count = _Count()
    with output_file(path) as temporary:
        if form == PARQUET:
            _write_parquet(items, temporary, count)
        else:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                for item in items:
                    row = FORMS[form](item)
                    if row is None:
                        count.left_out += 1
                    else:
                        file.write(jsonl.dumps(row) + "\n")
                        count.rows += 1
    return Exported(rows=count.rows, left_out=count.left_out)


@dataclass(slots=True)
class _Count:
    rows: int = 0
    left_out: int = 0


def _write_parquet(items: Iterable[Item], path: Path, count: _Count) -> None:
    """The columns of the messages format: `messages` is a list of (role, content)."""
    arrow = lazy.need("pyarrow", feature="the Parquet format", extra="export")
    parquet = lazy.need("pyarrow.parquet", feature="the Parquet format", extra="export")
    turn = arrow.struct([("role", arrow.string()), ("content", arrow.string())])
    schema = arrow.schema(
        [
            ("id", arrow.string()),
            ("messages", arrow.list_(turn)),
            ("unmask", arrow.bool_()),
            ("metadata", arrow.string()),
        ]
    )
    with parquet.ParquetWriter(path, schema) as writer:
        for group in _batched(items):
            rows = [to_messages(item) for item in group]
            writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
            count.rows += len(rows)


def _batched(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while group := list(itertools.islice(iterator, _ROW_GROUP)):
        yield group
