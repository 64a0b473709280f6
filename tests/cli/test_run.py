"""`ilab run` over real run folders, worked on by real processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from tests.whole_job import TAXONOMY

from ilab.cli.lazy import Entry
from ilab.cli.main import TABLE, build, cli
from ilab.runs import folder as folders

COMMANDS = '''
"""A long command as the product writes them: settings, a run folder, one stage of slow steps."""

import time

import click

from ilab.cli.options import load_config, open_run, run_options, set_option
from ilab.errors import Fault, TeacherError, UserFileError
from ilab.runs.stage import run_stage


@click.command("work")
@click.option("--steps", default=3)
@click.option("--pause", default=0.0)
@click.option("--fail", is_flag=True)
@click.option("--wrong", is_flag=True)
@set_option
@run_options
@click.pass_context
def work(ctx, steps, pause, fail, wrong, run, detached, as_json):
    """Works slowly."""
    loaded = load_config(ctx)
    folder = open_run(ctx, "work", loaded=loaded, rooms=["evaluation"], inputs={"steps": steps})

    def stage(box):
        for step in range(1, steps + 1):
            with (box.folder / "steps.txt").open("a") as file:
                file.write(f"{step}\\n")
            (box.folder / "engine.log").write_text("engine is ready\\n")
            box.report.progress("steps", step, steps)
            time.sleep(pause)
        if fail:
            raise TeacherError("the teacher fell silent", hint="wake it")
        if wrong:
            raise UserFileError("a file is wrong", [Fault(path="a.yaml", line=3, message="no `kind`")])
        return {"steps": steps}

    with folder.working():
        run_stage(folder, "01-work", settings={"seed": loaded.config.evaluation.seed}, inputs={}, work=stage)
        folder.finish({"headline": f"{steps} steps", "seed": loaded.config.evaluation.seed})
    click.echo("worked")
'''


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work_commands.py").write_text(COMMANDS)
    sys.modules.pop("work_commands", None)
    return tmp_path / "home"


def root():
    """The command tree of the product with the long command of this test added to its table."""
    return build((*TABLE, Entry("work", "work_commands:work", "Works slowly.")))


def ilab(*arguments, answers=None):
    return CliRunner().invoke(root(), list(arguments), input=answers)


def start(*arguments) -> subprocess.Popen:
    """The long command in its own process."""
    code = (
        "from ilab.cli.lazy import Entry\nfrom ilab.cli.main import TABLE, build\n"
        "build((*TABLE, Entry('work', 'work_commands:work', 'Works slowly.'))).main()\n"
    )
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def runs() -> list[dict]:
    return json.loads(ilab("run", "list", "--json").stdout)


def working() -> bool:
    return any(run["state"] == "running" and run["stages"] and run["stages"][0]["progress"] for run in runs())


def test_nothing_yet(home):
    result = ilab("run", "list")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "there are no runs yet\n")
    assert ilab("run", "list", "--json").stdout == "[]\n"


def test_a_finished_run_in_list_and_show(home):
    done = ilab("work", "--set", "evaluation.seed=3")
    assert done.exit_code == 0, done.output
    assert done.stdout == "worked\n"
    assert "01-work: steps 3/3 (100 %)" in done.stderr
    (run,) = runs()
    assert (run["kind"], run["state"]) == ("work", "finished")
    table = ilab("run", "list").stdout
    assert run["id"] in table and "| finished | 01-work |" in table
    text = ilab("run", "show").stdout
    assert "command:  ilab work --set evaluation.seed=3" in text
    assert "| 01-work | finished |" in text and "3/3 steps" in text
    assert "  headline: 3 steps\n  seed: 3\n" in text
    assert "stages/01-work/steps.txt" in text
    facts = json.loads(ilab("run", "show", run["id"], "--json").stdout)
    assert facts["manifest"]["settings"]["evaluation"]["seed"] == 3
    sources = facts["manifest"]["sources"]
    assert sources.pop("evaluation.seed") == "flag --set evaluation.seed"
    assert set(sources.values()) == {"default"} and "evaluation.resamples" in sources
    assert facts["result"]["headline"] == "3 steps"


def test_logs_of_a_run(home):
    ilab("work")
    assert ilab("run", "show", "last", "--log", "engine").stdout == "engine is ready\n"
    lines = ilab("run", "show", "--log", "run").stdout.splitlines()
    assert "run started" in lines[0] and "run finished" in lines[-1]
    assert any("DEBUG" in line and "01-work: steps 3/3" in line for line in lines)
    missing = ilab("run", "show", "--log", "judge")
    assert missing.exit_code == 1
    assert "has no log `judge`" in missing.stderr and "stages/01-work/engine.log" in missing.stderr


def test_a_failed_run_resumes_with_the_settings_and_folder_it_had(home, tmp_path, monkeypatch):
    failed = ilab("work", "--fail", "--set", "evaluation.seed=3")
    assert failed.exit_code == 1
    assert failed.stderr.endswith("error: the teacher fell silent\nhint: wake it\n")
    (run,) = runs()
    assert (run["state"], run["error"]) == ("failed", "the teacher fell silent")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("ILAB_MIXING__SEED", "1")
    again = ilab("run", "resume")
    assert again.exit_code == 1  # the argument --fail is part of the command
    assert f"resuming {run['id']}: ilab work --fail --set evaluation.seed=3 --run {run['id']}" in again.stderr
    assert os.getcwd() == str(tmp_path)  # noqa: PTH109
    finished = ilab("work", "--run", run["id"])
    assert finished.exit_code == 0, finished.output
    facts = json.loads(ilab("run", "show", "--json").stdout)
    assert (facts["id"], facts["state"], facts["result"]["seed"]) == (run["id"], "finished", 3)
    refused = ilab("run", "resume")
    assert refused.exit_code == 1 and "is finished" in refused.stderr


def test_the_same_command_goes_on_with_the_same_run(home):
    ilab("work", "--fail")
    assert ilab("work").exit_code == 0
    assert len(runs()) == 1
    assert "done before" in ilab("work").stderr
    assert len(runs()) == 1
    assert ilab("work", "--steps", "4").exit_code == 0
    assert len(runs()) == 2


def test_run_must_be_of_the_right_kind(home):
    folders.create(home / "data" / "runs", "other", argv=["other"], settings={})
    result = ilab("work", "--run", "last")
    assert result.exit_code == 1
    assert "is of kind `other`, not `work`" in result.stderr


def test_stop_follow_and_lock_of_a_working_run(home):
    child = start("work", "--steps", "400", "--pause", "0.05")
    wait_for(working)
    busy = ilab("work", "--run", "last")
    assert busy.exit_code == 1 and "is being worked on by process" in busy.stderr
    assert ilab("run", "resume").exit_code == 1
    kept = ilab("run", "prune", "--older", "0", "-f", "--json")
    assert json.loads(kept.stdout) == []
    stopped = ilab("run", "stop")
    assert stopped.exit_code == 0, stopped.output
    assert "was stopped; go on with `ilab run resume" in stopped.stderr
    assert child.wait(10) == 130
    assert b"everything finished is kept" in child.communicate()[1]
    (run,) = runs()
    assert run["state"] == "interrupted"
    again = ilab("run", "stop")
    assert again.exit_code == 1 and "is not running" in again.stderr
    followed = ilab("run", "follow")
    assert followed.exit_code == 130 and "was interrupted" in followed.stderr


def test_follow_shows_a_run_until_it_ends(home):
    child = start("work", "--steps", "20", "--pause", "0.1")
    wait_for(working)
    followed = ilab("run", "follow")
    assert child.wait(10) == 0
    assert followed.exit_code == 0, followed.output
    assert "01-work: steps 20/20 (100 %)" in followed.stderr
    assert "finished; `ilab run show" in followed.stderr
    events = [json.loads(line) for line in ilab("run", "follow", "--json").stdout.splitlines()]
    assert (events[0]["kind"], events[-1]["kind"]) == ("run_started", "run_finished")
    child.communicate()


def test_follow_ends_with_a_killed_run(home):
    child = start("work", "--steps", "400", "--pause", "0.05")
    wait_for(working)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert "| 01-work | interrupted |" in ilab("run", "show").stdout
    followed = ilab("run", "follow")
    assert followed.exit_code == 130
    assert "go on with `ilab run resume" in followed.stderr


def test_follow_of_a_failed_run_fails(home):
    ilab("work", "--fail")
    followed = ilab("run", "follow")
    assert followed.exit_code == 1
    assert followed.stderr.endswith("failed: the teacher fell silent\nhint: wake it\n")


def test_follow_gives_the_exit_status_and_the_faults_of_the_run(home):
    assert ilab("work", "--wrong").exit_code == 3
    followed = ilab("run", "follow")
    assert followed.exit_code == 3
    assert followed.stderr.endswith("failed: a file is wrong\n  a.yaml:3: error: no `kind`\n")


def test_an_unknown_run_is_something_missing(home):
    assert ilab("run", "show", "zzzz").exit_code == 4
    ilab("work")
    unknown = ilab("run", "show", "zzzz")
    assert unknown.exit_code == 4 and "no run matches `zzzz`" in unknown.stderr


def test_a_damaged_run_folder_is_told_of_and_hides_no_other(home):
    root = home / "data" / "runs"
    for name, text in (
        ("20300101T000000-work-aaaa", '{"id": '),
        ("20300101T000001-work-bbbb", '{"schema_version": 2}'),
    ):
        (root / name).mkdir(parents=True)
        (root / name / "manifest.json").write_text(text)
    assert ilab("work").exit_code == 0
    listed = ilab("run", "list")
    assert listed.exit_code == 0 and "| finished | 01-work |" in listed.stdout
    assert "warning: run 20300101T000000-work-aaaa is left out" in listed.stderr
    assert "bbbb was written by a newer ilab" in listed.stderr
    assert ilab("run", "show", "last").exit_code == 0
    named = ilab("run", "show", "aaaa")
    assert named.exit_code == 1 and "cannot be read" in named.stderr and "hint:" in named.stderr
    pruned = ilab("run", "prune", "--older", "0", "-f")
    assert pruned.exit_code == 0 and "removed 1 runs" in pruned.stderr and "is left out" in pruned.stderr


def test_a_damaged_result_is_named_and_written_anew_by_the_same_command(home):
    ilab("work")
    (run,) = runs()
    result = home / "data" / "runs" / run["id"] / "result.json"
    result.write_text('{"run": ')
    shown = ilab("run", "show")
    assert shown.exit_code == 1
    assert "result.json cannot be read" in shown.stderr and "again, and it is written anew: ilab work" in shown.stderr
    assert ilab("work").exit_code == 0
    assert len(runs()) == 1
    assert json.loads(result.read_text())["headline"] == "3 steps"


def test_prune_asks(home):
    ilab("work")
    assert "there is nothing to remove" in ilab("run", "prune").stderr
    refused = ilab("run", "prune", "--older", "0", answers="n\n")
    assert refused.exit_code == 1 and len(runs()) == 1
    assert "error: nothing was removed" in refused.stderr
    assert "Runs to be removed:" in refused.stderr
    assert ilab("run", "prune", "--older", "0", "--state", "failed", "-f").exit_code == 0
    assert len(runs()) == 1
    assert ilab("run", "prune", "--older", "0", answers="y\n").stderr.endswith("removed 1 runs\n")
    assert runs() == []


def test_detached_prints_the_run_id_at_once(home):
    result = ilab("work", "--detached", "--set", "evaluation.seed=3", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    (run,) = runs()
    assert told["run"] == run["id"]
    log = home / "data" / "runs" / run["id"] / "detached.log"
    assert told["log"] == str(log)
    # the child is the installed program, which has no such command; that it was started, and with what, is in its log
    wait_for(lambda: "no such command: work" in log.read_text())


def taxonomy_without_its_document(folder):
    """The fixture's taxonomy with a document that cannot be fetched: that is met only when the run works."""
    tree = folder / "taxonomy"
    shutil.copytree(TAXONOMY, tree)
    leaf = tree / "knowledge/geography/lakes/mirra/qna.yaml"
    where = f"  repo: {folder / 'nowhere'}\n  commit: abcdef1\n  patterns: [a.md]"
    leaf.write_text(leaf.read_text().replace("  path: mirra.md", where))
    return tree


