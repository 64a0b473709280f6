"""Every setting that a text of ours names is there: in help, hints, messages, and in the file of `config init`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click

import ilab
from ilab.cli.main import cli
from ilab.config import environment, keys, write
from ilab.config.schema import Config

SOURCE = Path(ilab.__file__).parent
KNOWN = {*keys.keys(Config), *keys.sections(Config)}
ROOMS = {name for name in KNOWN if "." not in name}


def wrong_in(text: str) -> list[str]:
    """Names of settings in `text`, in backquotes or as a variable, that do not exist."""
    dotted = re.findall(r"`(?:--set )?([a-z]+(?:\.[a-z0-9_]+)+)(?:=[^`]*)?`", text)
    variables = re.findall(r"ILAB_[A-Z0-9]+__[A-Z0-9_]+", text)
    wrong = [name for name in dotted if name.split(".")[0] in {*ROOMS, "serve"} and name not in KNOWN]
    return wrong + [name for name in variables if environment.layer({name: ""})[1]]


def texts() -> Iterator[tuple[str, str]]:
    """Each text in the code, with its place. Docstrings of modules and functions are for ourselves."""
    for file in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        ours = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef) and node.body and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in ours:
                yield f"{file.relative_to(SOURCE)}:{node.lineno}", node.value


def helps(command: click.Command, parents: str = "") -> Iterator[tuple[str, str]]:
    """The help of `command` and of all below it, by name."""
    name = f"{parents} {command.name}".strip()
    context = click.Context(command, info_name=name, max_content_width=1000, terminal_width=1000)
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from helps(found, name)


def test_a_wrong_name_is_found():
    assert wrong_in("`training.epochs`, `serve.port`, `training.seed`, `--set chat.sed=1`, ILAB_CHAT__SED=1") == [
        "training.epochs",
        "serve.port",
        "chat.sed",
        "ILAB_CHAT__SED",
    ]


def test_the_code_names_only_settings_that_are_there():
    assert {place: wrong_in(text) for place, text in texts() if wrong_in(text)} == {}


def test_every_help_and_the_written_file_name_only_settings_that_are_there():
    shown = {**dict(helps(cli)), "config.yaml": write.template({})}
    assert {name: wrong_in(text) for name, text in shown.items() if wrong_in(text)} == {}
    said = [name for text in shown.values() for name in re.findall(r"config: ([a-z0-9_.]+)\]", text)]
    assert said and [name for name in said if name not in KNOWN] == []
