"""Samples, chunks and statements as TrainRows, in the message format of the reference."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ilab.base import digest
from ilab.records import messages
from ilab.records.chunks import Chunk
from ilab.records.messages import Message
from ilab.records.samples import Sample, TrainRow


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepPair:
    """A general instruction and the untrained model's own answer."""

    prompt: str
    answer: str


_NAMESPACE = uuid.UUID("6f1d4c1e-6d5c-4a53-9d0a-3d1f6d0f7a11")


def question_row(sample: Sample, *, system_prompt: str = "", unmask: bool = False) -> TrainRow:
    """A question and its answer; with `unmask` both are trained. A grounded skill shows its context above."""
    asked = f"{sample.context}\n\n{sample.question}" if sample.context else sample.question
    turns = (messages.user(asked), messages.assistant(sample.answer))
    return _row(
        turns,
        system_prompt=system_prompt,
        metadata={"leaf": sample.leaf, "kind": sample.kind, "origin": sample.origin, "chunk": sample.chunk},
        unmask=unmask,
    )


def conversation_row(samples: Sequence[Sample], *, system_prompt: str = "", unmask: bool = False) -> TrainRow:
    """Several unrelated questions as the turns of one conversation; the tokens around a question are paid once.

    With `unmask` the questions are trained too.
    """
    turns = tuple(
        turn for sample in samples for turn in (messages.user(sample.question), messages.assistant(sample.answer))
    )
    metadata = {"leaf": samples[0].leaf, "kind": samples[0].kind, "samples": [sample.id for sample in samples]}
    return _row(turns, system_prompt=system_prompt, metadata=metadata, unmask=unmask)


def document_row(chunk: Chunk) -> TrainRow:
    """A chunk as text to read: one `pretraining` turn, trained whole."""
    head = chunk.heading or chunk.title
    text = f"{head}\n\n{chunk.text}" if head and not chunk.text.lstrip().startswith("#") else chunk.text
    return text_row(text, metadata={"leaf": chunk.leaf, "kind": "document", "chunk": chunk.id})


def text_row(text: str, *, metadata: Mapping[str, Any]) -> TrainRow:
    """Plain text to read, trained whole."""
    return _row((Message(role="pretraining", content=text),), system_prompt="", metadata=metadata)


def keep_row(prompt: str, answer: str, *, system_prompt: str = "") -> TrainRow:
    """A general instruction with the untrained model's own answer."""
    turns = (messages.user(prompt), messages.assistant(answer))
    return _row(turns, system_prompt=system_prompt, metadata={"leaf": "", "kind": "keep"})


def _row(
    turns: tuple[Message, ...], *, system_prompt: str, metadata: Mapping[str, Any], unmask: bool = False
) -> TrainRow:
    if system_prompt:
        turns = (messages.system(system_prompt), *turns)
    content = [turn.to_json() for turn in turns]
    return TrainRow(
        id=str(uuid.uuid5(_NAMESPACE, digest.of_value([content, dict(metadata)]))),
        messages=turns,
        unmask=unmask,
        metadata=json.dumps(dict(metadata), ensure_ascii=False, sort_keys=True),
    )
