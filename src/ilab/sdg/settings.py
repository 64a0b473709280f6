"""SdgSettings: how samples are generated."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, JsonValue

OUTSIDE_KEY: dict[str, JsonValue] = {"outside_key": True}


class SdgSettings(BaseModel, extra="forbid", frozen=True):
    """How synthetic data is generated from seeds, chunks and a teacher."""

    flow: str = "simple"
    """Name of a shipped flow, the path of a flow YAML file, or the folder or name of a pipeline of the reference."""
    scale_factor: int = Field(8, ge=0)
    """How many new samples to ask for in each skill leaf."""
    samples_per_leaf: int = Field(0, ge=0)
    """How many samples each leaf should have; 0: skills `scale_factor`, knowledge what its documents give."""
    rounds: int = Field(3, ge=0)
    """Most further rounds for leaves that have fewer samples than they should."""
    temperature: float = Field(0.7, ge=0, le=2)
    """Sampling temperature of the teacher where a flow wants variety."""
    max_tokens: int = Field(512, ge=16)
    """Longest answer of the teacher, in tokens."""
    structured: Literal["auto", "never"] = "auto"
    """`auto` has the teacher's server keep answers to a JSON schema where it can; `never` asks for tags."""
    reasks: int = Field(1, ge=0, le=5)
    """How often an answer that cannot be read is asked for again, with a complaint, before the row is given up."""
    judge_min_auc: float = Field(0.7, ge=0, le=1)
    """A judge that tells your own examples from spoiled ones less surely than this (AUC) rejects nothing."""
    seed: int = 42
    """Decides every random choice; the same seed and inputs give the same samples."""
    workers: int = Field(8, ge=1, json_schema_extra=OUTSIDE_KEY)
    """Most requests to the teacher in flight at the same time; fewer while it is too busy."""
    journal: str = Field("", json_schema_extra=OUTSIDE_KEY)
    """File that keeps the teacher's answers, so that nothing is asked twice; empty takes one that all runs share."""
    replay: bool = Field(False, json_schema_extra=OUTSIDE_KEY)
    """Ask no teacher: take every answer from the journal, and fail at the first that is not there."""
