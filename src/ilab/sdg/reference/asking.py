"""Blocks that ask the teacher. What is asked for several rows alike is asked once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ilab.llm.port import GenerationParams, RequestRefused
from ilab.records import messages
from ilab.records.messages import Message
from ilab.sdg.blocks.base import Tools
from ilab.sdg.blocks.llm import SHOWN, Outcome, again
from ilab.sdg.reference import answers, templates, values
from ilab.sdg.reference.columns import Options, Unfit, get
from ilab.sdg.reference.rows import shown
from ilab.sdg.row import Box, Row

UNANSWERABLE = "the teacher found nothing to ask about"
_AGAIN = "This could not be read. Answer once more, in exactly the form asked for, with every tag."
_SHORTER = "This was cut off at the limit of length. Answer once more and shorter, in exactly the form asked for."

Conversation = tuple[Message, ...]
Question = tuple[Conversation, GenerationParams]
_WHOLE = {"tags": [("", "")]}
"""How an answer is read that is taken as it is."""


def ask(rows: list[Row], box: Box, tools: Tools, options: Options) -> list[Row]:
    """LLMBlock and ConditionalLLMBlock: a row for each record that is read in the answers to its prompt."""
    jobs = list(_jobs(rows, box, options, tools))
    made = []
    for (row, _, _), outcome in zip(jobs, _heard(jobs, box, tools, options), strict=True):
        made += [{**row, "columns": row["columns"] | record} for record in outcome.records]
    return made


Job = tuple[Row, Question, Mapping[str, Any]]
"""A row, what is asked for it, and how the answer is read."""


def _jobs(rows: Sequence[Row], box: Box, options: Options, tools: Tools) -> Iterator[Job]:
    for row in rows:
        if "num_samples" in options:
            row = {**row, "columns": {"num_samples": options["num_samples"], **row["columns"]}}
        try:
            spec = _prompt(row["columns"], options)
            conversation = (messages.user(templates.render(spec["template"], row["columns"])),)
        except (Unfit, templates.Unrendered) as error:
            box.reject(shown(row), str(error), detail=options["name"])
            continue
        for params in _params(options, tools, row):
            yield row, (conversation, params), spec


def _prompt(columns: Mapping[str, Any], options: Options) -> Mapping[str, Any]:
    """The prompt for a row: the only one, or that of the value of a column."""
    prompts = options["prompts"]
    reading = {name: options[name] for name in ("pattern", "cleanup") if name in options}
    if "column" not in options:
        return {**prompts[""], **reading}
    chosen = values.choose(get(dict(columns), options["column"]), prompts)
    if chosen is None:
        raise Unfit(f"`{options['column']}` chooses none of the prompts {', '.join(prompts)}")
    return {**prompts[chosen], **reading}


def _params(options: Options, tools: Tools, row: Row) -> list[GenerationParams]:
    """How to decode each of the answers that a row gets."""
    own = options["decode"]
    count = tools.settings.scale_factor if own.get("n") == "scaled" else own.get("n", 1)
    before = int(row.get("round", 0)) * count + options.get("turn", 0) * count
    temperature = own.get("temperature", 0.0)
    # Several answers, or more rows in a further round, are only different ones if the teacher may choose.
    if not temperature and (count > 1 or (before and _makes_rows(options))):
        temperature = tools.settings.temperature
    first = own.get("seed", tools.settings.seed)
    adapter = {"adapter": options["adapter"]} if "adapter" in options else {}
    return [
        GenerationParams(
            max_tokens=own.get("max_tokens", _LONGEST),
            temperature=temperature,
            top_p=own.get("top_p", 1.0),
            seed=first + (before + number if temperature else 0),
            stop=tuple(own.get("stop", ())),
            **adapter,
        )
        for number in range(count)
    ]


_LONGEST = 4096
"""Tokens of an answer where the block does not say, as in the reference; shorter where the context ends."""


def _makes_rows(options: Options) -> bool:
    """Whether the block writes new rows rather than judging those it gets."""
    return any(options.get(name) for name in ("drop_duplicates", "num_samples", "pattern")) or "turn" in options


def _heard(jobs: Sequence[Job], box: Box, tools: Tools, options: Options) -> list[Outcome]:
    """What came of each job. Jobs that ask the same share an outcome, and its cost is counted once."""

    def call(job: Job) -> Outcome:
        return _outcome(job, tools, options)

    different: dict[Question, Job] = {}
    for job in jobs:
        different.setdefault(job[1], job)
    heard = dict(zip(different, tools.at_once(call, list(different.values())), strict=True))
    for outcome in heard.values():
        for answer in outcome.answers:
            box.usage.add(answer)
    for row, question, _ in jobs:
        _reject(row, heard[question], box, options)
    return [heard[question] for _, question, _ in jobs]


def _outcome(job: Job, tools: Tools, options: Options) -> Outcome:
    """Ask, and again with a complaint while the answer cannot be read."""
    _, (turns, params), spec = job
    outcome = Outcome()
    try:
        for _ in range(1 + tools.settings.reasks):
            answer = tools.teacher.chat(turns, params)
            outcome.answers.append(answer)
            cut = answer.finish_reason == "length"
            outcome.records = [*answers.read(answer.text, options["output"], spec, cut=cut)]
            if outcome.records or answers.NOTHING_TO_ASK.search(answer.text):
                break
            turns = tuple(again(turns, answer, _SHORTER if cut else _AGAIN))
    except RequestRefused as refusal:  # one row fails, not the run
        outcome.refusal = refusal
    return outcome


def _reject(row: Row, outcome: Outcome, box: Box, options: Options) -> None:
    """Reject the row where nothing came of it."""
    if reason := outcome.reason:
        empty = outcome.answers and answers.NOTHING_TO_ASK.search(outcome.raw)
        told = {**shown(row), "raw": outcome.raw[:SHOWN]}
        box.reject(told, UNANSWERABLE if empty else reason, detail=options["name"])


def converse(rows: list[Row], box: Box, tools: Tools, options: Options) -> list[Row]:
    """LLMMessagesBlock: the answer to the conversation in a column; a list where several are asked for."""
    jobs: list[Job] = []
    for row in rows:
        try:
            turns = _conversation(get(row["columns"], options["input"]))
        except Unfit as error:
            box.reject(shown(row), str(error), detail=options["name"])
            continue
        jobs += [(row, (turns, params), _WHOLE) for params in _params(options, tools, row)]
    column = options["output"]
    outcomes = _heard(jobs, box, tools, {**options, "output": [column]})
    given: dict[int, tuple[Row, list[str]]] = {}
    for (row, _, _), outcome in zip(jobs, outcomes, strict=True):
        given.setdefault(id(row), (row, []))[1].extend(record[column] for record in outcome.records)
    several = options["decode"].get("n", 1) != 1
    return [
        {**row, "columns": {**row["columns"], column: texts if several else texts[0]}}
        for row, texts in given.values()
        if texts
    ]


def _conversation(value: Any) -> Conversation:
    """The turns in a column: a list of role and content, or a text, which is what the user says."""
    if isinstance(value, str):
        return (messages.user(value),)
    try:
        turns = tuple(Message(role=str(turn["role"]), content=str(turn["content"])) for turn in value)
    except (TypeError, KeyError) as error:
        raise Unfit("the conversation is not a list of turns with `role` and `content`") from error
    if not turns or any(turn.role not in messages.ROLES for turn in turns):
        raise Unfit("the conversation is empty, or a role in it is not known")
    return turns


ASKING: dict[str, Callable[[list[Row], Box, Tools, Options], list[Row]]] = {
    "LLMBlock": ask,
    "ConditionalLLMBlock": ask,
    "LLMMessagesBlock": converse,
}
"""Type of block -> how it asks."""
