"""Our own engine for safetensors models: exact log-probabilities, fresh checkpoints, any machine with torch."""

from __future__ import annotations

import sys

from ilab.base import children, lazy
from ilab.records.models import ModelDir
from ilab.serving.launch import CHAT, SCORE, Address, Launch, Resources


class TorchEngine:
    """One request at a time; the model runs in fp32."""

    name = "torch"
    capabilities = frozenset({CHAT, SCORE})

    def check(self) -> None:
        """Raise `MissingExtra` without torch or transformers."""
        lazy.check("torch", "transformers", "safetensors", feature="the torch engine", extra="train")

    def launch(self, model: ModelDir, address: Address, resources: Resources) -> Launch:
        """The child's command line."""
        options = ["--model", str(model.path), "--name", model.name, *address.options]
        options += ["--context", str(resources.context), "--threads", str(resources.threads)]
        # A loaded model needs nothing from a hub: forbid the look-ups, which would wait for time-outs when offline.
        env = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": str(resources.threads)}
        env |= children.COMPUTE_ENV
        return Launch(command=[sys.executable, "-P", "-m", "ilab.serving.engines.torch_child", *options], env=env)
