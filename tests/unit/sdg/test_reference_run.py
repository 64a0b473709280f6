"""A pipeline in the format of the reference runs through the engine; the teacher is scripted at the port."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ilab.base import jsonl
from ilab.base.report import NullReporter
from ilab.llm.port import Completion, ContextExceeded, GenerationParams
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.chunks import Chunk
from ilab.records.messages import Message
from ilab.records.seeds import FREEFORM_SKILL, GROUNDED_SKILL, KNOWLEDGE, Seed
from ilab.sdg import execute, flow
from ilab.sdg.blocks.base import Tools
from ilab.sdg.blocks.llm import CUT, TOO_LONG, UNREADABLE
from ilab.sdg.reference import asking
from ilab.sdg.reference.block import reference
from ilab.sdg.row import Box, Row
from ilab.sdg.settings import SdgSettings

PIPELINE = Path(__file__).parents[2] / "fixtures" / "reference_pipeline"
LAKE, GREET, PICK = "knowledge/lake", "compositional_skills/greet", "compositional_skills/pick"
SEEDS = [
    *(
        Seed(
            leaf=LAKE,
            kind=KNOWLEDGE,
            question=f"Who lives at {place}, number {number}?",
            answer=f"Person {number} of {place}.",
            context=f"{place} has three houses.",
            subject="geography",
            outline="Lakes of the north",
        )
        for place in ("Aven", "Borl")
        for number in (1, 2, 3)
    ),
    *(
        Seed(leaf=GREET, kind=FREEFORM_SKILL, question=f"Greet {who} now", answer=f"Hello {who}!", subject="Greet.")
        for who in ("Ann", "Bob")
    ),
    Seed(
        leaf=PICK,
        kind=GROUNDED_SKILL,
        question="Which fruit?",
        answer="Fig",
        context="A fig lay there.",
        subject="Pick.",
    ),
]
CHUNKS = [
    Chunk(
        id=f"{LAKE}#{number}",
        leaf=LAKE,
        source="page",
        text=f"Lake {name} is {number + 3} miles long.",
        tokens=9,
        title=name,
        outline="Lakes",
        domain="geography",
    )
    for number, name in enumerate(("Mirra", "Orrin", "Sella"))
]


def after(label: str, prompt: str) -> str:
    return prompt.rpartition(label)[2].strip()


def told(prompt: str) -> str:
    """What a teacher that keeps to the form of the fixture's prompts answers."""
    if "plain words" in prompt:
        return f"Put simply: {after('Text:', prompt)}"
    if "[Q]" in prompt:
        name = after("Lake ", prompt).split()[0]
        miles = re.findall(r"\d+", prompt)[-1]
        good = f"[Q]\nHow long is Lake {name}?\n[A]\n{miles} miles.\n[STOP]\n"
        return good + f"[Q]\nWhat is Lake {name} made of?\n[A]\nCheese.\n[STOP]\n[Q]\nlake?\n[A]\n{miles} miles.\n"
    if "<verdict>" in prompt:
        return f"<reason>I looked.\n<verdict>**{'No' if 'Cheese' in prompt else 'Yes'}.**</verdict>"
    if "<grade>" in prompt:
        return f"<grade>{'1/3' if prompt.endswith('lake?') else 'Grade: 3/3'}</grade>"
    if "<text>" in prompt:
        return "<text>A pear lay there.</text>"
    if "Write 3 more" in prompt:
        return "<task>Greet Cid</task>\n<task>Greet Dee</task>\n<task>Greet Cid</task>"
    if "<done>" in prompt:
        return f"<done>Well: {after('</done>', prompt)}</done>"
    return "<task>What lay there?</task>"


