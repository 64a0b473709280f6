"""`ilab model chat` with one question: answers on stdout, all else on stderr. The server is real, on loopback."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.openai_server import openai_server

from ilab.cli.main import cli
from ilab.serving import state


def script(question):
    if question == "too much":
        raise ValueError("request exceeds the available context size")
    known = {"empty": ["\n", " "], "control": ["\n\x1b[31m", "red"], "long": ["word "] * 2000}
    return known.get(question, ["\n", "You said: ", question])


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def server(home):
    with openai_server(script) as running:
        yield running


def chat(*arguments, stdin="", env=None):
    return CliRunner().invoke(cli, ["model", "chat", *arguments], input=stdin, env=env)


def at(server, *arguments, **more):
    return chat("--endpoint-url", server.url, *arguments, **more)


def test_a_quick_question_prints_only_the_answer(server):
    result = at(server, "--qq", "How", "are you?")
    assert result.exit_code == 0, result.output
    assert result.stdout == "You said: How are you?\n"
    assert result.stderr == f"model: org/tiny (at {server.url})\n"
    (request,) = server.requests
    assert request["messages"] == [{"role": "user", "content": "How are you?"}]
    assert (request["temperature"], request["max_tokens"], request["model"]) == (0.0, 512, "org/tiny")
    assert CliRunner().invoke(cli, ["chat", "--endpoint-url", server.url, "-qq", "a"]).stdout == "You said: a\n"


def test_settings_of_the_answer(server):
    at(server, "--qq", "a", "-t", "0.5", "--max-tokens", "9", "-c", "cli_helper", "-m", "org/tiny")
    at(server, "--qq", "a", "-t", "0.5", "-gm")
    first, second = server.requests
    assert (first["temperature"], first["max_tokens"]) == (0.5, 9)
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert second["temperature"] == 0.0


def test_what_is_piped_in_stands_before_the_question(server):
    result = at(server, "why?", stdin="line 1\nline 2\n")
    assert result.stdout == "You said: line 1\nline 2\n\nwhy?\n"
    assert at(server, stdin="only this").stdout == "You said: only this\n"


def test_json(server):
    facts = json.loads(at(server, "--json", "hello").stdout)
    assert (facts["model"], facts["question"], facts["answer"]) == ("org/tiny", "hello", "You said: hello")
    assert facts["seconds"] > 0


def test_no_question_is_a_usage_error(server):
    result = at(server, "--qq")
    assert result.exit_code == 2
    assert "there is no question" in result.stderr


def test_no_answer_is_a_failure(server):
    result = at(server, "--qq", "empty")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: model `org/tiny` gave no answer" in result.stderr


def test_a_server_that_refuses_or_is_not_there(server):
    refused = at(server, "--qq", "too much")
    assert refused.exit_code == 1
    assert "exceeds the available context size" in refused.stderr and "give less text" in refused.stderr
    gone = chat("--endpoint-url", "http://127.0.0.1:9", "-m", "x", "--qq", "a")
    assert gone.exit_code == 1
    assert "cannot reach http://127.0.0.1:9/v1" in gone.stderr


def test_the_key_comes_from_the_environment_or_the_command_line(server):
    at(server, "--qq", "a", env={"ILAB_CHAT_API_KEY": "k1"})
    at(server, "--qq", "a", "--api-key", "k2")
    assert server.keys == ["Bearer k1", "Bearer k2"]


def test_several_models_need_a_choice(home):
    with openai_server(script, names=["a", "b"]) as server:
        result = at(server, "--qq", "hi")
        assert result.exit_code == 3
        assert f"{server.url} offers 2 models" in result.stderr and "--model: a, b" in result.stderr
        assert at(server, "--qq", "hi", "-m", "b").exit_code == 0
        assert server.requests[-1]["model"] == "b"
        unlisted = at(server, "--qq", "hi", "-m", "c")
        assert f"warning: {server.url} does not list `c`, but a, b" in unlisted.stderr


def test_mistakes_are_told_before_a_model_is_loaded(home):
    assert "there is no context `x`" in chat("-c", "x", "--qq", "a").stderr
    missing = chat("-s", "nowhere", "--qq", "a")
    assert missing.exit_code == 3
    assert "nowhere.json cannot be read" in missing.stderr
    unknown = chat("-m", "nobody", "--qq", "a")
    assert unknown.exit_code == 4
    assert "there is no model 'nobody'" in unknown.stderr


def test_a_saved_conversation_goes_on(server):
    Path("talk.json").write_text(json.dumps([{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]))
    at(server, "--qq", "3", "-s", "talk")
    assert [message["content"] for message in server.requests[0]["messages"]] == ["1", "2", "3"]


def test_a_served_model_is_found_and_one_that_is_gone_is_passed_over(home):
    engines = home / "state" / "engines"
    with (
        openai_server(script, names=["org/served"]) as server,
        state.announced(engines, port=server.port, model="org/served", url=server.url),
        state.announced(engines, port=9, model="org/gone", url="http://127.0.0.1:9/v1"),
    ):
        for words in ([], ["-m", "org/served"]):
            result = chat(*words, "--qq", "hi")
            assert result.stdout == "You said: hi\n", result.stderr
            assert result.stderr == f"model: org/served (served at {server.url})\n"
        other = chat("-m", "org/other", "--qq", "hi")
        assert other.exit_code == 4
        assert "there is no model 'org/other'" in other.stderr


def start(server, *arguments, **more):
    command = [sys.executable, "-m", "ilab", "chat", "--endpoint-url", server.url, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def test_the_answer_is_written_as_it_is_made_and_ctrl_c_ends_with_130(home):
    with openai_server(script, pause=0.02) as server:
        process = start(server, "--qq", "long", stdin=subprocess.DEVNULL)
        assert process.stdout.read(10) == "word word "
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=10)
        assert process.returncode == 130
        assert ("word word " + rest).endswith("word \n")
        assert errors.endswith("error: interrupted\n")
        wait_for(lambda: server.broken_off == 1)


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_a_silent_pipe_does_not_hold_up_a_question(server):
    reading, writing = os.pipe()
    try:
        process = start(server, "hello", stdin=reading)
        answer, errors = process.communicate(timeout=30)
    finally:
        os.close(reading)
        os.close(writing)
    assert (process.returncode, answer) == (0, "You said: hello\n")
    assert "warning: nothing came on standard input within 5 s" in errors


def test_a_file_as_standard_input(server):
    Path("log.txt").write_bytes(b"caf\xc3\xa9 \xff\n")
    with Path("log.txt").open() as file:
        answer, _ = start(server, "what?", stdin=file).communicate(timeout=20)
    assert answer == "You said: café \N{REPLACEMENT CHARACTER}\n\nwhat?\n"
