"""How much memory it takes to put a million rows together, to export them, to mix them and to publish the files.

    python bench/sdg_memory.py [ROWS]

The rows are made here, in shards as generation leaves them; one in ten is a near duplicate of an earlier one, which
the comparison over the run must find. Collecting, `data export`, `data mix`, the mix of the main job and its publishing
run in processes of their own, whose largest resident size is taken; a fifth of the facts is held out of the last two.
A million rows take about 12 GB of temporary files. The result is written to bench/results/sdg_memory.json; the exit
status is 1 when one of them took more than 1 GiB, or a duplicate was kept.
"""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ilab.base import jsonl
from ilab.base.report import NullReporter
from ilab.cli import job as jobs
from ilab.config import load
from ilab.evaluation import questions
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.pipeline import datasets
from ilab.pipeline.baseline import Proof
from ilab.pipeline.job import Job
from ilab.pipeline.mix import mix
from ilab.pipeline.prepare import Prepared
from ilab.records.chunks import Chunk
from ilab.records.seeds import KNOWLEDGE, Seed
from ilab.runs import folder as folders
from ilab.runs import index
from ilab.runs.folder import RunFolder
from ilab.sdg import execute
from ilab.sdg.compare import Known, Sketcher
from ilab.sdg.flow import Flow
from ilab.sdg.row import Box
from ilab.sdg.settings import SdgSettings
from ilab.sdg.shards import Shards
from ilab.sdg.units import plan

ROWS, PER_SHARD, SENTENCES, LIMIT = 1_000_000, 500, 20, 1 << 30
RESULT = Path(__file__).parent / "results" / "sdg_memory.json"
LEAF = "knowledge/bench"
SEEDS = [Seed(leaf=LEAF, kind=KNOWLEDGE, question="Is this a test?", answer="Yes.", context="This is a test.")]
FLOW = Flow.model_validate(
    {
        "version": "1.0",
        "knowledge": {"pairs": [{"block": "ask", "prompt": "chunk_pairs"}, {"block": "distinct", "scope": "run"}]},
    }
)
WORDS = (
    "keeper lighthouse wind sea visibility log wick ship night light tower granite rock oil lamp harbour ferry pier "
    "storm tide chart buoy anchor sail mast rope deck cabin captain crew port bay reef coast cliff beach sand gull"
).split()


def sentence(number: int) -> str:
    """A sentence that no other number has."""
    dice = random.Random(number)
    return f"The {dice.choice(WORDS)} of {name(number)} has {number} {dice.choice(WORDS)}s."


def name(number: int) -> str:
    """A name that no other number has."""
    dice = random.Random(f"name {number}")
    return "".join(dice.choice("bdfgklmnprstvz") + dice.choice("aeiou") for _ in range(6)).capitalize()


def chunks(count: int) -> list[Chunk]:
    """The documents in pieces."""
    return [
        Chunk(
            id=f"{LEAF}#{number}",
            leaf=LEAF,
            source="bench.md",
            text=" ".join(sentence(number * SENTENCES + one) for one in range(SENTENCES)),
            tokens=300,
        )
        for number in range(count)
    ]


def rows(shard: int, count: int) -> list[dict[str, Any]]:
    """The rows of a shard; every tenth asks what the one before it asks."""
    found: list[dict[str, Any]] = []
    for number in range(shard * PER_SHARD, shard * PER_SHARD + count):
        dice = random.Random(f"row {number}")
        asked = " ".join(dice.choice(WORDS) for _ in range(7))
        question = f"How many {asked} did {name(number)} have in the year {1000 + number % 900}?"
        if number % 10 == 9:
            question = found[-1]["question"].replace("did", "then did")
        about = shard * SENTENCES + number % SENTENCES
        found.append({"question": question, "answer": f"{number} of them.", "statement": sentence(about)})
    return found


def models() -> execute.Models:
    """Models that nobody asks: all shards are there."""
    return execute.Models(
        teacher=ScriptedChatModel(lambda messages: ""),
        scorer=ScriptedTokenScorer(lambda request, continuation: 0.0),
        render=lambda turns: "",
        identity="bench",
    )


