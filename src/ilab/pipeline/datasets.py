"""Training files as users see them: dated files in the datasets folder, and a list of what is there and in runs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ilab.base import atomic, clock, jsonl
from ilab.evaluation.questions import Fact, QuestionSet
from ilab.mixing import mmlu_task, on_demand, reference_files
from ilab.mixing.reference_files import NodeFiles
from ilab.pipeline import generate
from ilab.pipeline.baseline import Proof, load_proof
from ilab.pipeline.job import Job
from ilab.pipeline.mix import divide, mix, opened
from ilab.pipeline.prepare import Prepared, prepare
from ilab.records.reviews import FILE as REVIEWS
from ilab.records.reviews import Reviews
from ilab.runs.folder import RunFolder

_KNOWLEDGE = "knowledge_train_msgs"
_QUESTIONS = "heldout_questions"
_KNOWLEDGE_RECIPE, _SKILLS_RECIPE = "knowledge_recipe", "skills_recipe"
_NODES = "node_datasets"
_YAML = (_QUESTIONS, _KNOWLEDGE_RECIPE, _SKILLS_RECIPE)
_PIECE = 1 << 20
Content = bytes | Path
"""What a file is to hold: these bytes, or a copy of that file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One training file. `created` is ISO 8601; `size` in bytes."""

    name: str
    model: str
    created: str
    size: int
    rows: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The training files of a run, and the questions about the facts that were held out of them, if there are any.

    `recipes` mix the files of the leaves, for those who want another mix than that of `files`.
    """

    files: list[Path]
    questions: Path | None
    recipes: list[Path]


def make(run: RunFolder, job: Job, out: Path) -> Published:
    """Generate, mix, and publish the training files of a run into `out` under the names of the reference."""
    prepared = prepare(run, job)
    generated = generate.generate(run, job, prepared)
    proof = load_proof(job, generated / "samples.jsonl")
    mixed = mix(run, job, prepared, generated, None, proof)
    return publish(mixed, prepared, generated, job, out, proof=proof, reviews=Reviews(run.folder / REVIEWS))


def publish(
    mixed: Path,
    prepared: Prepared,
    generated: Path,
    job: Job,
    out: Path,
    *,
    proof: Proof,
    reviews: Reviews | None = None,
) -> Published:
    """Write the files of a run to `out`, or find them there when they were published before.

    knowledge_train_msgs_*, skills_train_msgs_*, messages_<student>_*.jsonl; heldout_questions_*.yaml when facts were
    held out for want of a hand-written questions file; node_datasets_*/ with the files of each leaf and, where the flow
    makes questions with choices, those and their task for lm-eval; knowledge_recipe_*, skills_recipe_*.yaml that mix
    the files of the leaves.

    The recipes do not make the two train_msgs files: those are our own mix, in which every fact is asked for in many
    wordings and the document stands as text to read, and models learn more from it. The files of the leaves are the
    reference's, for recipes and programs that were written for those. Both come from the same samples, without those
    that are held out.
    """
    student = Path(job.models.student.replace("://", "-").replace("==", "-")).name
    settings = job.mixing
    with (
        _beside(out) as scratch,
        opened(prepared, generated) as (samples, chunks),
        _choices(generated) as choices,
        atomic.disk_errors(out),
    ):
        train, _ = divide(samples, proof, job, reviews, folder=scratch)
        jsonl.write(scratch / "messages.jsonl", (_message(sample.to_json()) for sample in train))
        fixed: dict[str, Content] = {
            f"messages_{student}": scratch / "messages.jsonl",
            "skills_train_msgs": mixed / "phase2.jsonl",
            **({_QUESTIONS: _questions(proof.document)} if proof.generated and proof.document else {}),
            # The last one to be written: a set without it was broken off, and is not taken for a published one.
            _KNOWLEDGE: mixed / "phase1.jsonl",
        }
        nodes = scratch / _NODES
        nodes.mkdir()
        names = reference_files.write(nodes, train, chunks, system_prompt=settings.system_prompt, seed=settings.seed)
        tasks = mmlu_task.write_rows(nodes, choices, chunks)
        stamp = _published(out, fixed, names, tasks, job, nodes) or _fresh_stamp(out)
        mmlu_task.write_tasks(nodes, tasks, home=_nodes_of(out, stamp))
        contents = _recipes(names, stamp, job) | fixed
        paths = {stem: _path(out, stem, stamp) for stem in contents}
        if not _nodes_of(out, stamp).exists():
            nodes.replace(_nodes_of(out, stamp))
            atomic.sync_folder(out)
        for stem, path in paths.items():
            if not path.exists():
                _put(path, contents[stem])
    questions = paths.pop(_QUESTIONS, None)
    recipes = [paths.pop(stem) for stem in (_KNOWLEDGE_RECIPE, _SKILLS_RECIPE) if stem in paths]
    return Published(files=sorted(paths.values()), questions=questions, recipes=recipes)


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A hidden folder in `out` to fill, removed at the end."""
    folder = out / f".{_NODES}.{os.getpid()}.tmp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put(path: Path, content: Content) -> None:
    if isinstance(content, bytes):
        atomic.write_bytes(path, content)
    else:
        with atomic.replacing(path) as temporary:
            shutil.copyfile(content, temporary)


def _recipes(names: NodeFiles, stamp: str, job: Job) -> dict[str, Content]:
    """The recipes as files; none that mixes nothing."""
    wanted = {_KNOWLEDGE_RECIPE: names.knowledge, _SKILLS_RECIPE: names.skills}
    prompt = job.mixing.system_prompt
    return {
        stem: reference_files.recipe(files, folder=f"{_NODES}_{stamp}", system_prompt=prompt).encode()
        for stem, files in wanted.items()
        if files
    }


def _nodes_of(out: Path, stamp: str) -> Path:
    return out / f"{_NODES}_{stamp}"


def _path(out: Path, stem: str, stamp: str) -> Path:
    return out / f"{stem}_{stamp}.{'yaml' if stem in _YAML else 'jsonl'}"


@contextmanager
def _choices(generated: Path) -> Iterator[Sequence[dict[str, Any]]]:
    """The questions with choices of a run; none where its flow makes none."""
    path = generated / "mmlu.jsonl"
    if path.is_file():
        with on_demand.of_file(path, dict[str, Any]) as rows:
            yield rows
    else:
        yield ()


def _published(
    out: Path, fixed: Mapping[str, Content], names: NodeFiles, tasks: list[str], job: Job, nodes: Path
) -> str:
    """The stamp of the files in `out` with just these contents; empty where there are none."""
    for file in sorted(out.glob(f"{_KNOWLEDGE}_*.jsonl")):
        stamp = file.stem.removeprefix(f"{_KNOWLEDGE}_")
        contents = _recipes(names, stamp, job) | dict(fixed)
        mmlu_task.write_tasks(nodes, tasks, home=_nodes_of(out, stamp))
        if all(_holds(_path(out, stem, stamp), content) for stem, content in contents.items()) and _same_files(
            nodes, _nodes_of(out, stamp)
        ):
            return stamp
    return ""


def _holds(path: Path, content: Content) -> bool:
    if isinstance(content, Path):
        return path.is_file() and _same_bytes(path, content)
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def _same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold files of the same names and contents."""
    if not other.is_dir():
        return False
    names = {path.name for path in one.iterdir()}
    return names == {path.name for path in other.iterdir()} and all(
        _same_bytes(one / name, other / name) for name in names
    )


