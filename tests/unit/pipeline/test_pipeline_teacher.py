"""The teacher at an endpoint: which of its models is asked, and what names it in stage keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.openai_server import openai_server

from ilab.base.report import NullReporter
from ilab.cli import job as jobs
from ilab.config import load
from ilab.errors import TeacherError
from ilab.llm.port import GenerationParams
from ilab.pipeline import model_session
from ilab.pipeline.job import Job
from ilab.records.messages import user

TWO = ("a-model", "b-model")


def echo(text: str) -> list[str]:
    return [f"You said: {text}"]


def job(url: str, model: str = "") -> Job:
    overrides = {"models.teacher_endpoint": url, "models.teacher_model": model, "models.teacher_api_key": "secret"}
    return jobs.of(load.load(load.Request(overrides=overrides)))


def asked(work: Job, folder: Path) -> str:
    with model_session.teacher(work, folder=folder, report=NullReporter()) as teacher:
        return teacher.chat([user("hi")], GenerationParams()).text


def identity(work: Job, folder: Path) -> str:
    return model_session.teacher_identity(work, NullReporter(), note=folder / "teacher.json")


def test_the_named_one_of_two_models_is_asked(tmp_path: Path) -> None:
    with openai_server(echo, names=TWO) as server:
        assert asked(job(server.url, "b-model"), tmp_path) == "You said: hi"
    assert [request["model"] for request in server.requests] == ["b-model"]
    assert server.keys == ["Bearer secret"]


def test_without_a_name_the_flag_and_the_names_are_told(tmp_path: Path) -> None:
    with openai_server(echo, names=TWO) as server:
        with pytest.raises(TeacherError, match="serves 2 models, and none was chosen") as caught:
            asked(job(server.url), tmp_path)
        assert caught.value.hint == "choose one with --teacher-model: a-model, b-model"
        with pytest.raises(TeacherError, match="has no model `c-model`") as caught:
            asked(job(server.url, "c-model"), tmp_path)
        assert "a-model, b-model" in caught.value.hint
    assert server.requests == []


def test_a_server_that_lists_nothing_may_serve_what_is_named(tmp_path: Path) -> None:
    with openai_server(echo, names=()) as server:
        assert asked(job(server.url, "hidden"), tmp_path) == "You said: hi"
        with pytest.raises(TeacherError, match="serves 0 models"):
            asked(job(server.url), tmp_path)


def test_the_identity_changes_with_the_model_and_needs_no_server_when_it_is_named(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/v1"
    assert identity(job(url, "a-model"), tmp_path) != identity(job(url, "b-model"), tmp_path)
    assert identity(job("http://127.0.0.1:9", "a-model"), tmp_path) == identity(job(url, "a-model"), tmp_path)


def test_a_swapped_only_model_changes_the_identity(tmp_path: Path) -> None:
    with openai_server(echo, names=("one",)) as server:
        first = identity(job(server.url), tmp_path)
        assert first == identity(job(server.url, "one"), tmp_path), "to name the only one changes nothing"
        server.names = ("other",)
        assert identity(job(server.url), tmp_path) != first


def test_the_identity_is_remembered_while_the_server_is_away(tmp_path: Path) -> None:
    with openai_server(echo, names=("one",)) as server:
        first = identity(job(server.url), tmp_path)
    assert identity(job(server.url), tmp_path) == first
    with pytest.raises(TeacherError, match="cannot reach"):
        identity(job(server.url), tmp_path / "another-run")
