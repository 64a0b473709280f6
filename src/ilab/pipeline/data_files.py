"""What a command about data looks at: a file in any form that is known, or the data of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ilab.base import jsonl
from ilab.errors import Fault, MissingError, RunError, UserFileError
from ilab.mixing.conversations import Item, read_item
from ilab.records.chunks import Chunk
from ilab.records.reviews import FILE as REVIEWS
from ilab.records.reviews import Reviews
from ilab.records.samples import Sample
from ilab.records.seeds import Seed
from ilab.runs import index
from ilab.runs.folder import RunFolder

SAMPLES, PHASE1, PHASE2 = "samples", "phase1", "phase2"
PARTS = (SAMPLES, PHASE1, PHASE2)
"""What of a run is meant: the generated samples, or the training rows of a phase."""
PREPARED, GENERATED, MIXED = "01-prepare", "02-generate", "04-mix"
_PLACES = {SAMPLES: GENERATED, PHASE1: MIXED, PHASE2: MIXED}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A file of rows, and the run it belongs to, if it belongs to one. Rows are read one at a time."""

    path: Path
    run: RunFolder | None = None

    def items(self) -> Iterator[Item]:
        """The rows; samples of a run as a person's review left them. Every fault has its line."""
        reviews = self._reviews()
        for number, row in jsonl.numbered(self.path):
            try:
                item = read_item(row)
            except ValueError as error:
                fault = Fault(path=str(self.path), line=number, message=str(error))
                raise UserFileError(f"{self.path} is not a data file", [fault]) from error
            if reviews is None or not isinstance(item, Sample):
                yield item
            else:
                yield from reviews.apply([item])

    @property
    def of_samples(self) -> bool:
        """Whether these are the generated samples of a run."""
        return self.run is not None and self.path.name == f"{SAMPLES}.jsonl"

    def _reviews(self) -> Reviews | None:
        return Reviews(self.run.folder / REVIEWS) if self.run is not None and self.of_samples else None


def find(what: str, runs: Path, *, part: str = SAMPLES) -> DataFile:
    """The file `what`, or the data of the run whose id starts or ends with `what`."""
    path = Path(what).expanduser()
    if path.is_file():
        return DataFile(path=path, run=_run_around(path))
    if path.is_dir() or path.suffix in (".jsonl", ".json", ".parquet") or "/" in what:
        raise MissingError(
            f"{what} is a folder" if path.is_dir() else f"there is no file {what}",
            hint="`ilab data list` shows the training files, `ilab run list` the runs",
        )
    run = find_run(what, runs)
    found = run.stages / _PLACES[part] / f"{part}.jsonl"
    if not found.is_file():
        raise RunError(
            f"run {run.id} has no {part} yet", hint=f"`ilab data show {run.id.rsplit('-', 1)[-1]}` shows what it has"
        )
    return DataFile(path=found, run=run)


def find_run(part: str, runs: Path) -> RunFolder:
    """The run whose id starts or ends with `part`; `last` is the newest that generates data."""
    if part == "last":
        own = [run for run in index.all_runs(runs) if (run.stages / GENERATED).is_dir()]
        if not own:
            raise MissingError("no run has generated data yet", hint="`ilab data generate` starts one")
        return own[-1]
    run = index.find(runs, part)
    if not (run.stages / GENERATED).is_dir():
        raise RunError(f"run {run.id} has generated no data", hint=f"`ilab run show {run.id}` shows its stages")
    return run


def _run_around(path: Path) -> RunFolder | None:
    """The run in whose stage `path` lies."""
    parents = path.resolve().parents
    if len(parents) < 3 or parents[1].name != "stages" or not (parents[2] / "manifest.json").is_file():
        return None
    return RunFolder(parents[2])


def exchanges(item: Item) -> Iterator[Sample]:
    """The questions with their answers in a row: a sample as it is, the turns of a conversation one by one."""
    if isinstance(item, Sample):
        yield item
        return
    facts = metadata(item)
    for asked, said in zip(item.messages, item.messages[1:], strict=False):
        if asked.role == "user" and said.role == "assistant":
            yield replace(facts, question=asked.content, answer=said.content)


def metadata(row: Item) -> Sample:
    """A sample as it is; id, leaf, kind, origin and chunk of a training row as far as its metadata tells, no words."""
    if isinstance(row, Sample):
        return row
    try:
        found = json.loads(row.metadata)
    except ValueError:
        found = {}
    found = found if isinstance(found, dict) else {}
    leaf, kind, origin, chunk = (str(found.get(name) or "") for name in ("leaf", "kind", "origin", "chunk"))
    return Sample(id=row.id, leaf=leaf, kind=kind, question="", answer="", origin=origin, chunk=chunk)


def chunks(run: RunFolder) -> list[Chunk]:
    """The chunks of a run; none before they are made."""
    path = run.stages / PREPARED / "chunks.jsonl"
    return [Chunk.from_json(row) for row in jsonl.read(path)] if path.is_file() else []


def seeds(run: RunFolder) -> list[Seed]:
    """The user's own examples in a run; none before they are read."""
    path = run.stages / PREPARED / "seeds.jsonl"
    return [Seed.from_json(row) for row in jsonl.read(path)] if path.is_file() else []


def documents(run: RunFolder) -> Iterator[tuple[str, str, str]]:
    """(leaf, source, text) of every document of a run as it was written; none where the run kept none."""
    path = run.stages / PREPARED / "documents.jsonl"
    for row in jsonl.read(path) if path.is_file() else ():
        yield row["leaf"], row["source"], row["text"]
