"""`ilab taxonomy show`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from ilab.cli import output
from ilab.cli.options import json_option, load_config, set_option, settings_flags
from ilab.cli.taxonomy_path import leaf_files, taxonomy_of
from ilab.errors import ConfigError, MissingError
from ilab.taxonomy.changes import EMPTY, changed_leaves
from ilab.taxonomy.lint import Linter
from ilab.taxonomy.listing import Branch, Listed, Totals, branches, listed, totals
from ilab.taxonomy.tree import find, root_of

_NAME = 38
"""Columns of the tree; what follows fits 80."""
_KINDS = {"knowledge": "knowledge", "skill": "skill", "grounded skill": "grounded"}


@click.command("show")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@settings_flags(
    {
        "--taxonomy-path": "taxonomy.path",
        "--taxonomy-base": "taxonomy.base",
        "--yaml-rules": "taxonomy.yaml_rules",
    }
)
@click.option("--depth", type=click.IntRange(0), default=0, help="Sum up below this many levels; 0 shows every leaf.")
@json_option
@set_option
@click.pass_context
def show(ctx: click.Context, path: Path | None, depth: int, as_json: bool) -> None:
    """Displays the leaves of a taxonomy: kind, size, state.

    PATH is a part of the taxonomy. In a git repository a `*` marks the leaves that changed since --taxonomy-base, or
    since the last commit if no base is set.
    """
    loaded = load_config(ctx)
    settings = loaded.config.taxonomy
    files = leaf_files(loaded, [path] if path else [])
    root = root_of(next(iter(files))) if path else root_of(taxonomy_of(loaded))
    changed = _changed(root, base=settings.base)
    linter = Linter(settings.yaml_rules)
    leaves = [listed(file, path=name, linter=linter, changed=changed) for file, name in files.items()]
    if as_json:
        output.print_json(_facts(root, leaves))
        return
    click.echo(output.style(str(root), stream=sys.stdout, bold=True))
    for branch in branches(leaves, depth=depth):
        click.echo(_line(branch))
    for line in _sums(totals(leaves), leaves):
        click.echo(line)


def _changed(root: Path, *, base: str) -> Collection[str] | None:
    """The leaves that changed since the base, or since HEAD without one; None where git cannot tell."""
    tree = find(root)
    try:
        return set(changed_leaves(root, tree.files, base="HEAD" if base == EMPTY else base))
    except (ConfigError, MissingError):
        if base != EMPTY:
            raise
        return None


def _line(branch: Branch) -> str:
    name = "  " * branch.depth + branch.name
    if branch.leaf is None:
        sums = totals(branch.leaves)
        return f"{name:<{_NAME}} {_leaves(sums)}"
    leaf = branch.leaf
    mark = "*" if leaf.changed else " "
    # a leaf with errors has not been read to its end, so its numbers are not known
    sizes = f"{'-':>4} {'-':>8}" if leaf.errors else f"{leaf.questions:>4} {leaf.words:>8,}"
    row = f"{mark}{_KINDS[leaf.kind]:<9} {sizes}  {_state(leaf)}"
    return f"{name:<{_NAME}} {row}" if len(name) <= _NAME else f"{name}\n{'':<{_NAME}} {row}"


def _state(leaf: Listed) -> str:
    colour = "red" if leaf.errors else "yellow" if leaf.warnings else "green"
    return output.style(leaf.state, stream=sys.stdout, fg=colour)


def _leaves(sums: Totals) -> str:
    return f" {sums.leaves:,} {'leaf' if sums.leaves == 1 else 'leaves'}"


def _sums(sums: Totals, leaves: Sequence[Listed]) -> list[str]:
    lines = [
        "",
        f"{_leaves(sums).strip()}, {sums.questions:,} questions, {sums.words:,} words: {sums.valid:,} valid, "
        f"{sums.warnings:,} with warnings, {sums.errors:,} with errors",
    ]
    if any(leaf.changed for leaf in leaves):
        lines.append("* changed since the base")
    if sums.warnings or sums.errors:
        lines.append("`ilab taxonomy diff` lists the findings; `ilab taxonomy fix` mends those of style")
    return lines


def _facts(root: Path, leaves: Sequence[Listed]) -> dict[str, object]:
    rows = [asdict(leaf) | {"file": str(leaf.file), "state": leaf.state} for leaf in leaves]
    return {"root": str(root), "leaves": rows, "totals": asdict(totals(leaves))}
