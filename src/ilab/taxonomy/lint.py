"""Every finding of a leaf or a whole taxonomy at once: the schema, the documented limits, and the style of the YAML."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ilab.errors import Fault
from ilab.taxonomy import qna, rules
from ilab.taxonomy.clean_yaml import is_clean
from ilab.taxonomy.leaf import TOP_FOLDERS, Leaf
from ilab.taxonomy.style import Style
from ilab.taxonomy.tree import QNA, find

LINE_LENGTH = 120
ATTRIBUTION = "attribution.txt"
_TOO_DEEP = ("nesting", "alias-size")
"""After a finding of these, yamllint would take hours; the file cannot be used anyway."""


def lint(path: Path, *, yaml_rules: str = "", strict: bool = False) -> list[Fault]:
    """All findings of the taxonomy, folder or file `path`, sorted. `strict` makes every warning an error."""
    linter = Linter(yaml_rules)
    tree = find(path)
    found = [*tree.faults]
    if not tree.files:
        hint = f"put leaves into {', '.join(f'{name}/' for name in TOP_FOLDERS)}"
        found.append(rules.fault("no-leaf", path=str(path), message=f"no {QNA} found below this folder", hint=hint))
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
        self._style = Style(yaml_rules)

    def file(self, file: Path, *, leaf: str) -> tuple[Leaf | None, list[Fault]]:
        """The leaf (None if it has errors) and every finding of one qna.yaml."""
        parsed = qna.parse(file, leaf=leaf)
        found = self.findings(parsed, file=file)
        if parsed.version > 1:
            found += _attribution_faults(file)
        return parsed.leaf, sorted(set(found))

    def findings(self, parsed: qna.Parsed, *, file: Path) -> list[Fault]:
        """What was found while `file` was parsed, and the style of its lines; version 1 is spared yamllint."""
        found = [*parsed.faults, *_line_faults(str(file), parsed.lines)]
        return found + self._style_faults(str(file), parsed) if parsed.version > 1 else found

    def _style_faults(self, path: str, parsed: qna.Parsed) -> list[Fault]:
        if not parsed.lines or any(fault.rule in _TOO_DEEP for fault in parsed.faults):
            return []
        text = "\n".join(parsed.lines)
        if self._style.built_in and parsed.plain and is_clean(text):
            return []
        return self._style.faults(text, path=path)


def _line_faults(path: str, lines: list[str]) -> list[Fault]:
    """Lines too long, and white space at the end of lines."""
    found = []
    for number, line in enumerate(lines, start=1):
        if len(line) <= LINE_LENGTH and not line.endswith((" ", "\t")):
            continue
        if len(line) > LINE_LENGTH:
            message = f"line too long ({len(line)} > {LINE_LENGTH} characters)"
            column = LINE_LENGTH + 1
            found.append(rules.fault("line-length", path=path, line=number, column=column, message=message))
        if line.endswith((" ", "\t")):
            column, message = len(line.rstrip(" \t")) + 1, "trailing spaces"
            found.append(rules.fault("trailing-spaces", path=path, line=number, column=column, message=message))
    return found


def _attribution_faults(file: Path) -> list[Fault]:
    attribution = file.with_name(ATTRIBUTION)
    try:
        size = attribution.stat().st_size if attribution.is_file() else -1
    except OSError:
        size = -1
    if size > 0:
        return []
    message = f"{ATTRIBUTION} {'is empty' if size == 0 else 'is missing'}"
    hint = "write title, link, licence and creators of the sources into it, beside the qna.yaml"
    return [rules.fault("attribution", path=str(file), message=message, hint=hint)]
