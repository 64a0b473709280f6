"""The block that prompts the teacher for each row and parses what comes back.

Prompts are laid out for prefix caching: instructions and examples first (the same for every row), then the chunk or
the seeds (the same for a unit), what varies last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ilab.base import language
from ilab.errors import ConfigError
from ilab.llm import ability
from ilab.llm.journal import Unanswered
from ilab.llm.port import (
    Completion,
    ContextExceeded,
    GenerationParams,
    RequestFailed,
    RequestRefused,
    SchemaRefused,
)
from ilab.records import messages
from ilab.records.messages import Message
from ilab.sdg import answer_form, flow
from ilab.sdg.answer_form import AnswerForm
from ilab.sdg.blocks.base import Tools
from ilab.sdg.fence import GUARD, fenced
from ilab.sdg.row import Box, Row

_JINJA = ImmutableSandboxedEnvironment(
    undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
)
_LABEL = re.compile(
    r"^\W*(?:\d+[.)]\s*)?(?:Q(?:uestion)?|A(?:nswer)?|Context|Message|Reply)\s*\d*\s*[:.]\s*", re.IGNORECASE
)

UNREADABLE = "the teacher's answer could not be read"
CUT = "the teacher's answer was cut off before it could be read"
TOO_LONG = "the prompt is longer than the teacher's context"
REFUSED = "the teacher refused the request"
FAILED = "the teacher failed each time that it was asked"
UNREAD = (UNREADABLE, CUT, TOO_LONG, REFUSED, FAILED)
"""Why a row got no answer; `raw` has what the teacher said, and `detail` the block."""
SHOWN = 400
"""Characters of an answer that are kept of what could not be read."""
_QUOTED = 2000
"""Most characters of an answer that is shown to the teacher again with the complaint about it."""
_CUT = "length"

Job = tuple[Row, int]
"""A row, and which time it is asked for: another number shows other seeds, and samples otherwise."""


def ask(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Ask the teacher once a row (`each: row`) or `scale_factor` times a row (`each: scale`).

    `prompt` names a shipped prompt; its `parse` says how the answer becomes columns: `line` (the first line into
    `output`), `pairs` (Question:/Answer: pairs, one row each), `fields` (labelled lines into columns) or `records`
    (`columns` as JSON or in tags; with `many`, one row each). What cannot be read is asked for again `sdg.reasks`
    times. In a further `round` a row is asked with numbers that were not used before.
    """
    spec = flow.prompt(options["prompt"])
    repeat = tools.settings.scale_factor if options.get("each") == "scale" else 1
    jobs = [(row, int(row.get("round", 0)) * repeat + number) for row in rows for number in range(repeat)]
    talk = Talk(spec, tools)
    before = talk.render(spec.get("before", ""), shared=shared_start(tools))
    return [
        {**row, **_after(columns, before, spec)} for row, found in _heard(talk, jobs, box, tools) for columns in found
    ]


def converse(
    rows: Iterable[Row], box: Box, tools: Tools, spec: dict[str, Any], *, numbers: Iterable[int]
) -> list[tuple[Row, list[Row]]]:
    """For each row and each of `numbers`: the row, and the records that the teacher's answer to the prompt gives.

    A row whose answer cannot be read has none, and is rejected into `box` with what the teacher said. Raises
    `ConfigError` for a prompt that is not well made, and `TeacherError` when the teacher is lost.
    """
    numbers = list(numbers)
    return _heard(Talk(spec, tools), [(row, number) for row in rows for number in numbers], box, tools)


