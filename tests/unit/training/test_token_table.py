"""A table gives back the rows that were put in, also through its file."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ilab.training.token_table import UNTRAINED, TokenizedRow, TokenTable

TOKENS = st.lists(st.tuples(st.integers(0, 2**31 - 1), st.booleans()), min_size=1, max_size=20)


def row_of(tokens: list[tuple[int, bool]]) -> TokenizedRow:
    ids = tuple(number for number, _ in tokens)
    return TokenizedRow(id="", ids=ids, labels=tuple(number if on else UNTRAINED for number, on in tokens))


@given(st.lists(TOKENS, max_size=8))
def test_rows_come_back_from_the_file(tmp_path_factory, drawn: list[list[tuple[int, bool]]]):
    rows = [row_of(tokens) for tokens in drawn]
    path: Path = tmp_path_factory.mktemp("table") / "tokens.bin"
    TokenTable.of(rows).write(path)
    table = TokenTable.read(path)
    assert [table.row(number) for number in range(len(table))] == [(list(row.ids), list(row.labels)) for row in rows]
    assert list(table.lengths) == [len(row.ids) for row in rows]
    assert [table.trained(number) for number in range(len(table))] == [row.trained for row in rows]
    assert table.tokens == sum(len(row.ids) for row in rows)


def test_a_row_is_computed_up_to_its_last_trained_token():
    row = TokenizedRow(id="", ids=(4, 5, 6, 7, 8), labels=(UNTRAINED, UNTRAINED, 6, 7, UNTRAINED))
    assert TokenTable.of([row]).width(0) == 3
