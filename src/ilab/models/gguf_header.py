"""Read the header of a GGUF file (version 2 or 3, little endian) with the standard library alone.

Every count and length is checked against the file's size before it is used, so a truncated or corrupt file gives one
clear error instead of a huge allocation. Tensor data is never read here.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ilab.errors import UserFileError
from ilab.models.faults import unusable

MAGIC = b"GGUF"
_MOST_DIMENSIONS = 4
STRING, ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

TENSOR_TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    20: ("IQ4_NL", 32, 18),
    23: ("IQ4_XS", 256, 136),
    30: ("BF16", 1, 2),
}
"""Type number -> (name, values in a block, bytes of a block), for the types that are met in practice."""


class _DamageError(Exception):
    """What is wrong inside the file; turned into the user's error where the path is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """One tensor: `shape` in the usual order (rows first), `start` and `size` in bytes of the file.

    `size` is 0 for a type number that is not in `TENSOR_TYPES`.
    """

    name: str
    shape: tuple[int, ...]
    type: int
    start: int
    size: int

    @property
    def type_name(self) -> str:
        """The name of the tensor's type, for example Q8_0."""
        return TENSOR_TYPES[self.type][0] if self.type in TENSOR_TYPES else f"type {self.type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """Everything that stands before the tensor data.

    `types` gives for each key its type number and, for arrays, that of its items. Arrays are empty lists when they
    were skipped.
    """

    path: Path
    values: Mapping[str, Any]
    types: Mapping[str, tuple[int, int | None]]
    tensors: tuple[TensorInfo, ...]

    @property
    def architecture(self) -> str:
        """The value of general.architecture, or an empty string."""
        return str(self.values.get("general.architecture", ""))

    @property
    def parameters(self) -> int:
        """How many numbers the tensors hold together."""
        return sum(prod(tensor.shape) for tensor in self.tensors)

    def of_architecture(self, key: str, default: Any = None) -> Any:
        """The value of `<architecture>.<key>`."""
        return self.values.get(f"{self.architecture}.{key}", default)


def read(path: Path, *, arrays: bool = True) -> GgufHeader:
    """Read the header of `path`; without `arrays` the long ones (the vocabulary) are skipped, which is faster.

    Raises `UserFileError` for a file that is not GGUF, is truncated, or holds lengths that cannot be right.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Cursor(data).header(path, arrays=arrays)
    except (OSError, ValueError) as error:  # mmap refuses an empty file with ValueError
        raise unusable(path, f"cannot be read: {error}") from error
    except _DamageError as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, why: str) -> UserFileError:
    """The error for a GGUF file that is cut off or corrupt."""
    return unusable(path, f"damaged GGUF file: {why}", hint="fetch or convert the model again")


class _Cursor:
    """A position in the mapped file; every read is checked against the end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0
        self.size = len(data)

    def header(self, path: Path, *, arrays: bool) -> GgufHeader:
        if self._bytes(4) != MAGIC:
            raise _DamageError("it does not begin with GGUF")
        version = self._scalar("I")
        if version not in (2, 3):
            raise _DamageError(f"version {version} is not 2 or 3 in little endian")
        tensor_count, pair_count = self._count(24, "tensors"), self._count(12, "metadata entries")
        values: dict[str, Any] = {}
        types: dict[str, tuple[int, int | None]] = {}
        for _ in range(pair_count):
            key = self._string()
            values[key], types[key] = self._value(arrays=arrays)
        rows = [self._tensor_row() for _ in range(tensor_count)]
        alignment = values.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment <= 0 or alignment % 8:
            raise _DamageError(f"general.alignment is {alignment!r}")
        begin = (self.at + alignment - 1) // alignment * alignment
        tensors = tuple(self._place(row, begin) for row in rows)
        return GgufHeader(path=path, values=values, types=types, tensors=tensors)

    def _bytes(self, count: int) -> bytes:
        if count > self.size - self.at:
            raise _DamageError(f"it ends at byte {self.size}, inside its header")
        self.at += count
        return self.data[self.at - count : self.at]

    def _scalar(self, code: str) -> Any:
        (value,) = struct.unpack("<" + code, self._bytes(struct.calcsize("<" + code)))
        return value

    def _count(self, item: int, what: str) -> int:
        """A 64-bit count of things that take at least `item` bytes each."""
        count = int(self._scalar("Q"))
        if count * item > self.size - self.at:
            raise _DamageError(f"it announces {count} {what}, more than the file can hold")
        return count

    def _string(self) -> str:
        return self._bytes(self._count(1, "characters")).decode("utf-8", errors="replace")

    def _value(self, *, arrays: bool) -> tuple[Any, tuple[int, int | None]]:
        kind = self._scalar("I")
        if kind == STRING:
            return self._string(), (kind, None)
        if kind == ARRAY:
            item = self._scalar("I")
            return self._array(item, keep=arrays), (kind, item)
        return self._scalar(self._code(kind)), (kind, None)

    def _array(self, item: int, *, keep: bool) -> list[Any]:
        if item == STRING:
            count = self._count(8, "strings")
            if keep:
                return [self._string() for _ in range(count)]
            for _ in range(count):
                self._skip(self._count(1, "characters"))
            return []
        code = self._code(item)
        width = struct.calcsize("<" + code)
        count = self._count(width, "array items")
        if keep:
            return list(struct.unpack(f"<{count}{code}", self._bytes(count * width)))
        self._skip(count * width)
        return []

    def _skip(self, count: int) -> None:
        self.at += count  # `_count` has checked that this stays inside the file

    def _code(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise _DamageError(f"unknown value type {kind} at byte {self.at}")
        return _SCALARS[kind]

    def _tensor_row(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._string()
        dimensions = self._scalar("I")
        if dimensions > _MOST_DIMENSIONS:
            raise _DamageError(f"tensor {name!r} has {dimensions} dimensions")
        shape = tuple(self._scalar("Q") for _ in range(dimensions))
        return name, shape[::-1], self._scalar("I"), self._scalar("Q")

    def _place(self, row: tuple[str, tuple[int, ...], int, int], begin: int) -> TensorInfo:
        name, shape, kind, offset = row
        size = 0
        if kind in TENSOR_TYPES:
            _, values, width = TENSOR_TYPES[kind]
            if shape and shape[-1] % values:
                raise _DamageError(f"tensor {name!r} has rows that do not fit its type")
            size = prod(shape) // values * width
        if begin + offset + size > self.size:
            raise _DamageError(f"it ends at byte {self.size}, before the end of tensor {name!r}")
        return TensorInfo(name=name, shape=shape, type=kind, start=begin + offset, size=size)
