"""Which journal keeps the answers of a job's teacher, and opening it so that nobody prunes it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ilab.base import digest
from ilab.llm import journal_files
from ilab.llm.journal import Journal
from ilab.pipeline.job import Job

FOLDER = "journal"
"""Where journals are in the cache."""


def file_of(job: Job, identity: str) -> Path:
    """The journal: the user's, else one for each teacher in the cache, so that every run has it."""
    if job.sdg.journal:
        return Path(job.sdg.journal).expanduser()
    return job.cache / FOLDER / f"{digest.of_value(identity)[:16]}.jsonl"


@contextmanager
def opened(job: Job, identity: str, *, read_only: bool) -> Iterator[Journal]:
    """The journal, open. One in the cache is noted as used; a journal of the user's own is only what it is."""
    path = file_of(job, identity)
    if job.sdg.journal or read_only:
        with closing(Journal(path, read_only=read_only)) as journal:
            yield journal
        return
    with journal_files.using(path, teacher=_name(job, identity)), closing(Journal(path)) as journal:
        yield journal


def _name(job: Job, identity: str) -> str:
    """The teacher as people know it; of a model here the identity is a digest."""
    return identity if job.models.teacher_endpoint else job.models.teacher
