"""A click group that knows its commands from a table and imports one only when it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import click

from ilab.base import lazy


class Entry(NamedTuple):
    """One line of the table: a command, where it is ("module:attribute"), and its help in one line."""

    name: str
    target: str
    help: str


class GroupEntry(NamedTuple):
    """One group of the table with its commands."""

    name: str
    help: str
    commands: tuple[Entry, ...]


class LazyGroup(click.Group):
    """A group whose help text comes from the table alone; without arguments it prints that help."""

    def __init__(self, name: str, entries: Iterable[Entry | GroupEntry], **attributes: Any) -> None:
        super().__init__(name, no_args_is_help=False, **attributes)
        self.entries: Mapping[str, Entry | GroupEntry] = {entry.name: entry for entry in entries}
        self.help_option = HelpOption()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, sorted."""
        return sorted(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command `cmd_name`, or build the group from its table."""
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        if isinstance(entry, GroupEntry):
            return LazyGroup(entry.name, entry.commands, help=entry.help)
        command: click.Command = lazy.resolve(entry.target)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Print the help when nothing was asked for; parse otherwise."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)

    def get_help_option(self, ctx: click.Context) -> click.Option:
        """The help option, shown as `--help` alone."""
        return self.help_option

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        rows = [(name, self.entries[name].help) for name in self.list_commands(ctx)]
        width = formatter.width - 6 - max((len(name) for name, _ in rows), default=0)
        write_section(formatter, "Commands", [(name, shortened(text, width)) for name, text in rows])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` begins with; a misspelt one gets a suggestion."""
        name = args[0]
        if name not in self.known_names() and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"no such command: {name}{did_you_mean(name, self.known_names())}", ctx)
        return super().resolve_command(ctx, args)

    def known_names(self) -> list[str]:
        """Every name that can be typed here."""
        return list(self.entries)


class HelpOption(click.Option):
    """`--help` in the help text; `-h` works too."""

    def __init__(self) -> None:
        super().__init__(
            ["--help", "-h", "_help"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_help,
            help="Show this message and exit.",
        )

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The line of the help text."""
        return "--help", self.help or ""


def _show_help(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`; did you mean X?` for a word close to known ones, else nothing."""
    import difflib

    close = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(f'`{name}`' for name in close)}?" if close else ""


def shortened(text: str, width: int) -> str:
    """`text` cut at a word to fit `width`, with `...` in place of the rest."""
    if len(text) <= width:
        return text
    words = text.split()
    while words and len(" ".join(words)) + 3 > width:
        words.pop()
    return " ".join(words) + "..."


def write_section(formatter: click.HelpFormatter, title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Write a titled list in two columns; nothing without rows."""
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)
