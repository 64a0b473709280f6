"""Measure a data file in one pass: is it true, does it stand alone, is it varied, what repeats, what is covered.

Rows are read one at a time; what grows with them is some 200 bytes a row, for finding duplicates.
"""

from __future__ import annotations

import textwrap
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ilab.base import jsonl
from ilab.evaluation import questions
from ilab.pipeline import data_files
from ilab.pipeline.data_files import DataFile
from ilab.records.reviews import REJECTED
from ilab.records.samples import Sample, TrainRow
from ilab.records.seeds import KNOWLEDGE
from ilab.runs.folder import RunFolder
from ilab.sdg import measures
from ilab.sdg.contamination import Overlap, SeedCopies
from ilab.sdg.coverage import Coverage, CoverageReport
from ilab.sdg.distinct_count import hash64
from ilab.sdg.diversity import Diversity
from ilab.sdg.near_duplicates import NearDuplicates

_WEAK = 0.3
_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure: its key for programs, what it counts, its value and unit, and what it means in plain words."""

    key: str
    label: str
    value: float
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Figures that answer one question; `note` says what they were taken from, or why there are none."""

    name: str
    title: str
    note: str
    figures: tuple[Figure, ...] = ()


@dataclass(slots=True, kw_only=True)
class Figures:
    """All figures of a data file, and examples of rows that deserve a look, by `group.figure`."""

    groups: list[Group] = field(default_factory=list)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The figures for programs."""
        groups = {
            group.name: {"note": group.note, "figures": {one.key: asdict(one) for one in group.figures}}
            for group in self.groups
        }
        return {"schema_version": 1, "groups": groups, "examples": self.examples}


def measure(data: DataFile, *, against: Sequence[Path] = ()) -> Figures:
    """Every figure about `data`; `against` are files of questions that must not be trained."""
    parts: list[_Part] = [_Rows(), _Truth(data.run), _Alone(), _Hygiene(), _Variety(), _Repeats()]
    # training rows tell neither who made them nor of which chunk
    generated = data.run if data.of_samples else None
    parts += [_Seeds(generated)] if generated else []
    parts += [_HeldOut(data.run, against)] if data.run or against else []
    parts += [_Document(generated)] if generated else []
    rows = parts[0]
    assert isinstance(rows, _Rows)
    for item in data.items():
        found = list(data_files.exchanges(item))
        rows.row(item, found)
        for sample in found:
            for part in parts:
                part.add(sample)
    figures = Figures(groups=[part.group() for part in parts])
    for part, group in zip(parts, figures.groups, strict=True):
        figures.examples |= {f"{group.name}.{key}": shown for key, shown in part.examples.items()}
    return figures


class _Part:
    """Collects samples for one group of figures."""

    def __init__(self) -> None:
        self.examples: dict[str, list[str]] = {}

    def add(self, sample: Sample) -> None:
        raise NotImplementedError

    def group(self) -> Group:
        raise NotImplementedError

    def _show(self, key: str, text: str) -> None:
        shown = self.examples.setdefault(key, [])
        if len(shown) < _EXAMPLES and text not in shown:
            shown.append(text)


def _both(sample: Sample) -> str:
    """Question and answer in one line; a long question gives way, because it is the answer that is looked at."""
    return f"{textwrap.shorten(sample.question, 50, placeholder='...')} -> {sample.answer}"


def _share(key: str, label: str, part: float, whole: float, meaning: str) -> Figure:
    return Figure(key=key, label=label, value=part / whole if whole else 0.0, unit="share", meaning=meaning)


def _count(key: str, label: str, value: float, meaning: str, *, unit: str = "count") -> Figure:
    return Figure(key=key, label=label, value=value, unit=unit, meaning=meaning)


class _Rows(_Part):
    def __init__(self) -> None:
        super().__init__()
        self.rows = self.pairs = self.texts = self.odd = 0
        self.leaves: set[str] = set()

    def row(self, item: Sample | TrainRow, found: Sequence[Sample]) -> None:
        self.rows += 1
        if isinstance(item, TrainRow) and not found:
            only_text = all(turn.role == "pretraining" for turn in item.messages)
            self.texts += only_text
            self.odd += not only_text

    def add(self, sample: Sample) -> None:
        self.pairs += 1
        self.leaves.add(sample.leaf)

    def group(self) -> Group:
        figures = [
            _count("rows", "rows", self.rows, "lines of the file"),
            _count("pairs", "questions with answers", self.pairs, "a row may hold several; all figures count these"),
            _count("leaves", "leaves", len(self.leaves - {""}), "parts of the taxonomy that they belong to"),
        ]
        if self.texts:
            figures.append(_count("texts", "rows of text to read", self.texts, "without a question; not measured"))
        if self.odd:
            figures.append(
                _count("odd", "rows without an exchange", self.odd, "should be 0: no user's turn is answered")
            )
        return Group(name="rows", title="What there is", note="", figures=tuple(figures))


class _Truth(_Part):
    """F1 to F3: words, exact tokens and word order of answers against the text that they are about."""

    def __init__(self, run: RunFolder | None) -> None:
        super().__init__()
        self._texts = {chunk.id: f"{chunk.title}\n\n{chunk.heading}\n\n{chunk.text}" for chunk in _chunks(run)}
        self._source = lru_cache(maxsize=256)(measures.SourceText)
        self.rows = self.inexact = self.weak = 0
        self.words = 0.0

    def add(self, sample: Sample) -> None:
        text = self._texts.get(sample.chunk) or sample.context or sample.source
        if not text:
            return
        support = self._source(text).support(sample.question, sample.answer, sample.source)
        self.rows += 1
        self.words += support.words
        if not support.exact:
            self.inexact += 1
            self._show("exact", _both(sample))
        if support.order < _WEAK:
            self.weak += 1
            self._show("order", _both(sample))

    def group(self) -> Group:
        title = "Is it true?"
        if not self.rows:
            return Group(name="truth", title=title, note="not measured: no row names its text")
        figures = (
            _share("words", "answer words found in the text", self.words, self.rows, "should be above 90 %"),
            _share(
                "exact",
                "answers with exact numbers",
                self.rows - self.inexact,
                self.rows,
                "should be 100 %; others have a number or name of code that the text lacks",
            ),
            _share(
                "order",
                "answers unlike any sentence",
                self.weak,
                self.rows,
                "should be 0 %; fewer than 3 in 10 words stand in one sentence in that order",
            ),
        )
        return Group(
            name="truth",
            title=title,
            note=f"{self.rows:,} answers, compared with the texts that they are about",
            figures=figures,
        )


class _Alone(_Part):
    def __init__(self) -> None:
        super().__init__()
        self.rows = self.pointing = 0

    def add(self, sample: Sample) -> None:
        if sample.context or sample.kind not in ("", KNOWLEDGE):
            return
        self.rows += 1
        if measures.points_elsewhere(sample.question):
            self.pointing += 1
            self._show("pointing", sample.question)

    def group(self) -> Group:
        title = "Does it stand alone?"
        if not self.rows:
            return Group(name="alone", title=title, note="not measured: no knowledge questions")
        meaning = 'should be 0 %; they say "the document", "Figure 3", or "it" without its noun'
        figure = _share("pointing", "questions that point elsewhere", self.pointing, self.rows, meaning)
        return Group(name="alone", title=title, note=f"of {self.rows:,} questions about documents", figures=(figure,))


class _Hygiene(_Part):
    def __init__(self) -> None:
        super().__init__()
        self.rows = 0
        self.found: Counter[str] = Counter()

    def add(self, sample: Sample) -> None:
        self.rows += 1
        if measures.leak(sample.question) or measures.leak(sample.answer):
            self._note("leaks", sample)
        if measures.refuses(sample.answer):
            self._note("refusals", sample)
        if not sample.question.strip() or not sample.answer.strip():
            self._note("empty", sample)
        if measures.private(f"{sample.question} {sample.answer}"):
            self.found["private"] += 1  # no example: it would be shown

    def _note(self, key: str, sample: Sample) -> None:
        self.found[key] += 1
        self._show(key, _both(sample))

    def group(self) -> Group:
        meanings = {
            "leaks": ("pieces of prompts", "should be 0: [END], {{, ### and the like were learned as text"),
            "refusals": ("answers that refuse", "should be 0: the model learns to say that it cannot"),
            "empty": ("empty questions or answers", "should be 0"),
            "private": ("addresses and keys", "should be 0: e-mail addresses and secret keys"),
        }
        figures = tuple(_count(key, label, self.found[key], text) for key, (label, text) in meanings.items())
        return Group(name="hygiene", title="Is it clean?", note="", figures=figures)


class _Variety(_Part):
    def __init__(self) -> None:
        super().__init__()
        self._diversity = Diversity()

    def add(self, sample: Sample) -> None:
        self._diversity.add(sample)

    def group(self) -> Group:
        found = self._diversity
        opening, share = found.commonest_opening
        middle = "words in the middle one; 9 of 10 have at most"
        figures = [
            _share(f"distinct_{size}", label, found.distinct(size), 1, meaning)
            for size, label, meaning in (
                (1, "different words", "higher is more varied; falls with the size of the file"),
                (2, "different pairs of words", "the same for two words in a row"),
                (3, "different triples of words", "the same for three words in a row"),
            )
        ]
        figures += [
            _share("compressed", "size when compressed", found.compressed, 1, "higher is more varied"),
            _count(
                "opening_bits", "variety of beginnings", found.opening_bits, "bits; higher is more varied", unit="bits"
            ),
            _share("commonest", f'begin "{opening[:18]}"', share, 1, "the commonest first two words; lower is better"),
            _share("pairwise", "likeness of two questions", found.pairwise, 1, "lower is better; of 200 drawn by lot"),
            _count(
                "question_words", "length of questions", found.questions.at(0.5), f"{middle} {found.questions.at(0.9)}"
            ),
            _count("answer_words", "length of answers", found.answers.at(0.5), f"{middle} {found.answers.at(0.9)}"),
        ]
        return Group(name="variety", title="Is it varied?", note="", figures=tuple(figures))


class _Repeats(_Part):
    def __init__(self) -> None:
        super().__init__()
        self._asked, self._in_leaf = array("Q"), array("Q")
        self._near = NearDuplicates()
        self._leaves: dict[str, int] = {}

    def add(self, sample: Sample) -> None:
        asked = f"{measures.plain(sample.question)}|{measures.plain(sample.context)}"
        self._asked.append(_wide(asked))
        self._in_leaf.append(_wide(f"{sample.leaf}|{asked}"))
        group = self._leaves.setdefault(sample.leaf, len(self._leaves))
        self._near.add(f"{asked}|{measures.plain(sample.answer)}", group=group)

    def group(self) -> Group:
        rows = len(self._asked)
        clusters, in_leaf = self._near.clusters()
        self._near.close()
        same, same_in_leaf = rows - len(set(self._asked)), rows - len(set(self._in_leaf))
        figures = (
            _share("exact", "same question again", same, rows, "lower is better; the words are the same"),
            _share("exact_in_leaf", "... in the same leaf", same_in_leaf, rows, "as above, within one leaf"),
            _share("near", "nearly the same again", rows - clusters, rows, "question and answer are 80 % alike"),
            _share("near_in_leaf", "... in the same leaf", rows - in_leaf, rows, "as above, within one leaf"),
            _count("effective", "effective sample size", clusters, "rows that are left when near ones count once"),
        )
        return Group(name="repeats", title="What repeats?", note="", figures=figures)


def _wide(text: str) -> int:
    """64 bits of which all tell texts apart; `hash64` alone tells 2**32."""
    data = text.encode()
    return hash64(data) ^ hash64(data[::-1] + b"!") * 0x2545F4914F6CDD1D & ((1 << 64) - 1)


class _Seeds(_Part):
    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        seeds = data_files.seeds(run)
        self._overlap = Overlap([f"{s.question} {s.answer}" for s in seeds], [s.question for s in seeds])
        self._copies = SeedCopies((seed.leaf, seed.question) for seed in seeds)

    def add(self, sample: Sample) -> None:
        if sample.origin != "seed":
            self._overlap.add(sample)
            before = self._copies.copies
            self._copies.add(sample)
            if self._copies.copies > before:
                self._show("copies", sample.question)

    def group(self) -> Group:
        found = self._overlap
        title = "Does it repeat your own examples?"
        if not found.size or not found.rows:
            return Group(name="seeds", title=title, note="not measured: nothing to compare")
        figures = (
            _share("short", "8 words in a row", found.short, found.rows, "lower is better: nothing new is taught"),
            _share("long", "13 words in a row", found.long, found.rows, "as above"),
            _share(
                "copies", "copies of an example", self._copies.copies, found.rows, "lower is better: nearly its words"
            ),
        )
        return Group(name="seeds", title=title, note=f"{found.rows:,} made, {found.size:,} examples", figures=figures)


class _HeldOut(_Part):
    def __init__(self, run: RunFolder | None, against: Sequence[Path]) -> None:
        super().__init__()
        self._held: set[str] = set()
        asked = [question for path in against for question in _questions_in(path)]
        if run is not None:
            rows = list(_held_out(run))
            self._held = {str(row["id"]) for row in rows}
            asked += [str(row["question"]) for row in rows] + list(_asked_of(run))
        self._overlap = Overlap(asked, asked)

    def add(self, sample: Sample) -> None:
        if sample.id in self._held:
            return
        before = self._overlap.same
        self._overlap.add(sample)
        if self._overlap.same > before:
            self._show("same", sample.question)

    def group(self) -> Group:
        found = self._overlap
        title = "Does it give away what is held out?"
        if not found.size:
            return Group(name="held_out", title=title, note="not measured: no such questions are known")
        figures = (
            _share("same", "held-out questions", found.same, found.rows, "should be 0 %: what is tested was trained"),
            _share("short", "8 words in a row", found.short, found.rows, "should be near 0 %"),
            _share("long", "13 words in a row", found.long, found.rows, "should be 0 %"),
        )
        return Group(name="held_out", title=title, note=f"{found.size:,} questions are held out", figures=figures)


def _held_out(run: RunFolder) -> Iterator[dict[str, Any]]:
    path = run.stages / data_files.MIXED / "heldout.jsonl"
    for row in jsonl.read(path) if path.is_file() else ():
        if row.get("reason") != REJECTED:
            yield row


def _asked_of(run: RunFolder) -> Iterable[str]:
    """The questions of the file that the run was given for its proof, while it is there."""
    named = run.manifest.settings.get("evaluation", {}).get("questions") or ""
    path = Path(run.manifest.cwd, named).expanduser()
    return _questions_in(path) if named and path.is_file() else ()


def _questions_in(path: Path) -> Iterator[str]:
    if path.suffix in (".yaml", ".yml"):
        yield from (question for fact in questions.read(path) for question in fact.questions)
        return
    for item in DataFile(path=path).items():
        yield from (sample.question for sample in data_files.exchanges(item))


class _Document(_Part):
    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self._run = run
        self._coverage = Coverage(_chunks(run))

    def add(self, sample: Sample) -> None:
        self._coverage.add(sample)

    def group(self) -> Group:
        found = self._coverage.report(examples=_EXAMPLES)
        title = "Is the document covered?"
        if not found.chunks:
            return Group(name="document", title=title, note="not measured: the run has no document")
        for _, sentence in found.uncovered:
            self._show("sentences", f"none for: {sentence}")
        return Group(
            name="document",
            title=title,
            note=f"{found.total.sentences:,} sentences in {len(found.chunks):,} chunks",
            figures=tuple(_coverage_figures(found, in_chunks(self._run))),
        )


def _coverage_figures(found: CoverageReport, in_chunk: float | None) -> Iterator[Figure]:
    total = found.total
    weakest = min(found.headings, key=lambda one: (one.share, one.name))
    yield _share("sentences", "sentences with a question", total.supported, total.sentences, "should be above 80 %")
    yield _share("numbers", "numbers asked or answered", found.numbers, 1, "higher is better")
    yield _share("weakest", "weakest heading", weakest.share, 1, f"higher is better: {weakest.name}")
    without = sum(not one.pairs for one in found.chunks)
    yield _count("empty_chunks", "chunks without a question", without, "should be 0")
    yield _count("gini", "unevenness over chunks", found.gini, "0 is even, 1 is all on one chunk (Gini)", unit="index")
    if in_chunk is not None:
        yield _share(
            "in_chunks", "text that is in a chunk", in_chunk, 1, "should be 100 %: the rest can be taught by nothing"
        )


def coverage_of(run: RunFolder, samples: Iterable[Sample]) -> CoverageReport:
    """The coverage of the run's documents by `samples`."""
    coverage = Coverage(_chunks(run))
    for sample in samples:
        coverage.add(sample)
    return coverage.report()


def in_chunks(run: RunFolder) -> float | None:
    """Share of the characters of the documents that lie in a chunk; None where the run kept no originals."""
    spans: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for chunk in _chunks(run):
        spans.setdefault((chunk.leaf, chunk.source), []).append((chunk.start, chunk.end))
    whole = inside = 0
    for leaf, source, text in data_files.documents(run):
        whole += len(text)
        end = 0
        for first, last in sorted(spans.get((leaf, source), [])):
            inside += max(0, last - max(first, end))
            end = max(end, last)
    return inside / whole if whole else None


def _chunks(run: RunFolder | None) -> Any:
    return data_files.chunks(run) if run is not None else []
