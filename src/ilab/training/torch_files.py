"""Tensors to one safetensors file and back, a tensor at a time, so that no second copy of a model is ever in memory.

An existing file of the same name is overwritten in place: its pages are in memory and on disk already, which makes a
repeated save several times faster. Callers make sure that a half-written file is never taken for a whole one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

_NAMES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.float64: "F64", torch.int64: "I64"}


def write(path: Path, tensors: Mapping[str, torch.Tensor], *, digest: bool = False) -> str:
    """Write `tensors` and sync them; returns the SHA-256 of the file in hex when `digest` asks for it, else ""."""
    sha = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        size = 0
        for piece in _pieces(tensors):
            if digest:
                sha.update(piece)
            size += _write_all(file.fileno(), piece)
        file.truncate(size)
        os.fsync(file.fileno())
    return sha.hexdigest() if digest else ""


def read_into(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Copy the values of the file into `tensors`, which must have the same names and shapes."""
    from safetensors import safe_open

    with torch.no_grad(), safe_open(path, framework="pt") as file:
        for name, tensor in tensors.items():
            tensor.copy_(file.get_tensor(name))


def _pieces(tensors: Mapping[str, torch.Tensor]) -> Iterator[memoryview]:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, tensor in tensors.items():
        stop = start + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield memoryview(len(text).to_bytes(8, "little") + text)
    for tensor in tensors.values():
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        yield memoryview(flat.view(torch.uint8).numpy())


def _write_all(descriptor: int, data: memoryview) -> int:
    """Write all of `data`; one call writes at most 2 GB on Linux."""
    done = 0
    while done < len(data):
        done += os.write(descriptor, data[done:])
    return done
