"""What a chat looks like: panels that grow while the model speaks and a mark at the right edge; or plain text.

A panel is written line by line and never redrawn, so an answer longer than the terminal scrolls as any text does.
"""

from __future__ import annotations

import importlib
import re
import shutil
import sys
import unicodedata
from typing import Protocol, TextIO

from ilab.cli import output

_CLEAR = "\r\x1b[K"
_WIDE = "\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef"
"""Scripts without spaces between words: a line may end after any of their characters."""
_RUN = re.compile(rf"\n|[^\S\n]+|[{_WIDE}]|[^\s{_WIDE}]+")
_TAB = "    "
_UNICODE = ("╭", "─", "╮", "│", "╰", "╯")
_ASCII = ("+", "-", "+", "|", "+", "+")


class Answer(Protocol):
    """Text that appears piece by piece."""

    def feed(self, piece: str) -> None:
        """Show the next piece."""

    def close(self, note: str = "") -> None:
        """End the text; `note` goes into the lower edge where there is one."""


class PlainScreen:
    """A chat without decoration."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout

    def welcome(self, model: str) -> None:
        """Greet, and name the model."""
        self.notice(f"Welcome to InstructLab Chat w/ {model} (type /h for help)")

    def notice(self, text: str) -> None:
        """Say something that comes from the program, not from the model."""
        self._write(text + "\n")

    def answer(self, title: str) -> Answer:
        """A place for the model's answer."""
        return PlainAnswer(self.stream)

    def message(self, text: str, *, title: str) -> None:
        """Show a message again."""
        shown = self.answer(title)
        shown.feed(text)
        shown.close()

    def plain(self, text: str) -> None:
        """Show a message as it is."""
        self._write(printable(text) + "\n")

    def markdown(self, text: str) -> None:
        """Show a message with its Markdown rendered, where rich is installed."""
        try:
            console = importlib.import_module("rich.console").Console(file=self.stream)
            console.print(importlib.import_module("rich.markdown").Markdown(printable(text)))
        except ImportError:
            self.plain(text)

    def prompt(self, mode: str, label: str) -> str:
        """The prompt of the first line of a message."""
        return ">>> "

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


class PlainAnswer:
    """An answer as plain text; white space before its first word is left out."""

    def __init__(self, stream: TextIO, *, raw: bool = False) -> None:
        self.stream = stream
        self.raw = raw
        self._begun = False
        self._line_open = False

    def feed(self, piece: str) -> None:
        """Write the next piece at once."""
        piece = piece if self._begun else piece.lstrip()
        if piece:
            self._begun = True
            self._line_open = not piece.endswith("\n")
            self.stream.write(piece if self.raw else printable(piece))
            self.stream.flush()

    def close(self, note: str = "") -> None:
        """End the last line."""
        if self._line_open:
            self.stream.write("\n")
            self.stream.flush()
            self._line_open = False


class PanelScreen(PlainScreen):
    """A chat with panels as wide as the terminal."""

    def welcome(self, model: str) -> None:
        """Greet, and name the model in capitals."""
        self.notice(f"Welcome to InstructLab Chat w/ {model.upper()} (type /h for help)")

    def notice(self, text: str) -> None:
        """Say something that comes from the program, in a panel of its own."""
        self.message(text, title="system")

    def answer(self, title: str) -> Answer:
        """A panel that grows with the answer."""
        return Panel(self.stream, title)

    def prompt(self, mode: str, label: str) -> str:
        """`>>> `, with mode and label at the right edge; readline is told that those take no room."""
        mark = f"[{mode}][{printable(label)}]"
        place = shutil.get_terminal_size().columns - width(mark) + 1
        if place < len(">>> ") + 10:
            return ">>> "
        return f"\001\x1b7\x1b[{place}G{output.style(mark, stream=self.stream, dim=True)}\x1b8\002>>> "


class Panel:
    """A frame whose text arrives in pieces; words are wrapped, indentation is kept.

    The frame appears with the first word; until then a mark shows that the model is at work.
    """

    def __init__(self, stream: TextIO, title: str) -> None:
        self.stream = stream
        self.title = printable(title)
        self._columns = max(20, shutil.get_terminal_size().columns)
        self._frame = _UNICODE if "utf" in (getattr(stream, "encoding", None) or "").lower() else _ASCII
        self._used: int | None = None  # columns used in the present line; None: the frame is not open
        self._gap = ""  # white space that is written only if a word follows in the same line
        self._word = ""  # the end of what arrived, which may go on in the next piece
        self._empty_lines = 0  # written only if more text follows
        self._write(output.style("...", stream=stream, dim=True))

    def feed(self, piece: str) -> None:
        """Show what is complete of the text so far: a word is, once white space follows it."""
        runs = _RUN.findall(self._word + printable(piece))
        self._word = runs.pop() if runs and not runs[-1].isspace() else ""
        for run in runs:
            self._add(run)
        self.stream.flush()

    def close(self, note: str = "") -> None:
        """Write the last word and the lower edge with `note` in it; only clear the mark when nothing was said."""
        if self._word:
            self._add(self._word)
            self._word = ""
        if self._used is None:
            self._write(_CLEAR)
            return
        self._end_line()
        _, line, _, _, left, right = self._frame
        tail = f" {note} {line}" if note else ""
        self._write(left + line * (self._columns - 2 - width(tail)) + tail + right + "\n")

    @property
    def _room(self) -> int:
        return self._columns - 4

    def _add(self, run: str) -> None:
        if run == "\n":
            if self._used is not None:
                self._empty_lines += 1
            self._gap = ""
        elif run.isspace():
            self._gap += run.replace("\t", _TAB)
        else:
            self._add_word(run)

    def _add_word(self, word: str) -> None:
        if self._used is None:
            self._open()
            self._gap = ""
        elif self._empty_lines:
            for _ in range(self._empty_lines):
                self._end_line()
                self._begin_line()
            self._empty_lines = 0
        elif self._used + width(self._gap) + width(word) > self._room:
            self._end_line()
            self._begin_line()
            self._gap = ""
        self._gap = self._gap[: self._room // 2]
        text = self._gap + word
        self._gap = ""
        while width(text) > self._room - (self._used or 0):  # a word longer than a line
            head, text = _split(text, self._room - (self._used or 0))
            self._put(head)
            self._end_line()
            self._begin_line()
        self._put(text)

    def _put(self, text: str) -> None:
        self.stream.write(text)
        self._used = (self._used or 0) + width(text)

    def _open(self) -> None:
        left, line, right = self._frame[:3]
        title = f" {_split(self.title, self._columns - 6)[0]} "
        rest = self._columns - 2 - width(title)
        self.stream.write(_CLEAR + left + line * (rest // 2) + title + line * (rest - rest // 2) + right + "\n")
        self._begin_line()

    def _begin_line(self) -> None:
        self.stream.write(f"{self._frame[3]} ")
        self._used = 0

    def _end_line(self) -> None:
        self.stream.write(" " * (self._room - (self._used or 0)) + f" {self._frame[3]}\n")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def printable(text: str) -> str:
    """`text` without control characters: a model must not be able to steer the terminal."""
    return "".join(
        character for character in text if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")
    )


def width(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    return sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _split(text: str, room: int) -> tuple[str, str]:
    """`text` in two: what fits into `room` columns (one character at least), and the rest."""
    end, used = 0, 0
    while end < len(text) and (used + _columns_of(text[end]) <= room or end == 0):
        used += _columns_of(text[end])
        end += 1
    return text[:end], text[end:]
