"""Every error that a user can meet: message, hint, exit code.

    IlabError                       1   the work failed
    ├── UserFileError               3   a file of the user is wrong (all faults at once, `path:line`)
    ├── ConfigError                 3   a setting is wrong
    ├── MissingError                4   something is missing
    │   ├── MissingExtra                an optional package
    │   ├── MissingModel                a model
    │   ├── MissingHardware             memory or an accelerator
    │   └── MissingDisk                 disk space
    ├── SourceError                 1   a document or model source cannot be fetched
    ├── TeacherError                1   a language model cannot be reached or keeps failing
    ├── EngineError                 1   an engine did not start, or died
    ├── PortInUse                   1   another program listens there
    ├── RunError                    1   a run folder cannot be used as asked
    ├── NothingGenerated            1   generation gave no usable rows
    ├── TrainingError               1   training cannot start or go on
    └── Interrupted               130   stopped by a signal; the same command goes on

Library code raises these; only `ilab.cli.report` prints them and turns them into an exit status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class IlabError(Exception):
    """Base of every error that is shown to a user without a traceback."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Fault:
    """One finding in a user's file, under the rule named `rule`. `line` and `column` count from 1; 0 means unknown."""

    path: str
    line: int = 0
    column: int = 0
    message: str = ""
    hint: str = ""
    severity: str = "error"
    rule: str = ""

    @property
    def place(self) -> str:
        """`path:line:column`, as far as it is known."""
        return self.path + (f":{self.line}" if self.line else "") + (f":{self.column}" if self.column else "")

    @property
    def finding(self) -> str:
        """Place, severity and message without the hint; where a rule is named, the form of yamllint."""
        if self.rule:
            return f"{self.place} {self.severity} {self.message} ({self.rule})"
        return f"{self.place}: {self.severity}: {self.message}"

    def __str__(self) -> str:
        if not self.hint:
            return self.finding
        return f"{self.finding} - {self.hint}" if self.rule else f"{self.finding} ({self.hint})"


class UserFileError(IlabError):
    """Files written by the user are wrong; carries every fault found, not the first one."""

    exit_code = 3

    def __init__(self, message: str, faults: Sequence[Fault], *, hint: str = "") -> None:
        super().__init__(message, hint=hint, details=[str(fault) for fault in faults])
        self.faults = tuple(faults)


class ConfigError(IlabError):
    """A setting is unknown or has a wrong value."""

    exit_code = 3


class MissingError(IlabError):
    """Something that the work needs is not there."""

    exit_code = 4


class MissingExtra(MissingError):
    """An optional package is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs packages that are not installed", hint=f"pip install 'openilab[{extra}]'")
        self.extra = extra


class MissingModel(MissingError):
    """A model is not in the store and cannot be fetched."""


class MissingHardware(MissingError):
    """The machine lacks memory or an accelerator that the work needs."""


class MissingDisk(MissingError):
    """The disk is full, or will be before the work ends."""


class SourceError(IlabError):
    """A document or model source cannot be fetched."""


class TeacherError(IlabError):
    """A language model behind an endpoint cannot be reached or keeps failing."""


class EngineError(IlabError):
    """An engine did not become ready, or died while it was needed."""


class PortInUse(IlabError):
    """Another program listens on the port that was asked for."""


class RunError(IlabError):
    """A run folder cannot be read, is in use, or does not fit the request."""


class NothingGenerated(IlabError):
    """Generation ended without a usable row."""


class TrainingError(IlabError):
    """Training cannot start, or broke off."""


class Interrupted(IlabError):
    """The work was stopped by a signal. Everything finished is kept."""

    exit_code = 130
