"""The other form of a model: GGUF out of safetensors or the reverse, kept in the store or written to a place."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ilab.base import atomic, digest
from ilab.base.report import Reporter
from ilab.errors import ConfigError, IlabError
from ilab.models import convert, refs
from ilab.models.store import ModelStore, StoredModel
from ilab.records.models import GGUF, SAFETENSORS, ModelDir

TYPES: Mapping[str, tuple[str, ...]] = {GGUF: ("q8_0", "f16", "f32"), SAFETENSORS: ("f32", "f16")}
"""Format -> the types of numbers that its weights can be written in, the default first."""


def source_for(store: ModelStore, reference: str | Path, *, to: str = "") -> tuple[ModelDir, str]:
    """The form of a model that is converted, and the format to make; an empty `to` means the one that it lacks.

    Raises `MissingModel` where there is no such model, `ConfigError` where there is nothing to convert.
    """
    found = [store.find(reference, prefer=form) for form in (SAFETENSORS, GGUF)]
    forms = {model.format: model for model in found}
    if not to and len(forms) > 1:
        raise ConfigError(f"{found[0].name} has both forms", hint="say with --to which one to make anew")
    target = to or _other(found[0].format)
    if _other(target) not in forms:
        raise ConfigError(f"{found[0].name} is {target} already", hint=f"--to {_other(target)} makes the other form")
    return forms[_other(target)], target


def _other(form: str) -> str:
    return SAFETENSORS if form == GGUF else GGUF


def copy_name(model: ModelDir, to: str) -> str:
    """The store name of the converted copy; a model outside the store is kept under `converted/`."""
    org, mark, _ = model.name.rpartition("/")
    return f"{org if mark else 'converted'}/{_plain(model)}-{to}"


def _plain(model: ModelDir) -> str:
    last = model.name.rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._+-]", "-", last).strip(".-+_")[:80] or "model"


def original(store: ModelStore, name: str) -> StoredModel | None:
    """The model that `name` was converted from: itself, if it is no copy; None where the store does not have it."""
    stored = {entry.name: entry for entry in store.list()}
    entry = stored.get(name)
    while entry is not None and "base_digest" in entry.record.provenance:
        stored.pop(entry.name)  # so that two copies which name each other end the search
        entry = stored.get(str(entry.record.provenance.get("base_model", "")))
    return entry


def into_store(
    store: ModelStore,
    model: ModelDir,
    *,
    to: str,
    kind: str = "",
    name: str = "",
    replace: bool = False,
    report: Reporter | None = None,
) -> ModelDir:
    """Convert `model` to the format `to` and keep the result as `name`, `<name>-<to>` by default.

    The copy is made once for each content and type of numbers (`kind`). Another model of that name is replaced only
    with `replace`, else `ConfigError`.
    """
    stored = {entry.name: entry for entry in store.list()}
    source = stored.get(model.name)
    full, kind = refs.full_name(name or copy_name(model, to)), _checked(to, kind)
    facts = {"base_digest": _content(model, source), "type": kind}
    copy = stored.get(full)
    if copy is not None and to in copy.record.formats and _made_of(copy) == facts:
        return copy.as_dir(to)
    if copy is not None and not replace:
        hint = f"give another name with --model-name, or remove it first: `ilab model remove {full}`"
        raise ConfigError(f"there is another model {full} in the store", hint=hint)
    with store.building(full, provenance=_provenance(model, source, facts, to=to)) as folder:
        _write(model, folder / _file_name(model, kind) if to == GGUF else folder, to=to, kind=kind, report=report)
        for licence in sorted(_folder(model).glob("LICENSE*")) if source is not None else []:
            (folder / licence.name).write_bytes(licence.read_bytes())
    return store.find(full, prefer=to)


def into_place(model: ModelDir, out: Path, *, to: str, kind: str = "", report: Reporter | None = None) -> Path:
    """Convert `model` into the `.gguf` file or the folder `out`, which appears when it is complete; return it.

    A GGUF file is put into `out` where that is a folder. Nothing that is there is replaced: `IlabError`.
    """
    kind = _checked(to, kind)
    if to == GGUF and out.is_dir():
        out = out / _file_name(model, kind)
    if to == GGUF and out.suffix.lower() != ".gguf":
        raise ConfigError(f"{out} is no name for a GGUF file", hint="end it with .gguf, or name a folder that exists")
    if out.exists() and not (to == SAFETENSORS and out.is_dir() and not any(out.iterdir())):
        raise IlabError(f"{out} exists already", hint="name another place, or remove it first")
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp") if to == SAFETENSORS else out
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"{out.parent} is no folder", hint="name another place with --output") from error
    with atomic.disk_errors(out):
        try:
            _write(model, temporary, to=to, kind=kind, report=report)
            temporary.replace(out)
        finally:
            if temporary != out:
                shutil.rmtree(temporary, ignore_errors=True)
        atomic.sync_folder(out.parent)
    return out


def _checked(to: str, kind: str) -> str:
    if kind and kind not in TYPES[to]:
        raise ConfigError(f"{to} weights cannot be written as {kind} here", hint=f"use one of {', '.join(TYPES[to])}")
    return kind or TYPES[to][0]


def _write(model: ModelDir, out: Path, *, to: str, kind: str, report: Reporter | None) -> None:
    if to == GGUF:
        convert.safetensors_to_gguf(model.path, out, kind=kind, report=report)
    else:
        convert.gguf_to_safetensors(model.path, out, half=kind == "f16", report=report)


def _file_name(model: ModelDir, kind: str) -> str:
    return f"{_plain(model)}-{kind.upper()}.gguf"


def _folder(model: ModelDir) -> Path:
    return model.path if model.path.is_dir() else model.path.parent


def _content(model: ModelDir, source: StoredModel | None) -> str:
    """The digest of what is converted; of a model in the store it is known."""
    if source is None:
        return digest.of_path(model.path)
    return source.record.files[model.path.name] if model.format == GGUF else source.record.digest


def _made_of(copy: StoredModel) -> dict[str, Any]:
    provenance = copy.record.provenance
    return {"base_digest": provenance.get("base_digest"), "type": provenance.get("type", TYPES[SAFETENSORS][0])}


def _provenance(model: ModelDir, source: StoredModel | None, facts: Mapping[str, str], *, to: str) -> Mapping[str, str]:
    how = "dequantised" if to == SAFETENSORS else "converted"
    return {
        "source": f"{how} from {model.name if source is not None else model.path}",
        "base_model": model.name,
        "licence": source.record.provenance.get("licence", "") if source is not None else "",
        **facts,
    }
