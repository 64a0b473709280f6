"""`ilab data mix`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ilab.cli import output
from ilab.cli.options import json_option

if TYPE_CHECKING:
    from ilab.mixing.recipe_mix import Taken


@click.command("mix")
@click.option(
    "--recipe",
    "recipes",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    metavar="FILE",
    help="A recipe; may be repeated, and all of them go into one file.",
)
@click.option(
    "--output", "out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file to write."
)
@click.option("--seed", type=int, default=42, show_default=True, help="Decides which rows are drawn, and their order.")
@click.option(
    "--system-prompt",
    metavar="TEXT",
    help="Counts in place of the system prompts of the recipes; empty for none.",
)
@click.option("-f", "--force", is_flag=True, help="Replace the file if it is there.")
@json_option
def mix(recipes: tuple[Path, ...], out: Path, seed: int, system_prompt: str | None, force: bool, as_json: bool) -> None:
    """Mixes files of training rows into one, as recipes say.

    A recipe is a YAML file: `datasets`, a list of `path` (counted from the recipe's folder) and `sampling_size`: 1.0
    takes every row once, 0.5 half of them, 2.0 every row twice, and a whole number that many rows. No row is taken
    again before all were taken. `sys_prompt` is put before rows that have no system prompt, and before all of them
    with `overwrite_system: true`. `ilab data generate` writes such recipes.
    """
    from ilab.mixing import exports, recipe_mix

    exports.check(out, form="messages", force=force)
    taken = recipe_mix.mix(recipes, out, seed=seed, system_prompt=system_prompt)
    total = sum(one.taken for one in taken)
    if as_json:
        output.print_json({"file": out, "rows": total, "seed": seed, "sources": [_facts(one, total) for one in taken]})
        return
    rows = [
        [one.source.name, f"{one.rows:,}", f"{one.taken:,}", output.number(one.epochs), _share(one, total)]
        for one in taken
    ]
    output.print_table(["Source", "Rows", "Taken", "Epochs", "Share"], rows)
    for one in taken:
        if one.left_out:
            output.tell(f"{one.source.name}: {one.left_out:,} rows were left out, because a turn of them is empty")
    click.echo(f"Mixed Dataset saved to {out}")


def _share(one: Taken, total: int) -> str:
    return f"{one.taken / max(1, total):.1%}"


def _facts(one: Taken, total: int) -> dict[str, Any]:
    return {
        "source": one.source.path,
        "recipe": one.source.recipe,
        "rows": one.rows,
        "taken": one.taken,
        "epochs": one.epochs,
        "share": one.taken / max(1, total),
        "left_out": one.left_out,
    }
