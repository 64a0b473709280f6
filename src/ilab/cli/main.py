"""The command table and the entry point.

A command is one line of the table: its name, where it is, and its help. `ilab --help` reads the table and imports no
command. List a command here when it works, not before; its aliases appear with it.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from ilab import __version__
from ilab.cli import report
from ilab.cli.lazy import Entry, GroupEntry, LazyGroup, write_section
from ilab.cli.options import Session
from ilab.config import paths

_COMMANDS = "ilab.cli.commands"

TABLE: tuple[Entry | GroupEntry, ...] = (
    GroupEntry(
        "config",
        "Command Group for Interacting with the Config of InstructLab.",
        (
            Entry("edit", f"{_COMMANDS}.config:edit", "Opens the config file in your editor and checks it afterwards."),
            Entry("init", f"{_COMMANDS}.config:init", "Initializes environment for InstructLab."),
            Entry("path", f"{_COMMANDS}.config:path", "Displays the folders and files that ilab uses."),
            Entry("show", f"{_COMMANDS}.config:show", "Displays the active config and where each value comes from."),
        ),
    ),
    GroupEntry(
        "model",
        "Command Group for Interacting with the Models in InstructLab.",
        (
            Entry("chat", f"{_COMMANDS}.chat:chat", "Starts a chat with a model."),
            Entry("list", f"{_COMMANDS}.model_store:list_models", "Lists the models in the store."),
            Entry("remove", f"{_COMMANDS}.model_store:remove", "Removes models from the store."),
            Entry("serve", f"{_COMMANDS}.serve:serve", "Starts a local server for a model."),
        ),
    ),
    GroupEntry(
        "run",
        "Command group for runs: list, show, follow, resume, stop, prune.",
        (
            Entry("follow", f"{_COMMANDS}.run:follow", "Shows the progress of a run until it ends."),
            Entry("list", f"{_COMMANDS}.run:list_runs", "Lists all runs and their states."),
            Entry("prune", f"{_COMMANDS}.run:prune", "Removes old runs."),
            Entry("resume", f"{_COMMANDS}.run:resume", "Goes on with a run that was interrupted or failed."),
            Entry("show", f"{_COMMANDS}.run:show", "Displays one run: stages, times, result, files."),
            Entry("stop", f"{_COMMANDS}.run:stop", "Stops a run; everything finished is kept."),
        ),
    ),
    GroupEntry(
        "system",
        "Command group for all system-related command calls",
        (Entry("info", f"{_COMMANDS}.system:info", "Displays the hardware specifications of your system."),),
    ),
    GroupEntry(
        "taxonomy",
        "Command Group for Interacting with the Taxonomy of InstructLab.",
        (
            Entry(
                "diff",
                f"{_COMMANDS}.taxonomy:diff",
                "Lists taxonomy files that you changed and verifies that the taxonomy is valid.",
            ),
        ),
    ),
)

ALIASES = {
    "chat": ("model", "chat"),
    "convert": ("model", "convert"),
    "diff": ("taxonomy", "diff"),
    "download": ("model", "download"),
    "evaluate": ("model", "evaluate"),
    "generate": ("data", "generate"),
    "init": ("config", "init"),
    "list": ("model", "list"),
    "serve": ("model", "serve"),
    "sysinfo": ("system", "info"),
    "test": ("model", "test"),
    "train": ("model", "train"),
}
"""Short names of commands; one counts only while its command is in the table."""

_HELP = """CLI for interacting with InstructLab.

If this is your first time running ilab, it's best to start with `ilab
config init` to create the environment.
"""


class RootGroup(LazyGroup):
    """The `ilab` command: groups, aliases, and the one place where errors become an exit status."""

    def aliases(self) -> dict[str, tuple[str, str]]:
        """The aliases whose command exists."""
        found = {}
        for alias, (group, command) in ALIASES.items():
            entry = self.entries.get(group)
            if isinstance(entry, GroupEntry) and any(each.name == command for each in entry.commands):
                found[alias] = (group, command)
        return found

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command or group, or what an alias stands for."""
        if cmd_name not in self.aliases():
            return super().get_command(ctx, cmd_name)
        group, command = self.aliases()[cmd_name]
        found = super().get_command(ctx, group)
        assert isinstance(found, LazyGroup)
        return found.get_command(ctx, command)

    def known_names(self) -> list[str]:
        """Commands, groups and aliases."""
        return [*self.entries, *self.aliases()]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the aliases below the commands."""
        rows = [(alias, " ".join(words)) for alias, words in sorted(self.aliases().items())]
        write_section(formatter, "Aliases", rows)

    def main(self, args: Any = None, prog_name: str | None = "ilab", **options: Any) -> Any:  # type: ignore[override]
        """Run a command line. In standalone mode every error goes through `report`, and the process exits."""
        arguments = list(sys.argv[1:] if args is None else args)
        session = Session(argv=arguments)
        standalone = options.pop("standalone_mode", True)

        def work() -> Any:
            return super(RootGroup, self).main(arguments, prog_name, standalone_mode=False, obj=session, **options)

        if not standalone:
            return work()
        sys.exit(report.run(work, verbose=lambda: session.verbosity > 0))


class ConfigOption(click.Option):
    """`--config`; its default follows the environment at the time of the call."""

    def get_default(self, ctx: click.Context, call: bool = True) -> Any:
        """Path of the user's config file."""
        return str(paths.find().config_file)


def _start(ctx: click.Context, **values: Any) -> None:
    from ilab.base import logs

    session: Session = ctx.obj
    session.verbosity = values["verbose"]
    session.config_file = values["config"]
    source = ctx.get_parameter_source("config")
    session.config_given = source is not None and source.name == "COMMANDLINE"
    logs.setup(session.verbosity)


def build(table: tuple[Entry | GroupEntry, ...] = TABLE) -> RootGroup:
    """The whole command tree for `table`."""
    root = RootGroup(
        "ilab",
        table,
        callback=click.pass_context(_start),
        help=_HELP,
        context_settings={"help_option_names": ["-h", "--help"]},
        params=[
            ConfigOption(["--config"], type=click.Path(), show_default=True, help="Path to a configuration file."),
            click.Option(["-v", "--verbose"], count=True, help="Enable debug logging (repeat for even more verbosity)"),
        ],
    )
    return click.version_option(__version__, prog_name="ilab")(root)


cli = build()


def run() -> None:
    """Entry point of the console scripts and of `python -m ilab`."""
    cli.main()