def _same_bytes(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while piece := first.read(_PIECE):
            if piece != second.read(_PIECE):
                return False
    return True


def _fresh_stamp(out: Path) -> str:
    """The present moment; with a number when another run published in the same second."""
    moment = stamp = clock.file_stamp()
    number = 1
    while any(out.glob(f"*_{stamp}")) or any(out.glob(f"*_{stamp}.*")):
        number += 1
        stamp = f"{moment}-{number}"
    return stamp


def _message(row: dict[str, Any]) -> dict[str, Any]:
    asked = f"{row['context']}\n\n{row['question']}" if row.get("context") else row["question"]
    return {
        "messages": [{"content": asked, "role": "user"}, {"content": row["answer"], "role": "assistant"}],
        "metadata": json.dumps({"leaf": row["leaf"], "origin": row["origin"]}),
    }


def _questions(document: QuestionSet) -> bytes:
    """The set as a questions file that `--questions` takes."""
    content = replace(document, facts=tuple(_asked_once(document))).to_json()
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120).encode()


def _asked_once(facts: Iterable[Fact]) -> Iterable[Fact]:
    """The facts without questions that another fact asks too: a questions file may not hold one twice."""
    asked: set[str] = set()
    for fact in facts:
        new = {" ".join(question.casefold().split()): question for question in fact.questions}
        kept = tuple(question for key, question in new.items() if key not in asked)
        asked |= new.keys()
        if kept:
            yield replace(fact, questions=kept)


def listed(folder: Path) -> list[Dataset]:
    """Every training file below `folder`, newest first; what is still being written, and what tests, is left out."""
    below = folder.rglob("*.jsonl") if folder.exists() else ()
    found = (path for path in below if not path.name.startswith(mmlu_task.DATA))
    whole = (path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    return _newest_first(_dataset(path, below=folder) for path in whole)


def of_runs(runs: Path) -> list[Dataset]:
    """The training files that lie in finished stages of the runs below `runs`, newest first.

    Those of `data generate` are left out, because it publishes them.
    """
    mixed = [done.parent for done in runs.glob("*/stages/04-mix/DONE.json")]
    own = [folder for folder in mixed if folder.parents[1].name.split("-")[1:2] != ["generate"]]
    paths = [path for folder in own for path in folder.glob("phase*.jsonl") if path.stat().st_size]
    return _newest_first(_dataset(path, below=runs) for path in paths)


def _newest_first(found: Iterable[Dataset]) -> list[Dataset]:
    return sorted(found, key=lambda one: (one.created, one.name), reverse=True)


def _dataset(path: Path, *, below: Path) -> Dataset:
    stat = path.stat()
    parts = path.stem.split("_")
    return Dataset(
        name=path.relative_to(below).as_posix(),
        model=parts[1] if parts[0] == "messages" and len(parts) > 2 else "General",
        created=datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds"),
        size=stat.st_size,
        rows=jsonl.count(path),
        path=str(path.absolute()),
    )
