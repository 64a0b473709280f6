"""Markdown, HTML and text files to plain text with headings."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilab.documents.blocks import join
from ilab.documents.convert import convert, read_plain
from ilab.documents.html_text import read_html
from ilab.documents.markdown import markdown_to_text
from ilab.documents.source import DocumentFile
from ilab.errors import SourceError


def html_to_text(page: str) -> str:
    return join(read_html(page)).text


def plain_text(text: str) -> str:
    return join(read_plain(text)).text


EXAMPLE = Path(__file__).parents[3] / "examples" / "phoenix" / "documents" / "phoenix_constellation.md"


def test_a_wikipedia_page_becomes_prose() -> None:
    page = (
        '# Phoenix (constellation)\n\n**Phoenix** is a minor [constellation](constellation "wikilink") in the\n'
        '[southern sky](southern_sky "wikilink"). Named after the mythical\n'
        '[phoenix](Phoenix_(mythology) "wikilink"), see *[Uranometria](Uranometria "wikilink")* by [Nicolas Louis de\n'
        'Lacaille](Nicolas_Louis_de_Lacaille "wikilink") from 23<sup>h</sup> 26.5<sup>m</sup>.[^1] At HD 142b\n'
        '([HD 142b](HD_142_b\n"wikilink")) 1.36 times.\n\n[^1]: A note that\n    goes on.\n'
    )
    assert markdown_to_text(page) == (
        "# Phoenix (constellation)\n\nPhoenix is a minor constellation in the southern sky. Named after the mythical "
        "phoenix, see Uranometria by Nicolas Louis de Lacaille from 23h 26.5m. At HD 142b (HD 142b) 1.36 times."
    )


@pytest.mark.skipif(not EXAMPLE.is_file(), reason="the example is not part of an installed package")
def test_the_shipped_page_has_no_markup_left() -> None:
    text = markdown_to_text(EXAMPLE.read_text())
    assert not [mark for mark in ("[", "]", "*", "<", ">", "wikilink", "_") if mark in text]
    assert text.count("\n## ") == 3
    assert "located 7.2 and 5.7 billion light years away respectively" in text


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("Title\n=====\n\nPart\n----\ntext", "# Title\n\n## Part\n\ntext"),
        ("## Closed ##\n# With {#id .class}", "## Closed\n\n# With"),
        ("---\ntitle: x\ntags:\n  - a\n---\nBody", "Body"),
        ("---\n\nBody stays.\n\n---\n\nThis too.", "Body stays.\n\nThis too."),
        ("a\n\n***\n\nb\n\n* * *\n\nc", "a\n\nb\n\nc"),
        ("- one\n  goes on\n- two\n  - inner\n\n3. three", "- one goes on\n- two\n  - inner\n3. three"),
        ("in the year\n1986. A great year\nfor wine", "in the year 1986. A great year for wine"),
        ("> quoted\n> text\n\nplain", "quoted text\n\nplain"),
        ("| a | **b** |\n|:--|--:|\n| 1 | [x](y) |", "| a | b |\n|---|---|\n| 1 | x |"),
        ("a | b\n--|--\n1 | 2\n\nafter", "a | b\n|---|---|\n1 | 2\n\nafter"),
        (
            "  Name    Size\n  ------ ------\n  Ankaa    2.4\n\nafter",
            "  Name    Size\n  ------ ------\n  Ankaa    2.4\n\nafter",
        ),
        ("```sh\n# not *a* heading\n\nls  -l\n```\nafter", "```sh\n# not *a* heading\n\nls  -l\n```\n\nafter"),
        ("text\n\n    code  *stays*\n    more\n\ntext", "text\n\n    code  *stays*\n    more\n\ntext"),
        ("![a *picture*](p.png) [![badge](b.svg)](link) text", "text"),
        (
            "[one][1] and [Two][] and [three] not [four]\n\n[1]: http://x\n[two]: y\n[three]: z",
            "one and Two and three not [four]",
        ),
        (
            "[prose] (in parentheses) and a[1](see above, please)",
            "[prose] (in parentheses) and a[1](see above, please)",
        ),
        ('[t](<a b> "x (y") [u](v (w)) [[Page|shown]] [[Only]]', "t u shown Only"),
        ("***both*** **bold *inner* bold** *it* __b__ _i_ ~~gone~~", "both bold inner bold it b i gone"),
        (
            "2 * 3 * 4, 2*3*4, snake_case_name, \\*literal\\*, f(*args)",
            "2 * 3 * 4, 2*3*4, snake_case_name, *literal*, f(*args)",
        ),
        ("`*code*` and ``a ` b`` stay", "`*code*` and ``a ` b`` stay"),
        ("10<sup>6</sup> km, CO<sub>2</sub>, cited<sup>[3]</sup><ref>Smith</ref>", "10^6 km, CO2, cited"),
        ("a &amp; b&nbsp;c, x < y and z > w, <https://x.org>", "a & b c, x < y and z > w, https://x.org"),
        ("one<br>two <b>three</b> <!-- hidden\n\nstill --> four", "one two three four"),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>", "| a | b |\n| 1 | 2 |"),
        ("term\u00ad\u200bs and\r\nlines\u2028here", "terms and lines here"),
        ("#hashtag is text", "#hashtag is text"),
        ("", ""),
    ],
)
def test_markdown(markdown: str, expected: str) -> None:
    assert markdown_to_text(markdown) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<title>Stars</title><h2>Ankaa</h2><p>An <b>orange</b>\ngiant.", "# Stars\n\n## Ankaa\n\nAn orange giant."),
        ("<head><title>T</title></head><body><h1>Stars</h1>x</body>", "# Stars\n\nx"),
        ("<head><title>T<body><p>x", "# T\n\nx"),
        ("<script>a<b</script><style>p{}</style><nav>menu</nav><p>x</p>", "x"),
        ("<ul><li>one<li><p>two</p><ul><li>in</ul></ul>after", "- one\n- two\n- in\n\nafter"),
        ("<table><tr><th>a<th>b<tr><td>1<td><p>2</p>3</table>x", "| a | b |\n| 1 | 2 3 |\n\nx"),
        ("<pre>if a:\n    b &lt; c\n</pre>", "```\nif a:\n    b < c\n```"),
        ("10<sup>6</sup>, 1<sup>st</sup>, so<sup class=r><a href=x><i>[</i>1<i>]</i></a></sup>.", "10^6, 1st, so."),
        ("a<br>b &amp; c<img src=x alt=y>", "a b & c"),
        ("<div>one<div>two</div>three</div>", "one\n\ntwo\n\nthree"),
    ],
)
def test_html(page: str, expected: str) -> None:
    assert html_to_text(page) == expected


def test_plain_text_joins_wrapped_lines_only() -> None:
    wrapped = "A line that is surely wrapped because it is long\nand its end.\n\n"
    short = "Ode\nto a star\n\n"
    listed = "- An entry that is long enough to be taken for wrapped\n- another\n\n"
    assert plain_text(wrapped + short + listed) == (
        "A line that is surely wrapped because it is long and its end.\n\nOde\nto a star\n\n" + listed.strip()
    )


def converted(folder: Path, name: str, data: bytes) -> str:
    (folder / name).write_bytes(data)
    file = DocumentFile(name=name, origin=name, path=folder / name)
    return convert(file, leaf="knowledge/stars", cache_dir=folder / "cache").text


def test_files_are_read_by_their_ending_and_their_encoding(tmp_path: Path) -> None:
    assert converted(tmp_path, "A.MD", b"\xef\xbb\xbf# T\n\n*x*") == "# T\n\nx"
    assert converted(tmp_path, "a.txt", "x é".encode("utf-16")) == "x é"
    assert converted(tmp_path, "a.htm", b'<meta charset="latin-1"><p>caf\xe9') == "café"


@pytest.mark.parametrize(
    ("name", "data", "message", "hint"),
    [
        (
            "a.xls",
            b"x",
            "a.xls (leaf knowledge/stars) cannot be read: the known formats are .md,",
            "convert",
        ),
        ("a", b"x", "cannot be read: the known formats are", "convert"),
        ("a.md", b"caf\xe9", "is not utf-8 text", "save it as UTF-8"),
        ("a.html", b"<meta charset=no-such>", "is not no-such text", "save it as UTF-8"),
        ("a.md", b"<!-- nothing -->\n", "has no text", "remove it from `patterns`"),
        (
            "a.md",
            b"version https://git-lfs.github.com/spec/v1\noid x",
            "is only a Git LFS pointer",
            "store the document",
        ),
    ],
)
def test_what_cannot_be_read_is_said_with_the_leaf(
    tmp_path: Path, name: str, data: bytes, message: str, hint: str
) -> None:
    with pytest.raises(SourceError) as caught:
        converted(tmp_path, name, data)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 1


marks = st.sampled_from(
    [
        "[",
        "](",
        ")",
        "*",
        "**",
        "_",
        "`",
        "```\n",
        "\n",
        "\n\n",
        "# ",
        "- ",
        "1. ",
        "|",
        "---",
        "<sup>",
        "</sup>",
        "<!--",
        "-->",
    ]
    + [
        "![",
        "[^1]",
        "[^1]: ",
        "[a]: b\n",
        "\\",
        "&amp;",
        "&#0;",
        "<table>",
        "</table>",
        "<td>",
        "> ",
        "    ",
        "word ",
        '"',
        "\x00",
        "<p",
    ]
)


@settings(max_examples=200)
@given(st.one_of(st.lists(marks, max_size=30).map("".join), st.text(max_size=200)))
def test_no_markup_makes_the_converters_raise(text: str) -> None:
    for converter in (markdown_to_text, html_to_text, plain_text):
        assert "\x00" not in converter(text)


@settings(max_examples=60)
@given(st.lists(st.from_regex(r"[a-zA-Z0-9]{1,9}[,.;]?", fullmatch=True), min_size=1, max_size=60), st.integers(20, 90))
def test_prose_loses_no_word_however_it_is_wrapped(words: list[str], width: int) -> None:
    lines, line = [], "Start"
    for word in words:
        if len(line) + len(word) >= width:
            lines.append(line)
            line = ""
        line += " " + word
    text = "\n".join([*lines, line])
    assert markdown_to_text(text).split() == ["Start", *words]


@pytest.mark.parametrize("unit", ["[", "*a ", "_a ", "<sup>", "[a](", "**", "`a ", "<!--", "![", "> ", "|a", "<ref "])
def test_hostile_repetitions_stay_fast(unit: str) -> None:
    markdown_to_text(unit * 3_000)
    html_to_text(unit * 1_000)
