"""Rows out of files become leaves: exact text, every row accounted for."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilab.errors import ConfigError, UserFileError
from ilab.taxonomy import import_rows
from ilab.taxonomy.import_rows import Row
from ilab.taxonomy.imports import Wanted, leaves_of
from ilab.taxonomy.leaf import DocumentSource
from ilab.taxonomy.qna import parse_bytes

FILE = Path("rows.csv")
SKILL = Wanted(into="compositional_skills/a", created_by="me")
KNOWLEDGE = Wanted(into="knowledge/a", created_by="me", document=DocumentSource(path="a.md"))


def rows_of(tmp_path: Path, content: str | bytes, **options: str) -> import_rows.Rows:
    file = tmp_path / "rows"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return import_rows.read(file, **options)


def read(tmp_path: Path, content: str | bytes, **options: str) -> list[tuple[int, str, str, str]]:
    found = rows_of(tmp_path, content, **options)
    assert found.faults == []
    return [(row.line, row.question, row.answer, row.context) for row in found.found]


@pytest.mark.parametrize(
    ("content", "row"),
    [
        ("question,answer\nq,a\n", (2, "q", "a", "")),
        ("Question ; ANSWER;context\nq;a, b;c\n", (2, "q", "a, b", "c")),
        ("question\tanswer\nq\ta\n", (2, "q", "a", "")),
        ("\ufeffquestion,answer\r\n\r\nq,a\r\n", (3, "q", "a", "")),
        ('question,answer\n"q ""x""\nline",a\n', (2, 'q "x"\nline', "a", "")),
        ("instruction,output\nq,a\n", (2, "q", "a", "")),
        ("question,answer\nq,a\n".encode("utf-16"), (2, "q", "a", "")),
        ('{"question": "q", "answer": "a"}\n', (1, "q", "a", "")),
        ('\n{"instruction": "q", "input": "c", "output": "a"}\n', (2, "q", "a", "c")),
        ('[\n{"instruction": "q", "input": "", "output": "a"}\n]\n', (2, "q", "a", "")),
        ('{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}', (1, "q", "a", "")),
        ('[{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}]', (1, "q", "a", "")),
        ('{\n"question": "q",\n"answer": "a"}', (1, "q", "a", "")),
        ('{"question": "q", "answer": "a\\r\\nb"}', (1, "q", "a\nb", "")),
        ("question,answer\nq," + "a" * 200_000 + "\n", (2, "q", "a" * 200_000, "")),
    ],
)
def test_every_form_is_read(tmp_path: Path, content: str | bytes, row: tuple[int, str, str, str]) -> None:
    assert read(tmp_path, content) == [row]


def test_another_encoding(tmp_path: Path) -> None:
    content = "question,answer\nqué?,sí\n".encode("cp1252")
    with pytest.raises(UserFileError) as caught:
        rows_of(tmp_path, content)
    (fault,) = caught.value.faults
    assert fault.line == 2 and "--encoding cp1252" in fault.hint
    assert read(tmp_path, content, encoding="cp1252") == [(2, "qué?", "sí", "")]
    with pytest.raises(UserFileError, match="cannot be imported"):
        rows_of(tmp_path, content, encoding="nonsense")


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("question,answer\n,a\n", 2, "no question"),
        ("question,answer\nq,\n", 2, "no answer"),
        ("question,answer\nq,a,b\n", 2, "3 cells, and there are 2 columns"),
        ("question,answer\nq,a\x07\n", 2, "U+0007"),
        ('{"question": 1, "answer": "a"}', 1, "its question is not text"),
        ('{"question": "q", "answer": "a"}\n[1]\n', 2, "not an object"),
        ('{"question": "q", "answer": "a"}\n{"question": q}\n', 2, "not JSON"),
        ('{"messages": "x"}', 1, "`messages` is not a list"),
        ('{"messages": [{"role": "tool", "content": "x"}]}', 1, "the role `tool`"),
        ('{"messages": [{"role": "user", "content": "x"}]}', 1, "not a question followed by its answer"),
        ('{"messages": [{"role": "user", "content": ["x"]}]}', 1, "no text in `content`"),
        (
            '[{"conversations": [' + '{"from": "human", "value": "q"}, ' * 2 + '{"from": "gpt", "value": "a"}]}]',
            1,
            "3 turns",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_a_finding(tmp_path: Path, content: str, line: int, says: str) -> None:
    (fault,) = rows_of(tmp_path, content).faults
    assert (fault.line, fault.severity) == (line, "warning") and says in fault.message


@pytest.mark.parametrize(
    ("content", "line"),
    [("", 0), ("a,b\nq,a\n", 1), ('question,answer\n"q,a\n', 2), ('[{"question": "q"},\n{]', 2), ("[1,\n", 2)],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(UserFileError) as caught:
        rows_of(tmp_path, content)
    assert [fault.line for fault in caught.value.faults] == [line]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    system = '{"messages": [{"role": "system", "content": "Be kind."}, '
    rows = rows_of(
        tmp_path, system + '{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "score": 1}'
    )
    assert (rows.systems, rows.unused, len(rows.found)) == (1, ["score"], 1)


def row(number: int, **values: str) -> Row:
    return Row(**{"line": number, "question": f"q{number}", "answer": f"a{number}", **values})  # type: ignore[arg-type]


def test_knowledge_is_grouped_by_context() -> None:
    rows = [row(n, context=f"c{n % 5}") for n in range(15)] + [row(20, context="x"), row(21), row(3, context="c3")]
    result = leaves_of(rows, file=FILE, wanted=KNOWLEDGE)
    assert result.errors == [] and result.counts == {"knowledge/a": 15}
    assert [(fault.line, fault.message) for fault in result.skipped] == [
        (3, "row not used: it is the same as the one on line 3"),
        (21, "row not used: it has no context, and knowledge needs one"),
        (20, "row not used: its context has one question, and 3 are needed"),
    ]
    parsed = parse_bytes(result.drafts["knowledge/a"].text().encode(), file=FILE, leaf="knowledge/a")
    assert parsed.leaf is not None and len(parsed.leaf.seeds) == 15


def test_too_few_rows_are_an_error() -> None:
    (fault,) = leaves_of([row(n) for n in range(4)], file=FILE, wanted=SKILL).errors
    assert fault.message == "compositional_skills/a would have 4 examples; 5 are needed"
    (fault,) = leaves_of([row(n, context="c") for n in range(3)], file=FILE, wanted=KNOWLEDGE).errors
    assert fault.message == "knowledge/a would have one context with 3 questions each; 5 are needed"


def test_knowledge_without_a_document_is_an_error() -> None:
    rows = [row(n, context=f"c{n % 5}") for n in range(15)]
    result = leaves_of(rows, file=FILE, wanted=Wanted(into="knowledge/a", created_by="me"))
    assert [fault.rule for fault in result.errors] == ["placeholder"] and "`path`" in result.errors[0].message


def test_a_skill_has_contexts_everywhere_or_nowhere() -> None:
    rows = [row(n, context="c") for n in range(5)] + [row(9)]
    result = leaves_of(rows, file=FILE, wanted=SKILL)
    assert result.errors == [] and [fault.line for fault in result.skipped] == [9]
    result = leaves_of(rows[::-1], file=FILE, wanted=SKILL)
    assert [fault.line for fault in result.skipped] == [4, 3, 2, 1, 0]


def test_leaves_by_column() -> None:
    rows = [row(n, leaf=("b" if n % 2 else "c/d")) for n in range(10)] + [row(11, leaf="No Good")]
    result = leaves_of(rows, file=FILE, wanted=SKILL)
    assert result.counts == {"compositional_skills/a/c/d": 5, "compositional_skills/a/b": 5}
    assert "use compositional_skills/a/no_good" in result.skipped[0].message
    with pytest.raises(ConfigError):
        leaves_of([row(1)], file=FILE, wanted=Wanted(into="nowhere"))


TEXT = st.text(st.one_of(st.sampled_from(" :#-'\"\n|>&*\t,;é"), st.characters(codec="utf-8")), min_size=1, max_size=80)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=5, max_size=7), st.booleans())
def test_texts_arrive_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], as_csv: bool
) -> None:
    file = tmp_path_factory.mktemp("import") / "rows"
    if as_csv:
        with file.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.writer(opened)
            writer.writerows([("question", "answer"), *pairs])
    else:
        lines = [json.dumps({"question": question, "answer": answer}) for question, answer in pairs]
        file.write_text("\n".join(lines))
    rows = import_rows.read(file)
    assert len(rows.found) + len(rows.faults) == sum(1 for pair in pairs if not as_csv or any(map(str.strip, pair)))
    result = leaves_of(rows.found, file=file, wanted=SKILL)
    if not result.drafts:
        return
    text = result.drafts["compositional_skills/a"].text()
    expected = dict.fromkeys((one.question.strip(), one.answer.strip()) for one in rows.found)
    parsed = parse_bytes(text.encode(), file=file, leaf="compositional_skills/a")
    if parsed.leaf is not None:
        assert [(seed.question.strip(), seed.answer.strip()) for seed in parsed.leaf.seeds] == list(expected)
    else:
        assert result.errors
