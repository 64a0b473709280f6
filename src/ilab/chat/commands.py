"""Slash commands of a chat, as pure functions: text -> Command -> Action. The terminal loop carries actions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ilab.chat.contexts import CONTEXTS
from ilab.records.messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A slash command as typed: its name (see `NAMES`, or `unknown`) and the rest of the line."""

    name: str
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What the terminal has to do.

    `kind` is one of: `say` (show `text` as a notice), `show` (show `text` as a message in `style` panel, plain or
    markdown), `quit`, `amend` (switch to model `text`), `context` (start again with context `text`), `multiline_once`,
    `multiline` (toggle), `new`, `new_unloaded`, `save` (to file `text`), `load`, `load_permanent` (from file `text`),
    `retry`.
    """

    kind: str
    text: str = ""
    style: str = "panel"


_TABLE = (
    ("quit", ("q", "quit", "exit"), "", "leave the chat"),
    ("help", ("h", "help"), "", "show this list"),
    ("amend", ("a", "amend"), "MODEL", "let another model answer from here on"),
    ("context", ("c", "context"), "NAME", "start again with a named system prompt"),
    ("contexts", ("lc",), "", "list the named system prompts"),
    ("multiline_once", ("m",), "", "write the next message on several lines"),
    ("multiline", ("M",), "", "switch writing on several lines on or off"),
    ("new", ("n", "new"), "", "start again, from the loaded session if one was loaded with /L"),
    ("new_unloaded", ("N",), "", "start again from nothing"),
    ("display", ("d",), "[N]", "show the last message, or the N-th last, in a panel"),
    ("plain", ("p",), "[N]", "the same as plain text"),
    ("markdown", ("md",), "[N]", "the same as Markdown"),
    ("save", ("s", "save"), "FILE", "save the conversation as JSON"),
    ("load", ("l", "load"), "FILE", "go on from a saved conversation"),
    ("load_permanent", ("L",), "FILE", "the same, and let /n return to it"),
    ("retry", ("r", "retry"), "", "ask the last question again"),
)
NAMES = {spelling: name for name, spellings, _, _ in _TABLE for spelling in spellings}
"""Spelling -> command name. Case matters: /m and /M differ."""

_DIRECT = ("quit", "multiline_once", "multiline", "new", "new_unloaded", "retry")
_WITH_ARGUMENT = ("amend", "save", "load", "load_permanent")
_STYLES = {"display": "panel", "plain": "plain", "markdown": "markdown"}


def parse(text: str) -> Command | None:
    """The command in `text`, or None when it is something to say to the model.

    A line counts as a command when it starts with a slash and one bare word: `/etc/hosts has what in it?` does not.
    """
    first, _, rest = text.strip().partition(" ")
    word = first.removeprefix("/")
    if not first.startswith("/") or not word.isalpha():
        return None
    return Command(name=NAMES.get(word, "unknown"), argument=rest.strip() if word in NAMES else first)


def act(command: Command, turns: Sequence[Message]) -> Action:
    """What `command` asks for; `turns` is the conversation so far. Mistakes give a `say` action with the remedy."""
    name, argument = command.name, command.argument
    if name in _DIRECT:
        return Action(kind=name)
    if name in _WITH_ARGUMENT:
        return Action(kind=name, text=argument) if argument else _usage(name)
    if name in _STYLES:
        return _show(argument, turns, _STYLES[name])
    if name == "context":
        known = argument in CONTEXTS
        return Action(kind="context", text=argument) if known else Action(kind="say", text=_contexts(argument))
    notices = {"contexts": _contexts(), "help": help_text()}
    return Action(kind="say", text=notices.get(name, f"there is no command {argument}; /h lists them"))


def help_text() -> str:
    """All commands, one a line."""
    rows = [
        (" ".join(f"/{word}" for word in spellings) + f" {value}".rstrip(), what)
        for _, spellings, value, what in _TABLE
    ]
    width = max(len(left) for left, _ in rows)
    return "\n".join(f"{left:<{width}}  {what}" for left, what in rows)


def _usage(name: str) -> Action:
    spellings, value = next((words, value) for row, words, value, _ in _TABLE if row == name)
    return Action(kind="say", text=f"say which one: /{spellings[0]} {value}")


def _contexts(wrong: str = "") -> str:
    head = f"there is no context `{wrong}`; " if wrong else ""
    return f"{head}contexts: {', '.join(CONTEXTS)}"


def _show(argument: str, turns: Sequence[Message], style: str) -> Action:
    number = int(argument) if argument.isdecimal() else 0 if argument else 1
    if not 1 <= number <= len(turns):
        return Action(
            kind="say", text=f"there are {len(turns)} messages; give a number from 1 (the last) to {len(turns)}"
        )
    return Action(kind="show", text=turns[-number].content, style=style)
