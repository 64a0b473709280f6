"""Documents that other programs wrote, to Markdown. `tests/fixtures/documents/make.py` says how they were made."""

import re
import struct
import zipfile
from pathlib import Path

import pytest

from ilab.base import lazy
from ilab.base.report import ListReporter
from ilab.documents.convert import convert
from ilab.documents.formats import FORMATS
from ilab.documents.formats.markdown_writer import MarkdownWriter, escape
from ilab.documents.inline import to_plain
from ilab.documents.markdown import markdown_to_text
from ilab.documents.source import DocumentFile
from ilab.errors import MissingExtra, SourceError

FIXTURES = Path(__file__).parents[2] / "fixtures" / "documents"
WHOLE = ["pandoc.docx", "python-docx.docx", "writer.docx", "writer.pdf", "pandoc.epub", "pandoc.adoc"]
SLIDES = ["pandoc.pptx", "impress.pptx"]
TABLE = [
    "| Item | Unit | January | July |",
    "| --- | --- | --- | --- |",
    "| Lamp oil | litres | 410 | 185 |",
    "| Wicks | pieces | 24 | 12 |",
    "| Mercury | kg | 130 | 130 |",
    "| Soap (Größe L) | bars | 9 | 4 |",
]
LIST = [
    "- Trim the wick and clean the glass of the lamp.",
    "- Wind up the clockwork:",
    "    - release the brake,",
    "    - turn the crank until the bell rings.",
    "- Write wind, sea and visibility into the log.",
]
STEPS = ["1. Close the shutters on the landward side.", "2. Lower the curtain around the lens.", "3. Sign the log."]
CODE = [
    "def litres(hours, lamps=1):",
    "    # one lamp burns 0.7 litres an hour",
    "    return hours * lamps * 0.7",
    "```",
]
HEADINGS = [
    "# The Lighthouse of Ørsund",
    "## The tower",
    "### The lantern",
    "### The fog signal",
    "## Duties of the keeper",
    "## Stores",
    "## The end of the service",
]


def markdown(path: Path, report: ListReporter | None = None) -> str:
    read = lazy.resolve(FORMATS[path.suffix].target)
    return read(path, report=report or ListReporter(), where=path.name)


def figures(report: ListReporter) -> dict[str, float]:
    return {event["name"]: event["value"] for event in report.events if event["kind"] == "metric"}


