"""Bits per byte of neutral text: how far tuning moved the model away from ordinary language.

No labels are needed and every token counts, so this gauge moves before the keep-set does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ilab.llm.port import ScoreRequest, TokenScorer

START = "\n"
"""What stands before a text by default, so that its first token has something to follow."""


def bits_per_byte(scorer: TokenScorer, texts: Sequence[str], *, start: str = START) -> list[float]:
    """Bits that the model needs for a UTF-8 byte of each text, read after `start` (a BOS token, or a line end)."""
    requests = [ScoreRequest(context=start, continuations=(text,)) for text in texts]
    return [
        -scores[0].logprob / math.log(2) / len(text.encode())
        for text, scores in zip(texts, scorer.score(requests), strict=True)
    ]


def neutral_texts(path: Path | None = None) -> list[str]:
    """The paragraphs of a plain text file, or of the shipped one."""
    file = path or resources.files("ilab.evaluation").joinpath("data/neutral.txt")
    paragraphs = [" ".join(part.split()) for part in file.read_text(encoding="utf-8").split("\n\n")]
    return [paragraph for paragraph in paragraphs if paragraph]
