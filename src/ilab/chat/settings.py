"""Settings of chats."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ChatSettings(BaseModel, extra="forbid", frozen=True):
    """How a conversation is held."""

    context: str = "default"
    """Named system prompt to start with; `/lc` in a chat lists them."""
    temperature: float = Field(0.0, ge=0, le=2)
    """0 gives the likeliest answer every time; higher values give more varied ones."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Draw from the likeliest tokens that make up this share of the probability; 1 draws from all."""
    max_tokens: int = Field(512, ge=1)
    """Longest answer in tokens."""
    seed: int = 42
    """Start of the random numbers; the same seed repeats an answer."""
    context_size: int = Field(4096, ge=128)
    """Tokens that the model can read; the oldest turns are left out when a conversation grows beyond it."""
    transcript: bool = True
    """Keep every chat in a file of its own."""
