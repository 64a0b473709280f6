"""ChatSession over scripted models."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ilab.chat.contexts import CONTEXTS
from ilab.chat.session import ChatSession, estimate_tokens
from ilab.chat.settings import ChatSettings
from ilab.errors import ConfigError, TeacherError
from ilab.llm.scripted import ScriptedChatModel
from ilab.records.messages import Message, assistant, system, user


class Listener:
    """Answers with a number of words, and keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[list[Message]] = []

    def __call__(self, messages: Sequence[Message]) -> str:
        self.sent.append(list(messages))
        return f"answer {len(self.sent)} to {messages[-1].content}"


def session(answers: object = None, **settings: object) -> tuple[ChatSession, Listener]:
    listener = Listener()
    return ChatSession(ScriptedChatModel(listener), settings=ChatSettings(**settings)), listener  # type: ignore[arg-type]


def test_turns_are_kept_and_sent_again() -> None:
    chat, listener = session()
    assert "".join(chat.ask("one")) == "answer 1 to one"
    assert list(chat.ask("two")) == ["answer", " 2", " to", " two"]
    assert listener.sent[1] == [user("one"), assistant("answer 1 to one"), user("two")]
    assert [turn.role for turn in chat.turns] == ["user", "assistant"] * 2


def test_a_context_brings_its_system_prompt() -> None:
    chat, listener = session(context="cli_helper")
    list(chat.ask("how do I list files?"))
    assert listener.sent[0][0] == system(CONTEXTS["cli_helper"])
    assert chat.messages[0] == system(CONTEXTS["cli_helper"])
    with pytest.raises(ConfigError, match="no context `nope`") as caught:
        chat.set_context("nope")
    assert "cli_helper" in caught.value.hint
    chat.set_context("default")
    assert chat.messages == ()


def test_the_oldest_turns_are_left_out_and_the_system_prompt_is_not() -> None:
    chat, listener = session(context="cli_helper", context_size=512, max_tokens=128)
    for number in range(20):
        list(chat.ask(f"question {number} " + "x" * 100))
        assert listener.sent[-1][0].role == "system"
        assert listener.sent[-1][1].role == "user"
        assert listener.sent[-1][-1].content.startswith(f"question {number} ")
        assert sum(map(estimate_tokens, listener.sent[-1])) <= 512 - 128
    assert chat.left_out > 0
    assert len(chat.turns) == 40


def test_one_question_beyond_the_window_is_sent_alone() -> None:
    chat, listener = session(context_size=128, max_tokens=64)
    list(chat.ask("short"))
    list(chat.ask("x" * 5000))
    assert [message.role for message in listener.sent[-1]] == ["user"]


def test_a_server_that_counts_more_tokens_gets_fewer_turns() -> None:
    seen: list[int] = []

    def strict(messages: Sequence[Message]) -> str:
        seen.append(len(messages))
        if len(messages) > 3:
            raise TeacherError("400: request exceeds the available context size")
        return "ok"

    chat = ChatSession(ScriptedChatModel(strict), settings=ChatSettings())
    for _ in range(4):
        assert list(chat.ask("q")) == ["ok"]
    assert seen == [1, 3, 5, 3, 7, 5, 3]
    assert chat.left_out == 4


def test_a_failure_keeps_the_turns_and_forgets_the_question() -> None:
    def failing(messages: Sequence[Message]) -> str:
        if messages[-1].content == "bad":
            raise TeacherError("gone")
        return "fine"

    chat = ChatSession(ScriptedChatModel(failing), settings=ChatSettings())
    list(chat.ask("good"))
    with pytest.raises(TeacherError, match="gone"):
        list(chat.ask("bad"))
    assert [turn.content for turn in chat.turns] == ["good", "fine"]


def test_stopping_in_the_middle_keeps_what_was_said() -> None:
    chat, _ = session()
    pieces = chat.ask("one")
    assert next(pieces) == "answer"
    pieces.close()  # type: ignore[attr-defined]
    assert chat.turns == [user("one"), assistant("answer")]


def test_retry_replaces_the_last_answer() -> None:
    chat, listener = session()
    list(chat.ask("one"))
    assert "".join(chat.retry()) == "answer 2 to one"
    assert len(chat.turns) == 2
    assert listener.sent[1] == [user("one")]
    chat.new()
    with pytest.raises(ConfigError, match="no question"):
        list(chat.retry())


def test_another_model_goes_on_with_the_same_turns() -> None:
    chat, _ = session()
    list(chat.ask("one"))
    chat.amend(ScriptedChatModel(lambda messages: f"{len(messages)} seen"))
    assert "".join(chat.ask("two")) == "3 seen"


def test_loaded_conversations() -> None:
    chat, _ = session()
    told = [system("Be kind."), user("q"), assistant("a")]
    chat.load(told)
    assert list(chat.messages) == told
    chat.new()
    assert chat.turns == []
    chat.load(told, permanent=True)
    list(chat.ask("more"))
    chat.new()
    assert chat.turns == told[1:]
    chat.new(keep_loaded=False)
    assert chat.turns == []
