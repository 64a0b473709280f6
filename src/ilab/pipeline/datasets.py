"""Training files as users see them: dated files in the datasets folder, and a list of what is there."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ilab.base import clock, digest, jsonl
from ilab.pipeline import generate
from ilab.pipeline.baseline import load_proof
from ilab.pipeline.job import Job
from ilab.pipeline.mix import mix
from ilab.pipeline.prepare import prepare
from ilab.runs.folder import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One training file. `created` is ISO 8601; `size` in bytes."""

    name: str
    model: str
    created: str
    size: int
    rows: int


def make(run: RunFolder, job: Job, out: Path) -> list[Path]:
    """Generate, mix, and publish the training files of a run into `out` under the names of the reference."""
    prepared = prepare(run, job)
    generated = generate.generate(run, job, prepared)
    proof = load_proof(job, generated / "samples.jsonl")
    mixed = mix(run, job, prepared, generated, None, proof)
    return publish(mixed, generated, job, out)


def publish(mixed: Path, generated: Path, job: Job, out: Path) -> list[Path]:
    """Copy the files of a run to `out`: knowledge_train_msgs_*, skills_train_msgs_*, messages_<student>_*.jsonl."""
    out.mkdir(parents=True, exist_ok=True)
    known = sorted(out.glob("knowledge_train_msgs_*.jsonl"))
    content = digest.of_file(mixed / "phase1.jsonl")
    for file in known:
        if digest.of_file(file) == content:
            stamp = file.stem.removeprefix("knowledge_train_msgs_")
            return sorted(out.glob(f"*_{stamp}.jsonl"))
    stamp = clock.file_stamp()
    student = Path(job.models.student.replace("://", "-").replace("==", "-")).name
    names = {
        f"knowledge_train_msgs_{stamp}.jsonl": mixed / "phase1.jsonl",
        f"skills_train_msgs_{stamp}.jsonl": mixed / "phase2.jsonl",
    }
    for name, source in names.items():
        shutil.copyfile(source, out / name)
    messages = out / f"messages_{student}_{stamp}.jsonl"
    jsonl.write(messages, [_messages(row) for row in jsonl.read(generated / "samples.jsonl")])
    return [*(out / name for name in names), messages]


def _messages(row: dict[str, Any]) -> dict[str, Any]:
    asked = f"{row['context']}\n\n{row['question']}" if row.get("context") else row["question"]
    return {
        "messages": [{"content": asked, "role": "user"}, {"content": row["answer"], "role": "assistant"}],
        "metadata": json.dumps({"leaf": row["leaf"], "origin": row["origin"]}),
    }


def listed(folder: Path) -> list[Dataset]:
    """Every training file below `folder`, newest first."""
    found = []
    for path in folder.rglob("*.jsonl") if folder.exists() else ():
        stat = path.stat()
        parts = path.stem.split("_")
        model = parts[1] if parts[0] == "messages" and len(parts) > 2 else "General"
        created = datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds")
        found.append(
            Dataset(
                name=path.relative_to(folder).as_posix(),
                model=model,
                created=created,
                size=stat.st_size,
                rows=jsonl.count(path),
            )
        )
    return sorted(found, key=lambda one: (one.created, one.name), reverse=True)
