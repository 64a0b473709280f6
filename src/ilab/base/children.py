"""Start, watch and stop a child process with everything that it starts.

A child gets its own process group, so that stopping it stops its own children too, and it dies with its parent
(Linux: PR_SET_PDEATHSIG), so that a killed run leaves no engine or trainer behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

COMPUTE_ENV = {"GOMP_SPINCOUNT": "1000"}
"""Environment of children that compute with several OpenMP threads (engines, trainers).

It bounds the turns that a thread waits for the others before it sleeps. The default is hundreds of times longer: it
gains nothing on an idle machine, and one other busy program then slows such a child ten- to twentyfold.
"""
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A running child process in its own process group; output goes to one log file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self.process.pid

    def poll(self) -> int | None:
        """Exit status, or None while the child runs."""
        return self.process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status; `subprocess.TimeoutExpired` after `timeout` seconds."""
        return self.process.wait(timeout)

    def stop(self, grace: float = 5.0) -> int:
        """Ask the group to end, then kill it after `grace` seconds; return the exit status."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            self._signal(number)
            try:
                self.process.wait(grace)
            except subprocess.TimeoutExpired:
                continue
        self._signal(signal.SIGKILL)  # grandchildren that outlived the child
        return self.process.wait()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    def last_lines(self, count: int = 12) -> list[str]:
        """The last lines of the log, for error messages."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if line.strip()][-count:]


def start(command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Child:
    """Start `command` with `env` added to our own environment; stdout and stderr are appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            process_group=0,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    return Child(process, log)
