"""Low-rank adapters (LoRA, arXiv 2106.09685): the base model is frozen, small matrices beside its layers are trained.

peft puts the matrices in. A checkpoint is the whole model with them added to its weights in fp32, so that everything
after training treats it like any other; the matrices alone lie in its folder `adapter/`, in peft's own format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from ilab.base import atomic
from ilab.errors import ConfigError
from ilab.training import torch_files
from ilab.training.settings import TrainSettings

FOLDER = "adapter"
_NAME = "default"
_MATRICES = (f".lora_A.{_NAME}.weight", f".lora_B.{_NAME}.weight")


def add(model: Any, settings: TrainSettings) -> None:
    """Freeze `model` and put adapters beside its layers; the seed decides their start, which adds nothing yet.

    Raises `ConfigError` when no layer has a name of `settings.lora_targets`.
    """
    from peft import LoraConfig, inject_adapter_in_model

    torch.manual_seed(settings.seed)
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=list(settings.lora_targets) or "all-linear",
        task_type="CAUSAL_LM",
    )
    try:
        inject_adapter_in_model(config, model, adapter_name=_NAME)
    except ValueError as error:
        raise ConfigError(f"no adapter can be put into this model: {error}", hint=_hint(model)) from error
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.endswith(_MATRICES))


def _hint(model: Any) -> str:
    names = sorted({name.rpartition(".")[2] for name, one in model.named_modules() if type(one) is torch.nn.Linear})
    return f"set training.lora_targets to some of {', '.join(names)}"


class Merged(Mapping[str, torch.Tensor]):
    """The tensors of the base model by their own names, tied ones once, with the adapters added.

    Each is added up when it is asked for, so that no second copy of the model is ever in memory. Without adapters they
    are the model's own tensors.
    """

    def __init__(self, model: Any) -> None:
        self._layers = {name: one for name, one in model.named_modules() if hasattr(one, "lora_A")}
        self._found: dict[str, tuple[torch.Tensor, str]] = {}
        seen: set[int] = set()
        for name, tensor in model.state_dict().items():
            if name.endswith(_MATRICES) or tensor.data_ptr() in seen:
                continue
            seen.add(tensor.data_ptr())
            owner, base, rest = name.rpartition(".base_layer.")
            self._found[f"{owner}.{rest}" if base else name] = (tensor, owner if rest == "weight" and base else "")

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __getitem__(self, name: str) -> torch.Tensor:
        tensor, owner = self._found[name]
        if not owner:
            return tensor
        with torch.no_grad():
            return tensor + self._layers[owner].get_delta_weight(_NAME).to(tensor.dtype)


def write(model: Any, folder: Path, *, base: str, settings: TrainSettings) -> None:
    """Write the matrices to `folder` as peft reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"base_model.model.{name.replace(f'.{_NAME}.', '.')}": one
        for name, one in model.state_dict().items()
        if name.endswith(_MATRICES)
    }
    torch_files.write(folder / "adapter_model.safetensors", tensors)
    targets = {name.split(".lora_")[0].rpartition(".")[2] for name in tensors}
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": settings.lora_rank,
        "lora_alpha": settings.lora_alpha,
        "lora_dropout": settings.lora_dropout,
        "target_modules": sorted(targets),
        "bias": "none",
        "inference_mode": True,
    }
    atomic.write_json(folder / "adapter_config.json", config)
