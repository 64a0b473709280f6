"""`ilab model chat` in a real terminal: panels, slash commands, Ctrl-C, Ctrl-D, history."""

import io
import json
import sys

import pytest
from tests.openai_server import openai_server
from tests.terminal import CTRL_C, CTRL_D, Terminal

from ilab.cli.chat_screen import Panel, PlainAnswer, printable, width

MARKDOWN = "# Title\n\n```python\ndef f(x):\n    return x\n```\n"


def script(question):
    if question == "too much":
        raise ValueError("request exceeds the available context size")
    known = {
        "long": ["word "] * 4000,
        "empty": [],
        "code": [MARKDOWN[at : at + 3] for at in range(0, len(MARKDOWN), 3)],
    }
    return known.get(question, ["You ", "said: ", question])


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("INPUTRC", "/dev/null")
    return tmp_path / "home"


@pytest.fixture
def server(home):
    with openai_server(script, names=["org/tiny"], pause=0.002) as running:
        yield running


def talk(server, tmp_path, *arguments, **more):
    command = [sys.executable, "-m", "ilab", "model", "chat", "--endpoint-url", server.url, *arguments]
    return Terminal(command, env={}, cwd=tmp_path, **more)


def test_the_chat_looks_as_in_the_reference(server, tmp_path):
    with talk(server, tmp_path) as terminal:
        screen = terminal.wait_for("[S][default]").splitlines()
        assert screen[0] == f"model: org/tiny (at {server.url})"
        assert screen[1] == "╭" + "─" * 35 + " system " + "─" * 35 + "╮"
        assert screen[2] == "│ Welcome to InstructLab Chat w/ TINY (type /h for help)".ljust(79) + "│"
        assert screen[3] == "╰" + "─" * 78 + "╯"
        terminal.line("What are tonsils?")
        screen = terminal.wait_for("[S][default]").splitlines()
        title, answer, edge = screen[-4:-1]
        assert title == "╭" + "─" * 36 + " tiny " + "─" * 36 + "╮"
        assert answer == "│ You said: What are tonsils?".ljust(79) + "│"
        assert edge.startswith("╰─") and edge.endswith(" seconds ─╯") and " elapsed 0." in edge and len(edge) == 80
        terminal.line("exit")
        assert terminal.end() == 0
    (transcript,) = (tmp_path / "home" / "data" / "chats").glob("*.jsonl")
    rows = [json.loads(line) for line in transcript.read_text().splitlines()]
    assert [(row["role"], row["content"], row["model"]) for row in rows] == [
        ("user", "What are tonsils?", "org/tiny"),
        ("assistant", "You said: What are tonsils?", "org/tiny"),
    ]


def test_words_of_the_command_line_are_asked_first_and_turns_are_kept(server, tmp_path):
    with talk(server, tmp_path, "hello", "there") as terminal:
        assert ">>> hello there" in terminal.wait_for("You said: hello there")
        terminal.wait_for("[S][default]")
        terminal.line("and now?")
        terminal.wait_for("You said: and now?")
        terminal.wait_for("[S][default]")
        terminal.type(CTRL_D)
        assert terminal.end() == 0
    contents = [message["content"] for message in server.requests[1]["messages"]]
    assert contents == ["hello there", "You said: hello there", "and now?"]


def test_ctrl_c_stops_an_answer_and_keeps_it_and_ends_the_chat_at_the_prompt(server, tmp_path):
    with talk(server, tmp_path) as terminal:
        terminal.wait_for("[S][default]")
        terminal.line("long")
        terminal.wait_for("word word")
        assert not terminal.echoes()
        terminal.type(CTRL_C)
        shown = terminal.wait_for("[S][default]")
        assert "stopped after" in shown and "^C" not in shown
        terminal.line("next")
        terminal.wait_for("You said: next")
        terminal.wait_for("[S][default]")
        terminal.type("half a line")
        terminal.wait_for("half a line")  # its echo: the line is being read
        terminal.type(CTRL_C)
        assert terminal.end() == 0
        assert terminal.echoes()
    assert server.requests[1]["messages"][1]["content"].startswith("word word")
    assert len(server.requests[1]["messages"][1]["content"]) < len("word ") * 4000


def test_a_failure_is_told_and_the_chat_goes_on(server, tmp_path):
    with talk(server, tmp_path) as terminal:
        terminal.wait_for("[S][default]")
        terminal.line("too much")
        terminal.wait_for("exceeds the available context size")
        terminal.line("empty")
        terminal.wait_for("the model gave no answer")
        terminal.line("again")
        terminal.wait_for("You said: again")
        terminal.wait_for("[S][default]")
        terminal.line("/q")
        assert terminal.end() == 0
    assert [message["content"] for message in server.requests[-1]["messages"]] == ["again"]


