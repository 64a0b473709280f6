"""Transcripts and saved sessions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ilab.chat.transcript import Transcript, load_session, save_session
from ilab.errors import UserFileError
from ilab.records.messages import assistant, system, user

TURNS = (system("Be kind."), user("Grüße\u2028two"), assistant("a\nb"))


def test_a_transcript_grows_and_reads_back(tmp_path: Path) -> None:
    transcript = Transcript.in_folder(tmp_path / "chats")
    assert transcript.read() == ()
    transcript.add(TURNS[:2], model="m")
    transcript.add(TURNS[2:], model="n")
    assert transcript.read() == TURNS
    rows = [json.loads(line) for line in transcript.path.read_bytes().splitlines()]
    assert [row["model"] for row in rows] == ["m", "m", "n"]
    assert all(row["time"].endswith("Z") for row in rows)


def test_two_chats_of_one_second_get_two_files(tmp_path: Path) -> None:
    paths = set()
    for _ in range(3):
        transcript = Transcript.in_folder(tmp_path)
        transcript.add(TURNS, model="m")
        paths.add(transcript.path)
    assert len(paths) == 3


def test_a_session_is_saved_and_loaded(tmp_path: Path) -> None:
    written = save_session(tmp_path / "my.notes json" / "talk", TURNS)
    assert written.name == "talk.json"
    assert load_session(tmp_path / "my.notes json" / "talk") == TURNS
    assert json.loads(written.read_text())[0] == {"role": "system", "content": "Be kind."}


def test_saving_does_not_overwrite_unless_told(tmp_path: Path) -> None:
    path = save_session(tmp_path / "talk.json", TURNS)
    with pytest.raises(UserFileError, match="exists already"):
        save_session(path, TURNS[:1])
    assert load_session(path) == TURNS
    save_session(path, TURNS[:1], overwrite=True)
    assert load_session(path) == TURNS[:1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("{}", "not a list"),
        ('[{"role": "user", "content": "x"}, {"role": "boss", "content": "x"}, 3]', "not a saved conversation"),
    ],
)
def test_wrong_files_are_explained(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(UserFileError, match=message) as caught:
        load_session(tmp_path / "s.json")
    assert caught.value.exit_code == 3


def test_every_wrong_message_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('[{"role": "boss", "content": "x"}, {"role": "user"}]')
    with pytest.raises(UserFileError) as caught:
        load_session(tmp_path / "s.json")
    assert len(caught.value.faults) == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserFileError, match="cannot be read"):
        load_session(tmp_path / "none.json")
