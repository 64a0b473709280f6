"""A stage is done once for the same settings and inputs, and never half."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from ilab.base import logs
from ilab.errors import Fault, Interrupted, MissingDisk, MissingError, RunError, UserFileError
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
    with pytest.raises(MissingError, match="no run matches"):
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


def test_a_run_goes_on_under_another_name_and_the_one_of_that_name_comes_first(tmp_path: Path) -> None:
    root = tmp_path / "runs"

    def found(name: str) -> RunFolder | None:
        return index.find_same(root, "a", settings={}, inputs={"taxonomy": "/t", "name": name, "commit": name})

    first = folder.create(root, "a", argv=[], settings={}, inputs={"taxonomy": "/t", "name": "one"})
    other = found("two")
    assert other is not None and other.id == first.id
    for name in ("two", "three"):
        made = folder.create(root, "a", argv=[], settings={}, inputs={"taxonomy": "/t", "name": name})
        same = found(name)
        assert same is not None and same.id == made.id
    kept = found("one")
    assert kept is not None and kept.id == first.id


def test_looking_at_a_run_never_keeps_a_worker_out(run: RunFolder) -> None:
    """Whoever asks whether a run is held locks it for an instant."""
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            folder.holder(run.folder)
            time.sleep(0.0005)

    with run.working():
        pass
    looking = [threading.Thread(target=look) for _ in range(2)]
    for thread in looking:
        thread.start()
    try:
        for _ in range(20):
            with run.working():
                pass
    finally:
        done.set()
        for thread in looking:
            thread.join()
    assert run.state().state == "finished"


def test_a_full_disk_outside_of_a_stage_is_a_clear_error_too(run: RunFolder) -> None:
    with pytest.raises(MissingDisk), run.working():
        raise OSError(28, "No space left on device")
    assert "no space left" in run.state().error


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_that_does_not_fit_is_let_go(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    (run.folder / "log.txt").symlink_to("/dev/full")
    with run.working():
        pass
    assert run.state().state == "finished"
    assert "Traceback" not in capsys.readouterr().err


def test_the_log_has_events_and_our_own_lines_and_stderr_stays_as_it_was(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    root, own = logging.getLogger(), logging.getLogger("ilab")
    before = root.handlers[:], root.level, own.level
    try:
        logs.setup(0)
        with run.working():
            run.reporter("01-x").warning("careful")
            run.reporter("01-x").metric("loss", 0.5)
            logging.getLogger("ilab.room").debug("a small thing")
            logging.getLogger("ilab.room").warning("a large thing")
        logging.getLogger("ilab.room").debug("after the run")
    finally:
        root.handlers[:], root.level, own.level = before
    text = (run.folder / "log.txt").read_text()
    for line in ("run started", "01-x: warning: careful", "01-x: loss = 0.5", "a small thing", "run finished"):
        assert line in text
    assert "after the run" not in text
    shown = capsys.readouterr().err
    assert "a large thing" in shown and "a small thing" not in shown and "careful" not in shown


def test_a_failed_run_records_its_exit_status_and_details(run: RunFolder) -> None:
    with pytest.raises(UserFileError), run.working():
        raise UserFileError("wrong", [Fault(path="a.yaml", line=2, message="no `kind`")])
    last = list(run.events.read())[-1]
    assert (last["exit_code"], last["details"]) == (3, ["a.yaml:2: error: no `kind`"])
    assert "a.yaml:2" in (run.folder / "log.txt").read_text()


def test_a_full_disk_is_a_clear_error_and_keeps_what_is_finished(run: RunFolder) -> None:
    run_stage(run, "01-x", settings={}, inputs={}, work=work_of([]))

    def fill(box: StageBox) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(MissingDisk) as caught:
        run_stage(run, "02-y", settings={}, inputs={}, work=fill)
    assert caught.value.exit_code == 4
    assert (run.stages / "01-x" / "DONE.json").exists()


def test_the_manifest_says_where_every_setting_came_from(tmp_path: Path) -> None:
    settings = {"room": {"size": 1, "phase": {"epochs": 2}, "given": {"a": 1}, "none": {}}}
    made = folder.create(
        tmp_path, "a", argv=[], settings=settings, sources={"room.given": "file x", "other.y": "flag --y"}
    )  # fmt: skip
    assert made.manifest.sources == {
        "room.size": "default",
        "room.phase.epochs": "default",
        "room.given": "file x",
        "room.none": "default",
        "other.y": "flag --y",
    }


def test_the_manifest_holds_versions_and_host_but_is_written_once(run: RunFolder) -> None:
    content = json.loads((run.folder / "manifest.json").read_text())
    assert content["packages"]["pydantic"] and content["host"]["cores"] >= 1
    with pytest.raises(RunError):
        from ilab.runs import manifest

        manifest.write(run.folder, run.manifest)
