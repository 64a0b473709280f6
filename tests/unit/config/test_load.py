"""Which value wins, where it came from, and what is said about faults."""

from pathlib import Path

import pytest

from ilab.config import load
from ilab.config.load import Request
from ilab.errors import ConfigError


@pytest.fixture
def home(tmp_path):
    """An empty home with a config folder; `environ` points at it."""
    (tmp_path / "config" / "profiles").mkdir(parents=True)
    return tmp_path


def ask(home: Path, text: str = "", profile: str = "", **request):
    """Resolve with `text` as config.yaml and `profile` as the user's profile `mine.yaml`."""
    if text:
        (home / "config" / "config.yaml").write_text(text)
    if profile:
        (home / "config" / "profiles" / "mine.yaml").write_text(profile)
    environ = {"ILAB_HOME": str(home), "HOME": "/home/user", **request.pop("environ", {})}
    return load.load(Request(environ=environ, **request))


def faults(home: Path, text: str = "", **request) -> list[str]:
    """The faults that `ask` meets, as printed."""
    with pytest.raises(ConfigError) as caught:
        ask(home, text, **request)
    assert caught.value.exit_code == 3
    return list(caught.value.details)


def test_defaults_without_a_file(home):
    loaded = ask(home)
    assert loaded.config.evaluation.seed == 42
    assert set(loaded.sources.values()) == {"default"}
    assert loaded.file is None
    assert loaded.changed() == {}


def test_each_layer_wins_over_the_one_below(home):
    text = "general:\n  profile: mine\nsdg:\n  seed: 2\nmixing:\n  seed: 2\nevaluation:\n  seed: 2\n"
    profile = "chat:\n  seed: 1\nsdg:\n  seed: 1\nmixing:\n  seed: 1\nevaluation:\n  seed: 1\n"
    loaded = ask(
        home,
        text,
        profile,
        environ={"ILAB_MIXING__SEED": "3", "ILAB_EVALUATION__SEED": "3"},
        overrides={"evaluation.seed": 4},
        flags={"evaluation.seed": "--seed"},
    )
    config = loaded.config
    assert [room.seed for room in (config.chat, config.sdg, config.mixing, config.evaluation)] == [1, 2, 3, 4]
    file = home / "config" / "config.yaml"
    assert loaded.sources["chat.top_p"] == "default"
    assert loaded.sources["chat.seed"] == "profile mine.yaml"
    assert loaded.sources["sdg.seed"] == f"file {file}:4"
    assert loaded.sources["mixing.seed"] == "environment ILAB_MIXING__SEED"
    assert loaded.sources["evaluation.seed"] == "flag --seed"


def test_settings_of_a_resumed_run_stand_above_the_environment_and_below_flags(home):
    recorded = {"evaluation": {"seed": 7, "gone_since": 1}, "mixing": {"seed": 7}}
    loaded = ask(
        home,
        environ={"ILAB_EVALUATION__SEED": "3"},
        recorded=recorded,
        run="run-7",
        overrides={"mixing.seed": "8"},
    )
    assert (loaded.config.evaluation.seed, loaded.config.mixing.seed) == (7, 8)
    assert loaded.sources["evaluation.seed"] == "run run-7"


def test_all_faults_come_at_once_with_their_places(home):
    file = home / "config" / "config.yaml"
    found = faults(
        home,
        "evaluation:\n  sed: 3\n  resamples: ten\n  confidence: 2\nmodles:\n  teacher: x\ngeneral: 5\n",
        environ={"ILAB_CHAT__MAX_TOKENS": "-1"},
        overrides={"general.log_level": "LOUD"},
    )
    assert [text.split(" (")[0] for text in found] == [
        "--set general.log_level: error: general.log_level: expected one of 'DEBUG', 'INFO', 'WARNING' or 'ERROR',"
        " got 'LOUD'",
        f"{file}:2: error: evaluation.sed: there is no such key",
        f"{file}:3: error: evaluation.resamples: expected a whole number, got 'ten'",
        f"{file}:4: error: evaluation.confidence: expected less than 1, got 2",
        f"{file}:5: error: modles: there is no such key",
        f"{file}:7: error: `general`: expected a section",
        "ILAB_CHAT__MAX_TOKENS: error: chat.max_tokens: expected 1 or more, got '-1'",
    ]
    assert "(did you mean `evaluation.seed`?)" in found[1]
    assert "(did you mean `models`?)" in found[4]


