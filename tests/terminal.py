"""A real program in a real terminal (a pty): type keys, wait for text, read what stands there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[78=>])|\x07")

CTRL_C = "\x03"
CTRL_D = "\x04"


class Terminal:
    """`command` in a terminal of `columns` x `rows`. A context manager that ends the program."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, columns: int = 80, rows: int = 40
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.raw = ""
        self._seen = 0
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "", "PYTHONIOENCODING": "utf-8", **env},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        """Everything written so far without escape sequences; a cleared line is gone."""
        lines = []
        for line in self.raw.replace("\r\n", "\n").split("\n"):
            lines.append(_ESCAPE.sub("", line.rpartition("\r\x1b[K")[2]).replace("\r", ""))
        return "\n".join(lines)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def line(self, text: str) -> None:
        """Type a line."""
        self.type(text + "\r")

    def wait_for(self, text: str, *, seconds: float = 20) -> str:
        """Read until `text` stands after what was waited for before; everything up to there since then."""
        deadline = time.monotonic() + seconds
        while text not in self.text[self._seen :]:
            assert self._read(deadline - time.monotonic()), f"{text!r} did not come:\n{self.text}"
        begin, end = self._seen, self.text.index(text, self._seen) + len(text)
        self._seen = end
        return self.text[begin:end]

    def end(self, *, seconds: float = 20) -> int:
        """Read to the end; the exit status."""
        deadline = time.monotonic() + seconds
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def echoes(self) -> bool:
        """Whether typed keys would be shown."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], max(0.0, seconds))[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the program has closed its side
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)
