"""Mending changes how a qna.yaml looks and never what it says."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ilab.taxonomy.edits import meaning
from ilab.taxonomy.lint import Linter
from ilab.taxonomy.mend import mend

LONG = "a fairly long line of words that goes on and on " * 4
EXAMPLES = "".join(f"  - question: What is {n}?\n    answer: It is {n}.\n" for n in range(5))
SKILL = f"version: 3\ncreated_by: me\ntask_description: Say it.\nseed_examples:\n{EXAMPLES}"
STYLE = ("trailing-spaces", "line-length", "empty-lines", "new-line-at-end", "colons", "commas", "hyphens", "brackets")


def mended(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    result = mend(data)
    assert result is not None
    return result.after


def findings(text: str, folder: Path) -> list[str]:
    file = folder / "compositional_skills" / "a" / "qna.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, newline="")
    file.with_name("attribution.txt").write_text("Title of work: none\n")
    return [str(fault) for fault in Linter().file(file, leaf="compositional_skills/a")[1]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\ufeffa: b\n", "a: b\n"),
        ("a: b\r\nc: d\r\n", "a: b\nc: d\n"),
        ("a: b\rc: d\r", "a: b\nc: d\n"),
        ("a: b  \nc: d\t\n", "a: b\nc: d\n"),
        ("a: |\n  one  \n   \n  two\t\n", "a: |\n  one\n\n  two\n"),
        ("\n\n\na: b\n", "a: b\n"),
        ("a: b\n\n\n", "a: b\n"),
        ("a: b\n\n\n\n\nc: d\n", "a: b\n\n\nc: d\n"),
        ("a: |\n  one\n\n\n\n\n  two\n", "a: |\n  one\n\n\n\n\n  two\n"),
        ("a: b", "a: b\n"),
        ("a: |\n  b", "a: |-\n  b\n"),
        ("a: |+\n  b", "a: |-\n  b\n"),
        ("a:   b\nc : d\n", "a: b\nc: d\n"),
        ("a: [  b ,c,   d ]\n", "a: [ b, c, d ]\n"),
        ("a: {b: &x c, *x : d}\n", "a: {b: &x c, *x : d}\n"),
        ("a:\n  -   b: c\n      # why\n      d: e\n  - f\n", "a:\n  - b: c\n    # why\n    d: e\n  - f\n"),
        ("a:\n  -  -   b\n     - c\n", "a:\n  - - b\n    - c\n"),
        ("a:\n\t- b\n", "a:\n  - b\n"),
        ("document:\n  patterns: a.md # all\n", "document:\n  patterns: [a.md] # all\n"),
        ("document:\n  patterns: 'a b.md'\n", "document:\n  patterns: ['a b.md']\n"),
        ("document:\n  patterns: '{a,b}.md'\n", "document:\n  patterns: ['{a,b}.md']\n"),
        ("# one  \na: b # two \n", "# one\na: b # two\n"),
    ],
)
def test_each_slip_is_mended(before: str, after: str) -> None:
    assert mended(before) == after
    assert mended(after) == after


@pytest.mark.parametrize(
    "value",
    [
        LONG.strip(),
        f"'{LONG}it''s'",
        f'"{LONG}\\" tab\\t {"x" * 150}"',
        f"|\n  {LONG.strip()}\n  short\n\n  {LONG.strip()}\n",
        f"|-\n  {LONG.strip()}\n",
        f"|+\n  {LONG.strip()}\n\n",
        f">\n  {LONG.strip()}\n",
        f"|2\n  {LONG.strip()}\n",
        f"| # why\n    {LONG.strip()}\n",
        "[" + ", ".join(f"pattern{n}.md" for n in range(30)) + "]",
        "{" + ", ".join(f"key{n}: 'value {n}'" for n in range(30)) + "}",
    ],
)
def test_lines_that_are_too_long_are_folded(value: str) -> None:
    before = f"a: {value}\nb: c # kept\n"
    after = mended(before)
    assert max(map(len, after.splitlines())) <= 120
    assert yaml.safe_load(after) == yaml.safe_load(before)
    assert after.endswith("b: c # kept\n") and ("# why" in after) == ("# why" in before)


@pytest.mark.parametrize(
    "before",
    [
        f"a: |\n  {'x' * 130}\n",
        f"a: |\n  code:\n    {LONG.strip()}\n",
        f"# {LONG.strip()}\na: b\n",
        f"a: {'x' * 130}\n",
    ],
)
def test_what_cannot_be_folded_stays(before: str) -> None:
    assert mended(before) == before


@pytest.mark.parametrize(
    "data", [b"", b"\n \n", b"a: b: c\n", b"a: '\n", b"\xff\xfea", b"a: \xff\n", b"[" * 10**6, b"a: [" * 10**5]
)
def test_what_cannot_be_read_is_not_mended(data: bytes) -> None:
    assert mend(data) is None


def test_a_tab_that_could_mean_several_things_is_left() -> None:
    assert mend(b"a:\n  b:\n\tc: d\n") is None
    assert mended("a:\n\tb: c\n    d: e\n") == "a:\n    b: c\n    d: e\n"


def test_no_finding_of_style_is_left(tmp_path: Path) -> None:
    pytest.importorskip("yamllint")
    untidy = SKILL.replace("It is 1.", LONG).replace("  - ", "  -  ", 1).replace("    answer", "     answer", 1)
    untidy = ("\ufeff\n" + untidy.replace("by: me", "by :  me   ") + "\n\n").replace("\n", "\r\n")
    assert len(findings(untidy, tmp_path)) > 5
    assert findings(mended(untidy), tmp_path) == []


WORDS = st.lists(
    st.sampled_from(["word", "long" * 40, "a: b", "#", "- x", "é", "'", '"', "\\", "", "{", "|", "%"]), max_size=40
)
LINES = st.lists(WORDS.map(" ".join), min_size=1, max_size=4)
ENDS = st.sampled_from(["", "", "", " ", "   ", "\t"])


@st.composite
def values(draw: st.DrawFn, indent: int) -> str:
    """A value in any style; many are not YAML at all."""
    style = draw(st.sampled_from(["plain", "'", '"', "|", "|-", "|+", ">", ">-", ">+", "[", "|2"]))
    lines = draw(LINES)
    pad = "\n" + " " * indent
    if style[0] in "|>":
        lines.insert(0, "word")  # blank lines alone have an indentation of their own for YAML
        return style + draw(ENDS) + "".join(f"{pad}{draw(ENDS)}{line}{draw(ENDS)}" for line in lines)
    text = pad.join(lines)
    if style == "[":
        return (
            "["
            + draw(st.sampled_from([",", ", ", " ,  "])).join(f"'{line}'" for line in lines if "'" not in line)
            + "]"
        )
    return text if style == "plain" else style + text + style


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file like a qna.yaml with all kinds of slips."""
    gap = draw(st.integers(1, 3)) * " "
    text = draw(st.sampled_from(["", "\n", "# note  \n", "\n\n"]))
    for name in draw(st.lists(st.sampled_from("abcd"), max_size=3, unique=True)):
        text += f"{name}:{gap}{draw(values(2))}{draw(ENDS)}" + "\n" * draw(st.integers(1, 5))
    text += f"list:{draw(ENDS)}\n"
    for _ in range(draw(st.integers(0, 3))):
        dash = " " * draw(st.integers(1, 4))
        inner = " " * (3 + len(dash))
        text += f"  -{dash}question:{gap}{draw(values(len(inner) + 2))}{draw(ENDS)}\n"
        text += f"{inner}answer:{gap}{draw(values(len(inner) + 2))} #c\n" + draw(ENDS) + "\n" * draw(st.integers(0, 4))
    return text if draw(st.booleans()) else text.rstrip("\n")


@settings(max_examples=300, deadline=None)
@given(files())
def test_what_a_file_says_stays_and_mending_twice_is_mending_once(text: str) -> None:
    result = mend(text.encode())
    if result is None:
        assert meaning(text) is None or not text.strip()
        return
    assert meaning(result.after) == (meaning(text) or meaning(result.after))  # tabs may have kept it from being read
    assert result.after.count("#c") >= text.count("#c\n")
    again = mend(result.after.encode())
    assert again is not None and again.after == result.after and not again.changed
    assert all(line == line.rstrip(" \t") for line in result.after.split("\n"))
    assert result.after.endswith("\n")


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abc"), st.text(st.characters(codec="utf-8"), max_size=200)), st.integers(20, 300)
)
def test_any_text_survives(values: dict[str, str], width: int) -> None:
    before = yaml.safe_dump(values, allow_unicode=True, width=width)
    result = mend(before.encode())
    if result is not None:
        assert meaning(result.after) == meaning(before)