def test_slash_commands(server, tmp_path):
    with talk(server, tmp_path) as terminal:
        for typed, answer in [
            ("/h", "/lc               list the named system prompts"),
            ("/nothing", "there is no command /nothing"),
            ("hello", "You said: hello"),
            ("/r", "You said: hello"),
            ("/s talk", "saved 2 messages to talk.json"),
            ("/n", "a new conversation"),
            ("/l talk.json", "going on from 2 messages"),
            ("/d", "│ You said: hello"),
            ("/p 2", "hello\n"),
            ("/c cli_helper", "a new conversation"),
            ("/a org/other", "model: org/other"),
            ("/l nowhere", "nowhere.json cannot be read"),
            ("/M", "writing on several lines"),
            ("/M", "writing on one line"),
        ]:
            terminal.wait_for(">>> ")
            terminal.line(typed)
            terminal.wait_for(answer)
        terminal.wait_for("[S][cli_helper]")
        terminal.line("/m")
        terminal.wait_for("... ")
        terminal.line("/one\r\rtwo\r.")
        terminal.wait_for("two ")
        terminal.wait_for("[S][cli_helper]")
        terminal.line("exit")
        assert terminal.end() == 0
    assert [message["content"] for message in json.loads((tmp_path / "talk.json").read_text())] == [
        "hello",
        "You said: hello",
    ]
    retried, last = server.requests[1], server.requests[-1]
    assert (retried["seed"], retried["temperature"]) == (43, 0.7)
    assert (last["model"], last["messages"][-1]["content"]) == ("org/other", "/one\n\ntwo")
    assert last["messages"][0]["role"] == "system"


def test_without_decoration_and_without_a_transcript(server, tmp_path):
    with talk(server, tmp_path, "-nd", "--set", "chat.transcript=false") as terminal:
        screen = terminal.wait_for(">>> ")
        assert screen.splitlines()[1] == "Welcome to InstructLab Chat w/ tiny (type /h for help)"
        terminal.line("hello")
        terminal.wait_for("\nYou said: hello\n>>> ")
        terminal.line("exit")
        assert terminal.end() == 0
        assert "╭" not in terminal.text and "[S]" not in terminal.text
    assert not (tmp_path / "home" / "data" / "chats").exists()
    assert not (tmp_path / "home" / "state" / "chat_history").exists()


def test_typed_lines_come_back_in_the_next_chat(server, tmp_path):
    with talk(server, tmp_path) as terminal:
        terminal.wait_for("[S][default]")
        terminal.line("remember me")
        terminal.wait_for("You said: remember me")
        terminal.wait_for("[S][default]")
        terminal.line("exit")
        assert terminal.end() == 0
    history = tmp_path / "home" / "state" / "chat_history"
    assert history.stat().st_mode & 0o077 == 0
    with talk(server, tmp_path) as terminal:
        terminal.wait_for("[S][default]")
        terminal.type("\x1b[A\x1b[A\r")
        terminal.wait_for("You said: remember me")


def test_code_keeps_its_indentation_and_a_wide_terminal_is_used(server, tmp_path):
    with talk(server, tmp_path, columns=120) as terminal:
        terminal.wait_for("[S][default]")
        terminal.line("code")
        screen = terminal.wait_for("seconds ─╯").splitlines()
    assert "│     return x".ljust(119) + "│" in screen
    assert [line for line in screen if line.startswith(("│", "╭", "╰")) and len(line) != 120] == []


def panel(text, step):
    """`text` fed in pieces of `step` characters, as it stands on a screen."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    shown = Panel(stream, "tiny")
    for at in range(0, len(text), step):
        shown.feed(text[at : at + step])
    shown.close("elapsed 1 seconds")
    stream.seek(0)
    return stream.read().rpartition("\r\x1b[K")[2].splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "one two three " * 40,
        "x" * 500,
        "short\n\n\n  indented\n\ttab\nlast",
        "日本語のテキストは幅が二倍です。" * 20,
        "mixed 日本 and 🎉 " * 20,
        "e\u0301 " * 100,
        " " * 200 + "far",
    ],
)
def test_a_panel_is_the_same_however_the_text_is_cut_and_no_line_is_too_long(text, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    whole = panel(text, len(text))
    assert {width(line) for line in whole} == {60}
    for step in (1, 2, 7):
        assert panel(text, step) == whole
    kept = "".join(line[2:-2] for line in whole[1:-1]).split()
    assert "".join(kept) == "".join(text.split())


def test_an_empty_answer_leaves_no_panel():
    assert panel("\n \n", 1) == []


def test_a_terminal_that_knows_no_unicode_gets_plain_borders(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="")
    shown = Panel(stream, "tiny")
    shown.feed("hello ")
    shown.close()
    stream.seek(0)
    assert stream.read().rpartition("\r\x1b[K")[2].splitlines() == [
        "+----------- tiny -----------+",
        "| hello                      |",
        "+----------------------------+",
    ]


def test_a_model_cannot_steer_the_terminal():
    assert printable("a\x1b[2Jb\x9b\r\x07\tc\n\ud800") == "a[2Jb\tc\n"
    stream = io.StringIO()
    answer = PlainAnswer(stream)
    answer.feed("\n\x1b[2J")
    answer.close()
    assert stream.getvalue() == "[2J\n"
