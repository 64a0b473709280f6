"""A teacher of several servers, with commas between the addresses; and the journal in front of any teacher."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from tests.openai_server import openai_server

from ilab.base.report import NullReporter
from ilab.cli import job as jobs
from ilab.config import load
from ilab.errors import ConfigError, TeacherError
from ilab.llm.journal import Journal
from ilab.llm.pool import run_ordered
from ilab.llm.port import GenerationParams
from ilab.pipeline import model_session
from ilab.pipeline.job import Job
from ilab.records.messages import user


def echo(text: str) -> list[str]:
    return [f"You said: {text}"]


def job(*urls: str, model: str = "") -> Job:
    given = {"models.teacher_endpoint": ", ".join(urls), "models.teacher_model": model}
    return jobs.of(load.load(load.Request(overrides=given)))


def identity(work: Job, folder: Path) -> str:
    return model_session.teacher_identity(work, NullReporter(), note=folder / "teacher.json")


def test_all_servers_share_the_work(tmp_path: Path) -> None:
    with (
        openai_server(echo) as first,
        openai_server(echo) as second,
        model_session.teacher(job(first.url, second.url), folder=tmp_path, report=NullReporter()) as teacher,
    ):
        said = run_ordered(range(20), lambda n: teacher.chat([user(str(n))], GenerationParams()).text, workers=4)
    assert said == [f"You said: {number}" for number in range(20)]
    assert len(first.requests) + len(second.requests) == 20
    assert min(len(first.requests), len(second.requests)) > 3


def test_further_servers_may_come_and_go_without_a_change_of_identity(tmp_path: Path) -> None:
    with openai_server(echo) as first, openai_server(echo) as second:
        alone = identity(job(first.url), tmp_path)
        assert identity(job(first.url, second.url), tmp_path) == alone
        assert identity(job(second.url, first.url), tmp_path) != alone


def test_servers_of_different_models_are_refused(tmp_path: Path) -> None:
    with openai_server(echo, names=("a",)) as first, openai_server(echo, names=("b",)) as second:
        teacher = model_session.teacher(job(first.url, second.url), folder=tmp_path, report=NullReporter())
        with pytest.raises(TeacherError, match="do not serve the same model"), teacher:
            pass


def test_the_key_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sesame\nnotes\n")
    named = {"models.teacher_api_key_file": str(file)}
    assert jobs.of(load.load(load.Request(overrides=named))).models.teacher_api_key == "sesame"
    both = named | {"models.teacher_api_key": "given"}
    assert jobs.of(load.load(load.Request(overrides=both))).models.teacher_api_key == "given"
    with pytest.raises(ConfigError, match="cannot read the key") as caught:
        jobs.of(load.load(load.Request(overrides={"models.teacher_api_key_file": str(tmp_path / "none")})))
    assert "teacher_api_key_file" in caught.value.hint


def test_prompts_name_a_role_and_the_user_names_the_adapter(tmp_path: Path) -> None:
    with openai_server(echo) as server:
        given = {"models.teacher_endpoint": server.url, "models.teacher_adapters.skills": "skills-v3"}
        work = jobs.of(load.load(load.Request(overrides=given)))
        with (
            model_session.teacher(work, folder=tmp_path, report=NullReporter()) as teacher,
            closing(Journal(tmp_path / "journal")) as journal,
        ):
            asked = model_session.remembering(work, teacher, journal, identity="m")
            for role in ("skills", "knowledge", ""):
                asked.chat([user("hi")], GenerationParams(adapter=role))
    assert [request["model"] for request in server.requests] == ["skills-v3", "org/tiny"]


@pytest.mark.parametrize(
    ("setting", "value"), [("models.teacher_adapters.skills", "x"), ("models.teacher_api", "completions")]
)
def test_what_is_about_a_server_needs_one(tmp_path: Path, setting: str, value: str) -> None:
    work = jobs.of(load.load(load.Request(overrides={setting: value})))
    teacher = model_session.teacher(work, folder=tmp_path, report=NullReporter())
    with pytest.raises(ConfigError, match="is about a server") as told, teacher:
        pass
    assert "models.teacher_endpoint" in told.value.hint
