"""A new leaf to fill in: its place in the taxonomy, a skeleton of its qna.yaml, and the attribution beside it.

What a person must write is a placeholder, `<question 1 about this context>`; `ilab taxonomy diff` lists those left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ilab.base import atomic
from ilab.errors import ConfigError
from ilab.taxonomy.draft import Draft, Example
from ilab.taxonomy.leaf import KNOWLEDGE, SKILL, TOP_FOLDERS, DocumentSource
from ilab.taxonomy.lint import ATTRIBUTION
from ilab.taxonomy.qna import MIN_EXAMPLES, MIN_PAIRS
from ilab.taxonomy.tree import QNA

GROUNDED_SKILL = "grounded-skill"
KINDS = (KNOWLEDGE, SKILL, GROUNDED_SKILL)
_FOLDERS = {KNOWLEDGE: "knowledge", SKILL: "compositional_skills", GROUNDED_SKILL: "compositional_skills"}
_ODD = re.compile(r"[^\w-]+")


def place(given: str, *, kind: str = "") -> tuple[str, str]:
    """The path of a leaf below the taxonomy, and its kind, from what the user gave. `ConfigError` says how to mend it.

    The top folder tells the kind; a path without one gets that of `kind`.
    """
    parts = [part for part in PurePosixPath(given).parts if part not in (".", "/")]
    if not parts or ".." in parts:
        raise _wrong(f"`{given}` is not the path of a leaf", "give a path like knowledge/science/birds")
    if parts[0] in TOP_FOLDERS:
        found = TOP_FOLDERS[parts[0]]
        if kind and (kind == KNOWLEDGE) != (found == KNOWLEDGE):
            raise _wrong(f"`{given}` is a place for a {found} leaf, not for {kind}", f"start it with {_FOLDERS[kind]}/")
    elif kind:
        parts.insert(0, _FOLDERS[kind])
    else:
        tops = ", ".join(f"{name}/" for name in TOP_FOLDERS)
        raise _wrong(f"`{given}` is in none of the top folders", f"start it with {tops} or give --kind")
    slugs = [parts[0], *(slug(part) for part in parts[1:])]
    if len(parts) < 2:
        raise _wrong(f"`{given}` names no leaf", f"give a path like {parts[0]}/science/birds")
    if slugs != parts:
        mended = "/".join(each or "leaf" for each in slugs)
        raise _wrong(
            f"`{given}` is no good path for a leaf: lower-case letters, digits, `_` and `-` are", f"use {mended}"
        )
    return "/".join(parts), kind or TOP_FOLDERS[parts[0]]


def slug(name: str) -> str:
    """`name` as the name of a folder in a taxonomy: `My Birds!` as `my_birds`."""
    return _ODD.sub("_", name.lower()).strip("_-")


def words(path: str) -> str:
    """The last name of a path in words: `knowledge/a/blue_birds` as `blue birds`."""
    return re.sub(r"[_-]+", " ", PurePosixPath(path).name).strip()


def skeleton(
    *,
    kind: str,
    created_by: str,
    subject: str = "",
    outline: str = "",
    document: DocumentSource | None = None,
    contexts: Sequence[str] = (),
) -> Draft:
    """A leaf with some of `contexts`, spread evenly, and a placeholder for everything that is not given."""
    if kind == KNOWLEDGE:
        given = spread(contexts, MIN_EXAMPLES)
        given += [context_left(number) for number in range(len(given) + 1, MIN_EXAMPLES + 1)]
        pairs = tuple((question_left(number), answer_left(number)) for number in range(1, MIN_PAIRS + 1))
        return Draft(
            kind=KNOWLEDGE,
            created_by=created_by or "<your name>",
            subject=subject or "<domain, such as astronomy>",
            outline=outline or "<what the document is about, in a sentence>",
            document=document or DocumentSource(path="<file or folder beside this qna.yaml>"),
            examples=tuple(Example(context=context, pairs=pairs) for context in given),
        )
    grounded = kind == GROUNDED_SKILL
    examples = [
        Example(
            context=f"<text that the model is given in example {number}>" if grounded else "",
            pairs=((f"<what a user asks, example {number}>", f"<what the model should answer, example {number}>"),),
        )
        for number in range(1, MIN_EXAMPLES + 1)
    ]
    return Draft(
        kind=SKILL,
        created_by=created_by or "<your name>",
        subject=subject or "<what the model should be able to do, in a sentence>",
        examples=tuple(examples),
    )


def spread(texts: Sequence[str], count: int) -> list[str]:
    """At most `count` of `texts`, evenly spread over them."""
    if len(texts) <= count:
        return list(texts)
    return [texts[number * len(texts) // count] for number in range(count)]


def context_left(number: int) -> str:
    """The placeholder of a context."""
    return f"<passage {number} of the document>"


def question_left(number: int) -> str:
    """The placeholder of a question about a context."""
    return f"<question {number} about this context>"


def answer_left(number: int) -> str:
    """The placeholder of the answer to it."""
    return f"<answer {number}, in whole sentences>"


def attribution(*, title: str = "", link: str = "", creators: str = "") -> str:
    """The text of an attribution.txt with placeholders for what is not given."""
    return (
        f"Title of work: {title or '<title>'}\n"
        f"Link to work: {link or '<link, or none>'}\n"
        "License of the work: <license, such as CC-BY-SA-4.0>\n"
        f"Creator names: {creators or '<who wrote it>'}\n"
    )


def save(folder: Path, text: str, *, attribution: str) -> list[Path]:
    """Write the files of a leaf; an attribution.txt that is there stays. The qna.yaml comes last: it makes the leaf."""
    files = []
    if not (folder / ATTRIBUTION).exists():
        atomic.write_text(folder / ATTRIBUTION, attribution)
        files.append(folder / ATTRIBUTION)
    atomic.write_text(folder / QNA, text)
    return [*files, folder / QNA]


def _wrong(message: str, hint: str) -> ConfigError:
    return ConfigError(message, hint=hint)