def _heard(talk: Talk, jobs: Sequence[Job], box: Box, tools: Tools) -> list[tuple[Row, list[Row]]]:
    outcomes = tools.at_once(talk.outcome, jobs)
    for (row, _), outcome in zip(jobs, outcomes, strict=True):
        for answer in outcome.answers:
            box.usage.add(answer)
        if reason := outcome.reason:
            box.reject({**row, "raw": outcome.raw[:SHOWN]}, reason, detail=f"ask {talk.name}")
    return [(row, outcome.records) for (row, _), outcome in zip(jobs, outcomes, strict=True)]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of asking for one row: every answer, the records in the last one, or why there is none."""

    answers: list[Completion] = field(default_factory=list)
    records: list[Row] = field(default_factory=list)
    refusal: RequestRefused | None = None

    @property
    def reason(self) -> str:
        """Why there are no records; empty when there are some."""
        if self.records:
            return ""
        if self.answers:
            return CUT if self.answers[-1].finish_reason == _CUT else UNREADABLE
        kinds = {ContextExceeded: TOO_LONG, RequestFailed: FAILED}
        return next((reason for kind, reason in kinds.items() if isinstance(self.refusal, kind)), REFUSED)

    @property
    def raw(self) -> str:
        """What the teacher said last, or the server in its place."""
        return self.answers[-1].text if self.answers else self.refusal.message if self.refusal else ""


class Talk:
    """One prompt, put to one teacher for many rows."""

    def __init__(self, spec: dict[str, Any], tools: Tools) -> None:
        self.name = str(spec.get("name", "a prompt"))
        self._spec = spec
        self._tools = tools
        self._form: AnswerForm | None = None
        self._structured = False
        if spec["parse"] == "records":
            where = f"the prompt `{self.name}`"
            self._form = answer_form.of(spec.get("columns", {}), many=bool(spec.get("many")), where=where)
            self._structured = tools.settings.structured == "auto" and ability.keeps_to_schemas(tools.teacher)

    def outcome(self, job: Job) -> Outcome:
        """Ask for one row, and again with a complaint while the answer cannot be read."""
        outcome = Outcome()
        try:
            try:
                self._ask(job, outcome, structured=self._structured)
            except (SchemaRefused, Unanswered):  # this schema is not taken; a journal then knows the other form only
                if not self._structured or outcome.answers:
                    raise
                self._ask(job, outcome, structured=False)
        except RequestRefused as refusal:  # one row fails, not the run
            outcome.refusal = refusal
        return outcome

    def render(self, template: str, **columns: Any) -> str:
        """`template` with `columns` in it. Raises `ConfigError` when that cannot be done."""
        helpers = {"fenced": fenced, "language": language.name(str(columns.get("language") or ""))}
        try:
            return _compiled(template).render({**columns, **helpers})
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            raise ConfigError(f"the prompt `{self.name}` cannot be filled in: {error}") from error

    def conversation(self, job: Job, *, structured: bool) -> list[Message]:
        """What the teacher reads; `structured` when the server keeps it to a JSON schema."""
        spec, (row, number) = self._spec, job
        told = [str(spec.get("system", "")).strip()]
        if "fenced(" in spec["template"]:
            told.append(GUARD)
        if self._form:
            told.append(self._form.instructions(structured=structured))
        turns = [messages.system("\n\n".join(filter(None, told)))]
        for example in spec.get("examples", []):
            shown = self.render(example["user"], language=row.get("language"))
            turns += [messages.user(shown.strip()), messages.assistant(self._shown(example, structured))]
        columns = {**row, "seeds": _rotated(self._tools.seeds, number), "shared": shared_start(self._tools)}
        return [*turns, messages.user(self.render(spec["template"], **columns).strip())]

    def _ask(self, job: Job, outcome: Outcome, *, structured: bool) -> None:
        turns = self.conversation(job, structured=structured)
        params = _params(self._spec, self._tools, job[1])
        if structured and self._form:
            params = replace(params, schema=self._form.schema())
        for _ in range(1 + self._tools.settings.reasks):
            answer = self._tools.teacher.chat(turns, params)
            outcome.answers.append(answer)
            outcome.records = self._read(answer.text)
            if outcome.records:
                return
            turns = again(turns, answer, self._complaint(cut=answer.finish_reason == _CUT))

    def _complaint(self, *, cut: bool) -> str:
        if self._form:
            return self._form.complaint(cut=cut)
        if cut:
            return "Your answer was too long and was cut off. Answer again, shorter, in the form that was asked for."
        labels = self._spec.get("fields") or ("Question", "Answer")
        lines = ", ".join(f"`{label}:`" for label in labels)
        form = "in one line" if self._spec["parse"] == "line" else f"in lines that begin with {lines}"
        return f"Your answer could not be read. Answer again, {form}, and write nothing else."

    def _read(self, text: str) -> list[Row]:
        if self._form:
            return [dict(record) for record in self._form.read(text)]
        return _PARSERS[self._spec["parse"]](text, self._spec)

    def _shown(self, example: dict[str, Any], structured: bool) -> str:
        """The answer of an example, in the form that is asked for now."""
        if self._form is None:
            return str(example["assistant"]).strip()
        given = example.get("records")
        records = [given] if isinstance(given, dict) else given or self._form.read(str(example.get("assistant", "")))
        lacking = not records or any(name not in record for record in records for name in self._form.columns)
        if lacking:
            raise ConfigError(f"the prompt `{self.name}` has an example whose answer is not in its own form")
        return self._form.write(records, structured=structured)


def again(turns: Sequence[Message], answer: Completion, complaint: str) -> list[Message]:
    """The conversation with an answer that could not be read, and the complaint about it."""
    said = answer.text.strip()[:_QUOTED]
    if not said:  # models refuse a turn in which nothing is said
        return [*turns[:-1], messages.user(f"{turns[-1].content}\n\n{complaint}")]
    return [*turns, messages.assistant(said), messages.user(complaint)]


@lru_cache(maxsize=256)
def _compiled(template: str) -> jinja2.Template:
    return _JINJA.from_string(template)


def shared_start(tools: Tools) -> str:
    """What all seed questions of the leaf begin with, up to a word's end: the part that a new one must keep."""
    common = tools.seeds[0].question if tools.seeds else ""
    while any(not seed.question.startswith(common) for seed in tools.seeds):
        common = common[:-1]
    return common[: max(common.rfind(mark) for mark in (" ", "\n")) + 1] if len(tools.seeds) > 1 else ""


