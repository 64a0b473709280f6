"""MixSettings: how samples become training files."""

from __future__ import annotations

from pydantic import BaseModel, Field


class MixSettings(BaseModel, extra="forbid", frozen=True):
    """How generated samples become training files."""

    system_prompt: str = ""
    """Put before every conversation; empty for the model's own default."""
    document_repeats: int = Field(4, ge=0)
    """How often each chunk of a document stands in phase 1 as text to read."""
    statement_repeats: int = Field(4, ge=0)
    """How often each sentence of the documents, and each short sentence that says a part of one, stands in phase 1."""
    questions_per_fact: int = Field(16, ge=1)
    """How often each fact is asked for in phase 1, in as many wordings as there are."""
    wording_repeats: int = Field(4, ge=1)
    """How often one wording of a question may stand in phase 1; a fact with few wordings is asked for less often."""
    questions_per_row: int = Field(6, ge=1)
    """Knowledge questions that share one conversation; 1 gives every question its own row."""
    train_questions: bool = True
    """Train the words of knowledge questions as well as those of their answers; without it, answers only."""
    replay_share: float = Field(0.2, ge=0, le=1)
    """Share of the phase-1 questions that is repeated in phase 2, counted in rows."""
    keep_rows: int = Field(40, ge=0)
    """How many general instructions, answered by the untrained model itself, are mixed in against forgetting."""
    heldout_share: float = Field(0.2, ge=0, le=0.5)
    """Share of the generated facts that is held out for the proof when no question file is given."""
    seed: int = 42
    """Decides every choice and the order of rows."""
