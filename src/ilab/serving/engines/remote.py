"""Any OpenAI-compatible server that somebody else runs: an endpoint without a process of ours."""

from __future__ import annotations

import os
from pathlib import Path

from ilab.llm.transport import normalise
from ilab.serving.engine import Endpoint
from ilab.serving.launch import CHAT


def endpoint(url: str, *, model: str = "") -> Endpoint:
    """The endpoint at `url`; `/v1` is added when it has no path. An empty `model` means the only one served."""
    return Endpoint(
        base_url=normalise(url), model=model, socket=None, capabilities=frozenset({CHAT}), log=Path(os.devnull)
    )
