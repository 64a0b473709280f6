"""vLLM for safetensors models on a GPU, started from its own environment and never imported."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping

from ilab.errors import MissingExtra
from ilab.records.models import ModelDir
from ilab.serving.launch import CHAT, Address, Launch, Resources

PYTHON = "ILAB_VLLM_PYTHON"
"""Environment variable that names the interpreter of the environment that holds vLLM."""


def interpreter(environment: Mapping[str, str] | None = None) -> str | None:
    """The interpreter that can run vLLM, or None."""
    named = (os.environ if environment is None else environment).get(PYTHON, "")
    if named:
        return named
    return sys.executable if importlib.util.find_spec("vllm") is not None else None


class Vllm:
    """Continuous batching on GPUs."""

    name = "vllm"
    capabilities = frozenset({CHAT})

    def check(self) -> None:
        """Raise `MissingExtra` when no interpreter has vLLM."""
        if interpreter() is None:
            error = MissingExtra("the vLLM engine", "vllm")
            error.hint = f"install vllm here, or name in {PYTHON} the interpreter of an environment that has it"
            raise error

    def launch(self, model: ModelDir, address: Address, resources: Resources) -> Launch:
        """The server's command line. Its `vllm` script fails under some distribution names, so the module is run."""
        command = [interpreter() or sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
        command += ["--model", str(model.path), "--served-model-name", model.name]
        command += ["--max-model-len", str(resources.context)]
        if address.socket is not None:
            command += ["--uds", str(address.socket)]
        else:
            command += ["--host", address.host, "--port", str(address.port)]
        if resources.parallel:
            command += ["--max-num-seqs", str(resources.parallel)]
        if resources.gpus > 1:
            command += ["--tensor-parallel-size", str(resources.gpus)]
        return Launch(command=command, env={"HF_HUB_OFFLINE": "1"})
