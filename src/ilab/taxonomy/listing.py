"""What a taxonomy holds: every leaf with its kind, size and state, and the folders above them with their totals."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ilab.taxonomy.leaf import KNOWLEDGE, SKILL, TOP_FOLDERS, Leaf
from ilab.taxonomy.lint import Linter
from ilab.taxonomy.seeds import seeds_of

GROUNDED_SKILL = "grounded skill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One leaf. Counts are 0 where the file has errors, because they cannot be told then; `changed` None: unknown."""

    path: str
    file: Path
    kind: str
    contexts: int = 0
    questions: int = 0
    words: int = 0
    document: str = ""
    errors: int = 0
    warnings: int = 0
    changed: bool | None = None

    @property
    def state(self) -> str:
        """`valid`, or how many findings there are."""
        counts = [(self.errors, "error"), (self.warnings, "warning")]
        number, what = next((each for each in counts if each[0]), (0, ""))
        return f"{number} {what}{'' if number == 1 else 's'}" if number else "valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over some leaves."""

    leaves: int
    questions: int
    words: int
    valid: int
    warnings: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One line of a tree: a folder (`leaf` is None) or a leaf, `depth` levels below the taxonomy."""

    depth: int
    name: str
    leaves: Sequence[Listed]
    leaf: Listed | None = None


def listed(file: Path, *, path: str, linter: Linter, changed: Collection[str] | None) -> Listed:
    """One leaf, read and checked."""
    leaf, faults = linter.file(file, leaf=path)
    errors = sum(fault.severity == "error" for fault in faults)
    warnings = len(faults) - errors
    kind = TOP_FOLDERS.get(path.partition("/")[0], SKILL)
    is_changed = None if changed is None else path in changed
    if leaf is None:
        return Listed(path=path, file=file, kind=kind, changed=is_changed, errors=errors, warnings=warnings)
    contexts = {seed.context for seed in leaf.seeds if seed.context}
    texts = [*contexts, *(text for seed in leaf.seeds for text in (seed.question, seed.answer))]
    grounded = leaf.kind == SKILL and all(seed.kind == "grounded_skill" for seed in seeds_of(leaf))
    return Listed(
        path=path,
        file=file,
        kind=GROUNDED_SKILL if grounded else leaf.kind,
        contexts=len(contexts),
        questions=len(leaf.seeds),
        words=sum(len(text.split()) for text in texts),
        document=_document(leaf),
        changed=is_changed,
        warnings=warnings,
    )


def totals(leaves: Iterable[Listed]) -> Totals:
    """The sums over `leaves`; a leaf with errors counts as that alone."""
    every = list(leaves)
    errors = sum(bool(leaf.errors) for leaf in every)
    warnings = sum(bool(leaf.warnings and not leaf.errors) for leaf in every)
    return Totals(
        leaves=len(every),
        questions=sum(leaf.questions for leaf in every),
        words=sum(leaf.words for leaf in every),
        valid=len(every) - errors - warnings,
        warnings=warnings,
        errors=errors,
    )


def branches(leaves: Sequence[Listed], *, depth: int = 0) -> Iterator[Branch]:
    """The lines of the tree, folders with a single folder in them on one line; below `depth` only sums (0: all)."""
    yield from _branches(leaves, start=0, level=0, depth=depth)


def _branches(leaves: Sequence[Listed], *, start: int, level: int, depth: int) -> Iterator[Branch]:
    groups: dict[str, list[Listed]] = {}
    for leaf in leaves:
        groups.setdefault(leaf.path[start:].partition("/")[0], []).append(leaf)
    for name, group in groups.items():
        here = start + len(name)
        own = [leaf for leaf in group if len(leaf.path) == here]
        below = [leaf for leaf in group if len(leaf.path) > here]
        for leaf in own:
            yield Branch(depth=level, name=name, leaves=[leaf], leaf=leaf)
        if not below:
            continue
        while level and (following := _only_folder(below, here + 1)):
            name, here = f"{name}/{following}", here + 1 + len(following)
        yield Branch(depth=level, name=f"{name}/", leaves=below)
        if not depth or level + 1 < depth:
            yield from _branches(below, start=here + 1, level=level + 1, depth=depth)


def _only_folder(leaves: Sequence[Listed], start: int) -> str:
    """The folder that all `leaves` lie below, none of them in it itself; empty if there is none."""
    names = {leaf.path[start:].partition("/")[0] for leaf in leaves}
    (name,) = names if len(names) == 1 else ("",)
    return name if name and all(len(leaf.path) > start + len(name) for leaf in leaves) else ""


def _document(leaf: Leaf) -> str:
    """Where the document of a knowledge leaf is, in a few words."""
    if leaf.kind != KNOWLEDGE or leaf.document is None:
        return ""
    source = leaf.document
    place = source.path or f"{source.repo}@{source.commit[:12]}"
    return f"{place} ({', '.join(source.patterns)})" if source.patterns else place
