"""Files as people write them, damage of every kind to them, and files in all layouts; the same for the same seed."""

import random

_PAIR = "      - question: {q}\n        answer: |\n          It is {q}, or so\n\n          they say.\n"
_CONTEXT = (
    '  - context: |\n      **Phoenix** is a [star](star "wikilink"), part {n}.\n    questions_and_answers:\n{pairs}'
)
KNOWLEDGE = (
    "---\nversion: 3\ndomain: astronomy\ncreated_by: someone\nseed_examples:\n"
    + "".join(
        _CONTEXT.format(n=n, pairs="".join(_PAIR.format(q=f"What is {n}{letter}?") for letter in "abc"))
        for n in range(5)
    )
    + "document_outline: >-\n  Stars of the\n  southern sky\ndocument:\n  repo: https://example.com/x\n"
    + '  commit: 0a1b2c3\n  patterns: ["*.md", docs/a.md]\n'
).encode()
SKILL = (
    "# made by hand\nversion: 3\ncreated_by: 'someone'\ntask_description: Add one, naïvely — or not.\nseed_examples:\n"
    + "".join(
        f'- question: "What: {n} plus 1?"\n  context: It\'s\n    {n}.\n  answer: {n + 1} # sure\n' for n in range(1, 6)
    )
).encode()
SAMPLES = (KNOWLEDGE, SKILL)

_PIECES = [
    piece.encode()
    for piece in (
        ": ", "- ", "\n", "  ", "\t", "|", ">", "&x ", "*x", "[", "]", "{", "}", '"', "'", "#", " # ", "!", "!!int ",
        "%", "<<: *x\n", ",", ":", "?", "? ", "---\n", "...\n", "\\x", "\\U99999999", "~", "12", "yes", "\u2028",
        "\ufeff", "\x00", "\x07", "\r\n", "\r", "é", "😀", "version: 9\n", "seed_examples:\n", "${X}", "<a b>", "\x85",
    )
] + [b"\xff", b"\xc3", b"\xff\xfe", b"\xed\xa0\x80"]  # fmt: skip


def mutated(data: bytes, dice: random.Random) -> bytes:
    """`data` with one to four things wrong: bytes, lines, indentation, or pieces of YAML where none should be."""
    for _ in range(dice.randint(1, 4)):
        data = dice.choice((_flip, _cut, _splice, _splice, _lines, _lines, _indent))(data, dice)
    return data


def _flip(data: bytes, dice: random.Random) -> bytes:
    if not data:
        return data
    place = dice.randrange(len(data))
    return data[:place] + bytes([dice.randrange(256)]) + data[place + 1 :]


def _cut(data: bytes, dice: random.Random) -> bytes:
    place = dice.randint(0, len(data))
    return data[:place] + data[place + dice.choice((1, 2, 10, 10**9 if dice.random() < 0.1 else 3)) :]


def _splice(data: bytes, dice: random.Random) -> bytes:
    place = dice.randint(0, len(data))
    return data[:place] + dice.choice(_PIECES) + data[place:]


def _lines(data: bytes, dice: random.Random) -> bytes:
    lines = data.split(b"\n")
    here, there = dice.randrange(len(lines)), dice.randrange(len(lines))
    what = dice.randrange(3)
    if what == 0:
        del lines[here]
    elif what == 1:
        lines.insert(here, lines[there])
    else:
        lines[here], lines[there] = lines[there], lines[here]
    return b"\n".join(lines)


def _indent(data: bytes, dice: random.Random) -> bytes:
    lines = data.split(b"\n")
    place = dice.randrange(len(lines))
    lines[place] = b" " * dice.randint(0, 8) + lines[place].lstrip()
    return b"\n".join(lines)


_WORDS = (
    "x",
    "two words",
    "it's",
    '"a: b"',
    "'c # d'",
    "é",
    "Where? (here)",
    "[a, b]",
    "1",
    "~",
    "a:b",
    "x # c",
    '"q"',
)
_NAMES = ("a", "b_c", "d-e", "question", "x")


class Layout:
    """A valid file of nested keys and lists. Its indenting and its spaces are mostly alike, and now and then not."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._step, self._list_step = dice.choice((1, 2, 2, 4)), dice.choice((0, 0, 2, 2, 4))
        if self._list_step:
            self._list_step = self._step
        self._wild = dice.choice((0.0, 0.0, 0.03, 0.1))

    def text(self) -> str:
        """The whole file."""
        return self._one_of("", "---\n", "# c\n", wild="\n") + self._keys(0, 0)

    def _one_of(self, *usual: str, wild: str) -> str:
        return wild if self._dice.random() < self._wild else self._dice.choice(usual)

    def _width(self, usual: int, *, least: int) -> int:
        return self._dice.randint(least, 5) if self._dice.random() < self._wild else usual

    def _value(self, indent: int, depth: int) -> str:
        kind = self._dice.randrange(6 if depth < 3 else 3)
        gap = self._one_of(" ", wild="  ")
        if kind == 0:
            pad = " " * (indent + self._width(2, least=1))
            return f"{gap}{self._dice.choice(('|', '>', '|-', '>+'))}\n{pad}text\n\n{pad}- more: x\n"
        if kind in (1, 2):
            return f"{gap}{self._one_of(*_WORDS, wild='[a,b]')}{self._one_of('', wild=' ')}\n"
        if kind in (3, 4):
            return "\n" + self._entries(indent + self._width(self._list_step, least=0), depth + 1)
        return "\n" + self._keys(indent + self._width(self._step, least=1), depth + 1)

    def _keys(self, indent: int, depth: int, head: str = "") -> str:
        parts = []
        for place in range(self._dice.randint(1, 3)):
            name = f"{self._one_of(*_NAMES, wild='x y')}{depth}{place}{self._one_of('', wild=' ')}"
            parts.append(f"{head or ' ' * indent}{name}:{self._value(indent, depth)}")
            parts.append(self._one_of("", "", "\n", "\n\n", f"{' ' * indent}# c\n", wild="\n\n\n"))
            head = ""
        return "".join(parts).rstrip("\n") + "\n"

    def _entries(self, indent: int, depth: int) -> str:
        parts = []
        for _ in range(self._dice.randint(1, 3)):
            dash = f"{' ' * indent}-{self._one_of(' ', wild='  ')}"
            if self._dice.random() < 0.4:
                parts.append(f"{dash}{self._one_of(*_WORDS, wild='k y:  v')}\n")
            else:
                parts.append(self._keys(len(dash), depth, dash))
        return "".join(parts)
