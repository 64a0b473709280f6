"""Journals as files: what is listed, what is old, and that nothing is rewritten under a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from ilab.base import clock
from ilab.errors import RunError
from ilab.llm import journal_files
from ilab.llm.journal import Journal, Journaled
from ilab.llm.port import GenerationParams
from ilab.llm.scripted import ScriptedChatModel
from ilab.records import messages

DAY = timedelta(days=1)


def ask(journal: Path, *numbers: int) -> list[bool]:
    """Ask for each number through the journal; whether the answer was remembered."""
    kept = Journal(journal)
    model = Journaled(ScriptedChatModel(lambda turns: f"said {turns[-1].content}"), kept, identity="t")
    found = [model.chat([messages.user(f"number {one}")], GenerationParams()).remembered for one in numbers]
    kept.close()
    return found


def use(journal: Path, *numbers: int) -> None:
    with journal_files.using(journal, teacher="a teacher"):
        ask(journal, *numbers)


def grow_older(journal: Path, days: float) -> None:
    """Let everything that is known of a journal have happened so many days earlier."""
    note = journal.with_suffix(".json")
    content = json.loads(note.read_text())
    for mark in content["marks"]:
        mark["at"] = (clock.now() - days * DAY).isoformat()
    note.write_text(json.dumps(content | {"used": (clock.now() - days * DAY).isoformat()}))
    then = (clock.now() - days * DAY).timestamp()
    os.utime(journal, (then, then))


def test_journals_are_listed_the_last_used_first(tmp_path: Path) -> None:
    assert journal_files.listed(tmp_path / "nothing") == []
    use(tmp_path / "a.jsonl", 1, 2)
    grow_older(tmp_path / "a.jsonl", 3)
    use(tmp_path / "b.jsonl", 1)
    ask(tmp_path / "old.jsonl", 1, 2, 3)
    os.utime(tmp_path / "old.jsonl", (1e9, 1e9))
    found = journal_files.listed(tmp_path)
    assert [(one.path.name, one.teacher, one.answers) for one in found] == [
        ("b.jsonl", "a teacher", 1),
        ("a.jsonl", "a teacher", 2),
        ("old.jsonl", "", 3),
    ]
    assert found[0].size == (tmp_path / "b.jsonl").stat().st_size
    assert found[2].to_json()["used"] == "2001-09-09T01:46:40Z"


def test_old_answers_go_and_young_ones_stay(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    use(journal, 1, 2, 3)
    grow_older(journal, 40)
    use(journal, 3, 4, 5)
    limit = clock.now() - 30 * DAY
    (old,) = journal_files.old(tmp_path, before=limit)
    assert old.answers == 3
    taken = journal_files.prune(journal, before=limit)
    assert taken is not None and (taken.answers, taken.size) == (old.answers, old.size)
    assert journal_files.old(tmp_path, before=limit) == []
    assert ask(journal, 4, 5) == [True, True]
    assert ask(journal, 1) == [False]


def test_what_is_pruned_twice_is_still_told_by_age(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    use(journal, 1)
    grow_older(journal, 90)
    use(journal, 2)
    journal_files.prune(journal, before=clock.now() - 60 * DAY)
    grow_older(journal, 40)
    use(journal, 3)
    journal_files.prune(journal, before=clock.now() - 30 * DAY)
    assert ask(journal, 3) == [True] and ask(journal, 2) == [False]


def test_a_journal_of_which_nothing_is_left_goes(tmp_path: Path) -> None:
    use(tmp_path / "j.jsonl", 1)
    grow_older(tmp_path / "j.jsonl", 40)
    journal_files.prune(tmp_path / "j.jsonl", before=clock.now() - 30 * DAY)
    assert journal_files.listed(tmp_path) == [] and not (tmp_path / "j.json").exists()
    use(tmp_path / "j.jsonl", 1)
    assert journal_files.prune(tmp_path / "j.jsonl", before=clock.now() - 30 * DAY) is None


def test_a_journal_of_an_older_version_is_as_old_as_its_last_change(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    ask(journal, 1, 2)
    assert journal_files.prune(journal, before=clock.now() - DAY) is None
    then = (clock.now() - 10 * DAY).timestamp()
    os.utime(journal, (then, then))
    use(journal, 3)
    taken = journal_files.prune(journal, before=clock.now() - DAY)
    assert taken is not None and taken.answers == 2 and ask(journal, 3) == [True]


def test_a_damaged_note_is_as_good_as_none(tmp_path: Path) -> None:
    use(tmp_path / "j.jsonl", 1)
    for text in ("{", "[]", '{"marks": 3, "used": "yesterday"}'):
        (tmp_path / "j.json").write_text(text)
        (found,) = journal_files.listed(tmp_path)
        assert found.answers == 1
        assert journal_files.old(tmp_path, before=clock.now() - DAY) == []


HOLD = """
import sys, time
from pathlib import Path
from ilab.llm import journal_files
with journal_files.using(Path(sys.argv[1]), teacher="a teacher"):
    print("here", flush=True)
    time.sleep(60)
"""


def test_a_journal_in_use_is_left_alone_and_free_again_after_kill_9(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    use(journal, 1)
    grow_older(journal, 40)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(journal)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"here\n"
        with journal_files.using(journal, teacher="a teacher"):  # runs share it
            pass
        with pytest.raises(RunError, match="a run uses the answers of a teacher"):
            journal_files.prune(journal, before=clock.now() - 30 * DAY)
        child.kill()
    taken = journal_files.prune(journal, before=clock.now() - 30 * DAY)
    assert taken is not None and taken.answers == 1
