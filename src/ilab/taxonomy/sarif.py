"""Findings as SARIF 2.1.0, the form in which code hosts and editors take the findings of checkers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ilab.errors import Fault
from ilab.taxonomy import rules

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_BASE = "SRCROOT"
"""Name of the folder that all locations are relative to: the repository, where there is one."""


def report(findings: Sequence[Fault], *, root: Path, version: str) -> dict[str, Any]:
    """The log of one run over the taxonomy at `root`; the paths of `findings` are absolute, or relative to `root`.

    `version` is that of the program.
    """
    names = sorted({*rules.RULES, *(finding.rule for finding in findings)})
    places = {name: place for place, name in enumerate(names)}
    base = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    driver = {"name": "ilab", "version": version, "rules": [_rule(rules.of(name)) for name in names]}
    run = {
        "tool": {"driver": driver},
        "originalUriBaseIds": {_BASE: {"uri": base.as_uri() + "/"}},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(finding, places[finding.rule], file=root / finding.path, base=base) for finding in findings
        ],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: rules.Rule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "shortDescription": {"text": rule.sentence},
        "help": {"text": rule.mend},
        "defaultConfiguration": {"level": rule.severity},
        "properties": {"tags": [rule.about]},
    }


def _result(finding: Fault, place: int, *, file: Path, base: Path) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": _artifact(file, base)}
    if finding.line:
        location["region"] = {"startLine": finding.line}
        if finding.column:
            location["region"]["startColumn"] = finding.column
    return {
        "ruleId": finding.rule,
        "ruleIndex": place,
        "level": finding.severity,
        "message": {"text": f"{finding.message} - {finding.hint}" if finding.hint else finding.message},
        "locations": [{"physicalLocation": location}],
    }


def _artifact(file: Path, base: Path) -> dict[str, str]:
    """Where a file is: relative to `base`, or a URI of its own where it lies outside."""
    if not file.is_relative_to(base):
        return {"uri": file.as_uri()}
    return {"uri": quote(os.fsencode(file.relative_to(base))), "uriBaseId": _BASE}
