"""Teach a language model your documents: taxonomy, synthetic data, training, evaluation, chat.

The public names below are imported on first use, so `import ilab` costs nothing.
"""

import typing as _typing

__version__ = "0.1.0"

_WHERE = {
    "ChatModel": "ilab.llm.port",
    "Chunk": "ilab.records.chunks",
    "GenerationParams": "ilab.llm.port",
    "IlabError": "ilab.errors",
    "Message": "ilab.records.messages",
    "ModelDir": "ilab.records.models",
    "RunFolder": "ilab.runs.folder",
    "Sample": "ilab.records.samples",
    "Seed": "ilab.records.seeds",
    "TokenScorer": "ilab.llm.port",
    "TrainRow": "ilab.records.samples",
}
"""The module of every public name; `__all__` below lists the same names for type checkers."""

__all__ = [
    "ChatModel",
    "Chunk",
    "GenerationParams",
    "IlabError",
    "Message",
    "ModelDir",
    "RunFolder",
    "Sample",
    "Seed",
    "TokenScorer",
    "TrainRow",
]

if _typing.TYPE_CHECKING:
    from ilab.errors import IlabError
    from ilab.llm.port import ChatModel, GenerationParams, TokenScorer
    from ilab.records.chunks import Chunk
    from ilab.records.messages import Message
    from ilab.records.models import ModelDir
    from ilab.records.samples import Sample, TrainRow
    from ilab.records.seeds import Seed
    from ilab.runs.folder import RunFolder


def __getattr__(name: str) -> _typing.Any:
    """Import a public name when it is first asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module 'ilab' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
