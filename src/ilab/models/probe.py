"""Format, architecture, parameter count, context length and size of a model, from headers only.

Needs no optional package and reads no weights: a folder's config.json and safetensors headers, or a GGUF header.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from ilab.errors import MissingModel
from ilab.models import gguf_header, json_object, safetensors_file
from ilab.models.faults import unusable
from ilab.records.models import GGUF, SAFETENSORS, ModelDir

_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")


def probe(path: Path, *, prefer: str | None = None, name: str = "") -> ModelDir:
    """Describe the model at `path`: a `.gguf` file, or a folder with safetensors files or one `.gguf` file.

    In a folder that holds both, `prefer` (`safetensors` or `gguf`) decides; safetensors is the default. `name` is the
    file's or folder's own unless given. Raises `MissingModel` where there is none, `UserFileError` for a damaged one.
    """
    if not path.exists():
        raise MissingModel(f"there is no model at {path}", hint="`ilab model list` shows the models in the store")
    if path.is_file():
        return _gguf(path, name or path.stem)
    found = formats(path)
    if not found:
        raise MissingModel(
            f"{path} holds no model", hint="a model folder holds config.json with *.safetensors, or one .gguf file"
        )
    chosen = prefer if prefer in found else next(iter(found))
    return (
        _safetensors(path, name or path.resolve().name)
        if chosen == SAFETENSORS
        else _gguf(found[GGUF], name or found[GGUF].stem)
    )


def formats(folder: Path) -> dict[str, Path]:
    """The formats in a model folder with the path that loads each. Raises `UserFileError` for two GGUF files."""
    found: dict[str, Path] = {}
    if (folder / "config.json").is_file() and safetensors_file.weight_files(folder):
        found[SAFETENSORS] = folder
    files = sorted(folder.glob("*.gguf"))
    if len(files) > 1:
        raise unusable(folder, f"it holds {len(files)} .gguf files", hint=f"name one of them, for example {files[0]}")
    if files:
        found[GGUF] = files[0]
    return found


def _gguf(path: Path, name: str) -> ModelDir:
    header = gguf_header.read(path, arrays=False)
    if not header.architecture or not header.tensors:
        raise gguf_header.damaged(path, "it names no architecture or holds no tensors")
    return ModelDir(
        name=name,
        path=path,
        format=GGUF,
        architecture=header.architecture,
        parameters=header.parameters,
        context_length=_number(header.of_architecture("context_length")),
        size=path.stat().st_size,
    )


def _safetensors(folder: Path, name: str) -> ModelDir:
    config = json_object.read(folder / "config.json")
    tensors = safetensors_file.tensors_of(folder)
    _check_shards(folder, tensors)
    parts = [config, *(config[key] for key in ("text_config", "llm_config") if isinstance(config.get(key), dict))]
    lengths = [_number(part.get(key)) for part in parts for key in _CONTEXT_KEYS]
    return ModelDir(
        name=name,
        path=folder,
        format=SAFETENSORS,
        architecture=str(config.get("model_type", "")),
        parameters=sum(prod(tensor.shape) for tensor in tensors.values()),
        context_length=next((length for length in lengths if length), 0),
        size=sum(path.stat().st_size for path in safetensors_file.weight_files(folder)),
    )


def _check_shards(folder: Path, tensors: Mapping[str, Any]) -> None:
    """Refuse a model of several files when one is absent."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    try:
        named = json_object.read(index)["weight_map"]
        missing = sorted(str(file) for name, file in named.items() if name not in tensors)
    except (KeyError, AttributeError) as error:
        raise unusable(index, f"cannot be read: {error}") from error
    if missing:
        raise unusable(folder, f"{missing[0]} is missing or incomplete", hint="copy the model folder again")


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and value > 0 else 0
