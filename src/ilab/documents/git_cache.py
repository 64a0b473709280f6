"""A bare copy of each git repository in the cache, shared by all leaves and runs; files are read at one commit.

A commit that is in the cache needs no network. Only one process works on a copy at a time. Nothing is checked out,
submodules are not followed, and symbolic links in a repository are not read.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ilab.base import atomic, digest, git
from ilab.errors import SourceError

_FULL_ID = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_SHORT_ID = re.compile(r"[0-9a-fA-F]{4,63}")
_QUIET = (
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "http.lowSpeedLimit=100",
    "-c",
    "http.lowSpeedTime=60",
)
_ALL_REFS = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
_HINTS = (
    ("resolve host", "check the network and the host name"),
    ("no answer within", "check the network, or raise the setting documents.git_timeout"),
    ("could not read", "the repository does not exist, or needs a login: check the URL and git's credential helper"),
    ("Authentication failed", "check the login that git's credential helper gives"),
    ("Permission denied", "check the ssh key"),
    ("dubious ownership", "git does not trust the owner of that folder; see `git help config`, safe.directory"),
    ("not appear to be a git", "check `repo`; a folder without git is named with `path` instead of `repo`"),
    ("not allowed", "use https, ssh, git or a local path"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file in a commit: path inside the repository, object id, size in bytes."""

    name: str
    object_id: str
    size: int


