"""Rows and a tiny model that the training tests share."""

from collections.abc import Sequence
from pathlib import Path

from tests.tiny_model import make_tiny_model

from ilab.base import jsonl
from ilab.records.messages import Message, assistant, user
from ilab.records.samples import TrainRow

DOCUMENT = (
    "Phoenix is a minor constellation in the southern sky. Named after the mythical phoenix, it was first depicted on "
    "a celestial atlas by Johann Bayer in his 1603 Uranometria. Its brightest star is Alpha Phoenicis, called Ankaa."
)
PAIRS = [
    ("Which star of Phoenix is the brightest?", "Ankaa."),
    ("Who depicted Phoenix first?", "Johann Bayer."),
    ("When was the Uranometria published?", "In 1603."),
    ("What is Phoenix?", "A minor constellation in the southern sky."),
    ("What is it named after?", "The mythical phoenix."),
]


def text_row(text: str, name: str = "text") -> TrainRow:
    """A document row."""
    return TrainRow(id=name, messages=(Message(role="pretraining", content=text),))


def chat_row(question: str, answer: str, name: str = "chat") -> TrainRow:
    """A question and answer row."""
    return TrainRow(id=name, messages=(user(question), assistant(answer)))


def rows() -> list[TrainRow]:
    """A document and questions about it."""
    return [text_row(DOCUMENT), *(chat_row(question, answer) for question, answer in PAIRS)]


def write_rows(path: Path, rows: Sequence[TrainRow]) -> Path:
    """Write a training file."""
    jsonl.write(path, [row.to_json() for row in rows])
    return path


def tiny_model(folder: Path) -> Path:
    """A tiny model whose tokenizer knows the words of the rows."""
    return make_tiny_model(folder, texts=[DOCUMENT, *(text for pair in PAIRS for text in pair)])


def train_to_the_end(plan: dict[str, object]) -> None:
    """What the training child does; runs in a process of its own, which tests kill."""
    import threading

    from ilab.training import torch_worker
    from ilab.training.plan import TrainPlan

    assert torch_worker.work(TrainPlan.from_json(plan), threading.Event())
