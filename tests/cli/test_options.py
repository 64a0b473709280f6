"""Flags that stand for settings, and the argv of a run that goes on."""

import os
import time

import click
import pytest
from click.testing import CliRunner

from ilab.cli import options
from ilab.cli.lazy import GroupEntry
from ilab.cli.main import build
from ilab.cli.options import load_config, set_option, settings_flags


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path))
    return tmp_path


@click.command()
@settings_flags(
    {
        "--seed": "evaluation.seed",
        "-q, --questions": "evaluation.questions",
        "--open-book": "evaluation.open_book",
        "--log-level": "general.log_level",
        "--api-key": "models.teacher_api_key",
    }
)
@set_option
@click.pass_context
def command(ctx):
    """Prints three settings."""
    loaded = load_config(ctx)
    settings = loaded.config.evaluation
    click.echo(f"{settings.seed} {settings.questions} {settings.open_book} {loaded.config.general.log_level}")
    click.echo(loaded.sources["evaluation.seed"])


def run(*arguments):
    return CliRunner().invoke(command, list(arguments))


def test_flags_set_their_settings():
    result = run("--seed", "7", "-q", "file", "--no-open-book", "--log-level", "INFO")
    assert result.stdout == "7 file False INFO\nflag --seed\n"
    assert run().stdout == "42  True WARNING\ndefault\n"


def test_the_last_of_flag_and_set_wins():
    assert run("--seed", "7", "--set", "evaluation.seed=8").stdout.startswith("8 ")


def test_wrong_flags_are_usage_errors():
    assert run("--seed", "seven").exit_code == 2
    assert run("--log-level", "LOUD").exit_code == 2
    assert run("--set", "evaluation.seed").exit_code == 2


def test_help_comes_from_the_setting():
    text = " ".join(run("--help").stdout.split())
    assert "--seed INTEGER Seed of the bootstrap. [default: 42; config: evaluation.seed]" in text
    assert "-q, --questions TEXT" in text
    assert "--open-book / --no-open-book" in text
    assert "--log-level [DEBUG|INFO|WARNING|ERROR]" in text


def test_a_flag_can_say_what_its_setting_means_in_a_command():
    @click.command()
    @settings_flags({"--seed": "evaluation.seed"}, meaning={"--seed": "Seed of the draw."})
    def other():
        return

    text = " ".join(CliRunner().invoke(other, ["--help"]).stdout.split())
    assert "--seed INTEGER Seed of the draw. [default: 42; config: evaluation.seed]" in text


@pytest.mark.parametrize(
    "given", [["--api-key", "sesame"], ["--api-key=sesame"], ["--set", "models.teacher_api_key=sesame"]]
)
def test_a_secret_is_kept_out_of_the_written_command_line(given):
    seen = {}

    @click.command()
    @settings_flags({"--api-key": "models.teacher_api_key"})
    @set_option
    @click.pass_context
    def spy(ctx):
        seen["argv"] = options.argv_without_secrets(ctx)
        seen["environ"] = options.secrets_as_environment(ctx)
        seen["key"] = load_config(ctx).config.models.teacher_api_key.get_secret_value()

    argv = ["--set", "chat.seed=1", *given]
    assert CliRunner().invoke(spy, argv, obj=options.Session(argv=argv)).exit_code == 0
    assert seen == {
        "argv": ["--set", "chat.seed=1"],
        "environ": {"ILAB_MODELS__TEACHER_API_KEY": "sesame"},
        "key": "sesame",
    }


@pytest.mark.parametrize(
    ("argv", "run_id", "expected"),
    [
        (["model", "train"], "r1", ["model", "train", "--run", "r1"]),
        (["train", "--run", "old", "-dt", "--x"], "r1", ["train", "--x", "--run", "r1"]),
        (["train", "--run=old", "--detached"], "", ["train"]),
        (["train", "--", "-dt"], "r1", ["train", "--run", "r1", "--", "-dt"]),
    ],
)
def test_argv_of_a_run_that_goes_on(argv, run_id, expected):
    assert options.with_run(argv, run_id) == expected


def test_a_detached_child_writes_to_its_log(home):
    log = home / "out" / "child.log"
    pid = options.start_detached(["config", "path"], log=log).pid
    deadline = time.monotonic() + 20
    while "cache:" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert os.waitpid(pid, 0)[1] == 0
    assert f"runs:      {home / 'data' / 'runs'}" in log.read_text()


def test_the_run_id_given_by_a_parent_counts_once(home, monkeypatch):
    from ilab.runs import folder

    monkeypatch.setenv(options.RUN_ID, "20260101T000000-work-abcd")
    first = folder.create(home, "work", argv=[], settings={})
    second = folder.create(home, "work", argv=[], settings={})
    assert first.id == "20260101T000000-work-abcd" != second.id


def test_a_group_is_built_from_its_table():
    group = build((GroupEntry("model", "Models.", ()),)).get_command(None, "model")
    assert CliRunner().invoke(group, []).stdout.startswith("Usage: model [OPTIONS]")
