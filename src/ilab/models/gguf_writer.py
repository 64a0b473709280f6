"""Write a GGUF file of a Llama model through the `gguf` package, one tensor at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilab.base import atomic
from ilab.models.gguf_header import ARRAY, STRING
from ilab.models.llama_layout import LlamaShape
from ilab.models.tokenizer_files import Vocabulary

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGMLQuantizationType
    from numpy.typing import NDArray

KINDS = {"f32": 0, "f16": 1, "q8_0": 7}
"""Kind -> llama.cpp's number for general.file_type."""

_ALIGNMENT = 32
_UINT32, _INT32, _FLOAT32, _BOOL = 4, 5, 6, 7
_OWN = tuple(f"general.{name}" for name in ("architecture", "name", "file_type", "quantization_version", "alignment"))
"""Entries that the writer sets itself."""
_ID_KEYS = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One metadata entry: its key, its value, and the type numbers of the value and of its items."""

    key: str
    value: Any
    type: tuple[int, int | None]


def metadata(shape: LlamaShape, vocabulary: Vocabulary) -> list[Pair]:
    """The metadata entries of a Llama model with this shape and tokenizer."""
    numbers = {
        "llama.block_count": shape.layers,
        "llama.context_length": shape.context_length,
        "llama.embedding_length": shape.hidden,
        "llama.feed_forward_length": shape.feed_forward,
        "llama.attention.head_count": shape.heads,
        "llama.attention.head_count_kv": shape.kv_heads,
        "llama.attention.key_length": shape.head_dim,
        "llama.attention.value_length": shape.head_dim,
        "llama.rope.dimension_count": shape.head_dim,
        "llama.vocab_size": shape.vocabulary,
        **{f"tokenizer.ggml.{_ID_KEYS[name]}_token_id": number for name, number in vocabulary.ids.items()},
    }
    floats = {
        "llama.rope.freq_base": shape.rope_theta,
        "llama.attention.layer_norm_rms_epsilon": shape.norm_epsilon,
    }
    strings = {
        "general.type": "model",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": vocabulary.split,
        **({"tokenizer.chat_template": vocabulary.chat_template} if vocabulary.chat_template else {}),
    }
    flags = {"tokenizer.ggml.add_bos_token": vocabulary.add_bos, "tokenizer.ggml.add_space_prefix": False}
    arrays = [
        Pair(key="tokenizer.ggml.tokens", value=vocabulary.tokens, type=(ARRAY, STRING)),
        Pair(key="tokenizer.ggml.token_type", value=vocabulary.kinds, type=(ARRAY, _INT32)),
        Pair(key="tokenizer.ggml.merges", value=vocabulary.merges, type=(ARRAY, STRING)),
    ]
    groups: list[tuple[Mapping[str, Any], int]] = [
        (numbers, _UINT32), (floats, _FLOAT32), (strings, STRING), (flags, _BOOL)
    ]  # fmt: skip
    return [
        Pair(key=key, value=value, type=(kind, None)) for group, kind in groups for key, value in group.items()
    ] + arrays


def write(
    out: Path,
    pairs: Iterable[Pair],
    shapes: Mapping[str, tuple[int, ...]],
    tensors: Iterable[NDArray[np.float32]],
    *,
    kind: str,
) -> None:
    """Write the file `out` in one step; `tensors` come one by one in the order of `shapes`.

    Matrices are stored as `kind`; vectors (norms) as float32; rows that do not fit q8_0's blocks of 32 as float16.
    """
    import numpy as np
    from gguf.quants import quantize

    kinds = {name: _type(shape, kind) for name, shape in shapes.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    with atomic.disk_errors(out):
        try:
            _write_header(temporary, pairs, shapes, kinds, name=out.stem, file_type=KINDS[kind])
            with temporary.open("ab") as file:
                for name, tensor in zip(shapes, tensors, strict=True):
                    file.write(bytes(-file.tell() % _ALIGNMENT))
                    file.write(quantize(np.ascontiguousarray(tensor), kinds[name]).data)
                file.write(bytes(-file.tell() % _ALIGNMENT))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(out)
        finally:
            temporary.unlink(missing_ok=True)
        atomic.sync_folder(out.parent)


def _write_header(
    path: Path,
    pairs: Iterable[Pair],
    shapes: Mapping[str, tuple[int, ...]],
    kinds: Mapping[str, GGMLQuantizationType],
    *,
    name: str,
    file_type: int,
) -> None:
    import numpy as np
    from gguf import GGUFValueType, GGUFWriter
    from gguf.quants import quant_shape_to_byte_shape

    writer = GGUFWriter(path, "llama")
    try:
        writer.add_name(name)
        writer.add_file_type(file_type)
        writer.add_quantization_version(2)
        for pair in pairs:
            if pair.key not in _OWN and pair.value != []:
                item = None if pair.type[1] is None else GGUFValueType(pair.type[1])
                writer.add_key_value(pair.key, pair.value, GGUFValueType(pair.type[0]), item)
        for tensor, shape in shapes.items():
            kind = kinds[tensor]
            size = prod(quant_shape_to_byte_shape(shape, kind)) if kind > 1 else prod(shape) * (4 >> int(kind))
            writer.add_tensor_info(tensor, shape, np.dtype(np.float32), size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
    finally:
        writer.close()


def _type(shape: tuple[int, ...], kind: str) -> GGMLQuantizationType:
    from gguf import GGMLQuantizationType as Type

    if len(shape) < 2 or kind == "f32":
        return Type.F32
    return Type.F16 if kind == "f16" or shape[-1] % 32 else Type.Q8_0
