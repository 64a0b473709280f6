"""Raw completions: the conversation is rendered on this side, and the server completes the text."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.faulty_server import Script, serving

from ilab.errors import ConfigError
from ilab.llm.chat_templates import CHATML, ChatTemplate
from ilab.llm.http import HttpChatModel
from ilab.llm.port import GenerationParams, SchemaRefused
from ilab.records.messages import system, user

TURNS = [system("Be brief."), user("Which star?")]
INST = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "[INST] {{ m['content'] }} [/INST]{% endfor %}"
)


def server(shown: dict[str, Any] | None = None) -> Script:
    def step(handler: BaseHTTPRequestHandler) -> None:
        said: Any = {"choices": [{"text": " Ankaa", "finish_reason": "stop"}], "usage": {"prompt_tokens": 5}}
        status = 200
        if handler.command == "GET":
            known = {"/v1/models": {"data": [{"id": "m"}]}, "/props": shown}.get(handler.path)
            status, said = (200, known) if known else (404, {"error": "nothing here"})
        elif json.loads(json.dumps(handler.body)).get("stream"):  # type: ignore[attr-defined]
            handler.send_response(200)
            handler.end_headers()
            for piece in ("An", "kaa"):
                handler.wfile.write(f"data: {json.dumps({'choices': [{'text': piece}]})}\n\n".encode())
            return
        data = json.dumps(said).encode()
        handler.send_response(status)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return Script(step)


def posts(script: Script) -> list[tuple[str, dict[str, Any]]]:
    return [(path, body) for path, body, _ in script.asked if body]


def test_the_prompt_is_rendered_with_the_template_that_is_given() -> None:
    script = server()
    with serving(script) as url:
        model = HttpChatModel(url, model="m", raw=True, template=ChatTemplate(text=CHATML))
        answer = model.chat(TURNS, GenerationParams(stop=("\n",)))
        assert "".join(model.stream(TURNS, GenerationParams())) == "Ankaa"
    assert (answer.text, answer.prompt_tokens) == (" Ankaa", 5)
    (path, body), _ = posts(script)
    assert path == "/v1/completions" and "messages" not in body and body["stop"] == ["\n"]
    assert body["prompt"] == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhich star?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_the_template_that_the_server_shows_is_asked_for_once() -> None:
    script = server({"chat_template": INST, "bos_token": "<s>", "eos_token": "</s>"})
    with serving(script) as url:
        model = HttpChatModel(url, model="m", raw=True)
        model.chat(TURNS, GenerationParams())
        model.chat(TURNS, GenerationParams())
    # The server puts `<s>` there itself; and this template knows no system turn.
    assert [body["prompt"] for _, body in posts(script)] == ["[INST] Be brief.\n\nWhich star? [/INST]"] * 2
    assert [path for path, body, _ in script.asked if not body] == ["/props"]


def test_without_a_template_the_user_is_told_what_to_set() -> None:
    with serving(server()) as url, pytest.raises(ConfigError, match="does not show the chat template") as told:
        HttpChatModel(url, model="m", raw=True).chat(TURNS, GenerationParams())
    assert "models.teacher_template" in told.value.hint


def test_raw_completions_keep_to_no_schema() -> None:
    script = server()
    with serving(script) as url, pytest.raises(SchemaRefused):
        HttpChatModel(url, model="m", raw=True).chat(TURNS, GenerationParams(schema={"type": "object"}))
    assert not script.asked


def test_a_template_is_a_file_or_a_folder_of_a_model(tmp_path: Path) -> None:
    from ilab.base.report import NullReporter
    from ilab.cli import job as jobs
    from ilab.config import load
    from ilab.pipeline import model_session

    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "tokenizer_config.json").write_text(json.dumps({"chat_template": INST, "bos_token": "<s>"}))
    (tmp_path / "file.jinja").write_text(INST)
    script = server()
    with serving(script) as url:
        given = {"models.teacher_endpoint": url, "models.teacher_model": "m", "models.teacher_api": "completions"}
        names = set()
        for name in ("folder", "file.jinja"):
            job = jobs.of(load.load(load.Request(overrides=given | {"models.teacher_template": str(tmp_path / name)})))
            with model_session.teacher(job, folder=tmp_path, report=NullReporter()) as teacher:
                assert teacher.chat([user("Hi")], GenerationParams()).text == " Ankaa"
            names.add(model_session.teacher_identity(job, NullReporter(), note=tmp_path / "note"))
        lost = given | {"models.teacher_template": str(tmp_path / "none")}
        with (
            pytest.raises(ConfigError, match="cannot read the chat template"),
            model_session.teacher(
                jobs.of(load.load(load.Request(overrides=lost))), folder=tmp_path, report=NullReporter()
            ),
        ):
            pass
    assert [body["prompt"] for _, body in posts(script)] == ["[INST] Hi [/INST]"] * 2
    assert len(names) == 1, "the same template is the same teacher"
