"""What a terminal shows while rows are generated: never wider or higher than it, nothing left behind."""

import io
import re

import pytest
from tests.cli.test_screen import lines_of

from ilab.cli import generation_view, screen
from ilab.cli.excerpt import columns, cut
from ilab.cli.screen import Screen

LIVE = {
    "in_flight": 8,
    "tokens_per_second": 41.2,
    "cached": 0.124,
    "remembered": 0.3,
    "kept": 1058,
    "rejected": 622,
    "funnel": [
        {"kind": "knowledge", "path": "facts", "blocks": [["spans", 12, 320, 0], ["rules", 320, 298, 22]]},
        {"kind": "knowledge", "path": "pairs", "blocks": [["chunk_pairs", 12, 96, 3], ["judge_faithful", 96, 60, 36]]},
    ],
    "last": {"question": "Lake Mirra は どの くらい 深い ですか " * 6, "answer": "It is\x1b[2J 412\nmetres deep."},
}


def event(done=40, total=400, **live):
    told = {"what": "units", "done": done, "total": total, "rate": 2.5, "eta": 75.0, "live": LIVE | live}
    return {"kind": "progress", "stage": "02-generate", **told}


def test_figures_funnel_and_the_last_sample():
    text = generation_view.lines(LIVE, width=119, height=20, unicode=True)
    figures = "8 calls in flight  41.2 tokens/s  12 % of prompts cached  30 % of answers remembered"
    assert text[0] == f"  1,058 kept, 622 rejected  {figures}"
    assert text[1] == "  facts       12 → spans 320 → rules 298 -22"
    assert text[2] == "  pairs       12 → chunk_pairs 96 -3 → judge_faithful 60 -36"
    assert text[3].startswith("  last  Q: Lake Mirra は どの") and text[4] == "        A: It is [2J 412 metres deep."


@pytest.mark.parametrize("width", [20, 39, 79, 119])
@pytest.mark.parametrize("height", [0, 1, 3, 5, 40])
def test_it_is_never_wider_or_higher_than_the_terminal(width, height):
    text = generation_view.lines(LIVE, width=width, height=height, unicode=True)
    assert len(text) <= height and all(columns(line) <= width for line in text)
    assert "\x1b" not in "".join(text)


def test_what_is_not_known_is_not_shown():
    bare = {
        "in_flight": 1,
        "kept": 0,
        "rejected": 0,
        "tokens_per_second": 0.0,
        "cached": None,
        "funnel": [],
        "last": {},
    }
    assert generation_view.lines(bare, width=79, height=9, unicode=False) == ["  0 kept, 0 rejected  1 call in flight"]


def test_a_low_terminal_shows_the_funnel_before_the_sample():
    text = generation_view.lines(LIVE, width=119, height=4, unicode=False)
    assert len(text) == 3 and text[2].startswith("  pairs       12 > chunk_pairs 96 -3")


def test_wide_letters_take_two_columns():
    assert cut("日本語", 5) == "日本" and cut("\x1b[1mab\x1b[0mc", 2) == "\x1b[1mab\x1b[0m\x1b[0m"


def shown_after(*events, width, height, monkeypatch) -> list[str]:
    """The rows of a terminal after these events: a small model of what its escape sequences do."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", str(height))
    stream = io.StringIO()
    view = Screen(stream, live=True)
    view.unicode = True
    for one in events:
        view(one)
    rows, row, column = [""], 0, 0
    for piece in re.split(r"(\x1b\[\d*[A-Z]|\r|\n)", stream.getvalue()):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
        elif piece.endswith("A") and piece.startswith("\x1b"):
            row -= int(piece[2:-1])
            assert row >= 0
        elif piece == "\x1b[J":
            rows = [*rows[:row], rows[row][:column]]
        elif piece == "\x1b[K":
            rows[row] = rows[row][:column]
        elif piece:
            assert columns(piece) < width
            rows[row] = rows[row][:column] + piece
            column = len(rows[row])
    return rows


def test_drawing_again_leaves_nothing_behind(monkeypatch):
    events = [{"kind": "stage_started", "stage": "02-generate"}, event(), event(funnel=[]), event(done=80)]
    once = shown_after(event(done=80), width=80, height=24, monkeypatch=monkeypatch)
    assert shown_after(*events, width=80, height=24, monkeypatch=monkeypatch) == once
    warned = shown_after(
        event(), {"kind": "warning", "message": "careful"}, width=80, height=24, monkeypatch=monkeypatch
    )
    assert warned == ["warning: careful", *shown_after(event(), width=80, height=24, monkeypatch=monkeypatch)]
    done = {"kind": "stage_finished", "stage": "02-generate", "seconds": 5}
    assert shown_after(event(), done, width=80, height=24, monkeypatch=monkeypatch) == [
        "02-generate    ✓ done in 5 s",
        "",
    ]


def test_without_a_terminal_a_line_every_half_minute_and_one_at_the_end(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(screen.time, "monotonic", lambda: now[0])

    def passing():
        for second in range(100):
            now[0] = 1000.0 + second
            yield event(done=4 * second)
        yield event(done=400)

    events = lines_of(passing()).splitlines()
    assert len(events) == 5
    assert events[1] == (
        "02-generate: units 120/400 (30 %), 2.50/s, 1 min 15 s left, 1,058 kept, 622 rejected, 8 calls in flight, "
        "41.2 tokens/s, 12 % of prompts cached, 30 % of answers remembered"
    )
    assert events[4].startswith("02-generate: units 400/400 (100 %)")
