"""Calls: what units will ask of a teacher, counted without asking it.

Every unit goes through its blocks with a teacher that only remembers. What does not hang on an unknown answer is
counted exactly; where a block waits for one, the number of later calls is a range.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from ilab.base import digest
from ilab.errors import TeacherError
from ilab.llm import ability
from ilab.llm.port import ChatModel, Completion, GenerationParams, RequestRefused, ScoreRequest, TokenScore
from ilab.records.messages import Message
from ilab.sdg import flow
from ilab.sdg.blocks.base import Tools, run_block
from ilab.sdg.flow import BlockSpec
from ilab.sdg.row import Box
from ilab.sdg.settings import SdgSettings
from ilab.sdg.units import Unit, Way

Render = Callable[[Sequence[Message]], str]
Request = tuple[Sequence[Message], GenerationParams]

BYTES_PER_TOKEN = 4
_ONE_ROW = ("line", "fields")
"""How prompts are parsed whose answers give one row at most."""
_BY_RULE = frozenset(
    {"statements", "spans", "questions", "kinds", "choices", "rules", "answered", "ground", "distinct"}
)
"""Blocks that ask no teacher; what is not known here may ask it."""
_ROW_BY_ROW = frozenset({"judge", "choose", "prefer", "improve", "verify_key"})
"""Blocks that ask about each row, and make no more of them."""
_WAITING = 64
"""Requests that are kept to measure how fast the teacher is."""


@dataclass(slots=True, kw_only=True)
class Counted:
    """What is known of one unit without asking anybody.

    `sure` calls will be made whatever a model says, `calls` at most of those that are known by their words, and `most`
    counts calls of later blocks too: None where nobody can tell. Of the known calls `answered` are in the journal, with
    `known_prompt` and `known_answer` tokens. `size` is the measure of the unit, `rows` what it begins with.
    """

    way: Way
    leaf: str
    rows: int
    size: float
    sure: int = 0
    calls: int = 0
    most: int | None = 0
    answered: int = 0
    known_prompt: int = 0
    known_answer: int = 0


class Asked:
    """What `count` found in all units; `waiting` are a few requests that nobody has answered."""

    def __init__(self) -> None:
        self.units: list[Counted] = []
        self.waiting: deque[tuple[Way, Request]] = deque(maxlen=_WAITING)
        self.seen: set[str] = set()

    def by_way(self) -> dict[Way, list[Counted]]:
        """The units of each path, in the order of the plan."""
        found: dict[Way, list[Counted]] = {}
        for unit in self.units:
            found.setdefault(unit.way, []).append(unit)
        return found


def count(
    units: Iterable[Unit],
    memory: ChatModel,
    *,
    settings: SdgSettings,
    render: Render,
    mute: frozenset[str] = frozenset(),
) -> Asked:
    """Count the calls of `units`. `memory` answers what was asked before, and raises `RequestRefused` otherwise.

    `mute` names judges that reject nothing.
    """
    found = Asked()
    alone = settings.model_copy(update={"workers": 1})
    able = _Memory(memory, ("", ""), Asked())
    ability.keeps_to_schemas(able)  # once, and for no unit
    for unit in units:
        found.units.append(_counted(unit, memory, alone, render, mute, found))
    return found


class Nobody:
    """A teacher that has not been asked yet."""

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """Refuse."""
        raise RequestRefused("not asked yet")

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """Refuse."""
        raise RequestRefused("not asked yet")


class Wrapped:
    """A ChatModel around another. All of the same one are equal: what a model can do is asked once, not once a unit."""

    def __init__(self, inner: ChatModel) -> None:
        self._inner = inner

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._inner is self._inner

    def __hash__(self) -> int:
        return id(self._inner)


class _Memory(Wrapped):
    """Answers out of memory for one unit, and notes what is asked; the same request counts once in all units."""

    def __init__(self, memory: ChatModel, way: Way, asked: Asked) -> None:
        super().__init__(memory)
        self._way = way
        self._asked = asked
        self.new = self.answered = self.prompt = self.answer = self.size = self.refused = 0

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """The answer that was given once. Raises `RequestRefused` where there is none."""
        key = key_of(messages, params)
        first = key not in self._asked.seen
        self._asked.seen.add(key)
        self.size += tokens_of(messages)
        self.new += first
        try:
            found = self._inner.chat(messages, params)
        except RequestRefused:
            self.refused += 1
            if first:
                self._asked.waiting.append((self._way, (messages, params)))
            raise
        if first:
            self.answered += 1
            self.prompt += found.prompt_tokens
            self.answer += found.completion_tokens
        return found

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """The same in one piece."""
        yield self.chat(messages, params).text


class _Generous:
    """A judge that finds everything well supported, so that what it might let through is counted; it notes its use."""

    def __init__(self) -> None:
        self.used = False

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[TokenScore]]:
        """The best of scores for what has a text before it."""
        self.used = self.used or bool(requests)
        value = {True: 0.0, False: -1000.0}
        return [[TokenScore(logprob=value[bool(one.prefix)], tokens=1) for _ in one.continuations] for one in requests]


def key_of(messages: Sequence[Message], params: GenerationParams) -> str:
    """The same for requests that are sent once, whoever makes them."""
    return digest.of_value([[[turn.role, turn.content] for turn in messages], asdict(params)])


def tokens_of(messages: Sequence[Message]) -> int:
    """Tokens of a prompt, about."""
    return sum(8 + len(turn.content.encode()) // BYTES_PER_TOKEN for turn in messages)


def _counted(
    unit: Unit, memory: ChatModel, settings: SdgSettings, render: Render, mute: frozenset[str], asked: Asked
) -> Counted:
    found = Counted(way=unit.way, leaf=unit.leaf, rows=len(unit.rows), size=0.0)
    if not any(map(asks, unit.blocks)):
        found.size = float(sum(len(str(row.get("text", ""))) for row in unit.rows) or 1)
        return found
    teacher, judge = _Memory(memory, unit.way, asked), _Generous()
    tools = Tools(teacher=teacher, scorer=judge, render=render, settings=settings, seeds=unit.seeds, mute=mute)
    later: int | None = 0
    coming: int | None = 0
    measured = False
    rows = [dict(row) for row in unit.rows]
    for spec in unit.blocks:
        before, refused = teacher.new, teacher.refused
        if asks(spec):
            later = _sum(later, _times(coming, _repeats(spec, settings)))
            coming = _times(coming, _rows_each(spec))
        unsure = judge.used  # it finds everything good: what comes after it is at most so much
        try:
            rows = run_block(spec.block, rows, Box(), tools, **spec.options)
        except TeacherError:
            rows, later = [], None
        if not unsure:
            found.sure += teacher.new - before
        if not measured and teacher.size:
            found.size, measured = float(teacher.size), True
        lost = teacher.refused - refused
        # several calls about one row, such as votes, bring back one row
        lost = lost if spec.block == "ask" else math.ceil(lost / (_repeats(spec, settings) or 1))
        coming = _sum(coming, _times(lost, _rows_each(spec)))
    found.calls, found.answered = teacher.new, teacher.answered
    found.known_prompt, found.known_answer = teacher.prompt, teacher.answer
    found.most = _sum(teacher.new, later)
    return found


def asks(spec: BlockSpec) -> bool:
    """Whether a block may ask the teacher."""
    return spec.block not in _BY_RULE


def _repeats(spec: BlockSpec, settings: SdgSettings) -> int | None:
    """Most calls for each row that comes in; None where the block decides that by itself."""
    options = spec.options
    if spec.block == "ask":
        return settings.scale_factor if options.get("each") == "scale" else 1
    if spec.block == "improve":
        return len(options["steps"])
    return max(1, int(options.get("votes", 1))) if spec.block in _ROW_BY_ROW else None


def _rows_each(spec: BlockSpec) -> int | None:
    """Most rows for each row, or each call of `ask`; None where an answer may have any number."""
    if spec.block != "ask":
        return 1 if spec.block in _ROW_BY_ROW else None
    prompt = flow.prompt(spec.options["prompt"])
    return 1 if prompt.get("parse") in _ONE_ROW or prompt.get("many") is False else None


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _times(one: int | None, other: int | None) -> int | None:
    if one == 0 or other == 0:
        return 0
    return None if one is None or other is None else one * other
