"""The live view of a run: in place on a terminal, one line for each tenth elsewhere."""

import io
import os
import pty
import subprocess
import sys

from ilab.cli.screen import Screen


def progress(done, total=400, stage="02-generate", **fields):
    fields = {"rate": 2.5, "eta": 75.0} | fields
    return {"kind": "progress", "stage": stage, "what": "questions", "done": done, "total": total, **fields}


def lines_of(events, encoding="utf-8", *, live=False) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    screen = Screen(stream, live=live)
    for event in events:
        screen(event)
    screen.close()
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_without_a_terminal_one_line_for_each_tenth():
    events = [{"kind": "stage_started", "stage": "02-generate"}]
    events += [progress(done) for done in range(401)]
    events += [{"kind": "stage_finished", "stage": "02-generate", "seconds": 130.0}]
    lines = lines_of(events).splitlines()
    assert lines[0] == "02-generate: started"
    assert lines[1] == "02-generate: questions 40/400 (10 %), 2.50/s, 1 min 15 s left"
    assert lines[10].startswith("02-generate: questions 400/400 (100 %)")
    assert lines[11] == "02-generate    ✓ done in 2 min 10 s"
    assert len(lines) == 12


def test_work_that_begins_again_under_its_name_is_shown_again():
    lines = lines_of([progress(done, total=66) for _ in range(2) for done in (0, 16, 32, 48, 66)]).splitlines()
    assert [line.partition(",")[0].partition("questions ")[2] for line in lines] == [
        "16/66 (24 %)",
        "32/66 (48 %)",
        "48/66 (72 %)",
        "66/66 (100 %)",
    ] * 2


def test_an_unknown_total_gives_a_line_a_minute():
    text = lines_of([progress(done, total=0, eta=None) for done in range(1, 50)])
    assert text == "02-generate: questions 1, 2.50/s\n"


def test_losses_stand_on_the_line_of_their_stage():
    text = lines_of(
        [
            {"kind": "metric", "stage": "04-train-1", "name": "loss", "value": 1.23456},
            {"kind": "metric", "stage": "04-train-1", "name": "learning_rate", "value": 1e-4},
            progress(40, stage="04-train-1", rate=0.05, eta=None),
            {"kind": "stage_finished", "stage": "04-train-1", "seconds": 9.0},
        ]
    )
    assert text.splitlines() == [
        "04-train-1: questions 40/400 (10 %), 3/min, loss 1.235",
        "04-train-1     ✓ done in 9 s, loss 1.235",
    ]


def test_other_events():
    text = lines_of(
        [
            {"kind": "run_started", "pid": 1},
            {"kind": "stage_skipped", "stage": "01-prepare"},
            {"kind": "warning", "stage": "02-generate", "message": "few seeds"},
            {"kind": "stage_failed", "stage": "02-generate", "error": "the engine died"},
            {"kind": "something_newer", "stage": ""},
            {"kind": "run_failed", "error": "the engine died"},
        ]
    )
    assert text.splitlines() == [
        "01-prepare     ✓ done before",
        "warning: few seeds",
        "02-generate    ✗ stopped: the engine died",
    ]


def test_a_terminal_line_is_replaced_in_place():
    text = lines_of([{"kind": "stage_started", "stage": "02-generate"}, progress(100), progress(200)], live=True)
    shown = text.split("\r\x1b[K")
    assert shown[-2] == "02-generate    questions █████░░░░░░░░░░░░░░░ 100/400  2.50/s  1 min 15 s left"
    assert shown[-1] == "02-generate    questions ██████████░░░░░░░░░░ 200/400  2.50/s  1 min 15 s left\n"


def test_a_finished_stage_leaves_one_line():
    text = lines_of([progress(100), {"kind": "stage_finished", "stage": "02-generate", "seconds": 5}], live=True)
    assert text.endswith("\r\x1b[K02-generate    ✓ done in 5 s\n")


def test_ascii_where_the_encoding_is_not_utf_8():
    text = lines_of(
        [progress(100), {"kind": "stage_finished", "stage": "02-generate", "seconds": 5}], "ascii", live=True
    )
    assert "#####---------------" in text
    assert text.endswith("+ done in 5 s\n")


def test_a_line_never_passes_the_edge_of_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = lines_of([progress(100)], live=True)
    assert len(text.split("\r\x1b[K")[-1].rstrip("\n")) == 39


SHOW = """
from ilab.cli.screen import Screen
screen = Screen()
screen({"kind": "stage_started", "stage": "02-generate"})
screen({"kind": "progress", "stage": "02-generate", "what": "questions", "done": 1, "total": 2})
screen({"kind": "stage_finished", "stage": "02-generate", "seconds": 1})
"""


def on_a_terminal(**environ) -> str:
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", SHOW], stderr=slave, env={**os.environ, "TERM": "xterm", "PYTHONUTF8": "1", **environ}
    ) as child:
        os.close(slave)
        output = b""
        try:
            while piece := os.read(master, 4096):
                output += piece
        except OSError:  # Linux: the other end is closed
            pass
        os.close(master)
        assert child.wait() == 0
    return output.decode()


def test_a_real_terminal_gets_colour_and_movement_unless_no_color():
    text = on_a_terminal(NO_COLOR="")
    assert "\r\x1b[K" in text and "\x1b[1m02-generate" in text
    plain = on_a_terminal(NO_COLOR="1")
    assert "\r\x1b[K" in plain and "\x1b[1m" not in plain
