"""The journal: what was asked once is not asked again, in another run, after kill -9, or at the same time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ilab.errors import ConfigError, EngineError, MissingDisk, MissingError, TeacherError
from ilab.llm.journal import Journal, Journaled, key_of
from ilab.llm.pool import run_ordered
from ilab.llm.port import ChatModel, Completion, GenerationParams
from ilab.llm.scripted import ScriptedChatModel
from ilab.records.messages import Message, user

PARAMS = GenerationParams(temperature=0.7, seed=1)


class Counting:
    """Says what it was asked, and counts."""

    def __init__(self, pause: float = 0.0) -> None:
        self.asked: list[str] = []
        self.pause = pause
        self.model = ScriptedChatModel(self._answer)

    def _answer(self, messages: Sequence[Message]) -> str:
        self.asked.append(messages[-1].content)
        time.sleep(self.pause)
        return f"{messages[-1].content}?\u2028\nreally?"

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        return self.model.chat(messages, params)

    stream = ScriptedChatModel.stream


def over(path: Path, inner: ChatModel | None, *, identity: str = "m") -> Journaled:
    return Journaled(inner, Journal(path, read_only=inner is None), identity=identity)


def ask(model: ChatModel, text: str, params: GenerationParams = PARAMS) -> Completion:
    return model.chat([user(text)], params)


def test_an_answer_is_asked_for_once_and_is_the_same_afterwards(tmp_path: Path) -> None:
    teacher = Counting()
    path = tmp_path / "deep" / "journal.jsonl"
    first = ask(over(path, teacher), "a")
    second = ask(over(path, teacher), "a")
    assert second == replace(first, remembered=True) and not first.remembered
    assert list(over(path, teacher).stream([user("a")], PARAMS)) == [first.text]
    assert teacher.asked == ["a"]


def test_everything_that_decides_the_answer_is_in_the_key(tmp_path: Path) -> None:
    teacher, path = Counting(), tmp_path / "j"
    model = over(path, teacher)
    others = [
        {"max_tokens": 7},
        {"temperature": 0.1},
        {"top_p": 0.5},
        {"seed": 2},
        {"stop": ("\n",)},
    ]
    for changes in [{}, *others]:
        ask(model, "a", replace(PARAMS, **changes))  # type: ignore[arg-type]
    ask(over(path, teacher, identity="another"), "a")
    model.chat([Message(role="system", content="x"), user("a")], PARAMS)
    assert len(teacher.asked) == len(others) + 3


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, cut: int) -> None:
    teacher, path = Counting(), tmp_path / "j"
    model = over(path, teacher)
    ask(model, "a")
    whole = path.stat().st_size
    ask(model, "b")
    with path.open("ab") as file:
        file.truncate(path.stat().st_size - cut)
    again = over(path, teacher)
    assert path.stat().st_size == whole
    ask(again, "a")
    ask(again, "b")
    assert teacher.asked == ["a", "b", "b"]
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_damage_in_the_middle_costs_only_what_is_damaged(tmp_path: Path) -> None:
    teacher, path = Counting(), tmp_path / "j"
    for text in "abc":
        ask(over(path, teacher), text)
    lines = path.read_bytes().split(b"\n")
    lines[1] = b"\0" * len(lines[1])
    path.write_bytes(b"\n".join(lines))
    again = over(path, teacher)
    for text in "abc":
        ask(again, text)
    assert teacher.asked == ["a", "b", "c", "b"]


def test_two_that_write_to_one_journal_do_not_disturb_each_other(tmp_path: Path) -> None:
    path, teacher = tmp_path / "j", Counting()
    models = [over(path, teacher), over(path, teacher)]
    run_ordered(range(200), lambda n: ask(models[n % 2], f"text {n} " * (n % 50)), workers=8)
    again = over(path, None)
    for number in range(200):
        assert ask(again, f"text {number} " * (number % 50)).remembered


def test_a_line_that_another_process_left_torn_is_closed_before_the_next(tmp_path: Path) -> None:
    teacher, path = Counting(), tmp_path / "j"
    model = over(path, teacher)
    ask(model, "a")
    with path.open("ab") as file:
        file.write(b'{"answer":{"te')
    ask(model, "b")
    again = over(path, None)
    assert ask(again, "a").remembered and ask(again, "b").remembered


def test_the_same_request_at_the_same_time_is_sent_once(tmp_path: Path) -> None:
    teacher = Counting(pause=0.1)
    model = over(tmp_path / "j", teacher)
    answers = run_ordered(range(8), lambda _: ask(model, "a"), workers=8)
    assert teacher.asked == ["a"]
    assert sorted(answer.remembered for answer in answers) == [False] + [True] * 7
    assert len({answer.text for answer in answers}) == 1


def test_a_failure_is_not_remembered_and_reaches_all_who_wait(tmp_path: Path) -> None:
    gone = threading.Event()

    def answer(messages: Sequence[Message]) -> str:
        time.sleep(0.1)
        if gone.is_set():
            return "back"
        raise EngineError("died")

    model = over(tmp_path / "j", ScriptedChatModel(answer))
    failures: list[EngineError] = []

    def one(_: int) -> None:
        try:
            ask(model, "a")
        except EngineError as error:
            failures.append(error)

    run_ordered(range(3), one, workers=3)
    assert len(failures) == 3
    gone.set()
    assert ask(model, "a").text == "back"


def test_a_replay_asks_nobody_and_names_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "j"
    ask(over(path, Counting()), "a")
    before = path.read_bytes()
    model = over(path, None)
    assert ask(model, "a").text.startswith("a?")
    with pytest.raises(TeacherError, match="has no answer to `first line`") as caught:
        ask(model, "first line\nsecond line")
    assert key_of([user("first line\nsecond line")], PARAMS, identity="m") in caught.value.details[0]
    assert path.read_bytes() == before
    with pytest.raises(MissingError, match="no journal"):
        over(tmp_path / "none", None)


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        Journal(tmp_path)


def test_what_comes_after_the_end_is_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.close()
    journal.close()
    journal.keep("0" * 64, Completion(text="late"))
    assert (tmp_path / "j").read_bytes() == b""


WRITER = """
import sys
from pathlib import Path
from ilab.llm.journal import Journal
from ilab.llm.port import Completion
journal = Journal(Path(sys.argv[1]))
for number in range(10**6):
    journal.keep(f"{number:064x}", Completion(text=f"{number} " * 400))
    print(number, flush=True)
