"""Every text can be written as a YAML value, within the limits of style, and is read back exactly."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ilab.taxonomy.scalars import quoted, written

PIECES = [
    "word ",
    "a" * 130,
    " ",
    "  ",
    "\n",
    "\n\n\n",
    "---",
    "# x",
    "k: v",
    "- x",
    "\\",
    '"',
    "'",
    "\t",
    "true",
    "1",
    "é",
]
ODD = st.sampled_from("ab #:-'\"\\\n\t |>&*!%@`{}[],?~ \x85\u2028\u00a0\ufeff😀é")
TEXTS = st.one_of(
    st.text(st.one_of(ODD, st.characters(codec="utf-8")), max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
)


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.integers(1, 12), st.integers(3, 60))
def test_what_is_written_is_read(text: str, indent: int, column: int) -> None:
    for value in (written(text, column=column, indent=indent), quoted(text, column=column, indent=indent)):
        content = f"k:{' ' * (column - 2)}{value}\nend: x\n"
        assert yaml.safe_load(content) == {"k": text, "end": "x"}
        assert all(len(line) <= 120 and line == line.rstrip(" \t") for line in content.split("\n"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("What is it?", "What is it?"),
        ("true", '"true"'),
        ("a: b", '"a: b"'),
        ("", '""'),
        (" a", '" a"'),
        ("a\nb", "|-\n    a\n    b"),
        ("a\nb\n", "|\n    a\n    b"),
        ("a #b\n\n- c\n", "|\n    a #b\n\n    - c"),
        ("word " * 30 + "end", ">-\n    " + "word " * 18 + "word\n    " + "word " * 10 + "word end"),
        ("x" * 300 + "\n", None),
    ],
)
def test_the_form_is_the_one_that_reads_best(text: str, value: str | None) -> None:
    found = written(text, column=10, indent=4)
    assert found == value if value is not None else found.startswith('"x')
