"""Taxonomy and documents -> seeds.jsonl, chunks.jsonl; then the models that generation needs are put into the store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilab.base import atomic, digest, jsonl
from ilab.base.report import Reporter
from ilab.documents import read as documents
from ilab.documents.source import Source
from ilab.errors import Fault, IlabError, UserFileError
from ilab.pipeline import model_session
from ilab.pipeline.job import Job
from ilab.records.chunks import Chunk
from ilab.records.seeds import KNOWLEDGE, Seed
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage
from ilab.taxonomy import check as taxonomy
from ilab.taxonomy import seeds as taxonomy_seeds
from ilab.taxonomy.leaf import Leaf

MODELS = "01b-models"
"""The step that fetches and converts models, as it is named in progress and in the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The outcome of the stage, read back from its folder."""

    folder: Path

    def seeds(self) -> list[Seed]:
        """The user's own questions and answers."""
        return [Seed.from_json(row) for row in jsonl.read(self.folder / "seeds.jsonl")]

    def chunks(self) -> list[Chunk]:
        """The documents in pieces."""
        return [Chunk.from_json(row) for row in jsonl.read(self.folder / "chunks.jsonl")]


def prepare(run: RunFolder, job: Job) -> Prepared:
    """Check the taxonomy, fetch and cut the documents; every fault of the user's files comes at once.

    Then the models are made ready: a fault of a file must not wait for a download.
    """
    found = taxonomy.check(job.taxonomy_path, settings=job.taxonomy)
    found.require_valid()
    leaves = found.leaves
    if not leaves:
        raise UserFileError(
            f"no leaf of {job.taxonomy_path} differs from `{job.taxonomy.base}`",
            [Fault(path=str(job.taxonomy_path), message="nothing changed")],
            hint="use --taxonomy-base empty to take every leaf",
        )
    sources = [_source(leaf) for leaf in leaves if leaf.document is not None]

    def work(box: StageBox) -> Mapping[str, Any]:
        for finding in found.warnings:
            box.report.warning(str(finding))
        seeds = [seed for leaf in leaves for seed in taxonomy_seeds.seeds_of(leaf)]
        chunks: list[Chunk] = []
        for number, source in enumerate(sources):
            box.report.progress("documents", number, len(sources))
            chunks += documents.read_documents(source, settings=job.documents, cache_dir=job.cache, report=box.report)
        box.report.progress("documents", len(sources), len(sources))
        jsonl.write(box.folder / "seeds.jsonl", [seed.to_json() for seed in seeds])
        jsonl.write(box.folder / "chunks.jsonl", [chunk.to_json() for chunk in chunks])
        atomic.write_json(box.folder / "leaves.json", [leaf.path for leaf in leaves])
        return {"leaves": len(leaves), "seeds": len(seeds), "chunks": len(chunks)}

    inputs = {
        "taxonomy": digest.of_value([found.digest(), sorted(leaf.path for leaf in leaves)]),
        "documents": documents.sources_digest(sources, settings=job.documents, cache_dir=job.cache),
    }
    prepared = Prepared(folder=run_stage(run, "01-prepare", settings=job.documents, inputs=inputs, work=work))
    ready_models(run, job)
    return prepared


def ready_models(run: RunFolder, job: Job) -> None:
    """Fetch and convert teacher and judge, so that the stages that use them find them in the store."""
    with _step(run, MODELS) as report:
        if not job.models.teacher_endpoint:
            model_session.chat_form(job, job.models.teacher, report)
        model_session.exact_form(job, job.models.judge, report)


@contextmanager
def _step(run: RunFolder, name: str) -> Iterator[Reporter]:
    """Work that progress shows like a stage. It has no folder: the store is its result, and that is looked at anew."""
    run.say("stage_started", stage=name)
    began = time.monotonic()
    try:
        yield run.reporter(name)
    except IlabError as error:
        run.say("stage_failed", stage=name, error=error.message, seconds=round(time.monotonic() - began, 3))
        raise
    run.say("stage_finished", stage=name, seconds=round(time.monotonic() - began, 3))


def _source(leaf: Leaf) -> Source:
    document = leaf.document
    assert document is not None
    return Source(
        leaf=leaf.path,
        base_folder=leaf.file.parent,
        repo=document.repo,
        commit=document.commit,
        path=document.path,
        patterns=document.patterns,
        domain=leaf.subject if leaf.kind == KNOWLEDGE else "",
        outline=leaf.outline,
    )
