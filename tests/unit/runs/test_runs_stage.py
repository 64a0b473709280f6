"""A stage is done once for the same settings and inputs, and never half."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from ilab.errors import Interrupted, MissingDisk, RunError
from ilab.runs import folder, index
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, done, run_stage


class Settings(BaseModel, frozen=True):
    size: int = 1
    workers: int = Field(2, json_schema_extra={"outside_key": True})


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return folder.create(tmp_path / "runs", "test", argv=["x"], settings={}, inputs={"taxonomy": "t"})


def work_of(calls: list[str], text: str = "out") -> object:
    def work(box: StageBox) -> dict[str, object]:
        calls.append(box.key)
        (box.folder / "out.txt").write_text(text)
        return {"size": len(text)}

    return work


def test_a_finished_stage_is_skipped_and_keeps_its_summary(run: RunFolder, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("a")
    calls: list[str] = []
    for _ in range(2):
        out = run_stage(run, "01-x", settings=Settings(), inputs={"in": source}, work=work_of(calls))
    assert len(calls) == 1
    assert done(out)["summary"] == {"size": 3}
    assert run.state().stages["01-x"].state == "skipped"


def test_settings_outside_the_key_do_not_repeat_work_and_others_do(run: RunFolder) -> None:
    calls: list[str] = []
    for settings in (Settings(), Settings(workers=9), Settings(size=2)):
        run_stage(run, "01-x", settings=settings, inputs={}, work=work_of(calls))
    assert len(calls) == 2
    assert (run.stages / "01-x.stale-1" / "out.txt").exists()


def test_changed_input_content_repeats_the_stage_but_a_moved_file_does_not(run: RunFolder, tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("same")
    second.write_text("same")
    calls: list[str] = []
    run_stage(run, "01-x", settings={}, inputs={"in": first}, work=work_of(calls))
    run_stage(run, "01-x", settings={}, inputs={"in": second}, work=work_of(calls))
    assert len(calls) == 1
    second.write_text("other")
    run_stage(run, "01-x", settings={}, inputs={"in": second}, work=work_of(calls))
    assert len(calls) == 2


def test_a_failed_stage_is_worked_on_again_in_place(run: RunFolder) -> None:
    def fail(box: StageBox) -> None:
        (box.folder / "part.txt").write_text("kept")
        raise RunError("broken")

    with pytest.raises(RunError):
        run_stage(run, "01-x", settings={}, inputs={}, work=fail)
    assert run.state().stages["01-x"].state == "failed"
    seen: list[bool] = []
    run_stage(run, "01-x", settings={}, inputs={}, work=lambda box: seen.append((box.folder / "part.txt").exists()))
    assert seen == [True]


def test_only_one_process_works_in_a_run(run: RunFolder) -> None:
    with run.working():
        other = RunFolder(run.folder)
        assert other.state().state == "running"
        with pytest.raises(RunError, match="being worked on"), other.working():
            pass
    assert run.state().state == "finished"


def test_an_interrupt_leaves_a_run_that_can_go_on(run: RunFolder) -> None:
    with pytest.raises(Interrupted) as caught, run.working():
        os.kill(os.getpid(), signal.SIGINT)
    assert caught.value.exit_code == 130
    assert "ilab run resume" in caught.value.hint
    assert run.state().state == "interrupted"


def test_a_killed_process_leaves_an_interrupted_run_and_no_lock(run: RunFolder) -> None:
    program = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from ilab.runs.folder import RunFolder
        run = RunFolder(Path({str(run.folder)!r}))
        with run.working():
            run.say("stage_started", stage="01-x")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -signal.SIGKILL
    assert run.state().state == "interrupted"
    with run.working():
        pass


def test_a_torn_last_event_is_closed_before_the_next(run: RunFolder) -> None:
    with run.events.path.open("a") as file:
        file.write('{"kind": "progr')
    run.say("run_started")
    assert [event["kind"] for event in run.events.read()] == ["run_started"]


def test_runs_are_found_by_a_unique_part_of_the_id(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    first = folder.create(root, "a", argv=[], settings={})
    assert index.find(root, first.id[-4:]).id == first.id
    assert index.find(root, "last").id == first.id
    with pytest.raises(RunError, match="no run matches"):
        index.find(root, "zzzz")


def test_the_same_request_goes_on_with_the_same_run(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    inputs = {"taxonomy": "/t", "content": "1"}
    run = folder.create(root, "a", argv=[], settings={"x": 1}, inputs=inputs)

    def found(**changes: object) -> bool:
        return index.find_same(root, "a", settings={"x": 1}, inputs={**inputs, **changes}) is not None

    assert found() and found(content="2"), "an unfinished run goes on even with edited files"
    assert index.find_same(root, "a", settings={"x": 2}, inputs=inputs) is None
    run.finish({})
    assert found() and not found(content="2"), "a result is never worked over"


def test_a_full_disk_is_a_clear_error_and_keeps_what_is_finished(run: RunFolder) -> None:
    run_stage(run, "01-x", settings={}, inputs={}, work=work_of([]))

    def fill(box: StageBox) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(MissingDisk) as caught:
        run_stage(run, "02-y", settings={}, inputs={}, work=fill)
    assert caught.value.exit_code == 4
    assert (run.stages / "01-x" / "DONE.json").exists()


def test_the_manifest_holds_versions_and_host_but_is_written_once(run: RunFolder) -> None:
    content = json.loads((run.folder / "manifest.json").read_text())
    assert content["packages"]["pydantic"] and content["host"]["cores"] >= 1
    with pytest.raises(RunError):
        from ilab.runs import manifest

        manifest.write(run.folder, run.manifest)