def test_a_key_in_the_wrong_room_is_pointed_to_the_right_one(home):
    (fault,) = faults(home, overrides={"general.resamples": "5"})
    assert "did you mean `evaluation.resamples`?" in fault


def test_a_section_is_not_a_key(home):
    (fault,) = faults(home, overrides={"evaluation": "5"})
    assert "a section, not a key (set `evaluation.questions`)" in fault


def test_yaml_that_cannot_be_read_names_the_line(home):
    (fault,) = faults(home, "general:\n  log_level: [\n")
    assert fault.startswith(f"{home}/config/config.yaml:3:1: error: not valid YAML")


def test_a_date_that_is_none_is_a_fault_of_its_line(home):
    (fault,) = faults(home, "general:\n  log_level: 2024-13-45\n")
    assert fault == f"{home}/config/config.yaml:2: error: general.log_level: month must be in 1..12"


def test_a_key_given_twice_is_a_fault(home):
    (fault,) = faults(home, "evaluation:\n  seed: 1\n  seed: 2\n")
    assert ":3: error: evaluation.seed: given twice" in fault


@pytest.mark.parametrize("text", ["", "# only comments\n", "evaluation:\n", "evaluation: {}\n"])
def test_empty_files_and_sections_change_nothing(home, text):
    assert ask(home, text).changed() == {}


def test_numbers_with_an_exponent_are_numbers(home):
    assert ask(home, "evaluation:\n  drift_margin: 2e-5\n").config.evaluation.drift_margin == 2e-5


def test_home_and_variables_are_expanded_at_the_start_of_a_text(home):
    text = "taxonomy:\n  path: $WORK/tree\n  yaml_rules: ${WORK}/rules\n"
    text += "evaluation:\n  questions: ~/q\n  placebo: $50 off\n"
    config = ask(home, text, environ={"WORK": "/work"}).config
    assert config.taxonomy.path == "/work/tree"
    assert config.taxonomy.yaml_rules == "/work/rules"
    assert config.evaluation.questions == str(Path("~/q").expanduser())
    assert config.evaluation.placebo == "$50 off"


def test_a_named_file_must_exist(home):
    with pytest.raises(ConfigError, match="does not exist or is not a readable file") as caught:
        ask(home, file=home / "absent.yaml", file_must_exist=True)
    assert "--config" in caught.value.hint


def test_a_profile_that_does_not_exist(home):
    (fault,) = faults(home, "general:\n  profile: A100_H100_x9\n")
    assert ":2: error: general.profile: there is no profile `A100_H100_x9`" in fault
    assert "A100_H100_x8.yaml" in fault


def test_a_fault_in_a_profile_names_the_profile(home):
    (fault,) = faults(home, "general:\n  profile: mine\n", profile="evaluation:\n  sed: 1\n")
    assert fault.startswith(f"{home}/config/profiles/mine.yaml:2: error: evaluation.sed")


def test_a_profile_cannot_name_another(home):
    (fault,) = faults(home, "general:\n  profile: mine\n", profile="general:\n  profile: L4_x8\n")
    assert "a profile cannot name another one" in fault


def test_a_secret_is_neither_recorded_nor_shown_in_faults(home):
    loaded = ask(home, environ={"ILAB_MODELS__TEACHER_API_KEY": "sesame"})
    assert loaded.config.models.teacher_api_key.get_secret_value() == "sesame"
    assert "sesame" not in str(loaded.record()) + str(loaded.config)
    (fault,) = faults(home, "models:\n  teacher_api_key: [sesame]\n")
    assert "sesame" not in fault


def test_the_record_holds_the_rooms_asked_for(home):
    record = ask(home).record("evaluation")
    assert list(record) == ["evaluation"]
    assert record["evaluation"]["seed"] == 42


def test_the_hint_says_how_to_mend_each_place(home):
    with pytest.raises(ConfigError) as caught:
        ask(
            home,
            "modles: 1\n",
            environ={"ILAB_CHAT__SED": "1"},
            overrides={"chat.sed": 1},
            flags={"chat.sed": "--sed"},
            recorded={"evaluation": {"seed": "x"}},
            run="run-7",
        )
    assert caught.value.hint.split("; ") == [
        f"mend {home / 'config' / 'config.yaml'}",
        "correct or unset ILAB_CHAT__SED",
        "correct --sed",
        "the settings of run run-7 do not fit this version of ilab, start a new run",
    ]
