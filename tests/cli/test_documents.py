"""`ilab documents convert` over real files."""

import json
import re
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from ilab.cli.main import cli

FIXTURES = Path(__file__).parents[1] / "fixtures" / "documents"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def convert(*arguments):
    return CliRunner().invoke(cli, ["documents", "convert", *map(str, arguments)])


def test_one_document_is_shown_as_markdown_with_a_line_about_it():
    result = convert(FIXTURES / "writer.pdf")
    assert result.exit_code == 0
    assert result.stdout.startswith("# The Lighthouse of Ørsund\n\n## The tower\n\nThe tower was built in 1874")
    assert "convert: pages read 2/2" in result.stderr
    assert re.search(r"^writer\.pdf: 2 pages, \d+ words, 1 table, \d+\.\d s$", result.stderr, re.MULTILINE)


def test_text_is_shown_as_it_is_read(tmp_path):
    (tmp_path / "stars.md").write_text("Stars\n=====\n\nThey *shine*\nat night.\n")
    assert convert("stars.md").stdout == "# Stars\n\nThey shine at night.\n"


def test_many_documents_go_into_a_folder(tmp_path):
    assert convert(FIXTURES / "pandoc.epub", FIXTURES / "pandoc.docx").exit_code == 2
    result = convert(
        FIXTURES / "pandoc.epub", FIXTURES / "pandoc.docx", FIXTURES / "writer.docx", "--output-dir", "out"
    )
    assert (result.exit_code, result.stdout) == (0, "")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "pandoc.docx.md",
        "pandoc.epub.md",
        "writer.md",
    ]
    assert (tmp_path / "out" / "writer.md").read_text().startswith("# The Lighthouse of Ørsund\n")


def test_a_folder_keeps_its_folders(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    shutil.copy(FIXTURES / "pandoc.adoc", tmp_path / "in" / "deep")
    (tmp_path / "in" / "a.txt").write_text("Text.")
    assert convert("in", "--output-dir", "out").exit_code == 0
    assert (tmp_path / "out" / "a.md").read_text() == "Text.\n"
    assert (tmp_path / "out" / "deep" / "pandoc.md").read_text().startswith("# The Lighthouse")


def test_a_bad_document_does_not_keep_the_others_from_being_converted(tmp_path):
    result = convert(FIXTURES / "locked.pdf", FIXTURES / "pandoc.adoc", "none.md", "--output-dir", "out")
    assert result.exit_code == 1
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["pandoc.md"]
    assert "error: 2 of 3 documents could not be converted\n" in result.stderr
    assert "locked.pdf is protected by a password (save it without one)" in result.stderr
    assert f"no document at {tmp_path / 'none.md'}" in result.stderr
    alone = convert(FIXTURES / "scanned.pdf")
    assert (alone.exit_code, alone.stdout) == (1, "")
    assert "error: scanned.pdf has no text on its 2 pages" in alone.stderr and "hint: " in alone.stderr


def test_a_document_is_never_written_over_itself(tmp_path):
    (tmp_path / "stars.md").write_text("Stars\n=====\n")
    result = convert("stars.md", "--output-dir", ".")
    assert result.exit_code == 1 and "would be written over itself" in result.stderr
    assert (tmp_path / "stars.md").read_text() == "Stars\n=====\n"


def test_chunks_show_how_a_document_is_cut():
    result = convert(FIXTURES / "pandoc.docx", "--chunks", "--chunk-tokens", "150")
    heads = re.findall(
        r"^--- pandoc\.docx (\d+)/(\d+): about (\d+) tokens, (\d+)-(\d+)(?:, (.+))?$", result.stdout, re.MULTILINE
    )
    assert len(heads) == int(heads[0][1]) > 4
    assert all(int(tokens) <= 150 for _, _, tokens, *_ in heads)
    assert heads[0][5] == "The Lighthouse of Ørsund > The tower"
    assert [head[4] for head in heads[:-1]] == [head[3] for head in heads[1:]]


def test_json_has_everything():
    (facts,) = json.loads(convert(FIXTURES / "writer.pdf", "--chunks", "--json").stdout)
    assert (facts["name"], facts["pages"], facts["tables"], facts["empty_pages"]) == ("writer.pdf", 2, 1, 0)
    assert facts["markdown"].startswith("# The Lighthouse of Ørsund")
    assert facts["chunks"][0]["start"] == 0 and facts["chunks"][-1]["end"] == len(facts["markdown"])


def test_a_web_address_is_converted_and_again_without_the_server():
    handler = partial(SimpleHTTPRequestHandler, directory=str(FIXTURES))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/pandoc.epub"
        first = convert(url)
        server.shutdown()
    assert first.stdout.startswith("# The Lighthouse of Ørsund\n")
    again = convert(url)
    assert (again.exit_code, again.stdout) == (0, first.stdout)
    assert "the copy in the cache is used" in again.stderr
