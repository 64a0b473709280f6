"""llama.cpp for GGUF models: the embedded default engine. The server runs in a child process (`llama_cpp_child`)."""

from __future__ import annotations

import sys

from ilab.base import lazy
from ilab.records.models import ModelDir
from ilab.serving.launch import CHAT, Address, Launch, Resources

_PARALLEL = 4


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
        options += ["--parallel", str(resources.parallel or _PARALLEL)]
        return Launch(command=[sys.executable, "-P", "-m", "ilab.serving.engines.llama_cpp_child", *options])
