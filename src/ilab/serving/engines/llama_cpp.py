"""llama.cpp for GGUF models: the embedded default engine. The server runs in a child process (`llama_cpp_child`)."""

from __future__ import annotations

import sys

from ilab.base import children, lazy
from ilab.records.models import ModelDir
from ilab.serving.launch import CHAT, Address, Launch, Resources

_PARALLEL = 8
_PARALLEL_LARGE = 4
_LARGE = 2 * 2**30
"""Bytes of weights from which the caches of eight conversations may not fit beside them."""


class LlamaCpp:
    """Continuous batching, prefix cache, JSON schemas; no log-probabilities of the prompt."""

    name = "llama-cpp"
    capabilities = frozenset({CHAT})

    def check(self) -> None:
        """Raise `MissingExtra` without xllamacpp."""
        lazy.check("xllamacpp", feature="the llama.cpp engine", extra="serve")

    def launch(self, model: ModelDir, address: Address, resources: Resources) -> Launch:
        """The child's command line."""
        options = ["--model", str(model.path), "--name", model.name, *address.options]
        options += ["--context", str(resources.context), "--threads", str(resources.threads)]
        parallel = resources.parallel or (_PARALLEL_LARGE if model.size >= _LARGE else _PARALLEL)
        options += ["--parallel", str(parallel)]
        command = [sys.executable, "-P", "-m", "ilab.serving.engines.llama_cpp_child", *options]
        return Launch(command=command, env=children.COMPUTE_ENV)
