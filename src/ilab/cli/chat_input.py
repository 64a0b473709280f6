"""What comes into a chat from outside: piped text, typed lines with their history, keys that must wait, signals."""

from __future__ import annotations

import os
import select
import signal
import stat
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from ilab.cli import report

_HISTORY = 1000
_PATIENCE = 5.0
"""Seconds that a pipe on standard input may stay silent when there is a question already."""


def whole_question(words: str) -> str:
    """The question with what stands on standard input before it."""
    text = _standard_input(patient=not words).strip()
    return "\n\n".join(part for part in (text, words.strip()) if part)


def _standard_input(*, patient: bool) -> str:
    """What is piped in. A pipe that stays silent is given up, unless `patient`: it may be open for no reason."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    with suppress(OSError, ValueError):  # not a real file
        descriptor = sys.stdin.fileno()
        mode = os.fstat(descriptor).st_mode
        pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        if pipe and not patient and not select.select([descriptor], [], [], _PATIENCE)[0]:
            report.warn(f"nothing came on standard input within {_PATIENCE:.0f} s; answering without it")
            return ""
    return sys.stdin.buffer.read().decode("utf-8", errors="replace")


@contextmanager
def line_editing(history: Path | None) -> Iterator[None]:
    """Editing of typed lines, and a history of them that is kept in the file `history` between chats."""
    try:
        import readline
    except ImportError:  # Python without it: input() works, only less comfortably
        yield
        return
    if history is not None:
        with suppress(OSError):
            readline.read_history_file(history)
    readline.set_history_length(_HISTORY)
    try:
        yield
    finally:
        if history is not None:
            with suppress(OSError):
                history.parent.mkdir(parents=True, exist_ok=True)
                history.touch(mode=0o600)
                readline.write_history_file(history)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Leave the body on SIGTERM and SIGHUP as on an error, so that the engine is stopped and its socket removed."""

    def leave(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)  # a second one must not break off the stopping of the engine
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    try:
        old = [signal.signal(number, leave) for number in numbers]
    except ValueError:  # not the main thread, which alone receives signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in zip(numbers, old, strict=True):
            signal.signal(number, handler)


@contextmanager
def quiet_keys() -> Iterator[None]:
    """Keep the terminal from showing what is typed while a panel grows; typed text waits for the next prompt."""
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, AttributeError, termios.error):  # not a terminal
        yield
        return
    quiet = list(before)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSANOW, before)
