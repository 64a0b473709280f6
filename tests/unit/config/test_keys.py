"""Flat keys of nested settings, and what a typed text means for each type."""

from typing import Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from ilab.config import keys


class Inner(BaseModel):
    """Inside."""

    rank: int = 4
    """Rank of the matrices."""


class Outer(BaseModel):
    """Outside."""

    inner: Inner = Inner(rank=8)
    count: int | Literal["auto"] = "auto"
    """How many."""
    names: tuple[str, ...] = ("a",)
    limit: int | None = None
    either: int | str = 1
    token: SecretStr = SecretStr("")
    table: dict[str, int] = Field(default_factory=dict)


def test_keys_are_dotted_with_the_default_of_the_instance():
    found = keys.keys(Outer)
    assert list(found) == ["inner.rank", "count", "names", "limit", "either", "token", "table"]
    assert found["inner.rank"].default == 8
    assert found["inner.rank"].doc == "Rank of the matrices."
    assert found["token"].secret and not found["count"].secret
    assert keys.sections(Outer) == {"inner"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "4", "4"),
        ("names", "a, b", ["a", "b"]),
        ("names", "[a, 'b, c']", ["a", "b, c"]),
        ("limit", "", None),
        ("limit", "5", "5"),
        ("either", "5", 5),
        ("either", "five", "five"),
        ("table", "{x: 1}", {"x": 1}),
    ],
)
def test_text_of_a_flag_or_variable(name, text, value):
    assert keys.from_text(keys.keys(Outer)[name], text) == value
