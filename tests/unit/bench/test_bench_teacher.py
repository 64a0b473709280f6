"""What the comparison with the reference rests on: the prefix cache, the truth about the pages, the teacher."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.append(str(Path(__file__).parents[3] / "bench"))  # its scripts import one another by name

import invented_pages
import prefix_cache
import scripted_teacher

WORLD = invented_pages.make(8)


# --- the prefix cache ---


def test_a_prompt_seen_before_costs_what_does_not_fill_a_block() -> None:
    prompt = [str(number) for number in range(40)]
    assert prefix_cache.computed([prompt]) == 40
    assert prefix_cache.computed([prompt, prompt]) == 40 + 8


def test_only_a_common_start_is_kept() -> None:
    shared, one, two = ["s"] * 32, ["a"] * 32, ["b"] * 32
    assert prefix_cache.computed([shared + one, shared + two]) == 64 + 32
    assert prefix_cache.computed([one + shared, two + shared]) == 64 + 64


def test_a_prompt_that_is_all_in_the_cache_still_costs_its_last_token() -> None:
    assert prefix_cache.computed([["s"] * 32, ["s"] * 32]) == 32 + 1


def test_what_was_not_used_for_the_longest_time_goes_first() -> None:
    one, two, three = ([letter] * 16 for letter in "abc")
    assert prefix_cache.computed([one, two, one, three, one], capacity=2) == 16 + 16 + 1 + 16 + 1
    assert prefix_cache.computed([one, two, three, one], capacity=2) == 4 * 16


def test_an_empty_prompt_costs_nothing() -> None:
    assert prefix_cache.computed([[]]) == 0


# --- what is true ---


def test_every_question_of_the_world_has_its_answer_and_no_other() -> None:
    for fact, other in zip(WORLD.facts, WORLD.facts[1:], strict=False):
        assert all(WORLD.is_true(question, f"{fact.answer}.") for question in fact.questions)
        assert not WORLD.is_true(fact.questions[0], other.answer)
        assert not WORLD.is_true(fact.questions[0].replace(fact.thing, "it"), fact.answer)


def test_a_question_for_the_thing_is_true_too() -> None:
    fact = WORLD.facts[0]
    assert WORLD.is_true(f"What is {fact.answer} deep?", fact.thing)


def test_the_facts_of_a_text_come_in_its_order() -> None:
    assert WORLD.told(WORLD.pages[0]) == list(WORLD.facts)


# --- the teacher ---


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = scripted_teacher.serve(WORLD, latency=0, slots=4, log=None)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


def _said(url: str, **body: Any) -> list[str]:
    answer = httpx.post(f"{url}/completions", json=body, timeout=30).json()
    return [choice["text"] for choice in answer["choices"]]


def test_a_list_of_prompts_gets_n_answers_each(url: str) -> None:
    assert len(_said(url, prompt=["test1", "test2"], n=3)) == 6


def test_a_share_of_the_pairs_is_bad_and_the_judges_know_which(url: str) -> None:
    script = scripted_teacher.Script(WORLD)
    pairs = script.pairs(WORLD.pages[0], 0, 128)
    bad = [pair for pair in pairs if not WORLD.is_true(pair.question, pair.answer)]
    assert 0.1 < len(bad) / len(pairs) < 0.3
    for pair in pairs:
        verdicts = [_verdict(url, pair, told) for told in (["question"], ["question", "answer"], None)]
        assert all(verdicts) is (pair not in bad), pair


def _verdict(url: str, pair: scripted_teacher.Pair, told: list[str] | None) -> bool:
    columns = told or ["question", "answer"]
    listed = " ".join(json.dumps({"question": pair.question, "answer": pair.answer}[name]) for name in columns)
    shown = [f"--- begin ab ---\n{text}\n--- end ab ---" for text in ([] if told else [WORLD.pages[0].strip()])]
    shown.append(f"Pairs:\n--- begin cd ---\n1. {listed}\n--- end cd ---")
    system = "Write this form, with every tag closed, and nothing else:\n<verdict>YES</verdict>"
    turns = [{"role": "system", "content": system}, {"role": "user", "content": "\n\n".join(shown)}]
    answer = httpx.post(f"{url}/chat/completions", json={"messages": turns}, timeout=30).json()
    return bool(answer["choices"][0]["message"]["content"] == "<verdict>YES</verdict>")


def test_a_schema_is_kept(url: str) -> None:
    schema = {"type": "object", "properties": {"word": {"type": "string", "enum": ["Ankaa"]}}}
    body = {
        "messages": [{"role": "user", "content": "Say hello."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }
    answer = httpx.post(f"{url}/chat/completions", json=body, timeout=30).json()
    assert json.loads(answer["choices"][0]["message"]["content"]) == {"word": "Ankaa"}