class Listening:
    """A teacher that remembers what it was asked."""

    def __init__(self, answers: Callable[[str], str] = told) -> None:
        self._inner = ScriptedChatModel(lambda messages: answers(messages[-1].content))
        self._lock = threading.Lock()
        self.asked: list[tuple[str, GenerationParams]] = []

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        with self._lock:
            self.asked.append((messages[-1].content, params))
        return self._inner.chat(messages, params)

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Any:
        return self._inner.stream(messages, params)

    def times(self, part: str) -> int:
        return sum(part in prompt for prompt, _ in self.asked)


SCORER = ScriptedTokenScorer(lambda request, text: -1.0 * len(text) / (4 if request.prefix else 1))


def run(folder: Path, teacher: Any, out: Path, **changes: Any) -> list[Row]:
    models = execute.Models(teacher=teacher, scorer=SCORER, render=str, identity="scripted")
    execute.generate(
        SEEDS,
        CHUNKS,
        flow=flow.load(str(folder)),
        models=models,
        settings=SdgSettings(**{"scale_factor": 2, "workers": 4, "rounds": 0, **changes}),
        out=out,
        report=NullReporter(),
    )
    return [row for row in jsonl.read(out / "samples.jsonl") if row["origin"] != "seed"]


def tools(teacher: Any, seeds: Sequence[Seed] = (), **changes: Any) -> Tools:
    return Tools(teacher=teacher, scorer=SCORER, render=str, settings=SdgSettings(**changes), seeds=tuple(seeds))


