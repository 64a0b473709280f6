"""A document from a web address, from a real server on the loopback."""

import hashlib
import logging
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ilab.base.report import ListReporter
from ilab.documents.fetch import fetch
from ilab.documents.read import fetch_all, files_digest, read_documents
from ilab.documents.settings import DocumentSettings
from ilab.documents.source import DocumentFile, Source
from ilab.errors import SourceError

PAGE = b"# Stars\n\nThey shine.\n"
DIGEST = hashlib.sha256(PAGE).hexdigest()


class Site(ThreadingHTTPServer):
    """Answers what `pages` says: path to (status, headers, content). Keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.pause = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


class Answer(BaseHTTPRequestHandler):
    """One request."""

    server: Site

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        status, headers, content = self.server.pages.get(self.path.partition("?")[0], (404, {}, b"no"))
        tag, date = headers.get("ETag"), headers.get("Last-Modified")
        known = (tag and self.headers.get("If-None-Match") == tag) or (
            date and self.headers.get("If-Modified-Since") == date
        )
        if known:
            status, content = 304, b""
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        if "Content-Length" not in headers and status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        for place in range(0, len(content), 1000):
            self.wfile.write(content[place : place + 1000])
            self.wfile.flush()
            time.sleep(self.server.pause)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    site.pages["/stars.md"] = (200, {"ETag": '"1"'}, PAGE)
    thread = threading.Thread(target=site.serve_forever, daemon=True)
    thread.start()
    yield site
    stop(site)


def stop(site: Site) -> None:
    site.shutdown()
    site.server_close()


def source(folder: Path, url: str, **fields: Any) -> Source:
    return Source(leaf="knowledge/stars", base_folder=folder, path=url, **fields)


def get(
    folder: Path, url: str, report: ListReporter | None = None, *, settings: Any = None, **fields: Any
) -> DocumentFile:
    given = settings or DocumentSettings(git_timeout=20)
    (file,) = fetch(source(folder, url, **fields), settings=given, cache_dir=folder / "cache", report=report)
    return file


def refused(folder: Path, url: str, **fields: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        get(folder, url, **fields)
    assert "(leaf knowledge/stars)" in caught.value.message
    assert caught.value.hint
    return caught.value


def warnings(report: ListReporter) -> list[str]:
    return [event["message"] for event in report.events if event["kind"] == "warning"]


def test_a_document_is_fetched_and_its_digest_recorded(site: Site, tmp_path: Path) -> None:
    file = get(tmp_path, f"{site.url}/stars.md")
    assert (file.name, file.origin) == ("stars.md", f"stars.md@sha256:{DIGEST[:12]}")
    assert file.path.read_bytes() == PAGE
    found = read_documents(
        source(tmp_path, f"{site.url}/stars.md"), settings=DocumentSettings(), cache_dir=tmp_path / "cache"
    )
    assert [piece.source for piece in found.chunks] == [f"stars.md@sha256:{DIGEST[:12]}"]


@pytest.mark.parametrize(
    ("header", "asked"),
    [({"ETag": '"1"'}, "If-None-Match"), ({"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, "If-Modified-Since")],
)
def test_a_copy_that_has_not_changed_is_not_sent_again(
    site: Site, tmp_path: Path, header: dict[str, str], asked: str
) -> None:
    site.pages["/stars.md"] = (200, header, PAGE)
    for _ in range(2):
        assert get(tmp_path, f"{site.url}/stars.md").path.read_bytes() == PAGE
    assert [asked in headers for _, headers in site.asked] == [False, True]


def test_a_changed_document_replaces_the_copy_and_changes_the_digest_of_the_stage(site: Site, tmp_path: Path) -> None:
    url, settings = f"{site.url}/stars.md", DocumentSettings()

    def now() -> str:
        return files_digest(fetch_all([source(tmp_path, url)], settings=settings, cache_dir=tmp_path / "cache"))

    before = now()
    site.pages["/stars.md"] = (200, {"ETag": '"2"'}, b"# Moons\n\nThey wander.\n")
    assert get(tmp_path, url).path.read_bytes().startswith(b"# Moons")
    assert now() != before
    assert len(list((tmp_path / "cache" / "web").glob("*/[0-9a-f]*"))) == 1


def test_files_that_were_fetched_are_read_without_asking_again(site: Site, tmp_path: Path) -> None:
    at, settings = source(tmp_path, f"{site.url}/stars.md"), DocumentSettings()
    files = fetch_all([at], settings=settings, cache_dir=tmp_path / "cache")
    read = read_documents(at, settings=settings, cache_dir=tmp_path / "cache", files=files[at.leaf])
    assert read.chunks and len(site.asked) == 1


def test_without_the_server_the_copy_is_used_with_a_warning(site: Site, tmp_path: Path) -> None:
    url, report = f"{site.url}/stars.md", ListReporter()
    get(tmp_path, url)
    site.pages["/stars.md"] = (503, {}, b"")
    assert get(tmp_path, url, report).path.read_bytes() == PAGE
    stop(site)
    assert get(tmp_path, url, report).path.read_bytes() == PAGE
    assert "answers 503" in warnings(report)[0]
    assert "cannot be reached" in warnings(report)[1] and "the copy in the cache is used" in warnings(report)[1]
    assert "cannot be fetched" in refused(tmp_path, f"{site.url}/other.md").message


def test_a_torn_copy_is_fetched_again(site: Site, tmp_path: Path) -> None:
    file = get(tmp_path, f"{site.url}/stars.md")
    file.path.write_bytes(b"torn")
    assert get(tmp_path, f"{site.url}/stars.md").path.read_bytes() == PAGE
    (file.path.parent / "record.json").write_text('{"name": "st')
    assert get(tmp_path, f"{site.url}/stars.md").path.read_bytes() == PAGE


def test_a_pinned_digest_needs_no_server_and_tells_of_a_change(site: Site, tmp_path: Path) -> None:
    url = f"{site.url}/stars.md"
    assert get(tmp_path, url, sha256=DIGEST.upper()).path.read_bytes() == PAGE
    assert get(tmp_path, url, sha256=DIGEST).path.read_bytes() == PAGE
    assert len(site.asked) == 1
    other = "0" * 64
    message = refused(tmp_path, url, sha256=other).message
    assert DIGEST in message and other in message
    assert "no SHA-256 digest" in refused(tmp_path, url, sha256="abc").message
    stop(site)
    report = ListReporter()
    assert get(tmp_path, url, report, sha256=DIGEST).path.read_bytes() == PAGE
    assert warnings(report) == []


def test_too_many_bytes_stop_the_transfer(site: Site, tmp_path: Path) -> None:
    settings = DocumentSettings(max_bytes=10_000)
    site.pages["/stated.md"] = (200, {}, bytes(20_000))
    site.pages["/unstated.md"] = (200, {"Content-Length": ""}, b"x" * 5_000_000)
    for name in ("stated", "unstated"):
        error = refused(tmp_path, f"{site.url}/{name}.md", settings=settings)
        assert "more than 10,000 bytes" in error.message
        assert "documents.max_bytes" in error.hint
    assert not [
        file for file in (tmp_path / "cache" / "web").rglob("*") if file.is_file() and file.stat().st_size > 500_000
    ]


def test_a_server_that_is_too_slow_is_given_up(site: Site, tmp_path: Path) -> None:
    site.pages["/slow.md"] = (200, {}, b"x" * 100_000)
    site.pause = 0.1
    began = time.monotonic()
    error = refused(tmp_path, f"{site.url}/slow.md", settings=DocumentSettings(git_timeout=1))
    assert time.monotonic() - began < 5
    assert "no answer in time" in error.message and "documents.git_timeout" in error.hint


def test_redirects_are_followed_but_not_without_end_or_elsewhere(site: Site, tmp_path: Path) -> None:
    site.pages["/old.md"] = (301, {"Location": "/older"}, b"")
    site.pages["/older"] = (302, {"Location": f"{site.url}/stars.md"}, b"")
    site.pages["/loop.md"] = (302, {"Location": "/loop.md"}, b"")
    site.pages["/file.md"] = (302, {"Location": "file:///etc/passwd"}, b"")
    assert get(tmp_path, f"{site.url}/old.md").path.read_bytes() == PAGE
    assert "more than 10 redirects" in refused(tmp_path, f"{site.url}/loop.md").message
    assert "other than http" in refused(tmp_path, f"{site.url}/file.md").message


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/guide", {"Content-Type": "text/html; charset=utf-8"}, "guide.html"),
        ("/", {"Content-Type": "text/html"}, "index.html"),
        ("/get", {"Content-Type": "application/pdf"}, "get.pdf"),
        ("/v1.2", {"Content-Type": "text/markdown"}, "v1.2.md"),
        ("/get", {"Content-Disposition": 'attachment; filename="../../stars.md"'}, "stars.md"),
        ("/my%20stars.md", {"Content-Type": "application/octet-stream"}, "my stars.md"),
        ("/STARS.MD", {}, "STARS.MD"),
    ],
)
def test_the_format_is_known_by_the_address_or_by_what_the_server_says(
    site: Site, tmp_path: Path, path: str, headers: dict[str, str], name: str
) -> None:
    site.pages[path] = (200, headers, PAGE)
    assert get(tmp_path, site.url + path).name == name


def test_a_kind_that_is_not_read_a_missing_page_and_patterns_are_refused(site: Site, tmp_path: Path) -> None:
    site.pages["/picture"] = (200, {"Content-Type": "image/png"}, b"png")
    site.pages["/locked.md"] = (401, {}, b"")
    assert "of a kind that is not read: image/png" in refused(tmp_path, f"{site.url}/picture").message
    assert "answers 404 Not Found" in refused(tmp_path, f"{site.url}/none.md").message
    assert "~/.netrc" in refused(tmp_path, f"{site.url}/locked.md").hint
    assert "nothing for `patterns`" in refused(tmp_path, f"{site.url}/stars.md", patterns=("*.md",)).message
    for url in ("http://", "http://[::1/x.md", "https://exa mple/x.md"):
        refused(tmp_path, url)


def test_credentials_are_used_and_shown_nowhere(site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    report = ListReporter()
    site.pages["/old.md"] = (302, {"Location": "/stars.md?signature=hush"}, b"")
    url = site.url.replace("http://", "http://someone:secret@") + "/old.md?token=quiet"
    file = get(tmp_path, url, report)
    assert site.asked[0][1]["Authorization"].startswith("Basic ")
    assert site.asked[0][0] == "/old.md?token=quiet"
    site.pages.clear()
    said = f"{refused(tmp_path, url)} {file}"
    stop(site)
    said += " ".join(record.getMessage() for record in caplog.records if record.name.startswith(("httpx", "ilab")))
    said += f"{get(tmp_path, url, report)} {report.events}"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    for secret in ("secret", "quiet", "hush", "someone"):
        assert secret not in said
        assert secret.encode() not in kept


def test_many_processes_fetch_one_document_at_the_same_time(site: Site, tmp_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from ilab.documents.fetch import fetch
        from ilab.documents.settings import DocumentSettings
        from ilab.documents.source import Source
        source = Source(leaf="a", base_folder=Path("."), path=sys.argv[1])
        (file,) = fetch(source, settings=DocumentSettings(), cache_dir=Path(sys.argv[2]))
        print(file.origin, len(file.path.read_bytes()))
    """
    site.pages["/big.md"] = (200, {"ETag": '"b"'}, b"x" * 200_000)
    command = [sys.executable, "-c", textwrap.dedent(script), f"{site.url}/big.md", str(tmp_path / "cache")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate()[0] for process in running}
    assert len(said) == 1 and said.pop().endswith(" 200000\n")
    assert sum("If-None-Match" not in headers for _, headers in site.asked) == 1
