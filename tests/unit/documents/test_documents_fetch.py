"""Documents out of real git repositories and folders, through the cache."""

import base64
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ilab.base.report import ListReporter
from ilab.documents.fetch import fetch
from ilab.documents.patterns import matches
from ilab.documents.read import fetch_all, files_digest, read_documents
from ilab.documents.settings import DocumentSettings
from ilab.documents.source import DocumentFile, Source
from ilab.errors import SourceError

IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
PAGE = "# Stars\n\nThey *shine*.\n"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, env={**os.environ, **IDENTITY}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(repo: Path, files: dict[str, str], message: str = "more") -> str:
    for name, text in files.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", message)
    return git(repo, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit that holds documents and other files."""
    repo = tmp_path / "origin"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    (repo / "link.md").symlink_to("/etc/passwd")
    commit(repo, {"stars.md": PAGE, "docs/a.md": "# A\n\nx", "docs/deep/b.md": "# B\n\ny", "picture.png": "p"})
    return repo


class Shelf:
    """Fetches for one leaf with one cache."""

    def __init__(self, folder: Path, repo: Path) -> None:
        self.folder = folder
        self.repo = repo
        self.cache = folder / "cache"
        self.report = ListReporter()

    def source(self, commit: str, *patterns: str, repo: str = "") -> Source:
        return Source(
            leaf="knowledge/stars",
            base_folder=self.folder,
            repo=repo or str(self.repo),
            commit=commit,
            patterns=patterns or ("stars.md",),
            domain="astronomy",
            outline="About stars.",
        )

    def fetch(self, commit: str, *patterns: str, repo: str = "") -> list[DocumentFile]:
        source = self.source(commit, *patterns, repo=repo)
        settings = DocumentSettings(git_timeout=20)
        return fetch(source, settings=settings, cache_dir=self.cache, report=self.report)

    def names(self, commit: str, *patterns: str) -> list[str]:
        return [file.name for file in self.fetch(commit, *patterns)]


@pytest.fixture
def shelf(tmp_path: Path, repo: Path) -> Shelf:
    """A cache beside the repository."""
    return Shelf(tmp_path, repo)


def head(repo: Path) -> str:
    return git(repo, "rev-parse", "HEAD")


def test_a_file_is_read_as_it_stood_at_the_commit(shelf: Shelf, repo: Path) -> None:
    first = head(repo)
    second = commit(repo, {"stars.md": "# Stars\n\nThey fade.\n"})
    (repo / "stars.md").write_text("not committed")
    for wanted, text in ((first, PAGE), (second, "# Stars\n\nThey fade.\n"), (first, PAGE)):
        (file,) = shelf.fetch(wanted)
        assert file.path.read_text() == text
        assert file.origin == f"stars.md@{wanted[:12]}"
        assert file.path.is_relative_to(shelf.cache / "documents" / wanted)


def test_a_commit_fetched_once_needs_no_repository_again(shelf: Shelf, repo: Path) -> None:
    known = head(repo)
    shelf.fetch(known)
    shutil.rmtree(repo)
    shutil.rmtree(shelf.cache / "documents")
    assert shelf.fetch(known)[0].path.read_text() == PAGE
    assert shelf.names(known[:8], "**/*.md") == ["docs/a.md", "docs/deep/b.md", "stars.md"]


def test_short_ids_tags_and_branches_are_found(shelf: Shelf, repo: Path) -> None:
    old = head(repo)
    git(repo, "tag", "-a", "v1", "-m", "one")
    commit(repo, {"stars.md": "new"})
    assert shelf.fetch(old)[0].path.read_text() == PAGE
    assert shelf.fetch(old[:9])[0].path.read_text() == PAGE
    assert shelf.fetch("v1")[0].path.read_text() == PAGE
    assert shelf.fetch("main")[0].path.read_text() == "new"
    warnings = [event["message"] for event in shelf.report.events if event["kind"] == "warning"]
    assert len(warnings) == 2
    assert f"`main` is no commit id of {repo}" in warnings[1]


def test_a_branch_is_followed_and_still_readable_without_the_repository(shelf: Shelf, repo: Path) -> None:
    assert shelf.fetch("main")[0].path.read_text() == PAGE
    commit(repo, {"stars.md": "new"})
    assert shelf.fetch("main")[0].path.read_text() == "new"
    shutil.rmtree(repo)
    assert shelf.fetch("main")[0].path.read_text() == "new"


def test_a_commit_outside_every_branch_is_fetched_by_its_id(shelf: Shelf, repo: Path) -> None:
    lost = commit(repo, {"stars.md": "lost"})
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    assert shelf.fetch(lost)[0].path.read_text() == "lost"


def test_two_leaves_share_one_copy(shelf: Shelf, repo: Path) -> None:
    shelf.fetch(head(repo), "stars.md")
    shelf.fetch(head(repo), "docs/*.md")
    assert len(list((shelf.cache / "git").glob("*.git"))) == 1


def test_leaves_at_work_at_the_same_time_do_not_disturb_one_another(shelf: Shelf, repo: Path) -> None:
    wanted = head(repo)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(shelf.fetch(wanted)[0].path.read_text())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [PAGE] * 4


def test_a_copy_left_behind_by_a_killed_process_is_mended(shelf: Shelf, repo: Path) -> None:
    shelf.fetch(head(repo))
    (copy,) = (shelf.cache / "git").glob("*.git")
    (copy / "shallow.lock").touch()
    assert shelf.fetch(commit(repo, {"stars.md": "two"}))[0].path.read_text() == "two"
    (copy / "HEAD").unlink()
    (copy / "config.lock").touch()
    assert shelf.fetch(commit(repo, {"stars.md": "three"}))[0].path.read_text() == "three"


def test_a_torn_file_in_the_cache_is_written_again(shelf: Shelf, repo: Path) -> None:
    (file,) = shelf.fetch(head(repo))
    file.path.write_text("")
    assert shelf.fetch(head(repo))[0].path.read_text() == PAGE


def test_a_repository_may_be_given_relative_to_the_leaf_or_as_a_file_url(shelf: Shelf, repo: Path) -> None:
    for place in ("origin", f"file://{repo}"):
        assert shelf.fetch(head(repo), repo=place)[0].path.read_text() == PAGE


def test_an_unknown_commit_names_what_there_is(shelf: Shelf, repo: Path) -> None:
    git(repo, "tag", "v1")
    for wanted in ("0" * 40, "abcdef12", "mian", "HEAD~7", "--all"):
        with pytest.raises(SourceError, match=f"leaf knowledge/stars.* has no commit `{wanted}`") as caught:
            shelf.fetch(wanted)
        assert caught.value.hint == "check `commit`; its branches and tags: main, v1"


def test_a_pattern_that_fits_nothing_lists_what_there_is(shelf: Shelf, repo: Path) -> None:
    with pytest.raises(SourceError) as caught:
        shelf.fetch(head(repo), "*.md", "star.md")
    assert "no file fits the pattern `star.md`" in caught.value.message
    assert "leaf knowledge/stars" in caught.value.message
    assert caught.value.hint.startswith(
        "did you mean `stars.md`? it has docs/a.md, docs/deep/b.md, stars.md, picture.png"
    )


def test_files_that_are_not_read_are_passed_over_with_a_warning(shelf: Shelf, repo: Path) -> None:
    assert shelf.names(head(repo), "*") == ["stars.md"]
    assert any("picture.png" in event.get("message", "") for event in shelf.report.events)
    with pytest.raises(SourceError, match="no document that can be read"):
        shelf.fetch(head(repo), "*.png")
    assert shelf.names(head(repo), "picture.png") == ["picture.png"]
    with pytest.raises(SourceError, match="picture.png .* cannot be read"):
        read(shelf.source(head(repo), "picture.png"), shelf.cache)


def test_a_symbolic_link_in_a_repository_is_not_read(shelf: Shelf, repo: Path) -> None:
    with pytest.raises(SourceError, match="no file fits the pattern `link.md`"):
        shelf.fetch(head(repo), "link.md")


def test_a_file_name_that_leads_out_of_the_cache_is_refused(shelf: Shelf, repo: Path) -> None:
    def made(kind: str, data: bytes) -> str:
        command = ["git", "-C", str(repo), "hash-object", "-t", kind, "-w", "--stdin", "--literally"]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode().strip()

    blob = made("blob", b"evil")
    inner = made("tree", b"100644 evil.md\0" + bytes.fromhex(blob))
    tree = made("tree", b"40000 ..\0" + bytes.fromhex(inner))
    crafted = git(repo, "commit-tree", tree, "-m", "crafted")
    git(repo, "update-ref", "refs/heads/crafted", crafted)
    with pytest.raises(SourceError, match="forbidden name"):
        shelf.fetch(crafted, "../evil.md")
    assert not list(shelf.folder.rglob("evil.md"))


def test_a_damaged_copy_says_what_to_delete(shelf: Shelf, repo: Path) -> None:
    shelf.fetch(head(repo))
    shutil.rmtree(shelf.cache / "documents")
    blob = git(repo, "rev-parse", "HEAD:stars.md")
    (copy,) = (shelf.cache / "git").glob("*.git")
    for file in [*copy.glob("objects/pack/*"), copy / "objects" / blob[:2] / blob[2:]]:
        if file.is_file() and (file.suffix == ".pack" or file.name == blob[2:]):
            file.chmod(0o600)
            file.write_bytes(b"damaged")
    with pytest.raises(SourceError, match="is damaged") as caught:
        shelf.fetch(head(repo))
    assert caught.value.hint == f"delete {copy} and run the same again"
    shutil.rmtree(copy)
    assert shelf.names(head(repo)) == ["stars.md"]


def test_a_repository_that_cannot_be_reached_is_named_without_credentials(shelf: Shelf) -> None:
    url = "http://someone:secret@127.0.0.1:9/stars.git"
    with pytest.raises(SourceError, match=r"http://127.0.0.1:9/stars.git \(leaf knowledge/stars\) cannot be") as caught:
        shelf.fetch("0" * 40, repo=url)
    said = f"{caught.value.message} {caught.value.hint} {caught.value.details}"
    assert "secret" not in said
    assert caught.value.hint


def test_a_folder_without_git_and_a_missing_one_are_refused(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for name in ("plain", "missing"):
        with pytest.raises(SourceError, match="cannot be fetched") as caught:
            shelf.fetch("main", repo=name)
        assert "`path` instead of `repo`" in caught.value.hint


def test_dangerous_repositories_are_refused(shelf: Shelf, tmp_path: Path) -> None:
    for repo in (f"ext::sh -c touch% {tmp_path}/made", "--upload-pack=touch made", "unknown://x/y"):
        with pytest.raises(SourceError):
            shelf.fetch("main", repo=repo)
    assert not (tmp_path / "made").exists()


def test_too_many_bytes_are_refused(shelf: Shelf, repo: Path) -> None:
    settings = DocumentSettings(max_bytes=20)
    with pytest.raises(SourceError, match="at most 20 are read") as caught:
        fetch(shelf.source(head(repo), "**"), settings=settings, cache_dir=shelf.cache)
    assert "documents.max_bytes" in caught.value.hint


def test_a_repository_that_is_too_large_is_given_up_and_leaves_nothing(shelf: Shelf, repo: Path) -> None:
    at = commit(repo, {"large.bin": os.urandom(300_000).hex()})
    settings = DocumentSettings(max_repo_bytes=100_000)
    for _ in range(2):
        with pytest.raises(SourceError, match="more than 100,000 bytes") as caught:
            fetch(shelf.source(at, "stars.md"), settings=settings, cache_dir=shelf.cache)
        assert "documents.max_repo_bytes" in caught.value.hint
    assert not list((shelf.cache / "git").glob("*.git"))
    assert fetch(shelf.source(at, "stars.md"), settings=DocumentSettings(), cache_dir=shelf.cache)


def local(folder: Path, path: str, *patterns: str) -> Source:
    return Source(leaf="knowledge/stars", base_folder=folder, path=path, patterns=patterns, domain="astronomy")


def read(source: Source, cache: Path) -> list[str]:
    return [piece.text for piece in read_documents(source, settings=DocumentSettings(), cache_dir=cache).chunks]


def test_a_document_beside_the_leaf_needs_no_git(tmp_path: Path) -> None:
    (tmp_path / "stars.md").write_text(PAGE)
    assert read(local(tmp_path, "stars.md"), tmp_path / "cache") == ["They shine."]
    assert not (tmp_path / "cache").exists()


def test_a_folder_gives_all_its_documents_in_order(tmp_path: Path) -> None:
    for name in (
        "docs/b.md",
        "docs/a.txt",
        "docs/in/c.html",
        "docs/.hidden/d.md",
        "docs/e.png",
        "docs/attribution.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    settings, cache = DocumentSettings(), tmp_path / "cache"
    names = [file.name for file in fetch(local(tmp_path, "docs"), settings=settings, cache_dir=cache)]
    assert names == ["a.txt", "b.md", "in/c.html"]
    names = [file.name for file in fetch(local(tmp_path, "docs", "**/*.html"), settings=settings, cache_dir=cache)]
    assert names == ["in/c.html"]


def test_a_missing_local_document_says_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "stars.md").write_text(PAGE)
    with pytest.raises(SourceError, match=r"no document at .*star.md \(leaf knowledge/stars\)") as caught:
        read(local(tmp_path, "star.md"), tmp_path)
    assert caught.value.hint == "its folder has: stars.md"
    with pytest.raises(SourceError, match="no document that can be read"):
        (tmp_path / "empty").mkdir()
        read(local(tmp_path, "empty"), tmp_path)


def test_chunks_of_a_leaf_are_numbered_through_and_carry_what_the_leaf_says(shelf: Shelf, repo: Path) -> None:
    at = commit(repo, {"docs/user_guide.md": "No heading here."})
    source = shelf.source(at, "docs/user_guide.md", "stars.md")
    read = read_documents(source, settings=DocumentSettings(), cache_dir=shelf.cache, report=shelf.report)
    pieces, whole = read.chunks, read.whole
    assert [(piece.id, piece.title, piece.heading, piece.source) for piece in pieces] == [
        ("knowledge/stars#000", "user guide", "", f"docs/user_guide.md@{at[:12]}"),
        ("knowledge/stars#001", "Stars", "Stars", f"stars.md@{at[:12]}"),
    ]
    assert {(piece.domain, piece.outline, piece.leaf) for piece in pieces} == (
        {("astronomy", "About stars.", "knowledge/stars")}
    )
    assert [document.text for document in whole] == ["No heading here.", "# Stars\n\nThey shine."]


def test_the_digest_of_sources_follows_the_content(tmp_path: Path) -> None:
    def now() -> str:
        sources = [local(tmp_path, "stars.md")]
        return files_digest(fetch_all(sources, settings=DocumentSettings(), cache_dir=tmp_path))

    (tmp_path / "stars.md").write_text(PAGE)
    first = now()
    assert now() == first
    (tmp_path / "stars.md").write_text("other")
    assert now() != first


@pytest.mark.parametrize(
    ("pattern", "fitting"),
    [
        ("*.md", ["a.md", "é.md"]),
        ("./a.md", ["a.md"]),
        ("**", ["a.md", "d/b.md", "d/e/c.md", "é.md"]),
        ("**/*.md", ["a.md", "d/b.md", "d/e/c.md", "é.md"]),
        ("d/**", ["d/b.md", "d/e/c.md"]),
        ("d/**/c.md", ["d/e/c.md"]),
        ("**/e/*", ["d/e/c.md"]),
        ("d/*", ["d/b.md"]),
        ("?.md", ["a.md", "é.md"]),
        ("e\u0301.md", ["é.md"]),
        ("[ab].md", ["a.md"]),
        (".h/*", [".h/f.md"]),
        ("A.md", []),
        ("d", []),
    ],
)
def test_patterns(pattern: str, fitting: list[str]) -> None:
    names = ["a.md", "d/b.md", "d/e/c.md", "é.md", ".h/f.md"]
    assert [name for name in names if matches(name, pattern)] == fitting


# --- a repository behind a server that counts ---


class GitServer(ThreadingHTTPServer):
    """Serves the repositories below `root` through git's own program, to those who know the password."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), GitAnswer)
        self.root = root
        self.fetches = 0

    @property
    def url(self) -> str:
        return f"http://someone:secret@127.0.0.1:{self.server_address[1]}/origin/.git"


class GitAnswer(BaseHTTPRequestHandler):
    """One request, handed to `git http-backend`."""

    server: GitServer
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        login = base64.b64encode(b"someone:secret").decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=git")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.fetches += b"want " in body
        environment = {
            **os.environ,
            **IDENTITY,
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_USER": "someone",
        }
        answer = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True)
        head, _, content = answer.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path, repo: Path) -> Iterator[GitServer]:
    """The repository behind a server."""
    git(repo, "config", "uploadpack.allowAnySHA1InWant", "true")
    server = GitServer(tmp_path)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_one_fetch_serves_many_leaves_and_none_is_needed_offline(shelf: Shelf, repo: Path, server: GitServer) -> None:
    wanted = head(repo)
    sources = [
        Source(
            leaf=f"knowledge/{number}", base_folder=shelf.folder, repo=server.url, commit=wanted, patterns=("**/*.md",)
        )
        for number in range(5)
    ]
    for source in sources:
        assert len(fetch(source, settings=DocumentSettings(git_timeout=20), cache_dir=shelf.cache)) == 3
    assert server.fetches == 1
    server.shutdown()
    server.server_close()
    shutil.rmtree(shelf.cache / "documents")
    assert len(fetch(sources[0], settings=DocumentSettings(git_timeout=20), cache_dir=shelf.cache)) == 3


