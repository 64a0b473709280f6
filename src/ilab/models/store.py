"""The model store: one folder a model, complete once its MODEL.json is there.

    <root>/<org>/<name>/      the model's files and MODEL.json, never changed afterwards
    <root>/.new-*             a model that is being added; swept away by the next add when its writer is dead
    <root>/.old-*             the former model of a name while it is replaced; put back when the writer died meanwhile
    <root>/.lock              held (flock) for the instant in which names change

A model may hold safetensors files and one .gguf file. Adding is safe against a kill at any moment: the old model of a
name is found until the new one is complete.
"""

from __future__ import annotations

import difflib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilab.base import atomic, digest, hardware
from ilab.base.report import NullReporter, Reporter
from ilab.errors import IlabError, MissingDisk, MissingModel, UserFileError
from ilab.models import probe, record, refs
from ilab.models.faults import unusable
from ilab.models.record import RECORD, ModelRecord
from ilab.records.models import ModelDir

_LIST = "`ilab model list` shows the models in the store"
_LEFT_OUT = (RECORD, "DONE.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A complete model of the store: its folder and what MODEL.json says."""

    folder: Path
    record: ModelRecord

    @property
    def name(self) -> str:
        """The full name, `<org>/<name>`."""
        return self.record.name

    def as_dir(self, prefer: str | None = None) -> ModelDir:
        """The model in the format `prefer`; in its first one (safetensors before GGUF) when it lacks that."""
        formats = self.record.formats
        chosen = prefer if prefer in formats else next(iter(formats))
        entry = formats[chosen]
        return ModelDir(
            name=self.name,
            path=self.folder / entry.file if entry.file else self.folder,
            format=chosen,
            architecture=entry.architecture,
            parameters=entry.parameters,
            context_length=entry.context_length,
            size=entry.size,
        )


StoredModels = list[StoredModel]


class ModelStore:
    """The models below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def list(self, *, report: Reporter | None = None) -> StoredModels:
        """Every complete model, by name. What cannot be read is told to `report` as a warning, and left out."""
        self._recover()
        found = []
        for folder in sorted(path for path in self.root.glob("[!.]*/[!.]*") if path.is_dir()):
            try:
                found.append(self._open(folder))
            except (IlabError, OSError) as error:
                why = error.details[0] if isinstance(error, UserFileError) else str(error)
                (report or NullReporter()).warning(f"model {self._name_of(folder)} is left out: {why}")
        return found

    def find(self, name_or_path: str | Path, *, prefer: str | None = None) -> ModelDir:
        """The model that a name, the unique last part of a name, a reference or a path means.

        A name of the store wins over a relative path. Raises `MissingModel` with close names where there is none.
        """
        if isinstance(name_or_path, Path):
            return self._at(name_or_path.expanduser(), prefer)
        reference = refs.parse(name_or_path)
        if isinstance(reference, refs.PathRef):
            return self._at(reference.path, prefer)
        if isinstance(reference, refs.PackageRef):
            for model in self.list():
                if model.record.provenance.get("source") == str(reference):
                    return model.as_dir(prefer)
            raise MissingModel(f"{reference} is not in the store", hint=_LIST)
        found = self._named(reference.name)
        if found is not None:
            return found.as_dir(prefer)
        if Path(reference.name).exists():
            return self._at(Path(reference.name), prefer)
        raise self._missing(reference.name)

    def add_folder(self, name: str, folder: Path, *, provenance: Mapping[str, Any]) -> ModelDir:
        """Copy the model in `folder` into the store as `name`, replacing a former one when the copy is complete.

        `provenance` says where it comes from: source, licence, run, base model, digests of the data. Raises
        `MissingModel` or `UserFileError` when the folder holds no loadable model, `MissingDisk` when it will not fit.
        """
        if not folder.is_dir() or not probe.formats(folder):
            raise MissingModel(f"{folder} holds no model", hint="a model folder holds config.json and weights")
        files = {name: path for name, path in digest.files_below(folder).items() if name not in _LEFT_OUT}
        needed, free = sum(path.stat().st_size for path in files.values()), hardware.free_disk(self.root)
        if needed > free:
            raise MissingDisk(
                f"the model needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free at {self.root}",
                hint="free some space (`ilab model remove`, `ilab run prune`), then run the same command again",
            )
        with self.building(name, provenance=provenance) as target:
            for relative, path in files.items():
                (target / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / relative)
        return self.find(refs.full_name(name))

    @contextmanager
    def building(self, name: str, *, provenance: Mapping[str, Any]) -> Iterator[Path]:
        """A folder to put a new model's files in; when the block ends well it becomes the model `name`."""
        full = refs.full_name(name)
        with atomic.disk_errors(self.root), self._workplace() as folder:
            yield folder
            for path in digest.files_below(folder).values():
                _sync(path)
            record.write(folder, full, provenance)
            atomic.sync_folder(folder)
            with self._locked():
                self._swap_in(folder, full)

    def remove(self, name: str) -> str:
        """Remove one model by its name, or by the unique last part of it; return the full name.

        Only names are taken, never paths; a damaged or incomplete model can be removed by its full name.
        """
        folder = self._folder(refs.full_name(name))
        if not (folder.is_dir() or folder.is_symlink()):
            found = self._named(name)
            if found is None:
                raise self._missing(name)
            folder = found.folder
        with self._locked():
            gone = self.root / f".new-{secrets.token_hex(8)}"
            folder.rename(gone)
            with suppress(OSError):
                folder.parent.rmdir()  # only when this was its last model
        _delete(gone)
        return self._name_of(folder)

    def verify(self, name: str) -> tuple[str, ...]:
        """Read every file of a model again; return what is wrong: files that are missing, changed or not recorded."""
        found = self._named(name)
        if found is None:
            raise self._missing(name)
        files = {name: path for name, path in digest.files_below(found.folder).items() if name != RECORD}
        wanted = found.record.files
        faults = [f"{file} is missing" for file in wanted if file not in files]
        faults += [f"{file} is not part of the model" for file in files if file not in wanted]
        same = [file for file in files if file in wanted]
        faults += [f"{file} has changed" for file in same if digest.of_file(files[file]) != wanted[file]]
        return tuple(faults)

    def _open(self, folder: Path) -> StoredModel:
        found = record.read(folder)
        if found.name != self._name_of(folder):
            raise unusable(folder / RECORD, f"it names the model {found.name}")
        return StoredModel(folder=folder, record=found)

    def _at(self, path: Path, prefer: str | None) -> ModelDir:
        if (path / RECORD).is_file():
            return StoredModel(folder=path, record=record.read(path)).as_dir(prefer)
        return probe.probe(path, prefer=prefer)

    def _named(self, name: str) -> StoredModel | None:
        """The model of this full name, or the only one whose name ends with it."""
        self._recover()
        folder = self._folder(refs.full_name(name))
        if folder.is_dir():
            return self._open(folder)
        matches = [model for model in self.list() if model.name.partition("/")[2] == name]
        if len(matches) > 1:
            names = ", ".join(model.name for model in matches)
            raise MissingModel(f"{name} means several models", hint=f"name one of {names}")
        return matches[0] if matches else None

    def _missing(self, name: str) -> MissingModel:
        names = [model.name for model in self.list()]
        parts = {key: full for full in names for key in (full, full.partition("/")[2])}
        close = sorted({parts[key] for key in difflib.get_close_matches(name, parts, n=4, cutoff=0.5)})
        hint = f"close names: {', '.join(close)}; {_LIST}" if close else _LIST
        return MissingModel(f"there is no model {name!r} in {self.root}", hint=hint)

    def _folder(self, full: str) -> Path:
        org, _, name = full.partition("/")
        return self.root / org / name

    def _name_of(self, folder: Path) -> str:
        return f"{folder.parent.name}/{folder.name}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _workplace(self) -> Iterator[Path]:
        """A fresh temp folder that is ours while we live; leftovers of dead writers are swept first."""
        with self._locked():
            self._put_back()
            for leftover in self.root.glob(".new-*"):
                if _abandoned(leftover):
                    _delete(leftover)
            folder = self.root / f".new-{secrets.token_hex(8)}"
            folder.mkdir()
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            os.close(descriptor)
            _delete(folder)

    def _swap_in(self, folder: Path, full: str) -> None:
        target = self._folder(full)
        target.parent.mkdir(parents=True, exist_ok=True)
        old = self.root / f".old-{secrets.token_hex(8)}"
        if target.exists() or target.is_symlink():
            target.rename(old)
        folder.rename(target)
        atomic.sync_folder(target.parent)
        _delete(old)

    def _recover(self) -> None:
        """Put back a model whose replacement was cut off between its two renames; needs the store to be writable."""
        if any(self.root.glob(".old-*")):
            with suppress(OSError), self._locked():
                self._put_back()

    def _put_back(self) -> None:
        for old in self.root.glob(".old-*"):
            try:
                target = self._folder(record.read(old).name)
            except UserFileError:
                _delete(old)  # a damaged model whose removal was cut off
                continue
            if target.exists():
                _delete(old)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                old.rename(target)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _delete(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    """Whether no living process holds the folder's lock."""
    if folder.is_symlink():
        return True
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
