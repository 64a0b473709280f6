"""Taxonomy and documents -> seeds.jsonl, chunks.jsonl, documents.jsonl.

Before the documents are cut, the models are put into the store: chunks are measured in the student's tokens.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ilab.base import atomic, digest, jsonl, language
from ilab.base.report import Reporter
from ilab.documents import read as documents
from ilab.documents.markdown import markdown_to_text
from ilab.errors import Fault, IlabError, MissingExtra, UserFileError
from ilab.pipeline import model_session
from ilab.pipeline.job import Job
from ilab.pipeline.sources import contexts_not_there, source_of
from ilab.records.chunks import Chunk, Document
from ilab.records.seeds import KNOWLEDGE, Seed
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage
from ilab.sdg import flow, languages
from ilab.taxonomy import check as taxonomy
from ilab.taxonomy import seeds as taxonomy_seeds

MODELS = "00-models"
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

    def originals(self) -> dict[tuple[str, str], str]:
        """The documents as they were written, by leaf and source."""
        return {(row["leaf"], row["source"]): row["text"] for row in jsonl.read(self.folder / "documents.jsonl")}


def prepare(run: RunFolder, job: Job) -> Prepared:
    """Check the taxonomy, fetch and cut the documents; every fault of the user's files comes at once.

    The models are made ready only after that: a fault of a file must not wait for a download.
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
    sources = [(leaf, source) for leaf in leaves if (source := source_of(leaf)) is not None]
    # Fetched once: what the key tells of must be what is read, though a page or a branch changes in between.
    files = documents.fetch_all(
        [source for _, source in sources],
        settings=job.documents,
        cache_dir=job.cache,
        report=run.reporter("01-prepare"),
    )
    tokens = ready_models(run, job)

    def work(box: StageBox) -> Mapping[str, Any]:
        for finding in found.warnings:
            box.report.warning(str(finding))
        seeds = [_plain(seed) for leaf in leaves for seed in taxonomy_seeds.seeds_of(leaf)]
        chunks: list[Chunk] = []
        originals: list[dict[str, Any]] = []
        for number, (leaf, source) in enumerate(sources):
            box.report.progress("documents", number, len(sources))
            read = documents.read_documents(
                source,
                settings=job.documents,
                cache_dir=job.cache,
                files=files[source.leaf],
                tokens=tokens.counter,
                report=box.report,
            )
            for finding in contexts_not_there(leaf, read.whole):
                box.report.warning(str(finding))
            chunks += documents.with_languages(read)
            originals += [_original(document) for document in read.whole]
        box.report.progress("documents", len(sources), len(sources))
        for text in _about_languages(chunks, job.sdg.flow):
            box.report.warning(text)
        jsonl.write(box.folder / "documents.jsonl", originals)
        jsonl.write(box.folder / "seeds.jsonl", [seed.to_json() for seed in seeds])
        jsonl.write(box.folder / "chunks.jsonl", [chunk.to_json() for chunk in chunks])
        atomic.write_json(box.folder / "leaves.json", [leaf.path for leaf in leaves])
        return {"leaves": len(leaves), "seeds": len(seeds), "chunks": len(chunks)}

    inputs = {
        "taxonomy": digest.of_value([found.digest(), sorted(leaf.path for leaf in leaves)]),
        "documents": documents.files_digest(files),
        "tokens": tokens.identity,
    }
    return Prepared(folder=run_stage(run, "01-prepare", settings=job.documents, inputs=inputs, work=work))


def _plain(seed: Seed) -> Seed:
    """A context of knowledge as plain words, for prompts; what was written is kept beside it."""
    if seed.kind != KNOWLEDGE:
        return seed
    context = markdown_to_text(seed.context)
    return seed if context == seed.context else replace(seed, context=context, written=seed.context)


def _about_languages(chunks: Sequence[Chunk], name: str) -> list[str]:
    """A warning for each document that the rules cannot read, with the flows that work for it."""
    if not chunks:
        return []
    try:
        language.check()
    except MissingExtra as error:
        return [f"documents are taken to be in English: {error.message} ({error.hint})"]
    foreign = {chunk.source: chunk.language for chunk in chunks if chunk.language not in ("", language.ENGLISH)}
    others = {other: flow.load(other) for other in flow.shipped()} if foreign else {}
    return [
        languages.warning(source, spoken, name=name, flow=flow.load(name), others=others)
        for source, spoken in foreign.items()
    ]


def _original(document: Document) -> dict[str, Any]:
    """A document as it was before it became plain text; the spans of chunks count in it."""
    return {"leaf": document.leaf, "source": document.source, "text": document.original}


def ready_models(run: RunFolder, job: Job) -> model_session.Tokens:
    """Fetch and convert the models, so that the stages that use them find them in the store; the student's tokens."""
    with _step(run, MODELS) as report:
        if not job.models.teacher_endpoint:
            model_session.chat_form(job, job.models.teacher, report)
        model_session.exact_form(job, job.models.judge, report)
        return model_session.student_tokens(job, report)


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
