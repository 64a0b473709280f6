"""Run the git program: never asks for a password, never outlives its time, never shows a credential.

Repositories are read through plumbing commands only; nothing is checked out.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ilab.errors import MissingError

_OWN_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")
"""Set by git inside hooks; they would point our commands at the wrong repository."""

FULL = -2
"""Status of an answer: git was stopped because it wrote too much."""
_LOOK = 0.5
"""Seconds between two looks at how much git has written."""
_USER_PART = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What git said: exit status, output as bytes, error text without credentials.

    The status is -1 when it ran out of time, and `FULL` when it wrote more than it may.
    """

    status: int
    output: bytes
    error: str

    @property
    def ok(self) -> bool:
        """Whether git succeeded."""
        return self.status == 0

    @property
    def text(self) -> str:
        """The output as text without white space at its ends."""
        return os.fsdecode(self.output).strip()

    @property
    def names(self) -> list[str]:
        """The output of a `-z` command as a list of names."""
        return [os.fsdecode(name) for name in self.output.split(b"\0") if name]


def without_credentials(text: str) -> str:
    """`text` with the user part of every URL removed: `https://user:key@host/x` becomes `https://host/x`."""
    return _USER_PART.sub("", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How large a folder may grow while git writes into it, in bytes."""

    folder: Path
    most: int

    def is_full(self) -> bool:
        """Whether the files below the folder are larger than allowed; those that vanish meanwhile do not count."""
        size = 0
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with contextlib.suppress(OSError):
                    size += Path(folder, name).stat().st_size
        return size > self.most


def run(arguments: Sequence[str], *, folder: Path, timeout: float = 60, room: Room | None = None) -> Answer:
    """Run `git -C folder arguments...` for at most `timeout` seconds, and stop it when it fills `room`.

    `MissingError` when git is not installed.
    """
    try:
        process = subprocess.Popen(
            ["git", "-C", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,  # no terminal to ask on, and one group to stop, helpers of git included
        )
    except FileNotFoundError as error:
        raise MissingError("the git program is not installed", hint="install git, then run the same again") from error
    try:
        output, error_output = _wait(process, timeout, room)
    except subprocess.TimeoutExpired:
        return Answer(status=-1, output=b"", error=f"no answer within {timeout:g} seconds")
    except _FullError:
        return Answer(status=FULL, output=b"", error="it is too large")
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    said = without_credentials(os.fsdecode(error_output).strip())
    return Answer(status=process.returncode, output=output, error=said)


class _FullError(Exception):
    """Git wrote more than it may."""


def _wait(process: subprocess.Popen[bytes], timeout: float, room: Room | None) -> tuple[bytes, bytes]:
    """Output and error output at the end; looks now and then how much was written."""
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            return process.communicate(timeout=left if room is None else min(left, _LOOK))
        except subprocess.TimeoutExpired:
            if room is not None and room.is_full():
                raise _FullError from None
            if time.monotonic() >= deadline:
                raise


def _environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES}
    environment.update(GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0", LC_ALL="C")
    environment.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    environment.setdefault("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
    return environment
