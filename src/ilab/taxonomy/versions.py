"""Leaves of versions 1 and 2 as version 3, by editing their text: comments, order and spelling stay.

A skill needs its `version` line alone, if what it says is valid in version 3. Knowledge of the old form gets its
questions under contexts: those that the examples have, else the passages of the document that support them. What no
rule can write is left as a placeholder and listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ilab.errors import Fault
from ilab.taxonomy.leaf import KNOWLEDGE, TOP_FOLDERS, DocumentSource
from ilab.taxonomy.qna import MIN_EXAMPLES, MIN_PAIRS, VERSION, parse_bytes
from ilab.taxonomy.scalars import written
from ilab.taxonomy.skeleton import answer_left, context_left, question_left, spread
from ilab.taxonomy.yaml_syntax import decode
from ilab.taxonomy.yaml_tree import Node, read

Passages = Callable[[DocumentSource], Sequence[str]]
"""Gives the passages of a document, none where it cannot be read."""

_WORD = re.compile(r"\w+")
_ODD_BREAKS = re.compile("[\x85\u2028\u2029]")
_SUPPORT = 0.5
"""Share of the words of a question and its answer that a passage must have to serve as their context."""
_DASH = re.compile(r"( *)-( +)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """One file: its new content (None: it stays), and what the person must mend or fill in."""

    content: bytes | None
    faults: list[Fault]


class _ByHand(Exception):
    """Why a file cannot be rewritten by a rule."""


def convert(data: bytes, *, file: Path, leaf: str, passages: Passages) -> Converted:
    """The content `data` of `file` as the newest version; what is that already stays."""
    root = read(data, path=str(file)).root
    if root is None or root.kind != "mapping":
        errors = [fault for fault in parse_bytes(data, file=file, leaf=leaf).faults if fault.severity == "error"]
        return Converted(content=None, faults=errors)
    knowledge = _is_knowledge(root, leaf)
    version = _version(root)
    if version is None or (version >= VERSION and not (knowledge and _is_old(root))):
        known = parse_bytes(data, file=file, leaf=leaf).faults if version is None else []
        return Converted(content=None, faults=[fault for fault in known if fault.rule == "version"])
    text, _ = decode(data, path=str(file))
    assert text is not None  # it was read above
    try:
        if odd := _ODD_BREAKS.search(text):
            raise _ByHand(f"it contains U+{ord(odd[0]):04X}, which ends a line for YAML")
        changed, shift = _knowledge(text, root, passages) if knowledge else _with_version(text, root)
    except _ByHand as reason:
        fault = Fault(path=str(file), line=1, message=f"it cannot be converted: {reason}", hint="rewrite it by hand")
        return Converted(content=None, faults=[fault])
    errors = [
        fault for fault in parse_bytes(changed.encode(), file=file, leaf=leaf).faults if fault.severity == "error"
    ]
    if any(fault.rule != "placeholder" for fault in errors):
        # the lines of knowledge are those of a file that is not written, so they would mislead
        moved = [replace(_explained(fault), line=_moved(fault.line, shift, knowledge)) for fault in errors]
        return Converted(content=None, faults=[fault for fault in moved if fault.rule != "placeholder"])
    return Converted(content=_as_before(changed, data), faults=errors)


def _is_knowledge(root: Node, leaf: str) -> bool:
    top = TOP_FOLDERS.get(leaf.partition("/")[0])
    return top == KNOWLEDGE or (top is None and "document" in root.entries)


def _is_old(root: Node) -> bool:
    """Whether knowledge still has the form of version 2, whatever its `version` says."""
    return "task_description" in root.entries and "document_outline" not in root.entries


def _version(root: Node) -> int | None:
    """The version of a file, 1 if it does not say; None if what it says is no known version."""
    if "version" not in root.entries:
        return 1
    node = root.entries["version"][1]
    version = int(node.text) if node.kind == "whole number" and node.text.isdecimal() and len(node.text) < 4 else 0
    return version if 1 <= version <= VERSION else None


def _explained(fault: Fault) -> Fault:
    if fault.rule != "too-few":
        return fault
    return replace(fault, hint="version 3 needs them; write the others, then convert again")


def _moved(line: int, shift: int, knowledge: bool) -> int:
    return 0 if knowledge else max(line - shift, 1) if line else 0


def _as_before(text: str, data: bytes) -> bytes:
    """`text` with the byte order mark and the line ends that the file had."""
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    return mark + text.replace("\n", "\r\n" if b"\r\n" in data else "\n").encode()


# --- skills ---


def _with_version(text: str, root: Node) -> tuple[str, int]:
    """`text` with the newest version, and by how many lines the rest has moved."""
    lines = text.split("\n")
    if "version" in root.entries:
        node = root.entries["version"][1]
        line = lines[node.line - 1]
        start = node.column - 1
        lines[node.line - 1] = line[:start] + str(VERSION) + line[start + len(node.text) :]
        return "\n".join(lines), 0
    first = min((key.line, key.column) for key, _ in root.entries.values())
    if first[1] != 1:
        raise _ByHand("its keys do not start at the left edge")
    lines.insert(first[0] - 1, f"version: {VERSION}")
    return "\n".join(lines), 1


# --- knowledge ---


def _knowledge(text: str, root: Node, passages: Passages) -> tuple[str, int]:
    lines = text.split("\n")
    blocks = _blocks(root, lines, len(lines) - 1 if lines[-1] == "" else len(lines))
    if any(key.column != 1 for key, _ in root.entries.values()):
        raise _ByHand("its keys do not start at the left edge")
    head = lines[: min(start for start, _ in blocks.values())]
    out = [*head, f"version: {VERSION}"]
    if "domain" not in root.entries:
        out.append("domain: <domain, such as astronomy>")
    if "created_by" not in root.entries:
        out.append("created_by: <your name>")
    for name, (start, end) in blocks.items():
        block = lines[start:end]
        if name == "version":
            out += block[:-1]  # comments above it
        elif name == "task_description":
            out += _outline(block, root)
        elif name == "seed_examples":
            out += _examples(lines, (start, end), root, passages)
        else:
            out += block
    if "document" not in root.entries:
        out += ["document:", "  path: <file or folder beside this qna.yaml>"]
    if not {"task_description", "document_outline"} & root.entries.keys():
        out.append("document_outline: <what the document is about, in a sentence>")
    return "\n".join(out) + "\n", 0


def _blocks(node: Node, lines: list[str], end: int) -> dict[str, tuple[int, int]]:
    """The lines of each key of a mapping, counted from 0. Comments above a key go with it."""
    starts = sorted((key.line - 1, name, key.column) for name, (key, _) in node.entries.items())
    if len({start for start, _, _ in starts}) != len(starts):
        raise _ByHand("several keys stand on one line")
    first = starts[0][0]
    upper = [first] + [_above(lines, start, column, first) for start, _, column in starts[1:]]
    return {name: (a, b) for (_, name, _), a, b in zip(starts, upper, [*upper[1:], end], strict=True)}


def _above(lines: list[str], start: int, column: int, stop: int) -> int:
    """The first of the comment lines that stand above line `start`, not to the right of `column`, below line `stop`."""
    while start - 1 > stop and (line := lines[start - 1]).lstrip().startswith("#"):
        if len(line) - len(line.lstrip()) >= column:
            break  # a line of a text that only looks like a comment
        start -= 1
    return start


def _outline(block: list[str], root: Node) -> list[str]:
    """The task description as the outline, unless there is an outline already."""
    place = next(number for number, line in enumerate(block) if "task_description" in line.partition("#")[0])
    if "document_outline" in root.entries:
        return block[:place]
    if not root.entries["task_description"][1].text.strip():
        return [*block[:place], "document_outline: <what the document is about, in a sentence>"]
    renamed = re.sub(r"""^(["']?)task_description\1""", "document_outline", block[place])
    return [*block[:place], renamed, *block[place + 1 :]]


def _examples(lines: list[str], span: tuple[int, int], root: Node, passages: Passages) -> list[str]:
    """The seed examples, each group of questions below its context."""
    start, end = span
    items = root.entries["seed_examples"][1].items
    if not items:
        raise _ByHand("it has no seed examples")
    if all("questions_and_answers" in item.entries for item in items):
        return lines[start:end]
    texts = list(passages(_document(root)))
    key_line = root.entries["seed_examples"][0].line - 1
    starts = [_above(lines, item.line - 1, item.column - 1, key_line) for item in items]
    pairs = [_pair(item, lines, span) for item, *span in zip(items, starts, [*starts[1:], end], strict=True)]
    dash = _DASH.match(lines[items[0].line - 1])
    margin = len(dash[1]) if dash else 2
    groups = list(_groups(pairs, texts))
    unused = [text for text in texts if all(text != context for context, _ in groups)]
    groups += [(text, []) for text in spread(unused, max(MIN_EXAMPLES - len(groups), 0))]
    groups += [(context_left(number), []) for number in range(len(groups) + 1, MIN_EXAMPLES + 1)]
    return lines[start : starts[0]] + [line for group in groups for line in _group(*group, margin)]


def _group(context: str, members: Sequence[_Pair], margin: int) -> list[str]:
    """One context with its questions, and placeholders where there are too few."""
    pad = " " * margin
    start = f"{pad}- context: "
    out = [*(start + written(context, column=len(start), indent=margin + 4)).split("\n")]
    out.append(f"{pad}  questions_and_answers:")
    for pair in members:
        out += [f"    {line}" if line.strip() else line for line in pair.lines]
    for number in range(len(members) + 1, MIN_PAIRS + 1):
        out.append(f"{pad}    - question: {question_left(number)}")
        out.append(f"{pad}      answer: {answer_left(number)}")
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """An old seed example: its lines without the context, and what they say."""

    lines: list[str]
    says: str
    context: str


def _pair(item: Node, lines: list[str], span: Sequence[int]) -> _Pair:
    if item.kind != "mapping" or not item.entries:
        raise _ByHand(f"the seed example on line {item.line} is not a mapping of keys")
    start, stop = span
    first = item.line - 1
    dash = _DASH.match(lines[first])
    if dash is None:
        raise _ByHand(f"the seed example on line {item.line} does not start with a dash on that line")
    own = [lines[at] for name, (a, b) in _blocks(item, lines, stop).items() if name != "context" for at in range(a, b)]
    if not own:
        raise _ByHand(f"the seed example on line {item.line} has no question")
    if not _DASH.match(own[0]):  # the context stood beside the dash
        place = next(number for number, line in enumerate(own) if not line.lstrip().startswith("#"))
        own[place] = dash[0] + own[place][len(dash[0]) :]
    says = " ".join(value.text for name, (_, value) in item.entries.items() if name in ("question", "answer"))
    context = item.entries["context"][1].text.strip() if "context" in item.entries else ""
    return _Pair(lines=[*lines[start:first], *own], says=says, context=context)


def _groups(pairs: Sequence[_Pair], texts: Sequence[str]) -> Iterator[tuple[str, list[_Pair]]]:
    """Contexts with their pairs. Pairs that nothing is known about stay in their order, some to a context."""
    known: dict[str, list[_Pair]] = {}
    alone: list[_Pair] = []
    for pair in pairs:
        context = pair.context or _best(texts, pair.says)
        if context:
            known.setdefault(context, []).append(pair)
        else:
            alone.append(pair)
    yield from known.items()
    for number, first in enumerate(range(0, len(alone), MIN_PAIRS), start=len(known) + 1):
        yield context_left(number), alone[first : first + MIN_PAIRS]


def _best(texts: Sequence[str], says: str) -> str:
    """The passage that has most of the words of a question and its answer; empty if none has enough of them."""
    wanted = _words(says)
    if not wanted or not texts:
        return ""
    shares = [len(wanted & _words(text)) / len(wanted) for text in texts]
    best = max(range(len(texts)), key=lambda place: shares[place])
    return texts[best] if shares[best] >= _SUPPORT else ""


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text) if len(word) > 2 or word.isdigit()}


def _document(root: Node) -> DocumentSource:
    """Where the document is, as far as the file says so."""
    node = root.entries["document"][1] if "document" in root.entries else None
    if node is None or node.kind != "mapping":
        return DocumentSource()
    texts = {name: value.text.strip() for name, (_, value) in node.entries.items() if value.kind != "list"}
    listed = node.entries.get("patterns")
    patterns = tuple(item.text for item in listed[1].items) if listed else ()
    if listed and listed[1].kind == "text":
        patterns = (listed[1].text.strip(),)
    return DocumentSource(
        repo=texts.get("repo", ""), commit=texts.get("commit", ""), path=texts.get("path", ""), patterns=patterns
    )
