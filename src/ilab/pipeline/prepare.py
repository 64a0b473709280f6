"""Taxonomy and documents -> seeds.jsonl, chunks.jsonl, and the questions of the proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilab.base import atomic, digest, jsonl
from ilab.documents import read as documents
from ilab.documents.source import Source
from ilab.errors import Fault, UserFileError
from ilab.pipeline.job import Job
from ilab.records.chunks import Chunk
from ilab.records.seeds import KNOWLEDGE, Seed
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage
from ilab.taxonomy import check as taxonomy
from ilab.taxonomy import seeds as taxonomy_seeds
from ilab.taxonomy.leaf import Leaf


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
    """Check the taxonomy, fetch and cut the documents; every fault of the user's files comes at once."""
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
    return Prepared(folder=run_stage(run, "01-prepare", settings=job.documents, inputs=inputs, work=work))


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
