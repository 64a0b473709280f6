"""The four folders that hold everything: config, data, state, cache.

`ILAB_HOME=/x` puts all four below `/x`; otherwise they are the XDG folders. Read when asked for, never at import, so
that one process can serve several homes (tests).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_XDG = {
    "config": ("XDG_CONFIG_HOME", ".config"),
    "data": ("XDG_DATA_HOME", ".local/share"),
    "state": ("XDG_STATE_HOME", ".local/state"),
    "cache": ("XDG_CACHE_HOME", ".cache"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The four roots, and the folders below them."""

    config: Path
    data: Path
    state: Path
    cache: Path

    @property
    def roots(self) -> tuple[Path, ...]:
        """The four folders themselves."""
        return (self.config, self.data, self.state, self.cache)

    @property
    def config_file(self) -> Path:
        """Only what the user changed."""
        return self.config / "config.yaml"

    @property
    def profiles(self) -> Path:
        """The user's own profiles, one YAML file each."""
        return self.config / "profiles"

    @property
    def models(self) -> Path:
        """The model store."""
        return self.data / "models"

    @property
    def taxonomy(self) -> Path:
        """The taxonomy tree."""
        return self.data / "taxonomy"

    @property
    def datasets(self) -> Path:
        """Training files copied out of runs."""
        return self.data / "datasets"

    @property
    def runs(self) -> Path:
        """One folder a run."""
        return self.data / "runs"

    @property
    def chats(self) -> Path:
        """Transcripts."""
        return self.data / "chats"

    @property
    def engines(self) -> Path:
        """One small file for each engine that serves."""
        return self.state / "engines"

    @property
    def logs(self) -> Path:
        """Output of commands that were started in the background."""
        return self.state / "logs"

    @property
    def documents(self) -> Path:
        """Fetched and converted documents, by digest."""
        return self.cache / "documents"

    @property
    def downloads(self) -> Path:
        """Partial downloads."""
        return self.cache / "downloads"


def find(environ: Mapping[str, str] | None = None) -> Paths:
    """The folders that `environ` (the process environment by default) asks for."""
    environ = os.environ if environ is None else environ
    if home := environ.get("ILAB_HOME"):
        top = Path(home).expanduser().absolute()
        return Paths(**{name: top / name for name in _XDG})
    return Paths(**{name: _xdg(environ, *where) for name, where in _XDG.items()})


def _xdg(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    """The folder `variable` names; the XDG standard says to ignore a relative one."""
    named = Path(environ.get(variable, ""))
    root = named if named.is_absolute() else Path(environ.get("HOME") or Path.home()) / fallback
    return root / "ilab"
