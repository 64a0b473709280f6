"""The flows for real teachers, end to end: a scripted teacher that knows every shipped prompt answers in its form."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ilab.base import jsonl
from ilab.base.report import NullReporter
from ilab.llm.journal import Journal, Journaled
from ilab.llm.port import ChatModel
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.chunks import Chunk
from ilab.records.messages import Message
from ilab.records.seeds import FREEFORM_SKILL, GROUNDED_SKILL, KNOWLEDGE, Seed
from ilab.sdg import answer_form, execute, flow
from ilab.sdg.blocks.fact_questions import KINDS
from ilab.sdg.settings import SdgSettings

NAMES = ("Mirra", "Orrin", "Sella", "Tavi")
LEAVES = ("knowledge/lakes", "knowledge/waters")
CREATIVE, PRECISE, FIND = "compositional_skills/poems", "foundational_skills/sums", "compositional_skills/find"
FALSE = "9999 metres"
"""What the teacher makes up now and then; rules find it."""
LEAD_IN = {
    "fact": "Which word belongs to",
    "how": "How does one come to know of",
    "why": "Why do people say of",
    "comparison": "Compared with other waters, what holds for",
    "yes or no": "Is it certain what one says of",
    "fill in": "The missing word ____ belongs to",
}


def sentences_of(name: str) -> list[str]:
    return [
        f"Lake {name} is a crater lake in northern Talland.",
        f"The deepest basin of Lake {name} was measured by Ada Holm.",
        f"Fishing on Lake {name} was forbidden during the drought.",
        f"Visitors of Lake {name} camp on the eastern shore.",
        f"Winter storms around Lake {name} destroyed the old harbour.",
        f"Engineers dammed Lake {name} for the railway company.",
    ]


SENTENCES = [sentence for name in NAMES for sentence in sentences_of(name)]
CHUNKS = [
    Chunk(
        id=f"{LEAVES[number % 2]}#{number}",
        leaf=LEAVES[number % 2],
        source="s.md",
        text=" ".join(sentences_of(name)),
        tokens=60,
        title="Lakes",
    )
    for number, name in enumerate(NAMES)
]


def seeds(per_leaf: int = 1) -> list[Seed]:
    knowledge = [
        Seed(
            leaf=leaf,
            kind=KNOWLEDGE,
            question=f"What flows into pond number {number}?",
            answer=f"Stream {number}.",
            context=f"Stream {number} flows into pond number {number}.",
        )
        for leaf in LEAVES
        for number in range(per_leaf)
    ]
    skills = [
        Seed(leaf=CREATIVE, kind=FREEFORM_SKILL, question="Write a poem on rain.", answer="O rain!", subject="poems"),
        Seed(leaf=PRECISE, kind=FREEFORM_SKILL, question="Add two and two.", answer="Four.", subject="sums"),
        Seed(
            leaf=FIND,
            kind=GROUNDED_SKILL,
            question="Who ran?",
            answer="Ann ran.",
            context="Ann ran home.",
            subject="find a name",
        ),
    ]
    return knowledge + skills


def quoted(text: str) -> list[str]:
    """What stands in the fences of a message."""
    return [found[2] for found in re.finditer(r"--- begin (\w+) ---\n(.*?)\n--- end \1 ---", text, re.DOTALL)]


def in_order(text: str) -> list[str]:
    return [sentence for sentence in SENTENCES if sentence in text]


def about(fact: str, kind: str = "fact") -> dict[str, str]:
    """A question on all of a fact but its end, which is the answer."""
    words = fact.rstrip(".").split()
    return {"question": f"{LEAD_IN[kind]} {' '.join(words[:-2])}?", "answer": f"{' '.join(words[-2:])}."}


class Teacher:
    """Finds out which prompt it was given, and answers with the records that `says` has for it."""

    def __init__(self, **says: Callable[[str], list[dict[str, Any]]]) -> None:
        self.asked: Counter[str] = Counter()
        self.heard: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._says = {**ANSWERS, **says}
        self._specs = {name: flow.prompt(name) for name in self._says}

    @property
    def model(self) -> ScriptedChatModel:
        return ScriptedChatModel(self._answer)

    def _answer(self, messages: Sequence[Message]) -> str:
        name = next(
            name for name, spec in self._specs.items() if messages[0].content.startswith(spec["system"].strip())
        )
        said = messages[-1].content
        with self._lock:
            self.asked[name] += 1
            self.heard.setdefault(name, []).append(said)
        spec = self._specs[name]
        records = self._says[name](said)
        numbered = {"number": {"about": "", "type": "integer"}} if "<number>" in messages[0].content else {}
        form = answer_form.of({**numbered, **spec["columns"]}, many=bool(numbered or spec.get("many")), where=name)
        return form.write(records, structured=False) if records else "I do not know."


def facts(said: str) -> list[dict[str, Any]]:
    return [{"fact": sentence} for sentence in in_order(said)]


def fact_questions(said: str) -> list[dict[str, Any]]:
    made = []
    for number, kind, fact in re.findall(r"^(\d+)\. \[(.+?)\] (.+)$", quoted(said)[-1], re.MULTILINE):
        pair = about(fact, kind)
        if "dammed" in fact:
            pair["answer"] = FALSE
        made.append({"number": int(number), **pair})
    return made


def pairs(said: str) -> list[dict[str, Any]]:
    return [about(sentence) for sentence in in_order(quoted(said)[0])]


def wordings(said: str) -> list[dict[str, Any]]:
    return [
        {"number": number, "question": worded}
        for number, question in listed(said)
        for worded in (f"Please say: {question}", "Which word does one look for here?", question.upper())
    ]


def listed(said: str) -> list[tuple[int, str]]:
    """The numbered questions of a prompt that goes through several."""
    found = re.findall(r'(?m)^(\d+)\. ("(?:[^"\\]|\\.)*")', said)
    return [(int(number), json.loads(question)) for number, question in found]


def yes(said: str) -> list[dict[str, Any]]:
    verdict = {"explanation": "It is so.", "verdict": "YES"}
    return [{"number": number, **verdict} for number, _ in listed(said)] or [verdict]


def no_missing_words(said: str) -> list[dict[str, Any]]:
    return [
        {"number": number, "explanation": "Look.", "verdict": "NO" if "____" in question else "YES"}
        for number, question in listed(said)
    ]


def graded(said: str) -> list[dict[str, Any]]:
    return [{"explanation": "Fine.", "verdict": "1" if "bad" in said else "3"}]


def numbered(said: str) -> str:
    return f"{len(said)}"


ANSWERS: dict[str, Callable[[str], list[dict[str, Any]]]] = {
    "chunk_facts": facts,
    "fact_questions": fact_questions,
    "other_wordings": wordings,
    "cross_chunk_questions": lambda said: [
        {
            "question": f"Which company dammed both {' and '.join(re.findall(r'dammed (Lake .+?) for', said))}?",
            "answer": "The railway company.",
        }
    ],
    "summary_detailed": lambda said: [{"summary": f"Told at length: {' '.join(in_order(said))}"}],
    "summary_extractive": lambda said: [{"summary": in_order(said)[:2]}],
    "summary_facts": lambda said: [{"summary": in_order(said)}],
    "chunk_kind": lambda said: [{"verdict": "CODE" if "Lake Tavi" in said else "PROSE"}],
    "textbook_questions": pairs,
    "code_questions": pairs,
    "skill_contexts": lambda said: [{"context": f"{who} slept early on day one."} for who in ("Bob", "Cleo")],
    "skill_context_questions": lambda said: [
        {"question": f"{verb} slept early, as told of {quoted(said)[-1].split()[0]}?"} for verb in ("Who", "Which one")
    ],
    "grounded_answer": lambda said: [{"answer": f"{quoted(said)[-2].split()[0]} slept."}],
    "skill_instructions": lambda said: [
        {"question": f"{'Write a poem on' if 'poems' in said else 'Add up two and'} {thing}."}
        for thing in ("snow", "bad luck", "seven", "eleven", "twenty three")
    ],
    "skill_persona": lambda said: [{"verdict": "CREATIVE" if "poem" in said else "PRECISE"}],
    "answer_precise": lambda said: [{"answer": f"It amounts to precisely this, {quoted(said)[-1].split()[-1]}"}],
    "answer_creative": lambda said: [{"answer": f"Oh my dear, {quoted(said)[-1].split()[-1]}"}],
    "improve_analysis": lambda said: [{"analysis": "It wants a name.", "rubric": ["It is named."]}],
    "improve_critique": lambda said: [{"critique": "It is dull."}],
    "improve_plan": lambda said: [{"plan": ["Be friendly."]}],
    "improve_revision": lambda said: [{"revision": f"{quoted(said)[-1]} Indeed."}],
    "judge_self_contained": no_missing_words,
    "judge_faithful": yes,
    "judge_relevant": yes,
    "judge_instruction": yes,
    "judge_pair": graded,
    "judge_grounded_pair": graded,
    "judge_choice": lambda said: [{"explanation": "It is friendlier.", "verdict": "B" if preferred(said) else "A"}],
    "mmlu_questions": lambda said: [
        {**about(sentence), "wrong": ["A green hill", "A small town", "An old tree"]} for sentence in in_order(said)[:2]
    ],
    "mmlu_answer": lambda said: [{"explanation": "So it is.", "verdict": right_letter(said)}],
}


def preferred(said: str) -> bool:
    """Whether the second of two answers is the one that was written again."""
    return "Indeed" in quoted(said)[-1]


def right_letter(said: str) -> str:
    choices = re.findall(r"^([A-D])\) (.*)$", said, re.MULTILINE)
    return next((letter for letter, text in choices if not text.endswith(("hill", "town", "tree"))), "A")


def generate(
    out: Path, name: str, teacher: Teacher, *, given: Sequence[Seed] = (), journal: Path | None = None, **changes: Any
) -> dict[str, Any]:
    model: ChatModel = teacher.model
    if journal is not None:
        model = Journaled(model, Journal(journal), identity="scripted")
    models = execute.Models(
        teacher=model,
        scorer=ScriptedTokenScorer(lambda request, text: -1.0 * len(text) / (4 if request.prefix else 1)),
        render=lambda turns: "".join(f"<{turn.role}>{turn.content}" for turn in turns),
        identity="scripted",
    )
    return execute.generate(
        given or seeds(),
        CHUNKS,
        flow=flow.load(name),
        models=models,
        settings=SdgSettings(**{"scale_factor": 4, "rounds": 0, **changes}),
        out=out,
        report=NullReporter(),
    )


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Teacher, list[dict[str, Any]], list[dict[str, Any]]]:
    return run(tmp_path_factory.mktemp("full"), "full")


@pytest.fixture(scope="module")
def agentic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Teacher, list[dict[str, Any]], list[dict[str, Any]]]:
    return run(tmp_path_factory.mktemp("agentic"), "agentic")


def run(out: Path, name: str) -> tuple[Teacher, list[dict[str, Any]], list[dict[str, Any]]]:
    teacher = Teacher()
    generate(out, name, teacher)
    return teacher, list(jsonl.read(out / "samples.jsonl")), list(jsonl.read(out / "rejected.jsonl"))


def origins(samples: list[dict[str, Any]], leaf: str) -> Counter[str]:
    return Counter(row["origin"] for row in samples if row["leaf"] == leaf)


# --- full ---


def test_full_gives_samples_of_every_sort_to_every_leaf(full: Any) -> None:
    _, samples, rejected = full
    for leaf in LEAVES:
        assert set(origins(samples, leaf)) >= {"seed", "facts_told", "paraphrases", "connections"}, leaf
    for leaf in (CREATIVE, PRECISE, FIND):
        assert origins(samples, leaf)["variations"] >= 3
    assert all(row["reason"] for row in rejected)


def test_what_a_cheap_check_refuses_no_dear_one_sees(full: Any) -> None:
    teacher, samples, rejected = full
    assert any(FALSE in row["answer"] for row in rejected)
    assert not any(FALSE in said for name, heard in teacher.heard.items() if "judge" in name for said in heard)
    unclear = [row for row in rejected if "unclear without" in row["reason"]]
    assert unclear and all("____" in row["question"] for row in unclear)
    for name in ("judge_faithful", "judge_relevant", "other_wordings"):
        assert not any("____" in said for said in teacher.heard[name])
    assert not any("____" in row["question"] for row in samples)


def test_questions_are_spread_over_the_kinds(full: Any) -> None:
    teacher, _, _ = full
    listed = "\n".join(quoted(said)[-1] for said in teacher.heard["fact_questions"])
    dealt = Counter(re.findall(r"^\d+\. \[(.+?)\]", listed, re.MULTILINE))
    assert set(dealt) == set(KINDS)
    assert max(dealt.values()) <= 2 * min(dealt.values())


def test_a_pair_found_true_is_asked_in_other_words_and_what_strays_is_refused(full: Any) -> None:
    teacher, samples, rejected = full
    worded = [row for row in samples if row["origin"] == "paraphrases"]
    told = {(row["question"], row["answer"]) for row in samples if row["origin"] == "facts_told"}
    assert worded and all((row["question"].removeprefix("Please say: "), row["answer"]) in told for row in worded)
    reasons = {row["reason"] for row in rejected if row["origin"] == "paraphrases"}
    assert reasons == {"another wording leaves out a name or a number", "another wording says it in the same words"}
    assert teacher.asked["judge_faithful"] < len(worded) + len(told) + teacher.asked["other_wordings"]


def test_each_skill_is_answered_by_the_persona_that_fits_its_task(full: Any) -> None:
    teacher, samples, _ = full
    assert teacher.asked["skill_persona"] == 2, "once a leaf"
    made = [row for row in samples if row["origin"] == "variations"]
    assert all(row["answer"].startswith("Oh my dear") for row in made if row["leaf"] == CREATIVE)
    assert all("precisely" in row["answer"] for row in made if row["leaf"] == PRECISE)
    assert all(row["context"].endswith("day one.") for row in made if row["leaf"] == FIND)
    assert not any("bad luck" in row["question"] for row in made), "graded 1 of 3"


def test_a_choice_that_cannot_be_read_loses_no_row(tmp_path: Path) -> None:
    generate(tmp_path, "full", Teacher(skill_persona=lambda said: []))
    made = [
        row for row in jsonl.read(tmp_path / "samples.jsonl") if row["leaf"] == CREATIVE and row["origin"] != "seed"
    ]
    assert made and all("precisely" in row["answer"] for row in made)


ABOUT_CHUNKS = {
    "full": ("chunk_facts", "fact_questions", "cross_chunk_questions", "mmlu_questions"),
    "agentic": ("chunk_kind", "textbook_questions", "code_questions", "cross_chunk_questions", "mmlu_questions"),
}


@pytest.mark.parametrize("name", sorted(ABOUT_CHUNKS))
def test_more_seeds_make_no_more_requests_about_a_chunk(tmp_path: Path, name: str) -> None:
    few, many = Teacher(), Teacher()
    for count, teacher in ((1, few), (7, many)):  # a judge that does not filter would change what is asked later
        generate(tmp_path / str(count), name, teacher, given=seeds(count), judge_min_auc=0)
    for prompt in ABOUT_CHUNKS[name]:
        assert few.asked[prompt] == many.asked[prompt] > 0, prompt
        assert sorted(few.heard[prompt]) == sorted(many.heard[prompt])
    assert few.asked.get("chunk_facts", 0) <= len(CHUNKS)


@pytest.mark.parametrize("name", sorted(ABOUT_CHUNKS))
def test_the_same_seeds_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    for workers in (1, 8):
        generate(tmp_path / str(workers), name, Teacher(), workers=workers)
    for file in ("samples.jsonl", "rejected.jsonl"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "8" / file).read_bytes()


def test_an_answer_to_another_number_is_not_taken_for_that_fact(tmp_path: Path) -> None:
    def shifted(said: str) -> list[dict[str, Any]]:
        return [{**record, "number": record["number"] + 1} for record in fact_questions(said)]

    generate(tmp_path, "full", Teacher(fact_questions=shifted))
    rejected = list(jsonl.read(tmp_path / "rejected.jsonl"))
    assert "the answer belongs to none of the facts" in {row["reason"] for row in rejected}


@pytest.mark.parametrize("name", sorted(ABOUT_CHUNKS))
def test_questions_with_choices_test_and_do_not_train(tmp_path: Path, name: str) -> None:
    generate(tmp_path, name, Teacher())
    rows = list(jsonl.read(tmp_path / "mmlu.jsonl"))
    assert {row["leaf"] for row in rows} == set(LEAVES)
    assert all(row["choices"][row["key"]] == row["answer"] and len(set(row["choices"])) == 4 for row in rows)
    assert not {row["origin"] for row in jsonl.read(tmp_path / "samples.jsonl")} & {"choices", "mmlu"}


def test_a_sentence_that_nobody_asked_about_is_asked_about_in_a_second_pass(tmp_path: Path) -> None:
    def but_one(said: str) -> list[dict[str, Any]]:
        return [pair for pair in pairs(said) if "Fishing" not in pair["question"]]

    teacher = Teacher(textbook_questions=but_one, code_questions=but_one)
    funnel = generate(tmp_path, "agentic", teacher)
    made = [row for row in jsonl.read(tmp_path / "samples.jsonl") if row["origin"] == "uncovered"]
    listed = "\n".join(quoted(said)[-1] for said in teacher.heard["fact_questions"])
    assert len(re.findall("Fishing", listed)) == len(listed.splitlines()) == len(CHUNKS)
    assert made and all("Fishing" in row["question"] for row in made)
    assert funnel["coverage"]["before"] < funnel["coverage"]["supported"]


# --- agentic ---


def test_agentic_asks_about_four_forms_of_each_chunk(agentic: Any) -> None:
    teacher, samples, _ = agentic
    for leaf in LEAVES:
        assert set(origins(samples, leaf)) >= {"seed", "textbook", "auxiliary", "connections"}, leaf
    assert teacher.asked["chunk_kind"] == len(CHUNKS)
    assert teacher.asked["code_questions"] == 4, "the chunk and its three summaries"
    assert teacher.asked["textbook_questions"] == 4 * 3
    assert all("Lake Tavi" in said for said in teacher.heard["code_questions"])


def test_with_a_journal_each_summary_is_paid_for_once(tmp_path: Path) -> None:
    teacher = Teacher()
    funnel = generate(tmp_path / "a", "agentic", teacher, journal=tmp_path / "journal.jsonl")
    assert {teacher.asked[f"summary_{form}"] for form in ("detailed", "extractive", "facts")} == {len(CHUNKS)}
    before = teacher.asked.copy()
    again = generate(tmp_path / "b", "agentic", teacher, journal=tmp_path / "journal.jsonl")
    assert teacher.asked == before and again["kept"] == funnel["kept"]


def test_summaries_are_samples_in_many_wordings(agentic: Any) -> None:
    _, samples, _ = agentic
    made = [row for row in samples if row["origin"] == "auxiliary"]
    assert len(made) == 3 * len(CHUNKS)
    asked = [row["question"].rpartition("\n\n") for row in made]
    assert all(any(document == chunk.text for chunk in CHUNKS) for document, _, _ in asked)
    assert len({instruction for _, _, instruction in asked}) > 6
    assert {row["answer"].startswith("- ") for row in made} == {True, False}


def test_the_better_of_two_answers_is_kept_wherever_it_stood(agentic: Any) -> None:
    teacher, samples, _ = agentic
    made = [row for row in samples if row["origin"] == "improved"]
    assert {row["leaf"] for row in made} == {CREATIVE, PRECISE, FIND}
    assert all(row["answer"].endswith("Indeed.") for row in made)
    places = Counter(preferred(said) for said in teacher.heard["judge_choice"])
    assert set(places) == {True, False}, "the revision comes first for some and second for others"


def test_a_judge_that_always_takes_the_first_decides_by_chance(tmp_path: Path) -> None:
    first = Teacher(judge_choice=lambda said: [{"explanation": "The first.", "verdict": "A"}])
    generate(tmp_path, "agentic", first, scale_factor=8)
    made = [row for row in jsonl.read(tmp_path / "samples.jsonl") if row["origin"] == "improved"]
    assert {row["answer"].endswith("Indeed.") for row in made} == {True, False}


def test_a_step_that_cannot_be_read_leaves_the_answer_as_it_was(tmp_path: Path) -> None:
    teacher = Teacher(improve_plan=lambda said: [])
    generate(tmp_path, "agentic", teacher)
    made = [row for row in jsonl.read(tmp_path / "samples.jsonl") if row["origin"] == "improved"]
    assert made and not any("Indeed" in row["answer"] for row in made)
    assert teacher.asked["improve_revision"] == teacher.asked["judge_choice"] == 0
