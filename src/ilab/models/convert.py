"""Convert Llama models between GGUF and safetensors, tensor by tensor, without loading the model.

Peak memory is two or three float32 copies of the largest tensor: about 300 MB in all for SmolLM2-135M. Other
architectures are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from ilab.base import atomic, lazy
from ilab.base.report import NullReporter, Reporter
from ilab.errors import ConfigError
from ilab.models import gguf_header, gguf_writer, json_object, llama_layout, safetensors_file, tokenizer_files
from ilab.models.faults import unusable
from ilab.models.gguf_header import GgufHeader, TensorInfo
from ilab.models.llama_layout import LlamaShape
from ilab.models.safetensors_file import StoredTensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def gguf_to_safetensors(gguf: Path, out: Path, *, report: Reporter | None = None, half: bool = False) -> Path:
    """Dequantise the GGUF file `gguf` into a transformers model folder `out`, in float32 (float16 with `half`).

    Writes model.safetensors, config.json, generation_config.json and the tokenizer. Returns `out`.
    Raises `UserFileError` for an architecture, tokenizer or tensor that cannot be converted.
    """
    lazy.check("numpy", "gguf", feature="converting models", extra="train")
    header = gguf_header.read(gguf)
    shape = _shape_of_gguf(header)
    vocabulary = tokenizer_files.from_gguf(header)
    tensors = {tensor.name: tensor for tensor in header.tensors}
    tied = "output.weight" not in tensors
    names = llama_layout.needed(shape, tied=tied)
    _check_tensors(gguf, {name: tensor.shape for name, tensor in tensors.items()}, names, shape)
    out.mkdir(parents=True, exist_ok=True)
    ids = {f"{name}_token_id": number for name, number in vocabulary.ids.items() if name in ("bos", "eos", "pad")}
    safetensors_file.write(
        out / "model.safetensors",
        {str(llama_layout.to_transformers(name)): tensors[name].shape for name in names},
        _dequantised(gguf, [tensors[name] for name in names], shape, report or NullReporter()),
        half=half,
    )
    atomic.write_json(out / "config.json", llama_layout.config_json(shape, tied=tied, half=half, tokens=ids))
    atomic.write_json(out / "generation_config.json", {"_from_model_config": True, **ids})
    tokenizer_files.write(vocabulary, out, context_length=shape.context_length)
    return out


def safetensors_to_gguf(
    folder: Path, out: Path, *, like: Path | None = None, kind: str = "q8_0", report: Reporter | None = None
) -> Path:
    """Write the transformers model in `folder` as the GGUF file `out`, in `kind` f32, f16 or q8_0 (norms stay f32).

    With `like`, a GGUF file of the same family, tokenizer and all other metadata are copied from it; without, they
    are built from config.json and the tokenizer files. The chat template is the folder's own where it has one.
    Returns `out`, which appears only when it is complete. Raises `UserFileError` for models that cannot be converted.
    """
    lazy.check("numpy", "gguf", feature="converting models", extra="train")
    if kind not in gguf_writer.KINDS:
        raise ConfigError(f"unknown GGUF kind {kind!r}", hint=f"use one of {', '.join(gguf_writer.KINDS)}")
    shape, tied = _shape_of_folder(folder)
    stored = {
        llama_layout.to_gguf(name) or name: tensor for name, tensor in safetensors_file.tensors_of(folder).items()
    }
    if tied:
        stored.pop("output.weight", None)  # some trainers save the shared matrix twice
    names = llama_layout.needed(shape, tied=tied)
    _check_tensors(folder, {name: tensor.shape for name, tensor in stored.items()}, names, shape)
    if like is None:
        vocabulary = tokenizer_files.read(folder, vocabulary_size=shape.vocabulary)
        pairs = gguf_writer.metadata(shape, vocabulary)
    else:
        pairs = _copied(like, shape, tokenizer_files.chat_template(folder))
    shapes = {name: stored[name].shape for name in names}
    weights = _reordered({name: stored[name] for name in names}, shape, report or NullReporter())
    gguf_writer.write(out, pairs, shapes, weights, kind=kind)
    return out


def _copied(like: Path, shape: LlamaShape, chat_template: str) -> list[gguf_writer.Pair]:
    """The metadata of `like`, after a check that it describes the same model."""
    header = gguf_header.read(like)
    other = _shape_of_gguf(header)
    different = [
        f"{field.name} {getattr(other, field.name)} instead of {getattr(shape, field.name)}"
        for field in fields(LlamaShape)
        if field.name != "context_length" and getattr(other, field.name) != getattr(shape, field.name)
    ]
    if different:
        raise unusable(like, f"it cannot lend its metadata, being another model: {', '.join(different)}")
    template = {"tokenizer.chat_template": chat_template} if chat_template else {}
    values = {**header.values, **template}
    types = {**dict.fromkeys(template, (gguf_header.STRING, None)), **header.types}
    return [gguf_writer.Pair(key=key, value=value, type=types[key]) for key, value in values.items()]


def _reordered(tensors: dict[str, StoredTensor], shape: LlamaShape, report: Reporter) -> Iterator[NDArray[np.float32]]:
    for number, (name, tensor) in enumerate(tensors.items(), start=1):
        yield llama_layout.reorder_for_gguf(name, safetensors_file.load(tensor), shape)
        report.progress("tensors", number, len(tensors))


def _shape_of_folder(folder: Path) -> tuple[LlamaShape, bool]:
    """The shape that config.json describes, and whether input and output embeddings are one matrix."""
    path = folder / "config.json"
    config = json_object.read(path)
    if config.get("model_type") != "llama":
        raise unusable(path, f"architecture {config.get('model_type')!r} cannot be converted; only llama can")
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default" or config.get("hidden_act", "silu") != "silu":
        raise unusable(path, "scaled rotary embeddings and activations other than silu cannot be converted")
    try:
        hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        shape = LlamaShape(
            layers=int(config["num_hidden_layers"]),
            hidden=hidden,
            feed_forward=int(config["intermediate_size"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=int(config.get("head_dim") or hidden // heads),
            vocabulary=int(config["vocab_size"]),
            context_length=int(config["max_position_embeddings"]),
            rope_theta=float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0),
            norm_epsilon=float(config["rms_norm_eps"]),
        )
    except KeyError as error:
        raise unusable(path, f"{error} is missing") from error
    except (TypeError, ValueError) as error:
        raise unusable(path, f"a number is wrong: {error}") from error
    return shape, bool(config.get("tie_word_embeddings", False))


def _shape_of_gguf(header: GgufHeader) -> LlamaShape:
    if header.architecture != "llama":
        raise unusable(
            header.path, f"architecture {header.architecture!r} cannot be converted; only llama can", hint=_OTHERS
        )
    if header.of_architecture("expert_count", 0) or header.of_architecture("rope.scaling.type", "none") != "none":
        raise unusable(header.path, "mixtures of experts and scaled rotary embeddings cannot be converted")
    embedding = [tensor for tensor in header.tensors if tensor.name == "token_embd.weight"]
    try:
        hidden, heads = int(header.values["llama.embedding_length"]), int(header.values["llama.attention.head_count"])
        head_dim = header.of_architecture("attention.key_length") or header.of_architecture("rope.dimension_count")
        return LlamaShape(
            layers=int(header.values["llama.block_count"]),
            hidden=hidden,
            feed_forward=int(header.values["llama.feed_forward_length"]),
            heads=heads,
            kv_heads=int(header.of_architecture("attention.head_count_kv", heads)),
            head_dim=int(head_dim or hidden // heads),
            vocabulary=embedding[0].shape[0],
            context_length=int(header.values["llama.context_length"]),
            rope_theta=float(header.of_architecture("rope.freq_base", 10000.0)),
            norm_epsilon=_short(header.values["llama.attention.layer_norm_rms_epsilon"]),
        )
    except (KeyError, IndexError) as error:
        raise gguf_header.damaged(header.path, f"{error} is missing") from error
    except (TypeError, ValueError) as error:
        raise unusable(header.path, f"its layers differ from one another, or a number is wrong: {error}") from error


_OTHERS = "serve the GGUF file as it is, or get the model in safetensors form"


def _short(value: float) -> float:
    """A float32 as the shortest decimal number that means it: 9.999999747e-06 -> 1e-05."""
    import numpy as np

    return float(str(np.float32(value)))


def _check_tensors(path: Path, found: dict[str, tuple[int, ...]], names: list[str], shape: LlamaShape) -> None:
    """Refuse a model that lacks a tensor, has one more, or one of another shape."""
    missing, extra = sorted(set(names) - set(found)), sorted(set(found) - set(names))
    if missing or extra:
        what = f"lacks {missing[0]!r}" if missing else f"has {extra[0]!r}, which is not part of a plain Llama model"
        raise unusable(path, f"it {what} ({len(missing)} missing, {len(extra)} unknown)", hint=_OTHERS)
    for name in names:
        if found[name] != llama_layout.shape_of(name, shape):
            wanted = llama_layout.shape_of(name, shape)
            raise unusable(path, f"tensor {name!r} has shape {found[name]}, its configuration says {wanted}")


def _dequantised(
    path: Path, tensors: list[TensorInfo], shape: LlamaShape, report: Reporter
) -> Iterator[NDArray[np.float32]]:
    import numpy as np
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    for number, tensor in enumerate(tensors, start=1):
        if not tensor.size:
            raise unusable(path, f"tensor {tensor.name!r} has the unknown type {tensor.type}")
        raw = np.fromfile(path, dtype=np.uint8, count=tensor.size, offset=tensor.start)
        try:
            values = dequantize(raw.reshape(*tensor.shape[:-1], -1), GGMLQuantizationType(tensor.type))
        except NotImplementedError as error:
            raise unusable(path, f"type {tensor.type_name} of {tensor.name!r} cannot be dequantised") from error
        yield llama_layout.reorder_for_transformers(tensor.name, values.reshape(tensor.shape), shape)
        report.progress("tensors", number, len(tensors))