def test_credentials_are_in_no_message_and_not_kept(shelf: Shelf, repo: Path, server: GitServer) -> None:
    (file,) = shelf.fetch(head(repo), repo=server.url)
    shelf.fetch("main", repo=server.url)
    with pytest.raises(SourceError) as unknown:
        shelf.fetch("0" * 40, repo=server.url)
    with pytest.raises(SourceError) as refused:
        shelf.fetch(head(repo), repo=server.url.replace("secret", "wrongsecret").replace("origin", "other"))
    said = f"{file} {shelf.report.events} {unknown.value} {unknown.value.hint} {refused.value} {refused.value.details}"
    kept = b"".join(path.read_bytes() for path in shelf.cache.rglob("*") if path.is_file())
    assert "secret" not in said
    assert b"secret" not in kept


def test_processes_at_the_same_time_fetch_once(shelf: Shelf, repo: Path, server: GitServer) -> None:
    script = (
        "import sys; from pathlib import Path; from ilab.documents.fetch import fetch; "
        "from ilab.documents.settings import DocumentSettings; from ilab.documents.source import Source; "
        "source = Source(leaf='a', base_folder=Path('.'), repo=sys.argv[1], commit=sys.argv[2], patterns=('**',)); "
        "print(len(fetch(source, settings=DocumentSettings(), cache_dir=Path(sys.argv[3]))))"
    )
    command = [sys.executable, "-c", script, server.url, head(repo), str(shelf.cache)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert {process.communicate()[0] for process in running} == {"3\n"}
    assert server.fetches == 1


def test_submodules_are_not_followed(shelf: Shelf, repo: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q", "-b", "main")
    commit(inner, {"inner.md": "inside"})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    at = commit(repo, {"more.md": "more"})
    assert "sub/inner.md" not in shelf.names(at, "**/*.md")
