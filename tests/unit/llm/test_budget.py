"""Prompts near the end of the context: a shorter answer is asked for, once."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from tests.faulty_server import OK, Script, serving

from ilab.errors import TeacherError
from ilab.llm.budget import Budgeted
from ilab.llm.http import HttpChatModel
from ilab.llm.port import ContextExceeded, GenerationParams
from ilab.records.messages import user

PARAMS = GenerationParams(max_tokens=500)
NEW_VLLM = (
    "'max_tokens' is too large: 500. This model's maximum context length is 400 tokens and your request has 120 input "
    "tokens (500 > 400 - 120)."
)
OLD_VLLM = (
    "This model's maximum context length is 400 tokens. However, you requested 620 tokens (120 in the messages, 500 in "
    "the completion). Please reduce the length of the messages or completion."
)


class Small:
    """A server that refuses answers of more than `most` tokens, and says why as `said`."""

    def __init__(self, most: int, said: str) -> None:
        self.most, self.said = most, said
        self.asked: list[int] = []
        self.script = Script(self.answer)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(self.script.asked[-1][1]["max_tokens"])
        fits = self.asked[-1] <= self.most
        content: Any = OK if fits else {"error": {"message": self.said}}
        data = json.dumps(content).encode()
        handler.send_response(200 if fits else 400)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def ask(self, text: str = "hi", *, context: int = 0) -> str:
        with serving(self.script) as url:
            model = Budgeted(HttpChatModel(url, model="m"), context=context)
            return model.chat([user(text)], PARAMS).text


@pytest.mark.parametrize(("said", "then"), [(NEW_VLLM, 280), (OLD_VLLM, 280), ("maximum context length exceeded", 250)])
def test_a_request_that_is_too_long_is_made_once_more_for_a_shorter_answer(said: str, then: int) -> None:
    server = Small(280, said)
    assert server.ask() == "Ankaa"
    assert server.asked == [500, then]


def test_it_is_not_made_a_third_time() -> None:
    server = Small(10, "maximum context length exceeded")
    with pytest.raises(ContextExceeded):
        server.ask()
    assert server.asked == [500, 250]


def test_a_prompt_that_fills_the_context_alone_is_not_sent_again() -> None:
    server = Small(1, "request (3031 tokens) exceeds the available context size (2048 tokens), try increasing it")
    with pytest.raises(ContextExceeded):
        server.ask()
    assert server.asked == [500]


def test_other_refusals_are_passed_on() -> None:
    server = Small(1, "stop must be a list")
    with pytest.raises(TeacherError, match="stop must be a list"):
        server.ask()
    assert server.asked == [500]


def test_where_the_context_is_known_a_long_prompt_leaves_less_for_the_answer() -> None:
    server = Small(1000, "")
    server.ask("word " * 200, context=600)
    server.ask("word", context=600)
    assert 300 < server.asked[0] < 400
    assert server.asked[1] == 500
