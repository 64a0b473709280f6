"""TaxonomySettings: which taxonomy, which part of it, how strictly it is checked."""

from __future__ import annotations

from pydantic import BaseModel, Field, JsonValue

OUTSIDE_KEY: dict[str, JsonValue] = {"outside_key": True}
"""Schema mark of a setting that cannot change results; the content that is read counts, not where it lies."""


class TaxonomySettings(BaseModel, extra="forbid", frozen=True):
    """Which taxonomy is read, and how it is checked."""

    path: str = Field("", json_schema_extra=OUTSIDE_KEY)
    """Folder of the taxonomy, or one qna.yaml; empty for the taxonomy in the data folder."""
    base: str = "empty"
    """Git branch, tag or commit to compare with: only leaves changed since then are used; `empty` uses all."""
    strict: bool = Field(False, json_schema_extra=OUTSIDE_KEY)
    """Treat warnings (long lines, trailing spaces, missing attribution.txt) as errors."""
    yaml_rules: str = Field("", json_schema_extra=OUTSIDE_KEY)
    """File with yamllint rules to check with, instead of the built-in ones."""