def _after(columns: Row, before: str, spec: dict[str, Any]) -> Row:
    """The parsed columns with the fixed start put before the output again."""
    return {**columns, spec["output"]: before + columns[spec["output"]]} if before else columns


def _rotated(seeds: tuple[Any, ...], number: int) -> tuple[Any, ...]:
    """Three seeds, other ones each time, so that repeated prompts differ in what they show."""
    if not seeds:
        return ()
    start = number % len(seeds)
    return (seeds[start:] + seeds[:start])[:3]


def _params(spec: dict[str, Any], tools: Tools, number: int) -> GenerationParams:
    return GenerationParams(
        max_tokens=min(int(spec.get("max_tokens", 64)), tools.settings.max_tokens),
        temperature=tools.settings.temperature if spec.get("varied") else 0.0,
        top_p=0.95,
        seed=tools.settings.seed + number,
        stop=tuple(spec.get("stop", ())),
        adapter=str(spec.get("adapter", "")),
    )


def _line(text: str, spec: dict[str, Any]) -> list[Row]:
    lines = [_LABEL.sub("", line).strip(' -*"“”') for line in text.strip().splitlines() if line.strip()]
    return [{spec["output"]: lines[0]}] if lines and lines[0] else []


def _pairs(text: str, spec: dict[str, Any]) -> list[Row]:
    del spec
    found: list[Row] = []
    question = ""
    for line in (line.strip() for line in text.splitlines()):
        if re.match(r"(?i)\W*(?:\d+[.)]\s*)?q(?:uestion)?\s*\d*\s*[:.]", line):
            question = _LABEL.sub("", line).strip(" *")
        elif re.match(r"(?i)\W*a(?:nswer)?\s*\d*\s*[:.]", line) and question:
            found.append({"question": question, "answer": _LABEL.sub("", line).strip(" *")})
            question = ""
    return [row for row in found if row["question"] and row["answer"]]


def _fields(text: str, spec: dict[str, Any]) -> list[Row]:
    columns: Row = {}
    names: dict[str, str] = spec["fields"]
    current = ""
    for line in text.strip().splitlines():
        label = next((name for name in names if line.strip().lower().startswith(f"{name.lower()}:")), None)
        if label is not None:
            if names[label] in columns:
                break
            current = names[label]
            columns[current] = line.strip()[len(label) + 1 :].strip()
        elif current and line.strip():
            columns[current] = f"{columns[current]} {line.strip()}".strip()
    return [columns] if all(columns.get(name) for name in names.values()) else []


_PARSERS = {"line": _line, "pairs": _pairs, "fields": _fields}
