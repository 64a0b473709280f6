"""Keys of a terminal one by one, without Enter: what is typed ahead is kept, arrow keys are no letters."""

from __future__ import annotations

import os
import select
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

END = "\x04"
"""What a key is when there is nobody any more who could press one, and Ctrl-D."""
_SEQUENCE = 0.03
"""Seconds in which the rest of an escape sequence has come."""


class Keys:
    """Reads single keys; get one with `single_keys`."""

    def __init__(self, descriptor: int, lines: list[Any], keys: list[Any]) -> None:
        self._descriptor = descriptor
        self._lines = lines
        self._keys = keys

    def read(self) -> str:
        """One key in lower case; empty for a key that is no letter, `END` for Ctrl-D."""
        data = os.read(self._descriptor, 1)
        if data != b"\x1b":
            return data.decode("ascii", errors="ignore").lower() if data else END
        while select.select([self._descriptor], [], [], _SEQUENCE)[0] and os.read(self._descriptor, 1):
            pass
        return ""

    @contextmanager
    def typing_lines(self) -> Iterator[None]:
        """Let lines be typed for a while."""
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._lines)
        try:
            yield
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._keys)


@contextmanager
def single_keys() -> Iterator[Keys]:
    """Read keys of standard input, which is a terminal. One mode for the whole time: a change would lose keys."""
    descriptor = sys.stdin.fileno()
    lines = termios.tcgetattr(descriptor)
    keys = termios.tcgetattr(descriptor)
    keys[3] &= ~(termios.ICANON | termios.ECHO)
    keys[6][termios.VMIN], keys[6][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSADRAIN, keys)
    try:
        yield Keys(descriptor, lines, keys)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, lines)
