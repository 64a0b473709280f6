"""TrainSettings and PhaseSettings: how a base model is fine-tuned."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, JsonValue

OUTSIDE_KEY: dict[str, JsonValue] = {"outside_key": True}
"""Schema mark of a setting that cannot change results (beyond the rounding of the last bits)."""


class PhaseSettings(BaseModel, extra="forbid", frozen=True):
    """What differs between the phases of a training."""

    num_epochs: int = Field(4, ge=1)
    """How often every row is seen."""
    learning_rate: float = Field(1e-4, gt=0)
    """Highest learning rate, reached after the warm-up."""
    effective_batch_size: int = Field(0, ge=0)
    """Samples of one optimizer step in this phase; 0 takes the value of all phases."""
    save_samples: int = Field(0, ge=0)
    """Save a checkpoint whenever so many more samples were seen in this phase; 0 takes the value of all phases."""


class TrainSettings(BaseModel, extra="forbid", frozen=True):
    """How a base model is fine-tuned."""

    seed: int = 42
    """Decides the order of the rows."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; `auto` takes a GPU when there is one."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Number format of the computation; weights and optimizer are always kept in fp32."""
    max_seq_len: int = Field(1024, ge=16)
    """Longest row in tokens: longer documents are split, longer conversations are left out and reported."""
    max_batch_len: int = Field(2048, ge=16, json_schema_extra=OUTSIDE_KEY)
    """Tokens computed at once; a step with more is cut into parts. Lower it when memory is short."""
    share_prefixes: bool = Field(True, json_schema_extra=OUTSIDE_KEY)
    """Compute what rows of a step have in common at their start once; the gradients are the same."""
    lora_rank: int = Field(0, ge=0, le=1024)
    """Train low-rank adapters of this rank (LoRA), not the weights themselves; 0 trains every weight."""
    lora_alpha: float = Field(32, gt=0)
    """Adapters count as alpha / rank times what they are."""
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    """Share of an adapter's inputs that is left out at random in training."""
    lora_targets: tuple[str, ...] = ()
    """Names of the layers that get an adapter, such as q_proj; empty takes every linear layer but the output."""
    effective_batch_size: int = Field(0, ge=0)
    """Samples of one optimizer step; 0 counts tokens instead (`batch_tokens`)."""
    batch_tokens: int = Field(240, ge=1)
    """Tokens of one optimizer step when samples are not counted; an epoch is cut into steps of about equal size."""
    warmup_steps: int = Field(8, ge=0)
    """Steps over which the learning rate rises from zero; at most half of all steps."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Course of the learning rate after the warm-up."""
    min_lr_ratio: float = Field(0.1, ge=0, le=1)
    """Share of the learning rate that is left at the end of a cosine schedule."""
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    """Decay of AdamW's mean of the gradients."""
    adam_beta2: float = Field(0.95, ge=0, lt=1)
    """Decay of AdamW's mean of the squared gradients."""
    adam_eps: float = Field(1e-8, gt=0)
    """AdamW's guard against division by zero."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW's weight decay, for matrices only."""
    clip_norm: float = Field(1.0, gt=0)
    """Gradients with a larger norm are scaled down to this norm."""
    validation_share: float = Field(0.0, ge=0, le=0.5)
    """Share of the documents whose rows are kept out of training, to tell the loss on what was not seen."""
    checkpoints_per_phase: int = Field(2, ge=1)
    """Checkpoints of a phase, evenly spaced; the last one is always the end of the phase."""
    save_samples: int = Field(0, ge=0)
    """Save a checkpoint whenever so many more samples were seen, and at the end; 0 spaces them evenly."""
    state_every_seconds: float = Field(60, ge=0, json_schema_extra=OUTSIDE_KEY)
    """Seconds between two saves of the state that a broken training resumes from; 0 saves it after every step."""
    threads: int = Field(0, ge=0, json_schema_extra=OUTSIDE_KEY)
    """Processor threads; 0 uses every core that this program may use."""
    phase1: PhaseSettings = PhaseSettings(num_epochs=1, learning_rate=4e-4)
    """Knowledge."""
    phase2: PhaseSettings = PhaseSettings(num_epochs=1, learning_rate=1e-4)
    """Skills, with a replay of knowledge."""