class GitCache:
    """The cached copy of the repository at `url`; `place` names the source in errors.

    `timeout` is that of each fetch, in seconds; `max_bytes` is how large the copy may become.
    """

    def __init__(self, cache_dir: Path, url: str, *, place: str, timeout: float, max_bytes: int) -> None:
        self.url = url
        self.max_bytes = max_bytes
        self.place = place
        self.timeout = timeout
        self._documents = cache_dir / "documents"
        key = digest.of_bytes(git.without_credentials(url).encode())[:24]
        self._folder = cache_dir / "git" / f"{key}.git"

    def commit_id(self, commit: str) -> str:
        """The full id of `commit` (id, short id, tag or branch), fetched if it is not in the cache."""
        with self._alone():
            found = self._cached(commit) or self._fetched(commit)
            if found is not None:
                return found
            listed = ["for-each-ref", "--count=12", "--format=%(refname:lstrip=2)", "refs/remotes", "refs/tags"]
            names = [name.removeprefix("origin/") for name in self._run(*listed).text.split()]
        hint = f"check `commit`; its branches and tags: {', '.join(names)}" if names else "the repository is empty"
        raise SourceError(f"{self.place} has no commit `{commit}`", hint=hint)

    def entries(self, commit_id: str) -> list[Entry]:
        """All files of a commit."""
        listed = self._git("ls-tree", "-r", "-l", "-z", "--full-tree", commit_id)
        found = []
        for line in listed.output.split(b"\0"):
            fields, _, name = line.partition(b"\t")
            if fields.startswith(b"100"):  # regular files; 120000 is a symbolic link, 160000 a submodule
                _, _, object_id, size = fields.split()
                if not size.isdigit():  # "BAD": git lists an object that it cannot read
                    raise self._damaged(f"object {object_id.decode()} cannot be read")
                text = name.decode("utf-8", "replace")
                found.append(Entry(name=text, object_id=object_id.decode(), size=int(size)))
        return found

    def file(self, commit_id: str, entry: Entry) -> Path:
        """Write one file of a commit below the cache, if it is not there yet, and return where."""
        parts = PurePosixPath(entry.name).parts
        if PurePosixPath(entry.name).is_absolute() or ".." in parts:
            raise SourceError(f"{self.place} has a file with the forbidden name {entry.name!r}")
        target = self._documents.joinpath(commit_id, *parts)
        if not (target.is_file() and target.stat().st_size == entry.size):
            atomic.write_bytes(target, self._git("cat-file", "blob", entry.object_id).output)
        return target

    def _cached(self, commit: str) -> str | None:
        """The id of `commit` if the cache has it; a branch is not looked up, because it moves."""
        if _FULL_ID.fullmatch(commit) or _SHORT_ID.fullmatch(commit):
            return self._look_up(commit)
        return self._look_up(f"refs/tags/{commit}")

    def _fetched(self, commit: str) -> str | None:
        """Fetch one commit if the server gives it by its id, else all branches and tags; then look again."""
        if _FULL_ID.fullmatch(commit):
            alone = self._fetch("--depth=1", refs=[f"{commit}:refs/pinned/{commit}"])
            if alone.ok or alone.status < 0:  # time or room is up: the whole history would need more of both
                self._require(alone)
                return self._look_up(commit)
        # A copy that holds single commits must get the history too, or older commits would stay unknown.
        whole = ["--unshallow"] if (self._folder / "shallow").exists() else []
        answer = self._fetch(*whole, "--prune", refs=_ALL_REFS)
        names = [f"refs/remotes/origin/{commit}"] if not _FULL_ID.fullmatch(commit) else []
        found = [self._look_up(name) for name in names] + [self._cached(commit)]
        if not any(found):
            self._require(answer)
        return next((commit_id for commit_id in found if commit_id), None)

    def _fetch(self, *options: str, refs: Sequence[str]) -> git.Answer:
        arguments = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", *options, "--", self.url, *refs]
        room = git.Room(folder=self._folder, most=self.max_bytes)
        place = ["--git-dir", str(self._folder)]
        answer = git.run([*place, *_QUIET, *arguments], folder=self._folder.parent, timeout=self.timeout, room=room)
        if answer.status == git.FULL or room.is_full():
            shutil.rmtree(self._folder, ignore_errors=True)
            return git.Answer(status=git.FULL, output=b"", error="it is too large")
        if not answer.ok:
            self._remove_parts()
        return answer

    def _remove_parts(self) -> None:
        """What a fetch that was stopped had received."""
        for part in self._folder.glob("objects/pack/tmp_*"):
            part.unlink(missing_ok=True)

    def _require(self, answer: git.Answer) -> None:
        if answer.ok:
            return
        if answer.status == git.FULL:
            raise SourceError(
                f"{self.place} has more than {self.max_bytes:,} bytes of history and files",
                hint="name a smaller repository, or raise the setting documents.max_repo_bytes",
            )
        said = [line for line in answer.error.splitlines() if line.strip()]
        hint = next((hint for part, hint in _HINTS if part in answer.error), "check `repo` and the network")
        reason = f": {said[0].strip()}" if said else ""
        raise SourceError(f"{self.place} cannot be fetched{reason}", hint=hint, details=said[1:])

    def _look_up(self, name: str) -> str | None:
        answer = self._run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return answer.text if answer.ok else None

    def _run(self, *arguments: str) -> git.Answer:
        place = ["--git-dir", str(self._folder)]
        return git.run([*place, *arguments], folder=self._folder.parent, timeout=self.timeout)

    def _git(self, *arguments: str) -> git.Answer:
        answer = self._run(*arguments)
        if not answer.ok:
            raise self._damaged(f"git {arguments[0]}: {answer.error}")
        return answer

    def _damaged(self, reason: str) -> SourceError:
        message = f"the cached copy of {self.place} is damaged: {reason}"
        return SourceError(message, hint=f"delete {self._folder} and run the same again")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the copy for this process, and mend what a killed one left behind."""
        with atomic.disk_errors(self._folder):
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            with self._folder.with_suffix(".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for stale in self._folder.rglob("*.lock"):
                    stale.unlink()
                self._remove_parts()
                if not self._run("rev-parse", "--git-dir").ok:
                    self._make()
                yield

    def _make(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        made = git.run(["init", "--quiet", "--bare", str(self._folder)], folder=self._folder.parent)
        if not made.ok:
            raise SourceError(f"git cannot make {self._folder}: {made.error}", hint="check the cache folder")
