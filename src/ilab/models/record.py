"""MODEL.json: what a stored model consists of and where it comes from; its presence makes the model complete."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from ilab.base import atomic, clock, digest
from ilab.errors import MissingModel
from ilab.models import probe
from ilab.models.faults import unusable

RECORD = "MODEL.json"
SCHEMA_VERSION = 1


def _inside(name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise ValueError(f"{name!r} leads out of the model's folder")
    return name


FileName = Annotated[str, AfterValidator(_inside)]


class FormatEntry(BaseModel, extra="ignore", frozen=True):
    """One format of the model: the file that loads it (empty: the folder), and what its headers say."""

    file: FileName | None = None
    architecture: str = ""
    parameters: int = 0
    context_length: int = 0
    size: int = 0


class ModelRecord(BaseModel, extra="ignore", frozen=True):
    """The content of MODEL.json. `files` maps relative names to SHA-256; `size` is their sum in bytes."""

    schema_version: int
    name: str
    created: str = ""
    formats: dict[str, FormatEntry] = Field(min_length=1)
    files: dict[FileName, str]
    digest: str
    size: int
    provenance: dict[str, Any] = {}


def write(folder: Path, name: str, provenance: Mapping[str, Any]) -> ModelRecord:
    """Describe the model files in `folder` and write MODEL.json.

    Raises `MissingModel` when nothing there can be loaded, `UserFileError` when a file is damaged.
    """
    found = probe.formats(folder)
    if not found:
        raise MissingModel(f"{folder} holds no model", hint="a model folder holds config.json and weights")
    files = {file: path for file, path in digest.files_below(folder).items() if file != RECORD}
    sums = {file: digest.of_file(path) for file, path in files.items()}
    record = ModelRecord(
        schema_version=SCHEMA_VERSION,
        name=name,
        created=clock.stamp(),
        formats={kind: _entry(folder, kind, path) for kind, path in found.items()},
        files=sums,
        digest=digest.of_value(sums),
        size=sum(path.stat().st_size for path in files.values()),
        provenance=dict(provenance),
    )
    atomic.write_text(folder / RECORD, record.model_dump_json(indent=2) + "\n")
    return record


def _entry(folder: Path, kind: str, path: Path) -> FormatEntry:
    model = probe.probe(path, prefer=kind)
    return FormatEntry(
        file=path.name if path != folder else None,
        architecture=model.architecture,
        parameters=model.parameters,
        context_length=model.context_length,
        size=model.size,
    )


def read(folder: Path) -> ModelRecord:
    """Read MODEL.json and check that its files are there with the right total size (their content is not read).

    Raises `UserFileError` for a folder that is not a complete model.
    """
    path = folder / RECORD
    try:
        record = ModelRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise unusable(folder, f"it is not complete: {RECORD} is missing") from error
    except (OSError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise unusable(path, f"cannot be read: {first}") from error
    if record.schema_version > SCHEMA_VERSION:
        raise unusable(path, "it was written by a newer ilab", hint="update ilab")
    missing = [file for file in record.files if not (folder / file).is_file()]
    if missing:
        raise unusable(folder, f"{missing[0]} is missing", hint="remove the model and get it again")
    size = sum((folder / file).stat().st_size for file in record.files)
    if size != record.size:
        why = f"its files have {size} bytes instead of {record.size}"
        raise unusable(folder, why, hint="remove the model and get it again")
    return record