def product(*arguments) -> subprocess.CompletedProcess:
    """`ilab` as its own process."""
    return subprocess.run([sys.executable, "-m", "ilab", *arguments], capture_output=True, text=True, timeout=120)


def test_a_detached_run_can_be_followed_at_once(home, tmp_path):
    """The child needs seconds until it works; who asks meanwhile must not be told that nobody does."""
    started = product("customize", "--detached", "--taxonomy-path", str(taxonomy_without_its_document(tmp_path)))
    assert started.returncode == 0, started.stderr
    followed = product("run", "follow", started.stdout.strip())
    assert followed.returncode == 1, followed.stderr
    assert "nowhere" in followed.stderr and "interrupted" not in followed.stderr


def test_a_detached_command_ends_when_its_child_could_not_begin(home, tmp_path):
    began = time.monotonic()
    tree = taxonomy_without_its_document(tmp_path)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import os, sys\nif '--run' in sys.orig_argv:\n    print('no room for me', flush=True)\n    os._exit(9)\n"
    )
    paths = os.pathsep.join([str(site), os.environ["PYTHONPATH"]])
    command = [sys.executable, "-m", "ilab", "customize", "-dt", "--taxonomy-path", str(tree)]
    started = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    assert started.returncode == 0 and time.monotonic() - began < 50, "it does not wait for what has ended"
    followed = product("run", "follow")
    assert followed.returncode == 1
    assert "did not begin" in followed.stderr and "--log detached" in followed.stderr
    assert "no room for me" in product("run", "show", "--log", "detached").stdout


def test_only_unknown_settings_stop_a_detached_command(home):
    result = ilab("work", "--detached", "--set", "evaluation.sed=3")
    assert result.exit_code == 3
    assert runs() == []


def test_the_product_itself_lists_runs(home):
    ilab("work")
    assert "work" in CliRunner().invoke(cli, ["run", "list"]).stdout
