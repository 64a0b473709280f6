"""Slash commands."""

from __future__ import annotations

import pytest

from ilab.chat.commands import NAMES, Action, Command, act, help_text, parse
from ilab.records.messages import assistant, user

TURNS = [user("q1"), assistant("a1"), user("q2"), assistant("**a2**")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/q", Command(name="quit")),
        (" /exit ", Command(name="quit")),
        ("/m", Command(name="multiline_once")),
        ("/M", Command(name="multiline")),
        ("/s my notes/chat one.json", Command(name="save", argument="my notes/chat one.json")),
        ("/L x.json", Command(name="load_permanent", argument="x.json")),
        ("/nonsense now", Command(name="unknown", argument="/nonsense")),
        ("hello", None),
        ("/etc/hosts has what in it?", None),
        ("/", None),
        ("", None),
        ("is /q a command?", None),
    ],
)
def test_parse(text: str, expected: Command | None) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/quit", Action(kind="quit")),
        ("/n", Action(kind="new")),
        ("/N", Action(kind="new_unloaded")),
        ("/a org/model", Action(kind="amend", text="org/model")),
        ("/c cli_helper", Action(kind="context", text="cli_helper")),
        ("/d", Action(kind="show", text="**a2**", style="panel")),
        ("/p 2", Action(kind="show", text="q2", style="plain")),
        ("/md 4", Action(kind="show", text="q1", style="markdown")),
        ("/l f.json", Action(kind="load", text="f.json")),
    ],
)
def test_act(text: str, expected: Action) -> None:
    command = parse(text)
    assert command is not None
    assert act(command, TURNS) == expected


@pytest.mark.parametrize("text", ["/s", "/l", "/L", "/a", "/d 5", "/d 0", "/d x", "/c nope", "/zzz", "/h", "/lc"])
def test_mistakes_and_questions_are_answered_in_words(text: str) -> None:
    command = parse(text)
    assert command is not None
    action = act(command, TURNS)
    assert action.kind == "say"
    assert action.text


def test_the_help_lists_every_command() -> None:
    for spelling in NAMES:
        assert f"/{spelling}" in help_text()


def test_every_command_leads_to_an_action() -> None:
    for name in set(NAMES.values()):
        assert isinstance(act(Command(name=name), []), Action)
