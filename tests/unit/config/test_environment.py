"""Variables: which are settings, which mean something else, and which are told as misspelt."""

import ast
import re
from pathlib import Path

import pytest

import ilab
from ilab.config import environment, keys
from ilab.config.schema import Config


def told(variable: str, text: str = "1") -> list[str]:
    return [str(fault) for fault in environment.layer({variable: text})[1]]


def test_every_setting_has_a_variable():
    every = {environment.variable_of(name): "1" for name in keys.keys(Config)}
    settings, faults = environment.layer(every)
    assert (list(settings), faults) == (list(keys.keys(Config)), [])


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("ILAB_TRAINING_SEED", "ILAB_TRAINING__SEED"),
        ("ILAB_EVALUATION__SED", "ILAB_EVALUATION__SEED"),
        ("ILAB_GENERAL__RESAMPLES", "ILAB_EVALUATION__RESAMPLES"),
        ("ILAB_HOMES", "ILAB_HOME"),
        ("ILAB_CHAT_APIKEY", "ILAB_CHAT_API_KEY"),
    ],
)
def test_a_misspelt_variable_is_pointed_to_the_right_one(variable, meant):
    assert told(variable) == [f"{variable}: error: there is no such variable (did you mean `{meant}`?)"]


def test_a_variable_like_none_of_ours_is_told_how_settings_are_spelled():
    assert told("ILAB_FOO") == ["ILAB_FOO: error: there is no such variable (a setting is spelled ILAB_<ROOM>__<KEY>)"]


def test_variables_of_others_are_none_of_our_affair():
    assert environment.layer({"HOME": "/x", "MY_ILAB_FOO": "1", "ILABEL": "1"}) == ({}, [])


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ILAB_SERVICE_HOST", "10.0.0.1"),
        ("ILAB_SERVICE_PORT", "8000"),
        ("ILAB_PORT", "tcp://10.0.0.1:8000"),
        ("ILAB_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("ILAB_SERVE_SERVICE_PORT_HTTP", "8000"),
    ],
)
def test_what_kubernetes_sets_for_a_service_called_ilab_is_passed_over(variable, text):
    assert environment.layer({variable: text}) == ({}, [])


def test_a_setting_is_never_passed_over():
    settings, _ = environment.layer({"ILAB_MODELS__TEACHER_ENDPOINT": "tcp://odd"})
    assert settings["models.teacher_endpoint"].value == "tcp://odd"


def test_the_variables_that_our_programs_and_tests_read_are_known():
    """A new variable goes into `environment`, or it ends every command of the user who sets it."""
    root = Path(__file__).parents[3]
    names = {name for folder in (Path(ilab.__file__).parent, root / "tests") for name in read_in(folder)}
    assert {"ILAB_HOME", "ILAB_RUN_ID", "ILAB_VLLM_PYTHON", "ILAB_TEST_GGUF"} <= names
    assert [name for name in sorted(names) if told(name)] == []


def read_in(folder: Path) -> set[str]:
    """Each `ILAB_...` that is a text of its own in the code below `folder`; settings and misspelt ones are left out."""
    return {
        node.value
        for file in folder.rglob("*.py")
        if file.name not in (Path(__file__).name, "test_config.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.fullmatch(r"ILAB(_[A-Z]+)+", node.value)
    }


def test_without_settings_only_the_folders_stay():
    environ = {"ILAB_HOME": "/x", "ILAB_CHAT__SEED": "1", "ILAB_FOO": "1", "PATH": "/bin"}
    assert environment.without_settings(environ) == {"ILAB_HOME": "/x", "PATH": "/bin"}
