"""Tables, numbers for people, colour."""

import io

import pytest
from click.testing import CliRunner

from ilab.cli import output


def test_table_has_the_form_of_the_reference():
    text = output.table(["Model Name", "Size"], [["granite-7b", "12.6 GB"], ["x", "1 B"]])
    assert text.splitlines() == [
        "+------------+---------+",
        "| Model Name | Size    |",
        "+------------+---------+",
        "| granite-7b | 12.6 GB |",
        "| x          | 1 B     |",
        "+------------+---------+",
    ]


def test_a_table_without_rows_has_its_head():
    assert output.table(["A"], []).splitlines() == ["+---+", "| A |", "+---+"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.424, "0.42"), (12.34, "12.3"), (4427, "4,427"), (123.4, "123"), (1234567, "1.23 M"), (2e9, "2.00 G")],
)
def test_number(value, text):
    assert output.number(value) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (12_600_000_000, "12.6 GB"), (5e12, "5.0 TB")]
)
def test_size(count, text):
    assert output.size(count) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_needs_a_terminal_and_no_objection(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert output.style("x", stream=Terminal(), fg="red") == "\x1b[31mx\x1b[0m"
    assert output.style("x", stream=io.StringIO(), fg="red") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.style("x", stream=Terminal(), fg="red") == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert output.style("x", stream=Terminal(), fg="red") == "x"


def test_json_keeps_letters_and_turns_paths_into_text(tmp_path):
    import click

    result = CliRunner().invoke(click.command()(lambda: output.print_json({"ü": tmp_path})))
    assert result.stdout == f'{{\n  "ü": "{tmp_path}"\n}}\n'