"""


def test_after_kill_9_every_answer_that_was_kept_is_there(tmp_path: Path) -> None:
    path = tmp_path / "j"
    for delay in (0.05, 0.11, 0.17):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        told = [line for line in process.stdout.read().splitlines() if line]
        process.wait()
        journal = Journal(path)
        last = int(told[-2]) if len(told) > 1 else 0
        found = [journal.find(f"{number:064x}") for number in range(last + 1)]
        assert all(answer and answer.text == f"{number} " * 400 for number, answer in enumerate(found))
        journal.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_said_and_leaves_whole_lines(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    try:
        journal = Journal(folder / "j")
        with pytest.raises(MissingDisk):
            for number in range(100):
                journal.keep(f"{number:064x}", Completion(text="x" * 5000))
        journal.close()
        assert (folder / "j").read_bytes().endswith(b"}\n")
        assert len(Journal(folder / "j")) > 5
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def test_only_places_are_kept_in_memory(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    for number in range(50):
        journal.keep(f"{number:064x}", Completion(text="x" * 100_000))
    code = (
        "import sys, tracemalloc; from pathlib import Path; from ilab.llm.journal import Journal\n"
        "tracemalloc.start(); journal = Journal(Path(sys.argv[1]))\n"
        "print(len(journal), tracemalloc.get_traced_memory()[0])"
    )
    said = subprocess.run([sys.executable, "-c", code, str(tmp_path / "j")], capture_output=True, text=True, check=True)
    count, size = map(int, said.stdout.split())
    assert count == 50 and size < 100_000


def test_keys_are_those_of_older_journals_where_nothing_new_is_asked_for() -> None:
    asked = [Message(role="system", content="s"), user("a")]
    older = GenerationParams(temperature=0.7, seed=1, stop=("x",))
    key = "77365d6458ecf685e3ec1b559c8aefa245e18f601339f6f02342cc40494aa59a"
    assert key_of(asked, older, identity="m") == key
    newer = [replace(older, adapter="skills"), replace(older, schema={"type": "object"})]
    assert len({key, *(key_of(asked, params, identity="m") for params in newer)}) == 3
