"""Every help text, compared with the one on file. `ILAB_UPDATE_HELP=1 pytest tests/cli/test_help.py` rewrites them."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from ilab.cli.lazy import GroupEntry
from ilab.cli.main import ALIASES, TABLE, cli

FOLDER = Path(__file__).with_name("help")


def every_command() -> list[tuple[str, ...]]:
    """The words of each command line that has a help text."""
    found: list[tuple[str, ...]] = [()]
    for entry in TABLE:
        found.append((entry.name,))
        if isinstance(entry, GroupEntry):
            found += [(entry.name, command.name) for command in entry.commands]
    return found


def help_of(words, monkeypatch) -> str:
    for variable in ("ILAB_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    # a terminal of 80 columns gives texts of 78
    result = CliRunner().invoke(cli, [*words, "--help"], env={"HOME": "/home/auser"}, terminal_width=78)
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("words", every_command(), ids="-".join)
def test_help_is_the_one_on_file(words, monkeypatch):
    file = FOLDER / f"{'-'.join(['ilab', *words])}.txt"
    text = help_of(words, monkeypatch)
    if os.environ.get("ILAB_UPDATE_HELP"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert file.read_text() == text


def test_no_help_text_is_left_over():
    names = {f"{'-'.join(['ilab', *words])}.txt" for words in every_command()}
    assert {file.name for file in FOLDER.glob("*.txt")} == names


def test_the_top_has_the_form_of_the_reference(monkeypatch):
    lines = help_of((), monkeypatch).splitlines()
    assert lines[:15] == [
        "Usage: ilab [OPTIONS] COMMAND [ARGS]...",
        "",
        "  CLI for interacting with InstructLab.",
        "",
        "  If this is your first time running ilab, it's best to start with `ilab",
        "  config init` to create the environment.",
        "",
        "Options:",
        "  --config PATH  Path to a configuration file.  [default:",
        "                 /home/auser/.config/ilab/config.yaml]",
        "  -v, --verbose  Enable debug logging (repeat for even more verbosity)",
        "  --version      Show the version and exit.",
        "  --help         Show this message and exit.",
        "",
        "Commands:",
    ]
    place = lines.index("Aliases:")
    assert lines[place - 1] == ""
    rows = [line.split(None, 1) for line in lines]
    assert ["system", "Command group for all system-related command calls"] in rows[15:place]
    assert ["init", "config init"] in rows[place:] and ["sysinfo", "system info"] in rows[place:]


def test_an_alias_is_there_exactly_when_its_command_is():
    existing = set(every_command())
    assert set(cli.aliases()) == {alias for alias, words in ALIASES.items() if words in existing}


def test_all_twelve_aliases_of_the_reference_work():
    names = "chat convert diff download evaluate generate init list serve sysinfo test train".split()
    assert sorted(cli.aliases()) == names


def test_the_table_says_what_each_command_says_of_itself():
    for entry in TABLE:
        commands = entry.commands if isinstance(entry, GroupEntry) else (entry,)
        for command in commands:
            root = cli if command is entry else cli.get_command(None, entry.name)
            assert root.get_command(None, command.name).help.splitlines()[0] == command.help


@pytest.mark.parametrize("arguments", [["-h"], [], ["config", "-h"], ["config"], ["config", "show", "-h"]])
def test_other_ways_to_ask_for_help(arguments):
    words = [word for word in arguments if word != "-h"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0
    assert result.stdout == CliRunner().invoke(cli, [*words, "--help"]).stdout


def test_an_alias_runs_its_command():
    result = CliRunner().invoke(cli, ["sysinfo", "--help"])
    assert result.stdout.startswith("Usage: ilab sysinfo [OPTIONS]")
    assert "hardware specifications" in result.stdout


def test_version():
    assert CliRunner().invoke(cli, ["--version"]).stdout == "ilab, version 0.1.0\n"


def test_no_name_stands_twice_in_the_table():
    assert len(every_command()) == len(set(every_command()))
