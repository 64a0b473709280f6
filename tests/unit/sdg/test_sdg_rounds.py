"""Gaps are filled, leaves are asked again until they have enough, two chunks are joined, tests stay apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ilab.base import jsonl
from ilab.base.report import ListReporter
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.chunks import Chunk
from ilab.records.messages import Message
from ilab.records.seeds import FREEFORM_SKILL, KNOWLEDGE, Seed
from ilab.sdg import cross_chunk, execute
from ilab.sdg.flow import Flow
from ilab.sdg.settings import SdgSettings

LEAF, SKILL = "knowledge/lake", "compositional_skills/greet"
PAGE = (
    "# Mirra\n\nLake Mirra is **412 metres** deep. It was first mapped by\n[Ada Holm](https://example.org) in 1887.\n\n"
    "## Ferry\n\nThe ferry Nordlys crosses the lake. Ada Holm named the ferry.\n"
)
_CUT = PAGE.index("## Ferry")
CHUNKS = [
    Chunk(
        id=f"{LEAF}#0",
        leaf=LEAF,
        source="mirra.md",
        text="Lake Mirra is 412 metres deep. It was first mapped by Ada Holm in 1887.",
        tokens=20,
        title="Mirra",
        start=0,
        end=_CUT,
    ),
    Chunk(
        id=f"{LEAF}#1",
        leaf=LEAF,
        source="mirra.md",
        text="The ferry Nordlys crosses the lake. Ada Holm named the ferry.",
        tokens=20,
        title="Mirra",
        start=_CUT,
        end=len(PAGE),
    ),
]
SEEDS = [
    Seed(leaf=LEAF, kind=KNOWLEDGE, question="Is Mirra a lake?", answer="Yes.", context="Lake Mirra is deep."),
    *(
        Seed(leaf=SKILL, kind=FREEFORM_SKILL, question=f"Greet {who} now", answer="Hello you!", subject="greet")
        for who in ("Ann", "Bob", "Cid")
    ),
]
PAIRS = [{"block": "ask", "prompt": "chunk_pairs"}, {"block": "distinct", "scope": "run"}]
SKILLS = [
    {"block": "ask", "prompt": "freeform_question", "each": "scale"},
    {"block": "ask", "prompt": "freeform_answer"},
    {"block": "distinct"},
]


def pairs(*rows: tuple[str, str]) -> str:
    return "\n".join(f"Question: {question}\nAnswer: {answer}" for question, answer in rows)


def with_choices(question: str, answer: str, *wrong: str) -> str:
    lines = "\n".join(f"- {choice}" for choice in wrong)
    return f"<question>{question}</question>\n<answer>{answer}</answer>\n<wrong>{lines}</wrong>"


class Teacher:
    """Says what `replies` has for the first of its words that stands in the last message; `asked` has them all."""

    def __init__(self, replies: dict[str, str]) -> None:
        self.asked: list[str] = []
        self.model = ScriptedChatModel(self.answer)
        self._replies = replies

    def answer(self, messages: Sequence[Message]) -> str:
        self.asked.append(messages[-1].content)
        for word, reply in self._replies.items():
            if word in messages[-1].content:
                return reply
        return "blah"


def generate(
    out: Path, flow: dict[str, Any], teacher: Any, *, report: ListReporter | None = None, **changes: Any
) -> dict[str, Any]:
    models = execute.Models(
        teacher=teacher,
        scorer=ScriptedTokenScorer(lambda request, continuation: -1.0 if request.prefix else -2.0),
        render=lambda turns: "".join(turn.content for turn in turns),
        identity="scripted",
    )
    return execute.generate(
        SEEDS,
        CHUNKS,
        flow=Flow.model_validate({"version": "1.0", **flow}),
        models=models,
        settings=SdgSettings(**{"scale_factor": 2, "reasks": 0, **changes}),
        out=out,
        report=report or ListReporter(),
        originals={(LEAF, "mirra.md"): PAGE},
    )


def rows(out: Path, name: str = "samples.jsonl") -> list[dict[str, Any]]:
    return [row for row in jsonl.read(out / name) if row.get("origin") != "seed"]


def test_sentences_without_a_question_go_through_the_paths_for_gaps(tmp_path: Path) -> None:
    teacher = Teacher(
        {
            "412": pairs(("How deep is Lake Mirra?", "412 metres.")),
            "Nordlys": pairs(("What crosses the lake?", "The ferry Nordlys.")),
            "1887": "Who mapped the lake first?",
            "named": "Who named the ferry of the lake?",
        }
    )
    gap = [{"block": "statements"}, {"block": "ask", "prompt": "sentence_question"}, {"block": "distinct"}]
    funnel = generate(tmp_path, {"knowledge": {"pairs": PAIRS}, "gaps": {"left": gap}}, teacher.model)
    assert funnel["coverage"] == {"sentences": 4, "supported": 4, "before": 2}
    made = [PAGE[row["start"] : row["end"]] for row in rows(tmp_path) if row["origin"] == "left"]
    assert made == ["It was first mapped by\n[Ada Holm](https://example.org) in 1887", "Ada Holm named the ferry"]


def test_every_sample_names_its_place_in_the_document(tmp_path: Path) -> None:
    teacher = Teacher({"412": pairs(("Who mapped Lake Mirra?", "Ada Holm, in 1887."))})
    generate(tmp_path, {"knowledge": {"pairs": PAIRS}}, teacher.model)
    (row,) = rows(tmp_path)
    assert row["document"] == "mirra.md"
    assert PAGE[row["start"] : row["end"]] == "It was first mapped by\n[Ada Holm](https://example.org) in 1887"


def test_a_skill_is_asked_again_until_it_has_its_samples(tmp_path: Path) -> None:
    count = 0

    def answer(messages: Sequence[Message]) -> str:
        nonlocal count
        if "Answer:" in messages[-1].content:
            return "Good day!"
        count += 1
        return f"person {count // 2}"  # every second question is a duplicate

    funnel = generate(
        tmp_path,
        {"freeform_skill": {"new": SKILLS}},
        ScriptedChatModel(answer),
        samples_per_leaf=4,
        workers=1,
        rounds=9,
    )
    target = funnel["targets"][SKILL]
    assert target["target"] == 4 and target["kept"] >= 4 and target["rounds"] >= 1 and target["reason"] == ""
    assert len({row["question"] for row in rows(tmp_path)}) == target["kept"]


def test_why_a_leaf_has_too_few_samples(tmp_path: Path) -> None:
    class Numbered:
        """Another question each time, or the same."""

        def __init__(self, same: bool) -> None:
            self.same, self.count = same, 0

        def __call__(self, messages: Sequence[Message]) -> str:
            if "Answer:" in messages[-1].content:
                return "Good day!"
            self.count += 1
            return "nobody" if self.same else f"person {self.count}"

    heard = ListReporter()
    flow = {"freeform_skill": {"new": SKILLS}}
    same = generate(tmp_path / "same", flow, ScriptedChatModel(Numbered(True)), report=heard, workers=1)
    assert same["targets"][SKILL]["reason"] == "the last round added nothing new"
    assert f"leaf {SKILL} has 1 of 2 samples: the last round added nothing new" in str(heard.events)
    few = generate(tmp_path / "few", flow, ScriptedChatModel(Numbered(False)), workers=1, samples_per_leaf=50, rounds=2)
    assert few["targets"][SKILL] == {"target": 50, "kept": 6, "rounds": 2, "reason": "no rounds left"}
    facts = [{"block": "spans"}, {"block": "questions", "shapes": ["direct"]}, {"block": "distinct"}]
    ruled = generate(tmp_path / "ruled", {"knowledge": {"facts": facts}}, ScriptedChatModel(str), samples_per_leaf=99)
    assert ruled["targets"][LEAF]["reason"] == "nothing is asked of a teacher in its paths"


def test_questions_about_two_chunks_and_tests_that_are_not_trained(tmp_path: Path) -> None:
    ferry, depth = ("Who named the ferry?", "Ada Holm."), ("How deep is Lake Mirra?", "412 metres.")
    teacher = Teacher(
        {
            "Nordlys crosses the lake. Ada Holm named the ferry.": "\n".join(
                [pairs(ferry), with_choices(*ferry, "Bob", "Cid", "Dan")]
            ),
            "412": f"{pairs(depth)}\n{with_choices(*depth, '5 metres', '9 metres', '70 metres')}",
        }
    )
    choices = [{"block": "ask", "prompt": "mmlu_questions"}, {"block": "choices"}]
    flow = {"cross_chunk": {"both": PAIRS}, "mmlu": {"choices": choices}}
    funnel = generate(tmp_path, flow, teacher.model)
    both = [asked for asked in teacher.asked if "412" in asked and "Nordlys" in asked]
    assert len(both) == 1, "one pair of chunks"
    (row,) = rows(tmp_path)
    assert row["origin"] == "both" and row["chunk"] == CHUNKS[1].id, "where the answer stands"
    assert PAGE[row["start"] : row["end"]] == "Ada Holm named the ferry"
    tests = rows(tmp_path, "mmlu.jsonl")
    assert {test["kind"] for test in tests} == {"mmlu"} and funnel["mmlu"] == {LEAF: len(tests)} and len(tests) == 2


def test_related_chunks_share_rare_words() -> None:
    texts = [
        "The ferry Nordlys leaves the harbour at dawn.",
        "Swans nest in the reeds of the marsh.",
        "Nobody sails at night but the ferry Nordlys.",
        "In the marsh the reeds grow tall.",
        "Elsewhere is nothing.",
    ]
    chunks = [Chunk(id=f"k#{n}", leaf="k", source="s", text=text, tokens=9) for n, text in enumerate(texts)]
    other = [Chunk(id=f"o#{n}", leaf="o", source="s", text=text, tokens=9) for n, text in enumerate(texts[:1])]
    found = [(first.id, second.id) for first, second in cross_chunk.related([*chunks, *other])]
    assert found == [("k#0", "k#2"), ("k#1", "k#3")]


def test_a_leaf_that_gives_nothing_is_told_with_what_the_teacher_said(tmp_path: Path) -> None:
    heard = ListReporter()
    teacher = Teacher({"412": pairs(("How deep is Lake Mirra?", "412 metres."))})
    generate(
        tmp_path, {"knowledge": {"pairs": PAIRS}, "freeform_skill": {"new": [SKILLS[0]]}},
        ScriptedChatModel(lambda messages: teacher.answer(messages) if re.search("412", str(messages)) else "***"),
        report=heard,
    )  # fmt: skip
    told = [event["message"] for event in heard.events if event["kind"] == "warning"]
    assert any(f"leaf {SKILL} gave no sample: " in text and "`***`" in text for text in told)
