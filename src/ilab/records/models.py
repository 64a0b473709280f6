"""ModelDir: a model on disk, as its headers describe it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SAFETENSORS = "safetensors"
GGUF = "gguf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDir:
    """A model that can be loaded.

    `path` is the folder (safetensors) or the file (GGUF); `format` is `safetensors` or `gguf`; `parameters` and
    `context_length` are 0 when the headers do not say.
    """

    name: str
    path: Path
    format: str
    architecture: str = ""
    parameters: int = 0
    context_length: int = 0
    size: int = 0
