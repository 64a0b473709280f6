"""A journal of answers: what a model was asked once, with the same parameters, it is never asked again.

One line an answer, `{"key": ..., "answer": {...}}`. The key is the digest of the messages as they are sent, the model's
identity and every parameter, so an entry can be out of place only if the model changed under its name. Prompts and API
keys are not in it. Lines are appended with a single write under the file's lock, so several processes may share a
journal; a line that kill -9 left torn is cut off by the next that opens it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from ilab.base import atomic, digest, jsonl
from ilab.errors import ConfigError, MissingError, TeacherError
from ilab.llm.port import ChatModel, Completion, GenerationParams
from ilab.records.messages import Message

_FORM = 1
"""Raised when keys are made another way."""
_LATER = ("schema", "adapter")
"""Parameters that are in a key only when they are set: journals are older than they."""
_KEY = re.compile(rb'"key":"([0-9a-f]{64})"\}\s*$')


class Unanswered(TeacherError):
    """A replay was asked for what is not in its journal."""


class Journal:
    """The file, and where in it each answer begins: the answers themselves stay on disk. Safe for many threads."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._file = _opened(path, read_only=read_only)
        self._offsets: dict[bytes, int] = {}
        self._lock = threading.Lock()
        with self._locked():
            end = self._read_index()
            if not read_only and end < os.fstat(self._file).st_size:
                os.ftruncate(self._file, end)

    def __len__(self) -> int:
        return len(self._offsets)

    def find(self, key: str) -> Completion | None:
        """The answer under `key`, or None."""
        offset = self._offsets.get(bytes.fromhex(key))
        if offset is None:
            return None
        try:
            row = json.loads(_line_at(self._file, offset))
            return replace(Completion(**row["answer"]), remembered=True) if row["key"] == key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None  # damaged, or closed: then it is asked again

    def keep(self, key: str, answer: Completion) -> None:
        """Append `answer`. After `close` it is dropped: nobody waits for it any more."""
        told = {name: value for name, value in asdict(answer).items() if name != "remembered"}
        line = (jsonl.dumps({"answer": told, "key": key}) + "\n").encode()
        with self._lock, atomic.disk_errors(self.path):
            if self._file < 0:
                return
            with self._locked():
                offset = _append(self._file, line)
            self._offsets[bytes.fromhex(key)] = offset

    def close(self) -> None:
        """Close the file. May be called again."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1

    def _read_index(self) -> int:
        """Note every whole line; return where the last one ends."""
        offset = 0
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(0)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                if found := _KEY.search(line):
                    self._offsets[bytes.fromhex(found[1].decode())] = offset
                offset += len(line)
        return offset

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the file, which other processes honour."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


class Journaled:
    """Answers out of `journal`, and asks `inner` for what is not there. Safe to use from many threads at once.

    `identity` names the model. The same request made twice at the same time is sent once. Without an `inner` only the
    journal answers, and a request that is not there is an error.
    """

    def __init__(self, inner: ChatModel | None, journal: Journal, *, identity: str) -> None:
        self._inner = inner
        self._journal = journal
        self._identity = identity
        self._asking: dict[str, Future[Completion]] = {}
        self._lock = threading.Lock()

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """The answer to `messages`; `remembered` when nobody had to be asked for this call."""
        key = key_of(messages, params, identity=self._identity)
        with self._lock:
            first = self._asking.get(key)
            if first is None:
                if found := self._journal.find(key):
                    return found
                mine: Future[Completion] = Future()
                self._asking[key] = mine
        if first is not None:
            return replace(first.result(), remembered=True)
        return self._ask(key, messages, params, mine)

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """The answer in one piece."""
        yield self.chat(messages, params).text

    def _ask(
        self, key: str, messages: Sequence[Message], params: GenerationParams, mine: Future[Completion]
    ) -> Completion:
        try:
            if self._inner is None:
                raise _unknown(self._journal.path, key, messages)
            answer = self._inner.chat(messages, params)
            self._journal.keep(key, answer)
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(answer)
            return answer
        finally:
            with self._lock:
                del self._asking[key]


def key_of(messages: Sequence[Message], params: GenerationParams, *, identity: str) -> str:
    """What names a request: the same request to the same model has the same key on any machine."""
    turns = [[message.role, message.content] for message in messages]
    told = asdict(params)
    for name in _LATER:
        if not told[name]:
            del told[name]
    return digest.of_value([_FORM, identity, turns, told])


def _unknown(path: Path, key: str, messages: Sequence[Message]) -> Unanswered:
    asked = messages[-1].content.strip() if messages else ""
    start = asked.partition("\n")[0][:200]
    return Unanswered(
        f"the journal {path} has no answer to `{start}`",
        hint="run once without --replay: then the teacher is asked, and its answers are kept",
        details=[f"key {key}"],
    )


def _opened(path: Path, *, read_only: bool) -> int:
    if read_only and not path.is_file():
        raise MissingError(f"there is no journal at {path}", hint="run once without --replay to make it")
    if path.is_dir():
        raise ConfigError(f"the journal {path} is a folder", hint="name a file with sdg.journal, or leave it empty")
    if read_only:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with atomic.disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def _append(file: int, line: bytes) -> int:
    """Add `line` in one write, or nothing; return where it begins. A torn line of another process is closed first."""
    end = os.lseek(file, 0, os.SEEK_END)
    start = b"" if not end or os.pread(file, 1, end - 1) == b"\n" else b"\n"
    try:
        if os.write(file, start + line) < len(start + line):  # what the disk does not take whole, it does not take
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(file, end)
        raise
    return end + len(start)


def _line_at(file: int, offset: int) -> bytes:
    """The line that begins at `offset`; other threads may read at the same time."""
    line = b""
    while b"\n" not in line:
        piece = os.pread(file, 16_384, offset + len(line))
        if not piece:
            break
        line += piece
    return line.partition(b"\n")[0]
