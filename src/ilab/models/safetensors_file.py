"""Read and write safetensors files without a framework: header by hand, data through numpy, one tensor at a time.

A model may be split over several files; `tensors_of` follows every `*.safetensors` file of a folder.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilab.base import atomic
from ilab.models.faults import unusable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_MOST_HEADER = 100 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """Where one tensor lies: file, type name, shape, first byte and size in bytes."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


def read_header(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file by name. Raises `UserFileError` for a truncated or corrupt file."""
    total = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 2 <= length <= min(total - 8, _MOST_HEADER):
            raise unusable(path, "damaged safetensors file: it ends inside its header")
        raw = file.read(length)
    try:
        rows = json.loads(raw)
        found = {name: _stored(path, name, row, 8 + length) for name, row in rows.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise unusable(path, f"damaged safetensors file: its header cannot be read ({error})") from error
    for tensor in found.values():
        if tensor.start + tensor.size > total:
            raise unusable(path, f"damaged safetensors file: it ends before the end of tensor {tensor.name!r}")
    return found


def _stored(path: Path, name: str, row: Mapping[str, Any], begin: int) -> StoredTensor:
    first, last = row["data_offsets"]
    shape = tuple(int(length) for length in row["shape"])
    dtype = str(row["dtype"])
    if not 0 <= first <= last or (dtype in _WIDTHS and last - first != prod(shape) * _WIDTHS[dtype]):
        raise ValueError(f"tensor {name!r} has a wrong size")
    return StoredTensor(path=path, name=name, dtype=dtype, shape=shape, start=begin + first, size=last - first)


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a model folder, sorted."""
    return sorted(folder.glob("*.safetensors"))


def tensors_of(folder: Path) -> dict[str, StoredTensor]:
    """All tensors of all weight files of a folder."""
    return {name: tensor for path in weight_files(folder) for name, tensor in read_header(path).items()}


def load(tensor: StoredTensor) -> NDArray[np.float32]:
    """The tensor's values as float32; only floating types are known."""
    import numpy as np

    kinds: dict[str, Any] = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "BF16": "<u2"}
    if tensor.dtype not in kinds:
        raise unusable(tensor.path, f"tensor {tensor.name!r} has type {tensor.dtype}; known are {', '.join(kinds)}")
    values = np.fromfile(tensor.path, dtype=kinds[tensor.dtype], count=prod(tensor.shape), offset=tensor.start)
    if tensor.dtype == "BF16":  # the upper half of a float32
        values = (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values.astype(np.float32, copy=False).reshape(tensor.shape)


def write(path: Path, shapes: Mapping[str, tuple[int, ...]], tensors: Iterable[NDArray[Any]], *, half: bool) -> None:
    """Write one file in one step: `tensors` come in the order of `shapes`, as float32, or float16 with `half`."""
    import numpy as np

    dtype, width = ("<f2", 2) if half else ("<f4", 4)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + prod(shape) * width
        header[name] = {"dtype": "F16" if half else "F32", "shape": list(shape), "data_offsets": [begin, end]}
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with atomic.disk_errors(path):
        try:
            with temporary.open("wb") as file:
                file.write(struct.pack("<Q", len(raw)) + raw)
                for shape, tensor in zip(shapes.values(), tensors, strict=True):
                    assert tensor.shape == shape, (tensor.shape, shape)
                    file.write(np.ascontiguousarray(tensor, dtype=dtype).data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
