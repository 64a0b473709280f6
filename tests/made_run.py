"""A run folder with generated data, made without a model: a page with markup, its chunks, samples and rejected rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ilab.base import atomic, digest, jsonl
from ilab.records.chunks import Chunk
from ilab.records.samples import Sample
from ilab.records.seeds import Seed
from ilab.runs import folder as folders
from ilab.runs.folder import RunFolder

LEAF = "knowledge/lakes"
SKILL = "compositional_skills/log"
PAGE = """\
# Mirra

Lake Mirra is **412 metres** deep. It was first mapped by
[Ada Holm](https://example.org/holm) in 1884.

## Ships

The ferry Nordlys crosses the lake twice a day. Nobody counts the swans.
"""
_SHIPS = PAGE.index("## Ships")
CHUNKS = [
    Chunk(
        id=f"{LEAF}#000",
        leaf=LEAF,
        source="mirra.md",
        text="Lake Mirra is 412 metres deep. It was first mapped by Ada Holm in 1884.",
        tokens=20,
        start=0,
        end=_SHIPS,
        title="Mirra",
        heading="Mirra",
    ),
    Chunk(
        id=f"{LEAF}#001",
        leaf=LEAF,
        source="mirra.md",
        text="The ferry Nordlys crosses the lake twice a day. Nobody counts the swans.",
        tokens=20,
        start=_SHIPS,
        end=len(PAGE),
        title="Mirra",
        heading="Mirra > Ships",
    ),
]
DEPTH = "Lake Mirra is 412 metres deep."
FERRY = "The ferry Nordlys crosses the lake twice a day."


def sample(question: str, answer: str, **more: Any) -> Sample:
    """A sample about the first chunk unless `more` says otherwise."""
    values = {
        "leaf": LEAF,
        "kind": "knowledge",
        "origin": "facts",
        "chunk": CHUNKS[0].id,
        "source": DEPTH,
        "context": "",
        "scores": {"grounding_gain": 1.5},
    } | more
    identity = [values["leaf"], question, answer, values["context"]]
    return Sample(id=digest.of_value(identity)[:16], question=question, answer=answer, **values)


SAMPLES = [
    sample("How deep is Lake Mirra?", "412 metres.", chunk="", source="", origin="seed", scores={}),
    sample("What is the depth of Lake Mirra?", "412 metres."),
    sample("What is the depth of Lake Mirra today?", "412 metres."),
    sample("Which ferry crosses the lake?", "The Nordlys.", chunk=CHUNKS[1].id, source=FERRY, origin="sentences"),
    sample(
        "Who saw the comet?", "Ann.", leaf=SKILL, kind="grounded_skill", context="Ann saw the comet.", chunk="",
        source="", origin="variations", scores={},
    ),
]  # fmt: skip
REJECTED = [
    {"leaf": LEAF, "origin": "facts", "reason": "duplicate question", "question": "How deep is it?", "answer": "412."},
    {"leaf": LEAF, "origin": "sentences", "reason": "the teacher's answer could not be read", "raw": "I am a model."},
]
SEEDS = [
    Seed(leaf=LEAF, kind="knowledge", question="How deep is Lake Mirra?", answer="412 metres.", context=DEPTH),
]
USAGE = {"computed": 90, "cached": 10, "written": 20, "calls": 3}


def made_run(runs: Path, *, kind: str = "generate", finished: bool = True, taxonomy: str = "") -> RunFolder:
    """A run below `runs` that has generated; with `finished=False` there are only shards."""
    settings = {"models": {"teacher": "a-teacher", "teacher_endpoint": ""}, "sdg": {"flow": "simple", "seed": 42}}
    inputs = {"taxonomy": taxonomy, "commit": "0" * 40}
    run = folders.create(runs, kind, argv=["data", "generate"], settings=settings, inputs=inputs)
    prepared, generated = run.stages / "01-prepare", run.stages / "02-generate"
    jsonl.write(prepared / "documents.jsonl", [{"leaf": LEAF, "source": "mirra.md", "text": PAGE}])
    jsonl.write(prepared / "chunks.jsonl", [chunk.to_json() for chunk in CHUNKS])
    jsonl.write(prepared / "seeds.jsonl", [seed.to_json() for seed in SEEDS])
    for number, origin in enumerate(("facts", "sentences", "variations")):
        kept = [_row(one) for one in SAMPLES if one.origin == origin]
        rejected = [row for row in REJECTED if row["origin"] == origin]
        usage = USAGE if origin == "sentences" else dict.fromkeys(USAGE, 0)
        shard = {"kept": kept, "rejected": rejected, "usage": usage}
        atomic.write_text(generated / "shards" / f"{number}.json", jsonl.dumps(shard))
    if finished:
        jsonl.write(generated / "samples.jsonl", [one.to_json() for one in SAMPLES])
        jsonl.write(generated / "rejected.jsonl", REJECTED)
        atomic.write_json(generated / "funnel.json", {"teacher_tokens": USAGE})
    return run


def _row(one: Sample) -> dict[str, Any]:
    """A sample as it stands in a shard."""
    return {name: value for name, value in one.to_json().items() if name not in ("id", "source")} | {
        "statement": one.source
    }
