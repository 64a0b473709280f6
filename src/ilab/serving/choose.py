"""Choose the engine for a model by need, format and hardware."""

from __future__ import annotations

from ilab.base import lazy
from ilab.errors import ConfigError
from ilab.records.models import GGUF, SAFETENSORS, ModelDir
from ilab.serving.launch import CHAT, SCORE, Engine

ENGINES = {
    "llama-cpp": "ilab.serving.engines.llama_cpp:LlamaCpp",
    "torch": "ilab.serving.engines.torch_engine:TorchEngine",
    "vllm": "ilab.serving.engines.vllm:Vllm",
}
"""Engine name -> class, imported when it is used."""

_ABILITIES = {
    "llama-cpp": (GGUF, (CHAT,)),
    "torch": (SAFETENSORS, (CHAT, SCORE)),
    "vllm": (SAFETENSORS, (CHAT,)),
}
"""Engine name -> model format that it reads, and what it can do."""


def choose(
    model: ModelDir, *, need: str = CHAT, engine: str = "auto", gpus: int = 0, vllm: bool = False
) -> tuple[str, str]:
    """The engine to use and the reason in one line.

    `need` is "chat" or "score" (exact log-probabilities); `engine` other than "auto" is the user's own choice; `gpus`
    counts accelerators; `vllm` says whether vLLM is installed. Raises `ConfigError` when nothing fits.
    """
    if engine != "auto":
        _check_fit(model, need, engine)
        return engine, "chosen in the settings"
    if model.format == GGUF:
        _check_fit(model, need, "llama-cpp")
        return "llama-cpp", "llama.cpp runs GGUF models on any processor"
    if need == SCORE:
        return "torch", "exact log-probabilities need the torch engine"
    if gpus and vllm:
        return "vllm", "vLLM runs safetensors models fastest on a GPU"
    reason = "vLLM is not installed" if gpus else "there is no GPU"
    return "torch", f"{reason}, and the torch engine runs safetensors models anywhere"


def make(name: str) -> Engine:
    """The engine called `name`."""
    engine: Engine = lazy.resolve(ENGINES[name])()
    return engine


def _check_fit(model: ModelDir, need: str, engine: str) -> None:
    reads, can = _ABILITIES[engine]
    if need not in can:
        raise ConfigError(
            f"the {engine} engine cannot {need} (model `{model.name}`)",
            hint="exact log-probabilities need the safetensors form of the model: give its safetensors folder",
        )
    if model.format != reads:
        raise ConfigError(
            f"the {engine} engine reads {reads} models, and `{model.name}` is {model.format}",
            hint="leave `serving.engine` at `auto`, or give a model in the other format",
        )
