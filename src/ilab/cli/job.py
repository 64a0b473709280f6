"""The Job that a command works on: resolved settings as the rooms want them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilab.base import digest
from ilab.errors import UserFileError

if TYPE_CHECKING:
    from ilab.config.load import Loaded
    from ilab.pipeline.job import Job

ROOMS = ("models", "taxonomy", "documents", "sdg", "mixing", "training", "evaluation", "serving")


def of(loaded: Loaded, *, name: str = "tuned") -> Job:
    """The Job for `loaded` settings; `name` is the store name of the model to make."""
    from ilab.models.store import ModelStore
    from ilab.pipeline.job import Job, Models

    config = loaded.config
    chosen = config.models
    return Job(
        taxonomy_path=taxonomy_path(loaded),
        taxonomy=config.taxonomy,
        documents=config.documents,
        sdg=config.sdg,
        mixing=config.mixing,
        training=config.training,
        evaluation=config.evaluation,
        serving=config.serving,
        models=Models(
            teacher=chosen.teacher,
            student=chosen.student,
            judge=chosen.judge,
            teacher_endpoint=chosen.teacher_endpoint,
            teacher_api_key=chosen.teacher_api_key.get_secret_value(),
        ),
        store=ModelStore(loaded.paths.models),
        cache=loaded.paths.cache,
        name=name,
    )


def taxonomy_path(loaded: Loaded) -> Path:
    """The taxonomy folder: the setting, else the one in the data folder."""
    path = loaded.config.taxonomy.path
    return (Path(path).expanduser() if path else loaded.paths.taxonomy).resolve()


def inputs_of(loaded: Loaded) -> dict[str, Any]:
    """What a run reads from outside, for the manifest: the taxonomy and the digest of all content."""
    taxonomy = taxonomy_path(loaded)
    files = file_inputs(loaded)
    content = [digest.of_path(taxonomy) if taxonomy.exists() else "", files]
    return {"taxonomy": str(taxonomy), "content": digest.of_value(content)}


def file_inputs(loaded: Loaded) -> dict[str, Any]:
    """The user's question files by digest, for the manifest; a missing one is a clear error before any work."""
    settings = loaded.config.evaluation
    named = {"questions": settings.questions, "placebo": settings.placebo, "keepset": settings.keepset}
    found = {}
    for name, value in named.items():
        if value:
            path = Path(value).expanduser()
            if not path.is_file():
                raise UserFileError(f"the {name} file {value} does not exist", [], hint=f"give its path with --{name}")
            found[name] = {"path": str(path), "digest": digest.of_file(path)}
    return found