def refused(path: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        markdown(path)
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value


def block(text: str, first: str, count: int) -> list[str]:
    lines = text.splitlines()
    place = lines.index(first)
    return lines[place : place + count]


def source_paragraphs() -> list[str]:
    """The paragraphs of the source, as words."""
    text = (FIXTURES / "lighthouse.md").read_text().split("---\n", 2)[2]
    return [part for part in text.split("\n\n") if part and part[0].isalpha() and not part.startswith("[^")]


def words(text: str) -> str:
    text = re.sub(r"\[\^\w+\]|[*`\\]", "", text).replace("’", "'")
    return " ".join(re.findall(r"[\w.'“”_-]+", text))


@pytest.mark.parametrize("name", WHOLE)
def test_a_document_keeps_its_headings_lists_tables_code_and_every_word(name: str) -> None:
    report = ListReporter()
    text = markdown(FIXTURES / name, report)
    assert [line for line in text.splitlines() if line.startswith("#")] == HEADINGS
    assert block(text, TABLE[0], 7) == [*TABLE, ""]
    assert block(text, LIST[0], 6) == [*LIST, ""]
    assert block(text, STEPS[0], 4) == [*STEPS, ""]
    assert block(text, CODE[0], 4) == CODE
    said = {words(line) for line in text.splitlines()}
    for paragraph in source_paragraphs():
        assert words(paragraph) in said
    assert figures(report)["tables"] == 1


@pytest.mark.parametrize("name", SLIDES)
def test_slides_keep_their_titles_lists_tables_and_code(name: str) -> None:
    text = markdown(FIXTURES / name)
    titles = [heading.lstrip("# ") for heading in HEADINGS]
    assert [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")] == [*titles, "Notes"]
    assert block(text, TABLE[0], 7) == [*TABLE, ""]
    assert block(text, LIST[0], 6) == [*LIST, ""]
    assert block(text, STEPS[0], 4) == [*STEPS, ""]
    assert block(text, CODE[0], 4) == CODE


def test_slides_printed_as_pdf_keep_lists_tables_and_code() -> None:
    text = markdown(FIXTURES / "impress.pdf")
    assert block(text, TABLE[0], 7) == [*TABLE, ""]
    assert block(text, LIST[0], 6) == [*LIST, ""]
    assert block(text, CODE[0], 4) == CODE


def test_a_deck_of_python_pptx_with_notes_and_a_chart() -> None:
    report = ListReporter()
    text = markdown(FIXTURES / "python-pptx.pptx", report)
    assert "# The Lighthouse of Ørsund\n\nA handbook\n" in text
    assert "- Wind up the clockwork:\n    - release the brake,\n    - turn the crank.\n" in text
    assert "Notes: Show the clockwork.\n\nThen the bell.\n" in text
    assert "## Oil\n\n|  | litres |\n| --- | --- |\n| January | 410 |\n| July | 185.5 |\n" in text
    assert figures(report) == {"pages": 5, "empty_pages": 1, "tables": 2}


@pytest.mark.parametrize("name", ["pandoc.docx", "pandoc.epub", "pandoc.adoc"])
def test_footnotes_are_footnotes_of_markdown(name: str) -> None:
    text = markdown(FIXTURES / name)
    assert "in clear weather.[^1]\n" in text
    assert "\n[^1]: The range was measured in 1901 from the deck of a pilot boat.\n" in text
    assert "pilot boat" not in markdown_to_text(text)


@pytest.mark.parametrize("name", [*WHOLE, *SLIDES, "columns.pdf", "hyphens.pdf"])
def test_what_is_read_is_a_document_with_all_its_blocks_in_the_markdown(name: str, tmp_path: Path) -> None:
    file = DocumentFile(name=name, origin=name, path=FIXTURES / name)
    document = convert(file, leaf="knowledge/coast", cache_dir=tmp_path)
    assert document.original == markdown(FIXTURES / name)
    assert all(0 <= start <= len(document.original) for _, start in document.places)
    if "a * b < c & d" in document.original:
        assert "an error; a * b < c & d is only arithmetic." in document.text


def test_a_page_of_html_says_the_same() -> None:
    file = DocumentFile(name="pandoc.html", origin="pandoc.html", path=FIXTURES / "pandoc.html")
    text = convert(file, leaf="", cache_dir=Path("unused")).text
    assert [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")][:7] == [
        heading.lstrip("# ") for heading in HEADINGS
    ]
    assert all(row in text for row in TABLE if "---" not in row)


def test_running_heads_and_page_numbers_of_a_pdf_are_left_out() -> None:
    text = markdown(FIXTURES / "writer.pdf") + markdown(FIXTURES / "columns.pdf") + markdown(FIXTURES / "hyphens.pdf")
    for out in ("Handbook", "Page", "Annals", "– 1 –", "almanac", "Chapter", "41"):
        assert not [line for line in text.splitlines() if line.startswith(out)]


def test_two_columns_are_read_one_after_the_other() -> None:
    lines = markdown(FIXTURES / "columns.pdf").splitlines()
    titles = [line for line in lines if line.startswith("#")]
    assert titles == [HEADINGS[0], *HEADINGS[1:], *HEADINGS[1:]]
    said = [words(line) for line in lines]
    for paragraph in source_paragraphs():
        if "灯台" not in paragraph:
            assert said.count(words(paragraph)) == 2


def test_parted_words_are_joined_and_hyphens_that_belong_to_a_word_stay() -> None:
    text = markdown(FIXTURES / "hyphens.pdf")
    assert text.startswith(
        "The lighthouse was visible from the other shore. A well-known painter, one Anna-Lovise Berg, drew the "
        "lighthouse in 1880; her picture shows a well-known rock.\n\n"
        "The keeper read the log of the lighthouse every day.\n\n| Year | Ships |\n"
    )


def test_a_table_over_several_pages_is_one_and_has_one_head() -> None:
    report = ListReporter()
    rows = [line for line in markdown(FIXTURES / "hyphens.pdf", report).splitlines() if line.startswith("|")]
    assert rows[:2] == ["| Year | Ships |", "| --- | --- |"]
    assert [row.split()[1] for row in rows[2:]] == [str(1900 + number) for number in range(110)]
    assert figures(report)["tables"] == 1
    assert [event["done"] for event in report.events if event["kind"] == "progress"] == [1, 2, 3, 4, 5]


def test_a_pdf_with_a_password_without_text_or_damaged_says_how_to_mend_it(tmp_path: Path) -> None:
    assert "protected by a password" in refused(FIXTURES / "locked.pdf").message
    scanned = refused(FIXTURES / "scanned.pdf")
    assert "has no text on its 2 pages" in scanned.message and "ocrmypdf" in scanned.hint
    whole = (FIXTURES / "writer.pdf").read_bytes()
    for name, data in {
        "empty": b"",
        "text": b"no PDF at all",
        "half": whole[: len(whole) // 2],
        "zeros": bytes(5000),
    }.items():
        (tmp_path / f"{name}.pdf").write_bytes(data)
        assert "damaged" in refused(tmp_path / f"{name}.pdf").message


@pytest.mark.parametrize("name", ["pandoc.docx", "python-pptx.pptx", "pandoc.epub"])
def test_a_damaged_archive_is_refused(name: str, tmp_path: Path) -> None:
    data, suffix = (FIXTURES / name).read_bytes(), Path(name).suffix
    for number, wrong in enumerate((b"", b"text", data[: len(data) // 2], data[:500] + bytes(500) + data[1000:])):
        file = tmp_path / f"wrong{number}{suffix}"
        file.write_bytes(wrong)
        assert "damaged" in refused(file).message
    old = tmp_path / f"old{suffix}"
    old.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert "protected by a password" in refused(old).message


@pytest.mark.parametrize("name", ["pandoc.docx", "python-pptx.pptx", "pandoc.epub"])
def test_a_hostile_archive_is_refused(name: str, tmp_path: Path) -> None:
    suffix = Path(name).suffix

    def with_file(kind: str, inner: str, data: bytes) -> Path:
        file = tmp_path / f"{kind}{suffix}"
        with zipfile.ZipFile(FIXTURES / name) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
            for each in source.infolist():
                target.writestr(each, source.read(each))
            target.writestr(inner, data)
        return file

    assert "times its size" in refused(with_file("bomb", "big.bin", bytes(30_000_000))).message
    assert "leads out of it" in refused(with_file("out", "../../evil.xml", b"<a/>")).message
    assert "leads out of it" in refused(with_file("absolute", "/etc/evil", b"")).message
    bomb = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
    assert "declares entities" in refused(with_file("entities", "custom/bomb.xml", bomb)).message
    wide = bomb.decode().encode("utf-16")
    assert "declares entities" in refused(with_file("wide", "custom/wide.xml", wide)).message


def test_an_archive_that_states_too_many_bytes_is_refused_without_unpacking(tmp_path: Path) -> None:
    file = tmp_path / "huge.docx"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    data = bytearray(file.read_bytes())
    place = data.index(b"PK\x01\x02")
    data[place + 20 : place + 28] = struct.pack("<II", 4_000_000_000, 4_000_000_000)
    file.write_bytes(bytes(data))
    assert "would unpack to 4,000,000,000 bytes" in refused(file).message


def test_a_book_protected_against_copying_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "locked.epub"
    with zipfile.ZipFile(FIXTURES / "pandoc.epub") as source, zipfile.ZipFile(file, "w") as target:
        for each in source.infolist():
            target.writestr(each, source.read(each))
        chapter = next(name for name in source.namelist() if "ch001" in name)
        target.writestr("META-INF/encryption.xml", f'<e><CipherReference URI="{chapter}"/></e>')
    assert "protected against copying" in refused(file).message


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in {"pdfplumber": "writer.pdf", "mammoth": "writer.docx", "pptx": "pandoc.pptx"}.items():
        monkeypatch.setitem(__import__("sys").modules, module, None)
        with pytest.raises(MissingExtra) as caught:
            markdown(FIXTURES / name)
        assert caught.value.hint == "pip install 'openilab[docs]'"


# --- AsciiDoc ---


def adoc(tmp_path: Path, text: str, report: ListReporter | None = None) -> str:
    file = tmp_path / "page.adoc"
    file.write_text(text)
    return markdown(file, report)


def test_asciidoc_header_attributes_and_conditions(tmp_path: Path) -> None:
    text = (
        "= Kiln {version}\nJane Doe <jane@example.com>\nv1.0, 2024\n:version: 2\n:toc:\n\n// no text\n"
        "ifdef::draft[]\nDraft.\nendif::[]\nifndef::draft[]\nFinal {version} {unknown}.\nendif::[]\n"
        'ifdef::toc[One line.]\n\nifeval::["{version}" == "3"]\nThree.\nendif::[]\n////\nno text\n////\nLast.\n'
    )
    assert adoc(tmp_path, text) == "# Kiln 2\n\nFinal 2 {unknown}. One line.\n\nLast.\n"


def test_asciidoc_inside_a_line(tmp_path: Path) -> None:
    for written, read in {
        "*bold* and _slanted_ and `code_x` and #marked#": "bold and slanted and `code_x` and marked",
        "see https://example.com[the site^] or link:a.html[A, window=_blank]": "see the site or A",
        "plain https://example.com/a_b_c here": "plain https://example.com/a_b_c here",
        "press kbd:[Ctrl+C], image:x.png[Alt] menu:File[Save]": "press Ctrl+C, File > Save",
        "10^6^ and H~2~O, A -- B": "10^6 and H2O, A — B",
        "say \"`quoted`\" or ``old''": "say “quoted” or “old”",
        "snake_case_name and 2 * 3 * 4": "snake_case_name and 2 * 3 * 4",
        "<<End>> and <<End,the end>> and <<_the_end>>": "End and the end and The end",
        "a `+{literal}+` and +*no bold*+": "a `{literal}` and \\*no bold\\*",
        "C++ or {cpp}, ((term)) (((hidden)))": "C++ or C++, term",
    }.items():
        assert adoc(tmp_path, f"{written}\n\n== The end\n\nx\n").split("\n")[0] == read


def test_asciidoc_lists_blocks_and_tables(tmp_path: Path) -> None:
    report = ListReporter()
    text = """.Steps
. First
. Second
+
[source,bash]
----
ilab --help <1>
----
<1> the remark
. Third
.. below

Term:: Its text
  goes on.

WARNING: Hot.

[cols="1,2a"]
|===
|Name |Value

|a
|b with \\| in it

2+|wide
.2+|deep |x
|y
|===

____
To be.
____

include::more.adoc[]
image::big.png[]

Old title
---------

 indented
"""
    assert adoc(tmp_path, text, report).split("\n\n") == [
        "Steps",
        "1. First\n2. Second",
        "```bash\nilab --help\n```",
        "1. the remark\n3. Third\n    1. below\n        - Term: Its text goes on.",
        "Warning: Hot.",
        "| Name | Value |\n| --- | --- |\n| a | b with \\| in it |\n| wide |  |\n| deep | x |\n|  | y |",
        "To be.",
        "## Old title",
        "```\nindented\n```\n",
    ]
    warnings = [event["message"] for event in report.events if event["kind"] == "warning"]
    assert warnings == ["page.adoc includes more.adoc, which is not followed"]


# --- what is written ---


@pytest.mark.parametrize(
    "text",
    [
        "2 * 3 * 4, *args and **kwargs",
        "snake_case, __init__ and _x_",
        "a < b, <table> and <!-- no comment --> for <T>",
        "[x](y), [[wiki]], [^1] and [a][b]",
        "~~tilde~~, `ticks` and \\*backslash\\",
        "&amp; stays, AT&T too",
        "# no heading",
        "1985. A year",
        "- no item",
        "> no quote",
        "| no row |",
        "---",
        "[label]: no definition",
    ],
)
def test_plain_text_keeps_its_letters_when_it_is_read_as_markdown(text: str) -> None:
    writer = MarkdownWriter()
    writer.paragraph(escape(text))
    writer.paragraph("Next.")
    assert markdown_to_text(writer.text()) == f"{text}\n\nNext."
    assert to_plain(escape(text)) == text
