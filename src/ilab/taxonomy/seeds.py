"""Leaf to Seeds."""

from __future__ import annotations

from ilab.records.seeds import FREEFORM_SKILL, GROUNDED_SKILL, KNOWLEDGE, Seed
from ilab.taxonomy import leaf as leaves
from ilab.taxonomy.leaf import Leaf


def seeds_of(leaf: Leaf) -> list[Seed]:
    """The seeds of `leaf` in the order of the file. A skill example is grounded exactly if it has a context."""
    found = []
    for example in leaf.seeds:
        skill = GROUNDED_SKILL if example.context else FREEFORM_SKILL
        seed = Seed(
            leaf=leaf.path,
            kind=KNOWLEDGE if leaf.kind == leaves.KNOWLEDGE else skill,
            question=example.question,
            answer=example.answer,
            context=example.context,
            subject=leaf.subject,
            outline=leaf.outline,
        )
        found.append(seed)
    return found