def steps(tmp_path: Path, blocks: list[dict[str, Any]], **prompts: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps that ilab makes of `blocks`, between the first, which makes rows, and the last, which makes samples."""
    for name, content in prompts.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    simple = {"name": "x", "type": "DuplicateColumnsBlock", "config": {"columns_map": {"a": "b"}}}
    for name, own in (("knowledge", blocks), ("freeform_skills", [simple]), ("grounded_skills", [simple])):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"version": "1.0", "blocks": own}))
    path = flow.load(str(tmp_path)).knowledge["pipeline"]
    return [spec.options for spec in path if spec.block == "reference"][1:-1]


def through(options: Sequence[dict[str, Any]], columns: Sequence[dict[str, Any]], teacher: Any, **changes: Any) -> Any:
    """The columns that come out, and what was rejected."""
    box = Box()
    rows = [{"leaf": LAKE, "kind": KNOWLEDGE, "chunk": "c", "source": "page", "columns": one} for one in columns]
    for one in options:
        rows = reference(rows, box, tools(teacher, **changes), **one)
    return [row["columns"] for row in rows], box


def test_knowledge_gives_questions_and_the_documents_that_were_made(tmp_path: Path) -> None:
    teacher = Listening()
    samples = [row for row in run(PIPELINE, teacher, tmp_path) if row["leaf"] == LAKE]
    pairs = {(row["question"], row["answer"]) for row in samples if row["origin"] == "pipeline"}
    assert pairs == {(f"How long is Lake {chunk.title}?", f"{3 + n} miles.") for n, chunk in enumerate(CHUNKS)}
    auxiliary = [row for row in samples if row["origin"] == "auxiliary"]
    assert {row["answer"] for row in auxiliary} == {f"Put simply: {chunk.text}" for chunk in CHUNKS}
    shown = {tuple(row["question"].split("\n\n")) for row in auxiliary}
    assert {text for text, _ in shown} == {chunk.text for chunk in CHUNKS}
    assert {wish for _, wish in shown} <= {"Say the same in plain words.", "Retell this text simply."}
    assert {row["chunk"] for row in samples} == {chunk.id for chunk in CHUNKS}
    different = {question for question in teacher.asked if "plain words" in question[0]}
    assert len(different) == len(CHUNKS)  # not one for each context of the seeds
    assert teacher.times("plain words") == 2 * len(CHUNKS)  # once a path; a journal remembers the second time
    assert teacher.times("Lakes\nLake Mirra") == 2  # but this prompt shows the seeds


def test_a_verdict_and_a_score_are_understood_and_faults_are_told_apart(tmp_path: Path) -> None:
    run(PIPELINE, Listening(), tmp_path)
    reasons = Counter(row["reason"] for row in jsonl.read(tmp_path / "rejected.jsonl"))
    assert reasons["filter_support: `verdict` is not equal to YES"]
    assert reasons["filter_clarity: `clarity` is not at least 2"]
    kept = [
        row for row in jsonl.read(tmp_path / "samples.jsonl") if row["origin"] == "pipeline" and row["leaf"] == LAKE
    ]
    assert all(row["scores"]["filter_clarity"] == 3.0 for row in kept)


def test_skills_run_end_to_end(tmp_path: Path) -> None:
    teacher = Listening()
    samples = run(PIPELINE, teacher, tmp_path)
    greet = {row["question"] for row in samples if row["leaf"] == GREET}
    assert greet == {"Greet Cid", "Greet Dee"}
    (pick,) = [row for row in samples if row["leaf"] == PICK]
    assert (pick["question"], pick["context"]) == ("What lay there?", "A pear lay there.")
    assert sorted(params.seed for prompt, params in teacher.asked if "<text>" in prompt) == [7, 8]


def test_a_further_round_asks_otherwise(tmp_path: Path) -> None:
    teacher = Listening()
    run(PIPELINE, teacher, tmp_path, rounds=1)
    assert sorted(params.seed for prompt, params in teacher.asked if "<text>" in prompt) == [7, 8, 9, 10]


def test_the_same_files_for_any_number_of_workers(tmp_path: Path) -> None:
    run(PIPELINE, Listening(), tmp_path / "one", workers=1)
    run(PIPELINE, Listening(), tmp_path / "eight", workers=8)
    for name in ("samples.jsonl", "rejected.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "eight" / name).read_bytes()


ASK = {"system": "s", "generation": "{{document}}", "start_tags": ["<a>"], "end_tags": ["</a>"]}


def ask_block(**config: Any) -> dict[str, Any]:
    return {"name": "ask", "type": "LLMBlock", "config": {"config_path": "ask.yaml", "output_cols": ["a"], **config}}


def test_what_cannot_be_read_is_asked_again_once_and_then_rejected_with_what_was_said(tmp_path: Path) -> None:
    answers = {"s\n\n\n\ngood": "<a>1</a>", "s\n\n\n\nbad": "mumble"}
    teacher = Listening(lambda prompt: answers.get(prompt, "<a>2</a>" if "again" in prompt else "mumble"))
    out, box = through(steps(tmp_path, [ask_block()], ask=ASK), [{"document": "good"}, {"document": "bad"}], teacher)
    assert [row["a"] for row in out] == ["1"]
    assert [(row["reason"], row["raw"], row["detail"]) for row in box.rejected] == [(UNREADABLE, "mumble", "ask")]
    assert len(teacher.asked) == 3

    mended = Listening(lambda prompt: "<a>2</a>" if prompt.startswith("This could not be read") else "mumble")
    out, box = through(steps(tmp_path, [ask_block()], ask=ASK), [{"document": "bad"}], mended)
    assert [row["a"] for row in out] == ["2"] and not box.rejected


def test_a_cut_answer_a_long_prompt_and_nothing_to_ask_are_three_reasons(tmp_path: Path) -> None:
    class Full:
        def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
            if "long" in messages[0].content:
                raise ContextExceeded("too long")
            if "empty" in messages[0].content:
                return Completion(text="[UNANSWERABLE]")
            return Completion(text="<a>1 and", finish_reason="length")

        def stream(self, messages: Sequence[Message], params: GenerationParams) -> Any:
            raise AssertionError

    rows = [{"document": word} for word in ("cut", "long", "empty")]
    out, box = through(steps(tmp_path, [ask_block()], ask=ASK), rows, Full())
    assert not out
    assert {row["reason"] for row in box.rejected} == {CUT, TOO_LONG, asking.UNANSWERABLE}


def test_a_prompt_that_names_a_missing_column_rejects_the_row(tmp_path: Path) -> None:
    options = steps(tmp_path, [ask_block()], ask={**ASK, "generation": "{{nothing}}"})
    out, box = through(options, [{"document": "x"}], Listening())
    assert not out and "'nothing' is undefined" in box.rejected[0]["reason"]


@pytest.mark.parametrize("code", ["{{ ''.__class__.__mro__ }}", "{{ self.__init__.__globals__ }}"])
def test_prompts_run_in_a_sandbox(tmp_path: Path, code: str) -> None:
    options = steps(tmp_path, [ask_block()], ask={**ASK, "generation": code})
    out, box = through(options, [{"document": "x"}], Listening())
    assert not out and box.rejected[0]["reason"].startswith("the prompt")


def test_scaled_answers_and_the_same_prompt_once(tmp_path: Path) -> None:
    teacher = Listening(lambda prompt: "<a>1</a>")
    options = steps(
        tmp_path, [ask_block(gen_kwargs={"n": "scaled", "temperature": 0.5, "seed": 3, "max_tokens": 9})], ask=ASK
    )
    out, _ = through(options, [{"document": "x"}, {"document": "x"}], teacher, scale_factor=4)
    assert len(out) == 8
    assert sorted(params.seed for _, params in teacher.asked) == [3, 4, 5, 6]
    assert {(params.temperature, params.max_tokens) for _, params in teacher.asked} == {(0.5, 9)}


def test_a_further_round_of_a_block_that_makes_rows_may_answer_otherwise(tmp_path: Path) -> None:
    block = ask_block() | {"drop_duplicates": ["a"]}
    teacher = Listening(lambda prompt: "<a>1</a>")
    (options,) = steps(tmp_path, [block], ask=ASK)
    row = {"leaf": LAKE, "kind": KNOWLEDGE, "columns": {"document": "x"}}
    for number in (0, 1):
        reference([{**row, "round": number}], Box(), tools(teacher), **options)
    (_, first), (_, second) = teacher.asked
    assert first.temperature == 0 < second.temperature and first.seed != second.seed


def test_the_model_of_a_block_is_an_adapter_of_the_teacher(tmp_path: Path) -> None:
    teacher = Listening(lambda prompt: "<a>1</a>")
    through(steps(tmp_path, [ask_block(model_id="skills-v3")], ask=ASK), [{"document": "x"}], teacher)
    assert [params.adapter for _, params in teacher.asked] == ["skills-v3"]


def test_routing_by_the_majority_of_a_document_and_a_prompt_for_each_route(tmp_path: Path) -> None:
    route = {"system": "route", "generation": "{{document}}", "start_tags": [""], "end_tags": [""]}
    blocks = [
        ask_block(config_path="route.yaml", output_cols=["route"]),
        {"name": "vote", "type": "SetToMajorityValueBlock", "config": {"col_name": "route"}},
        {
            "name": "write",
            "type": "ConditionalLLMBlock",
            "config": {
                "config_paths": [["text.yaml", "_A_"], ["code.yaml", "_B_"]],
                "selector_column_name": "route",
                "output_cols": ["a"],
            },
        },
    ]
    prompts = {"route": route, "text": {**ASK, "system": "text"}, "code": {**ASK, "system": "code"}}
    teacher = Listening(
        lambda prompt: ("_B_" if prompt.endswith("3") else " _A_") if "route" in prompt else f"<a>{prompt[:4]}</a>"
    )
    out, box = through(steps(tmp_path, blocks, **prompts), [{"document": str(n)} for n in (1, 2, 3)], teacher)
    assert [row["a"] for row in out] == ["text"] * 3 and not box.rejected


def test_improving_an_answer_populates_judges_and_selects(tmp_path: Path) -> None:
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds" / "_A__worked.yaml").write_text("rubric: be short\n")
    blocks = [
        {
            "name": "populate",
            "type": "SamplePopulatorBlock",
            "config": {"config_paths": ["kinds/_A_.yaml"], "column_name": "route", "post_fix": "worked"},
        },
        ask_block(output_cols=["revised"]),
        ask_block(config_path="judge.yaml", output_cols=["verdict"]) | {"name": "judge"},
        {
            "name": "decided",
            "type": "FilterByValueBlock",
            "config": {
                "filter_column": "verdict",
                "filter_value": ["Assistant A", "Assistant B"],
                "operation": "contains",
            },
        },
        {
            "name": "choose",
            "type": "SelectorBlock",
            "config": {
                "choice_map": {"Assistant A": "response", "Assistant B": "revised"},
                "choice_col": "verdict",
                "output_col": "response",
            },
        },
    ]
    prompts = {
        "ask": {**ASK, "generation": "{{rubric}}: {{response}}"},
        "judge": {**ASK, "generation": "judge {{response}} {{revised}}"},
    }
    teacher = Listening(
        lambda prompt: (
            ("<a>[[Assistant B]]</a>" if "long" in prompt else "<a>neither</a>") if "judge" in prompt else "<a>new</a>"
        )
    )
    rows = [
        {"route": "_A_", "response": "long"},
        {"route": "_A_", "response": "bad"},
        {"route": "_C_", "response": "x"},
    ]
    out, box = through(steps(tmp_path, blocks, **prompts), rows, teacher)
    assert [row["response"] for row in out] == ["new"]
    assert [row["detail"] for row in box.rejected] == ["populate", "decided"]


def test_a_block_several_times(tmp_path: Path) -> None:
    block = {
        "name": "often",
        "type": "IterBlock",
        "config": {"num_iters": 3, "block_type": "LLMBlock", "config_path": "ask.yaml", "output_cols": ["a"]},
        "drop_duplicates": ["a"],
    }
    teacher = Listening(lambda prompt: "<a>1</a>")
    out, box = through(steps(tmp_path, [block], ask=ASK), [{"document": "x"}], teacher)
    assert len({params.seed for _, params in teacher.asked}) == 3
    assert len(out) == 1 and len(box.rejected) == 2


def test_conversations_in_a_column(tmp_path: Path) -> None:
    block = {"name": "talk", "type": "LLMMessagesBlock", "config": {"input_col": "turns", "output_col": "said"}}
    several = {**block, "config": {**block["config"], "gen_kwargs": {"n": 2}}}
    teacher = Listening(lambda prompt: f"to {prompt}")
    rows = [{"turns": [{"role": "user", "content": "you"}]}, {"turns": [{"text": "odd"}]}]
    out, box = through(steps(tmp_path, [block]), rows, teacher)
    assert [row["said"] for row in out] == ["to you"] and len(box.rejected) == 1
    out, _ = through(steps(tmp_path, [several]), rows[:1], teacher)
    assert out[0]["said"] == ["to you", "to you"]
    assert teacher.asked[-1][1].temperature > 0


def test_the_output_of_the_simple_form_is_parted(tmp_path: Path) -> None:
    plain = {"system": "", "generation": "{{document}}", "start_tags": [""], "end_tags": [""]}
    steps(tmp_path, [ask_block(output_cols=["output"])], ask=plain)
    said = {
        "Mirra": "Who owns http://a.b/?q=1 now? Ada.",
        "Orrin": "List the lakes.\n\nMirra.",
        "Sella": "Nothing at all.",
    }
    teacher = Listening(lambda prompt: next((text for name, text in said.items() if name in prompt), "no"))
    samples = run(tmp_path, teacher, tmp_path / "out")
    found = {(row["question"], row["answer"]) for row in samples}
    assert found == {("Who owns http://a.b/?q=1 now?", "Ada."), ("List the lakes.", "Mirra.")}
