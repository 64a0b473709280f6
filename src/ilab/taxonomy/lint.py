"""Every finding of a leaf or a whole taxonomy at once: the schema, the documented limits, and the style of the YAML."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from ilab.base.lazy import need
from ilab.errors import ConfigError, Fault, MissingExtra
from ilab.taxonomy import qna
from ilab.taxonomy.leaf import Leaf
from ilab.taxonomy.tree import QNA, find

LINE_LENGTH = 120
ATTRIBUTION = "attribution.txt"
_BUILT_IN_RULES = """
extends: relaxed
rules: {line-length: disable, trailing-spaces: disable, key-duplicates: disable, new-lines: disable}
"""
"""Rules for yamllint; what is disabled here is checked by ourselves, with or without yamllint."""


def lint(path: Path, *, yaml_rules: str = "", strict: bool = False) -> list[Fault]:
    """All findings of the taxonomy, folder or file `path`, sorted. `strict` makes every warning an error."""
    linter = Linter(yaml_rules)
    tree = find(path)
    found = [*tree.faults]
    if not tree.files:
        found.append(Fault(path=str(path), message=f"no {QNA} found below this folder"))
    for name, file in tree.files.items():
        found += linter.file(file, leaf=name)[1]
    return sorted(as_errors(found) if strict else found)


def as_errors(faults: list[Fault]) -> list[Fault]:
    """The same findings, every one an error."""
    return [replace(fault, severity="error") for fault in faults]


class Linter:
    """Checks files one by one with the same rules.

    Without the package yamllint only its findings are missing; asking for own rules without it is `MissingExtra`.
    """

    def __init__(self, yaml_rules: str = "") -> None:
        self._yamllint: ModuleType | None = None
        self._rules: Any = None
        try:
            self._yamllint = need("yamllint.linter", feature="checking with yaml rules", extra="lint")
        except MissingExtra:
            if yaml_rules:
                raise
            return
        self._rules = _rules(yaml_rules)

    def file(self, file: Path, *, leaf: str) -> tuple[Leaf | None, list[Fault]]:
        """The leaf (None if it has errors) and every finding of one qna.yaml."""
        parsed = qna.parse(file, leaf=leaf)
        found = parsed.faults + _line_faults(str(file), parsed.lines)
        if parsed.version > 1:
            found += _attribution_faults(file)
            found += self._style_faults(file, parsed.lines)
        return parsed.leaf, sorted(set(found))

    def _style_faults(self, file: Path, lines: list[str]) -> list[Fault]:
        if self._yamllint is None or not lines:
            return []
        return [
            Fault(
                path=str(file),
                line=problem.line,
                column=problem.column,
                message=f"{problem.desc} ({problem.rule})",
                severity="warning",
            )
            for problem in self._yamllint.run("\n".join(lines), self._rules)
            if problem.rule is not None  # no rule: a syntax error, which the parser reports with a hint
        ]


def _rules(yaml_rules: str) -> Any:
    config = need("yamllint.config", feature="checking with yaml rules", extra="lint")
    try:
        if not yaml_rules:
            return config.YamlLintConfig(_BUILT_IN_RULES)
        return config.YamlLintConfig(Path(yaml_rules).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, config.YamlLintConfigError) as error:
        raise ConfigError(
            f"the yaml rules {yaml_rules} cannot be used: {error}", hint="name a yamllint configuration file"
        ) from error


def _line_faults(path: str, lines: list[str]) -> list[Fault]:
    """Lines too long, and white space at the end of lines."""
    found = []
    for number, line in enumerate(lines, start=1):
        if len(line) > LINE_LENGTH:
            found.append(
                (number, LINE_LENGTH + 1, f"line too long ({len(line)} > {LINE_LENGTH} characters) (line-length)")
            )
        if re.search(r"[ \t]$", line):
            found.append((number, len(line.rstrip()) + 1, "trailing spaces (trailing-spaces)"))
    return [Fault(path=path, line=row, column=column, message=text, severity="warning") for row, column, text in found]


def _attribution_faults(file: Path) -> list[Fault]:
    attribution = file.with_name(ATTRIBUTION)
    if attribution.is_file() and attribution.stat().st_size:
        return []
    state = "is empty" if attribution.is_file() else "is missing"
    message = f"{ATTRIBUTION} {state}"
    hint = "write title, link, licence and creators of the sources into it, beside the qna.yaml"
    return [Fault(path=str(file), message=message, hint=hint, severity="warning")]
