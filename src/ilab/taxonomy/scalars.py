"""Text as a YAML scalar: plain where it can be, a block where it has lines, quotes where nothing else keeps it.

Every form is read back before it is used, so that what a file says is exactly the text that was given.
"""

from __future__ import annotations

import re

import yaml

LIMIT = 120
"""Longest line of a qna.yaml, in characters."""
WIDTH = 100
"""Where text is folded: lines between this and the limit are left alone, new ones stay below it."""

_GAP = re.compile(r"(?<=\S) (?=\S)")
"""A single space between two words: the only place where folding loses nothing."""
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
_RAW = re.compile("[\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]")
"""A character that may stand in quotes as it is."""


def written(text: str, *, column: int, indent: int) -> str:
    """`text` as the value of a key: the part after `key: `, without a line end.

    `column` is where it starts; lines after the first are indented by `indent`, which is more than the key has.
    """
    room = LIMIT - column
    if "\n" not in text and len(text) <= room and reads_as(text, text):
        return text
    in_quotes = quoted(text, column=column, indent=indent)
    if "\n" not in text and "\n" not in in_quotes:
        return in_quotes
    for form in (literal(text, indent), folded(text, indent)):
        if form is not None:
            return form
    return in_quotes


def reads_as(scalar: str, text: str) -> bool:
    """Whether `scalar`, written after `key: `, is read as exactly `text`."""
    try:
        return bool(yaml.safe_load(f"key: {scalar}\nend: x\n") == {"key": text, "end": "x"})
    except (yaml.YAMLError, ValueError, OverflowError):
        return False


def literal(text: str, indent: int) -> str | None:
    """A `|` block, or None where lines are too long or the text needs quotes."""
    return _block("|", text, text.rstrip("\n").split("\n"), indent) if "\n" in text else None


def folded(text: str, indent: int) -> str | None:
    """A `>` block, or None where even that has a line that is too long, or the text needs quotes."""
    return _block(">", text, fold_block(text.rstrip("\n"), indent), indent)


def _block(mark: str, text: str, lines: list[str], indent: int) -> str | None:
    ends = len(text) - len(text.rstrip("\n"))
    body = "\n".join(" " * indent + line if line else "" for line in lines)
    odd = not text.strip() or ends > 1 or text.startswith((" ", "\t", "\n"))
    if odd or "\n\n\n\n" in body or any(len(line) > LIMIT or line != line.rstrip() for line in body.split("\n")):
        return None
    form = f"{mark}{'' if ends else '-'}\n{body}"
    return form if reads_as(form, text) else None


def fold_block(text: str, indent: int) -> list[str]:
    """The lines of a `>` block for `text`, which has no line ends around it. A line break costs a blank line.

    Lines that start with a space are kept as they are, and so are the breaks beside them.
    """
    found: list[str] = []
    blank, plain_before = 0, False
    for line in text.split("\n"):
        if not line:
            blank += 1
            continue
        plain = not line.startswith((" ", "\t"))
        found += [""] * (blank + 1 if found and plain and plain_before else blank)
        found += wrap(line, WIDTH - indent) if plain else [line]
        blank, plain_before = 0, plain
    return found


def wrap(line: str, width: int, *, first: int | None = None) -> list[str]:
    """`line` cut at single spaces into pieces of at most `width` characters (the first: `first`), where words allow."""
    pieces: list[str] = []
    room = width if first is None else first
    for word in _GAP.split(line):
        if pieces and len(pieces[-1]) + 1 + len(word) <= room:
            pieces[-1] += f" {word}"
        else:
            room = width if pieces else room
            pieces.append(word)
    return pieces


def quoted(text: str, *, column: int, indent: int) -> str:
    """Double quotes, which can say every text; a line break in it is `\\n`, and a new line follows it."""
    lines = ['"']
    room = LIMIT - column - 2
    parts = text.split("\n")
    for place, part in enumerate(parts):
        more = place + 1 < len(parts)
        for number, word in enumerate(_GAP.split(part)):
            units = [_SHORT_ESCAPES.get(letter) or _escaped(letter) for letter in word]
            size = sum(map(len, units)) + (2 if more else 0)
            if number and len(lines[-1]) + 1 + size <= room:
                lines[-1] += " "
            elif number:
                lines.append("")
                room = WIDTH - indent - 2
            for unit in units:
                if len(lines[-1]) + len(unit) > room:
                    lines[-1] += "\\"
                    lines.append("\\" if unit == " " else "")
                    room = WIDTH - indent - 2
                elif not lines[-1] and unit == " ":
                    lines[-1] = "\\"
                lines[-1] += unit
        if more:
            lines[-1] += "\\n"
            rest = any(parts[place + 1 :])
            if rest and len(lines[-1]) > 3:
                lines[-1] += "\\"
                lines.append("")
                room = WIDTH - indent - 2
    lines[-1] += '"'
    return f"\n{' ' * indent}".join(lines)


def _escaped(letter: str) -> str:
    if _RAW.fullmatch(letter):
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
