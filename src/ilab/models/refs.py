"""Parse what a user writes for a model: a package reference, a path, or a name in the store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ilab.errors import ConfigError

FORMS = "pypi://package==version, a folder or .gguf file, or a name that `ilab model list` shows"
"""The supported forms, for hints."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._+-]{0,99})?")
_PACKAGE = re.compile(r"([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9])==([0-9][A-Za-z0-9.!+]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRef:
    """A model inside a Python package of exactly one version."""

    package: str
    version: str

    def __str__(self) -> str:
        return f"pypi://{self.requirement}"

    @property
    def requirement(self) -> str:
        """The package as pip spells it: `name==version`."""
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRef:
    """A model folder or file somewhere on disk, `~` expanded."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRef:
    """A name in the store, `<org>/<name>` or its last part alone; possibly also a relative path."""

    name: str

    def __str__(self) -> str:
        return self.name


Reference = PackageRef | PathRef | NameRef


def parse(text: str) -> Reference:
    """What `text` refers to. Raises `ConfigError` for an unknown scheme or a text that is none of the forms.

    A text that begins with `/`, `.` or `~`, or ends with `.gguf`, is a path; any other without a scheme is a name.
    """
    scheme, mark, rest = text.partition("://")
    if mark:
        return _package(text, scheme, rest)
    if text.startswith(("/", ".", "~")) or text.lower().endswith(".gguf"):
        return PathRef(path=Path(text).expanduser())
    if _NAME.fullmatch(text):
        return NameRef(name=text)
    if text.strip() and "\0" not in text:
        return PathRef(path=Path(text))
    raise ConfigError(f"{text!r} names no model", hint=f"supported are {FORMS}")


def _package(text: str, scheme: str, rest: str) -> PackageRef:
    if scheme.lower() != "pypi":
        raise ConfigError(f"models cannot be fetched from {scheme}:// ({text})", hint=f"supported are {FORMS}")
    match = _PACKAGE.fullmatch(rest)
    if match is None:
        raise ConfigError(f"{text} does not name one version of a package", hint="write it as pypi://package==version")
    return PackageRef(package=package_name(match[1]), version=match[2])


def package_name(text: str) -> str:
    """The name of a package as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", text).lower()


def full_name(text: str) -> str:
    """The name under which the store keeps a model: `<org>/<name>`; a name without an organisation gets `local`.

    Raises `ConfigError` for a text that cannot be a name.
    """
    if not _NAME.fullmatch(text):
        raise ConfigError(
            f"{text!r} cannot be the name of a model", hint="use letters, digits, `.`, `_`, `+` and `-`: org/name"
        )
    return text if "/" in text else f"local/{text}"
