"""Read, append and count JSON Lines. Errors carry `path:line`.

Lines are split on `\\n` only: U+2028 and U+0085 inside a document must not end a row. One row at a time is in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ilab.base import atomic
from ilab.errors import Fault, UserFileError


def dumps(row: Any) -> str:
    """One row as compact JSON with sorted keys: the same row gives the same bytes."""
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def read(path: Path, *, skip_torn: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the rows of `path`. With `skip_torn`, a line that is not JSON (left by a crash) is passed over."""
    for _, row in numbered(path, skip_torn=skip_torn):
        yield row


def numbered(path: Path, *, skip_torn: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """The same with the number of each row's line, from 1."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("not a JSON object")
            except ValueError as error:
                if skip_torn:
                    continue
                fault = Fault(path=str(path), line=number, message=f"not a JSON object: {error}")
                raise UserFileError(f"{path} is not valid JSON Lines", [fault]) from error
            yield number, row


def write(path: Path, rows: Iterable[Any]) -> int:
    """Replace `path` with `rows` in one step; return how many."""
    with writing(path) as add:
        count = 0
        for row in rows:
            add(row)
            count += 1
    return count


@contextmanager
def writing(path: Path) -> Iterator[Callable[[Any], None]]:
    """A function that writes one row; `path` is replaced when the block ends well. Rows are not held in memory."""
    with atomic.replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yield lambda row: print(dumps(row), file=file)
        file.flush()


def append(path: Path, row: Any) -> None:
    """Append one row and sync it."""
    atomic.append_line(path, dumps(row))


def count(path: Path) -> int:
    """How many non-empty lines `path` has."""
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
