"""The scripted models keep the promises of the port."""

from __future__ import annotations

from ilab.llm.port import ChatModel, GenerationParams, ScoreRequest, TokenScorer
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer, dry_run_model
from ilab.records.messages import user


def test_answers_stops_and_counts() -> None:
    model: ChatModel = ScriptedChatModel(lambda messages: f"You said: {messages[-1].content} END more")
    answer = model.chat([user("two words")], GenerationParams(stop=(" END",)))
    assert answer.text == "You said: two words"
    assert (answer.prompt_tokens, answer.completion_tokens, answer.finish_reason) == (2, 4, "stop")


def test_max_tokens_cuts_and_says_so() -> None:
    answer = ScriptedChatModel(lambda _: "one two three").chat([user("x")], GenerationParams(max_tokens=2))
    assert (answer.text, answer.finish_reason, answer.completion_tokens) == ("one two", "length", 2)


def test_the_stream_adds_up_to_the_answer() -> None:
    model = ScriptedChatModel(lambda _: "one two\nthree  four")
    assert "".join(model.stream([user("x")], GenerationParams())) == "one two\nthree  four"


def test_a_dry_run_is_deterministic_and_marked() -> None:
    first, again = (dry_run_model().chat([user("Why?")], GenerationParams()).text for _ in range(2))
    assert first == again
    assert first.startswith("[dry run ")
    assert first.endswith("Why?")
    assert first != dry_run_model().chat([user("How?")], GenerationParams()).text


def test_scores_follow_the_function() -> None:
    scorer: TokenScorer = ScriptedTokenScorer(lambda request, text: -float(len(request.context + text)))
    scores = scorer.score([ScoreRequest(context="ab", continuations=("c", "c d"))])
    assert [(score.logprob, score.tokens) for score in scores[0]] == [(-3.0, 1), (-5.0, 2)]
