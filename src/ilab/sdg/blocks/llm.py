"""The block that prompts the teacher for each row and parses what comes back.

Prompts are laid out for prefix caching: instructions and examples first (the same for every row), then the chunk or
the seeds (the same for a unit), what varies last.
"""

from __future__ import annotations

import re
from typing import Any

import jinja2

from ilab.llm.port import Completion, ContextExceeded, GenerationParams, RequestRefused
from ilab.records import messages
from ilab.records.messages import Message
from ilab.sdg import flow
from ilab.sdg.blocks.base import Tools
from ilab.sdg.row import Box, Row

_JINJA = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
_LABEL = re.compile(
    r"^\W*(?:\d+[.)]\s*)?(?:Q(?:uestion)?|A(?:nswer)?|Context|Message|Reply)\s*\d*\s*[:.]\s*", re.IGNORECASE
)

UNREADABLE = "the teacher's answer could not be read"
CUT = "the teacher's answer was cut off before it could be read"
TOO_LONG = "the prompt is longer than the teacher's context"
REFUSED = "the teacher refused the request"
UNREAD = (UNREADABLE, CUT, TOO_LONG, REFUSED)
"""Why a row got no answer; `raw` has what the teacher said, and `detail` the block."""


def ask(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Ask the teacher once a row (`each: row`) or `scale_factor` times a row (`each: scale`).

    `prompt` names a shipped prompt; its `parse` says how the answer becomes columns: `line` (the first line into
    `output`) or `pairs` (Question:/Answer: pairs, one row each) or `fields` (labelled lines into columns).
    """
    spec = flow.prompt(options["prompt"])
    repeat = tools.settings.scale_factor if options.get("each") == "scale" else 1
    jobs = [(row, number) for row in rows for number in range(repeat)]

    def call(job: tuple[Row, int]) -> Completion | RequestRefused:
        row, number = job
        try:
            return tools.teacher.chat(_conversation(spec, row, tools, number), _params(spec, tools, number))
        except RequestRefused as refusal:  # one row fails, not the run
            return refusal

    answers = tools.at_once(call, jobs)
    block = f"ask {options['prompt']}"
    made = []
    for (row, _), answer in zip(jobs, answers, strict=True):
        if isinstance(answer, RequestRefused):
            reason = TOO_LONG if isinstance(answer, ContextExceeded) else REFUSED
            box.reject({**row, "raw": answer.message[:400]}, reason, detail=block)
            continue
        box.usage.add(answer)
        parsed = _PARSERS[spec["parse"]](answer.text, spec)
        if not parsed:
            reason = CUT if answer.finish_reason == "length" else UNREADABLE
            box.reject({**row, "raw": answer.text[:400]}, reason, detail=block)
        before = _JINJA.from_string(spec.get("before", "")).render(shared=shared_start(tools))
        made += [{**row, **_after(columns, before, spec)} for columns in parsed]
    return made


def shared_start(tools: Tools) -> str:
    """What all seed questions of the leaf begin with, up to a word's end: the part that a new one must keep."""
    common = tools.seeds[0].question if tools.seeds else ""
    while any(not seed.question.startswith(common) for seed in tools.seeds):
        common = common[:-1]
    return common[: max(common.rfind(mark) for mark in (" ", "\n")) + 1] if len(tools.seeds) > 1 else ""


def _after(columns: Row, before: str, spec: dict[str, Any]) -> Row:
    """The parsed columns with the fixed start put before the output again."""
    return {**columns, spec["output"]: before + columns[spec["output"]]} if before else columns


def _conversation(spec: dict[str, Any], row: Row, tools: Tools, number: int) -> list[Message]:
    turns = [messages.system(spec["system"])]
    for example in spec.get("examples", []):
        turns += [messages.user(example["user"].strip()), messages.assistant(example["assistant"].strip())]
    context = {**row, "seeds": _rotated(tools.seeds, number), "shared": shared_start(tools)}
    return [*turns, messages.user(_JINJA.from_string(spec["template"]).render(context).strip())]


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
