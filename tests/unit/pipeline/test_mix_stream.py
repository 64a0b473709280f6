"""Mixing and publishing hold no text in memory, and write the bytes that they wrote when they held all of it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.made_run import made_run

from ilab.base import jsonl
from ilab.cli import job as jobs
from ilab.config import load
from ilab.errors import UserFileError
from ilab.pipeline import baseline, datasets, mix
from ilab.pipeline.job import Job
from ilab.pipeline.prepare import Prepared
from ilab.records.chunks import Chunk
from ilab.records.reviews import FILE as REVIEWS
from ilab.records.reviews import Reviews
from ilab.records.samples import AUXILIARY, Sample
from ilab.runs.folder import RunFolder

LEAVES = ("knowledge/towns", "knowledge/rivers/north", "knowledge/rivers_north")
SKILLS = {"skills/rhymes": "freeform_skill", "skills/tables": "grounded_skill"}
NAMES = [f"{first}{last}" for first in ("Al", "Bor", "Cen", "Dra", "Ely") for last in ("ton", "wick", "ham", "stéad")]
GOLDEN = {
    "plain": "ea83773ef6cfd00c",
    "reviewed": "6c3bdd4b9ab416b9",
    "questions": "49691bcb88de5240",
    "none-held": "7ac4488b11e3e0b1",
    "own-rows": "591952d19b332cc2",
}
"""Digests of all files as they were made by code that held every sample in memory."""


def chunks() -> list[Chunk]:
    """Ten pieces of text a leaf; some overlap, and two say the same."""
    found: list[Chunk] = []
    for leaf in LEAVES:
        for number in range(10):
            said = [sentence(leaf, number * 4 + one) for one in range(6)] if number < 9 else []
            text = " ".join(said) or found[-1].text
            domain, title = leaf.split("/")[1], f"Page {number % 3}"
            found.append(
                Chunk(id=f"{leaf}#{number}", leaf=leaf, source="a.md", text=text, tokens=60, domain=domain, title=title)
            )
    return found


def sentence(leaf: str, number: int) -> str:
    dice = random.Random(f"{leaf}:{number}")
    name = dice.choice(NAMES)
    return f"{name} was founded in {dice.randrange(900, 1900)}, and it has {dice.randrange(2, 99)} mills ({number})."


def samples() -> list[Sample]:
    """Three thousand of every kind: facts with one wording and with many, the user's own, summaries, skills."""
    dice = random.Random(4)
    pieces = chunks()
    found: list[Sample] = []
    for number in range(3000):
        piece = dice.choice(pieces)
        said = dice.choice([one + "." for one in piece.text.rstrip(".").split(". ")])
        answer = dice.choice(said.rstrip(".").split())
        made = {
            "id": f"s{number}", "leaf": piece.leaf, "kind": "knowledge", "origin": dice.choice(["facts", "pairs"]),
            "question": f"What is said ({number}) of {dice.choice(NAMES)}?", "answer": answer, "chunk": piece.id,
            "source": said, "document": "a.md", "start": number, "end": number + 9, "scores": {"gain": number / 7},
        }  # fmt: skip
        draw = dice.random()
        if draw < 0.05:
            made |= {"origin": AUXILIARY, "question": f"{piece.text}\n\nSum up.", "answer": said, "source": ""}
        elif draw < 0.1:
            made |= {"origin": "seed", "chunk": "", "source": ""}
        elif draw < 0.3:
            leaf = dice.choice(list(SKILLS))
            made |= {"leaf": leaf, "kind": SKILLS[leaf], "chunk": "", "source": ""}
            made |= {"context": said} if SKILLS[leaf] == "grounded_skill" else {}
        elif draw < 0.4:
            made |= {"source": ""}
        found.append(Sample(**made))  # type: ignore[arg-type]
    return found


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = made_run(tmp_path)
    made = samples()
    jsonl.write(run.stages / "02-generate" / "samples.jsonl", [one.to_json() for one in made])
    jsonl.write(run.stages / "01-prepare" / "chunks.jsonl", [one.to_json() for one in chunks()])
    choices = [
        {"leaf": one.leaf, "chunk": one.chunk, "question": one.question, "choices": list("abcd"), "key": n % 4}
        for n, one in enumerate(made[:200])
        if one.chunk
    ]
    jsonl.write(run.stages / "02-generate" / "mmlu.jsonl", choices)
    keep = [{"prompt": f"Say {n}.", "answer": f"{n}", "whole": n != 3} for n in range(20)]
    jsonl.write(tmp_path / "replay.jsonl", keep)
    return run


