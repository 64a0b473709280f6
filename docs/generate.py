"""Write docs/reference: every command's help, setting and rule, out of the code. `--check` compares instead."""

from __future__ import annotations

import sys
from pathlib import Path

import click

HERE = Path(__file__).resolve().parent / "reference"


def main(arguments: list[str]) -> int:
    """Write the pages, or say which ones differ from the code."""
    pages = {"commands.md": commands(), "settings.md": settings(), "rules.md": rules()}
    stale = [name for name, text in pages.items() if not _same(HERE / name, text)]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/reference/{name} differs from the code; run `make docs`")
        return 1 if stale else 0
    HERE.mkdir(exist_ok=True)
    for name, text in pages.items():
        (HERE / name).write_text(text, encoding="utf-8")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def commands() -> str:
    """One section a command, with its help as a terminal of 100 columns shows it."""
    from ilab.cli.main import cli

    sections = ["# Commands", "", "Generated from the program by `make docs`.", ""]

    def walk(command: click.Command, parents: list[str], parent: click.Context | None) -> None:
        width = {"max_content_width": 100, "terminal_width": 100}
        context = click.Context(command, info_name=parents[-1], parent=parent, **width)
        text = command.get_help(context).replace(str(Path.home()), "~")
        sections.extend([f"## {' '.join(parents)}", "", "```text", text, "```", ""])
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                if found is not None:
                    walk(found, [*parents, name], context)

    walk(cli, ["ilab"], None)
    return "\n".join(sections)


def rules() -> str:
    """One table of all rules that `ilab taxonomy diff` checks."""
    from ilab.taxonomy.rules import RULES

    lines = ["# Rules of a taxonomy", "", "Generated from the program by `make docs`. `ilab taxonomy diff` checks"]
    lines += ["them; an error makes a leaf unusable, a warning does not, unless `--strict` is given.", ""]
    lines += ["| rule | severity | about | | how to mend it |", "|---|---|---|---|---|"]
    for rule in RULES.values():
        cells = [f"`{rule.name}`", rule.severity, rule.about, rule.sentence, rule.mend]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*lines, ""])


def settings() -> str:
    """One table a room: key, default, meaning."""
    from ilab.config import keys
    from ilab.config.schema import Config
    from ilab.config.write import literal

    lines = ["# Settings", "", "Generated from the program by `make docs`. Set them in `config.yaml`, as"]
    lines += ["`ILAB_<ROOM>__<KEY>` in the environment, or with `--set room.key=value`.", ""]
    room = ""
    for name, key in keys.keys(Config).items():
        if name.split(".")[0] != room:
            room = name.split(".")[0]
            lines += ["", f"## {room}", "", "| key | default | meaning |", "|---|---|---|"]
        default = "" if key.secret else literal(keys.plain(key.default))
        lines.append(f"| `{name}` | `{default}` | {key.doc} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
