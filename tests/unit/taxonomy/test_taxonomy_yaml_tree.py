"""The YAML reader: places, duplicate keys, aliases, tags, encodings; nothing in a file can make it raise."""

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ilab.taxonomy.yaml_tree import canonical, read


def messages(data: bytes) -> list[str]:
    return [str(fault) for fault in read(data, path="qna.yaml").faults]


def test_every_value_knows_its_line_and_column() -> None:
    root = read(b"a: 1\nlist:\n  - x\n  - y: |\n      text\n", path="q").root
    assert root is not None
    second = root.entries["list"][1].items[1]
    key, value = second.entries["y"]
    assert (second.line, key.line, key.column, value.column, value.text) == (4, 4, 5, 8, "text\n")


def test_plain_values_keep_the_kind_that_yaml_gives_them() -> None:
    root = read(b'a: [1, 1.5, yes, ~, 2024-01-02, "1", text, !!str 1]', path="q").root
    assert root is not None
    kinds = [item.kind for item in root.entries["a"][1].items]
    assert kinds == ["whole number", "number", "true or false", "nothing", "date", "text", "text", "text"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: 1\nb: 2\na: 3\n", "q:3:1 error key `a` is given twice (key-duplicates) - first on line 1; remove one of"),
        (b"a: *b\n", "q:1:4 error alias `*b` has no anchor (undefined-alias) - if it is meant as text, put it in quot"),
        (b"a: &x [*x]\n", "q:1:8 error alias `*x` stands inside its own anchor (recursive-alias) - write the value ou"),
        (b"a: !!python/object:os.system x\n", "q:1:4 error the tag `tag:yaml.org,2002:python/object:os.system`"),
        (b"a: 1\n---\nb: 2\n", "q:2:1 error a second YAML document starts here"),
        (b"x: &x [a, 1]\ny:\n  <<: *x\n", "q:3:3 error `<<` takes a mapping, or a list of them (merge-key) - give it"),
        (b"[a, b]: 1\n", "q:1:1 error a key must be plain text"),
        (b"a: {{ b }}\n", "q:1:5 error a key must be plain text"),
        (b"a: What is it: this\n", "q:1:14 error syntax error: mapping values are not allowed here (syntax) - a value"),
        (b"a:\n\t- b\n", "q:2:1 error syntax error: found character '\\t' that cannot start any token (syntax) - a ta"),
        (b'a: "b\nc: d\n', "q:1:4 error syntax error: found unexpected end of stream (syntax) - a quote is opened"),
        (b"a: @b\n", "q:1:4 error syntax error: found character '@' that cannot start any token (syntax) - put the va"),
        (b"a: | (1)\n  b\n", "q:1:6 error syntax error: expected a comment or a line break, but found '('"),
        (b"a: ok\nb: caf\xe9\n", "q:2:7 error the byte 0xe9 is not UTF-8 text (encoding) - save the file as UTF-8"),
        (b"\xff\xfea\x00", "q:1 error the file is UTF-16 text (encoding) - save it as UTF-8"),
        (b"a: \x07\n", "q:1:4 error the character U+0007 is not allowed (unprintable) - delete it"),
        (b'a: "\\UFFFFFFFF"\n', "q:1:5 error syntax error: the escape `\\UFFFFFFFF` is no character (syntax) - check"),
        (b'a: 1\nb: "\\U00110000"\n', "q:2:5 error syntax error: the escape `\\U00110000` is no character (syntax) -"),
        (b"a: x\r\nb: y\r\n", "q:1 warning lines end in CRLF (new-lines) - save the file with Unix line ends"),
        (b"x" * (2**20 + 1), "q:1 error the file has 1048577 bytes; at most 1048576 are read"),
        ("a: |\n  b\u2028c\n".encode(), "which end"),
        (b"[" * 40, "q:1:33 error values are nested more than 32 deep"),
    ],
)
def test_each_fault_has_place_and_mend(content: bytes, expected: str) -> None:
    if expected == "which end":
        found = read(content, path="q").faults
        assert all("U+2028" in fault.hint for fault in found)
    else:
        assert str(read(content, path="q").faults[0]).startswith(expected)


def test_all_slips_of_one_kind_show_at_once() -> None:
    content = b"a: x: y\nb: | (1)\n  text\nc: z: w\n"
    assert [fault.line for fault in read(content, path="q").faults] == [1, 2, 4]


def test_a_mended_block_header_keeps_the_values() -> None:
    root = read(b"a: | (1)\n  text\nb: c\n", path="q").root
    assert root is not None
    assert root.entries["a"][1].text == "text\n"


def test_byte_order_mark_and_crlf_do_not_change_the_values() -> None:
    plain = read(b"a: |\n  x\n  y\n", path="q").root
    dressed = read(b"\xef\xbb\xbfa: |\r\n  x\r\n  y\r\n", path="q").root
    assert plain is not None
    assert dressed is not None
    assert canonical(plain) == canonical(dressed)


def test_aliases_are_read_while_they_stay_small() -> None:
    root = read(b"a: &x text\nb: *x\n", path="q").root
    assert root is not None
    assert root.entries["b"][1].text == "text"


def test_an_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [" + ", ".join(["lol"] * 10) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 12)]
    began = time.monotonic()
    found = messages("\n".join(lines).encode())
    assert "aliases make this file too large" in found[0]
    assert time.monotonic() - began < 2


def test_a_long_text_repeated_by_aliases_is_refused() -> None:
    content = f"a: &a {'x' * 500_000}\nb: [{', '.join(['*a'] * 100)}]\n".encode()
    assert "aliases make this file too large" in messages(content)[0]


def test_a_chain_of_aliases_cannot_nest_deeply() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 200)]
    assert "aliases make this file too large" in messages("\n".join(lines).encode())[0]


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_random_bytes_give_faults_and_never_raise(data: bytes) -> None:
    content = read(data, path="q")
    assert content.root is not None or content.faults or not data.strip() or data.strip().startswith((b"#", b"\xef"))


yaml_pieces = st.sampled_from(
    [
        "a: ",
        "- ",
        "\n",
        "  ",
        "|",
        ">",
        "&x ",
        "*x",
        "[",
        "]",
        "{",
        "}",
        '"',
        "'",
        "#",
        "!",
        "%",
        "<<: ",
        ", ",
        ":",
        "?",
    ]
    + [
        "---\n",
        "...\n",
        "\\x",
        "\t",
        "~",
        "1",
        "yes",
        "\u2028",
        "\ufeff",
        "é",
        "%YAML 1.1\n",
        "!!str ",
        "!!binary ",
        "\\u",
    ]
)


@given(st.lists(yaml_pieces, max_size=40).map("".join))
def test_random_yaml_gives_faults_and_never_raises(text: str) -> None:
    for fault in read(text.encode(), path="q").faults:
        assert fault.message
        assert fault.line <= text.count("\n") + text.count("\u2028") + 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n", {"a": "1", "b": "3"}),
        ("x: &x {a: 1}\ny: {b: 2, <<: *x, a: 3}\n", {"a": "3", "b": "2"}),
        ("x: &x {a: 1}\nz: &z {a: 2, c: 4}\ny:\n  <<: [*x, *z]\n", {"a": "1", "c": "4"}),
    ],
)
def test_merged_keys_are_read_as_other_readers_do(text: str, expected: dict[str, str]) -> None:
    found = read(text.encode(), path="q")
    assert not found.faults and found.root is not None
    entries = found.root.entries["y"][1].entries
    assert {name: value.text for name, (_, value) in entries.items()} == expected
    assert {name: str(value) for name, value in yaml.safe_load(text)["y"].items()} == expected