def reviewed(run: RunFolder) -> None:
    reviews = Reviews(run.folder / REVIEWS)
    for number in range(0, 3000, 50):
        if number % 3:
            reviews.decide(f"s{number}", "edit", answer=f"edited {number}")
        else:
            reviews.decide(f"s{number}", "reject")


def job_of(tmp_path: Path, **settings: object) -> Job:
    # which sentences a page has is for other tests to say
    values = {"models.student": "/models/tiny", "mixing.statement_repeats": 0}
    values |= {name.replace("__", "."): one for name, one in settings.items()}
    return jobs.of(load.load(load.Request(overrides=values)))


def everything(run: RunFolder, job: Job, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Every file of the mix and of what is published, by its name without the time, with a digest of its content."""
    generated, prepared = run.stages / "02-generate", Prepared(folder=run.stages / "01-prepare")
    proof = baseline.load_proof(job, generated / "samples.jsonl")
    mixed = mix.mix(run, job, prepared, generated, tmp_path / "replay.jsonl", proof)
    out = tmp_path / "out"
    reviews = Reviews(run.folder / REVIEWS)
    made = datasets.publish(mixed, prepared, generated, job, out, proof=proof, reviews=reviews)
    assert datasets.publish(mixed, prepared, generated, job, out, proof=proof, reviews=reviews) == made
    stamp = made.recipes[0].stem.removeprefix("knowledge_recipe_")
    files = [*mixed.glob("*.jsonl"), *out.rglob("*.jsonl"), *made.recipes]
    for path in sorted(files):
        content = path.read_bytes().replace(stamp.encode(), b"STAMP").replace(bytes(tmp_path), b"")
        yield path.name.replace(stamp, "STAMP"), hashlib.sha256(content).hexdigest()[:16]
    assert not [path for path in [*mixed.rglob("*"), *out.rglob("*")] if ".tmp" in path.name], "nothing is left over"


QUESTIONS = """\
schema_version: 1
kind: questions
facts:
  - id: a
    tier: untaught
    questions: ["When was it built?"]
    answer: Borwick
    distractors: [Alton]
  - id: b
    tier: taught
    questions: ["What is said (77) of Alton?", "What is said (78) of Cenham?"]
    answer: A mill
    distractors: [A lake]
"""


@pytest.mark.parametrize("case", ["plain", "reviewed", "questions", "none-held", "own-rows"])
def test_the_bytes_are_those_of_the_whole_in_memory(run: RunFolder, tmp_path: Path, case: str) -> None:
    (tmp_path / "questions.yaml").write_text(QUESTIONS)
    settings: dict[str, dict[str, object]] = {
        "questions": {"evaluation__questions": str(tmp_path / "questions.yaml"), "mixing__system_prompt": "You help."},
        "none-held": {"mixing__heldout_share": 0.0, "mixing__document_repeats": 0, "mixing__replay_share": 1.0},
        "own-rows": {"mixing__questions_per_row": 1, "mixing__wording_repeats": 1, "mixing__train_questions": False},
    }
    if case != "plain":
        reviewed(run)
    # as it was when the digests were made
    changes: dict[str, object] = {
        "mixing__questions_per_fact": 10,
        "mixing__wording_repeats": 3,
        **settings.get(case, {}),
    }
    found = dict(everything(run, job_of(tmp_path, **changes), tmp_path))
    whole = hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:16]
    assert len(found) > 15 and whole == GOLDEN[case], found


def test_a_broken_line_is_named_and_nothing_is_left_of_the_attempt(run: RunFolder, tmp_path: Path) -> None:
    job, generated, prepared = job_of(tmp_path), run.stages / "02-generate", Prepared(folder=run.stages / "01-prepare")
    proof = baseline.load_proof(job, generated / "samples.jsonl")
    mixed = mix.mix(run, job, prepared, generated, None, proof)
    with (generated / "samples.jsonl").open("a") as file:
        file.write('{"id": "cut of\n')
    with pytest.raises(UserFileError) as caught:
        mix.mix(run, job, prepared, generated, None, proof)
    assert [fault.line for fault in caught.value.faults] == [3001]
    assert {path.name for path in mixed.iterdir()} == {"STARTED.json", "spent.json"}
    with pytest.raises(UserFileError):
        datasets.publish(mixed, prepared, generated, job, tmp_path / "out", proof=proof)
    assert not list((tmp_path / "out").iterdir())