def make(folder: Path, total: int) -> None:
    """Write the shards."""
    settings = SdgSettings()
    known = Known(SEEDS, (), Sketcher(SEEDS))
    shards = Shards(folder / "shards", [execute.VERSION, "bench", [], known.digest], settings)
    for number, unit in enumerate(plan(SEEDS, chunks(total // PER_SHARD), flow=FLOW)):
        drafts = [{**unit.rows[0], **row, "draft": draft} for draft, row in enumerate(rows(number, PER_SHARD))]
        shards.write(unit, kept=drafts, box=Box(), drafts=drafts)


def collect(folder: Path, total: int) -> None:
    """What generation does once every unit is done."""
    parts = chunks(total // PER_SHARD)
    original = {(LEAF, "bench.md"): ""}
    execute.generate(
        SEEDS, parts, flow=FLOW, models=models(), settings=SdgSettings(), out=folder, report=NullReporter(),
        originals=original,
    )  # fmt: skip


def stages(folder: Path, total: int) -> tuple[RunFolder, Job, Prepared, Proof]:
    """The run that the samples in `folder` belong to, with a proof that holds facts out."""
    job = jobs.of(load.load(load.Request()))
    runs = folder / "runs"
    run = (
        index.all_runs(runs)[0] if runs.exists() else folders.create(runs, "generate", argv=[], settings={}, inputs={})
    )
    prepared = Prepared(folder=folder / "prepared")
    jsonl.write(prepared.folder / "chunks.jsonl", [chunk.to_json() for chunk in chunks(total // PER_SHARD)])
    keep = questions.shipped_keepset()
    return run, job, prepared, Proof(document=keep, placebo=None, keep=keep, generated=True)


def train(folder: Path, total: int) -> None:
    """The files of the two phases."""
    run, job, prepared, proof = stages(folder, total)
    mix(run, job, prepared, folder, None, proof)


def publish(folder: Path, total: int) -> None:
    """The dated files, those of the leaves and the recipes."""
    run, job, prepared, proof = stages(folder, total)
    datasets.publish(run.stages / "04-mix", prepared, folder, job, folder / "published", proof=proof)


def measured(*command: str | Path) -> dict[str, float]:
    """Seconds and the largest resident size, in bytes, of a command that must end well."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, *command])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    unit = 1 if platform.system() == "Darwin" else 1024
    return {"seconds": round(time.monotonic() - began, 1), "peak_bytes": usage.ru_maxrss * unit}


def main(total: int) -> int:
    """Measure, print and store."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, total)
        found = {"collect": measured(__file__, "collect", folder, str(total))}
        kept = jsonl.count(folder / "samples.jsonl")
        duplicates = jsonl.count(folder / "rejected.jsonl")
        out = ["--format", "messages", "--output", folder / "train.jsonl"]
        found["export"] = measured("-m", "ilab", "data", "export", folder / "samples.jsonl", *out)
        recipe = folder / "recipe.yaml"
        recipe.write_text("datasets:\n  - path: train.jsonl\n    sampling_size: 1.0\n")
        found["train"] = measured(__file__, "train", folder, str(total))
        found["publish"] = measured(__file__, "publish", folder, str(total))
        found["mix"] = measured("-m", "ilab", "data", "mix", "--recipe", recipe, "--output", folder / "mixed.jsonl")
    worst = max(one["peak_bytes"] for one in found.values())
    result = {
        "rows": total,
        "kept": kept,
        "duplicates": duplicates,
        "duplicates_made": total // 10,
        "limit_bytes": LIMIT,
        "processes": found,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    print(json.dumps(result, indent=2))
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    return int(worst > LIMIT or duplicates < 0.99 * total // 10)


if __name__ == "__main__":
    if step := {"collect": collect, "train": train, "publish": publish}.get(sys.argv[1] if len(sys.argv) > 1 else ""):
        step(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS))
