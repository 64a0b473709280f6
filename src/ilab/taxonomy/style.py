"""The style of a file's YAML, as the library yamllint sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from ilab.base.lazy import need
from ilab.errors import ConfigError, Fault, MissingExtra
from ilab.taxonomy import rules

_FEATURE = "checking with yaml rules"
BUILT_IN_RULES = """
extends: relaxed
rules:
  anchors: disable
  key-duplicates: disable
  line-length: disable
  new-lines: disable
  trailing-spaces: disable
"""
"""Rules for yamllint; what is disabled here is checked by ourselves, with or without yamllint."""


class Style:
    """Checks files with yamllint's rules, the built-in ones or those of the file `yaml_rules`.

    The package yamllint is imported with the first file, for that takes longer than to check a small taxonomy. Without
    it nothing is found; but to ask for own rules without it is `MissingExtra`, and rules that cannot be used are
    `ConfigError`, both at once.
    """

    def __init__(self, yaml_rules: str = "") -> None:
        self.built_in = not yaml_rules
        self._config = None if self.built_in else _config(Path(yaml_rules))

    def faults(self, text: str, *, path: str) -> list[Fault]:
        """What yamllint finds in the content of the file at `path`."""
        return list(self._faults(text, path)) if self._linter else []

    @cached_property
    def _linter(self) -> ModuleType | None:
        try:
            linter = need("yamllint.linter", feature=_FEATURE, extra="lint")
        except MissingExtra:
            return None
        self._config = self._config or need("yamllint.config", feature=_FEATURE, extra="lint").YamlLintConfig(
            BUILT_IN_RULES
        )
        return linter

    def _faults(self, text: str, path: str) -> Iterator[Fault]:
        """One finding after the other. yamllint breaks off, as by an exception, where its own parser does."""
        assert self._linter is not None
        with suppress(yaml.YAMLError, ValueError, OverflowError):
            for problem in self._linter.run(text, self._config):
                if problem.rule is None:  # a syntax error, which the parser reports with a hint
                    continue
                yield Fault(
                    path=path,
                    line=problem.line,
                    column=problem.column,
                    message=problem.desc,
                    severity=rules.WARNING,
                    rule=problem.rule,
                )


def _config(file: Path) -> Any:
    """yamllint's own reading of a file with rules."""
    need("yamllint.linter", feature=_FEATURE, extra="lint")
    config = need("yamllint.config", feature=_FEATURE, extra="lint")
    try:
        return config.YamlLintConfig(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, config.YamlLintConfigError) as error:
        message = f"the yaml rules {file} cannot be used: {error}"
        raise ConfigError(message, hint="name a yamllint configuration file") from error
