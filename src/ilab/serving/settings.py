"""Settings of engines: which one, where it listens, how much context."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

OUTSIDE_KEY: dict[str, Any] = {"outside_key": True}
"""Marks a setting that cannot change results, so that changing it does not repeat finished work."""


class ServeSettings(BaseModel, extra="forbid", frozen=True):
    """How a model is put behind an HTTP port."""

    engine: Literal["auto", "llama-cpp", "torch", "vllm"] = "auto"
    """Program that runs the model; `auto` chooses by model format and hardware."""
    host: str = Field("127.0.0.1", json_schema_extra=OUTSIDE_KEY)
    """Address that `ilab model serve` listens on."""
    port: int = Field(8000, ge=1, le=65535, json_schema_extra=OUTSIDE_KEY)
    """Port that `ilab model serve` listens on."""
    context_size: int = Field(4096, ge=128)
    """Longest conversation in tokens, answer included; cut to what the model was trained for."""
    threads: int = Field(0, ge=0, json_schema_extra=OUTSIDE_KEY)
    """Processor threads of the engine; 0 uses every core that this program may use."""
    parallel: int = Field(0, ge=0, le=256, json_schema_extra=OUTSIDE_KEY)
    """Requests worked on at the same time; 0 chooses by engine."""
    gpus: int = Field(0, ge=0, json_schema_extra=OUTSIDE_KEY)
    """GPUs that vLLM spreads the model over; 0 uses one."""
    startup_timeout: float = Field(120, gt=0, json_schema_extra=OUTSIDE_KEY)
    """Seconds that an engine may take to load the model."""
