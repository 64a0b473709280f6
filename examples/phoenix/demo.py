"""The demo: teach the embedded model the page on the constellation Phoenix, and ask it a question.

Writes a working copy below `demo/` (a git repository with the document, and the taxonomy that points at it), then runs
`ilab customize` and `ilab model chat`, as a user would.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEMO = HERE.parent.parent / "demo"
QUESTION = "Which star is the brightest in Phoenix?"
WHEN = "2024-08-13T20:54:21Z"
"""A fixed date, so that the document's commit is the same everywhere."""


def main() -> int:
    commit = make_repository(DEMO / "documents")
    make_taxonomy(DEMO / "taxonomy", repo=DEMO / "documents", commit=commit)
    status = ilab(
        "customize",
        "--taxonomy-path", str(DEMO / "taxonomy"),
        "--questions", str(HERE / "proof" / "questions.yaml"),
        "--placebo", str(HERE / "proof" / "placebo.yaml"),
        "--name", "phoenix",
    )  # fmt: skip
    if status:
        return status
    print(f'\n$ ilab model chat --model phoenix --qq "{QUESTION}"', flush=True)
    return ilab("model", "chat", "--model", "phoenix", "--qq", QUESTION)


def make_repository(folder: Path) -> str:
    """A git repository that holds the document; returns the commit. The same content gives the same commit."""
    page = HERE / "documents" / "phoenix_constellation.md"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch=main")
    shutil.copyfile(page, folder / page.name)
    git(folder, "add", page.name)
    if git(folder, "status", "--porcelain"):
        git(folder, "commit", "--quiet", "-m", "Add the page on Phoenix")
    return git(folder, "rev-parse", "HEAD")


def make_taxonomy(folder: Path, *, repo: Path, commit: str) -> None:
    """A copy of the example taxonomy whose knowledge leaf points at `repo` and `commit`."""
    for source in sorted((HERE / "taxonomy").rglob("*")):
        target = folder / source.relative_to(HERE / "taxonomy")
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        text = source.read_text(encoding="utf-8")
        text = text.replace("${PHOENIX_REPO}", str(repo)).replace("${PHOENIX_COMMIT}", commit)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


def git(folder: Path, *arguments: str) -> str:
    person = {"NAME": "openilab", "EMAIL": "demo@example.invalid", "DATE": WHEN}
    settings = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()}
    command = ["git", "-C", str(folder), "-c", "commit.gpgsign=false", *arguments]
    environ = {**os.environ, **settings, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.strip()


def ilab(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "ilab", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
