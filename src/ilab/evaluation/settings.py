"""EvalSettings: which questions, how sure we want to be, and where the verdict lines lie."""

from __future__ import annotations

from pydantic import BaseModel, Field


class EvalSettings(BaseModel, extra="forbid", frozen=True):
    """How a tuned model is compared with its base model."""

    questions: str = ""
    """Path of a questions file about the document; empty uses held-out generated questions."""
    placebo: str = ""
    """Path of a questions file about a page that is never trained; empty leaves the placebo out."""
    keepset: str = ""
    """Path of general questions that must not be forgotten; empty uses the shipped set."""
    neutral_text: str = ""
    """Path of a plain text file (paragraphs apart by empty lines) to measure drift on; empty uses the shipped one."""
    open_book: bool = True
    """Also ask the base model with the text in the prompt: the ceiling."""
    resamples: int = Field(10_000, ge=100)
    """Bootstrap resamples behind every interval."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Confidence of every interval."""
    seed: int = 42
    """Seed of the bootstrap."""
    useful_gain: float = Field(0.05, ge=0, le=1)
    """Accuracy gain below which learning does not matter; used to say NOT LEARNED with confidence."""
    keep_margin: float = Field(0.03, ge=0, le=1)
    """Largest loss of keep-set accuracy that still counts as retained (lower bound of the interval)."""
    drift_margin: float = Field(0.05, ge=0)
    """Rise of bits per byte on neutral text above which the report warns of drift."""
    selection_every: int = Field(2, ge=2)
    """Every n-th fact of each tier chooses the checkpoint; the others are kept for the report."""
    keep_selection_every: int = Field(3, ge=2)
    """The same for the keep-set."""
    selection_keep_margin: float = Field(0.03, ge=0, le=1)
    """A checkpoint that loses more keep-set accuracy than this (selection part) is not chosen."""
    selection_slack: float = Field(0.0, ge=0)
    """An earlier checkpoint is preferred when it is within this many standard errors of the best; 0 takes the best."""
    forgetting_penalty: float = Field(1.0, ge=0)
    """How much a lost point of keep-set accuracy weighs against a gained point on the document when choosing."""
    examples: int = Field(5, ge=0)
    """How many questions both models answer in words for the report."""
    answer_tokens: int = Field(64, ge=1)
    """Longest answer in words, in tokens."""
