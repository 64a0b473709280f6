"""The phases of a training: knowledge first, then skills with a replay of knowledge. What each reads."""

from __future__ import annotations

from dataclasses import dataclass

from ilab.training.settings import PhaseSettings, TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase: its number counts from 1, `rows` is the name of the training file that it reads."""

    number: int
    name: str
    rows: str

    def settings(self, settings: TrainSettings) -> PhaseSettings:
        """The part of `settings` that belongs to this phase."""
        return (settings.phase1, settings.phase2)[self.number - 1]


KNOWLEDGE = Phase(number=1, name="knowledge", rows="phase1.jsonl")
"""Documents, and questions about them."""
SKILLS = Phase(number=2, name="skills", rows="phase2.jsonl")
"""Skills, with a share of the knowledge rows so that it is not forgotten. Starts from the chosen knowledge model."""
PHASES = (KNOWLEDGE, SKILLS)
"""In the order of the work."""
